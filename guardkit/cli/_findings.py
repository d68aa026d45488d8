"""Diagnostics for people: frames for what is wrong, one line for what is only worth knowing."""

from __future__ import annotations

from collections.abc import Sequence

from guardkit.diagnostics import Diagnostic, render, summary

from ._exits import CLEAN, FINDINGS, WRONG
from ._screen import Screen


def show_frames(screen: Screen, found: Sequence[Diagnostic], *, verbose: bool = False) -> bool:
    """Errors and warnings as frames; notes as a line each unless `verbose`. Whether any stood."""
    look = screen.err
    framed = [d for d in found if verbose or d.level != "note"]
    lined = [] if screen.quiet else [d for d in found if d not in framed]
    if framed:
        text = render(framed, "full", color=look.color, width=look.width, ascii=look.ascii)
        # The last block is the summary, which the caller gives in its own place.
        look.write(text.rpartition("\n\n")[0] + "\n")
    if lined:
        if framed:
            look.line()
        look.write(render(lined, "concise", ascii=look.ascii))
    return bool(framed or lined)


def summed_up(screen: Screen, found: Sequence[Diagnostic]) -> str:
    """`2 errors in 1 file`, in the colour of the worst."""
    levels = {d.level for d in found}
    style = "bad" if "error" in levels else "warn" if "warning" in levels else "good"
    return screen.err.paint(summary(found), style)


def exit_code(found: Sequence[Diagnostic], *, strict: bool = False) -> int:
    """2 where a policy does not compile; under `strict` 1 for a warning."""
    levels = {d.level for d in found}
    if "error" in levels:
        return WRONG
    return FINDINGS if strict and "warning" in levels else CLEAN


def unique(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Each finding once: two policies may use one wrong module."""
    return list({d.order: d for d in found}.values())
