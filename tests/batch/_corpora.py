"""Policies and files of texts for the tests of corpora."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import guardkit
from guardkit.batch import Asked, Crew, Run, Totals, corpus_of
from guardkit.guard import Guard

POLICY = r"""
guardkit 1
policy mail
  title   "Mail"
  owner   "me@example.com"
  version "1"

check greeting = pattern {
  match /\bhello\b/i
  label "greeting"
}

check card = pattern {
  match /\b\d(?:[ -]?\d){12,18}\b/
  valid luhn
  label "card"
}

rule no_greeting {
  tier safety
  on   input, output
  when greeting
  then block "No greetings, please."
}

rule mask_cards {
  tier safety
  on   input
  when card
  then rewrite matches as "[{label}]"
}
"""
REMEMBERS = (
    POLICY
    + """
window greetings { count no_greeting last 50 turns per session }

rule enough {
  tier safety
  on   conversation
  when greetings >= 3
  then block "Enough." for session
}
"""
)
PAN = "4111 1111 1111 1111"
SECRET = "zanzibar-marker"
ALONE = Crew()


def policy(folder: Path, text: str = POLICY) -> Path:
    path = folder / "mail.guard"
    path.write_text(text, encoding="utf-8")
    return path


def guard_of(text: str = POLICY) -> Guard:
    return guardkit.loads(text)


def row(number: int, *, sessions: int = 0) -> dict[str, object]:
    """A row like no other; every seventh is blocked, every eleventh rewritten."""
    said = f"{SECRET} number {number}"
    if number % 7 == 0:
        said += ", hello"
    if number % 11 == 0:
        said += f", card {PAN}"
    made: dict[str, object] = {"text": said}
    if sessions and number % 3 == 0:
        made["session"] = f"s{number % sessions}"
    return made


def jsonl(path: Path, rows: int, *, sessions: int = 0, broken: bool = True) -> Path:
    """A file of so many rows; every fiftieth is no JSON."""
    lines = [
        "{no json" if broken and number % 50 == 49 else json.dumps(row(number, sessions=sessions))
        for number in range(rows)
    ]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def run_into(
    out: Path,
    *inputs: Path | str,
    guard: Guard | None = None,
    crew: Crew = ALONE,
    resume: bool = False,
    stop_after: int | None = None,
    **asked: Any,
) -> Totals:
    """Judge files into a file; `stop_after` so many blocks somebody presses Ctrl-C."""
    lines = bool(asked.pop("lines", False))
    corpus = corpus_of([str(name) for name in inputs], lines=lines)
    guard = guard_of() if guard is None else guard
    with Run(guard, corpus, Asked(**asked), out, crew, resume=resume, lines=lines) as run:
        blocks = iter(run)
        try:
            for number, _ in enumerate(blocks, 1):
                if number == stop_after:
                    blocks.throw(KeyboardInterrupt())  # type: ignore[attr-defined]
        except KeyboardInterrupt:
            pass
        return run.totals


def told(path: Path) -> list[dict[str, Any]]:
    """The results of a JSONL file, but for what is another number each time."""
    lines = path.read_text(encoding="ascii").splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if key != "elapsed_us"}
        for line in lines
    ]
