"""Characters nobody can see: found where they hide something, left alone where they are needed."""

from __future__ import annotations

import re
import sys

import pytest
import re2

from guardkit.checks.live import _invisible
from guardkit.text import hidden_runs

from ._around import HOSTILE, Here, found_in, grows_in_step

TEXTS = [
    ("plain", []),
    ("pass\u200bword", ["\u200b"]),
    ("a\u202eb\u202c", ["\u202e", "\u202c"]),
    ("x\U000e0068\U000e0069", ["\U000e0068\U000e0069"]),
    ("soft\u00adhyphen", ["\u00ad"]),
    ("می\u200cخواهم", []),
    ("👩\u200d👩\u200d👧", []),
    ("\ufeffstart", []),
]


@pytest.mark.parametrize(("text", "found"), TEXTS)
def test_what_hides_is_found(text: str, found: list[str]) -> None:
    assert found_in(_invisible.bind({}, Here()), text) == found


def test_the_needle_occurs_wherever_something_hides() -> None:
    (needle,) = _invisible.bind({}, Here()).needles("plain")
    program = re2.compile(needle)
    hidden = [c for c in map(chr, range(0x80, sys.maxunicode + 1)) if hidden_runs(f"a{c}b")]
    assert len(hidden) > 100
    assert [hex(ord(c)) for c in hidden if not program.search(c)] == []


def test_plain_text_has_no_needle() -> None:
    (needle,) = _invisible.bind({}, Here()).needles("plain")
    assert not re2.search(needle, "Plain text, naïve 漢字 🎉 да.")
    assert not re.search(r"\\C", needle)


def test_loose_text_is_not_read() -> None:
    assert _invisible.bind({}, Here()).needles("loose") == ()


@pytest.mark.parametrize("piece", [*HOSTILE, "a\u200b", "\u202e\n", "م\u200c", "👩\u200d"])
def test_time_grows_with_the_text(piece: str) -> None:
    finder = _invisible.bind({}, Here())
    assert grows_in_step(lambda text: finder.find(text, (0,), "plain"), piece)
