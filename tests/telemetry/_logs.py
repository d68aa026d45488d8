"""Audit logs to try things on: verdicts of all sorts, and a file that is edited behind its back."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from guardkit.telemetry import Audit
from guardkit.types import Finding, Ledger, Record, Verdict

ROOT = Path(__file__).parents[2]
KEY = b"sixteen bytes or more of secret"
POLICY = "sha256:" + "0" * 64

PASSED = Verdict.passed("a text", "input", POLICY, 12.34, None)
BLOCKED = Verdict(
    "block",
    "No cards, please.",
    "output",
    POLICY,
    45.67,
    message="No cards, please.",
    fired=("no_card",),
    exempted=("no_mail",),
    shadow=("no_name",),
    findings=(Finding("no_card", "card", "CARD", 3, 22, 0.5),),
    unknown=("judge",),
    undecided=("no_harm",),
    records=(
        Record("output", "check card", "yes", 3.2),
        Record("output", "rule no_card", "block", 0.0),
    ),
)
ENDED = Ledger(
    "refused",
    "output",
    "rule no_card",
    "none",
    "answer",
    (Record("output", "rule no_card", "block", 1.0),),
    99.9,
)


def filled(path: Path, count: int, key: bytes | None = None) -> None:
    """Make a log of so many records, all of them different."""
    with Audit(path, "fast", key) as audit:
        for number in range(count):
            verdict = PASSED if number % 3 else BLOCKED
            audit.record(verdict._replace(elapsed_us=float(number)), session=f"s{number % 5}")


@contextmanager
def edited(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as somebody sees it who may write it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        yield db
        db.execute("COMMIT")


# The chain once more, as the page about it describes it: what whoever has no key can compute.


def hash_of(previous: bytes, number: int, body: bytes) -> bytes:
    return hashlib.sha256(b"R" + previous + number.to_bytes(8, "big") + body).digest()


def seal_of(count: int, hash: bytes) -> bytes:
    return hashlib.sha256(b"H" + count.to_bytes(8, "big") + hash).digest()


def rows_of(path: Path) -> list[tuple[int, bytes, bytes]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        return db.execute("SELECT number, body, hash FROM record ORDER BY number").fetchall()


def started(program: str, *arguments: Any, **options: Any) -> subprocess.Popen[str]:
    """A program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-B", "-c", dedent(program), *(str(one) for one in arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )
