"""MCP: a policy inside a server, and around a client."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._client import guarded
    from ._server import middleware

__all__ = ["guarded", "middleware"]

__getattr__ = loader(__name__, {"_client": ("guarded",), "_server": ("middleware",)})
