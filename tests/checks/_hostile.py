"""Patterns that bring a backtracking engine to its knees, each with the text that does it."""

from __future__ import annotations

from typing import NamedTuple


class Hostile(NamedTuple):
    """A pattern, the piece of text to repeat, and what comes last."""

    source: str
    unit: str
    last: str

    def text(self, size: int) -> str:
        """About so many characters."""
        return self.unit * (size // len(self.unit)) + self.last


_SHAPES = (
    # a repetition in a repetition
    ("({c}+)+$", "!"),
    ("({c}*)*!$", "?"),
    ("({c}+)*?#", "!"),
    ("(?:{c}+{c}+)+!", "?"),
    ("(?:{c}{{1,20}}){{1,20}}!", "?"),
    ("(({c}+)+)+%", "!"),
    ("^(?:{c}+)+#", "!"),
    # two ways to read the same
    ("({c}|{c})+$", "!"),
    ("({c}|{c}{c})+!", "?"),
    ("(?:{c}|{c}?)+#", "!"),
    ("({c}|{c}+)*!", "?"),
    # neighbours that want the same
    ("{c}+{c}+{c}+{c}+!", "?"),
    ("{c}*{c}*{c}*{c}*!", "?"),
    (".*{c}.*{c}.*{c}!", "?"),
    ("{c}+?{c}+?{c}+?!", "?"),
    ("(?:{c}?){{50}}{c}{{50}}!", "?"),
    # separators
    ("(?:{c}+[.,;:])*{c}+!", "?"),
    ("(?:{c}+[-_ ]?)+#", "!"),
    ("(?:[-._]?{c}+)+@", "!"),
    ("\\s*{c}+\\s*{c}*\\s*!", "?"),
    # as things are often written: addresses, tags, dates
    ("(?:{c}[-.]?)*@(?:{c}[-.]?)+!", "@?"),
    ("<{c}+(?:\\s+{c}+=[\"'][^\"']*[\"'])*>", "!"),
    # many matches, each of which has to look at the rest of the text
    ("{c}{c}{c}(?:.*!)?", "?"),
    ("{c}.*!|{c}{c}{c}", "?"),
    ("{c}{{3}}(?:.{{0,200}}!)?", "?"),
)
_READERS = (
    ("a", "a"),
    ("[a-z]", "xyz"),
    ("\\w", "w_1"),
    ("\\d", "1"),
    ("[0-9.]", "1.1."),
    ("\\s", " \t"),
    ("[^!]", "ab, "),
    ("\\pL", "é"),
)

HOSTILE = tuple(
    Hostile(shape.format(c=reads), unit, last)
    for shape, last in _SHAPES
    for reads, unit in _READERS
)
"""Two hundred of them."""
