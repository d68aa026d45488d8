"""What one subject of a condition could answer, cut into the cells that conditions can tell apart.

A subject is what an atom looks at: a check, a field, a window, a sequence. Its cells are disjoint
and leave nothing out, and inside a cell every atom of the policy says the same. A cell may say
more than the world allows, never less, so "in every cell" holds for every answer there is.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from guardkit.types import Truth

from ._diagrams import TooLarge
from ._fields import absent_truth, readings, truth_of
from ._line import Line
from ._policy import (
    Asked,
    Atom,
    Check,
    Compared,
    ComparedAtRate,
    FieldTest,
    Labelled,
    Plain,
    SequenceSeen,
    WindowCount,
)

Subject = tuple[str, ...]
"""A kind and a name: `check`, `window`, `sequence`; or `context`, `call` and a path."""

State = Literal["value", "fails", "absent", "unreadable"]

_MOST_CELLS = 4096
_RISING = frozenset({"fpr"})
"""Measures whose threshold falls as the rate grows: who reaches the one at 1 % reaches 5 %."""


def subject_of(atom: Atom) -> Subject:
    """What an atom looks at."""
    match atom:
        case FieldTest(root, path, type=type):
            # `call.to.domain` is a reading of `call.to`.
            reads = type == "domain" and len(path) > 1 and path[-1] == "domain"
            return (root, *(path[:-1] if reads else path))
        case WindowCount(window):
            return ("window", window)
        case SequenceSeen(sequence):
            return ("sequence", sequence)
        case Asked(check) | Compared(check) | ComparedAtRate(check) | Labelled(check):
            return ("check", check)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `value` is one answer that lies in it, None where no single one is known.

    `reached` lists, for checks compared at a rate, which rates' thresholds the score reaches.
    """

    state: State
    value: Plain | None = None
    reached: tuple[tuple[str, float, bool], ...] = ()

    @property
    def is_definite(self) -> bool:
        """Whether this is an answer: a field that is not there is one, a failed check is none."""
        return self.state in ("value", "absent")


