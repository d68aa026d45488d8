"""Runs the command line: in this process through click, or as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from guardkit.cli import app

ROOT = Path(__file__).parents[2]
START = (sys.executable, "-c", "from guardkit.cli import main; main()")

SMALL = """\
guardkit 1
policy small
  title   "Small"
  owner   "me@example.com"
  version "1"

check greeting = pattern {
  match /\\bhello\\b/i
  label "greeting"
}

rule no_greeting {
  tier safety
  on   input, output
  when greeting
  then block "No greetings, please."
}

test "a greeting is blocked" {
  input  "hello there"
  expect block by no_greeting
}
"""
WRONG = SMALL.replace("when greeting", "when greting")
WARNED = SMALL.replace('  owner   "me@example.com"\n', "")


@dataclass(frozen=True, slots=True)
class Done:
    """How a run ended."""

    code: int
    out: str
    err: str


def plain(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This environment without what colours, widths and CI would add to it."""
    dropped = ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS", "GUARDKIT_TRACEBACK", "PYTHONPATH")
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    return {**kept, "PYTHONPATH": str(ROOT), **(extra or {})}


def guardkit(*arguments: str | Path, input: bytes | str | None = None, **env: str) -> Done:
    """The verb in this process."""
    gone = dict.fromkeys(("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS"))
    done = CliRunner(env={**gone, **env}).invoke(app, [str(a) for a in arguments], input=input)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def process(
    *arguments: str | Path, cwd: Path | None = None, input: bytes | None = None, **env: str
) -> Done:
    """The verb as a process."""
    done = subprocess.run(
        [*START, *(str(a) for a in arguments)],
        cwd=cwd,
        env=plain(env),
        input=input,
        capture_output=True,
        timeout=50,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())
