"""What the tree of a pattern says: the characters a place reads, and how far a search looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from guardkit._util.dialect import LAST, Shape, shape_of, sre

NEAR = 2_000
"""A search that looks this many characters past a match is still called near."""

Ranges = tuple[tuple[int, int], ...]
"""Characters as sorted ranges of code points, ends included."""

REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)


def shortest_of(source: str) -> int:
    """How many characters a match has at least, blanks not counted; 0 where nobody can tell."""
    shape = shape_of(source)
    if shape is None:
        return 0
    blanks = source.count(" ") + source.count("\\s") + source.count("[")
    return max(0, int(shape.tree.getwidth()[0]) - blanks)


def holds_blank(source: str) -> bool:
    """Whether a match may have a blank in it."""
    shape = shape_of(source)
    if shape is None or not shape.is_exact:
        return True
    try:
        return any(" " in read for read in _all_read(shape.tree))
    except RecursionError:
        return True


# --- characters

_CATEGORIES: dict[Any, Ranges] = {
    sre.CATEGORY_DIGIT: ((48, 57),),
    sre.CATEGORY_SPACE: ((9, 10), (12, 13), (32, 32)),
    sre.CATEGORY_WORD: ((48, 57), (65, 90), (95, 95), (97, 122)),
}
_OPPOSITES = {
    sre.CATEGORY_NOT_DIGIT: sre.CATEGORY_DIGIT,
    sre.CATEGORY_NOT_SPACE: sre.CATEGORY_SPACE,
    sre.CATEGORY_NOT_WORD: sre.CATEGORY_WORD,
}
EVERY: Ranges = ((0, LAST),)


def united(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same characters, sorted, no two ranges touching."""
    made: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if made and low <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(made[-1][1], high))
        else:
            made.append((low, high))
    return tuple(made)


def inverted(ranges: Ranges) -> Ranges:
    """Every other character."""
    edges = [-1, *(edge for low, high in ranges for edge in (low, high)), LAST + 1]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return tuple((low + 1, high - 1) for low, high in pairs if low + 1 <= high - 1)


def read_at(op: Any, argument: Any) -> Ranges | None:
    """The characters that a node reads one of; None for a node that is not one character."""
    if op is sre.LITERAL:
        return ((argument, argument),)
    if op is sre.NOT_LITERAL:
        return inverted(((argument, argument),))
    if op is sre.ANY:
        return EVERY
    if op is sre.IN:
        members = [member for member in argument if member[0] is not sre.NEGATE]
        ranges = united(piece for member in members for piece in _members(*member))
        return inverted(ranges) if len(members) < len(argument) else ranges
    return None


def _members(op: Any, argument: Any) -> Ranges:
    if op is sre.LITERAL:
        return ((argument, argument),)
    if op is sre.RANGE:
        return (argument,)
    if argument in _OPPOSITES:
        return inverted(_CATEGORIES[_OPPOSITES[argument]])
    return _CATEGORIES[argument]


# --- how far a search looks past a match


def looks_far(shape: Shape | None) -> bool:
    """Whether a search for every match might read the same stretch again and again.

    In `a.*b|a` each `a` is only sure when the rest of the text was searched for a `b`. That takes a
    choice with an endless loop before its end, over characters of which a whole match can consist:
    in `x"[^"]*"|y"` no match lies in what the loop reads, for each has a quote.
    """
    if shape is None:
        return True
    try:
        loops = _loops_in_choices(shape.tree, in_choice=False, is_tail=True)
        return any(_fits_into(shape.tree, loop) for loop in loops)
    except RecursionError:
        return True


def _loops_in_choices(tree: Any, in_choice: bool, is_tail: bool) -> Iterator[frozenset[str]]:
    """What is read by each loop that stands in a choice and has something after it."""
    for at, (op, argument) in enumerate(tree):
        is_end = is_tail and at == len(tree) - 1
        if op in REPEATS:
            least, most, body = argument
            if in_choice and not is_end and most * body.getwidth()[1] > NEAR:
                yield frozenset().union(*_all_read(body))
            again = in_choice or least != most or most > 1  # each further round is a choice
            yield from _loops_in_choices(body, again, is_end)
        elif op is sre.SUBPATTERN:
            yield from _loops_in_choices(argument[3], in_choice, is_end)
        elif op is sre.BRANCH:
            for branch in argument[1]:
                yield from _loops_in_choices(branch, True, is_end)


def _all_read(tree: Any) -> Iterator[frozenset[str]]:
    for op, argument in tree:
        read = read_at(op, argument)
        if read is not None:
            yield _in_any_case(read)
        for inner in _inner(op, argument):
            yield from _all_read(inner)


def _fits_into(tree: Any, loop: frozenset[str]) -> bool:
    """Whether some match may have no other characters than those that the loop reads."""
    for op, argument in tree:
        read = read_at(op, argument)
        if read is not None and not _in_any_case(read) & loop:
            return False
        inner = _inner(op, argument) if op not in REPEATS or argument[0] > 0 else ()
        if inner and not any(_fits_into(part, loop) for part in inner):
            return False
    return True


def _inner(op: Any, argument: Any) -> tuple[Any, ...]:
    if op in REPEATS:
        return (argument[2],)
    if op is sre.SUBPATTERN:
        return (argument[3],)
    return tuple(argument[1]) if op is sre.BRANCH else ()


@lru_cache(256)
def _in_any_case(ranges: Ranges) -> frozenset[str]:
    """At least these characters in either case; the empty text stands for all beyond ASCII."""
    low = "".join(chr(c) for a, b in ranges for c in range(a, min(b, 127) + 1))
    made = set(low.lower() + low.upper())
    if made & {"k", "s"} or any(b > 127 for _, b in ranges):
        made.add("")  # the Kelvin sign and the long s are a `k` and an `s`
    return frozenset(made)
