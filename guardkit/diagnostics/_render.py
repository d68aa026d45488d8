"""Diagnostics as text, in every format the command line offers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

from ._diagnostic import Diagnostic

Format = Literal["full", "concise", "json", "jsonl", "github", "gitlab", "sarif", "junit"]

FORMATS: tuple[Format, ...] = get_args(Format)


def render(
    diagnostics: Sequence[Diagnostic],
    format: Format,
    *,
    color: bool = False,
    width: int = 80,
    ascii: bool = False,
    version: str = "",
    show_values: bool = False,
) -> str:
    """All diagnostics as one text, sorted by place; it ends with one line break or is empty.

    Args:
        diagnostics: What was found, in any order.
        format: `full` and `concise` are for people, the others for programs.
        color: Whether `full` may use ANSI colours.
        width: How many columns a `full` frame may use; fewer than 40 count as 40.
        ascii: Whether `full` and `concise` must do with ASCII.
        version: The guardkit version a `sarif` log names.
        show_values: Whether secrets found in a policy are quoted as they stand.

    Example:
        >>> render([], "full")
        'no findings\\n'
    """
    # Each format is loaded when it is asked for: most runs of `check` find nothing to show.
    from ._mask_secrets import mask_secrets

    ordered = sorted(diagnostics, key=lambda d: d.order)
    if not show_values:
        ordered = mask_secrets(ordered)
    match format:
        case "full":
            text = _full(ordered, color=color, width=width, ascii=ascii)
        case "concise":
            from ._lines import concise

            text = "\n".join(concise(d, ascii=ascii) for d in ordered)
        case "json":
            from ._json import json_text

            text = json_text(ordered, _counts(ordered))
        case "jsonl":
            from ._json import json_line

            text = "\n".join(json_line(d) for d in ordered)
        case "github":
            from ._lines import github

            text = "\n".join(github(d) for d in ordered)
        case "gitlab":
            from ._gitlab import gitlab_text

            text = gitlab_text(ordered)
        case "sarif":
            from ._sarif import sarif_text

            text = sarif_text(ordered, version=version)
        case "junit":
            from ._junit import junit_text

            text = junit_text(ordered)
        case _:
            raise ValueError(f"`{format}` is not a format; known are {', '.join(FORMATS)}")
    return text + "\n" if text else ""


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """How many of each level in how many files: `2 errors, 1 warning in 1 file`."""
    counts = _counts(diagnostics)
    files = counts.pop("files")
    parts = [_many(n, level.removesuffix("s")) for level, n in counts.items() if n]
    return f"{', '.join(parts)} in {_many(files, 'file')}" if parts else "no findings"


def _full(diagnostics: Sequence[Diagnostic], *, color: bool, width: int, ascii: bool) -> str:
    from ._frame import frame
    from ._look import Look

    look = Look(color, width, ascii)
    blocks = ["\n".join(frame(diagnostic, look)) for diagnostic in diagnostics]
    worst = next(
        (level for level in ("error", "warning") if any(d.level == level for d in diagnostics)), ""
    )
    return "\n\n".join([*blocks, look.paint(summary(diagnostics), worst or "strong")])


def _counts(diagnostics: Sequence[Diagnostic]) -> dict[str, int]:
    levels = Counter(d.level for d in diagnostics)
    return {
        "errors": levels["error"],
        "warnings": levels["warning"],
        "notes": levels["note"],
        "files": len({d.place.source.path for d in diagnostics}),
    }


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
