"""One view of a text, and the trail that leads from it back to the original.

A step turns a text into another and leaves a `Trail`; views made of views go back step by step.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from guardkit.catalog import Form

from ._graphemes import widened

_BLOCK, _EVEN, _MIRRORED = 0, 1, 2


class Trail:
    """Where each piece of a new text comes from: pieces in the order of the new text.

    A piece stands for a stretch of the source as a whole, character by character, or character by
    character from its end.
    """

    __slots__ = ("_at", "_end", "_is_monotone", "_kind", "_out", "_size", "_source", "_src")

    def __init__(self, source: str) -> None:
        self._source = source
        self._out: list[str] = []
        self._at = array("I")
        self._src = array("I")
        self._end = array("I")
        self._kind = bytearray()
        self._size = 0
        self._is_monotone = True

    def __len__(self) -> int:
        """How many pieces there are."""
        return len(self._at)

    @property
    def size(self) -> int:
        """How long the new text is."""
        return self._size

    def _add(self, text: str, start: int, end: int, kind: int) -> None:
        if self._end and start < self._end[-1] and start < self._src[-1]:
            self._is_monotone = False
        self._out.append(text)
        self._at.append(self._size)
        self._src.append(start)
        self._end.append(end)
        self._kind.append(kind)
        self._size += len(text)

    def keep(self, start: int, end: int) -> None:
        """The source from start to end as it is."""
        if start < end:
            if self._kind and self._kind[-1] == _EVEN and self._end[-1] == start:
                self._out.append(self._source[start:end])
                self._end[-1] = end
                self._size += end - start
            else:
                self._add(self._source[start:end], start, end, _EVEN)

    def keep_mirrored(self, start: int, end: int) -> None:
        """The source from end to start."""
        if start < end:
            self._add(self._source[start:end][::-1], start, end, _MIRRORED)

    def put(self, text: str, start: int, end: int) -> None:
        """Another text for the source from start to end."""
        if text:
            self._add(text, start, end, _BLOCK)
        else:
            self.drop(start, end)

    def put_even(self, text: str, start: int, end: int) -> None:
        """Another text of the same length, character for character."""
        if text:
            self._add(text, start, end, _EVEN)

    def put_grid(self, text: str, width: int, starts: Sequence[int], ends: Sequence[int]) -> None:
        """Another text: each `width` characters of it stand for one cell of the source."""
        size = self._size
        self._out.append(text)
        self._at.extend(range(size, size + len(text), width))
        added = len(self._at) - len(self._src)
        self._src.extend(starts[:added])
        self._end.extend(ends[:added])
        self._kind.extend(bytes(added))
        self._size += len(text)

    def drop(self, start: int, end: int) -> None:
        """Nothing for the source from start to end: it goes with what stands before it."""
        if not self._kind or self._end[-1] != start or self._kind[-1] == _MIRRORED:
            return
        if self._kind[-1] == _EVEN and self._size - self._at[-1] > 1:
            # Only the last character takes in what was dropped.
            self._at.append(self._size - 1)
            self._src.append(start - 1)
            self._end[-1] = start - 1
            self._end.append(end)
            self._kind.append(_BLOCK)
        else:
            self._end[-1] = end
            self._kind[-1] = _BLOCK

    def text(self) -> str:
        """The new text; asked for once, when the trail is complete."""
        made = "".join(self._out)
        self._out.clear()
        self._source = ""
        return made

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the source that [start, end) of the new text stands for."""
        if not self._at:
            return 0, 0
        first = max(bisect_right(self._at, start) - 1, 0)
        if end <= start:
            place = self._span(first, start, start)[0]
            return place, place
        last = max(bisect_right(self._at, end - 1) - 1, 0)
        if first == last:
            return self._span(first, start, end)
        low, high = self._span(first, start, self._at[first + 1])
        low_last, high_last = self._span(last, self._at[last], end)
        low, high = min(low, low_last), max(high, high_last)
        if not self._is_monotone and first + 1 < last:
            low = min(low, min(self._src[first + 1 : last]))
            high = max(high, max(self._end[first + 1 : last]))
        return low, high

    def _span(self, piece: int, start: int, end: int) -> tuple[int, int]:
        kind, src, stop = self._kind[piece], self._src[piece], self._end[piece]
        if kind == _BLOCK:
            return src, stop
        start, end = start - self._at[piece], end - self._at[piece]
        if kind == _EVEN:
            return min(src + start, stop), min(src + end, stop)
        return max(stop - end, src), max(stop - start, src)


class View:
    """One view of a text, with the way back to the original.

    Args:
        name: The view, as findings name it.
        form: How it is written.
        text: What a check reads.
        parent: The view it was made of; None for the original.
        trail: The way back to the parent; None where both are of one length, place by place.
        stable: The value of the property, or how to work it out.
        is_instead: Whether it says all that its parent says: what it has in other words there was
            a code.
    """

    __slots__ = ("_is_instead", "_original", "_parent", "_stable", "_trail", "form", "name", "text")

    def __init__(
        self,
        name: str,
        form: Form,
        text: str,
        parent: View | None = None,
        trail: Trail | None = None,
        stable: int | Callable[[], int] = 0,
        *,
        is_instead: bool = False,
    ) -> None:
        self.name = name
        self.form: Form = form
        self.text = text
        self._stable = stable
        self._trail = trail
        self._parent = parent
        self._is_instead = is_instead
        self._original: str = text if parent is None else parent._original

    def __repr__(self) -> str:
        return f"View({self.name!r}, {self.form!r}, {len(self.text)} characters)"

    @property
    def instead_of(self) -> str | None:
        """The text that need not be read beside this view, which says all of it; None for most."""
        return self._parent.text if self._is_instead and self._parent is not None else None

    @property
    def stable(self) -> int:
        """The offset in the original before which no text that follows changes this view."""
        if not isinstance(self._stable, int):
            self._stable = self._stable()
        return self._stable

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the original that a stretch of this view stands for."""
        view: View | None = self
        while view is not None:
            if view._trail is not None:
                start, end = view._trail.back(start, end)
            view = view._parent
        return widened(self._original, start, end)

    def named(self, name: str, form: Form = "plain") -> View:
        """The same view under another name."""
        return View(name, form, self.text, self._parent, self._trail, self._stable)


def replaced(text: str, changes: Iterable[tuple[int, int, str]]) -> tuple[str, Trail] | None:
    """The text with stretches replaced, in order and apart; None when there are none."""
    trail = Trail(text)
    at = 0
    for start, end, new in changes:
        trail.keep(at, start)
        trail.put(new, start, end)
        at = end
    if not at:
        return None
    trail.keep(at, len(text))
    return trail.text(), trail
