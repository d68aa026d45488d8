"""Bodies: of which kind they are, every string in them, and a copy with other strings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Final, Literal

from guardkit.errors import UsageError
from guardkit.wire import EVENTS, Fault, read_json

RawHeaders = list[tuple[bytes, bytes]]
Kind = Literal["json", "text", "events", "unread"]

FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"trailer"})
OF_BYTES: Final = FRAMING | {
    b"accept-ranges", b"content-digest", b"content-encoding", b"content-md5", b"digest", b"etag",
    b"repr-digest",
}  # fmt: skip
"""Headers of a reply that are true of other bytes."""
MOST_REPLY: Final = 32 * 2**20
"""Bytes of a reply that has to be whole before anything of it can be shown."""
MOST_REPLY_WORK: Final = 1_000_000
"""How much there may be to parse in it."""

_JSON = re.compile(r"application/(?:[a-z0-9.-]+\+)?json\Z")
_UTF8 = frozenset({"", "utf-8", "utf8", "us-ascii"})
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)


def header(headers: RawHeaders, name: bytes) -> str:
    """The values of a header, joined as the protocol allows; empty where it is not there."""
    return ", ".join(value.decode("latin-1") for key, value in headers if key.lower() == name)


def without(headers: RawHeaders, names: Collection[bytes]) -> RawHeaders:
    """Headers without some."""
    return [(name, value) for name, value in headers if name.lower() not in names]


def media_of(headers: RawHeaders) -> str:
    """The media type, without parameters."""
    return header(headers, b"content-type").partition(";")[0].strip().lower()


def kind_of(headers: RawHeaders) -> Kind:
    """As what a body with these headers is read; `unread` where nobody here can read it."""
    said = header(headers, b"content-type")
    charset = _CHARSET.search(said)
    is_plain = header(headers, b"content-encoding").strip().lower() in ("", "identity")
    is_whole = not header(headers, b"content-range")
    if charset is not None and charset[1].lower() not in _UTF8:
        return "unread"
    if not (is_plain and is_whole) or "," in said:
        return "unread"
    media = media_of(headers)
    if media == EVENTS:
        return "events"
    if media == "text/plain":
        return "text"
    return "json" if _JSON.match(media) else "unread"


def read_value(body: bytes, *, what: str = "body", most: int | None = None) -> Any:
    """Whatever stands in JSON, read as strictly as the wire does, which takes objects only.

    Raises:
        Fault: It is refused.
    """
    limits = {} if most is None else {"most": most}
    # As the one field of an object. What would close that early brings a second field along.
    read = read_json(b'{"":' + body + b"}", what=what, **limits)
    if len(read) != 1:
        raise Fault(400, "invalid_json", f"the {what} is not valid JSON")
    return read[""]


# --- every string

Strings = dict[str, list[Any]]
"""A list of strings is all that a guard sees of a value: no name of a field makes an id or a role
of what stands in it."""


def strings_of(value: Any) -> Strings:
    """Every string of a JSON value, names of fields included, in order."""
    return {"data": list(_strings(value))}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def with_strings(value: Any, strings: Strings) -> Any:
    """A JSON value with other strings in the same places.

    Raises:
        UsageError: The name of a field is another one now.
    """
    return _put(value, iter(strings["data"]))


def _put(value: Any, strings: Iterator[str]) -> Any:
    if isinstance(value, str):
        return next(strings)
    if isinstance(value, dict):
        return {_same(name, next(strings)): _put(inner, strings) for name, inner in value.items()}
    if isinstance(value, list):
        return [_put(inner, strings) for inner in value]
    return value


def _same(name: str, now: str) -> str:
    if name != now:
        raise UsageError("a rule rewrites the name of a field, and names cannot be changed")
    return name
