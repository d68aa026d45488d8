"""From conditions to decision diagrams: the outcomes in which a condition is yes, and no.

Everything else is unknown. A condition is judged by itself, as the runtime does: Kleene's three
values, where an unknown that cannot change the outcome does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from guardkit.types import STRENGTH, Action, Truth, strongest

from .._policy import (
    Act,
    And,
    Asked,
    AtLeast,
    Atom,
    CascadeCond,
    Check,
    CheckedPolicy,
    Cond,
    Not,
    Or,
    Rule,
    atoms_of,
    positive_checks,
)
from ._cells import Cell, Cells, Subject, cells_of, subject_of
from ._diagrams import Diagrams

_N = TypeVar("_N")


class Logic(Protocol[_N]):
    """What conditions are judged in: diagrams, or bit sets of samples."""

    def atom(self, atom: Atom) -> tuple[_N, _N]: ...
    def all_of(self, nodes: Iterable[_N]) -> _N: ...
    def any_of(self, nodes: Iterable[_N]) -> _N: ...
    def at_least(self, k: int, nodes: Sequence[_N]) -> _N: ...


def judge(condition: Cond, logic: Logic[_N]) -> tuple[_N, _N]:
    """Where a condition is yes and where it is no."""
    match condition:
        case And(members):
            yes, no = _parts(members, logic)
            return logic.all_of(yes), logic.any_of(no)
        case Or(members):
            yes, no = _parts(members, logic)
            return logic.any_of(yes), logic.all_of(no)
        case Not(inner):
            holds, fails = judge(inner, logic)
            return fails, holds
        case AtLeast(count, members):
            yes, no = _parts(members, logic)
            # It is no once so many members are no that the others are too few.
            return logic.at_least(count, yes), logic.at_least(len(members) - count + 1, no)
        case CascadeCond():
            return judge(as_formula(condition), logic)
        case _:
            return logic.atom(condition)


def _parts(members: Sequence[Cond], logic: Logic[_N]) -> tuple[list[_N], list[_N]]:
    pairs = [judge(member, logic) for member in members]
    return [yes for yes, _ in pairs], [no for _, no in pairs]


ALWAYS: Cond = And(())
NEVER: Cond = Or(())


def as_formula(cascade: CascadeCond) -> Cond:
    """A cascade as `A or (not B and …)`, from the last step to the first."""
    rest = ALWAYS if cascade.otherwise else NEVER
    for step in reversed(cascade.steps):
        if step.answer:
            rest = Or((step.condition, rest))
        else:
            rest = And((Not(step.condition), rest))
    return rest


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What rules contribute to a verdict, apart from their names.

    Compared by identity, since the conditions of large policies are dear to compare.
    """

    condition: Cond
    verb: Action
    on_error: Action
    rewrites_matches: bool = False
    """Whether it needs to know where the matches are: if a check cannot say, that is an error."""
    exempt: tuple[Cond, ...] = ()


def part_of(rule: Rule, exempt: tuple[Cond, ...] = ()) -> Part:
    rewrites = _rewrites_matches(rule.action)
    return Part(rule.condition, rule.action.verb, rule.on_error, rewrites, exempt)


def _rewrites_matches(act: Act) -> bool:
    if act.otherwise is not None and _rewrites_matches(act.otherwise):
        return True
    return act.verb == "rewrite" and not act.whole


class Outcome(NamedTuple):
    """Two nodes: where a condition is yes, and where it is no."""

    yes: int
    no: int


class Twins:
    """Checks of equal kind and properties answer alike: all of them count as the first.

    Args:
        apart: Names of checks that are nobody's twin.
    """

    def __init__(self, checks: Iterable[Check], apart: Collection[str] = ()) -> None:
        self._checks: dict[str, Check] = {}
        firsts: dict[object, Check] = {}
        for check in checks:
            alike: object = (check.kind, check.config, check.answers, check.labels)
            if check.name in apart:
                alike = check.name
            self._checks[check.name] = firsts.setdefault(alike, check)

    def subject(self, atom: Atom) -> Subject:
        kind, *names = subject_of(atom)
        first = self._checks.get(names[0]) if kind == "check" else None
        return (kind, first.name) if first else (kind, *names)

    def first(self, name: str) -> str:
        """The name under which a check counts."""
        found = self._checks.get(name)
        return found.name if found else name

    def has_spans(self, subject: Subject) -> bool:
        check = self.check(subject)
        return check is not None and check.spans

    def check(self, subject: Subject) -> Check | None:
        return self._checks.get(subject[1]) if subject[0] == "check" else None


