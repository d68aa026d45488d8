"""Names of layers, and cells, that the pages of probes and of attributions share. All is markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from guardkit._util.shares import Share
from guardkit.pages import NONE, Part, bar, counted, length, safe, sentence, share_text, spelled, td

LAYER_NAMES: Final[Mapping[str, str]] = {
    "input": "input check",
    "context": "context",
    "weights": "weights",
    "model": "model",
    "provider": "provider filter",
    "output": "output check",
    "transport": "transport",
}
"""Layers as a page calls them."""
WHAT_IT_IS: Final[Mapping[str, str]] = {
    "input": "rules of the policy on what comes in",
    "context": "the system prompt",
    "weights": "what the model does by itself",
    "model": "context and weights together",
    "provider": "of whoever serves the model",
    "output": "rules of the policy on what goes out",
    "transport": "the way to the model and back",
}
_MOST_SAID: Final = 300
_LEAST_POINTS: Final = 0.05


def layer_name(layer: str | None) -> str:
    """A layer as a page calls it, as a plain text."""
    return LAYER_NAMES.get(layer or "", layer or "nobody")


def by_name(by: str) -> str:
    """Who stops: `rule NAME` with the name set as such."""
    kind, gap, name = by.partition(" ")
    if kind == "rule" and gap:
        return f"rule <code>{spelled(name)}</code>"
    return spelled(by) or NONE


def said(text: str) -> str:
    """A sentence of a run, cut where it is too long to be one."""
    return safe(text if len(text) <= _MOST_SAID else f"{text[: _MOST_SAID - 1]}…")


def remark(note: str) -> str:
    """A note as a sentence, with its `names` set as such."""
    return sentence((note if len(note) <= _MOST_SAID else f"{note[:_MOST_SAID]}…").rstrip("."))


def chance_of(chance: float) -> str:
    """A probability; never all for less, nor nothing for something."""
    if 0.995 < chance < 1:
        return "&gt; 99 %"
    if 0 < chance < 0.005:
        return "&lt; 1 %"
    return f"{100 * chance:.0f} %"


def joined(names: Sequence[str], last: str = "and") -> str:
    """`one, two and three`."""
    return (
        f" {last} ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
    )


def bar_cell(share: Share, style: str) -> str:
    """A share in a table: so many of so many, the share with its interval, and a bar."""
    if share.value is None:
        return td(NONE, "bar none")
    many = f'<span class="many">{counted(share.hits)} of {counted(share.of)}</span>'
    return td(f"{many}{share_text(share)}{bar(share, style)}", "bar")


def part_cell(count: int, whole: int, style: str) -> str:
    """How many of a whole that is known in full, with a bar and no interval."""
    if not count:
        return td("0", "bar none")
    wide = length(max(200 * count / whole, 1.0))
    drawn = (
        '<svg viewBox="0 0 200 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="rail" d="M0 0H200V10H0z"/><path class="{style}-wash" d="M0 0H{wide}V10H0z"/>'
        "</svg>"
    )
    return td(f"{counted(count)} of {counted(whole)}{drawn}", "bar")


def count_cell(count: int, style: str = "") -> str:
    """A count; a faint one where it is nothing."""
    return td(counted(count), f"{style} none".strip() if not count else style)


def points(difference: float) -> str:
    """A difference of two shares: `+2.4`, `−12.0`, in points of a hundred."""
    number = 100 * difference
    sign = "" if abs(number) < _LEAST_POINTS else "+" if number > 0 else "−"
    return f"{sign}{abs(number):.1f}"


def duration(us: float) -> tuple[str, str]:
    """A time with three digits, and its unit."""
    for size, unit in ((1e6, "s"), (1e3, "ms")):
        if us >= 0.9995 * size:
            return _three(us / size), unit
    return _three(us), "µs"


def _three(number: float) -> str:
    return f"{number:,.0f}" if number >= 99.95 else f"{number:.{1 if number >= 9.995 else 2}f}"


def spelled_duration(us: float) -> str:
    """A time and its unit."""
    return " ".join(duration(us))


def optional(title: str, *pieces: str) -> Iterator[Part]:
    """A section that is left out where there is no room; nothing if it would be empty."""
    body = "".join(pieces)
    if body:
        yield Part(f"<h2>{title}</h2>{body}", is_optional=True)
