"""LlamaIndex: a policy around a model, and before what was retrieved."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._llm import guarded
    from ._screen import Screen

__all__ = ["Screen", "guarded"]

__getattr__ = loader(__name__, {"_llm": ("guarded",), "_screen": ("Screen",)})