class Space:
    """All outcomes of some conditions: one variable for each subject, in order of first use.

    Args:
        wide: Whether cells that only a lenient runtime could see count too; see `cells_of`.

    Raises:
        TooLarge: here or in any method, where an exact answer would need too much room.
    """

    def __init__(
        self,
        conditions: Iterable[Cond],
        twins: Twins,
        *,
        wide: bool = True,
        limit: int = 200_000,
    ) -> None:
        atoms: dict[Subject, dict[Atom, None]] = {}
        self._subject: dict[Atom, Subject] = {}
        for condition in conditions:
            for atom in atoms_of(condition):
                if atom not in self._subject:
                    self._subject[atom] = subject = twins.subject(atom)
                    atoms.setdefault(subject, {})[atom] = None
        self._twins = twins
        self.diagrams = Diagrams(limit)
        self.cells: dict[Subject, Cells] = {
            subject: cells_of(subject, tuple(found), twins.check(subject), wide=wide)
            for subject, found in atoms.items()
        }
        self._variables = {
            subject: self.diagrams.variable(subject, len(cells.cells))
            for subject, cells in self.cells.items()
        }
        self.subjects: tuple[Subject, ...] = tuple(self.cells)
        self._known: dict[Cond, Outcome] = {}
        self._atoms: dict[Atom, tuple[int, int]] = {}
        self._unknown: dict[Cond, int] = {}

    # --- as a `Logic` of diagram nodes

    def atom(self, atom: Atom) -> tuple[int, int]:
        known = self._atoms.get(atom)
        if known is None:
            subject = self._subject[atom]
            cells, variable = self.cells[subject], self._variables[subject]
            known = self._atoms[atom] = (
                self.diagrams.literal(variable, cells.yes[atom]),
                self.diagrams.literal(variable, cells.no(atom)),
            )
        return known

    def all_of(self, nodes: Iterable[int]) -> int:
        return self.diagrams.all_of(nodes)

    def any_of(self, nodes: Iterable[int]) -> int:
        return self.diagrams.any_of(nodes)

    def at_least(self, k: int, nodes: Sequence[int]) -> int:
        return self.diagrams.at_least(k, nodes)

    # --- questions

    def outcome(self, condition: Cond) -> Outcome:
        """Where a condition is yes, and where it is no."""
        known = self._known.get(condition)
        if known is None:
            known = self._known[condition] = Outcome(*judge(condition, self))
        return known

    def unknown(self, condition: Cond) -> int:
        """Where a condition is neither yes nor no."""
        known = self._unknown.get(condition)
        if known is None:
            yes, no = self.outcome(condition)
            known = self.diagrams.negate(self.diagrams.either(yes, no))
            self._unknown[condition] = known
        return known

    def definite(self, node: int) -> int:
        """Where everything a node looks at gave an answer."""
        support = self.diagrams.support(node)
        return self.diagrams.all_of(
            self.diagrams.literal(variable, self.cells[subject].definite)
            for subject, variable in self._variables.items()
            if variable in support
        )

    def holds_when_definite(self, node: int) -> bool:
        """Whether a node is true whenever everything it looks at gave an answer."""
        return node == Diagrams.TRUE or self.diagrams.implies(self.definite(node), node)

    def acts(self, rule: Rule, action: Action) -> int:
        """Where a rule contributes this action or a stronger one."""
        return self.contributes(part_of(rule), action)

    def contributes(self, part: Part, action: Action) -> int:
        """Where rules of this kind come to an action or a stronger one.

        An exemption takes the effect away where its condition is yes; unknown takes nothing away.
        """
        strength, node = STRENGTH[action], Diagrams.FALSE
        if STRENGTH[part.verb] >= strength:
            node = self.outcome(part.condition).yes
        if STRENGTH[part.on_error] >= strength:
            node = self.diagrams.either(node, self._cannot_tell(part))
        for exemption in part.exempt:
            if node == Diagrams.FALSE:
                break
            node = self.diagrams.both(node, self.diagrams.negate(self.outcome(exemption).yes))
        return node

    def _cannot_tell(self, part: Part) -> int:
        """Where a rule cannot tell whether it fires or, rewriting, what it has to rewrite."""
        unknown = self.unknown(part.condition)
        mute = [self._fails(subject) for subject in self.placing(part)]
        if not mute:
            return unknown
        yes = self.outcome(part.condition).yes
        misses = self.diagrams.both(yes, self.diagrams.any_of(mute))
        return self.diagrams.either(unknown, misses)

    def _fails(self, subject: Subject) -> int:
        cells = self.cells[subject].cells
        failing = [at for at, cell in enumerate(cells) if not cell.is_definite]
        return self.diagrams.literal(self._variables[subject], failing)

    def placing(self, part: Part) -> list[Subject]:
        """The checks that have to say where the matches of a rewriting rule are."""
        if not part.rewrites_matches:
            return []
        asked = {self._subject[Asked(name)] for name in positive_checks(part.condition)}
        return [s for s in self.subjects if s in asked and self._twins.has_spans(s)]

    # --- examples

    def example(self, node: int) -> dict[Subject, int] | None:
        """The cell of each subject that matters in one outcome where a node is true.

        As quiet an outcome as there is: few checks say yes and few fail.
        """
        chosen = self.diagrams.witness(node, self._quiet())
        if chosen is None:
            return None
        return {subject: chosen[v] for subject, v in self._variables.items() if v in chosen}

    def _quiet(self) -> Mapping[int, Sequence[int]]:
        return {v: self.cells[subject].quiet_first() for subject, v in self._variables.items()}

    @property
    def quiet(self) -> dict[Subject, int]:
        """The quietest cell of every subject."""
        return {subject: cells.quiet_first()[0] for subject, cells in self.cells.items()}

    def cell(self, subject: Subject, at: int) -> Cell:
        return self.cells[subject].cells[at]

    def subject(self, atom: Atom) -> Subject:
        """What one of its atoms looks at; twins share a subject."""
        return self._subject[atom]

    def variable(self, subject: Subject) -> int:
        return self._variables[subject]


