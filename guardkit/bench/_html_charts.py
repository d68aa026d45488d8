"""The pictures of a report, in the colours of the page: how long calls took, how figures moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log, log10
from typing import Final

from guardkit.pages import Spot, counted, drawing, length, text_at
from guardkit.plan import spell_us

from ._compare import Ratio
from ._report import Group, SurfaceSeen

_WIDE: Final = 300
_HIGH: Final = 92
_SIDE: Final = 8
_TOP: Final = 16
_FOOT: Final = 18
_ACROSS: Final = _WIDE - 2 * _SIDE
_FLOOR: Final = _HIGH - _FOOT
_MOST_TICKS: Final = 6
_Across = Callable[[float], float]
"""Where a time stands."""
_NEAR: Final = 26.0
"""Two words of a scale that stand closer than this would touch."""


def histogram(surface: SurfaceSeen, group: Group) -> str:
    """The calls of one group by the time they took, from fast to slow; the scale is logarithmic."""
    bounds = surface.bounds
    low = bounds[0] ** 2 / bounds[1] if len(bounds) > 1 else bounds[0] / 2
    high = bounds[-1]

    def across(us: float) -> float:
        part = log(max(us, low) / low) / log(high / low)
        return _SIDE + _ACROSS * min(part, 1.0)

    wide = _ACROSS / len(bounds)
    tall = max(group.bins)
    bars = []
    for at, count in enumerate(group.bins):
        if count:
            # A single call among thousands is still to be seen.
            up = max((_FLOOR - _TOP) * count / tall, 1.2)
            left = length(_SIDE + at * wide + 0.5)
            bars.append(f"M{left} {_FLOOR}v{length(-up)}h{length(wide - 1)}V{_FLOOR}z")
    style = "bad" if group.name.startswith("near hits") else "good"
    body = [
        f'<path class="{style}" d="{"".join(bars)}"/>',
        f'<path class="axis" d="M{_SIDE} {_FLOOR}H{_SIDE + _ACROSS}"/>',
        *_scale(low, high, across),
    ]
    limit = surface.budget.limit_us if surface.budget is not None else None
    is_held = surface.budget is not None and not surface.budget.per_chunk
    if limit is not None and is_held and low < limit < high:
        x = across(limit)
        anchor = "end" if x > _WIDE / 2 else "start"
        body += [
            f'<path class="cut" d="M{length(x)} 2V{_FLOOR}"/>',
            text_at(Spot(x + (-3 if anchor == "end" else 3), 9), "budget", anchor),
        ]
    spread = group.spread
    told = (
        f"{counted(spread.calls)} calls: half of them within {spell_us(spread.p50.us)}, 99 of 100 "
        f"within {spell_us(spread.p99.us)}, the slowest {spell_us(spread.most)}."
    )
    title = f"{surface.surface}, {group.name}: how long calls took"
    return drawing(title, told, "".join(body), wide=_WIDE, high=_HIGH)


def _scale(low: float, high: float, across: _Across) -> list[str]:
    drawn, last = [], -_NEAR
    for tick in _ticks(low, high):
        x = across(tick)
        if x - last < _NEAR:
            continue
        last = x
        anchor = "start" if x < 20 else "end" if x > _WIDE - 20 else "middle"
        drawn.append(f'<path class="axis" d="M{length(x)} {_FLOOR}v3"/>')
        drawn.append(text_at(Spot(x, _HIGH - 5), _short(tick), anchor))
    return drawn


def _ticks(low: float, high: float) -> list[float]:
    """Round times within a range: powers of ten, and between them where there is room."""
    first, last = int(log10(low)) - 1, int(log10(high)) + 1
    for steps in ((1,), (1, 3), (1, 2, 5)):
        found = [k * 10.0**e for e in range(first, last + 1) for k in steps]
        inside = [tick for tick in found if low * 0.999 <= tick <= high * 1.001]
        if len(inside) >= 3:
            break
    return inside[:: -(-len(inside) // _MOST_TICKS)] if inside else [low, high]


def _short(us: float) -> str:
    """A round time without the zeros that say nothing: `10 ms`."""
    for size, unit in ((1e6, "s"), (1e3, "ms")):
        if us >= size * 0.9995:
            return f"{us / size:.3g} {unit}"
    return f"{us:.3g} µs"


_WIDEST: Final = 4.0
"""A ratio further off stands at the end of the line."""


def ratio_line(one: Ratio, tolerance: float) -> str:
    """A ratio and its interval around 1, from a quarter to four times; the numbers stand beside."""

    def across(ratio: float) -> float:
        part = log(min(max(ratio, 1 / _WIDEST), _WIDEST)) / log(_WIDEST)
        return 60 + 56 * part

    low = across(one.low) if one.low else across(1 / _WIDEST)
    high = across(one.high if one.high is not None else _WIDEST)
    style = "bad" if one.change == "slower" else "good"
    cut = across(1 + tolerance)
    return (
        '<svg viewBox="0 0 120 16" aria-hidden="true">'
        '<path class="grid" d="M4 8H116M60 3V13"/>'
        f'<path class="cut" d="M{length(cut)} 4V12"/>'
        f'<path class="{style}-line" d="M{length(low)} 8H{length(high)}"/>'
        f'<circle class="{style}" cx="{length(across(one.ratio))}" cy="8" r="3.2"/></svg>'
    )


def part_bar(part: float) -> str:
    """A share of a whole as a bar. The number stands beside it."""
    wide = length(max(200 * part, 1.0)) if part > 0 else "0"
    return (
        '<svg viewBox="0 0 200 10" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="rail" d="M0 0H200V10H0z"/>'
        f'<path class="good-wash" d="M0 0H{wide}V10H0z"/></svg>'
    )


def figures(surface: SurfaceSeen) -> Sequence[str]:
    """The pictures of a surface, each with its words below."""
    return [
        f"<figure>{histogram(surface, group)}<figcaption><b>{group.name}</b> · "
        f"{counted(group.spread.calls)} calls, half within {spell_us(group.spread.p50.us)}, 99 % "
        f"within {spell_us(group.spread.p99.us)}</figcaption></figure>"
        for group in surface.groups
    ]
