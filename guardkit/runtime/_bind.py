"""Binds a plan: makes its checks live, its patterns one scan a surface, its tables an engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from time import monotonic
from typing import Any

from guardkit.catalog import Catalog, Live, Rated
from guardkit.errors import BindError
from guardkit.plan import Check, CheckRow, Compare, Plan
from guardkit.semantics import Act
from guardkit.types import SURFACES

from ._breaker import Breaker
from ._engine import Engine, Settings
from ._event import Event, parts_of
from ._expect import thresholds_of
from ._lane import Lane, lane_of
from ._rewriting import Token
from ._sessions import Sessions, new_canary
from ._vault import Vault, hashed
from ._workers import Bridge, Workers

Thresholds = Mapping[tuple[str, str, float], float]
"""(check, measure, rate) -> the score at which the check has that rate."""


def _no_folder(name: str) -> Path:
    raise BindError(f"`{name}` is no folder here: the policy has none of its own")


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine and this program bring to a plan.

    Args:
        file: Reads a data file by the name the plan has for it.
        given: The program's own callables and models, by check name.
        thresholds: Calibration, for `at fpr …`.
        today: The day against which exemptions end.
        clock: Seconds that never go back.
        may_lack: Bind although some checks cannot be; they never answer. For tests that say what
            their checks answer.
        folder: Gives a folder of the policy, such as a model's, by the name the plan has for it.
        device: Where models run: `auto`, `cpu` or `gpu`.
        watches: Whether verdicts say what the conditions of monitors came to.
    """

    file: Callable[[str], bytes]
    given: Mapping[str, object] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=dict)
    today: Callable[[], date] = date.today
    clock: Callable[[], float] = monotonic
    may_lack: bool = False
    folder: Callable[[str], Path] = _no_folder
    device: str = "auto"
    watches: bool = False


@dataclass(frozen=True, slots=True)
class _Setting:
    name: str
    given: object | None
    _machine: Machine
    _workers: Workers

    @property
    def device(self) -> str:
        return self._machine.device

    @property
    def in_thread(self) -> Callable[..., Awaitable[Any]]:
        return self._workers.run

    def file(self, name: str) -> bytes:
        return self._machine.file(name)

    def folder(self, name: str) -> Path:
        return self._machine.folder(name)


@dataclass(frozen=True, slots=True)
class Bound:
    """A plan that can run, and what its parts share."""

    engine: Engine
    vault: Vault
    canary: str | None
    workers: Workers
    lacking: frozenset[str]
    """Checks that nobody can answer; empty unless the machine may lack some."""
    problems: tuple[str, ...]
    """What the machine lacks, in words."""
    thresholds: Thresholds
    """The score behind every `at` of the policy that has one."""

    @property
    def calling(self) -> frozenset[str]:
        """The checks that call somebody, such as a model or a function of the program; a call may
        fail where a search in a text does not."""
        lanes = self.engine.lanes.values()
        return frozenset(
            name
            for lane in lanes
            for node in (*lane.callers, *lane.missing)
            for name in lane.names[node]
        )


def bind(plan: Plan, catalog: Catalog, machine: Machine) -> Bound:
    """Make a plan able to run on this machine.

    Raises:
        BindError: It cannot, for all the reasons given.
    """
    workers = Workers()
    live, problems = _live(plan, catalog, machine, workers)
    strangers = sorted(set(machine.given) - {row.name for row in plan.checks})
    problems += [f"the policy has no check `{name}` to bind to" for name in strangers]
    thresholds, uncalibrated = _thresholds(plan, machine.thresholds, live)
    problems += uncalibrated
    if problems and not machine.may_lack:
        raise BindError(*problems)
    breakers: dict[str, Breaker] = {}

    def breaker(name: str) -> Breaker:
        return breakers.setdefault(name, Breaker(clock=machine.clock))

    pseudonyms = any(
        "pseudonym" in _forms(row.action) for row in plan.rules if row.mode == "enforce"
    )
    lanes: dict[str, Lane] = {
        surface: lane_of(
            plan,
            surface,
            live,
            thresholds,
            breaker,
            remembers=pseudonyms,
            watches=machine.watches,
        )
        for surface in SURFACES
    }
    ttl_s = plan.limits.session_ttl_ms / 1000
    vault = Vault(ttl_s=ttl_s, clock=machine.clock)

    def token(event: Event) -> Token:
        def stand_in(form: str, label: str, text: str) -> str:
            if form == "hash":
                return hashed(vault.hash_key, label, text)
            return vault.token(event.tenant, event.session or "", label, text)

        return stand_in

    def notice(event: Event) -> None:
        for part in parts_of(event):
            vault.reserve(event.tenant, event.session or "", part.text)

    canary = new_canary() if plan.context.canary else None
    settings = Settings(
        machine.today,
        token,
        notice if pseudonyms else None,
        canary,
        plan.context.lines,
        thresholds_of(plan, thresholds),
    )
    engine = Engine(plan, lanes, Sessions(plan, machine.clock), settings)
    if any(lane.callers for lane in lanes.values()):
        Bridge.run(_started)
    lacking = frozenset(row.name for row in plan.checks) - live.keys()
    named = _named(plan, thresholds)
    return Bound(engine, vault, canary, workers, lacking, tuple(problems), named)


