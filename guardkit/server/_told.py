"""A request that is judged and not forwarded: its body read, its end told of, its headers said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from guardkit.errors import AuditError, CheckError
from guardkit.shared import Busy
from guardkit.wire import Fault, Headers, check_content, field_of, read_json

from ._exchange import number
from ._http import GONE, Reply, Request
from ._tally import End, Tally
from ._wire import ClientLeft

Tell = Callable[[Request, str, End], object]
"""Told of every request, and of its route, at its end."""
Serve = Callable[[Request, Tally], Awaitable[Reply]]


async def told(request: Request, route: str, tell: Tell, serve: Serve) -> Reply:
    """Serve a request, and tell what it came to, however it ends."""
    begun = perf_counter()
    number(request.decision)
    tally = Tally()
    error: str | None = None
    field = ""
    status = GONE  # unless it is said otherwise, nobody waited for the end
    try:
        reply = await serve(request, tally)
        status = reply.status
        return reply
    except Fault as fault:
        status, error, field = fault.status, fault.code, field_of(fault)
        raise
    except Busy:
        status, error = 429, "session_busy"
        raise
    except (AuditError, CheckError):
        status, error = 503, "not_available"
        raise
    except ClientLeft:
        raise
    except Exception:
        status, error = 500, "internal_error"
        raise
    finally:
        elapsed_s = perf_counter() - begun
        tell(request, route, End(status, tally, elapsed_s, error=error, field=field))


def judged_headers(tally: Tally) -> Headers:
    """What every judged reply carries."""
    return (("x-guardkit-action", tally.action), ("x-guardkit-policy", tally.policy))


async def read_body(request: Request) -> dict[str, Any]:
    """The object that a request carries.

    Raises:
        Fault: It carries none.
    """
    check_content(request.headers)
    return read_json(await request.read())
