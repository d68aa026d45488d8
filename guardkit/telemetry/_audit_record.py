"""One record of the audit log: what a verdict or an exchange came to, as bytes without its text."""

from __future__ import annotations

import hmac
import json
import re
import secrets
import sys
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from guardkit.errors import UsageError
from guardkit.types import ACTIONS, Finding, Ledger, Record, Verdict

from ._audit_chain import MOST_BYTES

FORMAT = 1
MOST_FINDINGS = 100
MOST_LINES = 200
"""Lines of a ledger that one record keeps."""
MOST_NAMES = 200
MOST_CHARS = 8_000
"""Code points of a delivered text, where texts are kept."""

# What the parts of a ledger say. Whatever else stands there was answered by a check, a callable
# or a remote service: it may be a label, and it may be what somebody wrote.
_STATES = (
    *ACTIONS,
    *("yes", "no", "unknown", "unread", "waiting", "approved", "denied", "expired"),
    *("answered", "refused", "failed", "none", "full", "partial", "deflect", "answer", "refuse"),
)
_OUTCOMES = frozenset(_STATES) | {
    f"{standing}: {state}"
    for standing in ("exempted", "shadow", "undecided")
    for state in (*ACTIONS, "unknown")
}
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?(e[+-]?\d{1,3})?", re.ASCII)
_NAME = re.compile(r"(?=.{1,128}$)[\w.:/-]+( [\w.:/-]+){0,3}", re.ASCII)
_LABEL = re.compile(r"[A-Z0-9][A-Z0-9_.-]{0,39}", re.ASCII)
_DECISION = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_MOST_KNOWN = 4096
_PLACE_BYTES = 8
_WHO_BYTES = 16

_spelled = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def to_bytes(data: dict[str, Any]) -> bytes:
    """The one spelling of a record: JSON in ASCII, keys sorted, no blanks."""
    return _spelled(data).encode("ascii")


