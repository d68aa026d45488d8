"""What the fields of a request hold: settings without any text, or text that is to be judged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ._fault import Fault

# fmt: off
WORDS: Final = frozenset({
    "24h", "any", "auto", "base64", "concise", "current_turn", "default", "detailed", "disabled",
    "enabled", "ephemeral", "flex", "float", "high", "in-memory", "json_object", "low", "max",
    "medium", "minimal", "none", "priority", "required", "scale", "standard_only", "text", "xhigh",
    "adaptive",
})
# fmt: on
"""Words that a dialect prescribes for its settings: a closed set, so they are no text."""
_NAME: Final = re.compile(r"[a-z0-9_]{1,40}\Z")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,127}\Z")
"""An id, a model's name, a reason: no text that anybody reads."""


def holds_no_text(value: Any, depth: int = 0) -> bool:
    """Whether a value is made of numbers, truth values and prescribed words alone."""
    kind = type(value)
    if kind in (int, float, bool) or value is None:
        return True
    if kind is str:
        return value in WORDS
    if depth == 4 or len(value) > 400:
        return False
    if kind is dict:
        return all(
            _NAME.match(key) is not None and holds_no_text(inner, depth + 1)
            for key, inner in value.items()
        )
    return kind is list and all(holds_no_text(inner, depth + 1) for inner in value)


def is_word(value: Any) -> bool:
    """Whether a value of a reply's head is an id or a name, as dialects have them."""
    return type(value) is str and _WORD.match(value) is not None


def want(body: Mapping[str, Any], name: str, *kinds: type, needed: bool = False) -> Any:
    """A field of one of these kinds; None where it is absent or null.

    Raises:
        Fault: It is of another kind, or needed and absent.
    """
    value = body.get(name)
    if value is None:
        if needed:
            raise Fault(400, "missing_field", f"the request needs `{name}`")
        return None
    if type(value) not in kinds:
        wanted = " or ".join(_KINDS[kind] for kind in kinds)
        raise Fault(400, "wrong_type", f"`{name}` has to be {wanted}")
    return value


_KINDS: Final[dict[type, str]] = {
    str: "a text",
    list: "a list",
    dict: "an object",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def want_many(body: Mapping[str, Any], name: str, kind: type, *, needed: bool = False) -> Any:
    """A list of things of one kind.

    Raises:
        Fault: It is something else, or empty where it is needed.
    """
    listed = want(body, name, list, needed=needed)
    if listed is None:
        return None
    if any(type(each) is not kind for each in listed):
        raise Fault(400, "wrong_type", f"`{name}` has to be a list, each of it {_KINDS[kind]}")
    if needed and not listed:
        raise Fault(400, "missing_field", f"`{name}` is empty")
    return listed


def want_number(body: Mapping[str, Any], name: str, least: int, most: int) -> None:
    """A whole number within bounds, where there is one.

    Raises:
        Fault: It is none, or outside.
    """
    value = want(body, name, int)
    if value is not None and not least <= value <= most:
        raise Fault(400, "out_of_range", f"`{name}` has to lie between {least} and {most}")


def want_messages(body: Mapping[str, Any], name: str) -> Any:
    """A list of messages, each with a content that is a text, a list of parts, or nothing.

    Raises:
        Fault: It is something else.
    """
    messages = want_many(body, name, dict, needed=True)
    for message in messages:
        content = message.get("content")
        if content is None or type(content) is str:
            continue
        if type(content) is not list or any(type(part) not in (dict, str) for part in content):
            raise Fault(400, "wrong_type", "the `content` of a message has to be text or parts")
    return messages
