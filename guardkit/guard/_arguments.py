"""Arguments of tool calls as they arrive: JSON that every program reads alike, and plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping

from guardkit.runtime import MOST_DEPTH


def json_object(text: str) -> Mapping[str, object] | None:
    """The object a JSON text spells; None for anything else, and for what programs read
    differently: a name twice, numbers that are none."""
    try:
        value = json.loads(
            text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def _refuse(spelled: str) -> object:
    raise ValueError("not a number")


def _finite(spelled: str) -> float:
    number = float(spelled)
    if number - number != 0:
        raise ValueError("not a finite number")
    return number


def is_plain(value: object, depth: int = 0) -> bool:
    """Whether arguments are plain data that every check can read, and not nested without end."""
    if value is None or isinstance(value, str | bool | int):
        return True
    if isinstance(value, float):
        return value - value == 0
    if depth > MOST_DEPTH:
        return False
    if isinstance(value, Mapping):
        return all(
            isinstance(key, str) and is_plain(inner, depth + 1) for key, inner in value.items()
        )
    if isinstance(value, list | tuple):
        return all(is_plain(inner, depth + 1) for inner in value)
    return False
