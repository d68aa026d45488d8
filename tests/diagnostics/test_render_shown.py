"""Characters as a terminal shows them: what is spelled out, and how wide the rest is."""

from __future__ import annotations

import pytest

from guardkit.diagnostics import visible
from guardkit.diagnostics._shown import ShownLine, text_width, wrap


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain `text`", "plain `text`"),
        ("größer 日本 שלום e\u0301", "größer 日本 שלום e\u0301"),
        ("a\u202eb", r"a\u{202e}b"),  # right-to-left override
        ("a\u2066b\u2069", r"a\u{2066}b\u{2069}"),  # isolates
        ("a\u200bb\u200d\ufeff", r"a\u{200b}b\u{200d}\u{feff}"),  # zero width
        ("a\u00adb", r"a\u{ad}b"),  # soft hyphen
        ("\x1b[31mred", r"\u{1b}[31mred"),
        ("\x9b31m", r"\u{9b}31m"),  # an escape sequence in one character
        ("a\r\nb\tc\x00", r"a\u{d}\u{a}b\u{9}c\u{0}"),
        ("a\u2028b\x85", r"a\u{2028}b\u{85}"),
        ("a\u00a0b\u2003", r"a\u{a0}b\u{2003}"),  # spaces that are no spaces
        ("\u3000", "\u3000"),  # the ordinary space of Chinese and Japanese text
        ("x\ufe0f\U000e0101\U000e0041", r"x\u{fe0f}\u{e0101}\u{e0041}"),  # selectors and tags
        ("\u3164\u115f\u2800\u034f", r"\u{3164}\u{115f}\u{2800}\u{34f}"),  # blank letters
        ("\udcff\ue000\uffff", r"\u{dcff}\u{e000}\u{ffff}"),
        ("\u0301x", r"\u{301}x"),  # nothing to stand on
        ("a" + "\u0301" * 6, "a" + "\u0301" * 4 + r"\u{301}\u{301}"),
    ],
)
def test_deceptive_characters_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_ascii_spells_out_everything_else() -> None:
    assert visible("für 日", ascii=True) == r"f\u{fc}r \u{65e5}"


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("日本", 4), ("e\u0301", 1), ("\uff21", 2), ("\uff71", 1), ("한", 2), ("ü", 1)],
)
def test_width(text: str, width: int) -> None:
    assert text_width(text) == width
    assert ShownLine(text).width == width


def test_conjoining_jamo_stack_into_one_syllable() -> None:
    assert text_width("\u1112\u1161\u11ab") == 2


def test_tabs_reach_the_next_stop() -> None:
    assert ShownLine("\ta\tb").starts == [0, 4, 5, 8, 9]


def test_tab_stops_count_columns_not_characters() -> None:
    assert ShownLine("日\tx").starts == [0, 2, 4, 5]


def test_wrap_counts_columns_and_keeps_long_words() -> None:
    assert wrap("日本 日本 ab", 7) == ["日本", "日本 ab"]
    assert wrap("a verylongword b", 6) == ["a", "verylongword", "b"]
    assert wrap("a verylongword b", 6, split_words=True) == ["a", "verylo", "ngword", "b"]
    assert wrap("", 10) == [""]
