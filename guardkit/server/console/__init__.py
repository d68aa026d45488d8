"""The console: what a server does, seen and tried in a browser."""

from ._console import Console
from ._stage import Stage

__all__ = ["Console", "Stage"]
