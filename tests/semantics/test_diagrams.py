"""Diagrams agree with truth tables, stay canonical, and survive chains of thousands."""

import doctest
import itertools
import random
import sys
from collections.abc import Iterator

import pytest

from guardkit.semantics.exact import _diagrams
from guardkit.semantics.exact._diagrams import Diagrams, TooLarge

Table = tuple[bool, ...]


class Space:
    """A few variables with every assignment listed, so that a function is a tuple of truths."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = sizes
        self.diagrams = Diagrams(10_000_000)
        self.variables = [self.diagrams.variable(f"v{at}", cells) for at, cells in enumerate(sizes)]
        self.rows = list(itertools.product(*(range(cells) for cells in sizes)))
        self.index = {row: at for at, row in enumerate(self.rows)}

    def table(self, node: int) -> Table:
        return tuple(
            self.diagrams.evaluate(node, dict(zip(self.variables, row, strict=True)))
            for row in self.rows
        )

    def from_table(self, table: Table) -> int:
        """Build the function the plain way: one conjunction for each row that is true."""
        return self.diagrams.any_of(
            self.diagrams.all_of(
                self.diagrams.literal(variable, [cell])
                for variable, cell in zip(self.variables, row, strict=True)
            )
            for row, truth in zip(self.rows, table, strict=True)
            if truth
        )

    def settled(self, table: Table, variable: int, cell: int) -> Table:
        """The function once a variable is fixed, still over all the rows."""
        return tuple(
            table[self.index[(*row[:variable], cell, *row[variable + 1 :])]] for row in self.rows
        )

    def depends(self, table: Table, variable: int) -> bool:
        return any(
            self.settled(table, variable, cell) != table for cell in range(self.sizes[variable])
        )

    def random(self, rng: random.Random, depth: int) -> tuple[int, Table]:
        """A random condition as a node, and its table computed without diagrams."""
        if depth == 0:
            variable = rng.choice(self.variables)
            cells = rng.sample(range(self.sizes[variable]), rng.randint(0, self.sizes[variable]))
            table = tuple(row[variable] in cells for row in self.rows)
            return self.diagrams.literal(variable, cells), table
        kind = rng.randrange(5)
        if kind == 0:
            node, table = self.random(rng, depth - 1)
            return self.diagrams.negate(node), tuple(not truth for truth in table)
        parts = [self.random(rng, rng.randrange(depth)) for _ in range(2 if kind < 3 else 3)]
        nodes = [node for node, _ in parts]
        columns = list(zip(*(table for _, table in parts), strict=True))
        if kind == 1:
            return self.diagrams.both(*nodes), tuple(map(all, columns))
        if kind == 2:
            return self.diagrams.either(*nodes), tuple(map(any, columns))
        if kind == 3:
            return self.diagrams.all_of(nodes), tuple(map(all, columns))
        return self.diagrams.any_of(nodes), tuple(map(any, columns))


def spaces() -> Iterator[tuple[random.Random, Space]]:
    for seed in range(60):
        rng = random.Random(seed)
        yield rng, Space([rng.choice([1, 2, 2, 3, 3, 4]) for _ in range(rng.randint(1, 4))])


def functions(each: int) -> Iterator[tuple[random.Random, Space, int, Table]]:
    for rng, space in spaces():
        for _ in range(each):
            yield rng, space, *space.random(rng, rng.randint(1, 4))


def test_operations_agree_with_truth_tables() -> None:
    for _, space, node, table in functions(60):
        assert space.table(node) == table


def test_equal_ids_are_exactly_equal_functions() -> None:
    for rng, space in spaces():
        drawn = [space.random(rng, rng.randint(1, 4)) for _ in range(60)]
        ids = {table: node for node, table in drawn}
        for node, table in drawn:
            assert ids[table] == node
            assert space.from_table(table) == node
            assert space.diagrams.negate(space.diagrams.negate(node)) == node
            assert (node == Diagrams.TRUE) == all(table)
            assert (node == Diagrams.FALSE) == (not any(table))
        assert len(set(ids.values())) == len(ids)


def test_implies_and_disjoint_agree_with_truth_tables_and_build_nothing() -> None:
    for rng, space in spaces():
        drawn = [space.random(rng, rng.randint(1, 4)) for _ in range(20)]
        drawn += [(Diagrams.FALSE, (False,) * len(space.rows))]
        drawn += [(Diagrams.TRUE, (True,) * len(space.rows))]
        before = len(space.diagrams._level)
        for (a, ones), (b, others) in itertools.product(drawn, repeat=2):
            pairs = list(zip(ones, others, strict=True))
            assert space.diagrams.implies(a, b) == all(y or not x for x, y in pairs)
            assert space.diagrams.disjoint(a, b) == (not any(x and y for x, y in pairs))
        assert len(space.diagrams._level) == before


def test_at_least_agrees_with_counting() -> None:
    for rng, space in spaces():
        for size in range(6):
            parts = [space.random(rng, rng.randint(0, 2)) for _ in range(size)]
            parts += parts[:1] if size > 2 else []
            nodes = [node for node, _ in parts]
            for k in range(-1, len(parts) + 2):
                expected = tuple(
                    sum(table[at] for _, table in parts) >= k for at in range(len(space.rows))
                )
                assert space.table(space.diagrams.at_least(k, nodes)) == expected


def test_restrict_fixes_one_variable() -> None:
    for rng, space, node, table in functions(30):
        variable = rng.choice(space.variables)
        cell = rng.randrange(space.sizes[variable])
        restricted = space.diagrams.restrict(node, variable, cell)
        assert space.table(restricted) == space.settled(table, variable, cell)
        assert variable not in space.diagrams.support(restricted)


def test_exists_projects_variables_out() -> None:
    for rng, space, node, table in functions(30):
        gone = rng.sample(space.variables, rng.randint(0, len(space.variables)))
        for variable in gone:
            choices = [
                space.settled(table, variable, cell) for cell in range(space.sizes[variable])
            ]
            table = tuple(map(any, zip(*choices, strict=True)))
        assert space.table(space.diagrams.exists(node, gone)) == table


def test_support_and_count_agree_with_truth_tables() -> None:
    for _, space, node, table in functions(30):
        support = space.diagrams.support(node)
        assert support == {each for each in space.variables if space.depends(table, each)}
        assert space.diagrams.count(node, space.variables) == sum(table)
        unused = [each for each in space.variables if each not in support]
        scale = len(space.rows)
        for variable in support:
            scale //= space.sizes[variable]
        assert space.diagrams.count(node, sorted(support)) * scale == sum(table)
        if support:
            with pytest.raises(ValueError, match="leave out"):
                space.diagrams.count(node, unused)


def test_witness_satisfies_whatever_it_leaves_out_and_honours_preference() -> None:
    for rng, space, node, table in functions(40):
        prefer = {
            variable: rng.sample(range(cells), rng.randint(0, cells))
            for variable, cells in enumerate(space.sizes)
            if rng.random() < 0.7
        }
        for wishes in (None, {}, prefer):
            found = space.diagrams.witness(node, wishes)
            if found is None:
                assert not any(table)
                continue
            assert set(found) <= space.diagrams.support(node)
            agreeing = [
                truth
                for row, truth in zip(space.rows, table, strict=True)
                if all(row[variable] == cell for variable, cell in found.items())
            ]
            assert agreeing
            assert all(agreeing)
            # The greedy choice, variable by variable, recomputed from the table alone.
            left = table
            for variable, cells in enumerate(space.sizes):
                if not space.depends(left, variable):
                    assert variable not in found
                    continue
                order = [*(wishes or {}).get(variable, ()), *range(cells)]
                best = next(cell for cell in order if any(space.settled(left, variable, cell)))
                assert found[variable] == best
                left = space.settled(left, variable, best)


def chain(diagrams: Diagrams, rules: int, width: int) -> list[int]:
    """Conjunctions over variables of their own, like rules that share nothing."""
    return [
        diagrams.all_of(
            diagrams.literal(diagrams.variable((rule, at), 3), [1, 2]) for at in range(width)
        )
        for rule in range(rules)
    ]


@pytest.fixture
def little_nesting() -> Iterator[None]:
    """Room for the test runner's own calls and a few more, whatever other tests have set."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("little_nesting")
