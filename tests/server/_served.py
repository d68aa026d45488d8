"""`guardkit serve` as a process of its own, for clients that are real."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

ROOT = Path(__file__).parents[2]
START = (sys.executable, "-c", "from guardkit.cli import main; main()")
ADMIN = "admin-token-of-the-tests-0123456789abcdef"
READY_S = 40.0
STOPS_S = 20.0

POLICY = """\
guardkit 1
policy served
  title   "What the tests of the server say"
  owner   "tests@example.com"
  version "1"

check forbidden = pattern { match /FORBIDDEN/ }
check order     = pattern { match /NB-\\d{4}/  label "order" }

rule stop {
  tier safety
  on   input, retrieved, tool_result, tool_call, output
  when forbidden
  then block "Stopped by a rule."
}

rule mask {
  tier safety
  on   input, retrieved, tool_result, tool_call, output
  when order
  then rewrite matches as "[{label}]"
}
"""
"""Blocks a word and masks a number, everywhere; it adds nothing to what is asked."""

SESSIONS = """\
guardkit 1
policy sessions
  title   "A context layer, and pseudonyms"
  owner   "tests@example.com"
  version "1"

context { say "You speak of parcels and of nothing else." }

check card   = pattern { match /\\b\\d{4} \\d{4}\\b/  label "card" }
check secret = pattern { match /FORBIDDEN/ }

rule hide { tier safety on input, tool_result when card then rewrite matches as pseudonym }
rule stop { tier safety on input, tool_call, output when secret then block "Stopped by a rule." }
"""
"""The model sees `[CARD_1]`; who is in the session sees the number."""

MESSAGE = "Stopped by a rule."


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs."""

    url: str
    process: subprocess.Popen[bytes]
    folder: Path
    """Where its policy lies, as `served.guard`."""
    log: Path

    def said(self) -> str:
        """All it has written."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def last(self) -> str:
        """The end of it, for the message of a failure."""
        return "\n".join(self.said().splitlines()[-20:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This environment without what would speak to anybody else, or colour anything."""
    dropped = ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    kept = {key: value for key, value in os.environ.items() if key.upper() not in dropped}
    own = {"PYTHONPATH": str(ROOT), "GUARDKIT_ADMIN_TOKEN": ADMIN, "PYTHONUNBUFFERED": "1"}
    return {**kept, **own, **extra}


@contextmanager
def served(
    policy: str,
    *options: str,
    upstream: str | None = None,
    env: Mapping[str, str] | None = None,
    ends: int = 0,
) -> Iterator[Served]:
    """A server for as long as the block lasts; it has to stop cleanly.

    Args:
        policy: The text of its policy.
        options: More of the command line.
        upstream: The model's server, where there is one.
        env: More of the environment.
        ends: The exit status it has to end with.

    Raises:
        AssertionError: It did not start, did not stop in time, or ended in another way. What it
            wrote stands in the error.
    """
    with TemporaryDirectory(prefix="guardkit-served-") as name:
        folder = Path(name)
        (folder / "served.guard").write_text(policy, encoding="utf-8")
        port = _free_port()
        command = [*START, "serve", str(folder / "served.guard"), "--port", str(port), *options]
        if upstream is not None:
            command += ["--upstream", upstream]
        log = folder / "stderr.txt"
        with log.open("wb") as err:
            process = subprocess.Popen(
                command, cwd=folder, env=_environment(env or {}), stdout=err, stderr=err
            )
        server = Served(f"http://127.0.0.1:{port}", process, folder, log)
        try:
            _wait_ready(server)
            yield server
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOPS_S)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"it did not stop:\n{server.last()}") from None
            assert process.returncode == ends, f"ended {process.returncode}:\n{server.last()}"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)


def _wait_ready(server: Served) -> None:
    end = time.monotonic() + READY_S
    with httpx2.Client(trust_env=False) as client:
        while time.monotonic() < end:
            assert server.process.poll() is None, f"it did not start:\n{server.last()}"
            try:
                if client.get(f"{server.url}/readyz").status_code == 200:
                    return
            except httpx2.TransportError:
                pass  # nobody listens yet
            time.sleep(0.05)
    raise AssertionError(f"it was not ready in {READY_S:.0f} s:\n{server.last()}")
