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

from ._cells import Cell, Subject
from ._changed_settings import Setting, changed_settings
from ._diagrams import Diagrams, TooLarge
from ._outcomes import ALWAYS, Point, Space, Twins
from ._policy import Check, CheckedPolicy, Cond, Rule

_FALSE = Diagrams.FALSE
_TOOL_SURFACES = ("tool_call", "tool_result")
_LIMIT = 1_000_000


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


@dataclass(frozen=True, slots=True)
class _Part:
    """What a rule contributes, apart from its name: equal parts in both policies cancel out."""

    condition: Cond
    verb: Action
    on_error: Action
    exempt: frozenset[Cond]


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

    def parts(self, event: _Event) -> dict[_Part, list[tuple[Rule, tuple[Cond, ...]]]]:
        found: dict[_Part, list[tuple[Rule, tuple[Cond, ...]]]] = {}
        for rule, exempt in self.rules:
            if rule.judges(event.surface, event.tool):
                part = _Part(rule.condition, rule.action.verb, rule.on_error, frozenset(exempt))
                found.setdefault(part, []).append((rule, exempt))
        return found


class _Question:
    """How the verdict on one kind of event changes."""

    def __init__(self, event: _Event, old: _Side, new: _Side, twins: Twins) -> None:
        self._event, self._twins = event, twins
        self._old, self._new = old.parts(event), new.parts(event)
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
            yield from sorted(part.exempt, key=repr)

    def changes(self) -> Iterator[Change]:
        """Every pair of verdicts that some outcome goes between, for each rule that causes it."""
        levels = _Levels(Space(self._conditions(), self._twins, wide=False, limit=_LIMIT))
        possible = self._possible(levels.space)
        for causes, others in ((self._gone, self._come), (self._come, self._gone)):
            for cause in causes:
                for high, low in _steps_down(cause):
                    node = levels.space.diagrams.both(possible, levels.exactly(cause, high, causes))
                    node = levels.below(node, low, others, self._kept)
                    if node != _FALSE:
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
        before, old_rules = _verdict(self._old, point)
        after, new_rules = _verdict(self._new, point)
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

    def _names(self, part: _Part) -> set[str]:
        return {rule.name for rule, _ in chain(self._old.get(part, ()), self._new.get(part, ()))}

    def _examples(
        self, part: _Part, mates: Sequence[_Part], whole: Space
    ) -> Iterator[dict[Subject, int]]:
        involved = [part, *mates]
        conditions = [c for one in involved for c in (one.condition, *one.exempt)]
        try:
            levels = _Levels(Space(conditions, self._twins, wide=False))
            possible = self._possible(levels.space)
            for high, low in _steps_down(part):
                node = levels.space.diagrams.both(possible, levels.exactly(part, high, [part]))
                node = levels.below(node, low, mates, [])
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
    parts: Mapping[_Part, Sequence[tuple[Rule, tuple[Cond, ...]]]], point: Point
) -> tuple[Action, tuple[str, ...]]:
    acts = [
        (point.action(rule, exempt), rule.name)
        for rules in parts.values()
        for rule, exempt in rules
    ]
    strongest: Action = max((act for act, _ in acts), key=STRENGTH.__getitem__, default="pass")
    names = tuple(name for act, name in acts if act == strongest != "pass")
    return strongest, names


def _steps_down(part: _Part) -> Iterator[tuple[int, int]]:
    """What a rule contributes, and every weaker verdict there could be without it."""
    for high in sorted({STRENGTH[part.verb], STRENGTH[part.on_error]}, reverse=True):
        for low in range(high):
            yield high, low


class _Levels:
    """Where rules contribute a strength or more, as nodes made once."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._made: dict[tuple[_Part, int], int] = {}
        self._not_made: dict[tuple[_Part, int], int] = {}

    def reaches(self, part: _Part, strength: int) -> int:
        """Where a rule contributes this strength or more."""
        if strength >= len(ACTIONS):
            return _FALSE
        key = (part, strength)
        if key not in self._made:
            self._made[key] = self.space.contributes(
                part.condition, part.verb, part.on_error, ACTIONS[strength], part.exempt
            )
        return self._made[key]

    def misses(self, part: _Part, strength: int) -> int:
        key = (part, strength)
        if key not in self._not_made:
            self._not_made[key] = self.space.diagrams.negate(self.reaches(part, strength))
        return self._not_made[key]

    def exactly(self, cause: _Part, strength: int, among: Sequence[_Part]) -> int:
        """Where one rule contributes this strength and none of its policy more."""
        node = self.reaches(cause, strength)
        return self._missing(node, among, strength + 1)

    def below(
        self, node: int, strength: int, others: Sequence[_Part], kept: Sequence[_Part]
    ) -> int:
        """Where the other policy comes to exactly this strength."""
        node = self._missing(node, others, strength + 1)
        node = self._missing(node, kept, strength + 1)
        if strength == 0 or node == _FALSE:
            return node
        return self.space.diagrams.any_of(
            self.space.diagrams.both(node, self.reaches(part, strength))
            for part in (*others, *kept)
        )

    def _missing(self, node: int, parts: Sequence[_Part], strength: int) -> int:
        for part in parts:
            if node == _FALSE:
                break
            node = self.space.diagrams.both(node, self.misses(part, strength))
        return node
