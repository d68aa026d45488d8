"""Laws of every format, over any text, any place in it and any words about it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from guardkit.diagnostics import (
    CODES,
    FORMATS,
    Diagnostic,
    Edit,
    Fix,
    Label,
    Place,
    Source,
    Span,
    diagnose,
    render,
)
from guardkit.diagnostics._shown import text_width

SINGLE = "\n\r\t\u202e\u200b日\u0301\ud800\u1161\U0001f468\u2028\x9b\x00{"
LONGER = ("\r\n", "\x1b[31m", "e\u0301", "word ", "a" * 90, " " * 30)
ODD = st.sampled_from([*SINGLE, *LONGER])
TEXT = st.lists(st.one_of(ODD, st.text(max_size=6)), max_size=20).map("".join)


@st.composite
def places(draw: st.DrawFn, sources: list[Source]) -> Place:
    source = draw(st.sampled_from(sources))
    ends = st.integers(0, len(source.text))
    start, end = sorted((draw(ends), draw(ends)))
    return Place(source, Span(start, end))


@st.composite
def diagnostics(draw: st.DrawFn) -> list[Diagnostic]:
    sources = [Source(draw(TEXT), draw(TEXT)) for _ in range(draw(st.integers(1, 3)))]
    place = places(sources)
    labels = st.lists(st.builds(Label, place, TEXT), max_size=3)
    edits = st.lists(st.builds(Edit, place, TEXT), max_size=3).map(tuple)
    fix = st.none() | st.builds(Fix, TEXT, edits, st.booleans())
    one = st.builds(
        diagnose,
        st.sampled_from(sorted(CODES)),
        place,
        TEXT,
        note=TEXT,
        labels=labels,
        help=st.lists(TEXT, max_size=2),
        fix=fix,
    )
    return draw(st.lists(one, max_size=4))


@given(diagnostics(), st.booleans(), st.booleans(), st.integers(0, 120))
@settings(deadline=None)
def test_every_format_renders_anything(
    found: list[Diagnostic], color: bool, ascii: bool, width: int
) -> None:
    for name in FORMATS:
        text = render(found, name, color=color, width=width, ascii=ascii)
        assert text == "" or (text.endswith("\n") and not text.endswith("\n\n"))
        text.encode()  # nothing is left that cannot be written


@given(diagnostics(), st.booleans(), st.integers(40, 120))
@settings(deadline=None)
def test_full_shows_no_raw_control_character_and_keeps_its_width(
    found: list[Diagnostic], ascii: bool, width: int
) -> None:
    text = render(found, "full", width=width, ascii=ascii)
    lines = text.split("\n")
    assert all(line == line.rstrip(" ") for line in lines)
    assert not any(
        char < " " or "\x7f" <= char <= "\x9f" or char in "\u202e\u200b\u2028"
        for line in lines
        for char in line
    )
    if ascii:
        assert text.isascii()
    bars = ("│ ", "| ", "+ ", "- ")
    for line in lines:
        if line[:3].strip().isdecimal() or line[3:5] in bars:
            assert text_width(line) <= width, line


@given(diagnostics())
@settings(deadline=None)
def test_what_programs_read_can_be_parsed(found: list[Diagnostic]) -> None:
    assert len(json.loads(render(found, "json"))["diagnostics"]) == len(found)
    assert len(render(found, "jsonl").splitlines()) == len(found)
    assert len(render(found, "github").splitlines()) == len(found)
    assert len(render(found, "concise").splitlines()) == len(found)
    results = json.loads(render(found, "sarif"))["runs"][0]["results"]
    assert len(results) == len(found)
    root = ET.fromstring(render(found, "junit").encode())
    assert len(root.findall("testsuite/testcase")) == len(found)
