"""The stack of a deployment with what came, what each layer stopped, and what was delivered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from guardkit._util.shares import Share

from ._cells import framed, share_text, td, th, tr
from ._flow_picture import Stream, across, downward, fits_across
from ._words import NO_NAME, NONE, counted, cut, spelled

_KINDS: Final = (("attacks", "bad"), ("benign", "good"))


class Stopped(NamedTuple):
    """A layer of the stack, and how much of what reached it it stopped."""

    layer: str
    attacks: int
    benign: int


def flow(layers: Sequence[Stopped], attacks: int, benign: int, *, name: str) -> str:
    """The stack as a picture with ribbons as wide as their counts, and as a table below it.

    A wide page has the layers from left to right, a narrow one from the top down. Attacks and
    benign texts have a ribbon each, on a scale of its own: there may be a thousand times more of
    one than of the other. A kind of which nothing came is left out.

    Args:
        layers: The layers in the order in which texts meet them.
        attacks: How many attacks came.
        benign: How many benign texts came.
        name: What it is the stack of, as a plain text.

    Raises:
        ValueError: Layers stop more than came, or less than nothing.
    """
    streams = [
        Stream(kind, style, total, tuple(getattr(one, kind) for one in layers))
        for (kind, style), total in zip(_KINDS, (attacks, benign), strict=True)
    ]
    for stream in streams:
        if min(stream.stops, default=0) < 0 or stream.left < 0:
            raise ValueError(f"of {stream.total} {stream.kind}, {sum(stream.stops)} were stopped")
    seen = [stream for stream in streams if stream.total]
    table = _table(layers, seen or streams, name)
    if not seen or not layers:
        return table
    names = [one.layer for one in layers]
    title = f"What each layer of {name} stopped"
    told = " ".join(_told(names, stream) for stream in seen)
    drawn = downward(title, told, names, seen)
    style = "flow narrow"
    if fits_across(names, seen):
        drawn = across(title, told, names, seen) + drawn
        style = "flow"
    both = "" if len(seen) == 1 else " Each kind has a scale of its own."
    return (
        f'<figure class="{style}">{drawn}<figcaption><b>What each layer stopped.</b> Shares are of '
        f"all that came of a kind.{both}</figcaption></figure>{table}"
    )


def _told(names: Sequence[str], stream: Stream) -> str:
    stops = ", ".join(
        f"{cut(name)} stopped {counted(count)}"
        for name, count in zip(names, stream.stops, strict=True)
        if count
    )
    said = f"{stops}; " if stops else ""
    return f"Of {counted(stream.total)} {stream.kind}: {said}{counted(stream.left)} delivered."


def _table(layers: Sequence[Stopped], streams: Sequence[Stream], name: str) -> str:
    """The same counts: what reached each layer, and the share of it that the layer stopped."""
    rows = []
    for at, one in enumerate(layers):
        cells = []
        for stream in streams:
            cells += _cells(Share(stream.stops[at], stream.reached[at]))
        rows.append(tr(spelled(one.layer) or NO_NAME, cells))
    cells = []
    for stream in streams:
        cells += _cells(Share(stream.left, stream.total))
    rows.append(tr("delivered, of all", cells, "sum"))
    heads = [th("layer")]
    for stream in streams:
        heads += [th(f"{stream.kind}<br>that came", "wide"), th(f"{stream.kind}<br>stopped")]
    return framed("", heads, rows, f"What each layer of {name} stopped")


def _cells(share: Share) -> list[str]:
    came = td(counted(share.of), "wide")
    if not share.of:
        return [came, td(NONE, "none")]
    return [came, td(f'{counted(share.hits)}<span class="of">{share_text(share)}</span>')]
