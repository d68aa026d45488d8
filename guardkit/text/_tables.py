"""The Unicode facts of this package, read once, when a text first needs them.

They lie beside this file, written by `python -m guardkit.text`. The interpreter's own tables are
not asked at run time: two machines with two interpreters must judge one text alike.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

UNICODE_VERSION = "14.0.0"
"""The version of Unicode that the tables were written from."""

PATH = Path(__file__).parent / "tables.json"


class Tables:
    """The content of the table file; what is asked for often is taken apart once."""

    def __init__(self, data: Mapping[str, Any]) -> None:  # JSON
        self._data = data
        self.fold: dict[str, str] = data["fold"]
        """What a single character is folded to."""
        self.narrow = {char: to for char, to in self.fold.items() if len(to) == 1}
        """The part of `fold` that keeps the length."""
        self.strong: dict[str, str] = data["strong"]
        """Letters of other alphabets that nobody can tell from an ASCII letter."""
        self.weak: dict[str, str] = data["weak"]
        """Letters of other alphabets that resemble an ASCII letter."""
        self.turned: dict[str, str] = data["turned"]
        """A turned letter, and the letter it is."""
        self.marks = _members(data["marks"])
        """What may not be cut from the character before it."""
        self.dropped = _members(data["dropped"])
        """Marks that fall off a Latin letter."""
        self.changed = re.compile(f"[{data['changed']}]")
        """Where normalising may change something; every mark is among it."""

    # Few texts need the next three: each stays a string in the file until one does.

    @cached_property
    def decompose(self) -> dict[str, str]:
        """The full compatibility decomposition of a character."""
        return dict(json.loads(self._data["decompose"]))

    @cached_property
    def compose(self) -> dict[str, str]:
        """Two characters that one stands for."""
        return dict(json.loads(self._data["compose"]))

    @cached_property
    def ccc(self) -> dict[str, int]:
        """The combining class of a mark."""
        classes: dict[str, str] = json.loads(self._data["ccc"])
        return {char: int(number) for number, chars in classes.items() for char in chars}

    def ranges(self, name: str) -> tuple[list[int], list[int]]:
        """Sorted starts and ends of a set of characters."""
        rows = self._data[name]
        return [row[0] for row in rows], [row[1] for row in rows]

    def column(self, name: str, index: int) -> list[Any]:  # JSON
        """One more column beside `ranges`."""
        return [row[index] for row in self._data[name]]

    @property
    def version(self) -> str:
        """The version of Unicode in the file."""
        return str(self._data["version"])


def _members(ranges: Iterable[tuple[int, int]]) -> frozenset[str]:
    return frozenset([chr(code) for start, end in ranges for code in range(start, end + 1)])


@cache
def tables() -> Tables:
    """The tables of this package."""
    return Tables(json.loads(PATH.read_bytes()))


def inside(ranges: tuple[list[int], list[int]], code: int) -> bool:
    """Whether a code point lies in one of the sorted ranges."""
    starts, ends = ranges
    found = bisect_right(starts, code) - 1
    return found >= 0 and code <= ends[found]
