"""Characters that show a reviewer something else than the parser reads."""

from __future__ import annotations

import pytest

from guardkit.diagnostics import Source
from guardkit.syntax import parse

HEADER = "guardkit 1\npolicy p\n\n"


def codes(body: str) -> list[str]:
    text = HEADER + body
    parsed = parse(Source("p.guard", text))
    for diagnostic in parsed.diagnostics:
        assert 0 <= diagnostic.place.span.start < diagnostic.place.span.end <= len(text)
    return [diagnostic.code.slug for diagnostic in parsed.diagnostics]


def title(text: str) -> str:
    return f'rule r {{ title "{text}" }}\n'


@pytest.mark.parametrize("char", list("\u061c\u200e\u200f\u202a\u202e\u2066\u2069"))
def test_bidi_controls(char: str) -> None:
    assert codes(title(f"a{char}b")) == ["bidi-control"]
    assert codes(f"# a{char}b\n") == ["bidi-control"]


@pytest.mark.parametrize(
    "char", list("\u00ad\u200b\u200c\u200d\u2060\ufeff\ufe0f\u3164\U000e0041\u180e\u2028\u115f")
)
def test_invisible_characters(char: str) -> None:
    assert codes(title(f"a{char}b")) == ["invisible-character"]
    assert codes(f"# a{char}b\n") == ["invisible-character"]


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x0c", "\x7f", "\x85", "\ud800", "\r"])
def test_control_characters(char: str) -> None:
    assert "control-character" in codes(title(f"a{char}b"))


@pytest.mark.parametrize("body", ["# a\tb\r\n", "rule r {\r\n\tthen flag\r\n}\r\n"])
def test_tabs_and_windows_line_ends(body: str) -> None:
    assert codes(body) == []


@pytest.mark.parametrize("word", ["p\u0430ge", "\u03bfwner", "\uff21\u0430", "\u13a0b", "b\u0561"])
def test_mixed_scripts(word: str) -> None:
    assert codes(title(word)) == ["mixed-script"]
    assert codes(f"# {word}\n") == ["mixed-script"]


@pytest.mark.parametrize(
    "text",
    [
        "r\u00e9sum\u00e9 \u00fcber \u0141\u00f3d\u017a",
        "\u041f\u0440\u0438\u0432\u0435\u0442 world",
        "\\n\u041f\u0440\u0438\u0432\u0435\u0442",
        "\u65e5\u672c\u8a9e\u306eIBM",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f 1\ufe0f\u20e3",
        "\\u{202E}\\u{200B}",
        "caf\u00e9_\u03b1",
    ],
)
def test_ordinary_writing(text: str) -> None:
    assert codes(title(text)) == []


def test_patterns_may_hold_what_they_find() -> None:
    body = "check c = pattern { match /[\u200b\u202e\u00ad]p\u0430ge/ match /a/ }\n"
    assert codes(body) == []


def test_patterns_are_no_hiding_place_for_the_line_behind_them() -> None:
    assert codes('check c = pattern { match /a/ label "\u202e" }\n') == ["bidi-control"]
    assert codes('rule r { title "/" note "\u202e/" }\n') == ["bidi-control"]
    assert codes("# / \u202e /\n") == ["bidi-control"]


def test_a_hundred_are_enough() -> None:
    assert len(codes("# " + "\u200b" * 1_000 + "\n")) == 100


def test_names_are_ascii() -> None:
    assert codes("rule \u00e9t\u00e9 { then flag }\n") == ["unknown-character"]
    assert codes("rule r { when a >= \u0663 }\n")[0] in {"malformed-number", "unknown-character"}
