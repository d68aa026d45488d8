"""The parts of pictures: SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guardkit._util.shares import Share

from ._words import safe, titled


class Spot(NamedTuple):
    """A place in a picture: right of its left side, below its upper one."""

    x: float
    y: float


def drawing(title: str, told: str, body: str, *, wide: float, high: float, style: str = "") -> str:
    """A picture, with words for those who do not see it.

    Args:
        title: What it shows.
        told: What there is to see, in a sentence or two.
        body: The elements of it, as markup.
        wide: Its width in units of its own; the page scales it.
        high: Its height in the same units.
        style: Classes of the element.
    """
    kind = f' class="{style}"' if style else ""
    return (
        f'<svg{kind} viewBox="0 0 {length(wide)} {length(high)}" role="img" '
        f'aria-label="{titled(title)}. {safe(told)}"><title>{titled(title)}</title>{body}</svg>'
    )


def text_at(spot: Spot, said: str, anchor: str = "middle", style: str = "") -> str:
    """Text in a picture: `anchor` says which of its ends, or its middle, stands at the spot."""
    kind = f' class="{style}"' if style else ""
    x, y = length(spot.x), length(spot.y)
    return f'<text{kind} x="{x}" y="{y}" text-anchor="{anchor}">{safe(said)}</text>'


def line_through(spots: Sequence[Spot]) -> str:
    """The path from spot to spot; those between two others on one level or upright are left out."""
    kept: list[Spot] = []
    for spot in spots:
        if len(kept) > 1 and (
            kept[-2].x == kept[-1].x == spot.x or kept[-2].y == kept[-1].y == spot.y
        ):
            kept.pop()
        kept.append(spot)
    return "".join(f"{'L' if i else 'M'}{length(p.x)} {length(p.y)}" for i, p in enumerate(kept))


def length(number: float) -> str:
    """A length with no more digits than can be seen."""
    return f"{number:.1f}".removesuffix(".0")


def whisker(share: Share, style: str) -> str:
    """A share and its interval on a line from 0 to 100 %. The numbers stand beside it."""
    if share.value is None:
        return ""
    low, high = share.interval
    at, left, right = (4 + 112 * part for part in (share.value, low, high))
    return (
        '<svg viewBox="0 0 120 16" aria-hidden="true">'
        '<path class="grid" d="M4 8H116M4 5V11M60 6V10M116 5V11"/>'
        f'<path class="{style}-line" d="M{left:.1f} 8H{right:.1f}"/>'
        f'<circle class="{style}" cx="{at:.1f}" cy="8" r="3.2"/></svg>'
    )
