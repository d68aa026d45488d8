"""A wrapped plain function is called from anywhere: a loop, a callback, a check, many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest

from guardkit.errors import Blocked
from guardkit.guard import Guard, loads

POLICY = """guardkit 1
policy threads
check card = pattern { match /\\b\\d{4} \\d{4}\\b/  label "card" }
check rude = python { call "m:f"  timeout 20s }
rule hide { tier safety on input  when card then rewrite matches as pseudonym }
rule calm { tier ethics on input, output when rude then block "Be kind." }
"""


async def is_rude(text: str) -> bool:
    await anyio.lowlevel.checkpoint()
    return "damn" in text


def guard_of(check: Callable[[str], Any] = is_rude) -> Guard:
    return loads(POLICY, checks={"rude": check})


def echo(prompt: str) -> str:
    return f"You said: {prompt}"


def in_time(work: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What `work` gives, in a thread of its own: a deadlock is a failure, and no hanging test."""
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it hangs"
    return got[0]


def test_from_a_script() -> None:
    chat = guard_of()(session="s")(echo)
    assert in_time(lambda: chat("for 1234 5678")) == "You said: for 1234 5678"


def test_inside_a_running_loop(backend: str) -> None:
    chat = guard_of()(session="s")(echo)

    async def main() -> str:
        return chat("for 1234 5678")

    assert in_time(lambda: anyio.run(main, backend=backend)) == "You said: for 1234 5678"


def test_in_a_callback_of_a_loop() -> None:
    chat = guard_of()(session="s")(echo)

    async def main() -> str:
        said: list[str] = []
        token = anyio.lowlevel.current_token()
        await anyio.to_thread.run_sync(
            lambda: anyio.from_thread.run_sync(lambda: said.append(chat("hello")), token=token)
        )
        return said[0]

    assert in_time(lambda: anyio.run(main)) == "You said: hello"


def test_a_check_that_asks_a_guarded_function() -> None:
    """Plain in async in plain, three deep."""
    inner: Callable[[str], str] = guard_of()(session="s")(echo)
    for _ in range(3):

        async def ask(text: str, inner: Callable[[str], str] = inner) -> bool:
            await anyio.lowlevel.checkpoint()
            return "damn" in inner(text)

        inner = guard_of(ask)(session="s")(echo)
    assert in_time(lambda: inner("hello")) == "You said: hello"
    with pytest.raises(Blocked):
        inner("damn")


def test_64_threads() -> None:
    chat = guard_of()(session=lambda call: call["user"], text="prompt")(
        lambda prompt, user: echo(prompt)
    )
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(5):
            card = f"{number:04} {turn:04}"
            said = chat(f"for {card}", user=str(number % 8))
            if said != f"You said: for {card}":
                wrong.append(said)
            with suppress(Blocked):
                wrong.append(chat("damn", user=str(number)))

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
