"""Which outcomes change from one policy to another, each with an example, and which settings.

Two policies are compared over everything their checks could answer: for each surface and tool,
the outcomes in which the verdict differs. An example fixes only what makes the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain

from guardkit.types import ACTIONS, STRENGTH, SURFACES, Action, Surface

from .._policy import Check, CheckedPolicy, Cond, Rule
from ._cells import Cell, Subject
from ._changed_settings import Setting, changed_settings
from ._diagrams import Diagrams, TooLarge
from ._outcomes import ALWAYS, Part, Point, Space, Twins, part_of

_FALSE = Diagrams.FALSE
_TOOL_SURFACES = ("tool_call", "tool_result")
_LIMIT = 400_000


@dataclass(frozen=True, slots=True)
class Given:
    """One thing that holds in an example: what a check answers, what a field holds.

    `subject` is a kind (`check`, `context`, `call`, `window`, `sequence`) and a name or path.
    """

    subject: tuple[str, ...]
    cell: Cell

    @property
    def name(self) -> str:
        kind, *parts = self.subject
        return ".".join(self.subject if kind in ("context", "call") else parts)


@dataclass(frozen=True, slots=True)
class Change:
    """Outcomes on a surface whose verdict was `before` and is `after`, with one example of them.

    `old_rules` and `new_rules` are the rules whose action is the verdict in the example. `tools`
    is empty off the tool surfaces; on them a None stands for every tool that no rule names.
    """

    surface: Surface
    tools: tuple[str | None, ...]
    before: Action
    after: Action
    old_rules: tuple[str, ...]
    new_rules: tuple[str, ...]
    witness: tuple[Given, ...]
    listed: tuple[str, ...] = ()
    """Tools of the listings that no rule names, for an example with any of them."""

    @property
    def is_weaker(self) -> bool:
        return STRENGTH[self.after] < STRENGTH[self.before]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs between two policies.

    `is_exact` is False where some outcomes were too many to compare whole: every change that is
    listed is real even then, but others may be missing.
    """

    old: str
    new: str
    changes: tuple[Change, ...]
    settings: tuple[Setting, ...]
    is_exact: bool = True

    @property
    def is_empty(self) -> bool:
        return self.is_exact and not self.changes and not self.settings

    @property
    def is_weaker(self) -> bool:
        """Whether anything was caught before that is not now."""
        return any(c.is_weaker for c in self.changes) or any(s.is_weaker for s in self.settings)

    @property
    def has_changed_check(self) -> bool:
        """Whether a check looks for something else now: what it finds is not compared."""
        return any(s.kind == "check" and s.how == "changed" for s in self.settings)

    @property
    def summary(self) -> str:
        """`1 weaker outcome, 2 changed settings`."""
        if self.is_empty:
            return "nothing changes"
        weaker = sum(change.is_weaker for change in self.changes)
        counts = (
            (weaker, "weaker outcome"),
            (len(self.changes) - weaker, "stronger outcome"),
            (len(self.settings), "changed setting"),
        )
        parts = [
            f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in counts if number
        ]
        return ", ".join(parts) or "no change was found"


def compare(old: CheckedPolicy, new: CheckedPolicy, *, today: date | None = None) -> Comparison:
    """Compare two policies outcome by outcome, then setting by setting.

    Args:
        today: Exemptions that end before this day are inert; None counts all of them.
    """
    sides = _Side.of(old, today), _Side.of(new, today)
    found: list[Change] = []
    is_exact = True
    twins = _common_checks(old, new)
    for surface in SURFACES:
        for event in _events(surface, old, new):
            question = _Question(event, *sides, twins)
            if question.is_same:
                continue
            try:
                found.extend(question.changes())
            except TooLarge:
                is_exact = False
                found.extend(question.changes_by_rule())
    names = {check.name for check in new.checks}
    changes = [_renamed(change, twins, old, names) for change in _merged(found)]
    changes.sort(key=lambda c: (not c.is_weaker, STRENGTH[c.after] - STRENGTH[c.before]))
    return Comparison(
        _title(old), _title(new), tuple(changes), tuple(changed_settings(old, new)), is_exact
    )


