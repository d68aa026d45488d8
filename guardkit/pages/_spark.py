"""How a rate moved over the last runs, small enough for a line of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from guardkit._util.shares import Share

from ._svg import Spot, drawing, length, line_through, text_at
from ._words import percent, so_many

_MOST_RUNS: Final = 40
_WIDE: Final = 138
_HIGH: Final = 30
_LEFT: Final = 4
_RIGHT: Final = 98
_TOP: Final = 5
_FOOT: Final = 25
_ENDS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def spark(runs: Sequence[Share], style: str, name: str, *, most: float | None = None) -> str:
    """A line through the shares of the last runs, with the band in which they lie.

    The scale begins at nothing and ends at the round share written beside it. A run that measured
    nothing leaves a gap. Of more than 40 runs the last ones are shown.

    Args:
        runs: One share a run, the oldest first.
        style: `bad` or `good`, the colour.
        name: What the rate is, as a plain text.
        most: The end of the scale, from `scale_end`, so that lines can be compared.
    """
    last = runs[-_MOST_RUNS:]
    known = [(at, one) for at, one in enumerate(last) if one.of]
    if not known:
        return ""
    end = scale_end(last) if most is None else most
    step = (_RIGHT - _LEFT) / max(len(last) - 1, 1)

    def spot(at: int, share: float) -> Spot:
        x = _RIGHT - step * (len(last) - 1 - at)
        return Spot(x, _FOOT - (_FOOT - _TOP) * min(share / end, 1.0))

    bands, lines = "", ""
    for is_known, stretch in groupby(enumerate(last), key=lambda pair: pair[1].of > 0):
        if not is_known:
            continue
        pairs = list(stretch)
        over = [spot(at, one.interval[1]) for at, one in pairs]
        under = [spot(at, one.interval[0]) for at, one in reversed(pairs)]
        if len(pairs) == 1:
            # The band of a run between two gaps is still to be seen.
            over = [Spot(over[0].x - 2, over[0].y), Spot(over[0].x + 2, over[0].y)]
            under = [Spot(over[1].x, under[0].y), Spot(over[0].x, under[0].y)]
        bands += f"{line_through([*over, *under])}z"
        lines += line_through([spot(at, one.value or 0.0) for at, one in pairs])
    at, now = known[-1]
    here = spot(at, now.value or 0.0)
    body = (
        f'<path class="grid" d="M{_LEFT} {_FOOT}H{_RIGHT}M{_LEFT} {_TOP}H{_RIGHT}"/>'
        f'<path class="{style}-wash" d="{bands}"/><path class="{style}-line" d="{lines}"/>'
        f'<circle class="{style}" cx="{length(here.x)}" cy="{length(here.y)}" r="2.6"/>'
        + text_at(Spot(_RIGHT + 7, _TOP + 3), f"{100 * end:g} %", "start")
    )
    return drawing(name, _told(known), body, wide=_WIDE, high=_HIGH, style="spark")


def scale_end(runs: Sequence[Share]) -> float:
    """The round share at which a scale ends that shows all of these and their intervals."""
    highest = max((one.interval[1] for one in runs if one.of), default=1.0)
    return next(end for end in _ENDS if end >= highest)


def _told(known: Sequence[tuple[int, Share]]) -> str:
    now = known[-1][1]
    low, high = now.interval
    said = f"{percent(now.value)} in the last run, between {percent(low)} and {percent(high)}"
    if len(known) == 1:
        return f"{said}."
    values = [one.value or 0.0 for _, one in known]
    return (
        f"{said}; {percent(values[0])} in the first of {so_many(len(known), 'run')}, "
        f"from {percent(min(values))} to {percent(max(values))} in all."
    )
