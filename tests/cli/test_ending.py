"""How a run ends: interrupts, bugs, broken pipes, colours, width, help and start-up."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import click
import pytest

from guardkit.cli import app, main
from guardkit.cli._main import run  # `main` ends the process
from guardkit.cli._verbs import ONE_LINERS

from ._run import ROOT, SMALL, START, WRONG, guardkit, plain, process

RUDE = """\
check rude = classifier {
  model  "models/rude"
  digest "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}

check """


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.guard"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.guard"
    path.write_text(WRONG, encoding="utf-8")
    return path


# --- as processes


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        (("check", "small.guard"), 0),
        (("check", "--strict", "warned.guard"), 1),
        (("check", "wrong.guard"), 2),
        (("test", "open.guard"), 3),
        (("test", "untested.guard"), 5),
        (("scan", "small.guard", "good day"), 0),
        (("scan", "small.guard", "hello"), 1),
        (("scan", "wrong.guard", "hello"), 2),
        (("scan", "small.guard", "broken.jsonl"), 3),
        (("scan", "small.guard", "empty.jsonl"), 5),
        (("explain", "small.guard", "hello"), 0),
    ],
)
def test_the_codes_reach_the_shell(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    (tmp_path / "small.guard").write_text(SMALL)
    (tmp_path / "wrong.guard").write_text(WRONG)
    (tmp_path / "warned.guard").write_text(SMALL.replace('  owner   "me@example.com"\n', ""))
    (tmp_path / "untested.guard").write_text(SMALL.partition("test ")[0])
    (tmp_path / "broken.jsonl").write_text("{")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "open.guard").write_text(
        SMALL.replace("when greeting", "when greeting and rude >= 0.5").replace("check ", RUDE, 1)
    )
    assert process(*arguments, cwd=tmp_path).code == code


def test_an_interrupt_is_130(small: Path) -> None:
    started = subprocess.Popen(
        [*START, "fmt", "-"],
        env=plain(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(1.5)  # it waits for stdin by then
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=30)
    assert started.returncode == 130
    assert out == b""
    assert err.strip() == b"interrupted"


def test_a_reader_that_goes_away_is_quiet() -> None:
    started = subprocess.Popen(
        [*START, "explain", "--list"],
        env=plain({"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert started.stdout is not None
    assert started.stderr is not None
    started.stdout.close()
    assert started.stderr.read() == b""
    started.stderr.close()
    assert started.wait(30) == 141


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_closed_streams_are_no_bug(small: Path, closed: str) -> None:
    command = f"exec {sys.executable} -c '{START[2]}' check '{small}' {closed}"
    done = subprocess.run(["/bin/sh", "-c", command], env=plain(), capture_output=True, timeout=50)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


# --- bugs


def broken(*_: object, **__: object) -> None:
    raise ValueError("4111 1111 1111 1111")


def test_a_bug_is_101_and_quotes_nothing(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("guardkit.cli._check.compile_file", broken)
    monkeypatch.delenv("GUARDKIT_TRACEBACK", raising=False)
    assert run(["check", str(small)]) == 101
    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(r"internal error \(ValueError at test_ending\.py:\d+\)", said.err)
    assert "4111" not in said.err
    assert "Traceback" not in said.err


def test_a_bug_shows_its_traceback_when_asked(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("guardkit.cli._check.compile_file", broken)
    monkeypatch.setenv("GUARDKIT_TRACEBACK", "1")
    assert run(["check", str(small)]) == 101
    assert "Traceback" in capsys.readouterr().err


def test_main_ends_the_process() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0


# --- colours and width


def in_terminal(
    *arguments: str | Path, columns: int = 80, cwd: Path | None = None, **env: str
) -> tuple[int, str]:
    """The verb in a terminal of this width: its exit code and all it shows."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    started = subprocess.Popen(
        [*START, *(str(a) for a in arguments)],
        cwd=cwd,
        env=plain({"TERM": "xterm-256color", **env}),
        stdin=there,
        stdout=there,
        stderr=there,
    )
    os.close(there)
    shown = b""
    try:
        while piece := os.read(here, 65536):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(here)
    return started.wait(30), shown.decode().replace("\r\n", "\n")