def moment(seconds: float) -> str:
    """A time as records spell it, in UTC. Two of them compare as the times do.

    Example:
        >>> moment(0.25)
        '1970-01-01T00:00:00.250Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def opening(seconds: float, *, is_keyed: bool) -> dict[str, Any]:
    """Record 0: how the file was begun. Without a key from outside it holds one for the names."""
    return {
        "kind": "opening",
        "format": FORMAT,
        "id": secrets.token_hex(16),
        "is_keyed": is_keyed,
        "names": None if is_keyed else secrets.token_hex(32),
        "time": moment(seconds),
    }


class Writer:
    """Makes records.

    Args:
        key: The key under which names of sessions, tenants, tools and arguments are hashed.
        text: Whether what was delivered is kept too, and such names as they are.
        plain: Words that are kept as they are: names of tools, labels that checks answer with,
            JSON pointers of arguments.
    """

    def __init__(self, key: bytes, *, text: bool = False, plain: Collection[str] = ()) -> None:
        self._key = key
        self._text = text
        self._plain = frozenset(plain)
        self._names: set[str] = set()
        """Names that look like names: there are few, and they come with every record."""
        self._version = str(sys.modules["guardkit"].__version__)

    def verdict(
        self, verdict: Verdict, seconds: float, session: str | None, tenant: str, id: str | None
    ) -> bytes:
        """The record of a verdict."""
        data = self._begun("verdict", seconds, session, tenant, id)
        cut: dict[str, int] = {}
        data["action"] = verdict.action
        data["surface"] = verdict.surface
        data["policy"] = self._named(verdict.policy)
        data["elapsed_us"] = round(verdict.elapsed_us, 1)
        data["chars"] = len(verdict.text)
        for word in ("fired", "exempted", "shadow", "unknown", "undecided"):
            names: tuple[str, ...] = getattr(verdict, word)
            if names:
                data[word] = [self._named(name) for name in _first(names, MOST_NAMES, word, cut)]
        if verdict.findings:
            some = _first(verdict.findings, MOST_FINDINGS, "findings", cut)
            data["findings"] = [self._finding(one) for one in some]
        if verdict.records:
            data["ledger"] = self._lines(verdict.records, cut)
        if verdict.tool is not None:
            data["tool"] = self._own(verdict.tool, "tool")
        if verdict.hold is not None:
            data["hold"] = self._named(verdict.hold)
        if verdict.principle is not None:
            data["principle"] = self._named(verdict.principle)
        if verdict.session_closed:
            data["session_closed"] = True
        if self._text:
            data["text"] = verdict.text[:MOST_CHARS]
        return _ended(data, cut)

    def exchange(
        self, ledger: Ledger, seconds: float, session: str | None, tenant: str, id: str | None
    ) -> bytes:
        """The record of a whole exchange."""
        data = self._begun("exchange", seconds, session, tenant, id)
        cut: dict[str, int] = {}
        data["outcome"] = ledger.outcome
        data["judgement"] = ledger.judgement
        data["refusal"] = ledger.refusal
        data["elapsed_us"] = round(ledger.elapsed_us, 1)
        if ledger.layer is not None:
            data["layer"] = ledger.layer
        if ledger.by:
            data["by"] = self._named(ledger.by)
        if ledger.expected is not None:
            data["expected"] = ledger.expected
        if ledger.records:
            data["ledger"] = self._lines(ledger.records, cut)
        return _ended(data, cut)

    def _begun(
        self, kind: str, seconds: float, session: str | None, tenant: str, id: str | None
    ) -> dict[str, Any]:
        if id is None:
            id = secrets.token_hex(16)
        elif not _DECISION.fullmatch(id):
            raise UsageError("a decision id has 1 to 64 letters, digits, `.`, `:`, `_` or `-`")
        data: dict[str, Any] = {
            "kind": kind,
            "time": moment(seconds),
            "decision": id,
            "guardkit": self._version,
        }
        if tenant:
            data["tenant"] = self._hashed("tenant", tenant, _WHO_BYTES)
        if session is not None:
            # Sessions of one name under two tenants are two, and look like two.
            data["session"] = self._hashed("session", f"{tenant}\0{session}", _WHO_BYTES)
        return data

    def _finding(self, one: Finding) -> dict[str, Any]:
        data: dict[str, Any] = {
            "rule": self._named(one.rule),
            "check": self._named(one.check),
            "label": self._fitting(one.label, _LABEL, "label"),
            "start": one.start,
            "end": one.end,
            "view": self._named(one.view),
        }
        if one.score is not None:
            data["score"] = _number(one.score)
        if one.pointer:
            data["pointer"] = self._own(one.pointer, "pointer")
        return data

    def _lines(self, records: Sequence[Record], cut: dict[str, int]) -> list[dict[str, Any]]:
        lines = []
        for one in _first(records, MOST_LINES, "ledger", cut):
            line: dict[str, Any] = {
                "layer": self._named(one.layer),
                "by": self._named(one.by),
                "outcome": self._outcome(one.outcome),
            }
            if one.elapsed_us:
                line["elapsed_us"] = round(one.elapsed_us, 1)
            if one.score is not None:
                line["score"] = _number(one.score)
            # `detail` stays out: it is a sentence, and nothing here can tell what it quotes.
            lines.append(line)
        return lines

    def _outcome(self, said: str) -> str:
        if said in _OUTCOMES or _NUMBER.fullmatch(said):
            return said
        return self._own(said, "label")

    def _named(self, name: str) -> str:
        """A name that a policy or guardkit gave. What does not look like one is hashed."""
        if name in self._names:
            return name
        told = self._fitting(name, _NAME, "name")
        if told == name and len(self._names) < _MOST_KNOWN:
            self._names.add(name)
        return told

    def _fitting(self, name: str, shape: re.Pattern[str], what: str) -> str:
        # Not `_own`: in no file does a name grow beyond what a name is.
        return name if shape.fullmatch(name) else self._hashed(what, name, _PLACE_BYTES)

    def _own(self, name: str, what: str) -> str:
        """A name that users or models may have written: kept where somebody said so."""
        if name in self._plain or self._text:
            return name[:256]
        return self._hashed(what, name, _PLACE_BYTES)

    def _hashed(self, what: str, value: str, size: int) -> str:
        told = f"{what}\0{value}".encode("utf-8", "surrogatepass")
        return f"#{hmac.digest(self._key, told, 'sha256')[:size].hex()}"


def _first(values: Sequence[Any], most: int, what: str, cut: dict[str, int]) -> Iterable[Any]:
    if len(values) <= most:
        return values
    cut[what] = len(values)
    return values[:most]


def _number(value: float) -> float | str:
    """A number as JSON has it: one that is not finite becomes a word."""
    value = float(value)
    return value if abs(value) < float("inf") else str(value)


def _ended(data: dict[str, Any], cut: dict[str, int]) -> bytes:
    if cut:
        data["cut"] = cut
    body = to_bytes(data)
    if len(body) > MOST_BYTES:
        # The longest of names in every place: what was decided stays, where it stood goes.
        for word in ("findings", "ledger"):
            if word in data:
                cut[word] = max(cut.get(word, 0), len(data.pop(word)))
        data["cut"] = cut
        body = to_bytes(data)
    return body
