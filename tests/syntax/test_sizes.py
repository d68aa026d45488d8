"""Texts made to be slow: every one of them is judged within a second."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from guardkit.diagnostics import Source
from guardkit.syntax import Parsed, format_source, parse

HEADER = "guardkit 1\npolicy p\n\n"
RULE = HEADER + "rule r { "
LONGEST = 1.0
# Under the limit for a declaration, under the limit for a file, and over both.
SIZES = (98_000, 900_000, 4_500_000)

HOSTILE: dict[str, Callable[[int], str]] = {
    "lines of comment": lambda n: HEADER + "# a\n" * (n // 4) + "x",
    "a line": lambda n: RULE + "when " + "a " * (n // 2) + "}",
    "a text": lambda n: RULE + 'title "' + "x" * n + '" title }',
    "an open text": lambda n: RULE + 'title "' + "x" * n,
    "a text of escapes": lambda n: RULE + 'title "' + '\\"' * (n // 2),
    "a pattern of escapes": lambda n: HEADER + "check c = pattern { match /" + "\\/" * (n // 2),
    "a name": lambda n: HEADER + "rule " + "x" * n,
    "a word": lambda n: "x" * n,
    "quotes": lambda n: RULE + 'title "a" ' + '"' * n,
    "slashes": lambda n: RULE + "when " + "/" * n,
    "hashes": lambda n: "#" * n,
    "blanks": lambda n: HEADER + "rule r" + " " * n + ";",
    "digits": lambda n: RULE + "when a >= " + "9" * n,
    "dots": lambda n: RULE + "when a" + "." * n,
    "a chain": lambda n: RULE + "when a" + " and a" * (n // 6) + " or b }",
    "a mixed chain": lambda n: RULE + "when a" + " and a or b" * (n // 11) + " }",
    "errors": lambda n: HEADER + "rulle r { }\n" * (n // 12),
    "wrong declarations": lambda n: HEADER + "rule r { when = }\n" * (n // 18),
    "odd characters": lambda n: HEADER + "rule r { title \u200b }\n" * (n // 20),
    "odd characters in patterns": lambda n: (
        HEADER + "check c = pattern { match /\u200b/ } }\n" * (n // 38) + "\u202e"
    ),
    "only odd characters": lambda n: "\u200b" * n,
    "mixed scripts": lambda n: HEADER + "# \u0430b " * (n // 5),
    "slid clauses": lambda n: HEADER + "rule r {\n" + "when a\n" * (n // 7),
    "slid clauses of closed rules": lambda n: HEADER + "rule r {\nwhen a\n}\n" * (n // 18),
    "carriage returns": lambda n: "\r" * n,
    "closing brackets": lambda n: RULE + "}" * n,
    "open brackets": lambda n: RULE + "when " + "(" * n,
    "line breaks": lambda n: RULE + "\n" * n,
    "list items": lambda n: HEADER + "check c = words { list [" + '"a",' * (n // 4) + "] ] }",
}
NESTED = (("(", ")"), ("[", "]"), ("{", "}"), ("not (", ")"), ("2 of (", ")"), ("{a: ", "}"))


def timed(text: str) -> Parsed:
    source = Source("p.guard", text)
    for last in (False, True):  # a machine may stall once
        started = time.process_time()
        parsed = parse(source)
        took = time.process_time() - started
        if took < LONGEST or last:
            break
    assert took < LONGEST
    return parsed


def assert_refused(text: str) -> None:
    parsed = timed(text)
    assert parsed.diagnostics
    assert len(parsed.diagnostics) <= 201
    for diagnostic in parsed.diagnostics:
        start, end = diagnostic.place.span
        assert 0 <= start < end <= len(text)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", HOSTILE)
def test_refused_in_time(name: str, size: int) -> None:
    assert_refused(HOSTILE[name](size))


@pytest.mark.parametrize(("opening", "closing"), NESTED)
@pytest.mark.parametrize("depth", [65, 10_000])
def test_deep_brackets(opening: str, closing: str, depth: int) -> None:
    assert_refused(RULE + "when " + opening * depth + "a" + closing * depth + " }")


def test_deep_cascades() -> None:
    nested = "cascade { yes if " * 10_000 + "a" + " else no }" * 10_000
    assert_refused(RULE + f"when {nested} }}")


def test_a_hundred_thousand_errors() -> None:
    assert_refused(HEADER + "rulle\n" * 100_000)


def test_a_comment_file() -> None:
    parsed = timed(HEADER + "# why\n" * 100_000)
    assert not parsed.diagnostics
    assert len(parsed.file.declarations) == 2


def test_a_comment_file_is_formatted() -> None:
    text = HEADER + "# why\n" * 100_000
    started = time.process_time()
    assert format_source(Source("p.guard", text)) == text
    assert time.process_time() - started < 15


def test_a_thousand_rules() -> None:
    lines = ("tier safety", "severity high", "on input", "when a >= 0.5", 'then block "x"')
    rule = "rule r{} {{\n  " + "\n  ".join(lines) + "\n}}\n\n"
    parsed = timed(HEADER + "".join(rule.format(i) for i in range(1_000)))
    assert not parsed.diagnostics
    assert len(parsed.file.declarations) == 1_002


def test_deep_but_allowed() -> None:
    nested = "(" * 30 + "a" + " and (b or c))" * 30
    text = f"{HEADER}rule r {{ when {nested} }}\n"
    assert not timed(text).diagnostics
    assert format_source(Source("p.guard", text))
