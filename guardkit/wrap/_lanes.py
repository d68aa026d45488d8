"""The text of one choice in a stream: each field judged alone, and all as they come, as one.

While only one field speaks, its stream is both. When another begins, a stream for the joined text
begins too, told what the first has shown, so that a match across the border is found and no half
of it leaves. The stream of the first stays open: it may go on, and its reader puts both halves
together. What it holds is shown once it lets go, at the latest when the choice ends.
All of them judge the text as the model wrote it. Pseudonyms are undone last, in what is shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NoReturn

from guardkit.types import Verdict

from ._chunks import Said
from ._guarding import Restoring, Streaming
from ._judge import counted
from ._order import Order, Piece, Shown, Stop, compare, consume, cut
from ._reader import GOES_ON, Block, Make, cleared, stopped_by
from ._steps import Ask, Steps


class _Field:
    """One field of the choice."""

    __slots__ = ("key", "make", "owed", "shows", "stream", "tail", "waiting")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.stream: Streaming | None = None
        """None where the field has ended."""
        self.make: Make | None = None
        self.owed = ""
        """What its stream still holds of what was shown before."""
        self.waiting: deque[Piece] = deque()
        """Its pieces that were interrupted and that its stream has not cleared."""
        self.tail = ""
        """What was cleared and may be the beginning of a pseudonym."""
        self.shows: Make | None = None
        """Makes the chunk for it."""


class Lane:
    """One choice."""

    def __init__(
        self,
        open_stream: Callable[[bool], Streaming],
        keys: Mapping[str, Any],
        restorer: Restoring | None,
    ) -> None:
        self._open = open_stream
        self._keys = keys
        self._restorer = restorer
        self._order = Order(lambda: open_stream(True))
        self._fired: set[str] = set()
        """The rules that the session counted for one field."""
        self._fields: dict[Hashable, _Field] = {}
        """In the order in which they spoke last."""
        self._speaker: _Field | None = None
        self._make: Make | None = None

    @property
    def open(self) -> list[Streaming]:
        """The streams of the fields that may go on."""
        return [field.stream for field in self._fields.values() if field.stream is not None]

    def feed(self, said: Said) -> Steps[list[Any]]:
        """The chunks that may be shown now."""
        out: list[Any] = []
        field = self._speaker
        if field is None or said.field != field.key:
            field = yield from self._turn_to(said.field, out)
        field.make = self._make = said.make
        stream = field.stream
        assert stream is not None
        text = yield Ask("feed", (stream, said.text), {})
        if stream.closed:
            text += yield Ask("finish", (stream,), {})  # now its session knows
        yield from self._pass_on(field, stream, text, out)
        return out

    def behind(self, chunk: Any) -> list[Any]:
        """A chunk without text: it stays behind the text that is held before it."""
        if self._order.joined is None:
            return [chunk]
        return [item.chunk for item in self._order.behind(Shown(None, chunk=chunk))]

    def end_field(self, block: Hashable) -> Steps[list[Any]]:
        """The fields of this block have ended; what they end with may still begin a match."""
        out: list[Any] = []
        for field in list(self._fields.values()):
            is_of = isinstance(field.key, tuple) and field.key[0] == block
            if is_of and field.stream is not None:
                if self._order.joined is None:
                    yield from self._begin(field, out)
                yield from self._end(field, out)
                for _ in self._order.behind(Shown(field.key)):
                    self._flush(field, out)
        return out

    def finish(self) -> Steps[list[Any]]:
        """The choice has ended: the rest."""
        out: list[Any] = []
        for field in list(self._fields.values()):
            if field.stream is not None:
                yield from self._end(field, out)
        if (joined := self._order.joined) is not None:
            shown, stop = yield from self._order.finish()
            self._show_all(shown, out)
            if stop is not None:
                yield from self._stop(stop, out)
            if joined.verdict is not None:
                verdict = yield from self._counted(Stop(joined.verdict, joined.text))
                if verdict.action not in GOES_ON:
                    raise Block(verdict, out, self._make)
            self._order.end()
        for field in self._fields.values():
            self._flush(field, out)
        return out

    # --- fields

    def _turn_to(self, key: Hashable, out: list[Any]) -> Steps[_Field]:
        before = self._speaker
        if before is not None and before.stream is not None:
            if self._order.joined is None:
                yield from self._begin(before, out)
            self._pause(before)
        # The last one to speak is the last one: so they are finished in that order.
        field = self._fields.pop(key, None) or _Field(key)
        self._fields[key] = self._speaker = field
        if field.stream is None:
            stream = field.stream = self._open(False)
            if told := self._order.told(key):
                released = yield Ask("feed", (stream, told), {})
                if stream.closed or not told.startswith(released):
                    raise Block(stopped_by(stream.verdict), out, self._make)
                field.owed = told[len(released) :]
        return field

    def _begin(self, field: _Field, out: list[Any]) -> Steps[None]:
        """There may be more fields than this one."""
        if (stop := (yield from self._order.begin(field.key))) is not None:
            yield from self._stop(stop._replace(verdict=stopped_by(stop.verdict)), out)

    def _pause(self, field: _Field) -> None:
        """Another field interrupts this one."""
        stream: Any = field.stream
        text = ahead = stream.ahead() if hasattr(stream, "ahead") else ""
        is_known = ahead is not None
        if not is_known:
            text = stream.held
        owed = min(len(field.owed), len(text))  # what was shown is not told again
        if text := compare(field.waiting, text[owed:], is_known=is_known):
            piece = self._order.piece(field.key)
            piece.make, piece.expects, piece.is_known = field.make, text, is_known
            field.waiting.append(piece)

    def _end(self, field: _Field, out: list[Any]) -> Steps[None]:
        """This field says no more."""
        stream, field.stream = field.stream, None
        assert stream is not None
        text = yield Ask("finish", (stream,), {})
        yield from self._pass_on(field, stream, text, out, is_end=True)
        if field is self._speaker:
            self._speaker = None

    # --- what goes out

    def _pass_on(
        self,
        field: _Field,
        stream: Streaming,
        text: str,
        out: list[Any],
        *,
        is_end: bool = False,
    ) -> Steps[None]:
        text, verdict = cleared(stream, text, is_end=is_end)
        if stream.verdict is not None:
            self._fired.update(stream.verdict.fired)
        if field.owed:
            text = self._repaid(field, text, out)
        if self._order.joined is None:
            if text:
                self._order.note(field.key, text)
                self._show(field, text, field.make, out)
        elif verdict is None or not field.waiting:
            # Of a field that is stopped, a piece may be missing: what came after it is not told, as
            # it would seem to follow what came before.
            self._place(field, text, is_end=is_end)
            shown, stop = yield from self._order.release()
            self._show_all(shown, out)
            if stop is not None:
                yield from self._stop(stop, out)
        if verdict is not None:
            for each in self._fields.values():
                self._flush(each, out)
            yield from self._end_others()
            raise Block(verdict, out, self._make)

    def _place(self, field: _Field, text: str, *, is_end: bool) -> None:
        """Give its text to the pieces that it belongs to."""
        last = field.waiting[-1] if field.waiting else None
        text = consume(field.waiting, text)
        if is_end:
            cut(field.waiting)
        if not text:
            return
        if field is not self._speaker and last is not None and not last.is_known:
            last.give(text, field.make)  # nothing was told yet of what it might be
        else:
            self._order.piece(field.key).give(text, field.make)

    def _repaid(self, field: _Field, text: str, out: list[Any]) -> str:
        """What was shown once is not shown again, and cannot be changed any more."""
        again = min(len(field.owed), len(text))
        if field.owed[:again] != text[:again]:
            raise Block(stopped_by(None), out, self._make)
        field.owed = field.owed[again:]
        return text[again:]

    def _show_all(self, shown: list[Shown], out: list[Any]) -> None:
        for item in shown:
            if item.chunk is not None:
                out.append(item.chunk)
            elif item.text:
                self._show(self._fields[item.field], item.text, item.make, out)
            else:
                self._flush(self._fields[item.field], out)

    def _show(self, field: _Field, text: str, make: Make | None, out: list[Any]) -> None:
        """Text that is cleared, with the pseudonyms of its session undone."""
        assert make is not None
        if self._restorer is not None:
            text = self._restorer.feed(field.tail + text)
            # One restorer serves all fields, so each keeps for itself what is held of its text.
            field.tail, field.shows = self._restorer.finish(), make
        if text:
            out.append(make(text))

    def _flush(self, field: _Field, out: list[Any]) -> None:
        if field.tail and field.shows is not None:
            tail, field.tail = field.tail, ""
            out.append(field.shows(tail))

    # --- stopping

    def _stop(self, stop: Stop, out: list[Any]) -> Steps[NoReturn]:
        """The joined text ends the choice."""
        yield from self._end_others()
        verdict = yield from self._counted(stop)
        raise Block(stop.verdict if verdict.action in GOES_ON else verdict, out, self._make)

    def _end_others(self) -> Steps[None]:
        """What the other fields came to counts, and is told, though nothing of it goes out."""
        for stream in self.open:
            if not stream.closed:
                yield Ask("finish", (stream,), {})
            if stream.verdict is not None:
                self._fired.update(stream.verdict.fired)

    def _counted(self, stop: Stop) -> Steps[Verdict]:
        """The verdict on the joined text; a rule that no field fired alone is counted for it."""
        keys = {"on": "output", **self._keys}
        return (yield from counted(stop.verdict, self._fired, stop.text, keys))
