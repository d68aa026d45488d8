"""The texts that are made: as long as asked, the same everywhere, and never there twice."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise

import pytest

import guardkit
from guardkit.bench import Texts, near_hits, prose
from guardkit.bench._texts import POOL, pool_of


@pytest.mark.parametrize("make", [prose, near_hits])
@pytest.mark.parametrize("size", [10, 60, 200, 1_000, 4_000])
def test_made_texts_are_distinct_and_as_long_as_asked(
    make: Callable[[int, int], str], size: int
) -> None:
    pool = pool_of(make, size)
    assert {len(text) for text in pool} == {size}
    assert len(set(pool)) == len(pool)
    assert 16 <= len(pool) <= POOL


def test_the_same_seed_gives_the_same_text_on_every_machine() -> None:
    said = "".join(f"{make(7, 300)}{make(8, 300)}" for make in (prose, near_hits))
    assert sha256(said.encode()).hexdigest()[:16] == "2eb36fed54095abb"


def test_prose_has_several_languages() -> None:
    texts = "".join(pool_of(prose, 200))
    for word in ("garden", "ü", "ñ", "é", "ж", "订单"):
        assert word in texts


def test_prose_is_ordinary_and_near_hits_are_not() -> None:
    guard = guardkit.load("starter")
    for text in pool_of(prose, 1_000):
        assert guard.check(text, on="input").action == "pass"
        assert guard.check(text, on="output").action == "pass"
    hostile = "".join(pool_of(near_hits, 1_000))
    for piece in ("AKIA12", "ignore all prev", "http://a", "DE89 3704", "a.b@c", "\u200b"):
        assert piece in hostile


def test_no_text_comes_twice_and_each_comes_as_often() -> None:
    texts = Texts(["one", "two", "three"], seed=5)
    seen = [texts.next() for _ in range(3_000)]
    assert len(set(seen)) == 3_000
    words = [text.strip() for text in seen]
    assert {words.count(word) for word in ("one", "two", "three")} == {1_000}
    assert seen[:3] == ["one", "two", "three"]
    assert max(len(text) for text in seen) <= len("three") + 10
    assert all(first != second for first, second in pairwise(seen))


def test_one_text_is_enough() -> None:
    texts = Texts(["only"])
    assert len({texts.next() for _ in range(50)}) == 50


def test_no_text_is_too_few() -> None:
    with pytest.raises(ValueError, match="no texts"):
        Texts([])
