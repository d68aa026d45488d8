"""LangChain: a policy as middleware of an agent, and around a chat model."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._middleware import middleware
    from ._model import guarded

__all__ = ["guarded", "middleware"]

__getattr__ = loader(__name__, {"_middleware": ("middleware",), "_model": ("guarded",)})
