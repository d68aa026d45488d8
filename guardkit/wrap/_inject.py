"""Puts the policy's context layer in front of what the model reads."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from guardkit.errors import UsageError

from ._find_texts import Source, Texts
from ._values import member, put, word

SYSTEM_ROLES = ("system", "developer")


def place_for(texts: Texts, name: str) -> Source:
    """The argument that takes the system prompt.

    Raises:
        UsageError: There is none.
    """
    place = texts.system or texts.main
    if place is not None and (place.role == "system" or place.takes_messages):
        return place
    raise UsageError(
        f"the policy has a context layer, and `{name}` has no place for it: "
        "take `messages` or a parameter `system`, or say `inject=False` and "
        "send `guard.system_prompt` yourself"
    )


def inject(
    prompt: str, place: Source, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments with the system prompt in front."""
    value = place.get(args, kwargs)
    if place.role == "system":
        given = None if value is _missing() else value
        return place.put(args, kwargs, _in_front(prompt, given))
    if isinstance(value, list | tuple):
        return place.put(args, kwargs, _among(prompt, value))
    raise UsageError(
        f"the policy has a context layer, and `{place.name}` is a `{type(value).__qualname__}` "
        "here: give a list of messages, or say `inject=False`"
    )


def _missing() -> Any:
    from ._find_texts import MISSING

    return MISSING


def _in_front(prompt: str, given: Any) -> Any:
    if isinstance(given, list | tuple):
        return [{"type": "text", "text": prompt}, *given]
    return f"{prompt}\n\n{given}" if isinstance(given, str) and given else prompt


def _among(prompt: str, messages: Any) -> Any:
    first = messages[0] if messages else None
    if isinstance(first, tuple) and len(first) == 2 and first[0] in SYSTEM_ROLES:
        return [(first[0], _in_front(prompt, first[1])), *messages[1:]]
    if word(first, "role") in SYSTEM_ROLES or word(first, "type") in SYSTEM_ROLES:
        content = _in_front(prompt, member(first, "content"))
        return [put(first, {("content",): content}), *messages[1:]]
    return [_system_message(prompt, first), *messages]


def _system_message(prompt: str, like: Any) -> Any:
    """A system message of the kind the list holds."""
    if like is None or isinstance(like, Mapping):
        return {"role": "system", "content": prompt}
    if isinstance(like, str | tuple):
        return ("system", prompt)
    if word(like, "role"):
        return put(like, {("role",): "system", ("content",): prompt})
    # Whoever holds such messages has loaded their module: nothing is imported for this.
    module = sys.modules.get("langchain_core.messages")
    made = getattr(module, "SystemMessage", None)
    if made is None:
        raise UsageError(
            f"the policy has a context layer, and a `{type(like).__qualname__}` cannot be made "
            "into a system message: say `inject=False`"
        )
    return made(content=prompt)
