"""One style: goldens, the samples, and what formatting promises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guardkit.diagnostics import Source, Span
from guardkit.syntax import (
    NotFormattedError,
    _format,
    ast,
    comments_of,
    format_file,
    format_source,
    parse,
    unparse,
)

TESTS = Path(__file__).parent.parent
SAMPLES = sorted(TESTS.glob("samples/*.guard"))
GOLDENS = sorted(TESTS.glob("golden/format/*.guard"))
HEADER = "guardkit 1\npolicy p\n\n"
NOWHERE = Span(0, 0)


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def source_of(path: Path) -> Source:
    return Source(path.name, text_of(path))


def condition(text: str) -> ast.Condition:
    parsed = parse(Source("p.guard", f"{HEADER}rule r {{ when {text} }}\n"))
    assert not parsed.diagnostics
    block = parsed.file.declarations[2]
    assert isinstance(block, ast.Block)
    value: ast.Condition = block.clauses[0].values[0]  # type: ignore[assignment]  # a condition
    return value


def comment_texts(file: ast.File) -> list[str]:
    return sorted(comment.text for comment in comments_of(file.source.text))


def test_there_are_goldens() -> None:
    assert len(GOLDENS) >= 25


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_stay_as_they_are(path: Path) -> None:
    assert format_source(source_of(path)) == text_of(path)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_golden(path: Path, golden) -> None:  # type: ignore[no-untyped-def]  # the fixture is in conftest
    golden(path.with_suffix(".out"), format_source(source_of(path)))


@pytest.mark.parametrize("path", [*GOLDENS, *SAMPLES], ids=lambda path: path.stem)
def test_tree_and_comments_stay(path: Path) -> None:
    before = parse(source_of(path)).file
    after = parse(Source("p.guard", format_file(before))).file
    assert after == before
    assert comment_texts(after) == comment_texts(before)


@pytest.mark.parametrize("path", [*GOLDENS, *SAMPLES], ids=lambda path: path.stem)
def test_formatting_twice_changes_nothing(path: Path) -> None:
    once = format_source(source_of(path))
    assert format_source(Source("p.guard", once)) == once


@pytest.mark.parametrize("path", [*GOLDENS, *SAMPLES], ids=lambda path: path.stem)
def test_form(path: Path) -> None:
    text = format_source(source_of(path))
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\r" not in text
    assert "\n\n\n" not in text
    assert all(line == line.rstrip() for line in text.split("\n"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_comment_between_any_two_words_survives(path: Path) -> None:
    text = text_of(path)
    blanks = [at for at, char in enumerate(text) if char == " " and text[at - 1] != " "]
    for at in blanks[::3]:
        commented = Source("p.guard", text[:at] + " # why\n   " + text[at:])
        parsed = parse(commented)
        if parsed.diagnostics:
            continue  # inside a text
        once = format_source(commented)
        assert once.count("# why") == commented.text.count("# why")
        assert format_source(Source("p.guard", once)) == once


def test_a_text_with_errors_is_refused() -> None:
    with pytest.raises(NotFormattedError, match=r"p\.guard has 1 syntax error") as caught:
        format_source(Source("p.guard", HEADER + "rule r {\n"))
    assert caught.value.diagnostics[0].code.slug == "unexpected-end"


def test_changed_text_is_never_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(self: object, node: ast.Negation) -> object:
        return self.phrase(node.inner)  # type: ignore[attr-defined]  # a method of the class

    from guardkit.syntax import _phrases

    monkeypatch.setitem(_phrases._PHRASES, ast.Negation, forget)
    with pytest.raises(RuntimeError, match="would change what it says"):
        format_source(Source("p.guard", HEADER + "rule r { when not a }\n"))


def test_lost_comments_are_never_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_format, "write_remarks", lambda *args, **options: None)
    with pytest.raises(RuntimeError, match="would change what it says"):
        format_source(Source("p.guard", HEADER + "rule r {\n  # why\n  then flag\n}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "not a",
        "not (a and b)",
        "not (not a)",
        "a and (b or c)",
        "(a and b) or c",
        "2 of (a, b and c, d >= 0.5)",
        "none of (a)",
        "a >= 0.5",
        'a."b c".d == "x"',
        "a in [1, 2]",
        "a not in b",
        "a at fpr 0.5%",
        "sequence s",
        "not 5m == yes",
        '{a: 1, "b c": [x]} == x',
        "cascade { yes if a  no  if b  else no }",
    ],
)
def test_unparse_condition(text: str) -> None:
    tree = condition(text)
    assert unparse(tree, one_line=True) == text
    assert condition(unparse(tree)) == tree


@pytest.mark.parametrize("path", [*GOLDENS, *SAMPLES], ids=lambda path: path.stem)
def test_unparse_declarations(path: Path) -> None:
    """Every declaration survives unparsing, in both forms."""
    for declaration in parse(source_of(path)).file.declarations:
        for one_line in (False, True):
            text = unparse(declaration, one_line=one_line)
            if one_line:
                assert "\n" not in text
            prefix = "" if isinstance(declaration, ast.Edition | ast.Header) else HEADER
            again = parse(Source("p.guard", prefix + text + "\n")).file
            assert declaration in again.declarations


def test_unparse_nodes_made_by_hand() -> None:
    name = ast.Name(NOWHERE, "r")
    rule = ast.Ref(NOWHERE, ("r",))
    text = ast.Literal(NOWHERE, "text", "hi", '"hi"')
    number = ast.Literal(NOWHERE, "number", 0.5, "0.5")
    steps = (
        ast.Given(NOWHERE, ast.Ref(NOWHERE, ("a", "b")), number),
        ast.Given(NOWHERE, rule, None),
        ast.Said(NOWHERE, "input", text),
        ast.Called(NOWHERE, ast.Ref(NOWHERE, ("tool", "x")), ()),
        ast.Returned(NOWHERE, ast.Ref(NOWHERE, ("tool", "x")), text),
        ast.Expect(NOWHERE, ast.Name(NOWHERE, "block"), (rule,), None),
    )
    test = ast.Test(NOWHERE, text, None, None, steps)
    assert unparse(test) == (
        'test "hi" {\n'
        "  given       a.b = 0.5\n"
        "  given       r fails\n"
        '  input       "hi"\n'
        "  tool_call   tool.x ()\n"
        '  tool_result tool.x "hi"\n'
        "  expect      block by r\n"
        "}"
    )
    assert unparse(steps[0]) == "given a.b = 0.5"
    cascade = ast.Cascade(NOWHERE, (ast.Step(NOWHERE, True, rule),), False)
    assert unparse(cascade) == "cascade {\n  yes if r\n  else no\n}"
    assert unparse(ast.AllOf(NOWHERE, (rule, ast.AnyOf(NOWHERE, (rule, rule))))) == (
        "r and (r or r)"
    )
    clause = ast.Clause(NOWHERE, "then", (ast.Action(NOWHERE, "block", text=text),), NOWHERE)
    assert unparse(clause) == 'then block "hi"'
    block = ast.Block(NOWHERE, "rule", name, (clause,))
    assert unparse(block) == 'rule r {\n  then block "hi"\n}'
    assert unparse(block, one_line=True) == 'rule r { then block "hi" }'
    assert unparse(ast.Comment(NOWHERE, "# why")) == "# why"


def test_unparse_file() -> None:
    file = parse(source_of(SAMPLES[0])).file
    bare = replace(file, source=Source("made", ""))
    again = parse(Source("p.guard", unparse(bare) + "\n")).file
    assert again == file


@pytest.mark.parametrize(
    "part",
    ['a"b', "a\\b", "a\nb", "p\u0430ge", "a\u200bb", "\u202e", "not a name", "\u00e9t\u00e9", ""],
)
def test_odd_names_are_quoted(part: str) -> None:
    ref = ast.Ref(NOWHERE, ("call", part))
    assert condition(unparse(ref)) == ref
