"""What is wrong with a request, told to whoever sent it."""

from __future__ import annotations

from typing import Final

Headers = tuple[tuple[str, str], ...]
"""Names in lower case, each with its value."""

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"


class Fault(Exception):  # noqa: N818 - an answer to the client, not an error of the server
    """The request cannot be served. The client is told all of this and nothing else.

    Args:
        status: The HTTP status.
        code: A stable word for programs: `body_too_large`.
        message: One sentence for people; it quotes nothing of the request.
        headers: What goes with it, such as `retry-after`.
    """

    def __init__(self, status: int, code: str, message: str, headers: Headers = ()) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
