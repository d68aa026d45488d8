"""Which texts are left out together."""

from __future__ import annotations

import pytest

from guardkit.errors import UsageError
from guardkit.train import Row, Target
from guardkit.train._folds import folds, sides_of

HEAD = (Target("h", 0, ("h",)),)


def row(text: str, label: int, source: str = "") -> Row:
    return Row(text, "input", {"h": label}, source)


def test_whole_sources_are_left_out() -> None:
    rows = [row(f"{s} {n}", n % 2, f"s{s}") for s in range(7) for n in range(4 + 2 * s)]
    made = folds(rows, HEAD)
    assert (made.parts, made.by) == (5, "source")
    parts_of = {source: {made.of[i] for i, r in enumerate(rows) if r.source == source}
                for source in {r.source for r in rows}}  # fmt: skip
    assert all(len(parts) == 1 for parts in parts_of.values())
    assert sorted(made.within(0) + made.without(0)) == list(range(len(rows)))
    sizes = [len(made.within(part)) for part in range(5)]
    assert max(sizes) <= 2 * min(sizes)


def test_two_sources_are_two_parts() -> None:
    rows = [row(f"{n}", n % 2, "ab"[n // 40]) for n in range(80)]
    assert folds(rows, HEAD)[1:] == (2, "source")


@pytest.mark.parametrize("sources", [("one", "one"), ("good", "bad")])
def test_where_that_cannot_be_done_texts_are_left_out(sources: tuple[str, str]) -> None:
    rows = [row(f"text {n // 2} of {n % 2}", n % 2, sources[n % 2]) for n in range(100)]
    made = folds(rows, HEAD)
    assert (made.parts, made.by) == (5, "text")
    for part in range(5):
        assert [rows[at].truth["h"] for at in made.within(part)].count(1) == 10


def test_the_order_of_rows_says_nothing_and_equal_texts_stay_together() -> None:
    rows = [row(f"text {n // 3}", n // 3 % 2) for n in range(90)]
    made = folds(rows, HEAD)
    turned = folds(rows[::-1], HEAD)
    assert made.of == turned.of[::-1]
    assert all(made.of[n] == made.of[n - n % 3] for n in range(90))


def test_too_few_texts_are_refused() -> None:
    rows = [row(f"{n}", int(n < 9)) for n in range(100)]
    with pytest.raises(UsageError, match="has 9 texts that it looks for; 10 are the fewest"):
        folds(rows, HEAD)


def test_what_is_known_of_a_row() -> None:
    rows = [Row("a", "input", {"k": 0}), Row("b", "input", {"k": 2}), Row("c", "input", {"h": 0})]
    softmax = Target("k", 0, ("none", "x", "y"), kind="softmax")
    assert sides_of(rows, softmax) == [False, True, None]
    labels = Target("k", 0, ("x", "y", "z"), only_if="h")
    assert sides_of(rows, labels) == [True, True, False]
