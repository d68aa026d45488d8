"""Patterns: what they find, in linear time, and the same whichever engine reads them."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator

import pytest
import re2

from guardkit._util.dialect import shape_of
from guardkit.checks.live import _matches
from guardkit.checks.live._matches import encoded, find_all, outermost, prepare
from guardkit.checks.live._pattern import bind
from guardkit.checks.live._shapes import looks_far
from guardkit.errors import BindError, CheckError

from ._hostile import HOSTILE, Hostile
from ._setting import Around, found, seen_in


def _config(*sources: str, flags: str = "", **more: object) -> dict[str, object]:
    return {"match": tuple((source, flags, -1) for source in sources), **more}


CASES = (
    (_config(r"\bNB-\d{8}\b"), "NB-12345678, NB-1234", ["NB-12345678"]),
    (_config(r"nb-\d+", flags="i"), "NB-1 nB-2", ["NB-1", "nB-2"]),
    (_config(r"a.b", flags="s"), "a\nb", ["a\nb"]),
    (_config(r"^x\w+$", flags="m"), "xa\nya\nxb", ["xa", "xb"]),
    (_config(r"ab", r"abc", r"bcd"), "abcd", ["abc", "bcd"]),
    (_config(r"(?P<year>\d{4})-(\d\d)"), "é 2024-01 é", ["2024-01"]),
    (_config(r"\d{4,19}", valid=("luhn", 0.0)), "79927398713 79927398714", ["79927398713"]),
    (_config(r"\w{8}", valid=("entropy", 3.0)), "aaaaaaaa abcdefgh", ["abcdefgh"]),
    (_config(r"😀+x"), "é😀😀x", ["😀😀x"]),
    (_config(r"\pL+\d"), "né3 ñ", ["né3"]),
)


@pytest.mark.parametrize(("config", "text", "wanted"), CASES)
def test_matches(config: dict[str, object], text: str, wanted: list[str]) -> None:
    assert found(bind(config, Around()), text) == wanted


def test_only_what_was_seen_is_looked_for() -> None:
    finder = bind(_config("one", "two"), Around())
    assert seen_in(finder, "two") == [1]
    assert len(finder.find("one two", [1], "plain")) == 1
    assert finder.find("one two", [], "plain") == []


def test_loose_texts_are_read_only_with_all_views() -> None:
    sources = (r"system\s+prompt", r"\d{8}", "jail\\s?break")
    finder = bind(_config(*sources), Around())
    assert len(finder.needles("plain")) == 3
    assert len(finder.needles("loose")) == 2
    assert found(finder, "a jaiibreak and the systemprompt", "loose") == [
        "jaiibreak",
        "systemprompt",
    ]
    assert finder.key_words == ("system", "break")
    for views in (("raw",), ("cleaned", "folded")):
        assert bind(_config(*sources, views=views), Around()).needles("loose") == ()
        assert bind(_config(*sources, views=views), Around()).key_words == ()
    assert bind(_config(*sources, views=("all", "raw")), Around()).needles("loose")


def test_lone_surrogates_keep_their_place() -> None:
    finder = bind(_config("a.b"), Around())
    assert finder.find("\udfff a\ud800b", [0], "plain") == [(2, 5, "")]
    assert encoded("\ud800x").decode() == "\ufffdx"


def test_what_lies_inside_another_is_left_out() -> None:
    assert outermost([(3, 5), (0, 2), (0, 4), (0, 4), (1, 3), (3, 6)]) == [(0, 4), (3, 6)]
    assert outermost([]) == []


def test_too_many_matches_cover_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_matches, "MAX_MATCHES", 3)
    text = "é aab " * 5
    assert find_all(prepare("aab"), text) == [(2, 5), (8, 11), (14, 17), (20, len(text))]
    finder = bind(_config("aab", valid=("entropy", 0.5)), Around())
    with pytest.raises(CheckError, match="`probe`") as error:
        finder.find(text, [0], "plain")
    assert "aab" not in str(error.value)


FAR = {
    r"a.*b|a": True,
    r"a(?:.*b)?": True,
    r"(?:a.*|x)b": True,
    r"(?:a[^b]*b)?a": True,
    r"(\pL+\s)+x|\pL": True,
    r"a[^\pN]*b|a": True,
    "(": True,
    r"a.*b": False,
    r"[\w.+-]+@(?:[\w-]+\.)+[a-z]{2,}": False,
    r'(?:key|token)\s*=\s*"[^"]*"': False,
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b": False,
    r"(?:foo\w+|bar\w+)": False,
    r"https?://[^\s/]+(?:/[^\s]*)?": False,
    r"-----BEGIN [A-Z ]+-----[\s\S]*?-----END": False,
    r"aaa(?:.{0,500}b)?": False,
}


@pytest.mark.parametrize("source", FAR)
def test_who_looks_far_ahead(source: str) -> None:
    assert looks_far(shape_of(source)) is FAR[source]


# --- linear in the text


def _seconds(find: Callable[[], object]) -> float:
    best = 99.0
    for _ in range(3):
        before = time.thread_time()
        find()
        best = min(best, time.thread_time() - before)
        if best > 0.2:
            break
    return best


def _is_refused(source: str) -> bool:
    """Whether the language finds the pattern too large."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 4 << 20
    try:
        re2.compile(source, options)
    except re2.error:
        return True
    return False


