"""The operator's log: one event is one line of printable ASCII, and no line holds guarded text.

What others log cannot be trusted to keep that promise: an HTTP library writes headers at DEBUG, a
server writes the whole address of a request, an exception quotes what it could not parse. So
`quiet_libraries` empties every record of the standard library's `logging` that is not guardkit's
own before any handler sees it; what is left says who spoke, where, and the type of the exception.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Literal

Style = Literal["json", "text"]
Fact = str | int | float | bool | None
"""A number, or a word that the code or the operator chose. All that a client may add is the name of
a field that was refused, where it is spelled like one."""
Facts = Fact | tuple[str, ...] | list[str]

MOST_CHARS: Final = 200
"""Of one value."""
MOST_NAMES: Final = 20
"""Of one list; how many more there are is said."""

_BARE: Final = re.compile(r"[A-Za-z0-9_./:@+-]+")
_NO_KEY: Final = re.compile(r"[^a-z0-9_]")
_MOST_KEY: Final = 40

_OWN: Final = "guardkit"
_SAFE_TEMPLATES: Final = frozenset(
    {
        "Waiting for application startup.",
        "Waiting for application shutdown.",
        "Application startup complete.",
        "Application startup failed. Exiting.",
        "Application shutdown complete.",
        "Application shutdown failed. Exiting.",
        "Shutting down",
        "Invalid HTTP request received.",
        "Unsupported upgrade request.",
        "Exception in ASGI application\n",
        "ASGI callable returned without starting response.",
        "ASGI callable returned without completing response.",
        "Cancel %s running task(s), timeout graceful shutdown exceeded",
        "Waiting for connections to close. (CTRL+C to force quit)",
        "Waiting for background tasks to complete. (CTRL+C to force quit)",
    }
)
"""Sentences of the HTTP server that help an operator. They are shown without what fills them in."""


class Log:
    """Writes events, one line each. It raises nothing: a full disk must not stop a verdict.

    Args:
        write: Takes one line with its end.
        style: `json`, or `text` for a terminal.
        key: With it the address of a client becomes a word that stays the same in every process
            that has the key. Without, one is made at random: the words of two processes differ.
        clock: Seconds since 1970.

    Example:
        >>> log = Log(print, "text", clock=lambda: 0.0)
        >>> log.event("reloaded", outcome="ok", rules=12)  # doctest: +NORMALIZE_WHITESPACE
        1970-01-01T00:00:00.000Z reloaded outcome=ok rules=12
    """

    __slots__ = ("_clock", "_key", "_write", "is_json", "lost")

    def __init__(
        self,
        write: Callable[[str], object],
        style: Style = "json",
        *,
        key: bytes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self.is_json = style == "json"
        self._key = hashlib.blake2b(key or secrets.token_bytes(32), digest_size=32).digest()
        self._clock = clock
        self.lost = 0
        """Lines that could not be written."""

    @classmethod
    def to_stderr(cls, style: Style = "json", *, key: bytes | None = None) -> Log:
        """One that writes every line to standard error in one piece, from however many workers."""
        return cls(_to_stderr, style, key=key)

    def __repr__(self) -> str:
        return f"<Log {'json' if self.is_json else 'text'}>"

    def event(self, name: str, /, **facts: Facts) -> None:
        """Write that something happened.

        Args:
            name: What: a word of the code.
            facts: Numbers, known words, and lists of known words. Of anything else, such as an
                exception, only the name of its type is written.
        """
        try:
            self._write(self._line(name, facts))
        except Exception:  # noqa: BLE001 - a log that cannot be written must not stop a verdict
            self.lost += 1

    def request(
        self,
        *,
        decision: str,
        route: str,
        status: int,
        action: str = "none",
        dialect: str = "none",
        tenant: str = "",
        peer: str = "",
        policy: str = "",
        rules: Iterable[str] = (),
        unknown: Iterable[str] = (),
        elapsed_ms: float = 0.0,
        upstream_ms: float | None = None,
        cut: str | None = None,
        error: str | None = None,
        field: str = "",
    ) -> None:
        """Write how a request was answered.

        Args:
            decision: The id under which the audit log and the reply know it.
            route: Which part of the server served it: a word, never the path.
            status: The HTTP status.
            action: The action of its strongest verdict; `none` where nothing was judged.
            dialect: Whose wire format it spoke.
            tenant: The operator's own name for who asked.
            peer: The address of the client. It is written as a keyed hash: enough to see that two
                lines are of one client, not enough to say who that is.
            policy: The digest of the policy that judged.
            rules: The names of the rules that fired.
            unknown: The checks that could not answer.
            elapsed_ms: The whole of it.
            upstream_ms: The upstream's share.
            cut: Why a stream was ended early.
            error: The code of what the client was told, such as `body_too_large`.
            field: The field that was refused, as far as its name may be told (`UnknownField`).
        """
        facts: dict[str, Facts] = {
            "decision": decision,
            "route": route,
            "dialect": dialect,
            "status": status,
            "action": action,
            "elapsed_ms": elapsed_ms,
        }
        if upstream_ms is not None:
            facts["upstream_ms"] = upstream_ms
        more: tuple[tuple[str, Facts], ...] = (
            ("rules", tuple(rules)),
            ("unknown", tuple(unknown)),
            ("tenant", tenant),
            ("peer", self.peer(peer) if peer else ""),
            ("policy", policy),
            ("cut", cut),
            ("error", error),
            ("field", field),
        )
        facts.update((name, value) for name, value in more if value)
        self.event("request", **facts)

    def peer(self, address: str) -> str:
        """The word that stands for a client's address."""
        data = address.encode("utf-8", "backslashreplace")
        return hashlib.blake2b(data, digest_size=8, key=self._key).hexdigest()

    # --- one line

    def _line(self, name: str, facts: Mapping[str, object]) -> str:
        at = datetime.fromtimestamp(self._clock(), UTC)
        when = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
        shown = {_key(key): _plain(value) for key, value in facts.items()}
        shown.pop("time", None)  # none of them takes the place of ours
        shown.pop("event", None)
        if self.is_json:
            line = {"time": when, "event": _cut(name), **shown}
            return f"{_as_json(line)}\n"
        words = " ".join(f"{key}={_worded(value)}" for key, value in shown.items())
        return f"{when} {_worded(_cut(name))}{' ' if words else ''}{words}\n"


