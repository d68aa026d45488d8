"""JSON of the wire: read so strictly that no other parser can read the same bytes differently.

What is refused here is what two parsers disagree about: a key that stands twice, bytes that are no
UTF-8, NaN, numbers that one program keeps and another rounds, half a surrogate pair. What passes
is written anew from the value that was judged, so nothing is forwarded that was not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ._fault import Fault

MOST_WORK = 100_000
"""How much there may be to parse: quotes, commas and brackets, each about half a microsecond and 90
bytes of memory at most, and an eighth of the bytes of numbers, at most 60 ns each."""

MOST_REPLY_WORK = 1_000_000
"""The same for a reply of the upstream, which the operator chose: 150 embeddings of 1,536 numbers,
or the odds of 20 tokens at each of some thousand places."""

DEEPEST = 50
"""How many objects and lists may stand in one another, the outermost counted."""

_LONGEST_INT = len(str(-(2**63)))
_BOM = b"\xef\xbb\xbf"
_MARKS = b"[],"
_NO_MARKS = bytes(set(range(256)) - set(_MARKS))
_BLANKS = b" \t\r\n"
_SQUARE = bytes.maketrans(b"{}", b"[]")
_KIND = re.compile(
    r'application/json[ \t]*(?:;[ \t]*)*(?:charset=("?)utf-8\1[ \t]*(?:;[ \t]*)*)?',
    re.IGNORECASE | re.ASCII,
)


class _Refused(Exception):  # noqa: N818 - a word between the hooks and `read_json`
    """A hook of the decoder says no."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


# Any: what stands in JSON is known only to those who read it.
def read_json(body: bytes, *, what: str = "body", most: int = MOST_WORK) -> dict[str, Any]:
    """The object in `body`. What is returned can be written by `write_json`, and means the same.

    The work is bounded before any is done: see `MOST_WORK`.

    Args:
        body: The bytes as they came.
        what: What they are, for the message.
        most: How much there may be to parse; `MOST_REPLY_WORK` for a reply of the upstream.

    Raises:
        Fault: It is refused. Neither the fault nor what caused it holds a part of the body. 400
            with `invalid_utf8` (a byte order mark too), `invalid_json`, `duplicate_key`,
            `number_out_of_range` (integers of more than 64 bits, floats that overflow),
            `invalid_text` (half a surrogate pair), `too_deep`, `not_an_object`; 413 with
            `too_large`.
    """
    code, value = _read(body, most)
    if code:
        # Raised here, where no decoder's error is under way: it would carry the whole text along.
        status = 413 if code == "too_large" else 400
        raise Fault(status, code, f"the {what} {_SENTENCES[code]}")
    return value


def write_json(value: object) -> bytes:
    """`value` as JSON, without blanks and in UTF-8.

    Args:
        value: Dicts with text keys, lists, texts, numbers, booleans and None. A float must be
            finite: another is written as null.

    Raises:
        TypeError: It holds something else, half a surrogate pair or an integer of over 64 bits.
    """
    return _writer()(value)


def check_content(headers: Mapping[str, str]) -> None:
    """Refuse a body that says it is not plain JSON in UTF-8.

    Args:
        headers: Names in lower case.

    Raises:
        Fault: 415 with `unsupported_media_type` where the type is not `application/json`, or has
            a parameter other than `charset=utf-8`; with `unsupported_encoding` where the body is
            compressed or otherwise encoded.
    """
    if not _KIND.fullmatch(headers.get("content-type", "").strip(" \t")):
        raise Fault(
            415,
            "unsupported_media_type",
            "the content type must be application/json, in utf-8",
        )
    if headers.get("content-encoding", "identity").strip(" \t").lower() != "identity":
        raise Fault(
            415,
            "unsupported_encoding",
            "the body must not be compressed or otherwise encoded",
        )


_SENTENCES = {
    "duplicate_key": "has an object in which a key stands twice",
    "invalid_json": "is not valid JSON",
    "invalid_text": "has a text with half a surrogate pair",
    "invalid_utf8": "is not UTF-8 without a byte order mark",
    "not_an_object": "is not a JSON object",
    "number_out_of_range": "has an integer of more than 64 bits or a number that overflows",
    "too_deep": f"has more than {DEEPEST} objects and lists in one another",
    "too_large": "has too many values",
}


def _read(body: bytes, most: int) -> tuple[str, dict[str, Any]]:
    """The code of what is wrong, empty where nothing is, and the object."""
    if body.startswith(_BOM):
        return "invalid_utf8", {}
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "invalid_utf8", {}
    code = _out_of_bounds(body, most)
    if code:
        return code, {}
    try:
        value = _DECODER.decode(text)
    except _Refused as refused:
        return refused.code, {}
    except ValueError:
        return "invalid_json", {}
    # Only an escape can leave half a pair behind: encoded surrogates are no UTF-8.
    if b"\\u" in body and not _is_writable(value):
        return "invalid_text", {}
    if not isinstance(value, dict):
        return "not_an_object", {}
    return "", value


def _out_of_bounds(body: bytes, most: int) -> str:
    """The code where there is too much to parse or it lies too deep, empty elsewhere.

    Exact for valid JSON. What it says about other bytes does not matter: the parser refuses them,
    and does so within the same bounds.
    """
    if len(body) <= most and body.count(b"{") + body.count(b"[") <= DEEPEST:
        return ""  # as most bodies are: no byte counts for more than one
    if b"\\" in body:
        # Escaped backslashes first: then a backslash before a quote is one that escapes it. Blanks
        # in their place are of the same length, which makes this twice as fast.
        body = body.replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
    quotes = body.count(b'"')
    if quotes > most:
        return "too_large"
    bare = b"".join(body.split(b'"')[::2]).translate(_SQUARE, _BLANKS)
    marks = bare.translate(None, _NO_MARKS)
    if quotes + len(marks) + (len(bare) - len(marks)) // 8 > most:
        return "too_large"
    nested = marks.replace(b",", b"")
    for _ in range(DEEPEST):
        if not nested:
            break
        nested = nested.replace(b"[]", b"")  # the innermost level, wherever it is
    return "too_deep" if nested.count(b"[") else ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Refused("duplicate_key")
    return made


def _small(digits: str) -> int:
    # Asked first: reading a long integer costs the square of its length.
    if len(digits) > _LONGEST_INT:
        raise _Refused("number_out_of_range")
    number = int(digits)
    if not -(2**63) <= number < 2**64:
        raise _Refused("number_out_of_range")
    return number


def _finite(digits: str) -> float:
    number = float(digits)
    if number - number != 0:
        raise _Refused("number_out_of_range")
    return number


def _no_constant(name: str) -> Any:
    raise _Refused("invalid_json")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=_small, parse_float=_finite, parse_constant=_no_constant
)


@cache
def _writer() -> Callable[[object], bytes]:
    import orjson

    return orjson.dumps


def _is_writable(value: object) -> bool:
    try:
        _writer()(value)
    except TypeError:
        return False
    return True
