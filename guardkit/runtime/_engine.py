"""Judges events by a bound plan. No clock decides, no I/O happens here: whoever drives a judgement
is told which checks have to be called, and brings their answers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from time import perf_counter
from typing import NamedTuple

from guardkit.plan import Pending, Plan, RuleRow, Run
from guardkit.semantics import Act
from guardkit.types import SEVERITIES, Record, Truth, Verdict

from ._acts import on_error, rewrites_matches
from ._event import Event
from ._expect import Expected, expected, topics_of
from ._explain import Explanation, Memory, answers_of, explained
from ._lane import Cover, Lane
from ._moment import Moment, Said
from ._outcome import Judged, Outcome
from ._rewriting import Piece, Token
from ._sessions import Sessions, State
from ._shares import Shares


class Job(NamedTuple):
    """A check that has to be called before the judgement can go on."""

    node: int
    moment: Moment


Judgement = Generator[tuple[Job, ...], Mapping[int, Said], Verdict]
"""Yields checks to call, is sent what they said, returns the verdict."""


Value = bool | float | str | None
"""An answer: yes or no, a score or number, a label; None is unknown."""


class Measured(NamedTuple):
    """A verdict, and what every check of its surface says, needed for it or not."""

    verdict: Verdict
    answers: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Settings:
    """What an engine is told about its surroundings."""

    today: Callable[[], date]
    token: Callable[[Event], Token]
    """Gives the hashes and pseudonyms of one event's session."""
    notice: Callable[[Event], None] | None
    """Told of every event of a session, where pseudonyms are given: none may stand in its texts."""
    canary: str | None
    prompt: tuple[str, ...]
    """The lines of the system prompt, which `echo` protects."""
    topics: Mapping[str, float] = field(default_factory=dict)
    """From where the score of a check that the `model` block names counts as a yes."""


