"""`guardkit completion`: real shells complete verbs, options, choices and files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from guardkit.cli._verbs import ONE_LINERS

from ._run import ROOT, START, guardkit, plain


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with `guardkit` in it, as a shell would find it, and a policy."""
    program = tmp_path / "bin" / "guardkit"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{START[2]}\n", encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "shop.guard").write_text("", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    return tmp_path


def asked(here: Path, line: str, *, at: int, shell: str = "bash", **env: str) -> list[str]:
    """What guardkit answers a shell about a line, whose word `at` is being typed."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(at), "_GUARDKIT_COMPLETE": f"{shell}_complete"}
    done = subprocess.run(
        [str(here / "bin" / "guardkit")],
        cwd=here,
        env=plain({**words, **env}),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def in_shell(here: Path, *command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"NOT TESTED: `{command[0]}` is not installed")
    path = f"{here / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        command,
        cwd=here,
        env=plain({"PATH": path, "HOME": str(here), "TERM": "dumb"}),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("line", "at", "answer"),
    [
        ("guardkit chec", 1, ["plain,check"]),
        ("guardkit mo", 1, ["plain,models"]),
        ("guardkit models ver", 2, ["plain,verify"]),
        ("guardkit check --form", 2, ["plain,--format"]),
        ("guardkit check --format sa", 3, ["plain,sarif"]),
        ("guardkit check sho", 2, ["file,sho"]),
        ("guardkit diff a.guard sho", 3, ["file,sho"]),
        ("guardkit test x --junit re", 4, ["file,re"]),
        ("guardkit completion f", 2, ["plain,fish"]),
        ("guardkit --vers", 1, ["plain,--version"]),
        ("guardkit nosuch sho", 2, []),
        ("guardkit --version che", 2, ["plain,check"]),
        ("guardkit scan --packs none sho", 4, ["file,sho"]),
    ],
)
def test_what_a_shell_is_told(here: Path, line: str, at: int, answer: list[str]) -> None:
    assert asked(here, line, at=at) == answer


def test_every_verb_is_offered(here: Path) -> None:
    said = asked(here, "guardkit ", at=1)
    assert said == [f"plain,{name}" for name in ONE_LINERS]


def test_a_key_press_loads_no_verb(here: Path) -> None:
    program = here / "bin" / "guardkit"
    tells = "import atexit, sys; atexit.register(lambda: print(*sys.modules))\n"
    start = f"#!{sys.executable}\n"
    program.write_text(start + tells + START[2] + "\n", encoding="utf-8")
    loaded = asked(here, "guardkit ch", at=1)
    assert "plain,check" in loaded
    rooms = {name for name in loaded if name.startswith("guardkit.")}
    assert rooms
    assert all(name.startswith(("guardkit.cli", "guardkit._util")) for name in rooms)
    assert "guardkit.cli._check" not in rooms


def test_bash(here: Path) -> None:
    script = """
        eval "$(guardkit completion bash)"
        complete -p guardkit
        COMP_WORDS=(guardkit exp); COMP_CWORD=1
        _guardkit_completion guardkit
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    lines = in_shell(here, "bash", "--norc", "-c", script).splitlines()
    assert lines == ["complete -o nosort -F _guardkit_completion guardkit", "explain"]


def test_zsh(here: Path) -> None:
    script = """
        autoload -Uz compinit && compinit -D -u
        eval "$(guardkit completion zsh)"
        print $_comps[guardkit]
        functions -t _guardkit_completion > /dev/null && whence -w _guardkit_completion
    """
    said = in_shell(here, "zsh", "-f", "-c", script).splitlines()
    assert said == ["_guardkit_completion", "_guardkit_completion: function"]
    kind, word, line = asked(here, "guardkit chec", at=1, shell="zsh")[:3]
    assert (kind, word, line) == ("plain", "check", "Say")


def test_fish(here: Path) -> None:
    script = 'guardkit completion fish | source; complete -C "guardkit expl"; echo; '
    said = in_shell(here, "fish", "--no-config", "-c", script + 'complete -C "guardkit check sh"')
    verbs, _, files = said.partition("\n\n")
    # Of its description, fish is told what stands before a comma.
    assert verbs == f"explain\t{ONE_LINERS['explain'].partition(',')[0]}"
    assert files.strip() == "shop.guard"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_all_there_is_on_stdout(shell: str) -> None:
    done = guardkit("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert "_GUARDKIT_COMPLETE" in done.out
    assert str(ROOT) not in done.out


def test_another_shell_is_refused() -> None:
    done = guardkit("completion", "tcsh")
    assert (done.code, done.out) == (2, "")
    assert "'bash', 'zsh', 'fish'" in done.err
