"""Plays the `probe` blocks of a policy on the engine, and rates what comes out.

Every case of the file is judged as it stands and in every disguise that the probe names, each by
itself: in a session of its own that is forgotten after. Cases that name one session are one
conversation, judged in the order of the file.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final, Literal
from zlib import crc32

from anyio import create_task_group
from anyio.lowlevel import checkpoint

from guardkit._util.contained import ContainmentError
from guardkit._util.shares import wilson
from guardkit.catalog import Catalog
from guardkit.errors import UsageError
from guardkit.guard import CATALOG, BrokenRow, Case, cases_in
from guardkit.runtime import Bridge
from guardkit.semantics import CheckedPolicy, ComparedAtRate, Probe, Rule, atoms_of
from guardkit.text import disguise
from guardkit.types import ACTIONS, STRENGTH, Action, Surface, Verdict, strongest

from ._stage import Stage
from ._stage import stage as make_stage

ProbeStatus = Literal["passed", "failed", "undecided", "broken"]
"""`broken`: the case file is wrong, so nothing was rated."""

AT_ONCE: Final = 16
"""How many cases are judged at once: enough to keep a model busy, few enough to be fair to it."""
MOST_NEEDED: Final = 1_000_000
"""How many more cases are worth naming."""
_PASSING: Final = ("passed", "pass")
_STOPPED_FROM: Final = STRENGTH["revise"]


@dataclass(frozen=True, slots=True)
class MissedCase:
    """A case that came out otherwise than the probe expects, or could not be judged."""

    id: str
    line: int
    disguise: str | None
    """None: the text as it stands in the file."""
    action: Action
    fired: tuple[str, ...]
    unknown: tuple[str, ...]
    """Checks that could not answer, where that decides this case."""
    text: str = field(repr=False)
    """What was judged, in its disguise. Show it to nobody who did not ask."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How many cases came out as the outcome of the probe says, of those in one disguise."""

    disguise: str | None
    hits: int
    of: int
    unknown: int = 0
    """Cases that might have been either, because a check could not answer."""

    @property
    def value(self) -> float:
        """The share; 0 of none."""
        return self.hits / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What came of one probe."""

    probe: Probe
    status: ProbeStatus
    cases: int = 0
    """The texts of the file that this probe is about."""
    left_out: int = 0
    """The texts whose label says that they are not what this probe is about."""
    rate: Rate = Rate(None, 0, 0)
    """Over all cases and disguises. A case that may be either counts against the probe."""
    rates: tuple[Rate, ...] = ()
    """The same for the plain texts, then for each disguise."""
    bounds: tuple[float, float] = (0.0, 1.0)
    """Where the rate lies, at the confidence of the probe on each side; else what was seen."""
    needed: int | None = None
    """Undecided for want of cases: how many more without a miss would do, if any number would."""
    missed: tuple[MissedCase, ...] = ()
    unanswered: tuple[str, ...] = ()
    """Checks that cannot be asked here, and decide this probe."""
    why: str = ""
    """Why it is undecided or broken."""

    @property
    def name(self) -> str:
        """The name of the probe."""
        return self.probe.name


Told = Callable[[Probe, int, int], None]
"""Is told of a probe how many of its judgements are done, and how many there are."""


def run_probes(
    policy: CheckedPolicy,
    read: Callable[[str], bytes],
    *,
    today: date | None = None,
    wanted: Callable[[Probe], bool] = lambda probe: True,
    catalog: Catalog = CATALOG,
    checks: Mapping[str, object] | None = None,
    folder: Callable[[str], Path] | None = None,
    stage: Stage | None = None,
    told: Told = lambda probe, done, of: None,
) -> Iterator[ProbeResult]:
    """Run the probes of a policy in the order of its file.

    Args:
        policy: A checked policy or module.
        read: Gives the bytes of a data file by the name the policy has for it.
        today: The day against which exemptions end.
        wanted: Which probes to run.
        catalog: The check kinds.
        checks: The program's own objects, by check name.
        folder: Gives the folders of the policy, where models lie, by the same kind of name.
        stage: The policy already bound, by `stage`; it makes what stands above needless.
        told: Is told how far a probe is, from another thread.
    """
    probes = [probe for probe in policy.probes if wanted(probe)]
    if not probes:
        return
    bound = stage or make_stage(
        policy, read, today=today, catalog=catalog, checks=checks, folder=folder
    )
    player = _Player(bound)
    for probe in probes:
        yield _result(probe, read, bound, player, partial(told, probe))


def _result(
    probe: Probe,
    read: Callable[[str], bytes],
    bound: Stage,
    player: _Player,
    told: Callable[[int, int], None],
) -> ProbeResult:
    cases = _read(probe, read)
    if isinstance(cases, str):
        return ProbeResult(probe, "broken", why=cases)
    is_about = _is_about_wanted(probe)
    meant = [case for case in cases if _is_wanted(case) in (None, is_about)]
    left_out = len(cases) - len(meant)
    if not meant:
        why = f"`{probe.cases}` has no case"
        why += f" with label {int(is_about)}, which this probe is about" if cases else " in it"
        return ProbeResult(probe, "broken", left_out=left_out, why=why)
    guessed = _guessed(bound, {case.on for case in meant})
    if guessed:
        why = "; ".join(bound.why_not(name) for name in guessed)
        return ProbeResult(probe, "undecided", len(meant), left_out, unanswered=guessed, why=why)
    played = player.play(probe, meant, told)
    if isinstance(played, str):
        return ProbeResult(probe, "broken", why=played)
    return _rated(probe, bound, len(meant), left_out, played)


def _is_about_wanted(probe: Probe) -> bool:
    """Whether a probe is about texts that ought to be acted on: those with label 1.

    Few of the others may be stopped, and few of these may pass.
    """
    return (probe.outcome in _PASSING) == (probe.bound == "most")


def _read(probe: Probe, read: Callable[[str], bytes]) -> list[Case] | str:
    """The cases of a probe, or why there are none. A broken line is never left out in silence."""
    try:
        content = read(probe.cases)
    except ContainmentError as error:
        return f"the case file {error}"
    except OSError as error:
        return f"`{probe.cases}` cannot be read: {(error.strerror or 'it failed').lower()}"
    found: list[Case] = []
    try:
        for row in cases_in(content, probe.cases, probe.surface):
            if isinstance(row, BrokenRow):
                return f"`{probe.cases}` line {row.line} is no case: {row.why}"
            found.append(row)
    except UsageError as error:
        return str(error)
    return found


def _is_wanted(case: Case) -> bool | None:
    """Whether a policy ought to act on a text, as its label says; None where none does."""
    label = case.label
    return bool(label) if isinstance(label, int | float) and label in (0, 1) else None


def _guessed(bound: Stage, surfaces: set[Surface]) -> tuple[str, ...]:
    """The checks that rules of these surfaces compare at a rate which nobody calibrated."""
    asked = {
        atom.check
        for rule in bound.policy.rules
        if surfaces & set(rule.surfaces)
        for atom in atoms_of(rule.condition)
        if isinstance(atom, ComparedAtRate)
    }
    return tuple(sorted(asked & bound.uncalibrated))


# --- playing


@dataclass(frozen=True, slots=True)
class _Trial:
    """One case in one disguise."""

    at: int
    case: Case
    disguise: str | None
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Played:
    """What a trial came to."""

    trial: _Trial
    verdict: Verdict
    is_hit: bool | None
    """Whether it is the outcome of the probe; None where a silent check leaves that open."""


class _NotJudgedError(Exception):
    """A case that makes no sense as an event; `why` holds none of its text."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(line, why)
        self.line = line
        self.why = why