class Engine:
    """A bound plan.

    Args:
        plan: The plan.
        lanes: Its surfaces, bound.
        sessions: What sessions remember.
        settings: The surroundings.
    """

    def __init__(
        self, plan: Plan, lanes: Mapping[str, Lane], sessions: Sessions, settings: Settings
    ) -> None:
        self.plan = plan
        self.lanes = lanes
        self.sessions = sessions
        self._settings = settings
        tiers = {tier.name: rank for rank, tier in enumerate(plan.tiers)}
        self._place = {row.name: at for at, row in enumerate(plan.rules)}
        self._rank = {
            row.name: (tiers[row.tier], SEVERITIES.index(row.severity)) for row in plan.rules
        }
        self._rows = {row.name: row for row in plan.rules}
        self._checks = {row.name: row for row in plan.checks}
        self.answers = {row.name: row.answers for row in plan.checks}
        """What each check gives back."""
        self.shares = Shares(plan)
        """Which rules are enforced for some of the sessions only."""
        self._errors = {row.name: on_error(row) for row in plan.rules}
        self._needs_places = {row.name for row in plan.rules if rewrites_matches(row.action)}
        self._exemptions: dict[str, list[tuple[str, bool, date]]] = {}
        for exemption in plan.exemptions:
            until = date.fromisoformat(exemption.until)
            granted = self._exemptions.setdefault(exemption.rule, [])
            granted.append((exemption.name, exemption.always, until))
        self.is_stateful = bool(
            plan.windows
            or plan.sequences
            or any(row.action.for_session and row.mode == "enforce" for row in plan.rules)
        )
        """Whether a verdict may depend on what happened before in the session."""
        self.needs_session = self.is_stateful or settings.notice is not None
        """Whether events without a session make no sense."""
        self._keeps_texts = _compared_surfaces(plan)

    def judge(self, event: Event) -> Judgement:
        """Judge the next event of its session."""
        state = self._state(event) if event.again else self._enter(event)
        verdict, _ = yield from self._judge(event, state, is_final=not event.again)
        return verdict

    def explain(self, event: Event) -> Generator[tuple[Job, ...], Mapping[int, Said], Explanation]:
        """Judge the next event of its session and say why."""
        memory: list[Memory] = []
        state = self._enter(event)
        verdict, outcome = yield from self._judge(event, state, is_final=True, memory=memory)
        if outcome is None:
            return explained(self.plan, verdict, self.moment(event), None)
        return explained(self.plan, verdict, outcome.moment, *memory)

    def measure(self, event: Event) -> Generator[tuple[Job, ...], Mapping[int, Said], Measured]:
        """Judge the next event of its session, then ask every check that was not needed for it."""
        verdict, outcome = yield from self._judge(event, self._enter(event), is_final=True)
        moment = self.moment(event) if outcome is None else outcome.moment
        while silent := [node for node in moment.lane.names if moment.of(node) is None]:
            yield from self._call(silent, moment)
        return Measured(verdict, answers_of(self._checks, moment))

    def expect(
        self, event: Event
    ) -> Generator[tuple[Job, ...], Mapping[int, Said], Expected | None]:
        """What the `model` block says of a question. Nothing is judged and nothing remembered."""
        topics = topics_of(self.plan)
        if not topics:
            return None
        moment = self.moment(event)
        nodes = [moment.lane.node_of[name] for name in topics]
        while silent := [node for node in nodes if moment.of(node) is None]:
            yield from self._call(silent, moment)
        return expected(self.plan, self._settings.topics, answers_of(self._checks, moment))

    def peek(self, event: Event) -> tuple[Verdict, tuple[Piece, ...]] | None:
        """What the verdict on this text would be if it ended here, and what is replaced in it.

        Nothing is remembered. None where a check would have to be called.
        """
        judgement = self._judge(event, self._state(event), is_final=False, is_peek=True)
        try:
            next(judgement)
        except StopIteration as ended:
            verdict, outcome = ended.value
            return verdict, () if outcome is None else outcome.pieces
        judgement.close()
        return None

    def is_closed(self, event: Event) -> bool:
        """Whether a rule closed the event's session."""
        state = self._state(event)
        return state is not None and bool(state.closed_by)

    def moment(self, event: Event) -> Moment:
        """The answers of an event, without judging it."""
        state = self._state(event)
        canary = (state.canary if state is not None else None) or self._settings.canary
        return Moment(event, self.lanes[event.surface], state, canary, self._settings.prompt)

    def _judge(
        self,
        event: Event,
        state: State | None,
        *,
        is_final: bool,
        is_peek: bool = False,
        memory: list[Memory] | None = None,
    ) -> Generator[tuple[Job, ...], Mapping[int, Said], tuple[Verdict, Outcome | None]]:
        begun = perf_counter() if event.glance is None else event.glance.begun
        if state is not None and state.closed_by:
            return Outcome.closed(self.plan, event, state, _since(begun)), None
        lane = self.lanes[event.surface]
        canary = (state.canary if state is not None else None) or self._settings.canary
        moment = Moment(event, lane, state, canary, self._settings.prompt)
        is_quiet = moment.is_quiet and not event.given
        if is_quiet:
            run = lane.quiet.start(event.tool, moment.leaf)
        else:
            run = lane.settler.start_with(event.tool, moment.leaf, lane.silent, moment.said)
        settled = run.settle()
        while settled.pending:
            yield from self._call(settled.pending, moment)
            settled = run.settle()
        judged = yield from self._stand(settled.truths, run, lane, moment)
        later, first = yield from self._look_back(run, lane, moment)
        # Last: what is watched never takes the time of what decides.
        is_told = lane.watches and not is_peek
        watched = (yield from self._watch(run, lane, moment)) if is_told else ()
        with self.sessions.lock:
            if state is not None and is_final:
                fired = [j.row.name for j in judged if j.standing == "fired"]
                self.sessions.note_fired(state, fired)
            judged += self._conversation(event, state, later, moment)
            if memory is not None and state is not None:
                memory.append(self._memory(state, later, first))
            if state is not None and is_final:
                self.sessions.note_firsts(state, first)
        judged.sort(key=lambda one: self._place[one.row.name])
        stops = self._stops(lane, event) if self.shares else lane.stops
        outcome = Outcome(self.plan, event, moment, judged, self._rank, self._checks, stops)
        verdict = outcome.verdict(self._settings.token(event))
        records = (*verdict.records, *watched) if watched else verdict.records
        verdict = verdict._replace(elapsed_us=_since(begun), records=records)
        if verdict.session_closed and state is not None and is_final:
            self._close(state, outcome, judged)
        return verdict, outcome

    # --- sessions

    def _state(self, event: Event) -> State | None:
        if event.session is None:
            return State(turn=1) if self.is_stateful else None
        with self.sessions.lock:
            return self.sessions.state((event.tenant, event.session))

    def _enter(self, event: Event) -> State | None:
        if event.session is None:
            return self._state(event)
        if self._settings.notice is not None:
            self._settings.notice(event)
        with self.sessions.lock:
            state = self.sessions.state((event.tenant, event.session))
            if event.surface == "input" and not state.closed_by and not event.same_turn:
                self.sessions.begin_turn(state)
            if event.surface in self._keeps_texts:
                self.sessions.keep_text(state, event.surface, event.text)
            return state

    def _close(self, state: State, outcome: Outcome, judged: Sequence[Judged]) -> None:
        closing = tuple(
            one.row.name
            for one in judged
            if one.standing == "fired"
            and any(act.verb == "block" and act.for_session for act in one.acts)
        )
        with self.sessions.lock:
            state.closed_by = closing
            state.closed_message = outcome.message_of(closing[0])

    # --- rules

    def _call(
        self, nodes: Iterable[int], moment: Moment
    ) -> Generator[tuple[Job, ...], Mapping[int, Said], None]:
        answers = yield tuple(Job(node, moment) for node in nodes)
        moment.said.update(answers)

    def _stand(
        self, truths: Mapping[str, Truth], run: Run, lane: Lane, moment: Moment
    ) -> Generator[tuple[Job, ...], Mapping[int, Said], list[Judged]]:
        """What becomes of every rule that is not a clear no."""
        judged: list[Judged] = []
        for name, truth in truths.items():
            if truth is Truth.NO:
                continue
            row = self._rows[name]
            # A rule that fires shows all its matches, needed for the decision or not.
            while silent := [n for n in lane.covers[name].asked if moment.of(n) is None]:
                yield from self._call(silent, moment)
            exempt = yield from self._is_exempt(row, run, lane, moment)
            judged.append(self._judged(row, truth, exempt, lane, moment))
        return judged

    def _judged(
        self, row: RuleRow, truth: Truth, is_exempt: bool, lane: Lane, moment: Moment
    ) -> Judged:
        acts: tuple[Act, ...] = (row.action,) if truth is Truth.YES else ()
        # A rule may fire although a check that says *what* to rewrite could not say so.
        is_unknown = truth is Truth.UNKNOWN or (
            row.name in self._needs_places and self._misses_places(lane.covers[row.name], moment)
        )
        if is_unknown:
            acts += self._errors[row.name]
        if not acts:
            return Judged(row, "silent", (), True)
        if not self.enforces(row, moment.event):
            return Judged(row, "silent" if is_exempt else "shadow", acts, is_unknown)
        return Judged(row, "exempted" if is_exempt else "fired", acts, is_unknown)

    def enforces(self, row: RuleRow, event: Event) -> bool:
        """Whether a rule acts on an event, or is in shadow for it."""
        return row.mode == "enforce" and not (
            self.shares and self.shares.leaves_out(row.name, event)
        )

    def _stops(self, lane: Lane, event: Event) -> frozenset[int]:
        """`lane.stops` without the rules that are in shadow for this event."""
        return frozenset[int]().union(
            *(
                lane.covers[row.name].found
                for row in self.plan.rules
                if row.name in lane.covers
                and row.action.verb != "flag"
                and self.enforces(row, event)
            )
        )

    @staticmethod
    def _misses_places(cover: Cover, moment: Moment) -> bool:
        """Whether some check of a rule did not say where its matches are."""
        asked = [moment.of(node) for node in cover.asked]
        found = [said for node, said in moment.said.items() if node in cover.found]
        return any(
            said is None or said.is_placeless or not isinstance(said.value, bool)
            for said in (*asked, *found)
        )

    def _is_exempt(
        self, row: RuleRow, run: Run, lane: Lane, moment: Moment
    ) -> Generator[tuple[Job, ...], Mapping[int, Said], bool]:
        """Whether an exemption in force holds; an unknown one does not."""
        for name, always, until in self._exemptions.get(row.name, ()):
            if self._settings.today() > until:
                continue
            if always:
                return True
            node = lane.exemptions.get(name)
            if node is not None:
                truth = yield from self._ask(node, run, moment)
                if truth is Truth.YES:
                    return True
        return False

    def _watch(
        self, run: Run, lane: Lane, moment: Moment
    ) -> Generator[tuple[Job, ...], Mapping[int, Said], tuple[Record, ...]]:
        """What the conditions of monitors come to, a line of the ledger each."""
        records: list[Record] = []
        for root in lane.watches:
            begun = perf_counter()
            truth = yield from self._ask(root.node, run, moment)
            by = f"monitor {root.name}"
            records.append(Record(lane.surface, by, truth.name.lower(), _since(begun)))
        return tuple(records)

    def _ask(
        self, node: int, run: Run, moment: Moment
    ) -> Generator[tuple[Job, ...], Mapping[int, Said], Truth]:
        """A condition beside the rules; calls what it takes."""
        while isinstance(truth := run.ask(node), Pending):
            pending = tuple(dict.fromkeys(run.pending))
            run.pending.clear()
            yield from self._call(pending, moment)
        return truth

    # --- sequences and the conversation

    def _look_back(
        self, run: Run, lane: Lane, moment: Moment
    ) -> Generator[
        tuple[Job, ...], Mapping[int, Said], tuple[dict[str, Truth], list[tuple[str, Truth]]]
    ]:
        """Which sequences this event completes, and which it begins."""
        thens: dict[str, Truth] = {}
        firsts: list[tuple[str, Truth]] = []
        event = moment.event
        begins = {root.name: root.node for root in lane.firsts}
        for row in self.plan.sequences:
            if row.then_surface == event.surface and _is_of(event.tool, row.then_tools):
                node = lane.thens.get(row.name)
                thens[row.name] = (
                    Truth.YES if node is None else (yield from self._ask(node, run, moment))
                )
            if row.first_surface == event.surface and _is_of(event.tool, row.first_tools):
                node = begins.get(row.name)
                truth = Truth.YES if node is None else (yield from self._ask(node, run, moment))
                if truth is not Truth.NO:
                    firsts.append((row.name, truth))
        return thens, firsts

    def _memory(
        self, state: State, thens: Mapping[str, Truth], firsts: Sequence[tuple[str, Truth]]
    ) -> Memory:
        """What the session remembers now, for whoever asks why."""
        return Memory(
            {row.name: state.count(row.counts, row.turns) for row in self.plan.windows},
            tuple(name for name, truth in firsts if truth is Truth.YES),
            {
                row.name: thens[row.name] & state.was_first(row.name, row.turns)
                for row in self.plan.sequences
                if row.name in thens
            },
        )

    def _conversation(
        self, event: Event, state: State | None, thens: Mapping[str, Truth], moment: Moment
    ) -> list[Judged]:
        """The rules that follow every event. They ask nobody, so a lock may be held."""
        lane = self.lanes["conversation"]
        if not lane.settler.rules:
            return []
        after = Moment(event, lane, state, None, (), thens)
        run = lane.settler.start(event.tool, after.leaf)
        settled = run.settle()
        judged: list[Judged] = []
        for name, truth in settled.truths.items():
            if truth is Truth.NO:
                continue
            row = self._rows[name]
            exempt = any(
                self._settings.today() <= until
                and (always or run.ask(lane.exemptions.get(ename, -1)) is Truth.YES)
                for ename, always, until in self._exemptions.get(name, ())
                if always or ename in lane.exemptions
            )
            judged.append(self._judged(row, truth, exempt, lane, after))
        return judged


def _is_of(tool: str | None, tools: Sequence[str]) -> bool:
    return not tools or tool in tools


def _since(begun: float) -> float:
    return (perf_counter() - begun) * 1e6


def _compared_surfaces(plan: Plan) -> frozenset[str]:
    """Surfaces whose texts a check compares with: `echo { of retrieved }`."""
    found: set[str] = set()
    for row in plan.checks:
        for key, value in row.config:
            if key in ("of", "in", "same_as") and value in ("input", "retrieved"):
                found.add(str(value))
    return frozenset(found)