def _plain(value: object) -> object:
    """What may stand in a line: finite numbers, words that are not long, short lists of them."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else "large"
    if isinstance(value, float):
        return round(value, 3) if abs(value) < 1e15 else str(value)
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, (tuple, list)):
        names = [_cut(v) if isinstance(v, str) else f"<{type(v).__name__}>" for v in value]
        more = len(names) - MOST_NAMES
        return names if more <= 0 else [*names[:MOST_NAMES], f"and {more} more"]
    return f"<{type(value).__name__}>"


def _key(name: str) -> str:
    return _NO_KEY.sub("_", name[:_MOST_KEY]) or "_"


def _cut(value: str) -> str:
    return value if len(value) <= MOST_CHARS else f"{value[: MOST_CHARS - 3]}..."


def _worded(value: object) -> str:
    """For the form `text`: a word as it is, anything else as a JSON string, so none can be forged.

    A space or an equals sign inside a value would otherwise look like the next fact.
    """
    if isinstance(value, str):
        if _BARE.fullmatch(value):
            return value
        return _as_json(value)
    if isinstance(value, list):
        return f"[{','.join(_worded(part) for part in value)}]"
    return _as_json(value)


_as_json: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
"""Printable ASCII: `json` escapes everything else."""


def _to_stderr(line: str) -> None:
    # One call of the system: lines of several workers on one pipe do not run into each other.
    os.write(2, line.encode("ascii"))


# --- what others write


def quiet_libraries(log: Log) -> Callable[[], None]:
    """Keep every library from writing what it was given: to `logging`, to a hook, as a warning.

    Records of loggers below `guardkit` keep their sentence, which holds names and numbers. Every
    other record loses message, arguments and exception at its making; from WARNING on it becomes
    an event `library` with the logger, the place in the code and the type of the exception. It is
    for processes that belong to guardkit, such as `guardkit serve`: nobody else's logs survive it.
    An HTTP server has to be started without a logging configuration of its own.

    Args:
        log: Where what is left is written.

    Returns:
        What undoes it.
    """
    root = logging.getLogger()
    before = (
        logging.getLogRecordFactory(),
        list(root.handlers),
        root.level,
        sys.excepthook,
        sys.unraisablehook,
        threading.excepthook,
        warnings.showwarning,
    )
    listened = {
        logger: (list(logger.handlers), logger.propagate)
        for logger in list(logging.Logger.manager.loggerDict.values())
        if isinstance(logger, logging.Logger)
    }
    for logger in listened:
        logger.handlers, logger.propagate = [], True
    logging.setLogRecordFactory(_emptied(before[0]))
    root.handlers = [_Events(log)]
    root.setLevel(logging.INFO)
    sys.excepthook = lambda kind, error, trace: _crashed(log, "main", kind, trace)
    sys.unraisablehook = lambda found: _crashed(
        log, "finalizer", found.exc_type, found.exc_traceback
    )
    threading.excepthook = lambda found: _crashed(
        log, "thread", found.exc_type, found.exc_traceback
    )
    warnings.showwarning = lambda message, category, filename, lineno, file=None, line=None: (
        log.event("warning", kind=category.__name__, at=f"{os.path.basename(filename)}:{lineno}")
    )

    def undo() -> None:
        logging.setLogRecordFactory(before[0])
        root.handlers = before[1]
        root.setLevel(before[2])
        sys.excepthook, sys.unraisablehook, threading.excepthook = before[3:6]
        warnings.showwarning = before[6]
        for logger, (handlers, propagate) in listened.items():
            logger.handlers, logger.propagate = handlers, propagate

    return undo


def _emptied(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """A maker of records that keep what the code says, and nothing of what it was given."""

    def emptied(*args: Any, **kwargs: Any) -> logging.LogRecord:  # whatever `logging` hands over
        record = make(*args, **kwargs)
        if _is_own(record.name):
            return record
        record.guardkit_error = _error_of(record)
        record.msg = _says(record.msg)
        record.args = None
        record.exc_info = record.exc_text = record.stack_info = None
        return record

    return emptied


def _is_own(logger: str) -> bool:
    return logger == _OWN or logger.startswith(f"{_OWN}.")


def _error_of(record: logging.LogRecord) -> str | None:
    found = record.exc_info[1] if record.exc_info else record.msg
    return type(found).__name__ if isinstance(found, BaseException) else None


def _says(message: object) -> str:
    """The sentence, where it is one of those that hold nothing; what a system error means."""
    if isinstance(message, OSError) and message.errno is not None:
        return os.strerror(message.errno)
    return message.strip() if isinstance(message, str) and message in _SAFE_TEMPLATES else ""


class _Events(logging.Handler):
    """Turns what is left of a record into an event."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        if _is_own(record.name):
            try:
                says = record.getMessage()
            except Exception:  # noqa: BLE001 - a sentence whose parts do not fit is still an event
                says = ""
            self._log.event("said", logger=record.name, level=record.levelname.lower(), says=says)
        elif record.levelno >= logging.WARNING or record.msg:
            facts: dict[str, Facts] = {
                "logger": record.name,
                "level": record.levelname.lower(),
                "at": f"{record.filename}:{record.lineno}",
            }
            error = getattr(record, "guardkit_error", None)
            facts.update((k, v) for k, v in (("says", record.msg), ("error", error)) if v)
            self._log.event("library", **facts)


def _crashed(
    log: Log, where: str, kind: type[BaseException] | None, trace: TracebackType | None
) -> None:
    """Say that an exception went unseen: its type and where it came from, not what it says."""
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}")
        trace = trace.tb_next
    name = kind.__name__ if kind is not None else "unknown"
    log.event("crashed", where=where, error=name, at=places[-MOST_NAMES:])
