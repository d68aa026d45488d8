"""Puts a guard around a callable."""

from ._find_texts import Lens
from ._guarding import Guarding, Streaming
from ._replied import text_of as reply_text
from ._replied import text_of_chunk as chunk_text
from ._wrap import Decorator, WrapOptions, wrap

__all__ = [
    "Decorator",
    "Guarding",
    "Lens",
    "Streaming",
    "WrapOptions",
    "chunk_text",
    "reply_text",
    "wrap",
]
