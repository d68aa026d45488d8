"""Puts a guard around a callable."""

from ._find_texts import Lens
from ._guarding import Guarding, Streaming
from ._wrap import Decorator, WrapOptions, wrap

__all__ = ["Decorator", "Guarding", "Lens", "Streaming", "WrapOptions", "wrap"]
