"""The text of one choice in a stream: each field judged alone, and all as they are shown, as one.

While only one field speaks, its stream is both. When another begins, what is held of the first is
ended and a stream for the joined text begins, fed with what the first has shown, so that a match
across the border is found and no half of it leaves: the end of the first field is held there.
All of them judge the text as the model wrote it. Pseudonyms are undone last, in what is shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

from guardkit.types import Verdict

from ._chunks import Said
from ._guarding import Restoring, Streaming
from ._judge import STOPPED, counted
from ._steps import Ask, Steps

REPLAYED = 8_192
"""How much of what a field has shown a later stream is told; more than any live match is long."""

Make = Callable[[str], Any]


class _Shown(NamedTuple):
    """Text that waits for the joined stream, or a chunk without text that has to stay behind it.

    Neither text nor chunk: the field has ended, and what is held of its pseudonyms is due.
    """

    text: str
    make: Make | None
    chunk: Any = None


class Block(Exception):  # noqa: N818 - a decision on its way to the driver
    """Ends a relay. `shown` is what was cleared before."""

    def __init__(self, verdict: Verdict, shown: list[Any], make: Make | None) -> None:
        super().__init__()
        self.verdict, self.shown, self.make = verdict, shown, make


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
        self._tail = ""
        """What was cleared and may be the beginning of a pseudonym."""
        self._shows: Make | None = None
        """Makes the chunk for it."""
        self._fired: set[str] = set()
        """The rules that the session counted for one field."""
        self._field: Hashable = None
        self._stream: Streaming | None = None
        self._make: Make | None = None
        self._shown: list[tuple[Hashable, str]] = []
        """What each field has shown, as far as a later stream may need it."""
        self._size = 0
        self._most = 8 * REPLAYED
        self._joined: Streaming | None = None
        self._owed = self._owed_joined = ""
        """What the stream of the field, and the joined one, still hold of what was shown before."""
        self._waiting: deque[_Shown] = deque()

    @property
    def speaking(self) -> Streaming | None:
        """The stream of the field that speaks."""
        return self._stream

    def feed(self, said: Said) -> Steps[list[Any]]:
        """The chunks that may be shown now."""
        out: list[Any] = []
        if self._stream is None or said.field != self._field:
            yield from self._turn_to(said, out)
        self._make = said.make
        assert self._stream is not None
        text = yield Ask("feed", (self._stream, said.text), {})
        if self._stream.closed:
            text += yield Ask("finish", (self._stream,), {})  # now its session knows
        yield from self._pass_on(self._stream, text, out)
        return out

    def behind(self, chunk: Any) -> list[Any]:
        """A chunk without text: it stays behind the text that is held before it."""
        if not self._waiting:
            return [chunk]
        self._waiting.append(_Shown("", None, chunk))
        return []

    def end_field(self, *, is_last: bool = False) -> Steps[list[Any]]:
        """The field that speaks has ended; unless it was the last, its end may begin a match."""
        out: list[Any] = []
        if self._stream is not None:
            if self._joined is None and not is_last:
                self._joined = self._open(True)
                self._owed_joined = yield from self._replay(self._joined, self._told())
            stream, self._stream = self._stream, None
            text = yield Ask("finish", (stream,), {})
            yield from self._pass_on(stream, text, out, is_end=True)
            if self._joined is None:
                self._flush(out)
            else:
                self._waiting.append(_Shown("", None))
                yield from self._release_counted(self._joined, "", out)
        return out

    def finish(self) -> Steps[list[Any]]:
        """The choice has ended: the rest."""
        out = yield from self.end_field(is_last=True)
        if self._joined is not None:
            joined, self._joined = self._joined, None
            text = yield Ask("finish", (joined,), {})
            yield from self._release_counted(joined, text, out, is_end=True)
            if self._waiting:
                raise Block(stopped_by(joined.verdict), out, self._make)
            if joined.verdict is not None:
                verdict = yield from self._counted(joined.verdict)
                if verdict.action not in GOES_ON:
                    raise Block(verdict, out, self._make)
        return out

    def _turn_to(self, said: Said, out: list[Any]) -> Steps[None]:
        if self._field is not None:
            out += yield from self.end_field()
        self._field, self._stream, self._owed = said.field, self._open(False), ""
        if before := self._told(said.field):
            self._owed = yield from self._replay(self._stream, before)

    def _told(self, *only: Hashable) -> str:
        """The end of what was shown, by one field or by all."""
        texts = [text for field, text in self._shown if not only or field in only]
        return "".join(texts)[-REPLAYED:]

    def _forget(self) -> None:
        # The order of fields is lost, and needed only as long as there is one.
        fields = dict.fromkeys(field for field, _ in self._shown)
        self._shown = [(field, self._told(field)) for field in fields]
        self._size = sum(len(text) for _, text in self._shown)
        self._most = self._size + 8 * REPLAYED

    def _replay(self, stream: Streaming, text: str) -> Steps[str]:
        """Tell a stream what was shown already; what of it is held."""
        released = yield Ask("feed", (stream, text), {})
        if stream.closed or not text.startswith(released):
            raise Block(stopped_by(stream.verdict), [], self._make)
        return text[len(released) :]

    def _pass_on(
        self, stream: Streaming, text: str, out: list[Any], *, is_end: bool = False
    ) -> Steps[None]:
        text, verdict = cleared(stream, text, is_end=is_end)
        if stream.verdict is not None:
            self._fired.update(stream.verdict.fired)
        self._owed, text = self._repaid(self._owed, text, out)
        if text:
            self._shown.append((self._field, text))
            self._size += len(text)
            if self._size > self._most:
                self._forget()
            if self._joined is None:
                self._show(text, self._make, out)
            else:
                self._waiting.append(_Shown(text, self._make))
                shown = yield Ask("feed", (self._joined, text), {})
                yield from self._release_counted(self._joined, shown, out)
        if verdict is not None:
            self._flush(out)
            raise Block(verdict, out, self._make)

    def _show(self, text: str, make: Make | None, out: list[Any]) -> None:
        """Text that is cleared, with the pseudonyms of its session undone."""
        assert make is not None
        if self._restorer is not None:
            text = self._restorer.feed(self._tail + text)
            # One restorer serves all lanes, so each keeps for itself what is held of its text.
            self._tail, self._shows = self._restorer.finish(), make
        if text:
            out.append(make(text))

    def _flush(self, out: list[Any]) -> None:
        if self._tail and self._shows is not None:
            tail, self._tail = self._tail, ""
            out.append(self._shows(tail))

    def _release_counted(
        self, joined: Streaming, text: str, out: list[Any], *, is_end: bool = False
    ) -> Steps[None]:
        try:
            self._release(joined, text, out, is_end=is_end)
        except Block as block:
            ended = yield from self._counted(block.verdict)
            if ended.action not in GOES_ON:
                block.verdict = ended
            raise

    def _counted(self, verdict: Verdict) -> Steps[Verdict]:
        """The verdict on the joined text; a rule that no field fired alone is counted for it."""
        text = "".join(text for _, text in self._shown)
        keys = {"on": "output", **self._keys}
        return (yield from counted(verdict, self._fired, text[-8 * REPLAYED :], keys))

    def _repaid(self, owed: str, text: str, out: list[Any]) -> tuple[str, str]:
        """What was shown once is not shown again, and cannot be changed any more."""
        again = min(len(owed), len(text))
        if owed[:again] != text[:again]:
            raise Block(stopped_by(None), out, self._make)
        return owed[again:], text[again:]

    def _release(
        self, joined: Streaming, text: str, out: list[Any], *, is_end: bool = False
    ) -> None:
        """Give back to the fields what the joined stream lets go."""
        text, verdict = cleared(joined, text, is_end=is_end)
        self._owed_joined, text = self._repaid(self._owed_joined, text, out)
        while self._waiting and (text or not self._waiting[0].text):
            first = self._waiting.popleft()
            if first.make is None:
                if first.chunk is None:
                    self._flush(out)
                else:
                    out.append(first.chunk)
                continue
            part, text = text[: len(first.text)], text[len(first.text) :]
            if not first.text.startswith(part):
                # Rewritten across fields: nobody can say which part belongs where.
                raise Block(stopped_by(joined.verdict), out, self._make)
            self._show(part, first.make, out)
            if len(part) < len(first.text):
                self._waiting.appendleft(_Shown(first.text[len(part) :], first.make))
                break
        if verdict is None and text:
            raise Block(stopped_by(joined.verdict), out, self._make)
        if verdict is not None:
            raise Block(verdict, out, self._make)


def cleared(stream: Streaming, text: str, *, is_end: bool = False) -> tuple[str, Verdict | None]:
    """What may be shown of what a stream gave, and the verdict if that is all there will be."""
    if not stream.closed and not is_end:
        return text, None
    verdict = stream.verdict
    if verdict is None:
        return text, stopped_by(None)  # it ended undecided: that is never a pass
    if is_end and verdict.action in GOES_ON:
        return text, None
    return text, verdict


GOES_ON = ("pass", "flag", "rewrite")


def stopped_by(verdict: Verdict | None) -> Verdict:
    """The block of a stream that cannot go on."""
    if verdict is None:
        return Verdict("block", STOPPED, "output", "", 0.0, STOPPED)
    return verdict._replace(action="block", text=STOPPED, message=STOPPED)
