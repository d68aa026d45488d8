"""Puts a guard around a callable."""

from ._callables import named_callable, takes_text
from ._find_texts import Lens
from ._fresh import Judgements
from ._guarding import Guarding, Streaming
from ._replied import text_of as reply_text
from ._replied import text_of_chunk as chunk_text
from ._wrap import Decorator, WrapOptions, wrap

__all__ = [
    "Decorator",
    "Guarding",
    "Judgements",
    "Lens",
    "Streaming",
    "WrapOptions",
    "chunk_text",
    "named_callable",
    "reply_text",
    "takes_text",
    "wrap",
]
