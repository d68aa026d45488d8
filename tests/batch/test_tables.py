"""CSV and TSV: which rows they have, and what is wrong with those that are none."""

from __future__ import annotations

import io

import pytest

from guardkit.batch._tables import cases_of_table
from guardkit.errors import UsageError
from guardkit.guard import BrokenRow, Case


def cases(
    content: str | bytes, *, delimiter: str = ",", field: str = "text"
) -> list[Case | BrokenRow]:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return list(cases_of_table(file, "t.csv", "t.csv", "input", delimiter=delimiter, field=field))


def texts(content: str | bytes, **options: str) -> list[str]:
    return [
        case.text if isinstance(case, Case) else f"! {case.why}"
        for case in cases(content, **options)
    ]


def test_every_field_of_a_row() -> None:
    (case,) = cases(
        "on,text,id,context,session,tool,label\n"
        'output,"He said ""hello"", twice.",m1,"{""user"": {""role"": ""staff""}}",s,t,1\n'
    )
    assert isinstance(case, Case)
    assert (case.id, case.text, case.on) == ("m1", 'He said "hello", twice.', "output")
    assert (case.context, case.session, case.tool) == ({"user": {"role": "staff"}}, "s", "t")
    assert case.label == "1"


def test_an_empty_field_is_none() -> None:
    (case,) = cases("text,id,on,session,tool,context\nhi,,,,,\n")
    assert isinstance(case, Case)
    assert (case.id, case.on, case.session, case.tool) == ("t.csv:2", "input", None, None)
    assert case.context is None


def test_the_id_is_the_line_where_a_row_begins() -> None:
    found = cases('\ufefftext\r\n"a\r\nb\r\nc"\r\n\r\nd\r\n')
    assert [(case.id, case.line) for case in found] == [("t.csv:2", 2), ("t.csv:6", 6)]
    assert texts('\ufefftext\r\n"a\r\nb"\r\n') == ["a\r\nb"]


def test_a_table_with_tabs() -> None:
    assert texts("text\tid\na, b\t1\n", delimiter="\t") == ["a, b"]


def test_another_column() -> None:
    assert texts("text,body\na,b\n", field="body") == ["b"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b"a", "it has 1 fields and the header 2"),
        (b"a,b,c", "it has 3 fields and the header 2"),
        (b'"a"b,c', "its quotes are wrong, or a field is too long"),
        (b"caf\xe9,b", "it is not UTF-8"),
        (b"a,caf\xe9", "it is not UTF-8"),
    ],
)
def test_a_broken_row_is_said_and_the_rest_is_read(row: bytes, why: str) -> None:
    assert texts(b"text,id\nfirst,1\n" + row + b"\nlast,2\n") == ["first", f"! {why}", "last"]


def test_quotes_that_never_end_are_said() -> None:
    assert texts('text,id\nfirst,1\n"never,2\nlast,3\n')[-1].startswith("! its quotes")


def test_a_context_that_is_no_object() -> None:
    assert texts("text,context\na,{\nb,[1]\n") == [
        "! `context` is no JSON",
        "! `context` is no object",
    ]


def test_a_surface_that_is_none() -> None:
    assert texts("text,on\na,inside\n") == ["! `on` names no surface"]


def test_a_long_text_is_one_field() -> None:
    long = "word " * 100_000
    assert texts(f'text\n"{long}"\n') == [long]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no column `text`"),
        ("id,body\n1,a\n", "no column `text`"),
        ("text,text\n1,a\n", "more than one column `text`"),
        ("text,id,id\n1,2,3\n", "names a column twice"),
        ('"text', "no column `text`"),
    ],
)
def test_a_header_that_does_not_do(content: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        cases(content)