class _Player:
    """Judges the cases of probes, many at once, each conversation by itself."""

    def __init__(self, bound: Stage) -> None:
        self._guard = bound.guard
        self._rules = {rule.name: rule for rule in bound.policy.rules}
        self._sessions = count()

    def play(
        self, probe: Probe, cases: Sequence[Case], told: Callable[[int, int], None]
    ) -> list[_Played] | str:
        """What each trial came to, in order, or which line is no text that can be judged."""
        trials: list[_Trial] = []
        talks: dict[object, list[_Trial]] = {}
        for worn in (None, *probe.disguises):
            for case in cases:
                trial = _Trial(len(trials), case, worn, _worn(case, worn, probe.seed))
                trials.append(trial)
                talk = trial.at if case.session is None else (worn, case.session)
                talks.setdefault(talk, []).append(trial)
        try:
            played: list[_Played] = Bridge.run(self._all, probe, list(talks.values()), told)
        except _NotJudgedError as error:
            return f"`{probe.cases}` line {error.line} cannot be judged: {error.why}"
        return sorted(played, key=lambda one: one.trial.at)

    async def _all(
        self, probe: Probe, talks: Sequence[Sequence[_Trial]], told: Callable[[int, int], None]
    ) -> list[_Played]:
        played: list[_Played] = []
        failed: list[_NotJudgedError] = []
        waiting = iter(talks)
        total = sum(map(len, talks))

        async def work() -> None:
            for talk in waiting:
                if failed:
                    return
                try:
                    played.extend(await self._talk(probe, talk))
                except _NotJudgedError as error:
                    failed.append(error)
                told(len(played), total)
                await checkpoint()  # most texts are settled without waiting for anybody

        async with create_task_group() as group:
            for _ in range(AT_ONCE):
                group.start_soon(work)
        if failed:
            raise min(failed, key=lambda error: error.line)
        return played

    async def _talk(self, probe: Probe, talk: Sequence[_Trial]) -> list[_Played]:
        """One conversation, mostly of one text."""
        session = f"probe {next(self._sessions)}"
        played: list[_Played] = []
        for trial in talk:
            case = trial.case
            try:
                verdict = await self._guard.acheck(
                    trial.text,
                    on=case.on,
                    context=case.context,
                    session=session,
                    tool=case.tool,
                )
            except UsageError as error:
                raise _NotJudgedError(case.line, str(error)) from None
            if verdict.hold is not None:
                # Nobody will approve it, and a queue that filled up would block.
                self._guard.holds.deny(verdict.hold, "a probe")
            played.append(_Played(trial, verdict, self._is_hit(probe, verdict)))
        self._guard.forget(session)
        return played

    def _is_hit(self, probe: Probe, verdict: Verdict) -> bool | None:
        """Whether a verdict is the outcome of the probe, whatever the silent checks would say.

        What `on_error` makes of an unknown is no merit of the rule, and no fault.
        """
        open = [self._rules[name] for name in verdict.undecided]
        if not open:
            return _is_outcome(probe.outcome, verdict.action)
        said = {record.by: record.outcome for record in verdict.records}
        wanted = [said.get(f"rule {n}") for n in verdict.fired if n not in verdict.undecided]
        sure = strongest([action for action in ACTIONS if action in wanted])
        maybe = [r.action.verb for r in open if _counts(r, verdict)]
        hits = {_is_outcome(probe.outcome, strongest([sure, verb])) for verb in (sure, *maybe)}
        return hits.pop() if len(hits) == 1 else None


