"""Repeats: the count of a slow and plain counter, on texts written and drawn."""

from __future__ import annotations

from random import Random

import pytest

from guardkit.checks.live import _repetition
from guardkit.checks.live._repetition import LONGEST, most_in_a_row

from ._around import HOSTILE, Here, Read, grows_in_step

TEXTS = [
    ("", 1),
    ("one two three", 1),
    ("poem " * 9, 9),
    ("Ha ha HA, ha!", 4),
    ("to be or not to be", 1),
    ("I am sorry. I am sorry. I am sorry.", 3),
    ("a line of text\n" * 5, 5),
    ("-----------------", 1),
    ("| --- | --- | --- |\n| --- | --- | --- |", 1),
    ("哈哈哈哈", 4),
    ("你好你好你好", 3),
    ("lololololol", 1),
    ("x y x y x", 2),
    ("a a b a a b c", 2),
    (("w" * LONGEST + " ") * 4, 4),
    (("w" * (LONGEST + 1) + " ") * 4, 1),
    ((" ".join("ab" for _ in range(67)) + " zz ") * 3, 67),
    ("\x00poem\ud800poem\x00poem", 3),
]


def slowly(words: list[str]) -> int:
    """The highest count, by trying every place and every stretch."""
    best = 1
    for start in range(len(words)):
        for size in range(1, (len(words) - start) // 2 + 1):
            piece = words[start : start + size]
            if sum(map(len, piece)) + size - 1 > LONGEST:
                break
            count = 1
            while words[start + count * size : start + (count + 1) * size] == piece:
                count += 1
            best = max(best, count)
    return best


@pytest.mark.parametrize(("text", "count"), TEXTS)
def test_repeats_are_counted(text: str, count: int) -> None:
    assert _repetition.bind({}, Here()).read(Read(text)).value == count
    for most in (2, 3, 8):
        live = _repetition.bind({"max": float(most)}, Here())
        assert live.read(Read(text)).value is (count > most)


@pytest.mark.parametrize("seed", range(60))
def test_counts_agree_with_the_slow_counter(seed: int) -> None:
    rng = Random(seed)
    letters = ["a", "b", "c" * 60, "d" * 120, "eé"][: rng.randint(1, 5)]
    words: list[str] = []
    while len(words) < 70:
        piece = [rng.choice(letters) for _ in range(rng.randint(1, 9))]
        words += piece * rng.randint(1, 4)
    assert most_in_a_row(words) == slowly(words)


@pytest.mark.parametrize("period", [1, 2, 3, 5, 7, 33, 100])
def test_a_long_stretch_is_found_among_other_words(period: int) -> None:
    piece = [chr(97 + i % 26) if i % 26 else str(i % 10) for i in range(period)]
    other = [f"w{i}" for i in range(500)]
    assert most_in_a_row([*other, *piece * 4, *other]) == 4


WORST = (
    *HOSTILE,
    "poem ",
    "a b ",
    "a a b ",
    "one two three four five. ",
    " ".join("abcdefghij" * 9),
)


@pytest.mark.parametrize("piece", WORST)
def test_time_grows_with_the_text(piece: str) -> None:
    live = _repetition.bind({}, Here())
    assert grows_in_step(lambda text: live.read(Read(text)), piece)


@pytest.mark.full
@pytest.mark.parametrize("piece", WORST)
def test_a_megabyte_of_the_worst(piece: str) -> None:
    live = _repetition.bind({"max": 1_000.0}, Here())
    assert grows_in_step(lambda text: live.read(Read(text)), piece, 250_000)
