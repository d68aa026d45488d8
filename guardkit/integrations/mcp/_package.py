"""What is taken from the package, and how new it has to be."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from guardkit.errors import BindError, Blocked
from guardkit.types import Verdict

from .._judged import said
from .._third_party import third_party

OLDEST: Final = (2, 3)


@cache
def package(module: str = "mcp") -> Any:
    """A module of the package; looked up once.

    Raises:
        BindError: It is not installed, or too old.
    """
    # An old one may not even import beside what is new here.
    with suppress(PackageNotFoundError):
        found = tuple(int(part) for part in re.findall(r"\d+", version("mcp"))[:2])
        if found < OLDEST:
            raise BindError(
                "this integration needs `mcp` 2.3 or newer: pip install 'guardkit[mcp]'"
            )
    third_party("mcp", "mcp")
    return third_party(module, "mcp")


@cache
def error_class() -> Any:
    """The error of a block: MCP's own, which its transports carry, and guardkit's."""
    types = package("mcp_types")

    class Refused(Blocked, package().MCPError):  # type: ignore[misc]  # the package is not typed here
        """A rule stopped a request; `verdict` says which."""

        def __init__(self, verdict: Verdict) -> None:
            Exception.__init__(self, verdict)
            self.verdict = verdict
            self.error = types.ErrorData(
                code=types.INVALID_REQUEST, message=said(verdict), data={"type": "guardkit_blocked"}
            )

        def __str__(self) -> str:
            return Blocked.__str__(self)

    return Refused


def refused(verdict: Verdict) -> Exception:
    """The error that says a verdict."""
    error: Exception = error_class()(verdict)
    return error
