"""What a reply of a model says about itself: its text, and why it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guardkit.errors import UsageError

from ._chunks import read_chunk
from ._parts import read_reply
from ._values import member, word

KEPT = 8_000
"""Characters of a reply that are kept while it streams: a refusal stands at its beginning."""

FILTERED = {
    "finish_reason": frozenset({
        "content_filter", "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
    }),
    "stop_reason": frozenset({"refusal", "content_filtered", "guardrail_intervened"}),
    "reason": frozenset({"content_filter"}),
}  # fmt: skip
"""The words by which providers say that a filter of theirs ended a reply, by the field's name."""
_CODES = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})


def filtered(reply: Any) -> str:
    """Which filter of the provider ended a reply or chunk: `finish_reason content_filter`.

    Empty where none did. What stands there is a word of a known list, never text of the reply.
    """
    for place, fields in _endings(reply):
        for name in fields:
            if (said := word(place, name)) in FILTERED[name]:
                return f"{name} {said}"
    return ""


def _endings(reply: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    yield reply, ("finish_reason", "stop_reason")
    for name in ("choices", "candidates"):
        each = member(reply, name)
        for choice in each if isinstance(each, list | tuple) else ():
            yield choice, ("finish_reason", "stop_reason")
    if (delta := member(reply, "delta")) is not None:
        yield delta, ("stop_reason",)
    for holder in (reply, member(reply, "response")):
        if (details := member(holder, "incomplete_details")) is not None:
            yield details, ("reason",)
    if (metadata := member(reply, "response_metadata")) is not None:
        yield metadata, ("finish_reason", "stop_reason")


def rejected(error: BaseException) -> str:
    """Which filter of the provider refused a request, of an error that its client raised."""
    seen: list[Any] = [error, body := getattr(error, "body", None), member(body, "error")]
    seen += [member(member(body, "error"), "innererror"), member(body, "innererror")]
    for holder in seen:
        if (code := word(holder, "code")) in _CODES:
            return f"error {code}"
    return ""


def text_of(reply: Any) -> str:
    """What a reply says to its reader; empty for one of tool calls alone."""
    if isinstance(reply, str):
        return reply
    try:
        parts = read_reply(reply).parts
    except UsageError:
        return ""  # what cannot be read is complained of where it is judged
    return "\n".join(part.text for part in parts if part.kind == "text" and not part.is_fixed)


def text_of_chunk(chunk: Any) -> str:
    """What a chunk of a stream adds to its text."""
    if isinstance(chunk, str):
        return chunk
    try:
        read = read_chunk(chunk)
    except UsageError:
        return ""
    said = "".join(piece.text for piece in read.said)
    return said or (text_of(read.rest) if read.is_whole else "")