def widest(text: str) -> int:
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return max(len(line) for line in bare.splitlines())


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_a_terminal_gets_colours_and_its_width(wrong: Path, columns: int) -> None:
    folder = wrong.parent
    for name in ("check", "test"):
        code, shown = in_terminal(name, "wrong.guard", columns=columns, HOME=str(folder))
        assert code == 2
        assert "\x1b[" in shown
        assert widest(shown) <= columns


def test_the_list_of_codes_fits_a_terminal() -> None:
    code, shown = in_terminal("explain", "--list", columns=80)
    assert code == 0
    assert widest(shown) <= 80


@pytest.mark.parametrize(
    "env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}]
)
def test_a_terminal_that_wants_no_colours_gets_none(wrong: Path, env: dict[str, str]) -> None:
    assert "\x1b[" not in in_terminal("check", wrong, **env)[1]


def test_progress_is_for_terminals_only(small: Path) -> None:
    assert "small.guard \x1b[32m." in in_terminal("test", small)[1]
    assert ".guard" not in in_terminal("test", small, CI="true")[1]
    assert ".guard" not in in_terminal("test", "--no-progress", small)[1]
    assert ".guard" not in guardkit("test", small).err


def test_pipes_get_colours_only_when_forced(wrong: Path) -> None:
    assert "\x1b[" not in guardkit("check", wrong).err
    assert "\x1b[" not in guardkit("check", wrong, CI="1").err
    assert "\x1b[" not in guardkit("check", wrong, FORCE_COLOR="0").err
    assert "\x1b[1;31m" in guardkit("check", wrong, FORCE_COLOR="1").err
    assert "\x1b[" not in guardkit("check", wrong, FORCE_COLOR="1", NO_COLOR="1").err


