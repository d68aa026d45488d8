"""Scripts: which runs of letters are found, whatever stands around them."""

from __future__ import annotations

import pytest

from guardkit.checks._script import SCRIPTS
from guardkit.checks.live import _script

from ._around import HOSTILE, Here, found_in, grows_in_step

LATIN_GREEK = ("greek", "latin")

TEXTS = [
    ("plain words, 123 €", LATIN_GREEK, []),
    ("naïve αβγ", LATIN_GREEK, []),
    ("да, yes", LATIN_GREEK, ["да"]),
    ("pаypаl", LATIN_GREEK, ["а", "а"]),
    ("नमस्ते x", LATIN_GREEK, ["नमस्ते"]),
    ("漢字とかな", ("han",), ["とかな"]),
    ("漢字とカナー", ("han", "hiragana", "katakana"), []),
    ("English", ("cyrillic",), ["English"]),
    ("🎉 €5 — “quoted” 𝐀 ٣", ("latin",), []),
    ("e\u0301 i\u0306", ("latin",), []),
    ("и\u0306", ("latin",), ["и\u0306"]),
    ("a\u0941 b", ("latin",), []),
    ("ⵣ Ꭰ 𐐀", ("latin",), ["ⵣ", "Ꭰ", "𐐀"]),
    ("\x00\ud800 ok", ("latin",), []),
    ("\ud800да", ("latin",), ["да"]),
    ("", ("latin",), []),
]


@pytest.mark.parametrize(("text", "allowed", "found"), TEXTS)
def test_letters_of_other_scripts_are_found(
    text: str, allowed: tuple[str, ...], found: list[str]
) -> None:
    assert found_in(_script.bind({"allow": allowed}, Here()), text) == found


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_of_the_page_can_be_allowed(script: str) -> None:
    finder = _script.bind({"allow": (script,)}, Here())
    assert found_in(finder, "12, 34.") == []
    assert found_in(finder, "ⵣ") == ["ⵣ"]


def test_loose_text_is_not_read() -> None:
    assert _script.bind({"allow": ("latin",)}, Here()).needles("loose") == ()


@pytest.mark.parametrize("piece", [*HOSTILE, "да ", "да", "а\u0301", "aа"])
def test_time_grows_with_the_text(piece: str) -> None:
    finder = _script.bind({"allow": ("latin",)}, Here())
    assert grows_in_step(lambda text: finder.find(text, (0,), "plain"), piece)
