"""Comments, found when somebody wants them: only the formatter does."""

from __future__ import annotations

from guardkit.diagnostics import Span

from . import _ast as ast
from ._characters import STRETCH


def comments_of(text: str) -> tuple[ast.Comment, ...]:
    """Every comment, in order; `#` inside texts and patterns begins none."""
    if "#" not in text:
        return ()
    return tuple(
        ast.Comment(Span(*m.span()), m.group().rstrip())
        for m in STRETCH.finditer(text)
        if m.group()[0] == "#"
    )
