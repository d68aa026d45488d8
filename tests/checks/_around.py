"""What a check has around it, made by hand: a setting to be bound in, a text to be read."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import re2

from guardkit.catalog import Finder, Form, Viewed
from guardkit.runtime import Workers


@dataclass(frozen=True)
class Here:
    """A setting with files and an object of the program's own."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    given: object | None = None
    name: str = "mine"
    workers: Workers = field(default_factory=Workers)

    @property
    def in_thread(self) -> Callable[..., Awaitable[Any]]:
        return self.workers.run

    device: str = "cpu"
    root: Path = Path("/nonexistent")

    def file(self, name: str) -> bytes:
        return self.files[name]

    def folder(self, name: str) -> Path:
        return self.root / name


def pinned(name: str, content: bytes) -> tuple[object, ...]:
    """What a check's config has for a file."""
    return (name, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


@dataclass(frozen=True)
class Seen:
    """A view whose text lies in the original, `shift` characters further on."""

    text: str
    name: str = "raw"
    form: Form = "plain"
    shift: int = 0
    instead_of: str | None = None

    def back(self, start: int, end: int) -> tuple[int, int]:
        return start + self.shift, end + self.shift


@dataclass(frozen=True)
class Read:
    """A text to be judged."""

    text: str
    canary: str | None = None
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    more: tuple[Seen, ...] = ()
    surface: str = "output"
    is_complete: bool = True

    def views(self) -> tuple[Viewed, ...]:
        return (Seen(self.text), *self.more)

    def protected(self, source: str) -> tuple[str, ...] | None:
        return self.others.get(source)


def needles_in(finder: Finder, text: str, form: Form = "plain") -> list[int]:
    """The needles of a finder that occur in a text."""
    data = text.encode("utf-8", "replace")
    needles = finder.needles(form)
    return [i for i, needle in enumerate(needles) if re2.search(needle.encode(), data)]


def found_in(finder: Finder, text: str) -> list[str]:
    """What a finder finds in a text, as the engine would ask it."""
    seen = needles_in(finder, text)
    hits = finder.find(text, seen, "plain") if seen else ()
    return [text[hit.start : hit.end] for hit in hits]


HOSTILE: Sequence[str] = (
    "a", " ", "\x00", "\ud800", "é", "漢", "\u200b", "\u0301", "a ", "ab ab ", "\n", "(", "[", "{",
    '"', "\\", "0", "1 ", "a\u0301", "İ", "ß", "[]", '{"a":', "%25", "&#", "://", "🎉",
)  # fmt: skip
"""Pieces that make bad texts when they are repeated."""


def grows_in_step(work: Callable[[str], object], piece: str, size: int = 20_000) -> bool:
    """Whether four times the text takes about four times the time."""

    def best(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        times = []
        for _ in range(3):
            start = time.perf_counter()
            work(text)
            times.append(time.perf_counter() - start)
        return min(times)

    # Below a millisecond a ratio says nothing; quadratic work would be 16 times as long.
    return any(best(size * 4) < max(best(size) * 10, 0.001) for _ in range(3))
