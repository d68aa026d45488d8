"""Where the tools of other houses are, as far as this machine has them, and what is tested with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import guardkit

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "integrations"

POLICY = r"""
guardkit 1
policy shop

check bad   = words   { list ["FORBIDDEN"] }
check order = pattern { match /\bNB-\d{4}\b/  label "order" }
check money = words   { list ["refund"] }

rule stop {
  tier safety
  on   input, tool_call, tool_result, output
  when bad
  then block "Not here."
}

rule mask {
  tier safety
  on   input, tool_call, output
  when order
  then rewrite matches as "[{label}]"
}

rule wait {
  tier ethics
  on   output, tool_call
  when money
  then hold for "ops" within 15m else block "Nobody approved."
}
"""

WITH_CONTEXT = POLICY + '\ncontext { say "Be brief." }\n'
WITH_MEMORY = (
    POLICY
    + """
window often { count stop last 9 turns per session }

rule enough {
  tier safety
  on   conversation
  when often >= 2
  then block "Enough." for session
}
"""
)


def chat_of(said: Callable[[str], Any], asked: list[Any] | None = None) -> Callable[..., Any]:
    """A callable of messages that notes what it is asked."""

    def chat(messages: list[dict[str, Any]]) -> Any:
        if asked is not None:
            asked.append(messages)
        return said(messages[-1]["content"])

    return chat


def guard_of(policy: str = POLICY) -> guardkit.Guard:
    return guardkit.loads(policy)


def example(name: str) -> str:
    """What an example prints, run as a program of its own."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def found() -> dict[str, str | None]:
    """Each tool, and what runs it here; None where nothing does."""
    garak = os.environ.get("GUARDKIT_TEST_GARAK") or (sys.executable if _has("garak") else None)
    return {
        "garak": garak,
        "promptfoo": os.environ.get("GUARDKIT_TEST_PROMPTFOO") or shutil.which("promptfoo"),
        "inspect_ai": sys.executable if _has("inspect_ai") else None,
        "langchain": sys.executable if _has("langchain") and _has("langgraph") else None,
        "openai_agents": sys.executable if _has("agents") else None,
        "pydantic_ai": sys.executable if _has("pydantic_ai") else None,
        "llama_index": sys.executable if _has("llama_index") else None,
        "mcp": sys.executable if _has("mcp") else None,
        "presidio": sys.executable if _has("presidio_analyzer") else None,
        "ray": sys.executable if _has("ray") else None,
        "litellm": sys.executable if _has("litellm") and _has("backoff") else None,
        "asgi": sys.executable if _has("fastapi") and _has("uvicorn") else None,
        "pandas": sys.executable if _has("pandas") else None,
        "polars": sys.executable if _has("polars") else None,
    }


ADVICE = {
    "garak": "set GUARDKIT_TEST_GARAK to a Python that has it and what guardkit needs",
    "promptfoo": "set GUARDKIT_TEST_PROMPTFOO to its executable",
    "inspect_ai": "run `make integrations`",
    "langchain": "run `make integrations`",
    "openai_agents": "run `make integrations`",
    "pydantic_ai": "run `make integrations`",
    "llama_index": "run `make integrations`",
    "mcp": "run `make integrations`",
    "presidio": "run `make integrations`",
    "ray": "run `make integrations`",
    "litellm": "run `make integrations`",
    "asgi": "run `make integrations`",
    "pandas": "run `make integrations`",
    "polars": "run `make integrations`",
}


def needs(tool: str) -> pytest.MarkDecorator:
    """Skips where a tool is not there; `conftest.py` says so at the end of the run."""
    reason = f"NOT TESTED: {tool} is not on this machine: {ADVICE[tool]}"
    return pytest.mark.skipif(found()[tool] is None, reason=reason)


def _has(module: str) -> bool:
    return find_spec(module) is not None