def test_chains_of_thousands_of_variables_need_no_deep_calls() -> None:
    diagrams = Diagrams()
    literals = chain(diagrams, 5000, 1)
    some = diagrams.any_of(literals)
    assert diagrams.all_of(map(diagrams.negate, literals)) == diagrams.negate(some)
    assert len(diagrams.support(some)) == 5000
    assert diagrams.implies(literals[-1], some)
    assert not diagrams.implies(some, literals[-1])
    assert diagrams.disjoint(diagrams.negate(some), some)
    assert diagrams.count(some, range(5000)) == 3**5000 - 1
    assert diagrams.witness(some, dict.fromkeys(range(5000), (0,))) == {
        **dict.fromkeys(range(4999), 0),
        4999: 1,
    }
    assert not diagrams.evaluate(some, dict.fromkeys(range(5000), 0))
    assert diagrams.restrict(some, 4999, 1) == Diagrams.TRUE
    assert diagrams.exists(some, range(1, 5000)) == Diagrams.TRUE
    none = diagrams.negate(some)
    assert diagrams.exists(none, range(1, 5000)) == diagrams.literal(0, [0])
    assert diagrams.at_least(1, literals) == some
    assert diagrams.at_least(4999, literals[:4999]) == diagrams.all_of(literals[:4999])


