"""Verdicts over many texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from guardkit.types import Surface, Verdict

from ._guard import Guard


def scan(guard: Guard, texts: Iterable[str], *, on: Surface = "input") -> Iterator[Verdict]:
    """The verdict on each text by itself, in order.

    Args:
        guard: The guard.
        texts: The texts; they are taken one by one, so there may be any number of them.
        on: Their surface.

    Example:
        >>> [verdict.action for verdict in scan(guard, ["hello"])]  # doctest: +SKIP
        ['pass']
    """
    if not guard.needs_session:
        for text in texts:
            yield guard.check(text, on=on)
        return
    for number, text in zip(count(), texts, strict=False):
        # Each text is a session of its own: nothing that came before it counts.
        session = f"scan {number}"
        yield guard.check(text, on=on, session=session)
        guard.forget(session)
