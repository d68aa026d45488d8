"""Places as editors count them: every encoding, every kind of line end, characters of any width."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardkit.diagnostics import Span
from guardkit.editor import Change, Document, Encoding, Lines, Point, Range

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
TEXTS = st.text(st.sampled_from('ab \n\r\té€𝄞👍🏽\u2028\x0b"#{'), max_size=40)
ALL = st.sampled_from(ENCODINGS)


def bytes_of(lines: Lines, line: int) -> tuple[bytes, int]:
    """A line in the bytes of its encoding, and how many of them are a unit: the reference."""
    codec, unit = CODECS[lines.encoding]
    return lines.text[slice(*lines.line_span(line))].encode(codec), unit


@given(TEXTS, ALL)
def test_every_offset_finds_its_way_back(text: str, encoding: Encoding) -> None:
    lines = Lines(text, encoding)
    for offset in range(len(text) + 1):
        point = lines.point(offset)
        inside = lines.line_span(point.line).end >= offset  # not between CR and LF
        if inside:
            assert lines.offset(point) == offset


@given(TEXTS, ALL)
def test_columns_are_units_of_the_encoding(text: str, encoding: Encoding) -> None:
    lines = Lines(text, encoding)
    for line in range(len(lines)):
        start, end = lines.line_span(line)
        body, unit = bytes_of(lines, line)
        for offset in range(start, end + 1):
            codec = CODECS[encoding][0]
            units = len(text[start:offset].encode(codec)) // unit
            assert lines.point(offset) == (line, units)
        assert lines.point(end).character == len(body) // unit


@given(TEXTS, ALL, st.integers(-2, 60), st.integers(-2, 60))
def test_any_point_lies_somewhere(text: str, encoding: Encoding, line: int, column: int) -> None:
    lines = Lines(text, encoding)
    offset = lines.offset(Point(line, column))
    assert 0 <= offset <= len(text)
    if line >= len(lines):
        assert offset == len(text)


def test_lines_end_as_the_protocol_says() -> None:
    lines = Lines("a\r\nb\rc\nd\u2028e\x0bf")
    assert [lines.text[slice(*lines.line_span(i))] for i in range(len(lines))] == [
        "a",
        "b",
        "c",
        "d\u2028e\x0bf",
    ]


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 8), ("utf-16", 6), ("utf-32", 5)])
def test_an_astral_character_has_its_width(encoding: Encoding, column: int) -> None:
    lines = Lines('say "👍"', encoding)
    assert lines.point(6) == (0, column + 1)
    assert lines.offset(Point(0, column + 1)) == 6


def test_a_place_inside_a_character_is_before_it() -> None:
    assert Lines("a👍b").offset(Point(0, 2)) == 1
    assert Lines("a👍b", "utf-8").offset(Point(0, 3)) == 1


@given(TEXTS, TEXTS, st.data())
@settings(max_examples=200)
def test_an_edit_does_what_it_does_to_the_units(text: str, new: str, data: st.DataObject) -> None:
    """The same edit on the UTF-16 units of the text, made without any of our code."""
    lines = Lines(text)
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2)))
    range = Range(lines.point(ends[0]), lines.point(ends[1]))
    start, end = lines.span(range)  # a place between CR and LF is before them
    left, right = text[:start].encode("utf-16-le"), text[end:].encode("utf-16-le")
    expected = (left + new.encode("utf-16-le") + right).decode("utf-16-le")
    document = Document("untitled:a", None, 1, text)
    assert document.after([Change(new, range)], 2).text == expected


def test_several_edits_each_see_the_one_before() -> None:
    document = Document("untitled:a", None, 1, "one\ntwo")
    first = Change("👍\n", Range(Point(0, 0), Point(0, 0)))
    second = Change("x", Range(Point(0, 2), Point(1, 1)))
    after = document.after([first, second], 2)
    assert after.text == "👍xne\ntwo"
    assert (document.text, after.version) == ("one\ntwo", 2)


def test_half_a_pair_becomes_a_replacement_character() -> None:
    document = Document("untitled:a", None, 1, "").after([Change("a\ud83db")], 2)
    assert document.text == "a\ufffdb"
    assert document.lines.span(Range(Point(0, 1), Point(0, 2))) == Span(1, 2)
