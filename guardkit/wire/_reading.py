"""Reading replies: the head that holds no text apart from what is judged."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeGuard

from ._dialect import Event, Unreadable
from ._fields import holds_no_text, is_word


def parted(
    reply: Mapping[str, Any], words: Collection[str], plain: Collection[str]
) -> tuple[Event, Event]:
    """A reply in two: what is to be judged, and the head, in which nothing is text.

    Args:
        reply: The reply.
        words: Fields that hold an id, a name or a number.
        plain: Fields that hold figures.
    """
    judged: Event = {}
    head: Event = {}
    for name, value in reply.items():
        is_quiet = name in words and (is_word(value) or holds_no_text(value))
        if is_quiet or (name in plain and holds_figures(value)):
            head[name] = value
        else:
            judged[name] = value
    return judged, head


FOREIGN = frozenset({"choices", "object", "response", "tool_call_chunks"})
"""By these `wrap` takes an event or a reply for one of another dialect."""


def unclaimed(judged: Mapping[str, Any]) -> None:
    """Refuse what claims to be of another dialect, of which `wrap` would leave something out.

    Raises:
        Unreadable: It does.
    """
    inner = judged.get("response")
    if type(inner) is dict and "object" in inner:
        raise Unreadable


def holds_figures(value: Any) -> bool:
    """Figures such as a count of tokens: numbers under plain names, and single words."""
    if holds_no_text(value):
        return True
    if type(value) is dict:
        return all(
            is_name(key) and (holds_figures(inner) or is_word(inner))
            for key, inner in value.items()
        )
    return False


def is_name(key: Any) -> bool:
    """Whether this is a name that a field may have in a dialect."""
    return type(key) is str and key.isascii() and key.replace("_", "").isalnum() and len(key) <= 40


def is_kind(kind: Any) -> TypeGuard[str]:
    """Whether this is a name that an event may have."""
    return type(kind) is str and _KIND.match(kind) is not None


_KIND: Final = re.compile(r"[a-z][a-z_.]{0,99}\Z")


TOKENS = frozenset({"logprobs", "prompt_logprobs", "token_ids", "prompt_token_ids", "output_ids"})


def without_odds(value: Any) -> Any:
    """A copy without lists of tokens and their odds: a text in pieces that no rule can read.

    Where there were some an empty list stays, so that the reply keeps its shape, or null.
    """
    kind = type(value)
    if kind is list:
        return [without_odds(each) for each in value]
    if kind is not dict:
        return value
    return {
        name: ([] if type(inner) is list else None) if name in TOKENS else without_odds(inner)
        for name, inner in value.items()
    }


def listed(reply: Mapping[str, Any], name: str) -> list[Any]:
    """A list of objects that a reply cannot be without.

    Raises:
        Unreadable: It is something else.
    """
    found = reply.get(name)
    if type(found) is not list or any(type(each) is not dict for each in found):
        raise Unreadable
    return found


def without(value: Mapping[str, Any], *names: str) -> Event:
    """A copy without these fields."""
    return {name: inner for name, inner in value.items() if name not in names}