def test_ascii_terminals_get_ascii(wrong: Path, small: Path) -> None:
    for path in (wrong, small):
        done = process("check", path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert done.err.isascii()
        assert "?" not in done.err.replace("did you mean `greeting`?", "")


# --- help


def test_help_fits_80_columns_and_names_every_verb() -> None:
    said = guardkit("--help").out
    assert said == guardkit("-h").out
    assert widest(said) <= 80
    for name, line in ONE_LINERS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", said, re.MULTILINE)


@pytest.mark.parametrize("name", ONE_LINERS)
def test_each_verb_explains_itself_in_80_columns(name: str) -> None:
    done = guardkit(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert widest(done.out) <= 80
    assert "--quiet" in done.out
    assert "--std" not in done.out


def test_each_verb_has_its_own_name() -> None:
    context = click.Context(app)
    for name in ONE_LINERS:
        command = app.get_command(context, name)
        assert command is not None
        assert command.name == name


# --- start-up

LOADED = """
import sys, json
from guardkit.cli._main import run
code = run(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.__stdout__)
"""


def loaded(*arguments: str | Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *(str(a) for a in arguments)],
        env=plain(),
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    return set(modules)


def test_the_version_loads_no_room() -> None:
    rooms = {name for name in loaded("--version") if name.startswith("guardkit.")}
    assert all(name.startswith(("guardkit.cli", "guardkit._util")) for name in rooms), rooms


HEAVY = {
    "anyio",
    "asyncio",
    "importlib_metadata",
    "lark",
    "numpy",
    "pyarrow",
    "pydantic",
    "rich",
    "sqlite3",
    "tokenizers",
}
ENGINE = {"guardkit.runtime", "guardkit.wrap", "guardkit.guard._guard", "guardkit.testing"}


@pytest.mark.parametrize("verb", ["check", "fmt", "graph", "cost"])
def test_a_verb_that_judges_nothing_loads_no_engine(verb: str, small: Path) -> None:
    modules = loaded(verb, small)
    assert not {name.partition(".")[0] for name in modules} & HEAVY
    assert not modules & ENGINE


@pytest.mark.parametrize("arguments", [("explain", "GK201"), ("explain", "--list")])
def test_a_page_is_shown_without_a_compiler(arguments: tuple[str, ...]) -> None:
    modules = loaded(*arguments)
    assert not {name.partition(".")[0] for name in modules} & (HEAVY | {"re2"})
    compiler = ("guardkit.guard", "guardkit.semantics", "guardkit.syntax", "guardkit.checks")
    assert not [name for name in modules if name.startswith(compiler)]


@pytest.mark.parametrize("arguments", [("test",), ("scan", "good day"), ("explain", "good day")])
def test_a_verb_that_judges_loads_the_engine_and_no_more(
    arguments: tuple[str, ...], small: Path
) -> None:
    modules = loaded(arguments[0], small, *arguments[1:])
    # The engine waits for checks that call out by way of anyio; it begins no event loop for others.
    assert not {name.partition(".")[0] for name in modules} & (HEAVY - {"anyio"})
    assert "guardkit.wrap" not in modules


def cpu_seconds(*command: str, runs: int = 4) -> float:
    """The least CPU time of several runs: what else the machine does only adds to it."""
    best = float("inf")
    env = {k: v for k, v in plain().items() if k != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True, timeout=50)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = min(best, used)
    return best


def test_starting_is_quick(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "cache"))
    click_alone = cpu_seconds(sys.executable, "-c", "import click")
    assert cpu_seconds(*START, "--version") < 2.5 * click_alone + 0.02
    assert cpu_seconds(*START, "check", str(small)) < 9 * click_alone + 0.05


# --- what no verb does

OFFLINE = """
import sys
def refuse(event, _):
    if event.startswith(("socket.", "subprocess.", "urllib.", "os.exec", "os.system")):
        print("touches", event, file=sys.stderr)
        raise SystemExit(99)
sys.addaudithook(refuse)
from guardkit.cli import main
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "small.guard"),
        ("fmt", "small.guard"),
        ("test", "small.guard"),
        ("graph", "small.guard"),
        ("cost", "small.guard"),
        ("diff", "small.guard", "small.guard"),
        ("explain", "GK201"),
        ("explain", "small.guard", "good day"),
        ("scan", "small.guard", "good day"),
        ("init", "new"),
    ],
)
def test_no_verb_uses_a_network_or_another_program(small: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *arguments],
        env=plain(),
        cwd=small.parent,
        capture_output=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr


def test_the_order_of_a_file_changes_nothing(tmp_path: Path) -> None:
    demo = (ROOT / "examples" / "demo" / "demo.guard").read_text(encoding="utf-8")
    text = re.sub(r'(?m)^(use tools) "tools/', r'\1 "', demo).replace('"words/', '"')
    for data in ("tools/parcels.json", "words/code_names.txt"):
        path = ROOT / "examples" / "demo" / data
        (tmp_path / path.name).write_bytes(path.read_bytes())
    parts = re.split(r"(?m)^(?=(?:check|rule|test|window|exempt|param|context|principle) ?)", text)
    orders = [parts, [parts[0], *reversed(parts[1:])]]
    drawn = []
    for number, order in enumerate(orders):
        path = tmp_path / f"{number}.guard"
        path.write_text("\n".join(part.rstrip() + "\n" for part in order), encoding="utf-8")
        drawn.append(guardkit("graph", "--format", "json", path).out)
        assert guardkit("test", path).code == 0
    assert drawn[0] == drawn[1] != ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="platform: there is no /dev/full")
def test_a_full_disk_is_no_bug(small: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*START, "graph", str(small)], stdout=full, stderr=subprocess.PIPE, env=plain()
        )
    assert done.returncode == 2
    assert b"cannot be written" in done.stderr
    assert b"bug" not in done.stderr
