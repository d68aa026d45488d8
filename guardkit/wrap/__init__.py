"""Puts a guard around a callable."""

from ._find_texts import Lens
from ._guarding import Guarding, Streaming
from ._wrap import wrap

__all__ = ["Guarding", "Lens", "Streaming", "wrap"]
