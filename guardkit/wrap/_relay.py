"""One stream of replies, judged chunk by chunk. It knows no event loop: a driver answers it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from ._chunks import Chunk, Piece, read_chunk
from ._exchange import Exchange, Prepared, Read
from ._guarding import Streaming
from ._judge import GOES, judge, stopped
from ._lanes import Lane
from ._parts import Part, read_reply
from ._reader import Block, cleared, stopped_by
from ._steps import Ask, Steps
from ._tool_arguments import parse_arguments
from ._values import put

MOST_NAMES = 256
MOST_ARGUMENTS = 1 << 20
"""Characters of calls that are held at once; a stream that sends more is stopped."""


class Relay:
    """Takes chunks, gives chunks.

    Raises:
        Block: From every method: the stream has ended, and must be closed at once.
    """

    def __init__(self, exchange: Exchange, prepared: Prepared) -> None:
        keys = prepared.keys
        self._exchange = exchange
        self._keys = keys
        self._sources = prepared.sources
        self._texts: Streaming | None = None
        self._lanes: dict[Hashable, Lane] = {}
        self._calls: dict[tuple[Hashable, Hashable], list[Piece]] = {}
        self._announced: dict[Hashable, list[Any]] = {}
        self._known: set[str] = set()
        self._held = 0
        # Made before anything is judged: a pseudonym that a rule puts into the reply stays.
        self._restorer = exchange.restorer(keys)

    @property
    def texts(self) -> Streaming:
        """The stream of plain texts, for a driver that feeds it itself."""
        if self._texts is None:
            self._texts = self._open()
        return self._texts

    def end_texts(self, text: str) -> None:
        """The stream of plain texts has closed with this text.

        Raises:
            Block: Always.
        """
        assert self._texts is not None
        shown, verdict = cleared(self._texts, text)
        ended = stopped_by(None) if verdict is None else verdict
        raise Block(ended, [shown] if shown else [], None)

    def take(self, chunk: Any) -> Steps[list[Any]]:
        """What may be shown now that this chunk has come."""
        if isinstance(chunk, str):
            return (yield from self._text(chunk))
        read = read_chunk(chunk)
        out: list[Any] = []
        try:
            yield from self._take(read, out)
        except Block as block:
            block.shown[:0] = out
            raise
        return out

    def finish(self) -> Steps[list[Any]]:
        """The stream has ended: what is left."""
        out: list[Any] = []
        try:
            if self._texts is not None:
                text = yield Ask("finish", (self._texts,), {})
                shown, verdict = cleared(self._texts, text, is_end=True)
                if verdict is not None:
                    raise Block(verdict, [shown] if shown else [], None)
                out += [shown] if shown else []
            for choice in list(self._lanes):
                yield from self._end(choice, out)
            for choice, call in list(self._calls):
                yield from self._end((choice, call), out)
        except Block as block:
            block.shown[:0] = out
            raise
        return out

    def leave(self) -> Steps[None]:
        """Nobody reads on: what was taken is judged as a whole, for whoever is told of verdicts."""
        streams = [] if self._texts is None else [self._texts]
        for lane in self._lanes.values():
            streams += lane.open
        for stream in streams:
            if not stream.closed:
                yield Ask("finish", (stream,), {})

    def _text(self, chunk: str) -> Steps[list[Any]]:
        if self._texts is None:
            self._texts = self._open()
        text = yield Ask("feed", (self._texts, chunk), {})
        if self._texts.closed:
            text += yield Ask("finish", (self._texts,), {})  # now its session knows
        shown, verdict = cleared(self._texts, text)
        out = [shown] if shown else []
        if verdict is not None:
            raise Block(verdict, out, None)
        return out

    def _take(self, read: Chunk, out: list[Any]) -> Steps[None]:
        for name in read.names:
            yield from self._name(name)
        opens_first = read.rest is not None and not read.ends and not read.is_whole
        if opens_first and read.waits_for is None:
            out += self._behind(read.rest)
        for said in read.said:
            lane = self._lanes.get(said.choice)
            if lane is None:
                lane = self._lanes[said.choice] = self._lane()
            out += yield from lane.feed(said)
        for piece in read.pieces:
            held = self._calls.setdefault((piece.choice, piece.call), [])
            held.append(piece)
            self._held += len(piece.name) + len(piece.arguments)
            if self._held > MOST_ARGUMENTS:
                raise Block(stopped_by(None), [], None)
        for end in read.ends:
            yield from self._end(end, out)
        if read.waits_for is not None:
            self._announced.setdefault(read.waits_for, []).append(read.rest)
        elif read.rest is not None and not opens_first:
            rest = (yield from self._judged(read.rest)) if read.is_whole else read.rest
            for chunk in (*self._announced.pop(read.brings, ()), rest):
                out += self._behind(chunk, read.ends)

    def _behind(self, chunk: Any, ends: Sequence[Hashable] = ()) -> list[Any]:
        """A chunk without text, once the text before it is out."""
        choices = [end[0] if isinstance(end, tuple) else end for end in ends]
        for choice in choices or self._lanes.keys():
            if (lane := self._lanes.get(choice)) is not None:
                return lane.behind(chunk)
        return [chunk]

    def _name(self, name: str) -> Steps[None]:
        """A text that is no part of what streams; the same ones come with every chunk."""
        if name in self._known:
            return
        verdict = yield Ask("check", (name,), {"on": "output", **self._keys})
        if verdict.action not in GOES:
            raise Block(verdict if verdict.action == "block" else stopped(verdict), [], None)
        if len(self._known) < MOST_NAMES:
            self._known.add(name)

    def _end(self, end: Hashable, out: list[Any]) -> Steps[None]:
        if isinstance(end, tuple):
            if (held := self._calls.pop(end, None)) is not None:
                for chunk in (yield from self._call(held)):
                    out += self._behind(chunk, (end,))
            elif (lane := self._lanes.get(end[0])) is not None:
                out += yield from lane.end_field(end[1])
            return
        if (lane := self._lanes.get(end)) is not None:
            out += yield from lane.finish()
        for key in [key for key in self._calls if key[0] == end]:
            out += yield from self._call(self._calls.pop(key))

    def _call(self, pieces: list[Piece]) -> Steps[list[Any]]:
        """A whole call, judged."""
        name = "".join(piece.name for piece in pieces)
        written = "".join(piece.arguments for piece in pieces)
        self._held -= len(name) + len(written)
        arguments = parse_arguments(written)
        part = Part("call", "tool_call", written or "{}", (), name, None, arguments)
        judged = yield from judge([part], self._keys)
        if (verdict := judged.ends) is not None:
            raise Block(verdict, [], None)
        written = judged.changes.get((), written)
        return pieces[0].make(name, written)

    def _judged(self, chunk: Any) -> Steps[Any]:
        """A chunk that carries whole texts, judged like a reply."""
        reader = read_reply(chunk)
        pseudonyms = self._exchange.pseudonyms(reader, self._keys)
        judged = yield from judge(reader.parts, self._keys, sources=self._sources)
        if (verdict := judged.ends) is not None:
            raise Block(verdict, [], None)
        return put(chunk, Read(reader, judged, pseudonyms).changes())

    def _lane(self) -> Lane:
        keys = {**self._keys, "sources": self._sources} if self._sources else self._keys
        return Lane(self._open_field, keys, self._restorer)

    def _open(self) -> Streaming:
        return self._exchange.guard.stream(
            on="output", says=False, sources=self._sources, **self._keys
        )

    def _open_field(self, again: bool) -> Streaming:
        # A session counts each field; the joined text is those fields again.
        return self._exchange.guard.stream(
            on="output",
            says=False,
            sources=self._sources,
            restores=False,
            again=again,
            **self._keys,
        )
