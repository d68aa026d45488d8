"""A policy in front of an ASGI app: FastAPI, Starlette, a model's server.

from guardkit.integrations.asgi import Middleware

app.add_middleware(Middleware, policy="policy.guard", paths=["/chat"])
"""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._middleware import Middleware

__all__ = ["Middleware"]

__getattr__ = loader(__name__, {"_middleware": ("Middleware",)})
