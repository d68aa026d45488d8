"""What a node costs and how often it says yes: the numbers that ordering and estimates share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ._nodes import VIEW_COUNT, AtLeast, Check, Compare, Node, Pass, Scan, What

KILOBYTES = 1.0
"""The text that orders and gates are made for."""

DEAR_US = 500.0
"""From here on a check is dear: it leaves the loop, or would stall it, and wants a gate."""

_FIELD_US = 0.5
_FIELD_RATE = 0.5
_RARE_RATE = 0.01
_LEAF_US = {"field": _FIELD_US, "window": _FIELD_US, "sequence": 1.0}
_LEAF_RATE = {"field": _FIELD_RATE, "window": _RARE_RATE, "sequence": _RARE_RATE, "and": 1.0}
_PRICED = (Scan, Pass, Check)
_DOWNWARD = frozenset({"<", "<=", "!="})


def usual_us(what: What, kilobytes: float) -> float:
    """One run on ordinary text of this size; plain text needs one view."""
    if isinstance(what, _PRICED):
        return what.fixed_us + what.per_kb_us * kilobytes
    return _LEAF_US.get(what.op, 0.0)


def worst_us(what: What, kilobytes: float) -> float:
    """One run at worst: every view scanned, every time-out used up."""
    usual = usual_us(what, kilobytes)
    if isinstance(what, Scan):
        return usual * sum(VIEW_COUNT.get(view, 1) for view in what.views)
    if isinstance(what, Check):
        return max(usual, what.timeout_us)
    return usual


def dear_nodes(nodes: Sequence[Node]) -> list[bool]:
    """Per node, whether asking it may run something dear."""
    dear: list[bool] = []
    for _, _, inputs, what in nodes:
        is_dear = False
        for i in inputs:
            is_dear = is_dear or dear[i]
        if not is_dear and isinstance(what, _PRICED):
            is_dear = what.fixed_us + what.per_kb_us * KILOBYTES >= DEAR_US
            is_dear = is_dear or (isinstance(what, Check) and what.needs_gate)
        dear.append(is_dear)
    return dear


def chances(nodes: Sequence[Node]) -> list[float]:
    """Per node, how often it says yes on ordinary traffic, as if checks were independent."""
    found: list[float] = []
    for _, _, inputs, what in nodes:
        if len(inputs) == 1:
            read = found[inputs[0]]
            if isinstance(what, Check):
                read = what.yes_rate
            elif what.op == "sequence":
                read *= _RARE_RATE
            elif what.op == "not" or (isinstance(what, Compare) and what.relation in _DOWNWARD):
                read = 1.0 - read
            found.append(read)
        elif inputs:
            # Sorted: products of floats depend on their order, and written order must not show.
            found.append(_COMBINE[what.op](what, sorted([found[i] for i in inputs])))
        else:
            found.append(_LEAF_RATE.get(what.op, 0.0))
    return found


def _all(what: What, inputs: list[float]) -> float:
    return _product(inputs)


def _any(what: What, inputs: list[float]) -> float:
    return 1.0 - _product([1.0 - chance for chance in inputs])


def _quorum(what: What, inputs: list[float]) -> float:
    assert isinstance(what, AtLeast)
    return sum(yes_counts(inputs)[what.count :], 0.0)


_COMBINE: dict[str, Callable[[What, list[float]], float]] = {
    "and": _all,
    "or": _any,
    "at_least": _quorum,
    "join": _any,
}


def _product(values: list[float]) -> float:
    result = 1.0
    for value in values:
        result *= value
    return result


def yes_counts(inputs: Sequence[float]) -> list[float]:
    """The distribution of how many say yes: entry k is the chance of exactly k."""
    counts = [1.0]
    for chance in inputs:
        grown = [count * (1.0 - chance) for count in counts]
        grown.append(0.0)
        for k, count in enumerate(counts):
            grown[k + 1] += count * chance
        counts = grown
    return counts


def open_rates(what: What, inputs: Sequence[float]) -> list[float]:
    """Per input, how often the ones before it leave the node open."""
    rates: list[float] = []
    op = what.op
    if op == "at_least":
        count, size = getattr(what, "count", 0), len(inputs)
        for i in range(size):
            # Open: not yet `count` yes, and enough left that it may still come to `count`.
            before = yes_counts(inputs[:i])
            low = max(0, count - (size - i))
            rates.append(min(1.0, sum(before[low:count])))
        return rates
    rate = 1.0
    for chance in inputs:
        rates.append(rate)
        if op == "and":
            rate *= chance
        elif op == "or":
            rate *= 1.0 - chance
    return rates
