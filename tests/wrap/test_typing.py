"""A decorated callable keeps its type, and options are checked, for whoever uses a type checker."""

from __future__ import annotations

from pathlib import Path

import pytest

USER = """\
from collections.abc import AsyncIterator
import guardkit

guard = guardkit.loads("")

@guard
def ask(prompt: str, n: int = 1) -> str:
    return prompt

@guard(on_block="reply", session=lambda call: call["user"])
async def chat(messages: list[dict[str, str]], *, user: str) -> dict[str, str]:
    return messages[0]

@guard(inject=False)
async def spell(prompt: str) -> AsyncIterator[str]:
    yield prompt

class Bot:
    @guard
    def ask(self, prompt: str) -> str:
        return prompt

reveal_type(ask)
reveal_type(chat)
reveal_type(spell)
reveal_type(Bot().ask("hi"))
guard(on_block="shout")
guard(on_blok="reply")
ask(1)
"""
SAID = [
    'Revealed type is "def (prompt: str, n: int =) -> str"',
    "def (messages: list[dict[str, str]], *, user: str) -> "
    "typing.Coroutine[Any, Any, dict[str, str]]",
    'Revealed type is "def (prompt: str) -> typing.AsyncIterator[str]"',
    'Revealed type is "str"',
    'No overload variant of "__call__" of "Guard" matches argument type "str"',
    'Unexpected keyword argument "on_blok" for',
    'Argument 1 to "ask" has incompatible type "int"; expected "str"',
]


@pytest.mark.full
@pytest.mark.timeout(300)
def test_a_decorated_callable_keeps_its_type(tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api")

    path = tmp_path / "user.py"
    path.write_text(USER)
    out, _, _ = api.run(["--strict", "--no-error-summary", str(path)])
    said = out.replace("builtins.", "")
    for wanted in SAID:
        assert wanted in said, said
