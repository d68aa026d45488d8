"""The engine of this process."""

from __future__ import annotations

from collections.abc import Iterator

from guardkit.guard import Guard

from ._judging import Asked, Judged
from ._read import Reader


def judge_here(guard: Guard, asked: Asked, reader: Reader) -> Iterator[Judged]:
    """Judge what a reader gives, in order."""
    for items, position in reader.blocks():
        yield Judged(items, asked.judge(guard, items), position)
