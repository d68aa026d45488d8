"""How the console answers: JSON, in words for people where something is wrong, never cached."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from guardkit.wire import JSON, Fault, check_content, read_json, write_json

from .._admin import PAGE_HEADERS
from .._http import Handler, Reply, Request, Streamed

# Any: what a browser sent is looked at field by field.
Asked = dict[str, Any]


def answered(value: object, status: int = 200) -> Reply:
    """Plain data as a reply."""
    return Reply(status, write_json(value), JSON, PAGE_HEADERS)


async def asked(request: Request) -> Asked:
    """The JSON object in a request.

    Raises:
        Fault: There is none.
    """
    check_content(request.headers)
    return read_json(await request.read())


def text_in(body: Asked, name: str, most: int, default: str | None = None) -> str:
    """A text of a request.

    Raises:
        Fault: It is missing, no text, or too long.
    """
    value = body.get(name, default)
    if not isinstance(value, str):
        raise Fault(400, "wrong_type", f"`{name}` has to be a text")
    if len(value) > most:
        raise Fault(413, "too_long", f"`{name}` is over {most:,} characters")
    return value


def number_in(body: Asked, name: str, least: int, most: int) -> int:
    """A whole number of a request.

    Raises:
        Fault: It is missing, none, or out of range.
    """
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Fault(400, "wrong_number", f"`{name}` is a whole number from {least} to {most:,}")
    return value


def said(handler: Callable[[Request], Awaitable[Reply | Streamed]]) -> Handler:
    """A handler whose faults are JSON that the console's scripts read."""

    async def answer(request: Request) -> Reply | Streamed:
        try:
            return await handler(request)
        except Fault as fault:
            body = write_json({"code": fault.code, "message": fault.message})
            return Reply(fault.status, body, JSON, (*PAGE_HEADERS, *fault.headers))

    return answer
