"""guardkit, in the same loop as its peers."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from _worker import TRIVIAL, serve

import guardkit
from benchmarks.workload import patterns, policy
from guardkit.models import digest_of


def _policy(given: Sequence[str], views: str, action: str = "block") -> str:
    assert tuple(given) == patterns()
    return policy(action, views=views)


def scan(given: Sequence[str], views: str) -> Callable[[str], bool]:
    check = guardkit.loads(_policy(given, views)).check
    return lambda text: check(text).action == "block"


def redact(given: Sequence[str], views: str) -> Callable[[str], str]:
    check = guardkit.loads(_policy(given, views, "rewrite")).check

    def ask(text: str) -> str:
        verdict = check(text)
        return text if verdict.text is None else verdict.text

    return ask


def stream(given: Sequence[str], views: str) -> Callable[[Sequence[str]], str]:
    guard = guardkit.loads(_policy(given, views))

    def ask(tokens: Sequence[str]) -> str:
        made = guard.stream(on="output", says=False)
        shown = [made.feed(token) for token in tokens]
        shown.append(made.finish())
        return "".join(shown)

    return ask


def wrap(function: Callable[[str], Awaitable[str]]) -> Callable[[str], Awaitable[str]]:
    guard = guardkit.loads(
        f"guardkit 1\npolicy trivial\ncheck bad = pattern {{ match /{re.escape(TRIVIAL)}/ }}\n"
        "rule r { tier safety on input, output when bad then block }\n"
    )
    wrapped: Callable[[str], Awaitable[str]] = guard(function)
    return wrapped


def classify(folder: str) -> Callable[[str], Awaitable[float]]:
    at = Path(folder) / "guardkit"
    label = json.loads((at / "guardkit.json").read_text())["heads"][0]["labels"][0]
    guard = guardkit.loads(
        "guardkit 1\npolicy one\n"
        f'check c = classifier {{ model "{at.name}" digest "{digest_of(at)}" label "{label}" }}\n'
        "rule r { tier safety on input when c >= 0.999999 then block }\n",
        root=at.parent,
    )

    async def ask(text: str) -> float:
        verdict = await guard.acheck(text)
        return float(verdict.action == "block")

    return ask


if __name__ == "__main__":
    both = ("all views", "all"), ("the text as it stands", "raw")
    scans = {f"`guard.check`, {said}": partial(scan, views=name) for said, name in both}
    serve(
        ("guardkit", "google-re2"),
        scan=scans,
        redact={f"`guard.check`, {said}": partial(redact, views=name) for said, name in both},
        stream={f"`guard.stream`, {said}": partial(stream, views=name) for said, name in both},
        wrap={"`guard(function)`, one `pattern` each way": wrap},
        classify={"`guard.acheck`, a `classifier` on the same model": classify},
    )
