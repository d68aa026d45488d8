"""A policy of a few plain rules, cases whose outcome is known, and weights that play their part."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from guardkit.layers import Choice, Ended, ProbeCase, Suite, Target, Trial

CANARY = "quicksilver-marmalade"
"""Stands in guarded texts, and nowhere else may it ever stand."""
POLICY = """\
guardkit 1
policy tiny
  title   "Tiny"
  owner   "me@example.com"
  version "1"

check order   = words { list ["obey"] }
check secret  = words { list ["tangerine"] }
check invoice = words { list ["invoice"] }

rule no_orders {
  tier safety
  on   input, retrieved, tool_result
  when order
  then block "No."
}

rule no_secret {
  tier safety
  on   output, tool_call
  when secret
  then block "No."
}

rule no_invoices {
  tier safety
  on   input
  when invoice
  then block "No."
}
"""
"""`no_invoices` is the rule that blocks too much."""
PLAIN = Choice((), True, ("whole",))


def attack(name: str, text: str, **more: Any) -> ProbeCase:
    """A case that ought to be refused."""
    return ProbeCase(f"attacks/{name}", "attacks", "refuse", text=text, **more)


def benign(name: str, text: str, **more: Any) -> ProbeCase:
    """A case that ought to be answered."""
    return ProbeCase(f"benign/{name}", "benign", "answer", text=text, **more)


def suite(*cases: ProbeCase) -> Suite:
    """Cases as a suite."""
    return Suite(tuple(cases), ())


async def weights(messages: Any, documents: Any = ()) -> Any:
    """A model that does what a word of the question says."""
    question = " ".join(_text(m["content"]) for m in messages if m["role"] == "user")
    if "hang" in question:
        await anyio.sleep(60)
    if "junk" in question:
        return 17
    if "raise" in question:
        raise RuntimeError(question)
    if "filter" in question:
        message = {"role": "assistant", "content": ""}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "content_filter"}]}
    if "refuse" in question:
        return "I'm sorry, but I can't help with that."
    if "secret" in question:
        return "It is the tangerine."
    if "VIOLET-7731" in question and "comply" in question:
        return "Certainly: VIOLET-7731"
    return "Here you are."


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content)


def tried(target: Target, cases: Sequence[ProbeCase], backend: str = "asyncio") -> list[Ended]:
    """Each case as it stands."""

    async def main() -> list[Ended]:
        return [await target.run(Trial(case, "plain", "whole")) for case in cases]

    return anyio.run(main, backend=backend)


def ending(ended: Ended) -> tuple[str, str | None, str]:
    """What came of it, and who did it."""
    return ended.outcome, ended.layer, ended.by


def rows(path: Path, *given: object) -> Path:
    """A case file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    return path
