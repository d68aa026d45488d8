"""Importing guardkit is cheap and touches nothing: each claim is tried in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

# fmt: off
HEAVY = {
    "anyio", "asyncio", "cachetools", "click", "httpx2", "lark", "numpy", "onnxruntime", "pydantic",
    "re2", "rich", "tokenizers", "torch", "trio",
}
# fmt: on


def run_alone(program: str, *arguments: str) -> Any:  # whatever the program prints as JSON
    """Run a program in a fresh interpreter that sees the checkout first."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-B", "-c", dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LOADED = """
    import json, sys
    before = set(sys.modules)
    import guardkit
    for name in sys.argv[1:]:
        getattr(guardkit, name)
    print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_the_front_door_loads_nothing_heavy() -> None:
    assert not set(run_alone(LOADED)) & HEAVY


def test_the_front_door_needs_only_the_standard_library() -> None:
    loaded = set(run_alone(LOADED))
    assert loaded - sys.stdlib_module_names == {"guardkit"}


def test_the_errors_load_nothing_heavy() -> None:
    assert not set(run_alone(LOADED, "PolicyError", "Blocked")) & HEAVY


# --- compiling needs what checks are, not what they do

NAMED = """
    import importlib, json, sys
    for name in sys.argv[1:]:
        importlib.import_module(name)
    print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("door", ["guardkit.checks", "guardkit.guard", "guardkit.cli"])
def test_what_checks_do_is_loaded_when_a_check_is_bound(door: str) -> None:
    loaded = run_alone(NAMED, door)
    assert door in loaded
    assert not [name for name in loaded if name.startswith("guardkit.checks.live")]


def test_the_kinds_of_checks_load_nothing_heavy() -> None:
    assert not {name.partition(".")[0] for name in run_alone(NAMED, "guardkit.checks")} & HEAVY


# --- importing every module touches nothing

WATCHED = """
    import importlib, json, os, sys, threading

    TOUCHES = (
        "socket.", "subprocess.", "urllib.", "http.client.", "ftplib.", "smtplib.", "pty.spawn",
        "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile",
        "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate",
        "os.chmod", "os.chown", "os.utime", "os.putenv", "shutil.", "tempfile.", "webbrowser.",
        "sqlite3.connect",
    )
    # Asking this machine's own name opens nothing.
    HARMLESS = ("socket.gethostname",)
    WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    seen, current = [], ["?"]

    def watch(event, args):
        if event == "open":
            path, mode, flags = args
            if (mode and set(mode) & set("wax+")) or (flags or 0) & WRITES:
                seen.append(f"{current[0]}: open {path!r} {mode!r}")
        elif event.startswith(TOUCHES) and event not in HARMLESS:
            seen.append(f"{current[0]}: {event} {args!r}")

    sys.addaudithook(watch)
    absent = {}
    for name in sys.argv[1:]:
        current[0] = name
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            absent[name] = error.name
        if threading.active_count() > 1:
            seen.append(f"{name}: starts a thread")
            break
    print(json.dumps({"seen": seen, "absent": absent}))
"""


def every_module() -> list[str]:
    names = []
    for path in sorted((ROOT / "guardkit").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if not name.endswith("__main__")]


def test_importing_every_module_touches_nothing() -> None:
    names = every_module()
    assert "guardkit.errors" in names
    result = run_alone(WATCHED, *names)
    assert result["seen"] == []
    # A module may need an extra that is not installed here, never a module of guardkit's own.
    assert not [n for n, missing in result["absent"].items() if missing.startswith("guardkit")]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import socket\nsocket.socket()", "socket."),
        ("import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''])", "subprocess."),
        ("open('written', 'w')", "open "),
        ("import os\nos.open('written', os.O_CREAT | os.O_WRONLY)", "open "),
        ("import os\nos.mkdir('made')", "os.mkdir"),
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(1,)).start()",
            "thread",
        ),
    ],
)
def test_the_watch_sees(tmp_path: Path, source: str, says: str) -> None:
    (tmp_path / "culprit.py").write_text(source, encoding="utf-8")
    inside = f"import os, sys; os.chdir({str(tmp_path)!r}); sys.path.insert(0, {str(tmp_path)!r})\n"
    result = run_alone(inside + dedent(WATCHED), "culprit")
    assert result["seen"], "nothing seen"
    assert all("culprit: " in line for line in result["seen"])
    assert any(says in line for line in result["seen"])
