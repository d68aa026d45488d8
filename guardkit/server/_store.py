"""Whether the state that replicas share answers: a line in the log whenever that changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from ._logs import Log

LOOK_S: Final = 2.0


async def watch_store(is_up: Callable[[], Awaitable[bool]], log: Log) -> None:
    """Look every two seconds, without end: run it beside the requests.

    One line, `shared_state`, says `away` when it stops answering, and one `back` when it answers
    again. Each process tells what it sees.

    Args:
        is_up: Asks whether it answers. It did at the start.
        log: Where changes are told.
    """
    was_up = True
    while True:
        await anyio.sleep(LOOK_S)
        try:
            answers = await is_up()
        except Exception:  # noqa: BLE001 - who only watches must not end the server
            answers = False
        if answers is not was_up:
            was_up = answers
            log.event("shared_state", outcome="back" if answers else "away")
