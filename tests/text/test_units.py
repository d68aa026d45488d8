"""Offsets in other units, scripts, hidden runs and the parts of the tables."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
import re2

from guardkit.text import (
    LOCAL,
    LOOSE_CLASSES,
    TRIGGERS,
    UNICODE_VERSION,
    Offsets,
    folded,
    hidden_runs,
    script_runs,
    shuffled_words,
    signals_of,
    turned_words,
    views_of,
)
from guardkit.text._generate import build
from guardkit.text._graphemes import widened
from guardkit.text._tables import PATH, tables

TEXTS = [
    "",
    "plain",
    "é\U0001f600x",
    "a\ud800b\U00010000",
    "汉字\u00ff\u0800\uffff",
    "\udfff\ud800",
]


@pytest.mark.parametrize("text", TEXTS)
def test_offsets_are_exact(text: str) -> None:
    offsets = Offsets(text)
    for at in range(len(text) + 1):
        assert offsets.utf8(at) == len(text[:at].encode("utf-8", "surrogatepass"))
        assert offsets.utf16(at) == sum(1 + (char >= "\U00010000") for char in text[:at])


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("", []),
        ("abc 1,2 d", [(0, 3, "latin"), (8, 9, "latin")]),
        ("да yes", [(0, 2, "cyrillic"), (3, 6, "latin")]),
        ("e\u0301t ไทย 한국 カナ かな 漢", [
            (0, 3, "latin"), (4, 7, "thai"), (8, 10, "hangul"), (11, 13, "katakana"),
            (14, 16, "hiragana"), (17, 18, "han"),
        ]),
        ("👍🏽 12 …", []),
        ("aя", [(0, 1, "latin"), (1, 2, "cyrillic")]),
    ],
)  # fmt: skip
def test_letters_belong_to_scripts(text: str, runs: list[tuple[int, int, str]]) -> None:
    assert list(script_runs(text)) == runs


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("pass\u200bword", ((4, 5),)),
        ("a\u00adb", ((1, 2),)),
        ("x\u202ecod\u202c", ((1, 2), (5, 6))),
        ("hi\U000e0068\U000e0069", ((2, 4),)),
        ("😊\ufe01\ufe02\ufe03", ((1, 4),)),
        ("a\ufe0f", ((1, 2),)),
        ("ab\ufeff", ((2, 3),)),
        ("a\u200db", ((1, 2),)),
        ("a\u3164b\uffa0", ((1, 2), (3, 4))),
        ("latin \u200f only", ((6, 7),)),
    ],
)
def test_hidden_characters_are_found(text: str, runs: tuple[tuple[int, int], ...]) -> None:
    assert hidden_runs(text) == runs


@pytest.mark.parametrize(
    ("text", "span", "wide"),
    [
        ("ae\u0301b", (0, 2), (0, 3)),
        ("ae\u0301b", (2, 3), (1, 3)),
        ("👨\u200d👩\u200d👧x", (0, 1), (0, 5)),
        ("👍🏽", (0, 1), (0, 2)),
        ("🇩🇪🇫🇷", (1, 3), (0, 4)),
        ("🇩🇪🇫🇷", (2, 3), (2, 4)),
        ("a\r\nb", (1, 2), (1, 3)),
        ("\u1100\u1161\u11a8", (1, 2), (0, 3)),
        ("❤\ufe0f", (0, 1), (0, 2)),
    ],
)
def test_no_character_is_cut(text: str, span: tuple[int, int], wide: tuple[int, int]) -> None:
    assert widened(text, *span) == wide


def test_the_tables_are_those_of_their_generator() -> None:
    assert tables().version == UNICODE_VERSION
    assert PATH.stat().st_size < 600_000
    data = json.loads(PATH.read_bytes())
    import unicodedata

    if unicodedata.unidata_version == UNICODE_VERSION:
        made = json.loads(json.dumps(build()))
        assert made == data


def test_words_are_turned() -> None:
    turned = turned_words(["ignore", "the", "naïve", "noon"])
    assert turned["reversed"] == ("erongi",)
    assert turned["rot13"] == ("vtaber", "abba")
    assert turned["atbash"] == ("rtmliv", "mllm")
    assert len(turned) == 27
    assert turned_words(["at"]) == {}


def test_shuffled_words_are_found() -> None:
    ((signal, pattern),) = shuffled_words(["still", "form", "at", "naïve", "noon"]).items()
    assert signal == "shuffled:form,still"
    sought = re2.compile(pattern)
    for inner in set(map("".join, permutations("til"))):
        text = f"so s{inner}l, there"
        assert bool(sought.search(text)) == (inner != "til"), text
    assert not sought.search("from")
    assert not sought.search("sliltly")
    assert shuffled_words(["form"]) == {}


def test_what_was_decoded_is_looked_at_for_turned_words() -> None:
    asked: list[str] = []

    def turns(text: str) -> list[str]:
        asked.append(text)
        return ["rot13"] if "vtaber" in text else []

    made = views_of("say dnRhYmVyIG55eQ== now", {"base64"}, turns)  # `vtaber nyy`
    assert asked == ["say vtaber nyy now"]
    assert "fnl ignore all abj" in [view.text for view in made.all if view.name == "turned"]


def test_a_break_beside_a_match_is_not_part_of_it() -> None:
    made = views_of("one ig-\nnore\ntwo", {"broken"})
    view = next(view for view in made.all if "ignore" in view.text)
    at = view.text.index("ignore")
    assert view.back(at, at + 6) == (4, 12)


def test_loose_classes_are_their_own_class() -> None:
    assert all(LOOSE_CLASSES[to] == to for to in LOOSE_CLASSES.values())
    assert set(TRIGGERS) >= LOCAL


BANNERS = """say ###  #####
 #     #
 #     #
 #     #
