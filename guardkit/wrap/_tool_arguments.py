"""The arguments of a tool call: read strictly, because the tool reads them with another parser."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def parse_arguments(text: str) -> dict[str, object] | None:
    """A JSON object; None for anything that two parsers might read differently."""
    if not text.strip():
        return {}
    try:
        read = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def write_arguments(arguments: Mapping[str, object]) -> str:
    """The same object as text, for dialects that write arguments as text."""
    return json.dumps(arguments, ensure_ascii=False)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _refuse(constant: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")
