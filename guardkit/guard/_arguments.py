"""What callers hand in: surfaces, texts and facts, and the arguments of tool calls as they arrive:
JSON that every program reads alike, and plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypedDict

from guardkit.errors import UsageError
from guardkit.runtime import MAX_CHARS, MOST_DEPTH
from guardkit.types import SURFACES, Surface

TEXT_SURFACES = tuple(surface for surface in SURFACES if surface != "conversation")


class Around(TypedDict, total=False):
    """What stands around a text that is measured; see `Guard.check`."""

    on: Surface
    context: Mapping[str, object] | None
    session: str | None
    tool: str | None
    sources: Mapping[str, Sequence[str]] | None


class Whose(TypedDict, total=False):
    """Whose part it is that cannot be read."""

    tool: str | None
    session: str | None
    tenant: str


def surface_of(name: str) -> Surface:
    """The surface of this name that a text can be found on.

    Raises:
        UsageError: There is none.
    """
    if name in TEXT_SURFACES:
        return name
    known = ", ".join(f"`{surface}`" for surface in TEXT_SURFACES)
    raise UsageError(f"there is no surface of this name to judge; there are {known}")


def text_of(value: object) -> str:
    """A text that can be judged.

    Raises:
        UsageError: It is none, or too long.
    """
    if not isinstance(value, str):
        raise UsageError(f"the text to judge has to be a str, not {type(value).__name__}")
    if len(value) > MAX_CHARS:
        raise UsageError(f"the text has {len(value):,} characters; the limit is {MAX_CHARS:,}")
    return value


def is_ordinary(context: object, session: object, tenant: object) -> bool:
    """Whether what comes with a text is what it has to be, and need not be looked at."""
    return (
        (session is None or type(session) is str)
        and (context is None or type(context) is dict)
        and type(tenant) is str
    )


def mapping_of(value: Mapping[str, object] | None, name: str) -> Mapping[str, object]:
    """Facts by name; none where nothing was given.

    Raises:
        UsageError: They are something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"`{name}` has to be a mapping, not {type(value).__name__}")
    return value


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
