"""Completion, place by place: what is offered, what is not, and that it fits the grammar."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardkit.diagnostics import Source
from guardkit.editor import Completions, completions
from guardkit.editor._cursor import cursor_at
from guardkit.editor._grammar import grammar
from guardkit.editor._words import SNIPPETS
from guardkit.guard import CATALOG
from guardkit.syntax import parse

from ._desk import HEAD, desk, marked, opened


def offered(text: str) -> Completions:
    """What is offered at the mark, below the head."""
    whole, at = marked(HEAD + "\n" + text)
    workspace = desk()
    return completions(workspace, opened(workspace, whole), at)


CASES = [
    # what is typed, what is offered, what is not
    ("|", {"rule", "check", "test", "rule …"}, {"when", "near"}),
    ("ru|", {"rule"}, {"when"}),
    ("rule x {\n  |", {"when", "tier", "then"}, {"rule", "given", "near"}),
    ("rule x {\n  tier |", {"safety", "ethics", "guidelines", "helpfulness"}, {"near", "chars"}),
    ("rule x {\n  severity |", {"critical", "info"}, {"safety"}),
    ("rule x {\n  mode |", {"enforce", "shadow", "retired"}, {"near"}),
    ("rule x {\n  on |", {"input", "tool_call"}, {"near", "chars"}),
    ("rule x {\n  on input, |", {"output"}, {"context", "near"}),
    (
        "rule x {\n  when |",
        {"near", "rude.words", "pii", "pii.any", "not", "repeats"},
        {"above", "x"},
    ),
    ("rule x {\n  when near >= |", {"limit"}, {"when", "flag"}),
    ("rule x {\n  when near |", {"and", "or"}, {"near"}),
    ("rule x {\n  when pii.|", {"any", "cards"}, {"pii.any", "near", "when"}),
    ("rule x {\n  when pii.ca|", {"cards"}, {"near"}),
    ("rule x {\n  when rude.|", {"words"}, {"near"}),
    ("rule x {\n  when sequence |", {"read_then_send"}, {"near"}),
    ("rule x {\n  when near at |", {"fpr"}, {"near"}),
    ("rule x {\n  when cascade { yes if |", {"near", "pii.any"}, {"else"}),
    ("rule x {\n  then |", {"block", "revise", "rewrite"}, {"near"}),
    ("rule x {\n  then revise by |", {"calm"}, {"near", "no_rude"}),
    ("rule x {\n  on_error |", {"block", "pass"}, {"near"}),
    ("check x = |", {"pattern", "entities", "judge"}, {"near", "input"}),
    ("check x = pattern {\n  |", {"match", "valid", "label"}, {"kinds", "tier"}),
    ("check x = pattern {\n  valid |", {"luhn", "iban"}, {"near"}),
    ("check x = entities {\n  kinds [card, |", {"iban", "email"}, {"luhn"}),
    ("check x = length {\n  max 30 |", {"chars", "words"}, {"near"}),
    ('use "|', {"std/pii", "std/injection"}, {"pii"}),
    ('use "std/pii" version "|', {"1"}, {"std/pii"}),
    ('use "std/pii" version "1" as |', {"pii"}, {"near"}),
    ('use "std/pii" version "1" as mine with (|', {"entities"}, {"near"}),
    ('use "std/pii" version "1" as mine with (entities: [|', {"card", "email"}, {"luhn"}),
    ("apply |", {"secrets.no_leak", "pii.mask"}, {"no_rude", "near"}),
    ("apply secrets.|", {"no_leak"}, {"keys"}),
    ("apply secrets.no_leak (|", {"surface", "message"}, {"near"}),
    ('apply secrets.no_leak (surface: "|', {"output"}, {"near"}),
    ('test "t" {\n  given |', {"near", "rude.words", "context"}, {"no_rude"}),
    ('test "t" {\n  input "x"\n  expect block by |', {"no_rude"}, {"near"}),
    ('test "t" for each host in |', {"hosts"}, {"no_rude"}),
    ("exempt |", {"no_rude"}, {"near"}),
    ("window w { count |", {"no_rude"}, {"near"}),
    ("param p: |", {"score", "list"}, {"near"}),
    ("param p: list of |", {"domain"}, {"near"}),
    ("probe p {\n  disguise |", {"base64", "homoglyph"}, {"near"}),
    ("probe p {\n  expect |", {"stopped", "passed", "block"}, {"near"}),
    ("monitor m {\n  watch |", {"no_rude", "near"}, {"calm"}),
    ("context {\n  principle |", {"calm"}, {"near"}),
    ("model {\n  answers |", {"near", "pii.any"}, {"no_rude"}),
    ("defaults {\n  budget |", {"input", "refusals"}, {"near"}),
    ("tier safety may |", {"block", "flag"}, {"near"}),
]


@pytest.mark.parametrize(("text", "wanted", "unwanted"), CASES, ids=[c[0] for c in CASES])
def test_what_is_offered(text: str, wanted: set[str], unwanted: set[str]) -> None:
    labels = {item.label for item in offered(text).items}
    assert wanted <= labels, labels
    assert not unwanted & labels


@pytest.mark.parametrize(
    "text",
    [
        "# a comment |",
        'rule x { then block "some wo|',
        "check x = pattern { match /ab|",
        "rule x { when near >= 0.|",
        "rule x { when near >= 1|",
        "defaults { budget input 25m|",
    ],
)
def test_nothing_is_offered_where_anything_may_stand(text: str) -> None:
    assert offered(text).items == ()


def test_the_word_that_was_begun_is_replaced() -> None:
    whole, at = marked(HEAD + "\nrule x { when pii.ca|")
    workspace = desk()
    found = completions(workspace, opened(workspace, whole), at)
    assert whole[slice(*found.replace)] == "ca"


def test_every_word_offered_is_one_the_grammar_takes() -> None:
    known = grammar()
    tried = 0
    for text, _, _ in CASES:
        whole, at = marked(HEAD + "\n" + text)
        cursor = cursor_at(whole, at)
        assert cursor is not None
        for item in offered(text).items:
            if item.sort == "keyword" and not cursor.heads:
                token = next(iter(known.tokens(item.label)))
                assert token.kind in cursor.expected.kinds, (text, item.label)
                tried += 1
    assert tried > 100


@pytest.mark.parametrize("word", sorted(SNIPPETS))
def test_every_snippet_parses_when_it_is_filled_in(word: str) -> None:
    text = re.sub(r"\$\{\d+:([^}]*)\}", r"\1", SNIPPETS[word])
    text = text.replace("$0", "match /x/")
    parsed = parse(Source("p.guard", f"guardkit 1\npolicy p\n\n{text}\n"))
    assert parsed.is_clean, [d.message for d in parsed.diagnostics]
    assert len(parsed.file.declarations) == 3


def test_every_kind_of_the_catalog_is_offered_with_its_properties() -> None:
    assert {spec.kind for spec in CATALOG.specs.values()} <= {
        item.label for item in offered("check x = |").items
    }
    for spec in CATALOG.specs.values():
        found = {i.label for i in offered(f"check x = {spec.kind} {{\n  |").items}
        assert {one.name for one in spec.properties} <= found


def test_a_declaration_that_is_being_rewritten_is_still_offered() -> None:
    workspace = desk()
    opened(workspace, HEAD)
    broken = HEAD.replace("check near = similarity {", "check near = similarity { {")
    whole, at = marked(broken + "\nrule x { when |")
    document = workspace.open("untitled:desk", 2, whole)
    assert not document.parsed.is_clean
    assert "near" in {item.label for item in completions(workspace, document, at).items}


def test_files_beside_the_policy_are_offered(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "rivals.txt").write_text("Acme\n")
    (tmp_path / "bank.guard").write_text('guardkit 1\nmodule bank\n  version "3"\n')
    workspace = desk()
    path = tmp_path / "p.guard"

    def labels(text: str) -> set[str]:
        whole, at = marked(HEAD + "\n" + text)
        return {i.label for i in completions(workspace, opened(workspace, whole, path), at).items}

    assert "words/rivals.txt" in labels('check x = words { file "|')
    assert "./bank.guard" in labels('use "|')
    assert labels('use "./bank.guard" version "|') == {"3"}


def test_tools_and_their_arguments_are_offered(tmp_path: Path) -> None:
    listing = """{"tools": [{"name": "mail.send", "inputSchema": {"type": "object",
      "properties": {"to": {"type": "string"}, "body": {"type": "string"}}}}]}"""
    (tmp_path / "tools.json").write_text(listing)
    head = HEAD + '\nuse tools "tools.json" as tool\n'
    head += 'rule t { tier safety on tool_call tool.mail.send when call.to == "x" then flag }\n'
    workspace = desk()
    path = tmp_path / "p.guard"
    opened(workspace, head, path)
    assert workspace.policy(path.as_uri()) is not None

    def labels(text: str) -> set[str]:
        whole, at = marked(head + "\n" + text)
        document = workspace.open(path.as_uri(), 2, whole)
        return {i.label for i in completions(workspace, document, at).items}

    assert labels("rule u { on tool_call tool.|") == {"mail.send"}
    assert {"to", "body"} <= labels("rule u { when call.|")
    assert labels('test "t" { tool_call tool.mail.send (|') >= {"to", "body"}
