"""Reads labelled texts with a model as it will be shipped, and fits its heads to what it says.

What is measured is the model directory itself, int8 and windows and all: nothing that happens
between training and reading is left to hope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Final, NamedTuple

from guardkit.errors import UsageError
from guardkit.models import Fitted, Head, Seen, fit, opened, read_all

from ._figures import Figures, Judged, Threshold, figures, threshold_of
from ._folds import rest_of, sides_of
from ._rows import Row
from ._target import Target

_TOLD: Final = 1024
"""After so many texts it is said how many were read."""

Told = Callable[[str, float], None]
"""Called with what is being done, and which part of it is."""


def part_of(told: Told | None, what: str) -> Callable[[float], None] | None:
    """The same for one thing that is done."""
    return None if told is None else lambda part: told(what, part)


class Said(NamedTuple):
    """What a model said of one text: no more of a reading is kept."""

    windows: int
    evidence: Mapping[str, tuple[float, ...]]


class Measured(NamedTuple):
    """A calibrated head, and what it comes to."""

    head: Head
    fitted: Fitted | None
    """None where it could not be calibrated; the notes say why."""
    figures: Figures
    notes: tuple[str, ...]


def head_of(target: Target) -> Head:
    """A head that is not calibrated yet."""
    rest = rest_of(target)
    return Head(
        name=target.name,
        output="logits",
        at=target.at,
        labels=target.labels,
        kind="softmax" if target.kind == "softmax" else "sigmoid",
        rest=None if rest is None else target.labels[rest],
    )


def said_of(
    folder: Path, rows: Sequence[Row], told: Callable[[float], None] | None = None
) -> list[Said | None]:
    """What a model directory says of each text; None where it could not read it.

    Raises:
        BindError: It cannot be opened.
    """
    texts = [(row.text, row.surface) for row in rows]

    def counted(done: int) -> None:
        if told is not None and (done % _TOLD == 0 or done == len(rows)):
            told(done / len(rows))

    return read_all(
        opened(folder), texts, lambda reading: Said(reading.windows, reading.evidence), counted
    )


def measured(
    target: Target,
    rows: Sequence[Row],
    said: Sequence[Said | None],
    *,
    pool: str,
    in_pool: Sequence[bool] | None = None,
) -> Measured:
    """Calibrate one head by texts it was not trained on, and count what it comes to on them.

    Args:
        target: The head.
        rows: The texts.
        said: What a model said of each.
        pool: What the benign texts are called that fix the threshold.
        in_pool: Which texts these are; all benign ones, if nothing is given.
    """
    seen = seen_of(target, rows, said)
    head, fitted = head_of(target), None
    notes: list[str] = []
    chosen = [one for at, one in seen.items() if one.is_harmful or in_pool is None or in_pool[at]]
    try:
        fitted = fit(head, chosen)
        head = fitted.head
        notes += fitted.notes
    except UsageError as error:
        notes.append(f"head `{target.name}` is not calibrated: {error}")
    return Measured(head, fitted, judged(head, rows, seen, threshold_of(head, pool)), tuple(notes))


def seen_of(target: Target, rows: Sequence[Row], said: Sequence[Said | None]) -> dict[int, Seen]:
    """The evidence for one head, by row; rows of which nothing is known or said are left out."""
    rest = rest_of(target)
    columns = [at for at in range(len(target.labels)) if at != rest]
    seen = {}
    for at, side in enumerate(sides_of(rows, target)):
        one = said[at]
        if side is None or one is None:
            continue
        z = max(one.evidence[target.name][column] for column in columns)
        if isfinite(z):
            seen[at] = Seen(z, one.windows, side)
    return seen


def judged(
    head: Head, rows: Sequence[Row], seen: Mapping[int, Seen], threshold: Threshold
) -> Figures:
    """What a calibrated head comes to at a threshold."""
    found = [
        Judged(head.score(one.z, one.windows), one.is_harmful, rows[at].source, rows[at].group)
        for at, one in seen.items()
    ]
    return figures(found, threshold)