def test_two_hundred_hostile_patterns_are_known() -> None:
    assert len({case.source for case in HOSTILE}) == 200
    assert sum(_is_refused(case.source) for case in HOSTILE) <= 2


@pytest.mark.parametrize("case", HOSTILE[::10], ids=lambda case: case.source)
def test_time_grows_with_the_text(case: Hostile) -> None:
    if not _is_refused(case.source):
        _grows_linearly(case, 10_000, slack=0.03)


@pytest.mark.full
@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.source)
def test_time_grows_with_the_text_up_to_a_megabyte(case: Hostile) -> None:
    if not _is_refused(case.source):
        assert _grows_linearly(case, 100_000, slack=0.01) <= 2


def _grows_linearly(case: Hostile, size: int, slack: float) -> float:
    finder = bind(_config(case.source), Around())
    small, large = case.text(size), case.text(size * 10)
    finder.find(large, [0], "plain")  # the automaton is built as texts need it
    taken = _seconds(lambda: finder.find(large, [0], "plain"))
    assert taken <= 12 * _seconds(lambda: finder.find(small, [0], "plain")) + slack
    return taken


@pytest.mark.parametrize("unit", ["AB-1234 word ", "ÄB AB-1234 wörd ", "🙂AB-1234"])
def test_many_matches_take_linear_time(unit: str) -> None:
    program = prepare(r"\b([A-Z]{2})-(\d{4})\b")
    small, large = unit * 600, unit * 6_000
    assert find_all(program, large) == [
        match.span() for match in re.finditer(r"[A-Z]{2}-\d{4}", large)
    ]
    taken = _seconds(lambda: find_all(program, large))
    assert taken <= 12 * _seconds(lambda: find_all(program, small)) + 0.01


# --- bounded in the pattern


@pytest.mark.parametrize(
    "source",
    [
        r"(x{1,1000}){1,1000}",
        r"[\p{L}]{5000}",
        r"((\pL{1,99}){1,99}){1,99}",
        "((a{100}){100}){100}",
    ],
)
def test_too_large_a_pattern_is_refused_at_once(source: str) -> None:
    before = time.thread_time()
    with pytest.raises(BindError, match="too large"):
        prepare(source)
    assert time.thread_time() - before < 1


def _noise(rng: random.Random) -> str:
    pieces = (
        *"ab.*+?|()[]{}^$\\-, 12é",
        r"\pL",
        r"\d",
        r"\b",
        "{1,9}",
        "(?:",
        "(?i)",
        "[^a]",
        "a|b",
    )
    return "".join(rng.choices(pieces, k=rng.randint(1, 100)))


