"""What editors show of a document: hover, outline, folds, colours, lenses, findings, changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardkit.diagnostics import Span
from guardkit.editor import Document, Workspace, findings, hover, symbols
from guardkit.editor._actions import actions, formatting
from guardkit.editor._costs import rule_prices, surface_prices
from guardkit.editor._findings import early_findings
from guardkit.editor._hover import page_of
from guardkit.editor._lenses import RUN_TESTS, SHOW_COST, lenses
from guardkit.editor._semantic_tokens import MODIFIERS, TYPES, encoded, semantic_tokens
from guardkit.editor._symbols import folds
from guardkit.guard import compile_text, plan_findings
from guardkit.plan import costs_of
from guardkit.syntax import format_source

from ._desk import HEAD, desk, opened

ROOT = Path(__file__).parents[2]
TEXT = HEAD + '\ntest "t" {\n  input  "blast"\n  expect block by no_rude\n}\n'


@pytest.fixture
def workspace() -> Workspace:
    return desk()


def said(workspace: Workspace, text: str, needle: str, inside: int = 0) -> str:
    found = hover(workspace, opened(workspace, text), text.index(needle) + inside)
    return "" if found is None else found.text


# --- hover


@pytest.mark.parametrize(
    ("needle", "inside", "parts"),
    [
        (
            "rude.words and",
            0,
            ["**check** `rude.words`", "Words that nobody should say.", "Cost on"],
        ),
        ("words {", 0, ["`words`: Answers yes", "`list` (texts)", "Cost: about"]),
        ("list [", 0, ["`list` (texts): the entries"]),
        ("no_rude last", 0, ["**rule** `no_rude`", "Cost alone on input", "Please stay calm"]),
        ("pii with", 0, ["Personal data", "`any`", "rules:", "`entities`"]),
        ("std/pii", 1, ["Personal data"]),
        ("calm {", 0, ["Never shout."]),
        ("limit:", 0, ["**param** `limit`", "0.8"]),
        ("severity", 0, []),
        ("when near", 0, []),
        ("then block", 5, ["goes no further"]),
        ("on   input", 0, ["surfaces the rule judges"]),
        ("repeats {", 0, ["**window**"]),
        ("Desk", 0, []),
    ],
)
def test_what_is_said_of_a_place(
    workspace: Workspace, needle: str, inside: int, parts: list[str]
) -> None:
    if needle not in TEXT:
        return
    text = said(workspace, TEXT, needle, inside)
    for part in parts:
        assert part in text, text


def test_a_word_inside_a_text_or_a_comment_is_no_word_of_the_language(workspace: Workspace) -> None:
    text = TEXT.replace("Please stay calm.", "then block it").replace("Words that", "then block")
    assert said(workspace, text, "then block it") == ""
    assert said(workspace, text, "then block nobody") == ""


def test_a_check_of_a_module_is_told_with_its_cost_here(workspace: Workspace) -> None:
    text = HEAD.replace("rude.words and near", "pii.any and near")
    assert "Cost on input" in said(workspace, text, "pii.any", 5)


def test_the_page_of_a_finding_is_that_of_explain() -> None:
    checked = compile_text(TEXT.replace("near >=", "neer >="))
    page = page_of(checked.diagnostics[0].code)
    assert page.startswith("# GK201 unknown-check")
    assert "## Right" in page


# --- outline and folds


def test_the_outline_has_every_declaration_in_order(workspace: Workspace) -> None:
    found = symbols(opened(workspace, TEXT))
    assert [(one.kind, one.name) for one in found] == [
        ("policy", "desk"),
        ("use", "pii"),
        ("use", "secrets"),
        ("param", "limit"),
        ("param", "hosts"),
        ("check", "rude.words"),
        ("check", "near"),
        ("principle", "calm"),
        ("rule", "no_rude"),
        ("sequence", "read_then_send"),
        ("window", "repeats"),
        ("test", "t"),
    ]
    for one in found:
        assert one.span.start <= one.name_span.start < one.name_span.end <= one.span.end


def test_a_declaration_that_does_not_parse_stays_in_the_outline(workspace: Workspace) -> None:
    broken = TEXT.replace("  on   input, output\n", "  on ??? (\n")
    names = [one.name for one in symbols(opened(workspace, broken))]
    assert names == [one.name for one in symbols(opened(workspace, TEXT))]


def test_blocks_and_comments_fold(workspace: Workspace) -> None:
    text = "# one\n# two\n# three\n" + TEXT
    document = opened(workspace, text)
    lines = text.splitlines()
    found = folds(document)
    assert (0, 2, True) in found
    rule = lines.index("rule no_rude {")
    assert (rule, rule + 4, False) in found
    assert all(one.first < one.last < len(lines) for one in found)


# --- colours


def test_colours_follow_what_names_stand_for(workspace: Workspace) -> None:
    document = opened(workspace, TEXT)
    found = {
        (TEXT[slice(*one.span)], one.type, one.declares)
        for one in semantic_tokens(workspace, document)
    }
    assert {
        ("rule", "keyword", False),
        ("no_rude", "class", True),
        ("no_rude", "class", False),
        ("rude.words", "function", False),
        ("limit", "parameter", False),
        ("pii", "namespace", True),
        ("block", "enumMember", False),
        ("input", "enumMember", False),
        ("# Words that nobody should say.", "comment", False),
        ("0.8", "number", False),
        (">=", "operator", False),
    } <= found


def test_colours_are_told_as_the_protocol_wants(workspace: Workspace) -> None:
    text = TEXT.replace('"Desk"', '"👍 Desk"').replace('input  "blast"', 'input "👍👍" # 👍')
    document = opened(workspace, text)
    numbers = encoded(document, semantic_tokens(workspace, document))
    units = [line.encode("utf-16-le") for line in text.split("\n")]
    line = column = 0
    pieces = []
    for at in range(0, len(numbers), 5):
        down, right, size, type, modifiers = numbers[at : at + 5]
        line, column = line + down, right + (0 if down else column)
        assert 0 <= type < len(TYPES)
        assert modifiers < 2 ** len(MODIFIERS)
        pieces.append(units[line][2 * column : 2 * (column + size)].decode("utf-16-le"))
    assert pieces == [text[slice(*one.span)] for one in semantic_tokens(workspace, document)]


# --- lenses and costs


def test_lenses_run_tests_and_show_costs(workspace: Workspace) -> None:
    document = opened(workspace, TEXT)
    found = lenses(workspace, document)
    by_title = {one.title: one for one in found}
    assert by_title["run test"].arguments == (document.uri, "t")
    assert by_title["run the test"].command == RUN_TESTS
    plan = workspace.plan(document.uri)
    assert plan is not None
    for price in surface_prices(plan):
        assert by_title[price.said].command == SHOW_COST
    assert any(TEXT[slice(*one.span)] == "no_rude" for one in found)


def test_costs_are_those_of_the_compiler(workspace: Workspace) -> None:
    document = opened(workspace, TEXT)
    plan = workspace.plan(document.uri)
    assert plan is not None
    by_surface = {one.surface: one.worst_us for one in costs_of(plan, 1.0).surfaces}
    assert {one.surface: one.worst_us for one in surface_prices(plan)} == by_surface
    for price in rule_prices(plan)["no_rude"]:
        assert 0 < price.worst_us <= by_surface[price.surface]


# --- findings


def test_findings_are_those_of_guardkit_check(workspace: Workspace) -> None:
    for path in sorted((ROOT / "policies").glob("*/*.guard"))[:2]:
        text = path.read_text(encoding="utf-8").replace("tier ", "teir ", 1) + "\nrule q {}\n"
        document = workspace.open(path.as_uri(), 1, text)
        ours = workspace.check(document, workspace.library(document)).diagnostics
        checked = compile_text(text, root=path.parent, name=path.as_posix())
        theirs = list(checked.diagnostics)
        if checked.policy is not None:
            theirs += plan_findings(checked.policy)
        assert [(d.code.id, d.place.span, d.message) for d in ours] == [
            (d.code.id, d.place.span, d.message) for d in theirs
        ]
        assert ours
        shown = findings(workspace, document, ours).found
        assert [one.code for one in shown] == [d.code.id for d in ours]


def test_a_finding_of_a_module_stands_at_its_use(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "bad.guard").write_text('guardkit 1\nmodule bad\n  version "1"\nchek x = y {}\n')
    text = HEAD + '\nuse "./bad.guard" version "1" as bad\n'
    document = workspace.open((tmp_path / "p.guard").as_uri(), 1, text)
    checked = workspace.check(document, workspace.library(document))
    (found,) = [
        one
        for one in findings(workspace, document, checked.diagnostics).found
        if one.level == "error"
    ]
    assert text[slice(*found.span)] == '"./bad.guard"'
    assert found.related[0].path == (tmp_path / "bad.guard").as_posix()


def test_until_the_check_is_done_findings_move_with_the_text(workspace: Workspace) -> None:
    wrong = TEXT.replace("near >=", "neer >=")
    document = opened(workspace, wrong)
    checked = workspace.check(document, workspace.library(document))
    known = findings(workspace, document, checked.diagnostics)
    for edited in ("# 👍 new line\nrule {\n" + wrong, wrong + "rule {\n"):
        later = early_findings(workspace, workspace.open(document.uri, 2, edited), known)
        codes = {one.code: edited[slice(*one.span)] for one in later.found}
        assert codes["GK201"] == "neer"
        assert any(code.startswith("GK1") for code in codes)
        assert not later.is_complete


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_moved_findings_stay_inside_the_text(data: st.DataObject) -> None:
    workspace = desk()
    wrong = TEXT.replace("near >=", "neer >=")
    document = opened(workspace, wrong)
    checked = workspace.check(document, workspace.library(document))
    known = findings(workspace, document, checked.diagnostics)
    start = data.draw(st.integers(0, len(wrong)))
    end = data.draw(st.integers(start, len(wrong)))
    text = wrong[:start] + data.draw(st.text(max_size=5)) + wrong[end:]
    later = early_findings(workspace, Document("untitled:desk", None, 2, text), known)
    for one in later.found:
        assert 0 <= one.span.start <= one.span.end <= len(text)


# --- changes


def test_a_fix_is_offered_where_it_mends_something(workspace: Workspace) -> None:
    wrong = TEXT.replace("then block", "then deny")
    document = opened(workspace, wrong)
    checked = workspace.check(document, workspace.library(document))
    known = findings(workspace, document, checked.diagnostics)
    where = wrong.index("deny")
    (action,) = actions(document, known, Span(where, where + 1))
    assert action.is_safe
    (edit,) = action.edits
    mended = wrong[: edit.span.start] + edit.text + wrong[edit.span.end :]
    assert mended == TEXT
    assert actions(document, known, Span(0, 1)) == ()
    newer = workspace.open(document.uri, 2, wrong + "\n")
    assert actions(newer, known, Span(where, where + 1)) == ()


def test_all_safe_fixes_are_made_at_once(workspace: Workspace) -> None:
    wrong = TEXT.replace("then block", "then deny").replace("expect block", "expect deny")
    document = opened(workspace, wrong)
    checked = workspace.check(document, workspace.library(document))
    known = findings(workspace, document, checked.diagnostics)
    every = [one for one in actions(document, known, Span(0, len(wrong))) if one.finding is None]
    text = wrong
    for edit in reversed(every[0].edits):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert text == TEXT


@pytest.mark.parametrize("name", ["chat", "pii"])
def test_formatting_gives_the_one_style(workspace: Workspace, name: str) -> None:
    styled = (ROOT / "policies" / name / f"{name}.guard").read_text(encoding="utf-8")
    assert formatting(Document("untitled:a", None, 1, styled)) == ()
    untidy = styled.replace("  ", "      ").replace("\n\n", "\n")
    document = Document("untitled:a", None, 1, untidy)
    text = untidy
    for edit in reversed(formatting(document)):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert text == format_source(document.source)


def test_what_is_no_policy_is_not_formatted() -> None:
    assert formatting(Document("untitled:a", None, 1, "rule {")) == ()