def _title(policy: CheckedPolicy) -> str:
    return f"{policy.name} {policy.version}".strip()


def _common_checks(old: CheckedPolicy, new: CheckedPolicy) -> Twins:
    """Checks of one name count as one, whatever changed inside; so do those that are equal."""
    before = {check.name: check for check in old.checks}
    changed: set[str] = set()
    checks: list[Check] = []
    for check in new.checks:
        first = before.get(check.name)
        if first is not None and first != check:
            changed.add(check.name)
            labels = (*first.labels, *check.labels) if first.labels and check.labels else ()
            before[check.name] = replace(first, labels=tuple(dict.fromkeys(labels)))
        elif first is None:
            checks.append(check)
    return Twins([*before.values(), *checks], changed)


def _renamed(change: Change, twins: Twins, old: CheckedPolicy, names: Iterable[str]) -> Change:
    """The same change, with checks called as in the new policy where it has them."""
    called = {}
    for name in chain((check.name for check in old.checks), names):
        called[twins.first(name)] = name
    return replace(
        change,
        witness=tuple(
            replace(given, subject=("check", called.get(given.subject[1], given.subject[1])))
            if given.subject[0] == "check"
            else given
            for given in change.witness
        ),
    )


def _merged(changes: Iterable[Change]) -> list[Change]:
    """One change for all tools on which the same rules make the same difference."""
    merged: dict[tuple[object, ...], Change] = {}
    for change in changes:
        rules = change.old_rules if change.is_weaker else change.new_rules
        key = (change.surface, change.before, change.after, rules)
        first = merged.get(key)
        merged[key] = (
            change if first is None else replace(first, tools=(*first.tools, *change.tools))
        )
    return list(merged.values())


# --- events and rules


@dataclass(frozen=True, slots=True)
class _Event:
    """A surface, and one tool or, as None, any tool that no rule names."""

    surface: Surface
    tool: str | None = None
    arguments: frozenset[tuple[str, ...]] | None = None
    """Paths of the arguments the tool can have; None where that is not known."""
    listed: tuple[str, ...] = ()


def _events(surface: Surface, old: CheckedPolicy, new: CheckedPolicy) -> Iterator[_Event]:
    if surface not in _TOOL_SURFACES:
        yield _Event(surface)
        return
    named = {
        tool
        for policy in (old, new)
        for rule in policy.rules
        for on in rule.on
        if on.surface == surface
        for tool in on.tools
    }
    listed: dict[str, frozenset[tuple[str, ...]]] = {}
    for tool in (*old.tools, *new.tools):
        paths = frozenset(path for path, type in tool.arguments)
        listed[tool.name] = listed.get(tool.name, frozenset()) | paths
    for name in sorted(named):
        yield _Event(surface, name, listed.get(name))
    others = sorted(set(listed) - named)
    if others or not listed:
        arguments = frozenset().union(*(listed[name] for name in others)) if others else None
        yield _Event(surface, None, arguments, tuple(others))


_Known = dict[tuple[Cond, Action, Action, bool, frozenset[Cond]], Part]


