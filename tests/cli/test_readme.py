"""What the README shows is what happens: its commands, its Python, the verbs it names."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shlex
import sys
from pathlib import Path

import pytest

import guardkit as package
from guardkit.cli._verbs import ONE_LINERS

from ._run import ROOT, guardkit

README = (ROOT / "README.md").read_text(encoding="utf-8")
(POLICY,) = re.findall(r"```guard\n(.*?)```", README, re.DOTALL)
CLEAN, WRONG, TESTED, SCANNED, EXPLAINED, ATTRIBUTED = re.findall(
    r"```text\n(.*?)```", README, re.DOTALL
)
PYTHON = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.guard").write_text(POLICY, encoding="utf-8")


def test_the_policy_is_clean_formatted_and_passes() -> None:
    assert guardkit("check", "--strict", "shop.guard").err == CLEAN
    assert guardkit("fmt", "--check", "shop.guard").code == 0
    assert guardkit("test", "shop.guard").err == TESTED


def test_the_mistake_looks_as_shown() -> None:
    Path("shop.guard").write_text(POLICY.replace("when card", "when crad"), encoding="utf-8")
    done = guardkit("check", "shop.guard")
    assert (done.code, done.err) == (2, WRONG)


def command(verb: str) -> list[str]:
    """The example of a verb, as a shell would read it."""
    (shown,) = re.findall(rf"^`guardkit ({verb} shop\.guard .*?)`", README, re.MULTILINE)
    return shlex.split(shown)


def test_texts_are_judged_as_shown() -> None:
    done = guardkit(*command("scan"))
    assert (done.code, done.out) == (1, SCANNED)


def test_a_verdict_is_explained_as_shown() -> None:
    done = guardkit(*command("explain"))
    assert done.code == 0

    def timeless(text: str) -> str:
        return re.sub(r"[\d.]+ (µs|ms)", "", text)

    assert timeless(done.out) == timeless(EXPLAINED)


def test_the_layer_is_found_as_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bot.py").write_text(BOT, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "bot", raising=False)
    question = "How do I get a refund for my order?"
    done = guardkit("attribute", "chat", "--prompt", question, "--model", "bot:answer")
    del sys.modules["bot"]  # other tests have one of their own
    asked, _, said = ATTRIBUTED.partition("\n")
    assert asked == f'$ guardkit attribute chat --prompt "{question}" --model bot:answer'
    assert done.code == 1
    assert done.out.startswith(said)


BOT = """
def answer(messages):
    system = " ".join(m["content"] for m in messages if m["role"] == "system")
    if "Never promise a refund" in system and "refund" in messages[-1]["content"]:
        return "I'm sorry, but I can't help with refunds."
    return "Of course. Your order arrives tomorrow."
"""


def test_the_python_does_what_its_comments_say() -> None:
    def model(prompt: str) -> str:
        return "Card 4111 1111 1111 1111 is active."

    names: dict[str, object] = {"model": model}
    told = 0
    for statement in ast.parse(PYTHON).body:
        last = PYTHON.splitlines()[(statement.end_lineno or 1) - 1]
        said = last.partition("  # ")[2]
        told += bool(said)
        if said == "raises guardkit.Blocked":
            with pytest.raises(package.Blocked):
                value_of(statement, names)
            continue
        value = value_of(statement, names)
        if said:
            assert repr(value) == said
    assert told > 8


def value_of(statement: ast.stmt, names: dict[str, object]) -> object:
    """Run one statement, which may await; the value of one that is an expression."""
    is_value = isinstance(statement, ast.Expr)
    tree = ast.Expression(statement.value) if is_value else ast.Module([statement], [])
    awaiting = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(tree, "README.md", "eval" if is_value else "exec", awaiting, True)
    value = eval(code, names)
    return asyncio.run(value) if inspect.iscoroutine(value) else value


def test_every_verb_is_listed_and_no_other() -> None:
    rows = re.findall(r"^\| `guardkit (\w+)", README, re.MULTILINE)
    assert sorted(rows) == sorted(ONE_LINERS)
    assert set(re.findall(r"`guardkit (\w+) ", README)) <= set(ONE_LINERS)


def test_every_option_that_is_named_exists() -> None:
    for verb, row in re.findall(r"^\| `guardkit (\w+)(.*)$", README, re.MULTILINE):
        said = guardkit(verb, "--help").out
        for option in re.findall(r"`(-[-\w]+)", row):
            assert option in said, (verb, option)


def test_the_install_lines_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-m venv" in makefile
    assert "EXTRAS ?= test,lint\n" in makefile
    assert "-c constraints.txt -e '.[$(EXTRAS)]'" in makefile


def test_every_file_that_is_named_exists() -> None:
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).exists(), path
