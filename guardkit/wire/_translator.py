"""One exchange on the wire: bytes to what is judged, and what was judged to bytes. No I/O.

A server in front of a model and a transport inside a client say and hear the same; they differ in
who carries the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from guardkit.types import Verdict

from ._asked import Asked
from ._dialect import Dialect, Event, Unreadable
from ._fault import Fault
from ._json import MOST_REPLY_WORK, read_json, write_json
from ._reading import without_odds
from ._sse import BrokenStream, EventReader, event_bytes


class Cut(Unreadable):
    """A stream ended before its end."""


class Translator:
    """Reads what the model says in one exchange, and writes what is said to it and to the client.

    Args:
        dialect: The dialect of the request.
        asked: The request, taken apart.
        decision: The id of the exchange, for replies that are made here.
    """

    __slots__ = ("_asked", "_decision", "_dialect", "_has_ended", "_head", "_reader", "_stream")

    def __init__(self, dialect: Dialect, asked: Asked, decision: str) -> None:
        self._dialect = dialect
        self._asked = asked
        self._decision = decision
        self._head: Event = {}
        self._stream = dialect.events(asked, decision) if asked.streams else None
        self._reader = EventReader()
        self._has_ended = False

    @property
    def streams(self) -> bool:
        """Whether the reply is a stream."""
        return self._stream is not None

    @property
    def held(self) -> int:
        """Characters of a stream that were held back, when they were most."""
        return 0 if self._stream is None else self._stream.held

    # --- to the model

    def request(self, texts: Mapping[str, Any], rest: list[Any]) -> bytes:
        """The body of the request, written anew from what was judged.

        Args:
            texts: The named texts.
            rest: All other text.
        """
        return write_json(self._asked.put_together(texts, rest))

    # --- from the model

    def reply(self, data: bytes) -> dict[str, Any]:
        """What is to be judged of a whole reply.

        Raises:
            Unreadable: It is none.
        """
        try:
            judged, self._head = self._dialect.reply(
                _read(data, "reply", most=MOST_REPLY_WORK), self._asked
            )
        except Fault:
            raise Unreadable from None
        return judged

    def feed(self, data: bytes) -> Iterator[Event]:
        """What is to be judged of the events that are complete with `data`, however it is cut.

        Raises:
            Unreadable: An event is none of this dialect; those before it came out.
        """
        assert self._stream is not None
        try:
            for event in self._reader.feed(data):
                if self._has_ended:
                    return
                if event.data == "[DONE]":
                    self._end()
                elif (taken := self._stream.take(_read(event.data.encode(), "event"))) is not None:
                    yield taken
        except (BrokenStream, Fault):
            raise Unreadable from None

    def finish(self) -> None:
        """Say that no more bytes come.

        Raises:
            Cut: The stream has not come to the end that the dialect has.
        """
        if self._has_ended:
            return
        try:
            self._reader.finish()
        except BrokenStream:
            raise Unreadable from None
        if self._reader.is_cut:
            raise Cut
        self._end()

    @property
    def has_ended(self) -> bool:
        """Whether the stream said that it is over: whatever still comes is not read."""
        return self._has_ended

    def _end(self) -> None:
        assert self._stream is not None
        if not self._stream.is_over:
            raise Cut
        self._has_ended = True

    # --- to the client

    def whole(self, judged: Any, stopped: Verdict | None) -> bytes:
        """A whole reply.

        Args:
            judged: What came out of the judgement.
            stopped: The verdict that ended the exchange.
        """
        # A revision that passed was told of, too, and its reply is the model's.
        if stopped is None or (stopped.action == "revise" and not _says(judged, stopped.text)):
            return write_json({**self._head, **judged})
        # Made anew: a field nobody knows may hold the very text that was stopped.
        made = self._dialect.refusal(stopped.text, self._asked, self._decision)
        return write_json({**made, **self._head})

    def refusal(self, message: str) -> bytes:
        """A whole reply that says a message, for a block before the model was asked."""
        return write_json(self._dialect.refusal(message, self._asked, self._decision))

    def refusals(self, message: str) -> Iterator[bytes]:
        """The same as a whole stream."""
        assert self._stream is not None
        for event in self._stream.refusal(message):
            yield self._bytes(event)
        yield from self._done()

    def event(self, judged: Any, stopped: Verdict | None) -> bytes:
        """One event of a stream.

        Args:
            judged: What came out of the judgement.
            stopped: The verdict that ended the exchange, where one did by now.
        """
        stream = self._stream
        assert stream is not None
        given = stream.give(judged) if stopped is None else stream.end(judged, stopped.text)
        return self._bytes(given)

    def closing(self, *, is_blocked: bool) -> Iterator[bytes]:
        """What the client still has to hear at the end of a stream."""
        assert self._stream is not None
        for event in self._stream.closing(is_blocked=is_blocked):
            yield self._bytes(event)
        yield from self._done()

    def fault(self, fault: Fault) -> bytes:
        """What ends a stream that cannot go on, in the shape of the dialect."""
        kind, data = self._dialect.fault(fault, self._decision, self._stream)
        return event_bytes(write_json(data), kind)

    def _bytes(self, event: Event) -> bytes:
        return event_bytes(write_json(event), self._dialect.kind(event))

    def _done(self) -> Iterator[bytes]:
        if self._dialect.ends_with_done:
            yield event_bytes(b"[DONE]")


def _read(data: bytes, what: str, **most: int) -> Event:
    said = read_json(data, what=what, **most)
    # Escaped, the name looks like another one.
    if any(name in data for name in _IN_PIECES):
        said = without_odds(said)
    return said


_IN_PIECES: Final = (b"logprobs", b"token_ids", b"output_ids", b"\\u")


def _says(judged: Event, message: str) -> bool:
    """Whether a whole reply says a message and nothing else."""
    said = judged.get("choices") or judged.get("output") or [judged]
    for each in said:
        inner = each.get("message", each)
        texts = inner.get("content", inner.get("text"))
        if type(texts) is list and len(texts) == 1 and type(texts[0]) is dict:
            texts = texts[0].get("text")
        if texts != message:
            return False
    return True
