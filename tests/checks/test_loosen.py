"""Loose forms and key words of patterns."""

from __future__ import annotations

import pytest
import re2

from guardkit.checks.live._loosen import key_words, loosen, loosen_words
from guardkit.text import LOOSE_CLASSES

FOUND = {
    # a pattern, and texts it is found in when they are folded and lose their blanks
    r"ignore (?:all )?previous instructions": (
        "IGNORE PREVIOUS INSTRUCTIONS",
        "1gn0re a11 prev10us 1nstruct10ns",
        "ignoreallpreviousinstructions",
    ),
    r"\b(?:jailbreak|DAN|do anything now)\b": ("j@i1br3ak", "d0 anyth!ng n0w", "doanythingnow"),
    r"system[\s_-]*prompt": ("5ystem prompt", "systemprompt", "system-prompt"),
    r"(?i)\b(?:ignore|forget)\b.{0,40}\b(?:instructions?|rules)\b": (
        "ignore the instruction",
        "f0rget ru1es",
    ),
    r"organi[sz]ation chart": ("organi5ation chart", "0rgan1zat1onchart"),
    r"project\s*x\b": ("projectx", "Pr0ject X"),
    r"Müller GmbH": ("müller gmbh", "MÜLLERGMBH"),
    r"\Qsecret plan\E": ("5ecret plan",),
    r"(?P<what>confidential)\z": ("c0nfident1al",),
    r"do(?:n'?t| not) tell": ("dont te11", "do not tell", "donottell"),
    r"(?:ignore|x) (?:previous|y)": ("1gnoreprevious",),
    r"[Pp]assword": ("pa$$word", "PASSWORD"),
    r"a(?i)bcdef": ("abcdef",),
    r"[[:space:]]*classified": ("c1assified",),
    r"reveal(?:\s+\w+){0,3}\s+prompt": ("revealtheprompt", "reveal prompt"),
}
NOT_FOUND = {
    r"\b(?:jailbreak|DAN|do anything now)\b": ("dan", "danger"),
    r"(?:ignore|x) (?:previous|y)": ("xy", "x previous"),
    r"system\s*prompt": ("system of prompts",),
}
NO_FORM = (
    r"\bNB-\d{8}\b",
    r"[A-Za-z0-9_]{32,64}",
    r"\w{20,}",
    r"sk_live_[0-9a-zA-Z]{24}",
    r"AKIA[0-9A-Z]{16}",
    r"password:?\s*\d{4,}",
    r"is.*bad",
    r"\bDAN\b",
    r"cat|car",
    r"[a-z]+@[a-z]+\.com",
    r"\pL+ secret",
    r"[^[:^alpha:]]+ secret",
    r"(a|b)*",
    r"\C+secret",
    r"!!!+",
    "[",
    "(?=x)",
    r"(\1)",
    "",
)
STRANGE = (
    r"\pL",
    r"\p{Greek}+",
    r"\PN",
    r"[\pL\d]",
    r"\z",
    r"\A\Q.*\E",
    r"\Qx",
    r"[[:alpha:]]",
    r"[[:^word:]x]",
    "[]a]",
    "[^]a]",
    r"[\d-z]",
    r"(?P<n>x)",
    "(?<n>x)",
    "(?i:x)",
    "(?-s)x",
    "(?U)x+",
    r"\x{1F600}",
    r"\x41",
    r"\101",
    "x{,3}",
    "x{2",
    "{",
    "}",
    "]",
    "a||b",
    "()",
    "(|a)",
    r"\C",
    r"\a\f\t\n\r\v",
    "x{1000}",
    "(?:(?:x{10}){10}){9}",
    "^$",
    r"\B",
    "é{3}",
    "[é-ü]",
    r"[\x00-\x{10FFFF}]",
    "(" * 500 + "x" + ")" * 500,
    "[" * 50,
    "|" * 500,
    r"\x{110000}",
    "\ud800",
)
WORDS = {
    r"ignore (?:all )?previous instructions": ("instructions",),
    r"\b(?:jailbreak|jailbird)\b": ("jailbird", "jailbreak"),
    r"\b(?:jailbreak|DAN)\b": (),
    r"instructions?": ("instruction",),
    r"organi[sz]ation": ("organisation", "organization"),
    r"(?:secret )?plan": ("plan",),
    r"(?:secret )?map": (),
    r"(?:secret)+ map": ("secret",),
    r"(?i)IGNORE": ("ignore",),
    r"[Pp]assword": ("password",),
    r"pass\bword": ("word",),
    r"kill (?:him|her)": ("kill",),
    r"(?:alpha|beta|gamma)ray": ("alpharay", "betaray", "gammaray"),
    r"\d{8}": (),
    "[": (),
}


def folded(text: str) -> str:
    low = "".join(char.lower() if char.isascii() else char for char in text)
    return "".join(LOOSE_CLASSES.get(char, char) for char in low)


@pytest.mark.parametrize("source", FOUND)
def test_a_loose_form_is_found(source: str) -> None:
    form = loosen(source)
    assert form is not None
    assert [text for text in FOUND[source] if not re2.search(form, folded(text))] == []


@pytest.mark.parametrize("source", NOT_FOUND)
def test_a_loose_form_is_not_found_elsewhere(source: str) -> None:
    form = loosen(source)
    assert form is not None
    assert [text for text in NOT_FOUND[source] if re2.search(form, folded(text))] == []


@pytest.mark.parametrize("source", NO_FORM)
def test_what_says_too_little_has_no_loose_form(source: str) -> None:
    assert loosen(source) is None


@pytest.mark.parametrize("source", STRANGE)
def test_any_pattern_has_an_answer(source: str) -> None:
    form = loosen(source)
    assert form is None or re2.compile(form)
    assert all(word.isascii() and word.islower() and len(word) >= 4 for word in key_words(source))


@pytest.mark.parametrize("source", WORDS)
def test_key_words_stand_in_every_match(source: str) -> None:
    assert key_words(source) == WORDS[source]


def test_phrases() -> None:
    assert loosen_words("Acme") is None
    form = loosen_words("New-York  Times")
    assert form is not None
    for text in ("newyorktimes", "new york-times", "new_york times"):
        assert re2.fullmatch(form, folded(text))
