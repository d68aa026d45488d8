"""Files of exchanges to be attributed: rows read one by one, bad ones told apart."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.types import SURFACES, Surface

from ._attribution import Expected
from ._deployment import Asked, asked
from ._summary import Unread

SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
MOST_LINE: Final = 16 << 20
"""Bytes of one row."""
_LONGEST_ID: Final = 80
_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool"})


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """One exchange to be attributed. Its repr shows none of it."""

    id: str
    line: int
    said: Asked = field(repr=False)
    expect: Expected | None = None


def exchanges_of(path: Path) -> Iterator[ExchangeRow | Unread]:
    """The exchanges of a file, in order.

    A row has `text`, `messages` or `turns`, and may have `documents`, `on`, `ask`, `tool`,
    `context`, `expect` (`answer` or `refuse`), `reply` and `id`.

    Args:
        path: JSONL, plain or `.gz`.

    Raises:
        UsageError: The file cannot be read, or not to its end.
    """
    shown = visible(path.as_posix())
    if not path.name.endswith(SUFFIXES):
        known = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise UsageError(f"`{shown}` is no file of exchanges: those end in {known}")
    try:
        with path.open("rb") as file:
            is_packed = path.name.endswith(".gz")
            lines = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if is_packed else file
            for number, line in _lines(lines):
                if line.strip():
                    yield _row(line, number, f"{path.name}:{number}")
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UsageError(f"`{shown}` is no whole gzip file") from None
    except OSError as error:
        why = (error.strerror or "it is no file of rows").lower()
        raise UsageError(f"`{shown}` cannot be read: {why}") from None


def file_digest(path: Path) -> str:
    """By which a file is known again.

    Raises:
        UsageError: It cannot be read.
    """
    made = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                made.update(block)
    except OSError as error:
        why = (error.strerror or "it is no file of rows").lower()
        raise UsageError(f"`{visible(path.as_posix())}` cannot be read: {why}") from None
    return made.hexdigest()


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines and their numbers; of one beyond the limit only so much that it is known as such."""
    number = 0
    while line := file.readline(MOST_LINE + 1):
        number += 1
        yield number, line
        is_cut = len(line) > MOST_LINE and not line.endswith(b"\n")
        while is_cut:
            rest = file.readline(1 << 20)
            is_cut = bool(rest) and not rest.endswith(b"\n")


def _row(line: bytes, number: int, where: str) -> ExchangeRow | Unread:
    if len(line) > MOST_LINE:
        return Unread(where, f"it is longer than {MOST_LINE >> 20} MB")
    try:
        given = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError:
        return Unread(where, "it is not UTF-8")
    except (ValueError, RecursionError):
        return Unread(where, "it is not JSON")
    if not isinstance(given, dict):
        return Unread(where, "it is no object")
    if why := _fault(given):
        return Unread(where, why)
    named = given.get("id")
    id = where if named is None else visible(str(named))
    id = id if len(id) <= _LONGEST_ID else f"{id[: _LONGEST_ID - 1]}…"
    return ExchangeRow(id, number, _said(given), given.get("expect"))


def _said(given: Mapping[str, Any]) -> Asked:
    documents = tuple(given.get("documents") or ())
    facts, reply = given.get("context"), given.get("reply")
    if given.get("messages") is not None:
        return Asked(tuple(given["messages"]), documents, reply, facts)
    turns: Sequence[str] = given.get("turns") or ()
    text = given.get("text")
    if text is None:
        *turns, text = turns
    made = asked(
        text,
        cast("Surface", given.get("on") or "input"),
        ask=given.get("ask") or "",
        tool=given.get("tool") or "",
        turns=turns,
        facts=facts,
    )
    said = replace(made, documents=(*made.documents, *documents))
    return said if reply is None else replace(said, reply=reply)


def _fault(given: Mapping[str, Any]) -> str:
    """Why a row is no exchange; empty if it is one."""
    text, turns, messages = given.get("text"), given.get("turns"), given.get("messages")
    if text is None and not turns and messages is None:
        return "it has no `text`, `messages` or `turns`"
    if messages is not None and (text is not None or turns is not None):
        return "`messages` stand for themselves: it has `text` or `turns` too"
    if not isinstance(text, str | None):
        return "`text` is no text"
    if messages is not None and not _are_messages(messages):
        return "`messages` is no list of messages with `role` and `content`"
    for name in ("turns", "documents"):
        if given.get(name) is not None and not _are_texts(given[name]):
            return f"`{name}` is no list of texts"
    for name in ("ask", "tool"):
        if not isinstance(given.get(name), str | None):
            return f"`{name}` is no text"
    if not isinstance(given.get("context"), dict | None):
        return "`context` is no object"
    on = given.get("on")
    if on is not None and (on not in SURFACES or on == "conversation"):
        return "`on` names no surface"
    reply = given.get("reply")
    if not isinstance(reply, str | dict | None):
        return "`reply` is neither a text nor a reply object"
    if reply is not None and on in ("output", "tool_call"):
        return "a text on this surface is the reply: it has a `reply` too"
    if given.get("expect") not in (None, "answer", "refuse"):
        return "`expect` is neither `answer` nor `refuse`"
    return ""


def _are_texts(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(text, str) for text in found)


def _are_messages(found: object) -> bool:
    return (
        isinstance(found, list)
        and bool(found)
        and all(
            isinstance(one, dict)
            and one.get("role") in _ROLES
            and isinstance(one.get("content"), str | list | None)
            for one in found
        )
    )
