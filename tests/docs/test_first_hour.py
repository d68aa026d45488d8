"""A newcomer's first hour: what the README and the tutorial tell to type, typed, in order.

Other tests run the blocks of pages inside one process, their Python too. Here each command is a
process: `guardkit` as it is found on the path, in a shell, in a folder that holds nothing; what it
prints and how it ends are what somebody sees who follows the text word by word.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ._player import Player, _commands
from ._snippets import Block, agree, blocks_of
from .reference import PAGES, ROOT

README = ROOT / "README.md"
TUTORIAL = (PAGES / "tutorial" / "first-policy.md", PAGES / "tutorial" / "proxy.md")

INSTALLS = {
    "python3 -m venv .venv": "makes the environment that this test runs in",
    ".venv/bin/python -m pip install -c constraints.txt -e '.[test,lint]'": "installs into it",
    ". .venv/bin/activate": "puts it on the path, as this test does",
    "pip install guardkit": "installs from an index, and there is no network here",
    'pip install "guardkit[serve]"': "installs from an index, and there is no network here",
}
"""Commands that newcomers type and no test does, each with its reason."""

ENDS = {
    "guardkit check wrong.guard": 2,
    "guardkit scan bank.guard": 1,
    "guardkit scan shop.guard": 1,
    "guardkit test bank.guard -k attacks": 1,
    "guardkit test bank2.guard": 1,
    "guardkit cost bank2.guard": 1,
    "guardkit attribute chat": 1,
}
"""How commands end that do not end with 0: by their first words."""

BOT = """
def answer(messages):
    system = " ".join(m["content"] for m in messages if m["role"] == "system")
    if "Never promise a refund" in system and "refund" in messages[-1]["content"]:
        return "I'm sorry, but I can't help with refunds."
    return "Of course. Your order arrives tomorrow."
"""
"""What the README calls "your call to one"."""


def wanted_code(command: str) -> int:
    return next((code for words, code in ENDS.items() if command.startswith(words)), 0)


class Newcomer(Player):
    """Types every command into a shell, and looks at how it ends."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.typed: list[str] = []

    def _python(self, block: Block, text: str) -> None:
        """Nothing is typed: `test_snippets` runs the Python of every page."""

    def _run(self, block: Block, command: str) -> str | None:
        if command.endswith(" &"):
            self.typed.append(command)
            self._start(block, command.removesuffix(" &"))
            return None
        self.typed.append(command)
        ran = self.type(command)
        code = wanted_code(command)
        assert ran.returncode == code, f"{block}: {command}\n{ran.stdout}{ran.stderr}"
        return ran.stdout + ran.stderr

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env=self._env(),
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    def _in_shell(self, command: str) -> str:
        return command

    def _env(self) -> dict[str, str]:
        """The path of who has activated the environment; nothing else of this process is wanted."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL") if name in os.environ}
        return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "80"}


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Newcomer]:
    if shutil.which("guardkit", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("platform: guardkit is not installed beside this interpreter")
    if shutil.which("curl") is None:
        pytest.skip("curl is not on this machine")
    folder = tmp_path / "first"
    folder.mkdir()
    monkeypatch.chdir(folder)
    made = Newcomer(folder)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", TUTORIAL, ids=lambda page: page.stem)
def test_the_tutorial_is_typed(page: Path, newcomer: Newcomer) -> None:
    for block in blocks_of(page):
        newcomer.play(block)
    shown = [
        command
        for block in blocks_of(page)
        if block.language == "console" and not block.not_run
        for command, _ in _commands(block.text)
    ]
    assert len(newcomer.typed) == len(shown) > 5


def test_what_is_not_typed_installs_and_is_named() -> None:
    """Blocks that no player runs hold nothing but installations, each listed with its reason."""
    for page in (README, *TUTORIAL):
        for block in blocks_of(page):
            if block.not_run or (page == README and "install" in block.text):
                for command in block.text.splitlines():
                    assert command.startswith(tuple(INSTALLS)), f"{block}: who types `{command}`?"


# --- the README


def shown_by(text: str, verb: str) -> str:
    (found,) = re.findall(rf"`(guardkit {verb} shop\.guard[^`]*)`", text.partition("| verb |")[0])
    return str(found)


def test_the_readme_is_typed(newcomer: Newcomer) -> None:
    text = README.read_text(encoding="utf-8")
    blocks = blocks_of(README)
    policy = next(block for block in blocks if block.language == "guard")
    texts = iter(block.text for block in blocks if block.language == "text")
    shop = newcomer.folder / "shop.guard"
    shop.write_text(policy.text, encoding="utf-8")

    def say(command: str, code: int = 0) -> str:
        ran = newcomer.type(command)
        assert ran.returncode == code, f"{command}\n{ran.stdout}{ran.stderr}"
        return ran.stdout + ran.stderr

    assert agree(next(texts), say("guardkit check shop.guard"))
    shop.write_text(policy.text.replace("when card", "when crad"), encoding="utf-8")
    assert agree(next(texts), say("guardkit check shop.guard", 2))
    shop.write_text(policy.text, encoding="utf-8")
    assert agree(next(texts), say("guardkit test shop.guard"))
    scanned = next(texts).rstrip("\n") + "\n2 texts: 1 block, 1 pass\n"
    assert agree(scanned, say(shown_by(text, "scan"), 1))
    assert agree(next(texts), say(shown_by(text, "explain")))
    (newcomer.folder / "bot.py").write_text(BOT, encoding="utf-8")
    command, _, said = next(texts).partition("\n")
    assert command.startswith("$ guardkit attribute ")
    assert agree(said.rstrip("\n") + "\n…\n", say(command[2:], 1))
    (overlay,) = (block.text for block in blocks if block.language == "toml")
    (newcomer.folder / "north.toml").write_text(overlay, encoding="utf-8")
    (weaker,) = re.findall(r"`(guardkit diff shop[^`]+)`", text)
    assert "no_orders" in say(weaker, 1)


def test_the_proxy_of_the_readme_answers_by_itself(newcomer: Newcomer) -> None:
    """Its upstream is nowhere: a question that a rule stops never gets there."""
    blocks = blocks_of(README)
    (served,) = (b for b in blocks if b.language == "sh" and "guardkit serve" in b.text)
    serve, ask = re.sub(r" \\\n\s*", " ", served.text).splitlines()
    policy = next(block for block in blocks if block.language == "guard")
    (newcomer.folder / "shop.guard").write_text(policy.text, encoding="utf-8")
    ask = newcomer._with_ports(ask)
    (port,) = newcomer.ports.values()
    newcomer._start(served, f"{serve} --port {port}")
    answer = json.loads(newcomer.type(ask).stdout)
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["content"] == "I can't act on instructions that change how I work."
