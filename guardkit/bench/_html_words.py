"""Times, sizes and intervals as a page shows them."""

from __future__ import annotations

from typing import Final

from guardkit.pages import NONE, td
from guardkit.plan import spell_us

from ._quantiles import Quantile, Spread

HEADS: Final = ("p50", "p95", "p99")


def split_us(us: float) -> tuple[str, str]:
    """A time and its unit."""
    number, _, unit = spell_us(us).rpartition(" ")
    return number, unit


def interval(low: float | None, high: float | None) -> str:
    """An interval: `80–95 µs`, its unit once where both ends have the same."""
    if low is None and high is None:
        return "no bounds"
    if low is None:
        return f"&lt; {spell_us(high or 0.0)}"
    if high is None:
        return f"&gt; {spell_us(low)}"
    (first, unit), (last, other) = split_us(low), split_us(high)
    return f"{first}–{last} {other}" if unit == other else f"{first} {unit}–{last} {other}"


def time_cell(found: Quantile) -> str:
    """A quantile with its interval below it."""
    return td(f'{spell_us(found.us)}<span class="of">{interval(found.low, found.high)}</span>')


def time_cells(spread: Spread | None) -> list[str]:
    """The three quantiles of a spread, or dashes."""
    if spread is None:
        return [td(NONE, "none")] * len(HEADS)
    return [time_cell(found) for found in (spread.p50, spread.p95, spread.p99)]


def sized(count: int) -> str:
    """A number of bytes."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if count >= size:
            return f"{count / size:,.{0 if count >= 100 * size else 1}f} {unit}"
    return f"{count} bytes"


def share(part: float) -> str:
    """A share of a whole that is known in full."""
    if part <= 0:
        return "0 %"
    return "&lt; 1 %" if part < 0.005 else f"{100 * part:.0f} %"