def _counts(rule: Rule, verdict: Verdict) -> bool:
    return rule.mode == "enforce" and rule.name not in verdict.exempted


def _is_outcome(outcome: str, action: Action) -> bool:
    if outcome == "stopped":
        return STRENGTH[action] >= _STOPPED_FROM
    if outcome == "passed":
        return action in ("pass", "flag")
    return action == outcome


def _worn(case: Case, worn: str | None, seed: int) -> str:
    """The text of a case in a disguise; of a tool call, every text in its arguments."""
    if worn is None:
        return case.text
    if case.on != "tool_call":
        return _disguised(worn, case.text, seed)
    try:
        arguments = json.loads(case.text)
    except (ValueError, RecursionError):
        return case.text
    return json.dumps(_each(arguments, partial(_disguised, worn, seed=seed)), ensure_ascii=False)


def _disguised(worn: str, text: str, seed: int) -> str:
    # A number of its own for every text, so that all forms of a disguise have their turn, and
    # one that stays the same when lines are added to the file.
    return disguise(worn, text, seed + crc32(text.encode("utf-8", "surrogatepass")))


def _each(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    if isinstance(value, dict):
        return {name: _each(item, change) for name, item in value.items()}
    return value


# --- rating


def _rated(
    probe: Probe, bound: Stage, cases: int, left_out: int, played: Sequence[_Played]
) -> ProbeResult:
    is_most = probe.bound == "most"
    lacking = bound.guard.lacking
    open = [one for one in played if one.is_hit is None]
    lame = [one for one in open if lacking.intersection(one.verdict.unknown)]
    rates = tuple(
        _rate([one for one in played if one.trial.disguise == worn], worn, is_most=is_most)
        for worn in (None, *probe.disguises)
    )
    rate = _rate(played, None, is_most=is_most)
    status, bounds = _judged(probe, rate.hits, rate.of, cases)
    # As for a test: it is decided only if the checks that nobody can ask here would not change it.
    luck = -len(lame) if is_most else len(lame)
    best, _ = _judged(probe, rate.hits + luck, rate.of, cases)
    unanswered: tuple[str, ...] = ()
    why = ""
    needed = None
    if best != status:
        status = "undecided"
        names = {name for one in lame for name in one.verdict.unknown} & lacking
        unanswered = tuple(sorted(names))
        why = "; ".join(bound.why_not(name) for name in unanswered)
    elif status == "undecided":
        needed = _needed(probe, *_whole(probe, rate.hits, rate.of, cases))
        why = "there are too few cases to be sure"
    missed = tuple(_missed(one) for one in played if one.is_hit is None or one.is_hit == is_most)
    return ProbeResult(
        probe, status, cases, left_out, rate, rates, bounds, needed, missed, unanswered, why
    )


def _rate(played: Sequence[_Played], worn: str | None, *, is_most: bool) -> Rate:
    """What cannot be told counts against the probe: as no hit where many are wanted."""
    unknown = sum(one.is_hit is None for one in played)
    hits = sum(one.is_hit is True for one in played) + (unknown if is_most else 0)
    return Rate(worn, hits, len(played), unknown)


def _missed(one: _Played) -> MissedCase:
    trial, verdict = one.trial, one.verdict
    unknown = verdict.unknown if one.is_hit is None else ()
    case = trial.case
    return MissedCase(
        case.id, case.line, trial.disguise, verdict.action, verdict.fired, unknown, trial.text
    )


def _judged(
    probe: Probe, hits: int, of: int, cases: int
) -> tuple[ProbeStatus, tuple[float, float]]:
    """What a rate makes of a probe, and where the true one lies at its confidence."""
    value = hits / of
    bounds = (value, value)
    if probe.confidence is not None:
        bounds = wilson(*_whole(probe, hits, of, cases), probe.confidence)
    low, high = bounds
    if probe.bound == "most":
        return _status(-probe.rate, -value, -high), bounds
    return _status(probe.rate, value, low), bounds


def _status(wanted: float, seen: float, sure: float) -> ProbeStatus:
    if seen < wanted:
        return "failed"
    return "passed" if sure >= wanted else "undecided"


def _whole(probe: Probe, hits: int, of: int, cases: int) -> tuple[int, int]:
    """The rate as so many of the texts of the file, rounded against the probe.

    A text in ten disguises is still one text: it makes nobody surer of the next one.
    """
    scaled = hits * cases
    return (-(-scaled // of) if probe.bound == "most" else scaled // of), cases


def _needed(probe: Probe, hits: int, cases: int) -> int | None:
    """How many more cases without a miss would make one sure enough."""

    def is_enough(more: int) -> bool:
        if probe.bound == "most":
            return wilson(hits, cases + more, probe.confidence)[1] <= probe.rate
        return wilson(hits + more, cases + more, probe.confidence)[0] >= probe.rate

    return bisect_left(range(MOST_NEEDED), True, key=is_enough) if is_enough(MOST_NEEDED) else None
