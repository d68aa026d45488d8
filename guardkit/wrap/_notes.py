"""What is noted while one exchange runs, and the ledger that it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from guardkit.errors import ModelError
from guardkit.types import STRENGTH, Layer, Ledger, Record, Refusal, Verdict

from ._guarding import Streaming
from ._replied import KEPT, filtered, rejected, text_of, text_of_chunk

_STOPS = STRENGTH["revise"]
_INBOUND = frozenset({"input", "retrieved", "tool_result"})


Texts = Callable[[Any], str]


class Reply:
    """What one call of the model came to."""

    __slots__ = ("_texts", "begun", "elapsed_us", "filter", "text")

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self.begun = perf_counter()
        self.elapsed_us = 0.0
        self.text = ""
        self.filter = ""

    def whole(self, reply: Any) -> None:
        """It is all there."""
        self.text = self._texts(reply)[:KEPT]
        self.filter = filtered(reply)
        self.over()

    def chunk(self, chunk: Any) -> None:
        """Another piece of it."""
        if len(self.text) < KEPT:
            self.text += text_of_chunk(chunk)
        if type(chunk) is not str:
            self.filter = self.filter or filtered(chunk)

    def over(self) -> None:
        """Nothing more will come."""
        self.elapsed_us = (perf_counter() - self.begun) * 1e6


class Notes:
    """Notes of one exchange.

    Args:
        refusal_of: How a reply refuses.
        keys: Session and tenant, where they are the same for every call.
        texts: What a whole reply says.
    """

    def __init__(self, refusal_of: Any, keys: Mapping[str, Any], texts: Texts = text_of) -> None:
        self._refusal_of = refusal_of
        self._texts = texts
        self.keys = keys
        self.begun = perf_counter()
        self.question: str | None = None
        """The last text of the user."""
        self.is_question = True
        """Whether what is judged now is what the user says, not a tool's definition."""
        self._records: list[Record] = []
        self._streams: list[Streaming] = []
        self._replies: list[Reply] = []
        self._rewritten: list[Verdict] = []
        self._revised: Verdict | None = None
        self._stop: Verdict | None = None
        self._rejected = ""
        self._broke = ""

    # --- what is noted

    def judged(self, verdict: Verdict) -> None:
        """A text or a call was judged."""
        layer = _layer_of(verdict.surface)
        on = "" if verdict.surface == layer else f"on {verdict.surface}"
        self._records += [
            record._replace(layer=layer, detail=record.detail or on) for record in verdict.records
        ]
        whole = Record(layer, "policy", verdict.action, verdict.elapsed_us, None, on)
        self._records.append(whole)
        if layer == "output" and verdict.action == "rewrite":
            self._rewritten.append(verdict)
        if layer == "output" and verdict.action == "revise" and self._revised is None:
            self._revised = verdict

    def cleared(self, surface: str) -> None:
        """A glance was enough."""
        self._records.append(Record(_layer_of(surface), "policy", "pass", 0.0))

    def streams(self, stream: Streaming) -> None:
        """A text is judged while it passes."""
        self._streams.append(stream)

    def prompted(self) -> None:
        """The context layer was put in."""
        self._records.append(Record("context", "policy", "given", 0.0))

    def asks(self) -> Reply:
        """The model is called."""
        reply = Reply(self._texts)
        self._replies.append(reply)
        return reply

    def stopped(self, verdict: Verdict) -> None:
        """The exchange ends with this verdict."""
        self._stop = verdict

    def broke(self, error: BaseException) -> None:
        """The exchange ended in an error. What it holds is not kept: it may hold this."""
        if not self._broke:
            self._rejected, self._broke = rejected(error), _named(error)

    # --- what it comes to

    def ledger(self, *, is_fault: bool) -> Ledger:
        """The ledger; `expected` is still to be asked for.

        Args:
            is_fault: Whether an error is what the exchange came to.
        """
        if not is_fault:
            self._rejected = self._broke = ""
        for stream in self._streams:
            if stream.verdict is not None:
                self.judged(stream.verdict)
        self._streams.clear()
        last = self._replies[-1] if self._replies else None
        kind: Refusal = self._refusal_of(last.text) if last is not None and last.text else "none"
        ended = self._ended(last, kind)
        elapsed_us = (perf_counter() - self.begun) * 1e6
        records = sorted(self._all(kind), key=lambda record: _ORDER[record.layer])
        return ended._replace(refusal=kind, records=tuple(records), elapsed_us=elapsed_us)

    def _ended(self, last: Reply | None, kind: Refusal) -> Ledger:
        if (stop := self._stop) is not None:
            return Ledger("refused", _layer_of(stop.surface), _by(stop))
        if self._rejected:
            return Ledger("refused", "provider", self._rejected)
        if self._broke:
            return Ledger("failed", "transport", self._broke)
        if last is None:
            return Ledger("failed", "transport", "no reply")
        if last.filter:
            return Ledger("refused", "provider", last.filter)
        for verdict in self._rewritten:
            if kind == "none" and self._refusal_of(verdict.text) != "none":
                return Ledger("refused", "output", _by(verdict))
        if kind == "none":
            return Ledger("answered")
        first = self._replies[0]
        if self._revised is not None and self._refusal_of(first.text) == "none":
            # The model answered, and refused when a rule asked it to try again.
            return Ledger("refused", "output", _by(self._revised))
        return Ledger("refused", "model", f"refusal {kind}")

    def _all(self, kind: Refusal) -> list[Record]:
        calls = [
            Record("model", "reply", "asked", reply.elapsed_us) for reply in self._replies[:-1]
        ]
        if self._replies:
            last = self._replies[-1]
            outcome = f"refusal {kind}" if kind != "none" else "reply" if last.text else "no text"
            calls.append(Record("model", "reply", outcome, last.elapsed_us))
            if last.filter:
                calls.append(Record("provider", last.filter, "stopped", 0.0))
        if self._stop is None and self._rejected:
            calls.append(Record("provider", self._rejected, "stopped", 0.0))
        elif self._stop is None and self._broke:
            calls.append(Record("transport", self._broke, "failed", 0.0))
        return [*self._records, *calls]


_ORDER: dict[str, int] = {
    "input": 0,
    "context": 1,
    "weights": 2,
    "model": 2,
    "provider": 3,
    "output": 4,
    "transport": 5,
}


def _layer_of(surface: str) -> Layer:
    return "input" if surface in _INBOUND else "output"


def _named(error: BaseException) -> str:
    """What may be told of an error: its type, or what one of our own says may be shown."""
    return error.shown if isinstance(error, ModelError) else type(error).__name__


def _by(verdict: Verdict) -> str:
    """The rule that stopped a text: the first of those whose action is as strong as the verdict."""
    said = {record.by: record.outcome for record in verdict.records}
    for name in verdict.fired:
        if STRENGTH.get(said.get(f"rule {name}", ""), 0) >= _STOPS:
            return f"rule {name}"
    if verdict.fired:
        return f"rule {verdict.fired[0]}"
    return "policy"
