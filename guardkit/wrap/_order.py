"""The fields of one choice in the order in which they came, and what of them may be shown by now.

A field that another interrupts may go on: its own stream stays open, and what it holds is not
shown. Its piece of the joined text is told at once all the same, as the field's stream would give
it if the field were over, so that what follows need not wait for it and may be shown before it.
Where that makes another order of what is shown, the borders are read once more in that order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from guardkit.types import Verdict

from ._guarding import Streaming
from ._reader import REPLAYED, Make, Reader, common, stopped_by
from ._steps import Steps


class Shown(NamedTuple):
    """Text that may be shown; or a chunk without text; with neither, its field has ended."""

    field: Hashable
    text: str = ""
    make: Make | None = None
    chunk: Any = None


class Stop(NamedTuple):
    """A verdict that ends the choice, and the text that it is about."""

    verdict: Verdict
    text: str


class Piece:
    """What a field said without being interrupted."""

    __slots__ = (
        "by_joined",
        "by_own",
        "expects",
        "field",
        "is_cut",
        "is_known",
        "is_over",
        "make",
        "number",
        "shown",
        "text",
        "told",
    )

    def __init__(self, field: Hashable, number: int) -> None:
        self.field, self.number = field, number
        self.make: Make | None = None
        self.text = ""
        """What its own stream has cleared and nobody was shown."""
        self.by_own = self.told = self.by_joined = self.shown = 0
        """How many characters its own stream cleared, the joined text was told, that cleared, and
        were shown."""
        self.expects = ""
        """What its own stream holds of it, as it will probably come."""
        self.is_known = False
        """Whether that was judged, so that the joined text may be told."""
        self.is_over = False
        """Whether something else came since."""
        self.is_cut = False
        """Whether some of what was expected never came."""

    @property
    def waits(self) -> bool:
        """Whether the joined text holds it: then it holds all that follows, too."""
        return self.by_joined < self.told or self.told < self.by_own + len(self.expects)

    @property
    def is_whole(self) -> bool:
        """Whether all of it was shown, and it ends where it was thought to end."""
        ends = self.is_over and not self.expects and not self.is_cut
        return ends and self.shown == self.by_own

    def give(self, text: str, make: Make | None) -> None:
        """Its own stream cleared this."""
        self.text += text
        self.by_own += len(text)
        self.make = make


class Order:
    """The pieces of one choice."""

    def __init__(self, open_stream: Callable[[], Streaming]) -> None:
        self._open = open_stream
        self._queue: deque[Piece | Shown] = deque()
        self._count = 0
        self._last: Piece | None = None
        """The piece of which something was shown last."""
        self._joined: Reader | None = None
        self._untold: deque[Piece] = deque()
        self._tickets: deque[tuple[Piece | None, int]] = deque()
        """Whose characters the joined text holds, in its order."""
        self._credited = 0
        self._again: Reader | None = None
        """Reads what is shown in another order than it came."""
        self._border = 0
        """Where in its text the last two pieces meet that did not follow each other."""
        self._sent: deque[Shown] = deque()
        self._passed = 0
        self._shown: list[tuple[Hashable, str]] = []
        """What each field has shown, as far as a later stream may need it."""
        self._size = 0
        self._most = 8 * REPLAYED

    # --- what was shown

    def note(self, field: Hashable, text: str) -> None:
        """This is shown now."""
        self._shown.append((field, text))
        self._size += len(text)
        if self._size > self._most:
            self._forget()

    def _forget(self) -> None:
        """Keep the end of what was shown, and the end of what each field has shown."""
        kept: list[tuple[Hashable, str]] = []
        size, sizes = 0, dict[Hashable, int]()
        for field, text in reversed(self._shown):
            mine = sizes.get(field, 0)
            if min(size, mine) < REPLAYED:
                kept.append((field, text[-REPLAYED:]))
                size += len(text)
                sizes[field] = mine + len(text)
        self._shown = kept[::-1]
        self._size = sum(len(text) for _, text in kept)
        self._most = self._size + 8 * REPLAYED

    def told(self, *only: Hashable) -> str:
        """The end of what was shown, by one field or by all."""
        texts = [text for field, text in self._shown if not only or field in only]
        return "".join(texts)[-REPLAYED:]

    # --- what comes in

    @property
    def joined(self) -> Reader | None:
        """The joined text; None while a single field is all there is."""
        return self._joined

    def begin(self, field: Hashable) -> Steps[Stop | None]:
        """A second field may begin: what this one has shown is the first of the joined text."""
        self._joined = Reader(self._open())
        self._last = self.piece(field)
        told = self.told()
        self._tickets.append((None, len(told)))
        verdict = yield from self._joined.tell(told)
        self._credit()
        return None if verdict is None else Stop(verdict, told)

    def piece(self, field: Hashable) -> Piece:
        """Where what the field says now belongs."""
        last = self._queue[-1] if self._queue else None
        if isinstance(last, Piece):
            if last.field == field and not last.is_over:
                return last
            last.is_over = True
        piece = Piece(field, self._count)
        self._count += 1
        self._queue.append(piece)
        self._untold.append(piece)
        return piece

    def close(self) -> None:
        """What comes now is no part of the last piece any more."""
        if self._queue and isinstance(last := self._queue[-1], Piece):
            last.is_over = True

    def behind(self, item: Shown) -> list[Shown]:
        """What is no text stays behind the text before it; not behind what a field holds itself."""
        if all(isinstance(each, Piece) and not each.waits for each in self._queue):
            if self._again is None:
                return [item]
            self._sent.append(item)
            return []
        self.close()
        self._queue.append(item)
        return []

    # --- what goes out

    def release(self) -> Steps[tuple[list[Shown], Stop | None]]:
        """What may be shown now, and what ends it."""
        assert self._joined is not None
        out: list[Shown] = []
        verdict = None
        if text := self._due():
            verdict = yield from self._joined.tell(text)
            self._credit()
        stop = yield from self._send_all(out)
        if stop is None and verdict is not None:
            stop = Stop(verdict, self._joined.text)
        return out, stop

    def finish(self) -> Steps[tuple[list[Shown], Stop | None]]:
        """All fields have ended: the rest, and what ends it."""
        assert self._joined is not None
        self.close()
        out, stop = yield from self.release()
        if stop is not None:
            return out, stop
        verdict = yield from self._joined.finish()
        self._credit()
        if (last := self._last) is not None and last in self._queue:
            # What is late comes behind it: in the middle of a word it could come to mean anything.
            self._queue.remove(last)
            self._queue.appendleft(last)
        stop = yield from self._send_all(out)
        if stop is None and verdict is not None:
            stop = Stop(verdict, self._joined.text)
        if stop is None and self._again is not None:
            again = self._again
            verdict = yield from again.finish()
            self._pass(again, verdict, out)
            if verdict is not None:
                stop = Stop(verdict, again.text)
        if stop is None and (self._queue or self._sent):
            stop = Stop(stopped_by(self._joined.verdict), self._joined.text)
        return out, stop

    def end(self) -> None:
        """Begin again: what comes now is another text, though it follows this one."""
        self._joined = self._again = self._last = None
        self._tickets.clear()
        self._credited = 0

    def _due(self) -> str:
        """What the joined text has to be told."""
        parts: list[str] = []
        while self._untold:
            piece = self._untold[0]
            if due := piece.by_own - piece.told:
                parts.append(piece.text[-due:])
            if piece.is_over and piece.is_known:
                parts.append(piece.expects)
                due += len(piece.expects)
            if due:
                piece.told += due
                self._tickets.append((piece, due))
            if not piece.is_over or (piece.expects and not piece.is_known):
                break
            self._untold.popleft()
        return "".join(parts)

    def _credit(self) -> None:
        assert self._joined is not None
        new, self._credited = self._joined.cleared - self._credited, self._joined.cleared
        while new:
            piece, size = self._tickets.popleft()
            part = min(new, size)
            new -= part
            if piece is not None:
                piece.by_joined += part
            if part < size:
                self._tickets.appendleft((piece, size - part))

    def _send_all(self, out: list[Shown]) -> Steps[Stop | None]:
        stays: deque[Piece | Shown] = deque()
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, Shown):
                if self._again is None:
                    out.append(item)
                else:
                    self._sent.append(item)
                continue
            size = min(item.by_own, item.by_joined) - item.shown
            if size > 0 and (stop := (yield from self._send(item, size, out))) is not None:
                return stop
            if item.waits:
                stays.append(item)
                break
            if not item.is_over or item.expects:
                stays.append(item)
        self._queue.extendleft(reversed(stays))
        return None

    def _send(self, piece: Piece, size: int, out: list[Shown]) -> Steps[Stop | None]:
        """Show a part of a piece, once what was shown before it and it were read as one."""
        text, piece.text = piece.text[:size], piece.text[size:]
        last, self._last = self._last, piece
        follows = last is None or last is piece
        if not follows and last is not None:
            follows = last.is_whole and piece.number == last.number + 1 and not piece.shown
        piece.shown += size
        item = Shown(piece.field, text, piece.make)
        if not follows:
            if self._again is None:
                stream = self._open()
                self._again = Reader(stream)
                before = self.told()[-getattr(stream, "behind", REPLAYED) :]
                self._passed = len(before)
                if (verdict := (yield from self._again.tell(before))) is not None:
                    return Stop(verdict, before)
            self._border = self._again.told
        if (again := self._again) is None:
            self._give(item, out)
            return None
        self._sent.append(item)
        verdict = yield from again.tell(text)
        self._pass(again, verdict, out)
        return None if verdict is None else Stop(verdict, again.text)

    def _pass(self, again: Reader, verdict: Verdict | None, out: list[Shown]) -> None:
        """Show what was read in the order in which it is shown."""
        is_read = verdict is None and again.cleared >= self._border
        while self._sent:
            item = self._sent[0]
            size = len(item.text) if is_read else again.cleared - self._passed
            if size < len(item.text):
                if size > 0:
                    self._give(item._replace(text=item.text[:size]), out)
                    self._sent[0] = item._replace(text=item.text[size:])
                    self._passed += size
                break
            self._sent.popleft()
            self._passed += len(item.text)
            self._give(item, out)
        if is_read:
            # No match can reach back over the last border: the order is that of the joined text.
            self._again = None

    def _give(self, item: Shown, out: list[Shown]) -> None:
        if item.text:
            self.note(item.field, item.text)
        out.append(item)


def consume(waiting: deque[Piece], text: str) -> str:
    """Give a field's text to its interrupted pieces, as far as they expect it; the rest."""
    while waiting and text:
        piece = waiting[0]
        same = common(piece.expects, text)
        piece.give(text[:same], piece.make)
        piece.expects, text = piece.expects[same:], text[same:]
        if not piece.expects:
            waiting.popleft()
        elif text:
            cut(waiting)
    return text


def compare(waiting: deque[Piece], text: str, *, is_known: bool) -> str:
    """What comes after what interrupted pieces expect, which is set right where it differs."""
    for piece in waiting:
        same = common(piece.expects, text)
        text = text[same:]
        piece.is_known |= is_known
        if same < len(piece.expects):
            piece.is_cut |= piece.is_known
            piece.expects = piece.expects[:same]
    while waiting and not waiting[-1].expects:
        waiting.pop()
    return text


def cut(waiting: deque[Piece]) -> None:
    """What is expected still will not come: it is part of something else, or of nothing."""
    for piece in waiting:
        piece.is_cut |= piece.is_known
        piece.expects = ""
    waiting.clear()