def test_order_of_operands_does_not_matter() -> None:
    diagrams = Diagrams()
    rules = chain(diagrams, 300, 3)
    some = diagrams.any_of(rules)
    random.Random(7).shuffle(rules)
    assert diagrams.any_of(rules) == some


@pytest.mark.parametrize("limit", [10, 100, 1000])
def test_too_large_is_raised_and_leaves_the_nodes_intact(limit: int) -> None:
    diagrams = Diagrams(limit)
    made = [diagrams.literal(diagrams.variable("first", 3), [2])]

    def grow(at: int) -> int:
        return diagrams.either(made[-1], diagrams.literal(diagrams.variable(at, 3), [1]))

    with pytest.raises(TooLarge):
        made.extend(map(grow, range(limit)))
    held = len(diagrams._level) + sum(map(len, diagrams._applied)) + len(diagrams._negated)
    assert held <= limit + 2
    with pytest.raises(TooLarge):
        grow(limit)
    assert diagrams.evaluate(made[0], {0: 2})
    assert diagrams.witness(made[0]) == {0: 2}


def test_too_large_stops_building_what_has_no_small_diagram() -> None:
    diagrams = Diagrams(5000)
    firsts = [diagrams.variable(("x", at), 2) for at in range(12)]
    seconds = [diagrams.variable(("y", at), 2) for at in range(12)]
    # Each pair lies far apart in the order, so every node must remember all the first halves.
    same = [
        diagrams.either(
            diagrams.both(diagrams.literal(x, [0]), diagrams.literal(y, [0])),
            diagrams.both(diagrams.literal(x, [1]), diagrams.literal(y, [1])),
        )
        for x, y in zip(firsts, seconds, strict=True)
    ]
    for build in (diagrams.all_of, diagrams.any_of, lambda nodes: diagrams.at_least(6, nodes)):
        with pytest.raises(TooLarge):
            build(same)


def test_too_large_bounds_questions() -> None:
    diagrams = Diagrams()
    literals = chain(diagrams, 80, 1)
    more, fewer = diagrams.at_least(40, literals), diagrams.at_least(39, literals)
    assert diagrams.implies(more, fewer)
    neither = diagrams.negate(fewer)
    assert diagrams.disjoint(more, neither)
    diagrams._limit = 100
    for ask in (diagrams.implies, diagrams.disjoint):
        with pytest.raises(TooLarge):
            ask(more, fewer if ask == diagrams.implies else neither)


def test_variables_are_shared_by_name_and_cells_are_checked() -> None:
    diagrams = Diagrams()
    score = diagrams.variable("score", 3)
    assert diagrams.variable("other", 2) == score + 1
    assert diagrams.variable("score", 3) == score
    with pytest.raises(ValueError, match="has 3 cells, not 4"):
        diagrams.variable("score", 4)
    with pytest.raises(ValueError, match="at least one cell"):
        diagrams.variable("none", 0)
    assert diagrams.literal(score, []) == Diagrams.FALSE
    assert diagrams.literal(score, iter([2, 1, 0])) == Diagrams.TRUE
    high = diagrams.literal(score, [2])
    with pytest.raises(KeyError):
        diagrams.evaluate(high, {})
    for cell in (-1, 3):
        with pytest.raises(ValueError, match="has 3 cells"):
            diagrams.literal(score, [cell])
        with pytest.raises(ValueError, match="has 3 cells"):
            diagrams.restrict(high, score, cell)
        with pytest.raises(ValueError, match="has 3 cells"):
            diagrams.evaluate(high, {score: cell})
        with pytest.raises(ValueError, match="has 3 cells"):
            diagrams.witness(high, {score: [cell]})


def test_constants() -> None:
    diagrams = Diagrams()
    assert diagrams.witness(Diagrams.TRUE) == {}
    assert diagrams.witness(Diagrams.FALSE) is None
    assert diagrams.all_of([]) == Diagrams.TRUE
    assert diagrams.any_of([]) == Diagrams.FALSE
    assert diagrams.negate(Diagrams.TRUE) == Diagrams.FALSE
    assert diagrams.count(Diagrams.TRUE, []) == 1
    assert diagrams.support(Diagrams.TRUE) == frozenset()
    assert diagrams.evaluate(Diagrams.TRUE, {})


def test_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(_diagrams).failed == 0


def test_a_thousand_unrelated_rules_are_joined_in_linear_work() -> None:
    diagrams = Diagrams()
    rules = chain(diagrams, 1000, 3)
    before = len(diagrams._level)
    diagrams.any_of(rules)
    # Counted in nodes, not seconds: a clock would fail on a busy machine.
    assert len(diagrams._level) - before <= 3000
    assert len(diagrams._applied[Diagrams.TRUE]) <= 3000
