"""One attribution on a page: the finding, the stack with and without each layer, the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from guardkit.pages import (
    NONE,
    counted,
    framed,
    notes,
    safe,
    td,
    th,
    tr,
)
from guardkit.types import LAYERS, Layer

from ._attribution import Attribution, Effect, Evidence, How
from ._html_words import (
    WHAT_IT_IS,
    bar_cell,
    by_name,
    chance_of,
    count_cell,
    joined,
    layer_name,
    points,
    remark,
    said,
)

_MOST_ROWS: Final = 40
_ALWAYS: Final[tuple[Layer, ...]] = ("input", "context", "weights", "output")
"""Layers that a page shows whether or not anything was found there: these can be taken away."""
HOW: Final[Mapping[How, str]] = {
    "stopped": "stopped it",
    "refused": "the reply refuses",
    "failed": "no reply came",
    "shadow": "said yes, and is in shadow",
    "exempted": "said yes, and was exempted",
    "unknown": "could not tell, and let it pass",
    "flagged": "said yes, and only flags",
    "rewritten": "said yes, and only rewrites",
    "lifted": "its own exception lifted it",
    "silent": "covers it, and said nothing",
}


def exchange(made: Attribution) -> Iterator[str]:
    """The pieces of a page on one exchange, below its head."""
    yield notes([remark(note) for note in made.notes])
    if made.intact.of or made.effects:
        yield f"<h2>{_question(made)}</h2>{stack(made)}"
    if pairs := [one for one in made.effects if len(one.without) > 1]:
        yield f"<h2>Layers taken away together</h2>{_pairs(made, pairs)}"
    if made.evidence:
        yield f"<h2>What the runs show</h2>{evidence_table(made.evidence)}"
    if endings := _endings(made.effects):
        yield f"<h2>How it ended without them</h2>{endings}"


def style_of(made: Attribution) -> str:
    """The colour of an exchange: what ought to be refused, and all else."""
    return "bad" if made.expected == "refuse" else "good"


def _question(made: Attribution) -> str:
    return f"How often it is {made.outcome}, with each layer and without it"


# --- the stack


def stack(made: Attribution) -> str:
    """The layers from the first to the last: the outcome with each and without it."""
    style = style_of(made)
    odds = dict(made.odds)
    named = {made.layer} if made.standing in ("named", "overdetermined") else set()
    if made.layer == "model":
        named = {"model"}
    shown = [
        layer
        for layer in LAYERS
        if layer in _ALWAYS
        or layer in odds
        or layer in named
        or layer in made.also
        or made.effect(layer) is not None
    ]
    rows = [_whole(made, style, has_odds=bool(odds))]
    rows += [_layer(made, layer, style, odds, is_named=layer in named) for layer in shown]
    heads = [
        th("layer"),
        th(f"{made.outcome}<br>without it"),
        th("goes with it,<br>in points"),
        th('<span class="over">−100 to 100</span>', "plot"),
    ]
    if odds:
        heads.append(th("it was this<br>layer", "wide"))
    return framed("", heads, rows, f"The stack with each layer and without it: {made.outcome}")


def _whole(made: Attribution, style: str, *, has_odds: bool) -> str:
    cells = [bar_cell(made.intact, style), td(""), td("", "plot")]
    if has_odds:
        cells.append(td("", "wide"))
    return tr("everything in place", cells, "sum")


def _layer(
    made: Attribution, layer: Layer, style: str, odds: Mapping[Layer, float], *, is_named: bool
) -> str:
    effect = made.effect(layer)
    name = f"{'<b>' if is_named else ''}{layer_name(layer)}{'</b>' if is_named else ''}"
    if is_named:
        name += f' <span class="tag">{_did(made)}</span>'
    elif layer in made.also:
        name += ' <span class="tag">would have too</span>'
    other = ", exchanged for others" if layer == "weights" and effect is not None else ""
    name += f'<div class="wide"><small>{WHAT_IT_IS[layer]}{other}</small></div>'
    cells = _effect_cells(effect, style)
    if odds:
        chance = odds.get(layer)
        cells.append(td(NONE, "wide none") if chance is None else td(chance_of(chance), "wide"))
    return tr(name, cells, "sum" if is_named else "")


def _did(made: Attribution) -> str:
    if made.outcome == "failed":
        return "failed"
    return "let it through" if made.is_finding and made.outcome == "answered" else made.outcome


def _effect_cells(effect: Effect | None, style: str) -> list[str]:
    if effect is None:
        return [td("not tried", "bar none"), td(NONE, "none"), td("", "plot")]
    if effect.is_exact:
        certain = "unchanged" if effect.left.hits else "never"
        shown = f'{certain}<span class="range">certain</span>'
        spread = '<span class="range">certain</span>'
        return [
            td(shown, "bar"),
            td(f"{points(effect.difference)}{spread}"),
            td(_spread(effect, style), "plot"),
        ]
    if effect.did_nothing:
        between = f'<span class="range">{points(effect.low)} to {points(effect.high)}</span>'
        return [
            td('unchanged<span class="range">did nothing</span>', "bar"),
            td(f"{points(effect.difference)}{between}"),
            td(_spread(effect, style), "plot"),
        ]
    if effect.left.value is None:
        return [td("no reply", "bar none"), td(NONE, "none"), td("", "plot")]
    between = f'<span class="range">{points(effect.low)} to {points(effect.high)}</span>'
    return [
        bar_cell(effect.left, style),
        td(f"{points(effect.difference)}{between}"),
        td(_spread(effect, style), "plot"),
    ]


def _spread(effect: Effect, style: str) -> str:
    """A difference and its interval on a line from -100 to 100. Numbers stand beside it."""
    at, low, high = (60 + 56 * part for part in (effect.difference, effect.low, effect.high))
    line = "" if effect.is_exact else f'<path class="{style}-line" d="M{low:.1f} 8H{high:.1f}"/>'
    return (
        '<svg viewBox="0 0 120 16" aria-hidden="true">'
        '<path class="grid" d="M4 8H116M4 5V11M60 3V13M116 5V11"/>'
        f'{line}<circle class="{style}" cx="{at:.1f}" cy="8" r="3.2"/></svg>'
    )


def _without(effect: Effect) -> str:
    return joined([layer_name(layer) for layer in effect.without])


def _pairs(made: Attribution, pairs: Sequence[Effect]) -> str:
    style = style_of(made)
    rows = [
        tr(_without(one), _effect_cells(one, style), "sum" if one.flips else "")
        for one in pairs[:_MOST_ROWS]
    ]
    heads = [
        th("without"),
        th(made.outcome),
        th("goes with them,<br>in points"),
        th('<span class="over">−100 to 100</span>', "plot"),
    ]
    return framed("", heads, rows, "Layers taken away together")


# --- evidence


def evidence_table(evidence: Sequence[Evidence]) -> str:
    rows = []
    for one in evidence[:_MOST_ROWS]:
        detail = f"<div><small>{said(one.detail)}</small></div>" if one.detail else ""
        cells = [
            td(safe(layer_name(one.layer)), "left wide"),
            td(HOW.get(one.how, ""), "left"),
            td(f"{counted(one.seen)} of {counted(one.of)}"),
            count_cell(one.decided),
        ]
        rows.append(tr(f"{by_name(one.by)}{detail}", cells))
    heads = [
        th("who"),
        th("layer", "left wide"),
        th("what it did", "left"),
        th("seen in runs"),
        th("alone made<br>it so"),
    ]
    return framed("", heads, rows, "What the runs of the whole stack show")


def _endings(effects: Sequence[Effect]) -> str:
    rows = []
    for effect in effects[:_MOST_ROWS]:
        told = []
        for one in effect.then[:8]:
            if one.layer is None:
                told.append(f"{counted(one.runs)} answered")
                continue
            by = f" ({by_name(one.by)})" if one.by else ""
            told.append(f"{counted(one.runs)} ended by the {layer_name(one.layer)}{by}")
        if effect.failed:
            told.append(f"{counted(effect.failed)} without a reply")
        if told:
            rows.append(tr(_without(effect), [f'<td class="left ends">{"<br>".join(told)}</td>']))
    if not rows:
        return ""
    heads = [th("without"), th("how the runs ended", "left")]
    return framed("", heads, rows, "How the runs without layers ended")
