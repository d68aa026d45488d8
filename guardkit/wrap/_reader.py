"""Reads once more what fields of a stream have cleared: it changes nothing, it lets go or stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardkit.types import Verdict

from ._guarding import Streaming
from ._judge import STOPPED
from ._steps import Ask, Steps

REPLAYED = 8_192
"""How much of what was shown a later stream is told; more than any live match is long."""

Make = Callable[[str], Any]

GOES_ON = ("pass", "flag", "rewrite")


class Block(Exception):  # noqa: N818 - a decision on its way to the driver
    """Ends a relay. `shown` is what was cleared before."""

    def __init__(self, verdict: Verdict, shown: list[Any], make: Make | None) -> None:
        super().__init__()
        self.verdict, self.shown, self.make = verdict, shown, make


class Reader:
    """One text, told in the order in which it counts as one."""

    def __init__(self, stream: Streaming) -> None:
        self.told = 0
        """How many characters it was told."""
        self.cleared = 0
        """How many of them it let go."""
        self._stream = stream
        self._held = ""
        self._late: list[str] = []
        """What was told since something was let go: joined then, and not with every piece."""
        self._parts: list[str] = []
        self._size = 0

    @property
    def verdict(self) -> Verdict | None:
        """What was decided; None while nothing is."""
        return self._stream.verdict

    @property
    def text(self) -> str:
        """The end of what it was told."""
        self._parts = ["".join(self._parts)[-8 * REPLAYED :]]
        self._size = len(self._parts[0])
        return self._parts[0]

    def tell(self, text: str) -> Steps[Verdict | None]:
        """The next piece; the verdict if it stops here."""
        self.told += len(text)
        self._late.append(text)
        self._parts.append(text)
        self._size += len(text)
        if self._size > 16 * REPLAYED:
            _ = self.text
        return self._let_go((yield Ask("feed", (self._stream, text), {})), is_end=False)

    def finish(self) -> Steps[Verdict | None]:
        """That was all; the verdict if not all of it may go."""
        return self._let_go((yield Ask("finish", (self._stream,), {})), is_end=True)

    def _let_go(self, text: str, *, is_end: bool) -> Verdict | None:
        text, verdict = cleared(self._stream, text, is_end=is_end)
        if text or is_end:
            held = self._held + "".join(self._late)
            self._late.clear()
            same = common(held, text)
            self.cleared += same
            self._held = held[same:]
            if verdict is None and (same < len(text) or (is_end and self._held)):
                # Rewritten across fields: nobody can say which part belongs where.
                return stopped_by(self._stream.verdict)
        return verdict


def common(one: str, other: str) -> int:
    """How long the beginning is that two texts share."""
    if one.startswith(other):
        return len(other)
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


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


def stopped_by(verdict: Verdict | None) -> Verdict:
    """The block of a stream that cannot go on."""
    if verdict is None:
        return Verdict("block", STOPPED, "output", "", 0.0, STOPPED)
    return verdict._replace(action="block", text=STOPPED, message=STOPPED)