async def _started() -> None:
    """Done when the loop behind sync calls runs: no text shall wait for it against its deadline."""


def _named(plan: Plan, thresholds: Mapping[int, float]) -> Thresholds:
    """Thresholds by what a policy calls them."""
    found: dict[tuple[str, str, float], float] = {}
    for at, score in thresholds.items():
        node = plan.nodes[at]
        asked = plan.nodes[node.inputs[0]].what
        if isinstance(node.what, Compare) and isinstance(asked, Check):
            rate = (node.what.measure, node.what.bound)
            found.update(dict.fromkeys(((name, *rate) for name in asked.names), score))
    return found


def _forms(act: Act) -> set[str | None]:
    """The ways in which an action rewrites, its `else` included."""
    below = set() if act.otherwise is None else _forms(act.otherwise)
    return {act.form, *below}


def _live(
    plan: Plan, catalog: Catalog, machine: Machine, workers: Workers
) -> tuple[dict[str, Live], list[str]]:
    live: dict[str, Live] = {}
    problems: list[str] = []
    made: dict[tuple[str, object], Live] = {}
    for row in plan.checks:
        given = machine.given.get(row.name)
        same = (row.kind, row.config)
        if given is None and same in made:
            live[row.name] = made[same]
            continue
        try:
            live[row.name] = _bound(row, catalog, _Setting(row.name, given, machine, workers))
        except BindError as error:
            problems += [f"check `{row.name}`: {problem}" for problem in error.problems]
            continue
        if given is None:
            made[same] = live[row.name]
    return live, problems


def _bound(row: CheckRow, catalog: Catalog, setting: _Setting) -> Live:
    make = catalog.binds.get(row.kind)
    if make is None:
        raise BindError(f"nothing here can answer `{row.kind}` checks")
    return make(dict(row.config), setting)


def _thresholds(
    plan: Plan, known: Thresholds, live: Mapping[str, Live]
) -> tuple[dict[int, float], list[str]]:
    """The score behind each `at` comparison, by node, and the comparisons nobody calibrated."""
    found: dict[int, float] = {}
    missing: dict[str, None] = {}
    for node in plan.nodes:
        what = node.what
        if not isinstance(what, Compare) or what.relation != "at":
            continue
        asked = plan.nodes[node.inputs[0]].what
        names = asked.names if isinstance(asked, Check) else ()
        scores = [known.get((n, what.measure, what.bound)) for n in names]
        scores += [_told(live.get(n), what) for n in names]
        score = next((one for one in scores if one is not None), None)
        if score is not None:
            found[node.id] = score
        elif live.keys() & names:  # what could not be bound has been reported
            missing[_uncalibrated(names[0], what)] = None
    return found, list(missing)


def _told(bound: Live | None, what: Compare) -> float | None:
    """What a live check itself says about a rate."""
    return bound.threshold(what.measure, what.bound) if isinstance(bound, Rated) else None


def _uncalibrated(name: str, what: Compare) -> str:
    return (
        f"check `{name}` is not calibrated for {what.measure} {what.bound * 100:.4g}%: measure it"
        " with `guardkit models calibrate`, or compare the score itself"
    )
