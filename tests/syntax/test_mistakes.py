"""What a policy author is told about a mistake.

`mistakes.cases` holds the mistakes, `mistakes.out` what is said about each: code, message, the
text under the caret, labels, help and what the fix makes of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from guardkit.diagnostics import CODES, Diagnostic, Source
from guardkit.syntax import decode, parse

HERE = Path(__file__).parent
HEADER = "guardkit 1\npolicy p\n\n"
RAW = "!raw\n"
CASES = (HERE / "mistakes.cases").read_text(encoding="utf-8").split("\n----\n")

# Found by reading the file, which is no part of parsing it.
ELSEWHERE = {"unreadable-file"}


def source_of(case: str) -> Source:
    text = case.removeprefix(RAW) if case.startswith(RAW) else HEADER + case
    return Source("p.guard", text)


def fixed(diagnostic: Diagnostic) -> str:
    """The text after the diagnostic's fix."""
    text = diagnostic.place.source.text
    assert diagnostic.fix is not None
    for edit in sorted(diagnostic.fix.edits, key=lambda edit: -edit.place.span.start):
        start, end = edit.place.span
        text = text[:start] + edit.replacement + text[end:]
    return text


def described(diagnostic: Diagnostic) -> list[str]:
    line, column = diagnostic.place.start
    lines = [
        f"  {diagnostic.code.id} {diagnostic.code.slug} {line}:{column} {diagnostic.place.text!r}",
        f"    {diagnostic.message}",
    ]
    if diagnostic.note:
        lines.append(f"    note: {diagnostic.note}")
    lines += [f"    label {label.place.text!r}: {label.text}" for label in diagnostic.labels]
    lines += [f"    help: {text}" for text in diagnostic.help]
    if diagnostic.fix:
        left = parse(Source("p.guard", fixed(diagnostic))).diagnostics
        after = f"leaves {left[0].code.slug}" if left else "clean"
        safe = "" if diagnostic.fix.safe else " (a guess)"
        lines.append(f"    fix: {diagnostic.fix.title}{safe} -> {after}")
    return lines


def test_messages(golden) -> None:  # type: ignore[no-untyped-def]  # the fixture is in conftest
    lines: list[str] = []
    for case in CASES:
        lines += case.split("\n")
        diagnostics = parse(source_of(case)).diagnostics
        assert diagnostics, case
        for diagnostic in diagnostics:
            lines += described(diagnostic)
        lines.append("")
    golden(HERE / "mistakes.out", "\n".join(lines))


@pytest.mark.parametrize("case", CASES)
def test_form(case: str) -> None:
    for diagnostic in parse(source_of(case)).diagnostics:
        message = diagnostic.message
        assert not message.endswith(".")
        assert not message[0].isupper()
        assert "\n" not in message
        assert all("\n" not in text for text in diagnostic.help)
        assert diagnostic.place.text or not diagnostic.place.source.text
        if diagnostic.fix:
            assert fixed(diagnostic) != diagnostic.place.source.text


def test_a_safe_fix_mends_its_finding() -> None:
    """Applying a safe fix never leaves the same finding in the same place."""
    for case in CASES:
        for diagnostic in parse(source_of(case)).diagnostics:
            if diagnostic.fix and diagnostic.fix.safe:
                left = parse(Source("p.guard", fixed(diagnostic))).diagnostics
                same = [
                    one
                    for one in left
                    if one.code == diagnostic.code and one.place.span == diagnostic.place.span
                ]
                assert not same, case


def test_every_syntax_code_is_reached() -> None:
    reached = {d.code.slug for case in CASES for d in parse(source_of(case)).diagnostics}
    deep = HEADER + "rule r { when " + "(" * 65 + "a" + ")" * 65 + " }\n"
    odd = HEADER + 'rule r { title "a\u202eb\u200bc\x07" }\n'
    for text in (deep, odd, "x" * 4_000_001):
        reached |= {d.code.slug for d in parse(Source("p.guard", text)).diagnostics}
    for data in (b"guardkit 1\npolicy \xff\n", b"\x00\x01"):
        found = decode("p.guard", data)
        assert isinstance(found, Diagnostic)
        reached.add(found.code.slug)
    syntax = {slug for slug, code in CODES.items() if code.id.startswith("GK1")}
    assert syntax - reached == ELSEWHERE


def test_one_mistake_one_diagnostic() -> None:
    bodies = [case for case in CASES if not case.startswith(RAW)]
    for body in bodies:
        begins = 1 + sum(line[:1].isalpha() or line[:1] == "_" for line in body.split("\n")[1:])
        found = parse(source_of(body)).diagnostics
        assert len(found) <= begins, body


def test_both_readings_parse_and_differ() -> None:
    """Each reading that mixed chains are offered is a condition of its own."""
    seen = 0
    for case in CASES:
        source = source_of(case)
        for diagnostic in parse(source).diagnostics:
            if diagnostic.code.slug != "mixed-and-or":
                continue
            first, second = (text.split("  ", 1)[1].strip() for text in diagnostic.help)
            trees = []
            for reading in (first, second):
                wrapped = Source("p.guard", f"{HEADER}rule r {{ when {reading} }}\n")
                parsed = parse(wrapped)
                assert not parsed.diagnostics, reading
                trees.append(parsed.file.declarations)
            assert trees[0] != trees[1]
            seen += 1
    assert seen >= 10


@pytest.mark.parametrize(
    ("data", "text", "slug"),
    [
        (b"guardkit 1\n", "guardkit 1\n", None),
        (b"\xef\xbb\xbfguardkit 1\n", "guardkit 1\n", None),
        ("\u00e4\n".encode("latin-1"), "\ufffd\n", "not-utf8"),
        (b"ab\x00cd", "ab\ufffd", "binary-file"),
        ("guardkit 1".encode("utf-16"), None, "not-utf8"),
        (b"", "", None),
    ],
)
def test_decode(data: bytes, text: str | None, slug: str | None) -> None:
    made = decode("p.guard", data)
    found = made if isinstance(made, Diagnostic) else None
    source = made.place.source if isinstance(made, Diagnostic) else made
    assert (found.code.slug if found else None) == slug
    if text is not None:
        assert source.text == text
    if found:
        start, end = found.place.span
        assert 0 <= start < end <= len(source.text)
