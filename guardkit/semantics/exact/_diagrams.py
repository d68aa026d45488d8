"""Decision diagrams: exact answers about conditions over variables with a few ordered cells.

A variable stands for something a condition looks at, cut into finitely many cells: a score split
by its thresholds plus a cell for "failed", or a text field split into named values plus "other".
A node is a Boolean function of such variables. Nodes are plain integers, shared and never freed;
a `Diagrams` lives as long as one analysis and is then dropped whole.

Every walk uses an explicit stack. A disjunction of a thousand rules is a path of thousands of
variables, far deeper than Python lets functions nest.
"""

import math
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import groupby, repeat

# Below every variable, so that the smaller level of two nodes is always the one to split on.
_TERMINAL_LEVEL = sys.maxsize


class TooLarge(Exception):  # noqa: N818 -- an outcome that callers plan for, not a fault
    """An exact answer would need more room than the limit allows."""


class Diagrams:
    """Build, combine and question Boolean functions of variables with a few cells.

    Args:
        limit: How many nodes and results together may be held, and how many pairs of nodes one
            question may visit. Past it every operation that needs more room raises `TooLarge`.

    Example:
        >>> diagrams = Diagrams()
        >>> score = diagrams.variable("score", 3)
        >>> high = diagrams.literal(score, [2])
        >>> some = diagrams.literal(score, [1, 2])
        >>> diagrams.implies(high, some), diagrams.implies(some, high)
        (True, False)
    """

    __slots__ = ("_applied", "_cells", "_kids", "_level", "_limit", "_names", "_negated", "_nodes")

    FALSE = 0
    TRUE = 1

    def __init__(self, limit: int = 200_000) -> None:
        self._limit = limit
        self._names: dict[Hashable, int] = {}
        self._cells: list[int] = []
        # A node is an index into these two: the variable it splits on, and its node per cell.
        # INVARIANT: a kid lies on a strictly greater level than its parent, and not all kids of
        # a node are the same.
        self._level = [_TERMINAL_LEVEL, _TERMINAL_LEVEL]
        self._kids: list[tuple[int, ...]] = [(), ()]
        # INVARIANT: two ids are equal exactly when their functions are equal. Every node is made
        # by `_make`, which drops splits that decide nothing and looks the rest up here.
        self._nodes: dict[tuple[int, tuple[int, ...]], int] = {}
        # Results by absorbing value: [0] conjunctions, [1] disjunctions. Keys are ordered pairs.
        self._applied: tuple[dict[tuple[int, int], int], ...] = ({}, {})
        self._negated: dict[int, int] = {0: 1, 1: 0}

    def variable(self, name: Hashable, cells: int) -> int:
        """Return the variable of this name, made on first use; creation order is split order."""
        if cells < 1:
            raise ValueError(f"a variable needs at least one cell, got {cells}")
        known = self._names.setdefault(name, len(self._cells))
        if known == len(self._cells):
            self._cells.append(cells)
        elif self._cells[known] != cells:
            raise ValueError(f"{name!r} has {self._cells[known]} cells, not {cells}")
        return known

    def literal(self, variable: int, cells: Iterable[int]) -> int:
        """Return the node that is true exactly when the variable's cell is one of `cells`."""
        kids = [self.FALSE] * self._cells[variable]
        for cell in cells:
            kids[self._checked(variable, cell)] = self.TRUE
        return self._make(variable, tuple(kids))

    def both(self, a: int, b: int) -> int:
        """Return the conjunction of two nodes."""
        return self._apply(a, b, self.FALSE)

    def either(self, a: int, b: int) -> int:
        """Return the disjunction of two nodes."""
        return self._apply(a, b, self.TRUE)

    def negate(self, a: int) -> int:
        """Return the node that is true exactly when `a` is false."""
        negated = self._fold(a, self._negated, lambda level, kids: self._make(level, tuple(kids)))
        self._negated[negated] = a
        return negated

    def all_of(self, nodes: Iterable[int]) -> int:
        """Return the conjunction of any number of nodes, `TRUE` for none."""
        return self._reduce(nodes, self.FALSE)

    def any_of(self, nodes: Iterable[int]) -> int:
        """Return the disjunction of any number of nodes, `FALSE` for none."""
        return self._reduce(nodes, self.TRUE)

    def at_least(self, k: int, nodes: Sequence[int]) -> int:
        """Return the node that is true when `k` or more of `nodes` are; a repeat counts twice."""
        if k <= 0:
            return self.TRUE
        if k > len(nodes):
            return self.FALSE
        # reached[j]: at least j of the nodes so far. Deepest first, as in `_reduce`.
        reached = [self.TRUE] + [self.FALSE] * k
        ordered = sorted(nodes, key=self._level.__getitem__, reverse=True)
        for seen, node in enumerate(ordered, 1):
            # Counts above `seen` are still false, and from too low ones k is out of reach.
            lowest = max(1, k - (len(nodes) - seen))
            for j in range(min(k, seen), lowest - 1, -1):
                reached[j] = self.either(reached[j], self.both(node, reached[j - 1]))
        return reached[k]

    def implies(self, a: int, b: int) -> bool:
        """Say whether `b` is true wherever `a` is; builds no node."""
        return not self._overlaps(a, b, self.FALSE)

    def disjoint(self, a: int, b: int) -> bool:
        """Say whether `a` and `b` are never true together; builds no node."""
        return not self._overlaps(a, b, self.TRUE)

    def support(self, node: int) -> frozenset[int]:
        """Return the variables whose cell can change the node's value."""
        seen, stack = {node}, [node]
        while stack:
            fresh = set(self._kids[stack.pop()]) - seen
            seen |= fresh
            stack.extend(fresh)
        return frozenset(self._level[each] for each in seen if each > self.TRUE)

    def witness(
        self, node: int, prefer: Mapping[int, Sequence[int]] | None = None
    ) -> dict[int, int] | None:
        """Return cells that make the node true whatever the other variables are, `None` for FALSE.

        Earlier variables choose first, and each tries its cells in `prefer` before the others.
        """
        if node == self.FALSE:
            return None
        chosen: dict[int, int] = {}
        while node != self.TRUE:
            variable, kids = self._level[node], self._kids[node]
            wished = prefer.get(variable, ()) if prefer else ()
            order = (*(self._checked(variable, cell) for cell in wished), *range(len(kids)))
            # Any kid but FALSE can be satisfied, so the first such choice is never undone.
            cell = next(cell for cell in order if kids[cell] != self.FALSE)
            chosen[variable], node = cell, kids[cell]
        return chosen

    def evaluate(self, node: int, assignment: Mapping[int, int]) -> bool:
        """Say whether an assignment makes the node true; `KeyError` if it lacks what decides."""
        while node > self.TRUE:
            variable = self._level[node]
            node = self._kids[node][self._checked(variable, assignment[variable])]
        return node == self.TRUE

    def restrict(self, node: int, variable: int, cell: int) -> int:
        """Return the node as it is once the variable is known to be in this cell."""
        self._checked(variable, cell)

        def settle(level: int, kids: list[int]) -> int:
            return kids[cell] if level == variable else self._make(level, tuple(kids))

        return self._fold(node, {0: 0, 1: 1}, settle)

    def exists(self, node: int, variables: Iterable[int]) -> int:
        """Return the node that is true when some cells of `variables` make the given one true."""
        gone = frozenset(variables)

        def project(level: int, kids: list[int]) -> int:
            return self.any_of(kids) if level in gone else self._make(level, tuple(kids))

        return self._fold(node, {0: 0, 1: 1}, project)

    def count(self, node: int, variables: Sequence[int]) -> int:
        """Return how many assignments to `variables`, a superset of the support, satisfy it."""
        if not self.support(node) <= set(variables):
            raise ValueError("the variables to count over leave out some that the node depends on")
        total = math.prod(self._cells[variable] for variable in set(variables))
        # Each count is over all the variables. A kid does not depend on the level above it, so
        # its count holds one equal share per cell of that level and the division is exact.
        return self._fold(node, {0: 0, 1: total}, lambda at, each: sum(each) // self._cells[at])

    def _checked(self, variable: int, cell: int) -> int:
        """Return the cell, refusing one that the variable lacks (a negative one would wrap)."""
        if not 0 <= cell < self._cells[variable]:
            raise ValueError(f"variable {variable} has {self._cells[variable]} cells, not {cell}")
        return cell

    def _make(self, level: int, kids: tuple[int, ...]) -> int:
        """Return the one node that splits on this level into these kids."""
        if kids.count(kids[0]) == len(kids):
            return kids[0]
        key = (level, kids)
        node = self._nodes.get(key)
        if node is None:
            self._check_room()
            node = self._nodes[key] = len(self._level)
            self._level.append(level)
            self._kids.append(kids)
        return node

    def _check_room(self) -> None:
        conjunctions, disjunctions = self._applied
        held = len(self._level) + len(conjunctions) + len(disjunctions) + len(self._negated)
        if held >= self._limit:
            raise TooLarge(f"more than {self._limit} nodes and results")

    def _apply(self, a: int, b: int, absorbing: int) -> int:
        """Combine two nodes by the operation that this value absorbs: 0 is and, 1 is or."""
        neutral = 1 - absorbing
        memo, levels = self._applied[absorbing], self._level
        stack: list[tuple[int, int]] = []
        while True:
            # Below the lowest frame stand the two nodes themselves, settled like a pair of kids.
            pairs = self._split(*stack[-1]) if stack else ((a, b),)
            waiting = len(stack)
            settled: list[int] = []
            for x, y in pairs:
                if x == absorbing or y == absorbing:
                    settled.append(absorbing)
                elif x == y or y == neutral:
                    settled.append(x)
                elif x == neutral:
                    settled.append(y)
                else:
                    pair = (x, y) if x < y else (y, x)
                    result = memo.get(pair)
                    if result is None:
                        stack.append(pair)
                    else:
                        settled.append(result)
            if len(stack) > waiting:
                continue
            if not stack:
                return settled[0]
            self._check_room()
            x, y = done = stack.pop()
            memo[done] = self._make(min(levels[x], levels[y]), tuple(settled))

    def _split(self, x: int, y: int) -> Iterable[tuple[int, int]]:
        """Pair up two nodes cell by cell of the upper one's variable, not both constants."""
        # A node that does not split on that variable is the same in all its cells.
        x_level, y_level = self._level[x], self._level[y]
        if x_level == y_level:
            return zip(self._kids[x], self._kids[y], strict=True)
        if x_level < y_level:
            return zip(self._kids[x], repeat(y), strict=False)
        return zip(repeat(x), self._kids[y], strict=False)

    def _reduce(self, nodes: Iterable[int], absorbing: int) -> int:
        """Combine many nodes: halving among those with the same root, deepest roots first.

        A node laid over deeper ones costs its own size only, so a thousand unrelated rules take
        linear work; halving keeps rules that share their variables from being walked one by one.
        """
        result = 1 - absorbing
        ordered = sorted(set(nodes), key=lambda node: (self._level[node], node), reverse=True)
        for _, group in groupby(ordered, key=self._level.__getitem__):
            layer = list(group)
            while len(layer) > 1:
                rest = layer[len(layer) & ~1 :]
                halves = zip(layer[::2], layer[1::2], strict=False)
                layer = [self._apply(a, b, absorbing) for a, b in halves] + rest
            result = self._apply(layer[0], result, absorbing)
        return result

    def _overlaps(self, a: int, b: int, wanted: int) -> bool:
        """Say whether `a` is true somewhere that `b` has the wanted value."""
        seen: set[tuple[int, int]] = set()
        stack = [(a, b)]
        while stack:
            a, b = pair = stack.pop()
            if a == self.FALSE or b == 1 - wanted or (a == b and not wanted) or pair in seen:
                continue
            # What is not constant takes both values somewhere.
            if a == self.TRUE or b == wanted or a == b:
                return True
            seen.add(pair)
            if len(seen) > self._limit:
                raise TooLarge(f"more than {self._limit} pairs of nodes to compare")
            stack.extend(self._split(a, b))
        return False

    def _fold(self, root: int, known: dict[int, int], step: Callable[[int, list[int]], int]) -> int:
        """Compute a value for the root from the values of its kids, kids first, into `known`."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node in known:
                stack.pop()
                continue
            stack.extend(kid for kid in self._kids[node] if kid not in known)
            if stack[-1] == node:
                known[node] = step(self._level[node], [known[kid] for kid in self._kids[node]])
        return known[root]
