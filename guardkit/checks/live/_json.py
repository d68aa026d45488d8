"""JSON read strictly: one value, no key twice, no number that is none, no depth without end."""

from __future__ import annotations

import json
import re
from typing import NoReturn

MAX_DEPTH = 50
"""Lists and objects inside one another. What nests deeper is malformed here."""

_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]+|[\]}]+', re.DOTALL)


class NotJsonError(ValueError):
    """The text is not one JSON value. The message never quotes it."""


def parse(text: str) -> object:
    """The value that a text is.

    Raises:
        NotJsonError: It is not one JSON value.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise NotJsonError(f"one JSON value with at most {MAX_DEPTH} levels is expected")
    try:
        return _DECODER.decode(text)
    except NotJsonError:
        raise
    except (ValueError, RecursionError):
        # `from None`: the original error holds the text.
        raise NotJsonError("one JSON value and nothing else is expected") from None


def _depth(text: str) -> int:
    """At least how deep a JSON parser would go."""
    deepest = depth = 0
    for found in _BRACKETS.finditer(text):
        run = found.group()
        if run[0] in "[{":
            depth += len(run)
            deepest = max(deepest, depth)
        elif run[0] in "]}":
            depth -= len(run)
    return deepest


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise NotJsonError("an object with each key once is expected")
    return made


def _no_constant(_: str) -> NoReturn:
    raise NotJsonError("a number is expected where `NaN` or `Infinity` stands")


_DECODER = json.JSONDecoder(object_pairs_hook=_no_key_twice, parse_constant=_no_constant)


def key_of(value: object) -> object:
    """Something hashable, equal for two values just when JSON calls them equal.

    `1` and `1.0` are one number, `1` and `true` are not one value.
    """
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if isinstance(value, dict):
        return ("object", frozenset((key, key_of(inner)) for key, inner in value.items()))
    if isinstance(value, list):
        return ("list", tuple(map(key_of, value)))
    return value
