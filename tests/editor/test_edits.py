"""Any edit, in any order, at any time: the server goes on, and its text is the editor's text."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from guardkit.editor import (
    Change,
    Document,
    Lines,
    Workspace,
    completions,
    definition,
    hover,
    symbols,
)
from guardkit.editor import references as uses_at
from guardkit.editor._actions import formatting
from guardkit.editor._findings import Findings, early_findings, findings
from guardkit.editor._lenses import lenses
from guardkit.editor._rename import Refused, rename
from guardkit.editor._semantic_tokens import encoded, semantic_tokens
from guardkit.editor._symbols import folds

from ._client import Client, Json
from ._desk import HEAD, desk

TEXT = HEAD + '\ntest "polite" {\n  input  "good morning"\n  expect pass\n}\n'
PIECES = [
    *('"', "{", "}", "(", ")", "[", "]", "/", "#", "\\", ".", ":", "=", ">", "%"),
    *("\n", "\r", "\r\n", " ", "\t", "0", "9", "\u2028", "\u202e", "\u200b", "\x00", "\x0b"),
    *(
        "👩🏽‍🚀",
        "é",
        "\ufeff",
        "rule ",
        "check ",
        'use "std/pii" ',
        "when ",
        "cascade {",
        "yes if ",
    ),
    *("pii.", "\nrule x {\n", '"std/', "context {", "param x: ", "and ", "or ", "not ", "25ms"),
    *("tier ", "test ", "sequence "),
]


def edit_of(random_: random.Random, text: str) -> tuple[int, int, str]:
    """An edit as people make them: most are small, some take or double a whole stretch."""
    start = random_.randrange(len(text) + 1)
    kind = random_.random()
    if kind < 0.5:
        return start, start, random_.choice(PIECES)
    end = min(len(text), start + (random_.randrange(6) if kind < 0.85 else random_.randrange(400)))
    if kind < 0.75:
        return start, end, ""
    if kind < 0.9:
        return start, end, random_.choice(PIECES) * random_.randrange(1, 4)
    at = random_.randrange(len(text) + 1)
    return start, end, text[at : at + 200]


def edited(random_: random.Random, text: str) -> tuple[Change, str]:
    """One edit in the units of the protocol, and the text after it, made by slicing."""
    start, end, new = edit_of(random_, text)
    lines = Lines(text)
    range = lines.range(type(lines.line_span(0))(start, end))
    # A place between CR and LF does not exist for an editor.
    start, end = lines.offset(range.start), lines.offset(range.end)
    return Change(new, range), text[:start] + new + text[end:]


def ask_everything(
    workspace: Workspace, document: Document, at: int, known: Findings | None
) -> Findings:
    """Every feature at once, on a text as it is."""
    early = early_findings(workspace, document, known)
    for one in (*early.found, *(known.found if known is not None else ())):
        assert one.span.start <= one.span.end
    replaced = completions(workspace, document, at).replace
    assert replaced.start <= at
    hover(workspace, document, at)
    definition(workspace, document, at)
    uses_at(workspace, document, at)
    with suppress(Refused):
        rename(workspace, document, at, "anything_else")
    for outlined in symbols(document):
        assert outlined.span.start <= outlined.name_span.start
    folds(document)
    lenses(workspace, document)
    encoded(document, semantic_tokens(workspace, document))
    return early


def play(seed: int, edits: int, folder: Path) -> None:
    """One sequence of edits, every feature asked after each, the whole check at the end."""
    random_ = random.Random(seed)
    workspace = desk()
    text = TEXT
    uri = (folder / "desk.guard").as_uri()
    workspace.open(uri, 1, text)
    known: Findings | None = None
    for number in range(edits):
        change, text = edited(random_, text)
        document = workspace.change(uri, number + 2, [change])
        assert document is not None
        assert document.text == text
        known = ask_everything(workspace, document, random_.randrange(len(text) + 1), known)
    checked = workspace.check(document, workspace.library(document))
    found = findings(workspace, document, checked.diagnostics)
    for one in found.found:
        assert 0 <= one.span.start <= one.span.end <= len(text)
    formatting(document)


def test_some_sequences_of_edits_break_nothing(tmp_path: Path) -> None:
    for seed in range(15):
        play(seed, 5, tmp_path)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_two_thousand_sequences_of_edits_break_nothing(tmp_path: Path) -> None:
    for seed in range(2_000):
        play(1_000_000 + seed, 5, tmp_path)


# --- the same over the wire


def wire(change: Change) -> Json:
    assert change.range is not None
    (first, last) = change.range
    return {
        "range": {
            "start": {"line": first.line, "character": first.character},
            "end": {"line": last.line, "character": last.character},
        },
        "text": change.text,
    }


ASKED = ("hover", "completion", "definition", "documentHighlight")
ABOUT = ("documentSymbol", "foldingRange", "semanticTokens/full", "codeLens")


def session(seeds: range, edits: int, folder: Path) -> None:
    """One server, many documents: an answer to every question, and the same text in the end."""
    uri = (folder / "desk.guard").as_uri()
    with Client(folder=folder) as client:
        for seed in seeds:
            random_ = random.Random(seed)
            text = TEXT
            client.open(uri, text)
            for _ in range(edits):
                change, text = edited(random_, text)
                version = client.change(uri, wire(change))
                point = Lines(text).point(random_.randrange(len(text) + 1))
                client.at(random_.choice(ASKED), uri, *point)
                client.about(random_.choice(ABOUT), uri)
            ask_for_text(client, uri, text)
            client.findings(uri, version)
            client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            client.said.clear()
        assert client.errors == []


def ask_for_text(client: Client, uri: str, text: str) -> None:
    """Whether the server has the text: it knows where a name stands that was put at its end."""
    lines = Lines(text + "\n")
    end = lines.point(len(text) + 1)
    client.change(uri, {"range": place(Lines(text).point(len(text))), "text": "\n"})
    client.change(uri, {"range": place(end), "text": "probe last_of_all {"})
    found = client.about("documentSymbol", uri)
    assert found[-1]["name"] == "last_of_all"
    assert found[-1]["range"]["start"] == {"line": end.line, "character": end.character}


def place(point: tuple[int, int]) -> Json:
    where = {"line": point[0], "character": point[1]}
    return {"start": where, "end": where}


def test_a_server_outlives_some_sequences_of_edits(tmp_path: Path) -> None:
    session(range(25), 5, tmp_path)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_a_server_outlives_two_thousand_sequences_of_edits(tmp_path: Path) -> None:
    session(range(2_000_000, 2_002_000), 5, tmp_path)
