"""What can be proved about a policy: conditions as decision diagrams, every answer counted."""

from ._analyses import analyse
from ._compare import Change, Comparison, compare
from ._render_comparison import as_test, render_comparison

__all__ = ["Change", "Comparison", "analyse", "as_test", "compare", "render_comparison"]