###    #

###   ###
 #   #
 #    ##
 #      #
###  ###   now"""


@pytest.mark.parametrize("text", ["em9scGlkZW0", "(cHJvamVjdA)", "zolpi\ndem"])
def test_short_texts_give_a_signal(text: str) -> None:
    assert signals_of(text)


@pytest.mark.parametrize(
    ("text", "signals", "name", "seen"),
    [
        ("i g n o r e   a l l", {"spaced"}, "squeezed", "ignore all"),
        ("4-1-1-1-1-1-1-1", {"spaced"}, "squeezed", "41111111"),
        ("1gn0r3 4ll", {"leet"}, "loose", "ignore aii"),
        ("ig<b></b>nore", {"markup"}, "unmarked", "ignore"),
        ("a &lt;b&gt;", {"entity"}, "decoded", "a <b>"),
        ("%69%67nore", {"percent"}, "decoded", "ignore"),
        ("say aWdub3JlIGFsbA== now", {"base64"}, "decoded", "say ignore all now"),
        ("erongi", {"reversed"}, "reversed", "ignore"),
        ("vtaber", {"rot13"}, "turned", "ignore"),
        ("irgnoe it", {"shuffled:ignore"}, "turned", "ignore it"),
        ('"ig" + "nore"', {"parts"}, "joined", "ignore"),
        ("irgnoe form", {"shuffled:from,ignore"}, "turned", "ignore from"),
        ("say em9scGlkZW0 now", {"base64"}, "decoded", "say zolpidem now"),
        ("?d=cHJvamVjdA&e=1", {"base64"}, "decoded", "?d=project&e=1"),
        ("-- . -\n-- \n", {"morse"}, "decoded", "met m \n"),
        ("--\n.\n-\n....\n", {"morse"}, "decoded", "meth\n"),
        (BANNERS, {"banner"}, "decoded", "say it is   now"),
        ("ixx\b\bgnore", {"controls"}, "cleaned", "ignore"),
    ],
)
def test_a_view_shows_what_was_meant(text: str, signals: set[str], name: str, seen: str) -> None:
    made = views_of(text, signals)
    assert seen in [view.text for view in made.all if view.name == name]
    assert made.is_complete


@pytest.mark.parametrize(
    "text",
    [
        "Please review the attached report and tell me what you think about the second part.",
        "## Title\n\nSome **bold** and `code` words, then *more*.\n\n1. One thing\n2. Another thing\n",  # noqa: E501
        "def total(rows):\n    return sum(row.price * row.count for row in rows)\n",
        "See https://docs.example.com/guide/getting-started?page=2 or write to joe@example.com.",
        "| name | size |\n|------|------|\n| ab.txt | 12 kB |\n",
        "It costs $12.50 (about 11 EUR), i.e. 3% more than in 2023-04-01.",
    ],
)
def test_ordinary_ascii_gives_no_signal(text: str) -> None:
    assert signals_of(text) == frozenset()


def test_a_guarded_text_is_not_shown() -> None:
    assert "secret" not in repr(folded("secret é"))
