"""Word lists: whole words, any case, any blanks, as a slow search finds them."""

from __future__ import annotations

import random
import time

import pytest

from guardkit.checks.live._words import _folds, bind
from guardkit.errors import BindError

from ._setting import Around, found, seen_in
from ._words_slowly import find_slowly

CASES = {
    # (entries, text): what is found
    (("Acme",), "ACME and acme, not Acmes or xacme"): ["ACME", "acme"],
    (("New York", "York Times", "New York Times"), "the new  york\ntimes"): ["new  york\ntimes"],
    (("New York", "York Times"), "New York Times"): ["New York", "York Times"],
    (("C++",), "C++, Objective-C++ and C"): ["C++", "C++"],
    ((".NET",), "use .net, asp.net"): [".net", ".net"],
    (("straße",), "STRASSE Straße strasse Straßen"): ["STRASSE", "Straße", "strasse"],
    (("strasse",), "Straße"): ["Straße"],
    (("first",), "ﬁrﬆ FIRST"): ["ﬁrﬆ", "FIRST"],
    (("kiss",), "\u212ai\u017fs, Kiß"): ["\u212ai\u017fs", "Kiß"],
    (("acme",), "éacme acmeé acme_ 9acme"): [],
    (("é",), "É e\u0301 café"): ["É"],
    (("手机",), "买手机吧"): ["手机"],
    (("Müller GmbH",), "die MÜLLER\u2003GmbH & Co"): ["MÜLLER\u2003GmbH"],
    (("a",), "a b a"): ["a", "a"],
    (("rock & roll",), "rock  & roll, rock& roll"): ["rock  & roll"],
}


@pytest.mark.parametrize(("entries", "text"), CASES)
def test_whole_words_are_found(entries: tuple[str, ...], text: str) -> None:
    finder = bind({"list": entries}, Around())
    assert found(finder, text) == CASES[entries, text]


def test_loose_text() -> None:
    finder = bind({"list": ("Globex Corp", "Acme", "don't panic")}, Around())
    assert found(finder, "we buy giobexcorp shares", "loose") == ["giobexcorp"]
    assert found(finder, "acme", "loose") == []  # four letters stand anywhere
    assert found(finder, "dontpanic", "loose") == ["dontpanic"]
    assert bind({"list": ("Globex",), "views": ("raw",)}, Around()).needles("loose") == ()
    assert bind({"list": ("Acme",)}, Around()).needles("loose") == ()


def test_key_words() -> None:
    finder = bind({"list": ("Globex Corporation", "C++", "Müller", "Müller Holding")}, Around())
    assert finder.key_words == ("corporation", "holding")
    assert bind({"list": ("Globex",), "views": ("raw",)}, Around()).key_words == ()
    many = bind({"list": tuple("abcd" + "x" * n for n in range(500))}, Around())
    assert len(many.key_words) == 200


def test_files_have_comments_and_digests() -> None:
    around = Around({"a.txt": "\ufeff# rivals\nAcme # the big one\n\nC# \r\nGlobex\n".encode()})
    finder = bind({"file": around.config()}, around)
    assert found(finder, "acme, c#, globex, rivals") == ["acme", "c#", "globex"]
    changed = Around({"a.txt": b"Acme"})
    with pytest.raises(BindError, match="changed"):
        bind({"file": around.config()}, changed)
    strange = Around({"a.txt": b"\xff\xfe"})
    with pytest.raises(BindError, match="UTF-8"):
        bind({"file": strange.config()}, strange)


def test_a_list_of_nothing_finds_nothing() -> None:
    around = Around({"a.txt": b"# later\n"})
    finder = bind({"file": around.config()}, around)
    assert finder.needles("plain") == finder.needles("loose") == ()
    assert finder.find("text", [], "plain") == []


def test_characters_that_are_several_letters_in_another_case_are_all_known() -> None:
    several = {chr(c).casefold() for c in range(0x110000) if len(chr(c).casefold()) > 1}
    assert set(_folds()) == several


PIECES = (
    *("acme", "Acme", "ACME", "rival", "kiss", "KISS", "KIß", "s", "\u017f", "\u212a", "k"),
    *("straße", "STRASSE", "ﬁrst", "first", "c++", "+", "C", "é", "É", "new", "New", "york"),
    *(
        "手机",
        "手",
        "ああ",
        "あ",
        "İ",
        "i̇",
        "ẞ",
        ".",
        "-",
        "_",
        "x",
        "1",
        " ",
        "  ",
        "\t\n",
        "\u2003",
    ),
    *("\u0301", "ŉ", "\x1c", "\x0b", "🙂", "ss", "ſſ", "ffi", "ﬃ"),
)


def _agree(count: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(count):
        made = ("".join(rng.choices(PIECES, k=rng.randint(1, 4))).strip() for _ in range(3))
        entries = [entry for entry in made if entry]
        text = "".join(rng.choices(PIECES, k=rng.randint(0, 12)))
        text += rng.choice([*entries, ""]) + rng.choice(PIECES)
        finder = bind({"list": tuple(entries)}, Around())
        seen = seen_in(finder, text)
        hits = finder.find(text, seen, "plain") if seen else ()
        assert [(hit.start, hit.end) for hit in hits] == find_slowly(entries, text), (entries, text)


def test_a_slow_search_finds_the_same() -> None:
    _agree(1_000, seed=3)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_slow_search_finds_the_same_in_many_texts() -> None:
    _agree(100_000, seed=4)


def test_lone_surrogates_keep_their_place() -> None:
    finder = bind({"list": ("acme",)}, Around())
    hits = finder.find("\ud800 é acme \udfff acme", [0], "plain")
    assert [(hit.start, hit.end) for hit in hits] == [(4, 8), (11, 15)]


def _list_of(size: int) -> list[str]:
    rng = random.Random(9)
    letters = "abcdefghijklmnopqrstuvwxyz"
    made = ("".join(rng.choices(letters, k=rng.randint(5, 11))) for _ in range(size))
    return list(dict.fromkeys(made))


def test_time_grows_with_the_text() -> None:
    entries = _list_of(500)
    finder = bind({"list": tuple(entries)}, Around())
    text = " ".join(entries * 20)
    small, large = text[:4_000], text[:40_000]
    finder.find(large, [0], "plain")
    assert _seconds(finder, large) <= 12 * _seconds(finder, small) + 0.02


def _seconds(finder: object, text: str) -> float:
    best = 9.0
    for _ in range(3):
        before = time.thread_time()
        finder.find(text, [0], "plain")  # type: ignore[attr-defined]  # any finder
        best = min(best, time.thread_time() - before)
    return best


@pytest.mark.full
@pytest.mark.timeout(120)
def test_tens_of_thousands_of_entries() -> None:
    entries = _list_of(50_000)
    before = time.thread_time()
    finder = bind({"list": tuple(entries)}, Around())
    assert time.thread_time() - before < 20
    text = "plain prose without any of them " * 2_000 + entries[12_345]
    finder.find(text, [0], "plain")
    assert [text[s:e] for s, e, _ in finder.find(text, [0], "plain")] == [entries[12_345]]
    assert _seconds(finder, text) < 1
