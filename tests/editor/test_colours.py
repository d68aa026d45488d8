"""The lexer and the TextMate grammar colour policies by the words of the language itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pygments.token import Comment, Error, Keyword, Name, String

from guardkit.editor import GuardLexer
from guardkit.editor._grammar import grammar
from guardkit.types import ACTIONS, SURFACES

ROOT = Path(__file__).parents[2]
VSCODE = ROOT / "examples" / "editors" / "vscode"
POLICIES = sorted((ROOT / "policies").rglob("*.guard"))


def load(name: str) -> Any:
    return json.loads((VSCODE / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_every_shipped_policy_is_coloured_whole(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = list(GuardLexer().get_tokens(text))
    assert "".join(piece for _, piece in found) == text
    assert not [piece for type, piece in found if type is Error]


def test_what_the_lexer_says_of_a_rule() -> None:
    text = 'rule a {  # why\n  when pii.any and x >= 0.5\n  then block "No"\n}\n'
    found = {(piece, type) for type, piece in GuardLexer().get_tokens(text)}
    assert {
        ("rule", Keyword.Declaration),
        ("a", Name.Class),
        ("# why", Comment.Single),
        ("pii", Name.Namespace),
        ("when", Keyword),
        ("block", Keyword.Type),
        ('"No"', String.Double),
    } <= found


# --- VS Code


def patterns(node: Any) -> list[dict[str, Any]]:
    """Every rule of a TextMate grammar that matches something."""
    found = [node] if isinstance(node, dict) and ("match" in node or "begin" in node) else []
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [*found, *(one for part in inner for one in patterns(part))]


def words_of(match: str) -> set[str]:
    group = re.search(r"\((?:\?:)?([a-z_|]+)\)", match)
    return set(group[1].split("|")) if group else set()


def test_the_textmate_grammar_has_the_words_of_the_language() -> None:
    repository = load("guard.tmLanguage.json")["repository"]
    by_scope = {one["name"]: words_of(one["match"]) for one in repository["words"]["patterns"]}
    assert by_scope["support.constant.action.guard"] == set(ACTIONS)
    assert by_scope["support.type.surface.guard"] == set(SURFACES)
    declarations = words_of(repository["declaration"]["match"])
    assert declarations == grammar().expected(()).words
    assert set().union(*by_scope.values()) | declarations == grammar().words
    assert sum(map(len, by_scope.values())) == len(set().union(*by_scope.values()))


def test_every_pattern_compiles_and_every_include_is_there() -> None:
    made = load("guard.tmLanguage.json")
    found = patterns(made)
    assert len(found) > 12
    for one in found:
        for key in ("match", "begin", "end"):
            if key in one:
                re.compile(one[key])
    for include in re.findall(r'"#(\w+)"', json.dumps(made["patterns"])):
        assert include in made["repository"]


def test_the_textmate_grammar_reads_values_as_the_language_does() -> None:
    """What its patterns find in the shipped policies is what the tokens are."""
    repository = load("guard.tmLanguage.json")["repository"]
    number = re.compile(repository["number"]["patterns"][1]["match"])
    date = re.compile(repository["number"]["patterns"][0]["match"])
    known = grammar()
    tried = 0
    for path in POLICIES:
        text = path.read_text(encoding="utf-8")
        for token in known.tokens(text):
            if token.kind in ("NUMBER", "INT", "PERCENT", "DURATION"):
                found = number.match(text, token.start)
                assert found is not None
                assert found[0] == token.text
                tried += 1
            elif token.kind == "DATE":
                assert date.match(text, token.start)
    assert tried > 300


def test_the_extension_names_files_that_are_there() -> None:
    package = load("package.json")
    (language,) = package["contributes"]["languages"]
    (coloured,) = package["contributes"]["grammars"]
    named = [package["main"], language["configuration"], coloured["path"]]
    assert all((VSCODE / name).is_file() for name in named)
    assert coloured["scopeName"] == load("guard.tmLanguage.json")["scopeName"]
    assert language["extensions"] == [".guard"]
    setting = package["contributes"]["configuration"]["properties"]["guardkit.command"]
    assert setting["default"] == ["guardkit", "lsp"]
    assert setting["scope"] == "machine"
    load("language-configuration.json")


@pytest.mark.skipif(shutil.which("node") is None, reason="no node to read JavaScript with")
def test_the_extension_is_javascript() -> None:
    subprocess.run(["node", "--check", str(VSCODE / "extension.js")], check=True, timeout=50)
