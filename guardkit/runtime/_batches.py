"""Which patterns are searched together.

An automaton for several patterns has a state for every way in which they can be under way at once.
Text that is never short of new words keeps it busy making new ones, and that costs more than the
reading does. So patterns go together that seldom are under way at the same time, and those that
need a character which ordinary text lacks are not tried without it.

INVARIANT: what is found does not depend on how the patterns are grouped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import re2

from guardkit._util.dialect import shape_of, sre
from guardkit.errors import BindError

MAX_MEM = 512 << 20
"""What an automaton may keep. It is built as texts need it: a policy of 100 patterns uses 1 MB."""

RARE = frozenset("@&%\\<>`*+$|~^{}[]#=")
"""Characters that prose seldom has."""

MOST_NEEDED = 3
"""A pattern that needs one of more characters than these is searched for in every text."""

LEAST_LED = 2
"""A pattern that begins with so many certain characters is seldom under way."""

_SENTINEL = "\x00guardkit\x00"

Needle = tuple[int, int]
"""A finder and which of its needles, both by number."""
Owner = Needle | str
"""Who is told of a hit: a needle, or a sign by its name."""
Pattern = tuple[Owner, str]
"""An RE2 pattern and its owner."""


class Batch:
    """Patterns searched together, each for its owner."""

    __slots__ = ("match", "owners")

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        options = re2.Options()
        options.max_mem = MAX_MEM
        options.log_errors = False
        made = re2.Set.SearchSet(options)
        self.owners: list[Owner] = []
        for owner, pattern in patterns:
            made.Add(pattern)
            self.owners.append(owner)
        made.Add(_SENTINEL)
        made.Compile()
        # The bare method of the binding: its wrapper costs as much as scanning 50 characters.
        self.match: Callable[[bytes], Sequence[int]] = made._set.Match
        # A set that ran out of memory answers "nothing" to every text. Never let one into service.
        if len(self.owners) not in self.match(_SENTINEL.encode()):
            raise BindError("the patterns of this policy are too large to be searched together")

    def seen(self, data: bytes) -> list[Owner]:
        """The owners of the patterns that stand in a text."""
        return self.owned(self.match(data)) if self.owners else []

    def owned(self, hits: Iterable[int]) -> list[Owner]:
        """The owners of patterns given by number, as `match` gives them."""
        owners = self.owners
        return [owners[at] for at in hits if at < len(owners)]


class Batches(NamedTuple):
    """Patterns by what keeps them apart."""

    led: list[Pattern]
    """They begin with certain characters."""
    free: list[Pattern]
    """They may begin anywhere."""
    needing: dict[str, list[Pattern]]
    """They may begin anywhere, but every match has one of some rare characters."""


def batched(patterns: Iterable[Pattern]) -> Batches:
    """Patterns in groups that are best searched together."""
    made = Batches([], [], {})
    for owner, pattern in patterns:
        shape = shape_of(pattern)
        if shape is not None and _is_led(shape.tree):
            made.led.append((owner, pattern))
            continue
        needed = None if shape is None else _needed(shape.tree)
        group = made.free if needed is None else made.needing.setdefault(needed, [])
        group.append((owner, pattern))
    return made


# --- what a pattern begins with, and what it cannot do without


def _is_led(tree: Any) -> bool:
    return _led(tree)[0] >= LEAST_LED


def _led(tree: Any) -> tuple[int, bool]:
    """How many certain characters a match begins with, and whether more may follow them."""
    count = 0
    for op, argument in tree:
        if op is sre.AT:
            continue
        if op is sre.LITERAL:
            count += 1
            continue
        inner, goes_on = 0, False
        if op is sre.SUBPATTERN:
            inner, goes_on = _led(argument[3])
        elif op is sre.BRANCH:
            each = [_led(branch) for branch in argument[1]]
            inner, goes_on = min(n for n, _ in each), all(more for _, more in each)
        count += inner
        if not goes_on:
            return count, False
    return count, True


def _needed(tree: Any) -> str | None:
    """Rare characters of which one stands in every match; None where there are none or many."""
    best: str | None = None
    for op, argument in tree:
        found: str | None = None
        if op is sre.LITERAL:
            found = chr(argument)
        elif op is sre.IN and all(member is sre.LITERAL for member, _ in argument):
            found = "".join(sorted({chr(char) for _, char in argument}))
        elif op is sre.SUBPATTERN:
            found = _needed(argument[3])
        elif op is sre.BRANCH:
            each = [_needed(branch) for branch in argument[1]]
            known = {char for chars in each if chars is not None for char in chars}
            found = None if None in each else "".join(sorted(known))
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and argument[0] > 0:
            found = _needed(argument[2])
        if found is None or not RARE.issuperset(found) or len(found) > MOST_NEEDED:
            continue
        if best is None or len(found) < len(best):
            best = found
    return best
