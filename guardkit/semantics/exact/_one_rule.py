"""What can be proved about one condition: never, always, steps and members that do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from .._policy import (
    And,
    Asked,
    AtLeast,
    Atom,
    CascadeCond,
    Compared,
    ComparedAtRate,
    Cond,
    FieldTest,
    Labelled,
    Not,
    Or,
    SequenceSeen,
    WindowCount,
    atoms_of,
)
from ._diagrams import Diagrams
from ._outcomes import Outcome, Space, Twins, as_formula, parts_of, rewritten

_FALSE = Diagrams.FALSE


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that never matters. `part` is the smallest piece of the condition to point at.

    `kind` says in which way: a `step` that never decides, an `else` that is never reached, a
    `member` that changes nothing. `because` are the parts that make it so, where they are known.
    """

    kind: Literal["step", "else", "member"]
    part: Cond
    because: tuple[Cond, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known about a condition. `clash` are two members that exclude each other."""

    is_dead: bool = False
    is_constant: bool = False
    clash: tuple[Cond, ...] = ()
    faults: tuple[Fault, ...] = ()


_NOTHING = Findings()


def study(condition: Cond, twins: Twins) -> Findings:
    """Prove what can be proved about a condition by itself.

    Raises:
        TooLarge: where an exact answer would need too much room.
    """
    if _is_read_once(condition, twins):
        return _NOTHING
    space = Space([condition], twins)
    outcome = space.outcome(condition)
    is_dead = outcome.yes == _FALSE
    is_constant = not is_dead and space.holds_when_definite(outcome.yes)
    faults = list(_cascades(condition, space))
    if not is_dead and not is_constant:
        faults += _idle_members(condition, space, [fault.part for fault in faults])
    clash = _clash(condition, space) if is_dead else ()
    return Findings(is_dead, is_constant, clash, tuple(faults))


def _is_read_once(condition: Cond, twins: Twins) -> bool:
    """Whether no subject occurs twice and nothing is constant: then every part matters.

    Subjects answer independently, so any part can be made to decide: nothing to look for.
    """
    seen = set()
    for atom in atoms_of(condition):
        subject = twins.subject(atom)
        if subject in seen or not _splits(atom, twins):
            return False
        seen.add(subject)
    return not any(
        isinstance(part, CascadeCond)
        and (not part.steps or part.steps[-1].answer == part.otherwise)
        for _, part in parts_of(condition)
    )


def _splits(atom: Atom, twins: Twins) -> bool:
    """Whether an atom can surely be yes and can surely be no."""
    match atom:
        case Compared(op=op, bound=bound):
            check = twins.check(twins.subject(atom))
            return op in (">=", "<", ">", "<=") and (
                check is None or check.answers != "score" or 0 < bound < 1
            )
        case WindowCount(op=op, bound=bound):
            return bound > 0 and op in (">=", "<", ">", "<=")
        case Labelled(labels=labels):
            check = twins.check(twins.subject(atom))
            return check is None or not check.labels or not set(check.labels) <= set(labels)
        case FieldTest(type=type, values=values):
            return bool(values) and (type != "answer" or len(set(values)) == 1)
        case Asked() | ComparedAtRate() | SequenceSeen():
            return True


# --- dead conditions


def _clash(condition: Cond, space: Space) -> tuple[Cond, ...]:
    """One member that is never yes, or the first two that never are together."""
    members = _conjuncts(condition)
    nodes = [space.outcome(member).yes for member in members]
    for member, node in zip(members, nodes, strict=True):
        if node == _FALSE:
            return (member,) if member is not condition else ()
    for a, b in combinations(range(len(members)), 2):
        if space.diagrams.disjoint(nodes[a], nodes[b]):
            return members[a], members[b]
    return ()


def _conjuncts(condition: Cond) -> list[Cond]:
    match condition:
        case And(members):
            return [part for member in members for part in _conjuncts(member)]
        case AtLeast(count, members) if count == len(members):
            return [part for member in members for part in _conjuncts(member)]
        case _:
            return [condition]


# --- cascades


def _cascades(condition: Cond, space: Space) -> Iterator[Fault]:
    for _, part in parts_of(condition):
        if isinstance(part, CascadeCond):
            yield from _steps(part, space)


def _steps(cascade: CascadeCond, space: Space) -> Iterator[Fault]:
    diagrams = space.diagrams
    whole = space.outcome(as_formula(cascade))
    # `undecided`: all steps so far said no. `silent`: none said yes, though some may have failed.
    undecided = silent = Diagrams.TRUE
    all_reached = True
    for at, step in enumerate(cascade.steps):
        yes, no = space.outcome(step.condition)
        if diagrams.disjoint(undecided, yes) and (
            yes == _FALSE
            or diagrams.disjoint(silent, yes)
            or space.outcome(as_formula(_without_step(cascade, at))) == whole
        ):
            all_reached = False
            yield Fault("step", step.condition, _decider(cascade, at, space))
        undecided = diagrams.both(undecided, no)
        silent = diagrams.both(silent, diagrams.negate(yes))
    if all_reached and cascade.steps and undecided == _FALSE:
        flipped = CascadeCond(cascade.steps, not cascade.otherwise)
        if space.outcome(as_formula(flipped)) == whole:
            yield Fault("else", cascade.steps[-1].condition)


def _without_step(cascade: CascadeCond, at: int) -> CascadeCond:
    return CascadeCond((*cascade.steps[:at], *cascade.steps[at + 1 :]), cascade.otherwise)


def _decider(cascade: CascadeCond, at: int, space: Space) -> tuple[Cond, ...]:
    """The one earlier step that always decides first, if there is one."""
    yes = space.outcome(cascade.steps[at].condition).yes
    if yes == _FALSE:
        return ()
    for step in cascade.steps[:at]:
        if space.diagrams.implies(yes, space.outcome(step.condition).yes):
            return (step.condition,)
    return ()


# --- members of `and`, `or` and quorums


def _idle_members(condition: Cond, space: Space, known: list[Cond]) -> Iterator[Fault]:
    """Members without which the condition is the same, smallest first, removable together."""
    whole = space.outcome(condition)
    reduced = condition
    said = {id(part) for step in known for _, part in parts_of(step)}
    dropped: list[tuple[int, ...]] = []
    for path, node in parts_of(condition):
        if not isinstance(node, And | Or | AtLeast) or len(node.members) < 2:
            continue
        for at in range(len(node.members) - 1, -1, -1):
            here, member = (*path, at), node.members[at]
            if any(inner[: len(here)] == here for inner in dropped):
                continue  # what is idle lies inside it, and has been said
            if id(member) in said or node.members.count(member) > 1:
                continue
            kept = _kept(reduced, path, at, whole, space)
            if kept is not None and _kept(condition, path, at, whole, space) is None:
                kept = None
            if kept is None:
                kept = _without_constant(reduced, path, at, space)
            if kept is not None:
                dropped.append(here)
                reduced = kept
                yield Fault("member", member, _reason(node, at, space))


def _kept(
    condition: Cond, path: tuple[int, ...], at: int, whole: Outcome, space: Space
) -> Cond | None:
    """The condition without one member, if that changes nothing, not even where checks fail."""
    found = _without(condition, path, at)
    return next((other for other in found if space.outcome(other) == whole), None)


def _without_constant(condition: Cond, path: tuple[int, ...], at: int, space: Space) -> Cond | None:
    """The condition without one member that always leaves the result to the others."""
    node = _part_at(condition, path)
    assert isinstance(node, And | Or | AtLeast)
    yes, no = space.outcome(node.members[at])
    never = yes == _FALSE and space.holds_when_definite(no)
    always = space.holds_when_definite(yes)
    if not never and not always:
        return None
    others = _without(condition, path, at)
    match node:
        case And():
            return others[0] if always else None
        case Or():
            return others[0] if never else None
        case AtLeast(count, members):
            if never:
                return others[0] if count < len(members) else None
            return others[-1] if count > 1 else None


def _without(condition: Cond, path: tuple[int, ...], at: int) -> list[Cond]:
    """The condition without one member of the part at a path; a quorum has two ways to lose it."""
    node = _part_at(condition, path)
    assert isinstance(node, And | Or | AtLeast)
    rest = (*node.members[:at], *node.members[at + 1 :])
    changed: list[Cond]
    if isinstance(node, AtLeast):
        changed = [AtLeast(k, rest) for k in (node.count, node.count - 1) if 0 < k <= len(rest)]
    else:
        changed = [type(node)(rest)]
    return [_put(condition, path, new) for new in changed]


def _put(condition: Cond, path: tuple[int, ...], part: Cond) -> Cond:
    return rewritten(condition, path, lambda _: part)


def _part_at(condition: Cond, path: tuple[int, ...]) -> Cond:
    for at in path:
        match condition:
            case And(members) | Or(members) | AtLeast(_, members):
                condition = members[at]
            case Not(inner):
                condition = inner
            case CascadeCond(steps):
                condition = steps[at].condition
    return condition


def _reason(node: And | Or | AtLeast, at: int, space: Space) -> tuple[Cond, ...]:
    """The member beside an idle one that makes it so, where one alone does."""
    if isinstance(node, AtLeast):
        return ()
    own = space.outcome(node.members[at])
    for other, member in enumerate(node.members):
        if other == at:
            continue
        beside = space.outcome(member)
        below, above = (beside.yes, own.yes) if isinstance(node, And) else (own.yes, beside.yes)
        if below != _FALSE and space.diagrams.implies(below, above):
            return (member,)
    return ()
