"""What the rules come to for one event, given the answers of the leaves. No I/O, no clock.

Two evaluators that share nothing but the meaning of an answer: `settle` asks every leaf and works
upwards, a `Settler` asks from the rules downwards and stops as soon as a rule is settled.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from guardkit.types import Surface, Truth

from ._nodes import LEAVES, AtLeast, Check, Compare, Node, Rule, Sequence
from ._plan import Plan


class Pending:
    """The type of `PENDING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PENDING"


PENDING: Final = Pending()
"""A leaf's answer that is not there yet: what needs it stays open, nothing becomes unknown."""

Answer = Truth | float | str | None
"""What a leaf gives: a truth, a score or count, a label; None when it could not answer."""

Leaves = Callable[[Node], Answer | Pending]

# Inside, a truth is a small number, as in `Truth`; open is one more, for "not yet".
NO, UNKNOWN, YES, OPEN = 0, 1, 2, 3
_TRUTHS = (Truth.NO, Truth.UNKNOWN, Truth.YES)
_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {  # Any: numbers that were just checked
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
    "at": operator.ge,
}


def truth_of(answer: object) -> int:
    """A yes/no leaf's answer; anything but a clear yes or no is unknown."""
    if answer is Truth.NO or answer is False:
        return NO
    return YES if answer is Truth.YES or answer is True else UNKNOWN


def comparer(what: Compare, read: Node, threshold: float | None) -> Callable[[object], int]:
    """The truth of a comparison as a function of the leaf's answer.

    A score outside 0 to 1, a number that is none, a label nobody declared and a rate without a
    threshold are unknown.
    """
    if what.relation == "in":
        declared = read.what.labels if isinstance(read.what, Check) else ()
        answers = dict.fromkeys(declared, NO) | dict.fromkeys(what.labels, YES)
        other = UNKNOWN if declared else NO
        return lambda answer: answers.get(answer, other) if isinstance(answer, str) else UNKNOWN
    bound = threshold if what.relation == "at" else what.bound
    if bound is None or (what.relation == "at" and not 0.0 <= bound <= 1.0):
        return lambda answer: UNKNOWN
    holds = _RELATIONS[what.relation]
    is_score = isinstance(read.what, Check) and read.what.answers == "score"
    low, high = (0.0, 1.0) if is_score else (-math.inf, math.inf)

    def compare(answer: object) -> int:
        if not isinstance(answer, float | int) or answer is True or answer is False:
            return UNKNOWN
        if not low <= answer <= high or math.isinf(answer):
            return UNKNOWN
        return YES if holds(answer, bound) else NO

    return compare


# --- every leaf, upwards


def settle(
    plan: Plan,
    surface: str,
    tool: str | None,
    leaves: Leaves,
    thresholds: Mapping[int, float] | None = None,
) -> dict[str, Truth]:
    """The truth of every rule that judges this event, by asking every leaf of the surface.

    Args:
        plan: Any plan, the naive one included.
        surface: Where the event happened.
        tool: The tool of a tool event.
        leaves: Answers check, field, window and sequence nodes.
        thresholds: Per node that compares `at` a rate, the score that rate stands for.
    """
    bounds = thresholds or {}
    answers: dict[int, object] = {}
    values: dict[int, int] = {}
    truths: dict[str, Truth] = {}
    for node in plan.nodes:
        if node.surface != surface:
            continue
        what = node.what
        if what.op in LEAVES:
            answers[node.id] = leaves(node)
            values[node.id] = truth_of(answers[node.id])
        inputs = [values.get(i, UNKNOWN) for i in node.inputs]
        match what:
            case Compare():
                read = node.inputs[0]
                compare = comparer(what, plan.nodes[read], bounds.get(node.id))
                values[node.id] = compare(answers[read])
            case Sequence(_, tools):
                is_tool = not tools or tool in tools
                values[node.id] = min([values[node.id], *inputs]) if is_tool else NO
            case AtLeast(count):
                sure = sum(value == YES for value in inputs)
                maybe = sum(value == UNKNOWN for value in inputs)
                values[node.id] = YES if sure >= count else UNKNOWN if sure + maybe >= count else NO
            case Rule(name, tools):
                values[node.id] = inputs[0]
                if not tools or tool in tools:
                    truths[name] = _TRUTHS[inputs[0]]
            case _ if what.op == "and":
                values[node.id] = min(inputs, default=YES)
            case _ if what.op == "or":
                values[node.id] = max(inputs, default=NO)
            case _ if what.op == "not":
                values[node.id] = YES - inputs[0]
            case _:
                pass
    return truths


# --- from the rules, downwards


@dataclass(frozen=True, slots=True)
class Settled:
    """The rules that judge this event, and the leaves that answered for it, in order.

    A rule that waits for a pending leaf is missing from `truths`; `pending` are the leaves that
    have to answer before anything more can be settled, in plan order.
    """

    truths: dict[str, Truth]
    asked: tuple[int, ...]
    pending: tuple[int, ...] = ()


class Run:
    """One event being settled. What it has learned it keeps, so it may go on after a wait."""

    __slots__ = ("_settler", "asked", "leaves", "pending", "tool", "values")

    def __init__(
        self, settler: Settler, tool: str | None, leaves: Leaves, values: list[Any] | None = None
    ) -> None:
        self._settler = settler
        self.tool = tool
        self.leaves = leaves
        # Any: a leaf's own answer, or a truth.
        self.values: list[Any] = settler.known_values.copy() if values is None else values
        self.asked: list[int] = []
        self.pending: list[int] = []

    def ask(self, node: int) -> Truth | Pending:
        """The truth of one condition of the plan: of a rule, or of any root but a join."""
        value = self._settler.asks[node - self._settler.start_at](self)
        return PENDING if value == OPEN else _TRUTHS[value]

    def settle(self) -> Settled:
        """Every rule that judges this event. No leaf is asked that cannot matter any more."""
        settler = self._settler
        asks = settler.asks
        self.pending.clear()
        truths = settler.known_truths.copy()
        for name, tools, at in settler.rules:
            if tools and self.tool not in tools:
                continue
            value = asks[at](self)
            if value != OPEN:
                truths[name] = _TRUTHS[value]
        return Settled(truths, tuple(self.asked), tuple(dict.fromkeys(self.pending)))


Ask = Callable[[Run], int]


class Settler:
    """One surface of a plan, prepared once and used for every event.

    Args:
        plan: The plan.
        surface: One of its surfaces.
        thresholds: Per node that compares `at` a rate, the score that rate stands for.
    """

    __slots__ = ("asks", "known_truths", "known_values", "rules", "start_at")

    def __init__(
        self, plan: Plan, surface: Surface, thresholds: Mapping[int, float] | None = None
    ) -> None:
        nodes = [node for node in plan.nodes if node.surface == surface]
        self.start_at = nodes[0].id if nodes else 0
        """INVARIANT: the nodes of a surface stand together, so an id less this is an index."""
        self.asks: list[Ask] = []
        for node in nodes:
            make = _MAKERS.get(node.op, _nothing)
            self.asks.append(make(self, node, plan, thresholds or {}))
        self.known_values: list[Any] = [None] * len(nodes)
        self.known_truths: dict[str, Truth] = {}
        join = plan.join(surface)
        rules: list[tuple[str, frozenset[str], int]] = []
        for i in join.inputs if join else ():
            what = plan.nodes[i].what
            assert isinstance(what, Rule)
            rules.append((what.name, frozenset(what.tools), i - self.start_at))
        self.rules = tuple(rules)

    def start(self, tool: str | None, leaves: Leaves) -> Run:
        """A fresh run for one event."""
        return Run(self, tool, leaves)

    def where_silent(self, silent: Collection[int]) -> list[Any]:
        """The values of a run in which these leaves say no; for `start_with`."""
        values = self.known_values.copy()
        for node in silent:
            values[node - self.start_at] = NO
        return values

    def start_with(
        self, tool: str | None, leaves: Leaves, silent: list[Any], said: Collection[int]
    ) -> Run:
        """A fresh run where the leaves of `where_silent` say no, but for those in `said`.

        Most leaves of a scan say no to most texts; asking each of them is most of the work.
        """
        values = silent.copy()
        known, start_at = self.known_values, self.start_at
        for node in said:
            at = node - start_at
            if 0 <= at < len(values):
                values[at] = known[at]
        return Run(self, tool, leaves, values)

    def settle(self, tool: str | None, leaves: Leaves) -> Settled:
        """Settle one event in plan order, asking only what can still change a rule."""
        return Run(self, tool, leaves).settle()

    def assuming_no(self, silent: Collection[int]) -> Settler:
        """The same surface where these leaves are known to say no, worked out beforehand.

        A text without a single hit is the common case: an engine keeps the settler in which all
        yes/no checks of a scan are silent, and pays only for the rules that are still open.
        """
        never = frozenset(silent)
        run = Run(self, _ANY_TOOL, lambda node: Truth.NO if node.id in never else PENDING)
        for at, ask in enumerate(self.asks):
            if run.values[at] is None:
                ask(run)
        quiet: Settler = object.__new__(Settler)
        quiet.start_at = self.start_at
        quiet.asks = self.asks
        quiet.known_values = run.values
        quiet.known_truths = self.known_truths.copy()
        rules: list[tuple[str, frozenset[str], int]] = []
        for name, tools, at in self.rules:
            value = self.asks[at](run)
            if value == OPEN or tools:
                rules.append((name, tools, at))
            else:
                quiet.known_truths[name] = _TRUTHS[value]
        quiet.rules = tuple(rules)
        return quiet


_KEEP_TRUTH = frozenset({"field", "compare", "and", "or", "at_least"})


def _keeps_truth(node: Node) -> bool:
    """Whether its place in `values` holds a truth, and not a score or nothing at all."""
    what = node.what
    return node.op in _KEEP_TRUTH or (isinstance(what, Check) and what.answers == "answer")


# --- one maker per operation: a node becomes a function of the run

_Maker = Callable[[Settler, Node, Plan, Mapping[int, float]], Ask]
_ANY_TOOL: Final = "*"
"""The tool of a run that prepares for every event; no tool has this name."""
_FAILED: Final = object()
"""Kept in place of None, which in `values` means "not asked"."""


def _nothing(settler: Settler, node: Node, plan: Plan, thresholds: Mapping[int, float]) -> Ask:
    return lambda run: UNKNOWN


def _inputs(settler: Settler, node: Node) -> tuple[Ask, ...]:
    return tuple(settler.asks[i - settler.start_at] for i in node.inputs)


def _truth_leaf(settler: Settler, node: Node, plan: Plan, thresholds: Mapping[int, float]) -> Ask:
    at = node.id - settler.start_at

    def ask(run: Run) -> int:
        value: int | None = run.values[at]
        if value is None:
            answer = run.leaves(node)
            if answer is PENDING:
                run.pending.append(node.id)
                return OPEN
            value = run.values[at] = truth_of(answer)
            run.asked.append(node.id)
        return value

    return ask


def _check(settler: Settler, node: Node, plan: Plan, thresholds: Mapping[int, float]) -> Ask:
    # A score by itself is no truth; its comparisons read the answer.
    if isinstance(node.what, Check) and node.what.answers != "answer":
        return _nothing(settler, node, plan, thresholds)
    return _truth_leaf(settler, node, plan, thresholds)


def _compare(settler: Settler, node: Node, plan: Plan, thresholds: Mapping[int, float]) -> Ask:
    at = node.id - settler.start_at
    leaf = plan.nodes[node.inputs[0]]
    leaf_at = leaf.id - settler.start_at
    assert isinstance(node.what, Compare)
    compare = comparer(node.what, leaf, thresholds.get(node.id))

    def ask(run: Run) -> int:
        values = run.values
        value: int | None = values[at]
        if value is None:
            answer = values[leaf_at]
            if answer is None:
                answer = run.leaves(leaf)
                if answer is PENDING:
                    run.pending.append(leaf.id)
                    return OPEN
                values[leaf_at] = _FAILED if answer is None else answer
                run.asked.append(leaf.id)
            value = values[at] = compare(answer)
        return value

    return ask


def _sequence(settler: Settler, node: Node, plan: Plan, thresholds: Mapping[int, float]) -> Ask:
    assert isinstance(node.what, Sequence)
    tools = frozenset(node.what.tools)
    members = _inputs(settler, node)
    first_seen = _truth_leaf(settler, node, plan, thresholds)

    def ask(run: Run) -> int:
        if tools and run.tool not in tools:
            return OPEN if run.tool is _ANY_TOOL else NO
        value = first_seen(run)
        for member in members:
            if value in (NO, OPEN):
                break
            got = member(run)
            value = OPEN if got == OPEN else min(value, got)
        return value

    return ask


def _lattice(settler: Settler, node: Node, plan: Plan, end: int) -> Ask:
    """`and` ends at the first no, `or` at the first yes."""
    at = node.id - settler.start_at
    # What is settled already is read, not asked: of a wide `or` that is nearly all.
    members = tuple(
        (i - settler.start_at if _keeps_truth(plan.nodes[i]) else -1, ask)
        for i, ask in zip(node.inputs, _inputs(settler, node), strict=True)
    )
    begin = YES - end

    def ask(run: Run) -> int:
        values = run.values
        value: int | None = values[at]
        if value is None:
            value = begin
            for place, member in members:
                got = values[place] if place >= 0 else None
                if got is None:
                    got = member(run)
                if got == end:
                    value = end
                    break
                if got == OPEN:
                    return OPEN
                if got == UNKNOWN:
                    value = UNKNOWN
            values[at] = value
        return value

    return ask


def _and(settler: Settler, node: Node, plan: Plan, thresholds: Mapping[int, float]) -> Ask:
    return _lattice(settler, node, plan, NO)


def _or(settler: Settler, node: Node, plan: Plan, thresholds: Mapping[int, float]) -> Ask:
    return _lattice(settler, node, plan, YES)


def _not(settler: Settler, node: Node, plan: Plan, thresholds: Mapping[int, float]) -> Ask:
    (inner,) = _inputs(settler, node)

    def ask(run: Run) -> int:
        value = inner(run)
        return value if value == OPEN else YES - value

    return ask


def _at_least(settler: Settler, node: Node, plan: Plan, thresholds: Mapping[int, float]) -> Ask:
    assert isinstance(node.what, AtLeast)
    at = node.id - settler.start_at
    members = _inputs(settler, node)
    count = node.what.count
    may_fail = len(members) - count  # so many may say no

    def ask(run: Run) -> int:
        value: int | None = run.values[at]
        if value is None:
            sure = refused = 0
            value = YES if count <= 0 else NO if may_fail < 0 else UNKNOWN
            for member in members if value == UNKNOWN else ():
                got = member(run)
                if got == OPEN:
                    return OPEN
                sure += got == YES
                refused += got == NO
                if sure >= count:
                    value = YES
                    break
                if refused > may_fail:
                    value = NO
                    break
            run.values[at] = value
        return value

    return ask


def _rule(settler: Settler, node: Node, plan: Plan, thresholds: Mapping[int, float]) -> Ask:
    (condition,) = _inputs(settler, node)
    return condition


_MAKERS: dict[str, _Maker] = {
    "check": _check,
    "compare": _compare,
    "field": _truth_leaf,
    "sequence": _sequence,
    "and": _and,
    "or": _or,
    "not": _not,
    "at_least": _at_least,
    "rule": _rule,
}
