"""What Inspect loads by the entry point `guardkit`, to find these by name."""

from ._approver import approver
from ._model import guarded
from ._scorer import passes

__all__ = ["approver", "guarded", "passes"]