@dataclass(frozen=True, slots=True)
class _Side:
    """The enforcing rules of one policy with the conditions they are exempted under."""

    rules: tuple[tuple[Rule, tuple[Cond, ...]], ...]

    @classmethod
    def of(cls, policy: CheckedPolicy, today: date | None) -> _Side:
        exempt: dict[str, list[Cond]] = {}
        for exemption in policy.exemptions:
            if today is None or exemption.until >= today.isoformat():
                exempt.setdefault(exemption.rule, []).append(exemption.condition or ALWAYS)
        return cls(
            tuple(
                (rule, tuple(exempt.get(rule.name, ())))
                for rule in policy.rules
                if rule.mode == "enforce" and ALWAYS not in exempt.get(rule.name, ())
            )
        )

    def parts(self, event: _Event, known: _Known) -> dict[Part, list[Rule]]:
        """What the rules that judge an event contribute, and which rules contribute it."""
        found: dict[Part, list[Rule]] = {}
        for rule, exempt in self.rules:
            if rule.judges(event.surface, event.tool):
                made = part_of(rule, exempt)
                kind = (made.verb, made.on_error, made.rewrites_matches)
                part = known.setdefault((rule.condition, *kind, frozenset(exempt)), made)
                found.setdefault(part, []).append(rule)
        return found


class _Question:
    """How the verdict on one kind of event changes."""

    def __init__(self, event: _Event, old: _Side, new: _Side, twins: Twins) -> None:
        self._event, self._twins = event, twins
        known: _Known = {}
        self._old, self._new = old.parts(event, known), new.parts(event, known)
        self._gone = [part for part in self._old if part not in self._new]
        self._come = [part for part in self._new if part not in self._old]
        self._kept = [part for part in self._old if part in self._new]

    @property
    def is_same(self) -> bool:
        return not self._gone and not self._come

    def _conditions(self) -> Iterator[Cond]:
        # The changed rules come first: their variables lead, and what stays hangs below them.
        for part in (*self._gone, *self._come, *self._kept):
            yield part.condition
            yield from part.exempt

    def changes(self) -> Iterator[Change]:
        """Every pair of verdicts that some outcome goes between, for each rule that causes it."""
        levels = _Levels(Space(self._conditions(), self._twins, wide=False, limit=_LIMIT))
        possible = self._possible(levels.space)
        for causes, others in ((self._gone, self._come), (self._come, self._gone)):
            for cause in causes:
                for node in levels.falls(possible, cause, causes, [*others, *self._kept]):
                    yield self._change(levels.space, node)

    def _possible(self, space: Space) -> int:
        """Where no field is given that the tool does not have."""
        node = Diagrams.TRUE
        arguments = self._event.arguments
        if arguments is None:
            return node
        for subject in space.subjects:
            absent = space.cells[subject].absent
            if subject[0] != "call" or absent is None or subject[1:] in arguments:
                continue
            node = space.diagrams.both(
                node, space.diagrams.literal(space.variable(subject), [absent])
            )
        return node

    def _change(self, space: Space, node: int) -> Change:
        definite = space.diagrams.both(node, space.definite(node))
        chosen = space.example(node if definite == _FALSE else definite)
        assert chosen is not None, "a node that is not FALSE has an example"
        return self._change_at(space, chosen)

    def _change_at(self, space: Space, chosen: Mapping[Subject, int]) -> Change:
        point = Point(space, chosen)
        acts = {part: point.action(part) for part in (*self._gone, *self._come, *self._kept)}
        before, old_rules = _verdict(self._old, acts)
        after, new_rules = _verdict(self._new, acts)
        on_tool = self._event.surface in _TOOL_SURFACES
        return Change(
            self._event.surface,
            (self._event.tool,) if on_tool else (),
            before,
            after,
            old_rules,
            new_rules,
            tuple(Given(subject, space.cell(subject, at)) for subject, at in chosen.items()),
            self._event.listed,
        )

    def changes_by_rule(self) -> Iterator[Change]:
        """Changes that single rules make by themselves and that hold for the whole policies."""
        try:
            whole = Space(self._conditions(), self._twins, wide=False)
        except TooLarge:
            return
        for part in (*self._gone, *self._come):
            others = self._come if part in self._gone else self._gone
            name = self._names(part)
            mates = [other for other in others if self._names(other) & name]
            for chosen in self._examples(part, mates, whole):
                # Nothing is known about the rest, so the example fixes all of it.
                change = self._change_at(whole, {**whole.quiet, **chosen})
                if change.before != change.after:
                    yield change

    def _names(self, part: Part) -> set[str]:
        return {rule.name for rule in (*self._old.get(part, ()), *self._new.get(part, ()))}

    def _examples(
        self, part: Part, mates: Sequence[Part], whole: Space
    ) -> Iterator[dict[Subject, int]]:
        involved = [part, *mates]
        conditions = [c for one in involved for c in (one.condition, *one.exempt)]
        try:
            levels = _Levels(Space(conditions, self._twins, wide=False))
            possible = self._possible(levels.space)
            for node in levels.falls(possible, part, [part], mates):
                chosen = levels.space.example(node)
                if chosen is not None:
                    yield _translated(levels.space, chosen, whole)
        except TooLarge:
            return


