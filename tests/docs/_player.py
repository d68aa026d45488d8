"""Plays a page: its files, policies, Python and commands, in order, in one folder."""

from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import inspect
import io
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from guardkit.cli import app
from guardkit.guard import compile_file, data_of, folder_of
from guardkit.testing import run_tests, stage

from ._snippets import RUN, Block, agree
from .reference import ROOT

_CLEAN = ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS", "GUARDKIT_TRACEBACK")
_START_S = 20.0
MAIN = "from guardkit.cli import main; main()"


class WrongPageError(AssertionError):
    """A page shows what does not happen."""


class Player:
    """Plays the blocks of one page in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "__page__"}
        self.policy = ""
        self.printed: str | None = None
        self.started: list[subprocess.Popen[str]] = []
        self.ports: dict[str, str] = {}

    def play(self, block: Block) -> None:
        """Run one block, or compare it with what the one before it printed."""
        if block.not_run:
            self.printed = None
            return
        text = self._with_ports(block.text)
        if block.file.startswith("examples/"):
            self._show(block)
        elif block.file and block.language == "guard":
            self._policy(block, text, block.file)
        elif block.file:
            self._write(block.file, text)
        elif block.language == "guard":
            self._policy(block, text, f"page_{block.line}.guard")
        elif block.language == "python":
            self._python(block, text)
            return
        elif block.language in ("console", "sh"):
            self._console(block, text)
        elif block.language == "text" and self.printed is not None:
            self._compare(block, text, self.printed)
        self.printed = None

    def end(self) -> None:
        """Stop what was started."""
        for process in self.started:
            process.terminate()
        for process in self.started:
            process.communicate(timeout=20)

    # --- files and policies

    def _show(self, block: Block) -> None:
        """A file of the repository that the page shows as it stands there; what lies beside it."""
        here = ROOT / block.file
        if here.read_text(encoding="utf-8").rstrip("\n") != block.text.rstrip("\n"):
            raise WrongPageError(f"{block}: `{block.file}` is another one now")
        beside = self.folder / Path(block.file).parent
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(here.parent, beside, ignore=unwanted, dirs_exist_ok=True)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.suffix == ".py":
            sys.modules.pop(path.stem, None)

    def _policy(self, block: Block, text: str, name: str) -> None:
        """A whole policy, or declarations to be added to the one above."""
        if re.match(r"\s*(?:#[^\n]*\n\s*)*guardkit 1\n", text):
            self.policy = name
            self._write(name, text)
        elif not (block.file or self.policy):
            raise WrongPageError(f"{block}: no policy stands above these declarations")
        else:
            self.policy = block.file or self.policy
            before = (self.folder / self.policy).read_text(encoding="utf-8")
            self._write(self.policy, f"{before}\n{text}")
        self._compiled(block)

    def _compiled(self, block: Block) -> None:
        path = self.folder / self.policy
        checked = compile_file(path)
        wrong = [f"{one.code.id} {one.message}" for one in checked.diagnostics if one.is_error]
        if wrong or checked.policy is None:
            raise WrongPageError(f"{block}: the policy does not compile: {wrong}")
        if not checked.policy.tests or checked.policy.kind == "module":
            return
        bound = stage(checked.policy, data_of(path.parent), folder=folder_of(path.parent))
        for result in run_tests(checked.policy, data_of(path.parent), stage=bound):
            if result.status == "failed":
                raise WrongPageError(f"{block}: the test {result.name!r} failed: {result}")

    # --- Python

    def _python(self, block: Block, text: str) -> None:
        written = io.StringIO()
        with contextlib.redirect_stdout(written):
            for statement in ast.parse(text).body:
                last = text.splitlines()[(statement.end_lineno or 1) - 1]
                self._statement(block, statement, last.partition("  # ")[2])
        self.printed = written.getvalue()

    def _statement(self, block: Block, statement: ast.stmt, said: str) -> None:
        wanted = re.fullmatch(r"raises ([\w.]+)", said)
        try:
            value = self._value(statement, str(block))
        except Exception as error:
            if wanted and type(error).__name__ == wanted[1].rpartition(".")[2]:
                return
            raise
        if wanted:
            raise WrongPageError(f"{block}: nothing raised {wanted[1]}")
        if said and isinstance(statement, ast.Expr) and _is_value(said) and repr(value) != said:
            raise WrongPageError(f"{block}: {ast.unparse(statement)} is {value!r}, not {said}")

    def _value(self, statement: ast.stmt, where: str) -> Any:
        is_value = isinstance(statement, ast.Expr)
        tree = ast.Expression(statement.value) if is_value else ast.Module([statement], [])
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        made = compile(tree, where, "eval" if is_value else "exec", flags, True)
        value = builtins.eval(made, self.names)
        return asyncio.run(value) if inspect.iscoroutine(value) else value

    # --- commands

    def _console(self, block: Block, text: str) -> None:
        for command, shown in _commands(text):
            said = self._run(block, command)
            if said is not None:
                self._compare(block, shown, said, command)

    def _run(self, block: Block, command: str) -> str | None:
        if command.endswith(" &"):
            self._start(block, command.removesuffix(" &"))
            return None
        words = shlex.split(command)
        if words[0] == "guardkit" and not _is_of_a_shell(command):
            done = CliRunner(env=dict.fromkeys(_CLEAN)).invoke(app, words[1:])
            if done.exception is not None and not isinstance(done.exception, SystemExit):
                raise done.exception
            return str(done.output)
        ran = subprocess.run(
            ["bash", "-c", self._in_shell(command)],
            cwd=self.folder,
            env=self._env(),
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        return ran.stdout + ran.stderr

    def _start(self, block: Block, command: str) -> None:
        """Start a server; it listens at the port that its command or its file names."""
        process = subprocess.Popen(
            ["bash", "-c", "exec " + self._in_shell(command)],
            cwd=self.folder,
            env=self._env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        own = [port for port in self.ports.values() if port not in self._taken()]
        port = next((one for one in own if one in command.rpartition("--port")[2]), own[0])
        until = time.monotonic() + _START_S
        while time.monotonic() < until and process.poll() is None:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", int(port))) == 0:
                    return
            time.sleep(0.05)
        process.kill()
        raise WrongPageError(f"{block}: nothing listens: {process.communicate()[0]}")

    def _taken(self) -> set[str]:
        taken = set()
        for port in self.ports.values():
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", int(port))) == 0:
                    taken.add(port)
        return taken

    def _in_shell(self, command: str) -> str:
        whole = f'{shlex.quote(sys.executable)} -c "{MAIN}" '
        command = re.sub(r"(^|\| |; )guardkit ", rf"\g<1>{whole}", command)
        return re.sub(r"(^|\| )python ", rf"\g<1>{shlex.quote(sys.executable)} ", command)

    def _env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _CLEAN}
        return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    # --- ports and outcomes

    def _with_ports(self, text: str) -> str:
        """The ports of a page are those of one machine: here they are free ones."""
        for port in re.findall(r"(?:127\.0\.0\.1:|--port |\b)([89]\d{3})\b(?!\d)", text):
            if f":{port}" in text or f"--port {port}" in text or f"{port})" in text:
                self.ports.setdefault(port, _free_port())
        for port, free in self.ports.items():
            text = re.sub(rf"\b{port}\b", free, text)
        return text

    def _compare(self, block: Block, shown: str, said: str, command: str = "") -> None:
        if not agree(shown, said):
            raise WrongPageError(f"{block}: {command}\n--- shown\n{shown}\n--- said\n{said}")


def _is_value(said: str) -> bool:
    """Whether a comment is a value of Python, and not a remark."""
    try:
        ast.literal_eval(said)
    except (ValueError, SyntaxError):
        return said.startswith("<")
    return True


def _is_of_a_shell(command: str) -> bool:
    return any(sign in command for sign in (" | ", " > ", " < ", "; ", " $"))


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command, its lines put together, and what is shown below it."""
    pieces = re.split(r"^\$ ", text, flags=re.MULTILINE)
    for piece in pieces[1:]:
        command, _, shown = re.sub(r" \\\n\s*", " ", piece).partition("\n")
        yield command.strip(), shown


def _free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def is_run(block: Block) -> bool:
    """Whether a block is one that has to be run, or say why not."""
    return block.language in RUN


def needs(text: str) -> list[str]:
    """Programs that a page asks for and this machine lacks."""
    return [name for name in ("curl",) if f"$ {name} " in text and shutil.which(name) is None]