FAILS = Cell("fails")


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one subject, and in which of them each atom says yes or no."""

    cells: tuple[Cell, ...]
    yes: Mapping[Atom, Collection[int]] = field(repr=False)
    no: Mapping[Atom, Collection[int]] = field(repr=False)

    @property
    def definite(self) -> tuple[int, ...]:
        return tuple(at for at, cell in enumerate(self.cells) if cell.is_definite)

    def quiet_first(self) -> tuple[int, ...]:
        """The cells that make the fewest atoms say yes first, failures last."""
        loud = [0] * len(self.cells)
        for cells in self.yes.values():
            for at in cells:
                loud[at] += 1
        order = range(len(self.cells))
        return tuple(sorted(order, key=lambda at: (not self.cells[at].is_definite, loud[at])))


def cells_of(
    subject: Subject, atoms: Collection[Atom], check: Check | None = None, *, wide: bool = True
) -> Cells:
    """Cut a subject into the cells its atoms tell apart.

    Args:
        wide: Also count what only a lenient runtime could see: lists where one text is expected,
            fields that are two types at once. Right for "in every case", wrong for examples.
    """
    match subject[0]:
        case "check":
            return _joined(list(_facets(atoms, check)), [FAILS])
        case "window":
            return _joined([_count_facet(atoms)], [])
        case "sequence":
            return _joined([_answer_facet(atoms)], [FAILS])
        case _:
            tests = [atom for atom in atoms if isinstance(atom, FieldTest)]
            return _field_cells(tests, wide)


# --- checks, windows and sequences: facets of one answer, all definite, then the failure


@dataclass(frozen=True, slots=True)
class _Facet:
    """One side of an answer: its cells, and in which of them each of its atoms says yes."""

    cells: tuple[Cell, ...]
    yes: Mapping[Atom, Collection[int]]


def _facets(atoms: Collection[Atom], check: Check | None) -> Iterator[_Facet]:
    asked = [atom for atom in atoms if isinstance(atom, Asked)]
    compared = [atom for atom in atoms if isinstance(atom, Compared)]
    labelled = [atom for atom in atoms if isinstance(atom, Labelled)]
    rated = [atom for atom in atoms if isinstance(atom, ComparedAtRate)]
    if asked:
        yield _answer_facet(asked)
    if compared:
        is_score = check is not None and check.answers == "score"
        line = Line(0.0, 1.0) if is_score else Line()
        yield _line_facet(line, [(atom, atom.op, atom.bound) for atom in compared])
    if labelled:
        yield _label_facet(labelled, check.labels if check else ())
    for measure in dict.fromkeys(atom.measure for atom in rated):
        yield from _rate_facets(measure, [atom for atom in rated if atom.measure == measure])


def _answer_facet(atoms: Iterable[Atom]) -> _Facet:
    return _Facet((Cell("value", False), Cell("value", True)), dict.fromkeys(atoms, (1,)))


def _count_facet(atoms: Iterable[Atom]) -> _Facet:
    counts = [atom for atom in atoms if isinstance(atom, WindowCount)]
    return _line_facet(
        Line(0.0, is_integral=True), [(atom, atom.op, float(atom.bound)) for atom in counts]
    )


def _line_facet(line: Line, tests: Sequence[tuple[Atom, str, float]]) -> _Facet:
    for _, op, bound in tests:
        line.cut(op, bound)
    line.settle()
    cells = tuple(Cell("value", line.inside(at)) for at in range(line.size))
    return _Facet(cells, {atom: line.where(op, bound) for atom, op, bound in tests})


def _label_facet(atoms: Sequence[Labelled], labels: tuple[str, ...]) -> _Facet:
    named = list(dict.fromkeys(label for atom in atoms for label in atom.labels))
    rest = [label for label in labels if label not in named]
    if rest or not labels:
        named.append(rest[0] if rest else _fresh("other", named))
    return _Facet(
        tuple(Cell("value", label) for label in named),
        {atom: [at for at, label in enumerate(named) if label in atom.labels] for atom in atoms},
    )


def _rate_facets(measure: str, atoms: Sequence[ComparedAtRate]) -> Iterator[_Facet]:
    rates = sorted({atom.rate for atom in atoms})
    if measure in _RISING:
        yield _rate_facet(measure, rates, atoms)
        return
    for rate in rates:  # nothing is known about the order of their thresholds
        yield _rate_facet(measure, [rate], [atom for atom in atoms if atom.rate == rate])


def _rate_facet(measure: str, rates: Sequence[float], atoms: Sequence[ComparedAtRate]) -> _Facet:
    """Rates from the highest threshold to the lowest: cell n reaches the last n of them."""
    count = len(rates)
    cells = []
    for reached in range(count + 1):
        marks = tuple((measure, rate, at >= count - reached) for at, rate in enumerate(rates))
        value = 0.0 if reached == 0 else 1.0 if reached == count else None
        cells.append(Cell("value", value, marks))
    return _Facet(
        tuple(cells),
        {atom: range(count - rates.index(atom.rate), count + 1) for atom in atoms},
    )


def _joined(facets: Sequence[_Facet], failures: Sequence[Cell]) -> Cells:
    """All combinations of the facets, and after them the failures."""
    if len(facets) == 1:
        (facet,) = facets
        cells, yes = facet.cells, dict(facet.yes)
    else:
        _check_room(facets)
        cells, yes = _product(facets)
    no: dict[Atom, Collection[int]] = {
        atom: _complement(found, len(cells)) for atom, found in yes.items()
    }
    return Cells((*cells, *failures), yes, no)


def _product(facets: Sequence[_Facet]) -> tuple[tuple[Cell, ...], dict[Atom, Collection[int]]]:
    rows = list(itertools.product(*(range(len(facet.cells)) for facet in facets)))
    yes: dict[Atom, Collection[int]] = {}
    for place, facet in enumerate(facets):
        for atom, found in facet.yes.items():
            wanted = set(found)
            yes[atom] = [at for at, row in enumerate(rows) if row[place] in wanted]
    cells = []
    for row in rows:
        parts = [facet.cells[at] for facet, at in zip(facets, row, strict=True)]
        marks = tuple(mark for part in parts for mark in part.reached)
        exact = [part for part in parts if not part.reached]
        cells.append(replace(exact[0] if exact else _agreed(parts), reached=marks))
    return tuple(cells), yes


def _agreed(parts: Sequence[Cell]) -> Cell:
    values = {part.value for part in parts}
    return Cell("value", values.pop() if len(values) == 1 else None)


def _complement(found: Collection[int], count: int) -> Collection[int]:
    if isinstance(found, range):
        if found.start == 0:
            return range(found.stop, count)
        if found.stop == count:
            return range(found.start)
    inside = set(found)
    return [at for at in range(count) if at not in inside]


def _check_room(facets: Sequence[_Facet]) -> None:
    size = 1
    for facet in facets:
        size *= len(facet.cells)
    if size > _MOST_CELLS:
        raise TooLarge(f"one check is looked at in more than {_MOST_CELLS} ways")


def _fresh(word: str, taken: Collection[str]) -> str:
    return next(
        name
        for name in (word if n == 0 else f"{word}{n}" for n in itertools.count())
        if name not in taken
    )


# --- fields: a set of example values that shows every combination of answers

_Vector = tuple[Truth, ...]


def _field_cells(tests: Sequence[FieldTest], wide: bool) -> Cells:
    found: dict[_Vector, Cell] = {}
    # Answers come before failures, and values before lists, so a cell shows its plainest example.
    for cell, vector in _field_vectors(tests, wide):
        if vector not in found or (cell.is_definite and not found[vector].is_definite):
            found[vector] = cell
        if len(found) > _MOST_CELLS:
            raise TooLarge(f"a field is looked at in more than {_MOST_CELLS} ways")
    rows = list(found)
    return Cells(
        tuple(found.values()),
        {
            test: [i for i, row in enumerate(rows) if row[at] is Truth.YES]
            for at, test in enumerate(tests)
        },
        {
            test: [i for i, row in enumerate(rows) if row[at] is Truth.NO]
            for at, test in enumerate(tests)
        },
    )


def _field_vectors(tests: Sequence[FieldTest], wide: bool) -> Iterator[tuple[Cell, _Vector]]:
    types = list(dict.fromkeys(test.type for test in tests))
    by_type = [list(_of_one_type([t for t in tests if t.type == type], wide)) for type in types]
    if len(types) == 1:
        yield from by_type[0]
    elif wide:
        # How one value reads as two types is the runtime's business: allow every combination.
        for row in itertools.product(*by_type):
            truths = {
                test: truth
                for type, (_, vector) in zip(types, row, strict=True)
                for test, truth in zip((t for t in tests if t.type == type), vector, strict=True)
            }
            yield row[0][0], tuple(truths[test] for test in tests)
    else:
        for values in by_type:
            for cell, _ in values:
                if cell.state == "value" and cell.value is not None:
                    yield cell, tuple(truth_of(test, cell.value) for test in tests)
    yield Cell("absent"), tuple(absent_truth(test) for test in tests)
    if len(types) > 1:
        yield Cell("unreadable"), (Truth.UNKNOWN,) * len(tests)


def _of_one_type(tests: Sequence[FieldTest], wide: bool) -> Iterator[tuple[Cell, _Vector]]:
    singles = readings(tests)
    for value in singles:
        yield Cell("value", value), tuple(truth_of(test, value) for test in tests)
        if wide and tests[0].type == "money":
            yield Cell("value", value), tuple(truth_of(test, value, True) for test in tests)
    unknown = (Truth.UNKNOWN,) * len(tests)
    yield Cell("unreadable"), unknown
    if tests[0].type == "domain" or (wide and tests[0].type == "text"):
        yield from _lists(tests, [str(value) for value in singles])


def _lists(tests: Sequence[FieldTest], singles: Sequence[str]) -> Iterator[tuple[Cell, _Vector]]:
    """Several values at once: `in` means all of them, `not in` any."""
    negated = [test.op in ("!=", "not in") for test in tests]
    within = [replace(test, op="in") for test in tests]
    one: dict[_Vector, tuple[str, ...]] = {}
    for value in singles:
        one.setdefault(tuple(truth_of(test, value) for test in within), (value,))
    one.setdefault((Truth.UNKNOWN,) * len(tests), ())
    known = dict(one)
    todo = list(one)
    while todo:
        vector = todo.pop()
        for other, values in one.items():
            joined = tuple(a & b for a, b in zip(vector, other, strict=True))
            if joined not in known:
                known[joined] = (*known[vector], *values)
                todo.append(joined)
            if len(known) > _MOST_CELLS:
                raise TooLarge(f"a list is looked at in more than {_MOST_CELLS} ways")
    for vector, several in known.items():
        if len(several) > 1:
            truths = tuple(~t if no else t for t, no in zip(vector, negated, strict=True))
            has_unreadable = Truth.UNKNOWN in vector
            yield Cell("unreadable" if has_unreadable else "value", several), truths
