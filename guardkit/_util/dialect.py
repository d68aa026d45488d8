"""The tree of an RE2 pattern: RE2's dialect in the standard library's, and that one parsed.

Flags are left out: who reads a tree takes a dot for any character and letters in either case.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

sre: Any = import_module("re._constants")  # the regex tree has no public name and no types
_parser: Any = import_module("re._parser")

LAST = 0x10FFFF
"""The last code point."""


class Shape(NamedTuple):
    """The tree of a pattern."""

    tree: Any
    is_exact: bool
    """False where a class of characters is written wider than it is (`\\pL`)."""


@lru_cache(1_024)  # one pattern is asked about many times, while it is compiled and bound
def shape_of(source: str) -> Shape | None:
    """The shape of a pattern that RE2 takes; None where it has none.

    A match is as long in one dialect as in the other, and what RE2 finds, the tree allows.
    """
    pieces, is_exact = [], True
    for piece, is_wider in _in_python(source):
        pieces.append(piece)
        is_exact &= not is_wider
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Shape(_parser.parse("".join(pieces)), is_exact)
    except (re.error, OverflowError, RecursionError, ValueError):
        return None


_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t-\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPES = r"""
    \\Q (?P<quoted> .*?) (?: \\E | \Z )
  | (?P<wide> \\[pP] (?: \{ \^? \w+ \} | \w ) | \\C )
  | \\x \{ (?P<hex> [0-9A-Fa-f]+ ) \}
"""
_OUTSIDE = re.compile(
    _ESCAPES
    + r"""
  | (?P<end> \\z )
  | (?P<named> \( \? P? < \w+ > )
  | \( \? [imsU]* (?: - [imsU]+ )? (?P<flags> [:)] )
  | (?P<opened> \[ \^? ) (?P<first> \]? )
  | (?P<brace> \{ (?! \d+ (?: , \d* )? \} ) )
  | (?P<other> [^\\\[({]+ | \\. | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_INSIDE = re.compile(
    _ESCAPES
    + r"""
  | (?P<set> \\[dDsSwW] ) -
  | \[ : (?P<posix> \w+ ) : \]
  | (?P<unposix> \[ : \^ \w+ : \] )
  | (?P<bracket> \[ )
  | (?P<closed> \] )
  | (?P<other> [^\\\[\]]+ | \\. | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ANY, _NONE = "\\x00-\\U0010ffff", "\\U0010ffff"
"""In place of characters that have no name here; in a class of all others it is `_NONE`."""


def _in_python(source: str) -> Iterator[tuple[str, bool]]:
    """The pieces of a pattern, and whether each says more than it did.

    INVARIANT: nothing that RE2 takes literally becomes an operator, or a stream would hold back
    less than a match can need.
    """
    at, in_class, unnamed = 0, False, _ANY
    while match := (_INSIDE if in_class else _OUTSIDE).match(source, at):
        at = match.end()
        match match.lastgroup:
            case "quoted":
                yield re.escape(match["quoted"]), False
            case "wide" | "unposix":
                yield unnamed if in_class else f"[{_ANY}]", True
            case "hex":
                yield re.escape(chr(min(int(match["hex"], 16), LAST))), False
            case "end":
                yield r"\Z", False
            case "named":
                yield "(", False
            case "flags":
                yield "(?:" if match["flags"] == ":" else "", False
            case "first":
                in_class, unnamed = True, _NONE if "^" in match["opened"] else _ANY
                yield match["opened"] + (r"\]" if match["first"] else ""), False
            case "posix":
                yield _POSIX.get(match["posix"], unnamed), match["posix"] not in _POSIX
            case "set":
                yield match["set"] + r"\-", False
            case "brace" | "bracket":
                yield "\\" + match.group(), False
            case "closed":
                in_class = False
                yield "]", False
            case _:
                yield match.group(), False
