"""Values of any type as plain data that `wrap` reads, and the changes to them taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from guardkit.errors import UsageError

from .._third_party import third_party
from ._package import EXTRA

FILE: Final = {"type": "file"}
"""A part that cannot be read."""
_FILES: Final = frozenset(
    {"image-url", "audio-url", "document-url", "video-url", "binary", "uploaded-file"}
)


def readable(value: Any) -> Any:
    """A value as plain data: files are unknown, objects are what a model is told of them."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {key: readable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [readable(inner) for inner in value]
    if getattr(value, "kind", None) in _FILES:
        url = getattr(value, "url", None)
        return {**FILE, "url": url} if isinstance(url, str) else dict(FILE)
    if isinstance(value, bytes):
        return dict(FILE)
    made = third_party("pydantic_core", EXTRA).to_jsonable_python(value, fallback=str)
    return readable(made) if isinstance(made, dict | list) else made


def merged(value: Any, was: Any, given: Any) -> Any:
    """The value with the changes that a rule made: the same objects where there are none.

    Args:
        value: The value.
        was: What `readable` made of it.
        given: The same, as it came out of the judgement.

    Raises:
        UsageError: A rule rewrote what cannot be changed.
    """
    if given == was:
        return value
    if isinstance(value, Mapping) and isinstance(given, Mapping):
        return {key: merged(inner, was[key], given[key]) for key, inner in value.items()}
    if isinstance(value, list | tuple) and isinstance(given, list):
        return [merged(*each) for each in zip(value, was, given, strict=True)]
    if isinstance(value, str):
        return given
    raise UsageError(f"a rule rewrites a `{type(value).__name__}`, which cannot be changed")