@pytest.mark.parametrize("seed", range(4))
def test_any_pattern_is_bound_or_refused_in_time(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(150):
        before = time.thread_time()
        try:
            bind(_config(_noise(rng)), Around())
        except BindError:
            continue
        finally:
            assert time.thread_time() - before < 1


@pytest.mark.parametrize(
    "source",
    [
        "(?:.*b)?" * 450 + "x",
        "(?:[^b]*b)?" * 350 + "bxyz",
        "(" * 900 + "word" + ")" * 900,
        "(?:a|b[cd]e|fgh)" * 240,
        "[^!]{0,20}" * 390 + "!",
        "|".join(f"word{n}" for n in range(450)),
    ],
    ids=len,
)
def test_the_longest_patterns_are_bound_in_time(source: str) -> None:
    assert len(source) <= 4_000
    before = time.thread_time()
    bind(_config(source), Around())
    assert time.thread_time() - before < 4


# --- one meaning


def _pattern(rng: random.Random, depth: int = 2) -> str:
    """A simple pattern; what is repeated is never empty."""
    if depth == 0:
        atoms = ("a", "b", "c", "ab", "ca", "[ab]", "[^a]", ".", r"\d", r"\w", r"\bc", "-", r"a\b")
        return rng.choice(atoms)
    inner = [_pattern(rng, depth - 1) for _ in range(rng.randint(1, 3))]
    match rng.randrange(4):
        case 0:
            return f"(?:{'|'.join(inner)})"
        case 1:
            times = rng.choice(("+", "*", "?", "{2}", "{1,3}", "+?", "*?", "??"))
            return f"(?:{inner[0]}){times}"
        case 2:
            return f"({inner[0]})"
        case _:
            return "".join(inner)


def _pairs(rng: random.Random) -> Iterator[tuple[list[str], list[str]]]:
    while True:
        sources: list[str] = []
        while len(sources) < 10:
            source = _pattern(rng, rng.randint(1, 3))
            if not re.search(source, "") and re.compile(source).match("") is None:
                sources.append(source)
        lengths = [rng.randint(0, 14) for _ in range(20)]
        yield sources, ["".join(rng.choices("aabbccAB 1-_\né", k=length)) for length in lengths]


def _agree(pairs: int, seed: int) -> None:
    rng = random.Random(seed)
    for sources, texts in _pairs(rng):
        flags = rng.choice(("", "i", "s", "m"))
        options = re2.Options()
        options.log_errors = False
        together = re2.Set.SearchSet(options)
        for source in sources:
            together.Add(_matches.with_flags(source, flags))
        together.Compile()
        programs = [prepare(source, flags) for source in sources]
        plain = [re.compile(_matches.with_flags(source, flags), re.ASCII) for source in sources]
        for text in texts:
            seen = set(together.Match(text) or ())
            for n, (program, pattern) in enumerate(zip(programs, plain, strict=True)):
                wanted = [m.span() for m in pattern.finditer(text) if m.end() > m.start()]
                assert find_all(program, text) == wanted, (sources[n], flags, text)
                assert (n in seen) == bool(pattern.search(text)), (sources[n], flags, text)
        pairs -= len(sources) * len(texts)
        if pairs <= 0:
            return


def test_three_engines_agree() -> None:
    _agree(2_000, seed=1)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_three_engines_agree_on_many_pairs() -> None:
    _agree(100_000, seed=2)


FOLDS = {
    # what a letter with the flag `i` matches, wherever the pattern is read
    "k": "kK\u212a",
    "s": "sS\u017f",
    "i": "iI",
    "ß": "ßẞ",
    "é": "éÉ",
    "σ": "σςΣ",
    "µ": "µμΜ",
    "ж": "жЖ",
}


@pytest.mark.parametrize("letter", FOLDS)
def test_what_any_case_means(letter: str) -> None:
    program = prepare(letter, "i")
    others = "iIıİkK\u212asS\u017fßẞéÉeσςΣµμΜжЖ"
    assert {char for char in others if find_all(program, char)} == set(FOLDS[letter])
