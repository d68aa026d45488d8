"""Lengths: every unit, both bounds, and the same answers as the tests of policies give."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardkit.checks.live import _length
from guardkit.errors import BindError

from ..models._made_static import injection_dir
from ._around import HOSTILE, Here, Read, grows_in_step

# text, chars, words, lines, bytes
TEXTS = [
    ("", 0, 0, 0, 0),
    ("one", 3, 1, 1, 3),
    ("one two\nthree", 13, 3, 2, 13),
    ("ends\n", 5, 1, 1, 5),
    ("\n\n", 2, 0, 2, 2),
    ("é漢🎉", 3, 1, 1, 9),
    ("a\x00b", 3, 1, 1, 3),
    ("\ud800", 1, 1, 1, 3),
]


@pytest.mark.parametrize("row", TEXTS)
def test_a_text_has_one_length_in_each_unit(row: tuple[str, int, int, int, int]) -> None:
    text, *lengths = row
    for unit, length in zip(("chars", "words", "lines", "bytes"), lengths, strict=True):
        for bound, value in ((length, False), (length - 1, True)):
            live = _length.bind({"max": (float(bound), unit)}, Here())
            assert live.read(Read(text)).value is value, (unit, "max", bound)
        for bound, value in ((length, False), (length + 1, True)):
            live = _length.bind({"min": (float(bound), unit)}, Here())
            assert live.read(Read(text)).value is value, (unit, "min", bound)


def test_without_a_bound_it_counts_characters() -> None:
    assert _length.bind({}, Here()).read(Read("four")).value == 4.0


def test_both_bounds_hold() -> None:
    live = _length.bind({"max": (10.0, "chars"), "min": (2.0, "words")}, Here())
    values = [live.read(Read(text)).value for text in ("one", "one two", "one two three")]
    assert values == [True, False, True]


@pytest.mark.parametrize("bound", ["max", "min"])
def test_tokens_need_the_static_model(
    bound: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardkit.models._store.__file__", str(tmp_path / "_store.py"))
    with pytest.raises(BindError, match="the model `static` is not part of this installation"):
        _length.bind({bound: (9.0, "tokens")}, Here())
    injection_dir(tmp_path / "static")
    live = _length.bind({bound: (4.0, "tokens")}, Here())
    texts = ("the cat", "the cats and", "the cats and dogs", "")  # cat ##s
    assert [live.read(Read(text)).value for text in texts] == (
        [False, False, True, False] if bound == "max" else [True, False, False, True]
    )


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("unit", ["chars", "words", "lines", "bytes"])
def test_time_grows_with_the_text(unit: str, piece: str) -> None:
    live = _length.bind({"max": (1e6, unit), "min": (1.0, unit)}, Here())
    assert grows_in_step(lambda text: live.read(Read(text)), piece)
