"""Places found by their text, so that a test reads like the policy it is about."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guardkit.diagnostics import Place, Source, Span

Find = Callable[..., Place]


@pytest.fixture
def find() -> Find:
    """`find(source, "word", nth=0)`: the place of a word."""

    def place(source: Source, word: str, nth: int = 0) -> Place:
        at = -1
        for _ in range(nth + 1):
            at = source.text.index(word, at + 1)
        return Place(source, Span(at, at + len(word)))

    return place
