"""From the rules that fired to one verdict: findings, messages, rewriting, and what comes later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from guardkit.plan import CheckRow, Plan, RuleRow
from guardkit.semantics import Act
from guardkit.types import Finding, Next, Record, Verdict, strongest

from ._acts import BLOCKED, HELD, Wish, fallen_back
from ._event import Event, spelled, with_texts
from ._moment import Moment, Said, usable
from ._rewriting import Mark, Piece, Token, fill, pieces_of, spliced
from ._sessions import State


class Judged(NamedTuple):
    """What one rule made of one event."""

    row: RuleRow
    standing: Literal["silent", "fired", "exempted", "shadow"]
    acts: tuple[Act, ...]
    is_unknown: bool


class Outcome:
    """What a judged event comes to.

    Args:
        plan: The plan.
        event: The event.
        moment: The answers.
        judged: The rules that were not a clear no, by tier, severity and name.
        rank: The tier and severity of each rule, as numbers.
        checks: The plan's checks by name.
        stops: The finders whose matches a rule in force keeps from going out.
    """

    def __init__(
        self,
        plan: Plan,
        event: Event,
        moment: Moment,
        judged: Sequence[Judged],
        rank: Mapping[str, tuple[int, int]],
        checks: Mapping[str, CheckRow],
        stops: frozenset[int],
    ) -> None:
        self._plan = plan
        self._event = event
        self.moment = moment
        self._judged = judged
        self._rank = rank
        self._checks = checks
        self._stops = stops
        self._found: dict[str, tuple[Finding, ...]] = {}
        self.pieces: tuple[Piece, ...] = ()
        """What was replaced in the text of the event, once there is a verdict."""

    def verdict(self, token: Token) -> Verdict:
        """The verdict; how long it took is for whoever began to say."""
        judged = self._judged
        event = self._event
        if not judged:
            return self.passed(self._plan, event, self._records())
        fired = [one for one in judged if one.standing == "fired"]
        wishes = [Wish(one.row, act) for one in fired for act in one.acts]
        now = self._settle(wishes, token)
        is_held = now.action == "hold"
        approved = (
            self._settle([w for w in wishes if w.act.verb != "hold"], token) if is_held else None
        )
        otherwise = None
        if now.action in ("hold", "revise"):
            otherwise = self._settle(fallen_back(wishes, "hold", "revise"), token)
        revising = [w for w in wishes if w.act.verb == "revise"] if now.action == "revise" else []
        return Verdict(
            action=now.action,
            text=now.text,
            surface=event.surface,
            policy=self._plan.digest,
            elapsed_us=0.0,
            message=now.text if now.action == "block" else None,
            fired=_named(judged, "fired"),
            exempted=_named(judged, "exempted"),
            shadow=_named(judged, "shadow"),
            findings=tuple(f for one in fired for f in self._findings(one.row)),
            unknown=self._unknown(),
            undecided=tuple(one.row.name for one in judged if one.is_unknown),
            records=self._records(),
            tool=event.tool,
            arguments=now.arguments,
            principle=revising[0].act.principle if revising else None,
            rounds=min((w.act.rounds for w in revising), default=0),
            approved=approved,
            otherwise=otherwise,
            session_closed=any(w.act.verb == "block" and w.act.for_session for w in wishes),
        )

    # --- ready-made verdicts

    @staticmethod
    def passed(plan: Plan, event: Event, records: tuple[Record, ...]) -> Verdict:
        """Nothing stands against this event."""
        text = event.text if event.arguments is None else spelled(event.arguments)
        return Verdict(
            "pass",
            text,
            event.surface,
            plan.digest,
            0.0,
            records=records,
            tool=event.tool,
            arguments=event.arguments,
        )

    @staticmethod
    def closed(plan: Plan, event: Event, state: State, elapsed_us: float) -> Verdict:
        """The session was closed by a rule: one answer to everything."""
        said = state.closed_message
        return Verdict(
            "block",
            said,
            event.surface,
            plan.digest,
            elapsed_us,
            message=said,
            fired=state.closed_by,
            tool=event.tool,
            session_closed=True,
        )

    def message_of(self, rule: str) -> str:
        """What a rule that blocks says."""
        one = next(one for one in self._judged if one.row.name == rule)
        act = next(act for act in one.acts if act.verb == "block")
        return self._message(Wish(one.row, act))

    # --- what is delivered

    def _settle(self, wishes: Sequence[Wish], token: Token) -> Next:
        """The join of what is wanted, and what may be delivered under it."""
        action = strongest([wish.act.verb for wish in wishes])
        match action:
            case "block":
                wish = next(wish for wish in wishes if wish.act.verb == "block")
                return Next(action, self._message(wish))
            case "hold":
                return Next(action, HELD)
            case "revise":
                settled = self._settle(fallen_back(wishes, "revise"), token)
                return settled._replace(action="revise")
            case "rewrite":
                return self._rewritten(wishes, token)
            case _:
                event = self._event
                text = event.text if event.arguments is None else spelled(event.arguments)
                return Next(action, text, event.arguments)

    def _message(self, wish: Wish) -> str:
        if wish.act.text is None:
            return BLOCKED
        return fill(wish.act.text, self._label(wish.row), wish.row.name)

    def _label(self, row: RuleRow) -> str:
        """`{label}` where no single match is meant."""
        found = self._findings(row)
        if found:
            return found[0].label
        yes = [
            name
            for name in row.speaks
            if (node := self.moment.lane.node_of.get(name)) is not None
            and (said := self.moment.of(node)) is not None
            and said.value is True
        ]
        return self._checks[min(yes)].label.upper() if yes else row.name.upper()

    def _rewritten(self, wishes: Sequence[Wish], token: Token) -> Next:
        texts = {
            subject.pointer: subject.text
            for subject in self.moment.subjects
            if subject.pointer is not None
        }
        marks: dict[str, list[Mark]] = {}
        for row, act in wishes:
            if act.verb != "rewrite":
                continue
            rank = self._rank[row.name]
            if act.whole:
                label = self._label(row)
                for place, text in texts.items():
                    mark = Mark(0, len(text), label, row, act, rank)
                    marks.setdefault(place, []).append(mark)
            else:
                for found in self._findings(row):
                    mark = Mark(found.start, found.end, found.label, row, act, rank)
                    marks.setdefault(found.pointer, []).append(mark)
        pieces = {place: pieces_of(texts[place], some, token) for place, some in marks.items()}
        changed = {place: spliced(texts[place], some) for place, some in pieces.items()}
        if self._remains(changed, pieces, wishes):
            return Next("block", BLOCKED)
        self.pieces = pieces.get("", ())
        event = self._event
        if event.arguments is None:
            return Next("rewrite", changed.get("", event.text))
        arguments = with_texts(event.arguments, changed)
        assert isinstance(arguments, Mapping)
        return Next("rewrite", spelled(arguments), arguments)

    def _remains(
        self,
        changed: Mapping[str, str],
        pieces: Mapping[str, Sequence[Piece]],
        wishes: Sequence[Wish],
    ) -> bool:
        """Whether a match stands in a rewritten text, outside what was put there.

        Taking one match out can join its neighbours to another one.
        """
        lane = self.moment.lane
        scanner = lane.scanner
        if scanner is None or self._event.given:
            return False
        # What was there before belongs to rules that had their say; what is new is our doing.
        ours = [
            lane.covers[row.name].found
            for row, act in wishes
            if act.verb == "rewrite" and not act.whole
        ]
        said = self.moment.said

        def is_covered(node: int) -> bool:
            is_new = node in self._stops and node not in said
            return is_new or any(node in found for found in ours)

        for place, some in pieces.items():
            again = scanner.look(changed[place])
            if any(is_covered(node) for node in scanner.blind(again)):
                return True
            for node, hits in again.found.items():
                if is_covered(node) and any(not _inside(h.start, h.end, some) for h in hits):
                    return True
        return False

    # --- what is told

    def _findings(self, row: RuleRow) -> tuple[Finding, ...]:
        """The matches of every check that speaks for a rule and says yes, needed or not."""
        known = self._found.get(row.name)
        if known is not None:
            return known
        found: set[Finding] = set()
        moment = self.moment
        cover = moment.lane.covers.get(row.name)
        nodes: list[int] = []
        if cover is not None:
            nodes = [node for node in moment.said if node in cover.found]
            nodes += cover.asked
        for node in nodes:
            said = moment.of(node)
            if cover is not None and said is not None and said.value is True:
                for name in cover.names[node]:
                    found.update(self._shown(row, name, said))
        self._found[row.name] = tuple(
            sorted(found, key=lambda f: (f.pointer, f.start, -f.end, f.label, f.check))
        )
        return self._found[row.name]

    def _shown(self, row: RuleRow, name: str, said: Said) -> Iterator[Finding]:
        own = self._checks[name].label
        for hit in said.hits:
            label = (hit.label or own).upper()
            yield Finding(row.name, name, label, hit.start, hit.end, None, hit.view, hit.pointer)

    def _unknown(self) -> tuple[str, ...]:
        """The checks without a usable answer, of the rules that an unknown reached."""
        node_of = self.moment.lane.node_of
        mute: set[str] = set()
        for one in self._judged:
            if not one.is_unknown:
                continue
            for name in one.row.asks:
                said = self.moment.said.get(node_of[name]) if name in node_of else None
                check = self._checks[name]
                if said is not None and not usable(said, check.answers, check.labels):
                    mute.add(name)
        return tuple(sorted(mute))

    def _records(self) -> tuple[Record, ...]:
        """The ledger's lines: the checks that did work, then the rules that did something."""
        lane = self.moment.lane
        lines: list[Record] = []
        for node, said in self.moment.said.items():
            name = lane.names.get(node, ("",))[0]
            row = self._checks.get(name)
            is_usable = row is None or usable(said, row.answers, row.labels)
            lines.append(_record(lane.surface, name, said, is_usable=is_usable))
        for one in self._judged:
            wanted = strongest([act.verb for act in one.acts]) if one.acts else "unknown"
            outcome = wanted if one.standing == "fired" else f"{one.standing}: {wanted}"
            detail = "a check could not answer" if one.is_unknown else ""
            lines.append(Record(lane.surface, f"rule {one.row.name}", outcome, 0.0, None, detail))
        return tuple(lines)


def _record(surface: str, name: str, said: Said, *, is_usable: bool) -> Record:
    # What is no answer of its kind may be the text itself.
    value = said.value if is_usable else None
    score = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if value is None:
        outcome = "unknown"
    elif isinstance(value, bool):
        outcome = "yes" if value else "no"
    else:
        outcome = value if isinstance(value, str) else f"{value:g}"
    detail = said.why
    for hit in said.hits:
        if hit.view != "raw" and not detail:
            detail = f"in view {hit.view}"
    return Record(surface, f"check {name}", outcome, said.elapsed_us, score, detail)


def _inside(start: int, end: int, pieces: Sequence[Piece]) -> bool:
    """Whether a stretch of the rewritten text lies within one replacement."""
    moved = 0
    for piece in pieces:
        begin = piece.start + moved
        stop = begin + len(piece.text)
        if begin <= start and end <= stop:
            return True
        moved += len(piece.text) - (piece.end - piece.start)
    return False


def _named(judged: Sequence[Judged], standing: str) -> tuple[str, ...]:
    return tuple(one.row.name for one in judged if one.standing == standing)
