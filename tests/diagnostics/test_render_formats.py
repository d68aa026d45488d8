"""The formats for programs: what each promises to whoever reads it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

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
    summary,
    to_json,
)
from guardkit.diagnostics._sarif import relative_uri

Find = Callable[..., Place]

A = Source("policies/a.guard", "guardkit 1\npolicy a\n\ncheck cards: patern {\n}\n")
B = Source("policies/b.guard", "guardkit 1\npolicy b\n")


@pytest.fixture(scope="module")
def schema() -> Draft4Validator:
    path = Path(__file__).with_name("sarif-2.1.0.schema.json")
    return Draft4Validator(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture
def found(find: Find) -> list[Diagnostic]:
    """An error with everything, a warning and a note, not in order."""
    kind = find(A, "patern")
    return [
        diagnose("whole-reply-held", find(B, "policy b"), "the reply is held"),
        diagnose("missing-owner", Place(B, Span(0, 15)), "nobody owns `b`"),
        diagnose(
            "unknown-kind",
            kind,
            "no check kind is called `patern`",
            note="not a kind",
            labels=[Label(find(A, "cards"), "of this check"), Label(find(B, "b"), "and here")],
            help=["did you mean `pattern`?", "see the list of kinds"],
            fix=Fix("write `pattern`", (Edit(kind, "pattern"),)),
        ),
    ]


def run_of(text: str) -> Mapping[str, Any]:
    return json.loads(text)["runs"][0]


def hashes(*found: Diagnostic) -> list[str]:
    results = run_of(render(found, "sarif"))["results"]
    return [result["partialFingerprints"]["primaryLocationLineHash"] for result in results]


def test_summary(found: list[Diagnostic]) -> None:
    assert summary(found) == "1 error, 1 warning, 1 note in 2 files"
    assert summary(found[2:] * 2) == "2 errors in 1 file"
    assert summary([]) == "no findings"


def test_concise_is_sorted_and_one_line_each(found: list[Diagnostic]) -> None:
    assert render(found, "concise") == (
        "policies/a.guard:4:14: error[GK204] no check kind is called `patern`\n"
        "policies/b.guard:1:1: warning[GK419] nobody owns `b`\n"
        "policies/b.guard:2:1: note[GK303] the reply is held\n"
    )


def test_json_object(found: list[Diagnostic]) -> None:
    document = json.loads(render(found, "json"))
    assert document["summary"] == {"errors": 1, "warnings": 1, "notes": 1, "files": 2}
    assert document["diagnostics"][0] == {
        "code": "GK204",
        "slug": "unknown-kind",
        "level": "error",
        "message": "no check kind is called `patern`",
        "note": "not a kind",
        "path": "policies/a.guard",
        "start": {"line": 4, "column": 14, "offset": 34},
        "end": {"line": 4, "column": 20, "offset": 40},
        "labels": [
            {
                "path": "policies/a.guard",
                "start": {"line": 4, "column": 7, "offset": 27},
                "end": {"line": 4, "column": 12, "offset": 32},
                "text": "of this check",
            },
            {
                "path": "policies/b.guard",
                "start": {"line": 2, "column": 8, "offset": 18},
                "end": {"line": 2, "column": 9, "offset": 19},
                "text": "and here",
            },
        ],
        "help": ["did you mean `pattern`?", "see the list of kinds"],
        "fix": {
            "title": "write `pattern`",
            "safe": True,
            "edits": [
                {
                    "path": "policies/a.guard",
                    "start": {"line": 4, "column": 14, "offset": 34},
                    "end": {"line": 4, "column": 20, "offset": 40},
                    "replacement": "pattern",
                }
            ],
        },
        "explain": "guardkit explain GK204",
    }


def test_jsonl_holds_the_objects_of_json(found: list[Diagnostic]) -> None:
    lines = render(found, "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == json.loads(render(found, "json"))["diagnostics"]
    assert json.loads(lines[0]) == to_json(found[2])


def test_nothing_found() -> None:
    assert render([], "full") == "no findings\n"
    assert render([], "concise") == render([], "jsonl") == render([], "github") == ""
    assert json.loads(render([], "json"))["diagnostics"] == []
    assert run_of(render([], "sarif"))["results"] == []
    assert ET.fromstring(render([], "junit")).get("tests") == "0"


def test_gitlab_takes_a_list_of_issues(found: list[Diagnostic]) -> None:
    issues = json.loads(render(found, "gitlab"))
    assert issues[0] == {
        "description": "no check kind is called `patern`; did you mean `pattern`?;"
        " see the list of kinds",
        "check_name": "GK204 unknown-kind",
        "fingerprint": issues[0]["fingerprint"],
        "severity": "critical",
        "location": {"path": "policies/a.guard", "lines": {"begin": 4, "end": 4}},
    }
    assert [issue["severity"] for issue in issues] == ["critical", "minor", "info"]
    assert render([], "gitlab") == "[]\n"
    assert render(found, "gitlab").isascii()


def test_gitlab_drops_no_finding_for_its_fingerprint(find: Find) -> None:
    text = "guardkit 1\npolicy a\ncheck x: patern { }\ncheck x: patern { }\n"
    sources = [Source(path, text) for path in ("a.guard", "./b.guard", "c/a.guard")]
    found = [
        diagnose("unknown-kind", Place(source, Span(at, at + 6)), "no such kind")
        for source in sources
        for at in (text.index("patern"), text.rindex("patern"))
    ]
    issues = json.loads(render(found, "gitlab"))
    assert len({issue["fingerprint"] for issue in issues}) == 6
    assert {issue["location"]["path"] for issue in issues} == {"a.guard", "b.guard", "c/a.guard"}
    moved = [
        diagnose(
            "unknown-kind",
            Place(
                Source("a.guard", "\n" + text),
                Span(one.place.span.start + 1, one.place.span.end + 1),
            ),
            "other words",
        )
        for one in found[:2]
    ]
    again = {issue["fingerprint"] for issue in json.loads(render(moved, "gitlab"))}
    first = [one for one in issues if one["location"]["path"] == "a.guard"]
    assert again == {issue["fingerprint"] for issue in first}


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(ValueError, match="`xml` is not a format; known are full, concise"):
        render([], "xml")  # type: ignore[arg-type]


def test_github_commands(found: list[Diagnostic]) -> None:
    assert render(found, "github").splitlines() == [
        "::error file=policies/a.guard,line=4,col=14,endLine=4,endColumn=20,"
        "title=GK204 unknown-kind::no check kind is called `patern`"
        "%0Adid you mean `pattern`?%0Asee the list of kinds",
        "::warning file=policies/b.guard,line=1,endLine=2,"
        "title=GK419 missing-owner::nobody owns `b`",
        "::notice file=policies/b.guard,line=2,col=1,endLine=2,endColumn=9,"
        "title=GK303 whole-reply-held::the reply is held",
    ]


def test_github_escapes_what_would_end_a_command() -> None:
    place = Place(Source("c:/50%,\n.guard", "x"), Span(0, 1))
    row = render([diagnose("unknown-name", place, "100%\r\n::stop-commands::x")], "github")
    assert row == (
        "::error file=c%3A/50%25%2C\\u{a}.guard,line=1,col=1,endLine=1,endColumn=2,"
        "title=GK268 unknown-name::100%25\\u{d}\\u{a}::stop-commands::x\n"
    )


def test_sarif_keeps_the_schema(found: list[Diagnostic], schema: Draft4Validator) -> None:
    schema.validate(json.loads(render(found, "sarif", version="1.2.3")))
    schema.validate(json.loads(render([], "sarif")))


def test_sarif_keeps_the_schema_for_every_code(find: Find, schema: Draft4Validator) -> None:
    places = [find(A, "patern"), find(B, "b"), Place(A, Span(3, 30)), Place(B, Span(20, 20))]
    every = [
        diagnose(
            slug,
            places[number % 4],
            f"message {number} \x1b\u202e\udcff",
            labels=[Label(place, "label\x00") for place in places[: number % 3]],
            help="help",
            fix=Fix("mend", tuple(Edit(p, "x" * (number % 2)) for p in places[: number % 4])),
        )
        for number, slug in enumerate(CODES)
    ]
    schema.validate(json.loads(render(every, "sarif")))


def test_sarif_content(found: list[Diagnostic]) -> None:
    run = run_of(render(found, "sarif", version="1.2.3"))
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("guardkit", "1.2.3")
    assert [(rule["id"], rule["name"]) for rule in driver["rules"]] == [
        ("GK204", "unknown-kind"),
        ("GK303", "whole-reply-held"),
        ("GK419", "missing-owner"),
    ]
    assert driver["rules"][0]["shortDescription"]["text"] == "No check kind has this name."
    assert driver["rules"][2]["defaultConfiguration"] == {"level": "warning"}
    assert run["columnKind"] == "unicodeCodePoints"
    first = run["results"][0]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("GK204", 0, "error")
    region = {"startLine": 4, "startColumn": 14, "endLine": 4, "endColumn": 20}
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "policies/a.guard"},
        "region": region,
    }
    assert [related["message"]["text"] for related in first["relatedLocations"]] == [
        "of this check",
        "and here",
    ]
    change = first["fixes"][0]["artifactChanges"][0]
    assert change["artifactLocation"] == {"uri": "policies/a.guard"}
    assert change["replacements"] == [
        {"deletedRegion": region, "insertedContent": {"text": "pattern"}}
    ]


def test_fingerprints_survive_edits_elsewhere(find: Find) -> None:
    moved = Source(A.path, "# new\n\n" + A.text.replace("check", "  check"))
    before = diagnose("unknown-kind", find(A, "patern"), "one wording")
    after = diagnose("unknown-kind", find(moved, "patern"), "another wording")
    assert hashes(before) == hashes(after)


def test_fingerprints_tell_findings_apart(find: Find) -> None:
    source = Source("a.guard", "block x x\nblock x x\nblock y\n")
    same = [diagnose("unknown-name", find(source, "x", n), "no") for n in range(4)]
    other_line = diagnose("unknown-name", find(source, "y"), "no")
    other_code = diagnose("dead-rule", find(source, "x"), "no")
    names = hashes(*same, other_line, other_code)
    assert len(set(names)) == 6
    assert sorted(name[-2:] for name in names) == [":1", ":1", ":1", ":2", ":3", ":4"]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("policies/a.guard", "policies/a.guard"),
        ("./policies/../a b.guard", "a%20b.guard"),
        ("../up.guard", "../up.guard"),
        (r"policies\a.guard", "policies/a.guard"),
        ("größe#1?.guard", "gr%C3%B6%C3%9Fe%231%3F.guard"),
        ("a:b.guard", "a%3Ab.guard"),
        ("<text>", "%3Ctext%3E"),
        ("/abs/a.guard", "file:///abs/a.guard"),
        (r"C:\abs\a.guard", "file:///C:/abs/a.guard"),
        ("", ""),
    ],
)
def test_relative_uri(path: str, uri: str) -> None:
    assert relative_uri(path) == uri


def test_junit_groups_by_file_and_fails_errors_only(found: list[Diagnostic]) -> None:
    root = ET.fromstring(render(found, "junit"))
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    a, b = root.findall("testsuite")
    assert [(s.get("name"), s.get("tests"), s.get("failures")) for s in (a, b)] == [
        ("policies/a.guard", "1", "1"),
        ("policies/b.guard", "2", "0"),
    ]
    failure = a.find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "GK204"
    assert failure.get("message") == "no check kind is called `patern`"
    assert "^^^^^^ not a kind" in (failure.text or "")
    assert len(b.findall("testcase/system-out")) == 2


def test_junit_is_valid_xml_whatever_the_text() -> None:
    bad = "\x00\x08\x1b\ufffe\udcff]]><&\"'\n"
    place = Place(Source(bad, bad), Span(0, 3))
    found = diagnose("unknown-name", place, bad, note=bad, help=bad)
    root = ET.fromstring(render([found], "junit").encode())
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == r"\u{0}\u{8}\u{1b}\u{fffe}\u{dcff}]]><&" + "\"'" + r"\u{a}"


@pytest.mark.parametrize("format", FORMATS)
def test_order_of_input_does_not_matter(found: list[Diagnostic], format: Any) -> None:
    assert render(found, format) == render(found[::-1], format)


@pytest.mark.parametrize("format", FORMATS)
def test_secrets_leave_no_format(find: Find, format: Any) -> None:
    source = Source("a.guard", 'header "sk-live-4242AbCd"\n')
    found = diagnose("secret-in-policy", find(source, "sk-live-4242AbCd"), "looks like a key")
    assert "4242" not in render([found], format)