class Point:
    """As a `Logic`: one outcome, a cell for each subject; subjects not given are quiet."""

    def __init__(self, space: Space, chosen: Mapping[Subject, int]) -> None:
        self._space = space
        self._chosen = {**space.quiet, **chosen}

    def atom(self, atom: Atom) -> tuple[bool, bool]:
        subject = self._space.subject(atom)
        truth = self._space.cells[subject].truth(atom, self._chosen[subject])
        return truth is Truth.YES, truth is Truth.NO

    def all_of(self, nodes: Iterable[bool]) -> bool:
        return all(nodes)

    def any_of(self, nodes: Iterable[bool]) -> bool:
        return any(nodes)

    def at_least(self, k: int, nodes: Sequence[bool]) -> bool:
        return sum(nodes) >= k

    def action(self, part: Part) -> Action:
        """What rules of this kind contribute here."""
        yes, no = judge(part.condition, self)
        if no or any(judge(exemption, self)[0] for exemption in part.exempt):
            return "pass"
        misses = any(
            not self._space.cell(subject, self._chosen[subject]).is_definite
            for subject in self._space.placing(part)
        )
        return strongest(
            [*([part.verb] if yes else []), *([part.on_error] if misses or not yes else [])]
        )


def twins_of(policy: CheckedPolicy) -> Twins:
    return Twins(policy.checks)


def rewritten(condition: Cond, path: Sequence[int], change: Callable[[Cond], Cond]) -> Cond:
    """A condition with the part at a path (member numbers from the root) changed."""
    if not path:
        return change(condition)
    at, rest = path[0], path[1:]
    match condition:
        case And(members, place):
            return And(_with(members, at, rest, change), place)
        case Or(members, place):
            return Or(_with(members, at, rest, change), place)
        case AtLeast(count, members, place):
            return AtLeast(count, _with(members, at, rest, change), place)
        case Not(inner, place):
            return Not(rewritten(inner, rest, change), place)
        case CascadeCond(steps, otherwise, place):
            step = steps[at]
            changed = type(step)(step.answer, rewritten(step.condition, rest, change), step.place)
            return CascadeCond((*steps[:at], changed, *steps[at + 1 :]), otherwise, place)
        case _:
            raise ValueError("a path leads below an atom")


def _with(
    members: tuple[Cond, ...], at: int, rest: Sequence[int], change: Callable[[Cond], Cond]
) -> tuple[Cond, ...]:
    return (*members[:at], rewritten(members[at], rest, change), *members[at + 1 :])


def parts_of(condition: Cond, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Cond]]:
    """Every part of a condition with its path, the deepest and last first, itself at the end."""
    inner: tuple[Cond, ...] = ()
    match condition:
        case And(members) | Or(members) | AtLeast(_, members):
            inner = members
        case Not(negated):
            inner = (negated,)
        case CascadeCond(steps):
            inner = tuple(step.condition for step in steps)
    for at in range(len(inner) - 1, -1, -1):
        yield from parts_of(inner[at], (*path, at))
    yield path, condition