def _translated(small: Space, chosen: Mapping[Subject, int], whole: Space) -> dict[Subject, int]:
    """Cells of one space as cells of another that cuts finer."""
    found = {}
    for subject, at in chosen.items():
        cell = whole.cells[subject].find(small.cells[subject].said(at))
        if cell is not None:
            found[subject] = cell
    return found


def _verdict(
    parts: Mapping[Part, Sequence[Rule]], acts: Mapping[Part, Action]
) -> tuple[Action, tuple[str, ...]]:
    """The strongest action, and the rules that took it."""
    strongest: Action = max(
        (acts[part] for part in parts), key=STRENGTH.__getitem__, default="pass"
    )
    if strongest == "pass":
        return "pass", ()
    return strongest, tuple(
        rule.name for part, rules in parts.items() if acts[part] == strongest for rule in rules
    )


class _Levels:
    """Where rules contribute a strength or more, as nodes made once."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._made: dict[tuple[Part, bool, bool], int] = {}

    def reaches(self, part: Part, strength: int) -> int:
        """Where a rule contributes this strength or more."""
        on_yes = STRENGTH[part.verb] >= strength
        on_unknown = STRENGTH[part.on_error] >= strength
        if strength >= len(ACTIONS) or not (on_yes or on_unknown):
            return _FALSE
        key = (part, on_yes, on_unknown)
        if key not in self._made:
            self._made[key] = self.space.contributes(part, ACTIONS[strength])
        return self._made[key]

    def falls(
        self, possible: int, cause: Part, among: Sequence[Part], others: Sequence[Part]
    ) -> Iterator[int]:
        """Where one rule decides its policy's verdict and the other policy's is weaker.

        One node for each pair of verdicts. `among` are the changed rules of the one policy,
        `others` all of the other; rules of both are among the others only: what they
        contribute to the one verdict they would contribute to the weaker one too.
        """
        for high in sorted({STRENGTH[cause.verb], STRENGTH[cause.on_error]}):
            gone: set[int] = set()
            node = self.space.diagrams.both(possible, self.reaches(cause, high))
            node = self._missing(node, among, high + 1, gone)
            gone.clear()
            for low in range(high - 1, -1, -1):
                node = self._missing(node, others, low + 1, gone)
                if node == _FALSE:
                    break
                found = node if low == 0 else self._reached(node, others, low, gone)
                if found != _FALSE:
                    yield found

    def _missing(self, node: int, parts: Sequence[Part], strength: int, gone: set[int]) -> int:
        """A node without what any of the rules reaches; `gone` is what it is without already."""
        diagrams = self.space.diagrams
        for part in parts:
            if node == _FALSE:
                break
            reached = self.reaches(part, strength)
            if reached not in gone and not diagrams.disjoint(node, reached):
                node = diagrams.both(node, diagrams.negate(reached))
            gone.add(reached)
        return node

    def _reached(self, node: int, parts: Sequence[Part], strength: int, gone: set[int]) -> int:
        diagrams = self.space.diagrams
        reached = {self.reaches(part, strength) for part in parts} - gone
        return diagrams.any_of(
            diagrams.both(node, one) for one in sorted(reached) if not diagrams.disjoint(node, one)
        )
