"""Asks the wrapped callable again for a reply that keeps to a principle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._find_texts import Texts
from ._parts import Reader
from ._values import put, word

ASK = (
    "Your last reply does not keep to this principle:\n\n{principle}\n\n"
    "The reply was:\n\n{draft}\n\n"
    "Find what in it breaks the principle, and write the reply again so that nothing does. "
    "Give the new reply only, without comment."
)
USERS = ("user", "human")


def ask_again(
    texts: Texts,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    principle: str,
    draft: str,
) -> tuple[tuple[Any, ...], Mapping[str, Any]] | None:
    """The arguments of the next round; None where nobody can say how to ask."""
    source = texts.main
    if source is None:
        return None
    asked = ASK.format(principle=principle, draft=draft)
    value = source.get(args, kwargs)
    if isinstance(value, str):
        return source.put(args, kwargs, f"{value}\n\n{asked}")
    if isinstance(value, list | tuple) and value:
        return source.put(args, kwargs, [*value, _like(value, asked)])
    return None


def _like(messages: Any, text: str) -> Any:
    """A message of the user, in the shape of those that are there."""
    for message in reversed(messages):
        if isinstance(message, str):
            return text
        if isinstance(message, tuple) and message and message[0] in USERS:
            return (message[0], text)
        if word(message, "role") in USERS or word(message, "type") in USERS:
            return put(message, {("content",): text})
    return {"role": "user", "content": text}


def draft_of(reader: Reader) -> str:
    """What a reply says, as one text."""
    return "\n".join(
        part.text for part in reader.parts if part.kind == "text" and not part.is_fixed
    )
