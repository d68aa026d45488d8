"""Fits what a head is calibrated by: a scale, a shift for each number of windows, thresholds.

The evidence of a text is that of its worst window, so a long benign text has more of it than a
short one, by chance alone. Three steps take that back and make the rest a probability:

1. Benign texts are levelled: each class of window counts that rings too often is shifted until as
   few of it lie above the threshold for 1 % false alarms as of the first class.
2. A logistic curve through all rows (Platt, with his targets) gives one scale and one more shift.
3. On the scores that come out, the threshold of each rate is where so many benign texts lie above.

A rate that the benign rows are too few for is left out: a threshold drawn by three texts is chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from guardkit.errors import UsageError

from ._manifest import Head

RATES: Final = (0.001, 0.005, 0.01, 0.02, 0.05)
"""The false alarm rates that get a threshold."""
STARTS: Final = (1, 2, 3, 5, 9)
"""Where each class of window counts begins: 1, 2, 3-4, 5-8, 9 and more."""
_LEVEL: Final = 0.01
_ABOVE: Final = 5
"""How many benign texts must lie above a threshold for it to be one."""
_FEWEST: Final = 10
"""Rows of each label; fewer say nothing."""
_FEWEST_IN_CLASS: Final = 50
"""Benign rows of a class; with fewer it is levelled like the class before."""
_MOST_SCALE: Final = 1e3
_MOST_Z: Final = 1e4


class Seen(NamedTuple):
    """What a model said of one labelled text."""

    z: float
    windows: int
    is_harmful: bool


class Rate(NamedTuple):
    """A threshold and what it comes to on the rows it was fitted to."""

    rate: float
    score: float
    false_alarms: int
    found: int


class WindowClass(NamedTuple):
    """One class of window counts, from so many windows on."""

    start: int
    benign: int
    harmful: int
    shift: float
    false_alarms: int | None
    """Benign texts at or above the threshold for 1 %; None without that threshold."""


class Fitted(NamedTuple):
    """A calibrated head, and how it does on the rows it was fitted to."""

    head: Head
    benign: int
    harmful: int
    auc: float
    rates: tuple[Rate, ...]
    classes: tuple[WindowClass, ...]
    notes: tuple[str, ...]


def fit(head: Head, rows: Sequence[Seen]) -> Fitted:
    """Calibrate a head by labelled evidence. The same rows always give the same head.

    Raises:
        UsageError: The rows are too few, or the evidence does not tell them apart.
    """
    import numpy as np

    z = np.clip(np.array([row.z for row in rows], dtype=np.float64), -_MOST_Z, _MOST_Z)
    windows = np.array([max(row.windows, 1) for row in rows], dtype=np.int64)
    bad = np.array([row.is_harmful for row in rows], dtype=bool)
    for count, what in ((int((~bad).sum()), "benign"), (int(bad.sum()), "harmful")):
        if count < _FEWEST:
            raise UsageError(f"there are {count} {what} rows; {_FEWEST} are the fewest")
    kind = np.searchsorted(STARTS, windows, side="right") - 1
    levels, notes = _levelled(z, kind, bad)
    x = z - np.array(levels)[kind]
    scale, offset = _logistic(x, bad)
    shifts = [
        (start, _bounded(level + offset)) for start, level in zip(STARTS, levels, strict=True)
    ]
    kept = tuple(s for i, s in enumerate(shifts) if i == 0 or s[1] != shifts[i - 1][1])
    made = head.model_copy(update={"scale": scale, "shifts": kept, "fpr": ()})
    scores = np.array([made.score(row.z, row.windows) for row in rows])
    rates: list[Rate] = []
    for rate in RATES:
        score = _threshold(scores, bad, rate)
        if score is None:
            why = "" if (~bad).sum() * rate >= _ABOVE else f"it takes {_needed(rate)} benign rows"
            notes.append(
                f"no threshold for {rate:.1%} false alarms: {why or 'nothing scores above them'}"
            )
        else:
            hits = scores >= score
            rates.append(Rate(rate, score, int((hits & ~bad).sum()), int((hits & bad).sum())))
    made = made.model_copy(update={"fpr": tuple((r.rate, r.score) for r in rates)})
    level = next((r.score for r in rates if r.rate == _LEVEL), None)
    classes = tuple(_class(i, made, kind, bad, scores, level) for i in range(len(STARTS)))
    return Fitted(
        Head.model_validate(made.model_dump()),
        int((~bad).sum()),
        int(bad.sum()),
        auc_of(scores, bad),
        tuple(rates),
        tuple(one for one in classes if one.benign or one.harmful),
        tuple(notes),
    )


def auc_of(scores: Any, bad: Any) -> float:
    """How often a harmful text scores above a benign one; ties count half."""
    import numpy as np

    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    positive = int(bad.sum())
    above = float(ranks[bad].sum()) - positive * (positive + 1) / 2
    return above / (positive * (len(bad) - positive))


def _levelled(z: Any, kind: Any, bad: Any) -> tuple[list[float], list[str]]:
    """What to take off each class, relative to the first that has enough benign rows."""
    benign = [sorted(z[(kind == i) & ~bad].tolist(), reverse=True) for i in range(len(STARTS))]
    first = next((rows for rows in benign if len(rows) >= _FEWEST_IN_CLASS), None)
    levels: list[float] = []
    small = []
    for i, rows in enumerate(benign):
        if first is None or len(rows) < _FEWEST_IN_CLASS:
            levels.append(levels[-1] if levels else 0.0)
            if rows or (kind == i).any():
                small.append(_range(i))
            continue
        # At the rate that both can show: the smaller of the two decides how far out that is.
        rate = max(_LEVEL, _ABOVE / len(rows), _ABOVE / len(first))
        # Never less than the first: a book that rings no bell is no reason to ring one sooner.
        levels.append(max(0.0, _quantile(rows, rate) - _quantile(first, rate)))
    notes = []
    if small:
        notes.append(
            f"too few benign texts of {' and '.join(small)} windows to level them:"
            f" it takes {_FEWEST_IN_CLASS}"
        )
    return levels, notes


def _range(i: int) -> str:
    start, end = STARTS[i], STARTS[i + 1] - 1 if i + 1 < len(STARTS) else None
    return f"{start}+" if end is None else str(start) if start == end else f"{start}-{end}"


def _quantile(falling: Sequence[float], rate: float) -> float:
    """Between the values where this share of them ends."""
    above = int(len(falling) * rate + 1e-9)
    return (falling[above - 1] + falling[min(above, len(falling) - 1)]) / 2


def _logistic(x: Any, bad: Any) -> tuple[float, float]:
    """Scale and offset of the curve 1/(1+exp(-scale*(x-offset))) through the rows."""
    import numpy as np

    middle, spread = float(x.mean()), float(x.std())
    if spread < 1e-9:
        raise UsageError("the evidence is the same for every row")
    u = (x - middle) / spread
    positive, negative = int(bad.sum()), int((~bad).sum())
    # Platt's targets: certain rows are never wholly certain, so the curve stays finite.
    target = np.where(bad, (positive + 1) / (positive + 2), 1 / (negative + 2))
    slope, cut = 0.0, float(np.log((positive + 1) / (negative + 1)))

    def loss(a: float, b: float) -> float:
        v = a * u + b
        return float((np.logaddexp(0, v) - target * v).sum())

    now = loss(slope, cut)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(slope * u + cut, -700, 700)))
        weight = np.maximum(p * (1 - p), 1e-12)
        gradient = np.array([((p - target) * u).sum(), (p - target).sum()])
        mixed = float((weight * u).sum())
        curve = np.array([[float((weight * u * u).sum()), mixed], [mixed, float(weight.sum())]])
        step = np.linalg.solve(curve + 1e-9 * np.eye(2), gradient)
        part = 1.0
        while part > 1e-10 and loss(slope - part * step[0], cut - part * step[1]) > now:
            part /= 2
        slope, cut = float(slope - part * step[0]), float(cut - part * step[1])
        before, now = now, loss(slope, cut)
        if abs(before - now) < 1e-10 * max(1.0, now):
            break
    if slope <= 0:
        raise UsageError("harmful rows have no more evidence than benign ones: nothing to fit")
    scale = min(slope / spread, _MOST_SCALE)
    return scale, middle - cut * spread / slope


def _bounded(shift: float) -> float:
    return min(max(shift, -_MOST_Z), _MOST_Z)


def _needed(rate: float) -> int:
    return round(_ABOVE / rate)


def _threshold(scores: Any, bad: Any, rate: float) -> float | None:
    """The score that at most this share of benign texts reaches."""
    falling = sorted(scores[~bad].tolist(), reverse=True)
    if len(falling) * rate < _ABOVE - 1e-9:
        return None
    below = falling[int(len(falling) * rate + 1e-9)]
    # Where benign texts tie at the top, the threshold lies above all of them: no false alarm is
    # fewer than allowed.
    above = [s for s in falling if s > below] or [s for s in scores.tolist() if s > below]
    if not above:
        return None
    least = float(min(above))
    # Halfway between them, so that rounding elsewhere moves no text over it.
    middle = (below + least) / 2
    return middle if middle > below else least


def _class(
    i: int, head: Head, kind: Any, bad: Any, scores: Any, level: float | None
) -> WindowClass:
    mine = kind == i
    alarms = None if level is None else int((mine & ~bad & (scores >= level)).sum())
    return WindowClass(
        STARTS[i], int((mine & ~bad).sum()), int((mine & bad).sum()), head.shift(STARTS[i]), alarms
    )
