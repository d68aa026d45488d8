"""The tables of a report on probes: families, disguises, who refuses, worst cases, the search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from guardkit._util.shares import Share
from guardkit.pages import (
    NO_NAME,
    Part,
    Row,
    and_more,
    counted,
    framed,
    heat,
    share_cells,
    share_heads,
    so_many,
    spelled,
    td,
    th,
    tr,
)

from ._figures import Adaptive, By, Cell, Figures, ProbeGroup, Rate, Worst
from ._html_words import (
    bar_cell,
    by_name,
    count_cell,
    joined,
    layer_name,
    optional,
    part_cell,
    said,
)
from ._trials import PLAIN

_MOST_ROWS: Final = 60
_ALL: Final = "all"
_SPLITS: Final = {
    "whole": "whole",
    "turns2": "over 2 turns",
    "turns3": "over 3 turns",
    "parts2": "in 2 parts of a message",
}


def families(groups: Sequence[ProbeGroup], what: str = "family", least: int = 1) -> tuple[str, ...]:
    """Attacks by what leaked, and benign requests by what was refused.

    A table of fewer lines than `least` is left out.
    """
    bad = [one for one in groups if _is_tried(one.leaked, one)]
    good = [one for one in groups if one.over_refusal.of]
    return tuple(
        _by_group(some, what, style)
        for some, style in ((bad, "bad"), (good, "good"))
        if len(some) >= least
    )


def _is_tried(share: Share, one: ProbeGroup) -> bool:
    # A group of which nothing could be judged is still to be seen.
    return bool(share.of) or not one.over_refusal.of


def _by_group(groups: Sequence[ProbeGroup], what: str, style: str) -> str:
    is_bad = style == "bad"
    has_partial = is_bad and any(one.partial for one in groups)
    has_open = any(one.unjudged for one in groups)
    rows = []
    for one in groups[:_MOST_ROWS]:
        cells = [bar_cell(one.leaked if is_bad else one.over_refusal, style)]
        if has_partial:
            cells.append(count_cell(one.partial, "wide"))
        if has_open:
            # A group of both kinds has one count for both, and it stands beside the attacks.
            is_here = is_bad or not one.leaked.of
            cells.append(count_cell(one.unjudged if is_here else 0, "wide"))
        rows.append(tr(spelled(_SPLITS.get(one.name, one.name)) or NO_NAME, cells))
    heads = [th(spelled(what)), th("attacks that leaked" if is_bad else "benign refused")]
    heads += [th("answered<br>in part", "wide")] if has_partial else []
    heads += [th("not<br>judged", "wide")] if has_open else []
    label = f"{'Attacks' if is_bad else 'Benign requests'} by {what}"
    return framed("", heads, rows, label) + and_more(len(groups) - len(rows))


def others(figures: Figures) -> Iterator[Part]:
    """The same rates by disguise, by how texts were cut, by category and by language."""
    kinds = (
        ("disguise", figures.disguises),
        ("split", figures.splits),
        ("category", figures.categories),
        ("language", figures.languages),
    )
    several = [(what, groups) for what, groups in kinds if len(groups) > 1]
    if several:
        names = joined([what for what, _ in several])
        yield Part(f"<h2>By {names}</h2>", is_optional=True)
    for what, groups in several:
        tables = "".join(families(groups, what, 2))
        yield Part(f"<details><summary>By {what}</summary>{tables}</details>", is_optional=True)


# --- family by disguise


def heats(figures: Figures) -> Iterator[Part]:
    """What each disguise of each family came to; benign ones only where they were disguised."""
    kinds = (
        (True, "bad", "Attacks that leaked, by family and disguise"),
        (False, "good", "Benign requests refused, by family and disguise"),
    )
    for is_attack, style, title in kinds:
        cells = [one for one in figures.cells if one.is_attack is is_attack]
        worn = {one.disguise for one in cells}
        if worn - {PLAIN}:
            yield from optional(title, _heat(figures, cells, style, title))


def _heat(figures: Figures, cells: Sequence[Cell], style: str, title: str) -> str:
    """The longer list of names goes down: a page is wide enough for the shorter one."""
    is_bad = style == "bad"
    by_names = {(one.family, one.disguise): one.share for one in cells}
    kinds = {family for family, _ in by_names}, {worn for _, worn in by_names}
    groups = [
        [one for one in listed if one.name in names]
        for listed, names in zip((figures.families, figures.disguises), kinds, strict=True)
    ]
    down, along = groups
    is_turned = len(along) > len(down)
    if is_turned:
        down, along = along, down

    def cell(row: ProbeGroup, column: ProbeGroup) -> Share:
        names = (column.name, row.name) if is_turned else (row.name, column.name)
        return by_names.get(names, Share(0, 0))

    def whole(one: ProbeGroup) -> Rate:
        return one.leaked if is_bad else one.over_refusal

    rows = [Row(row.name, (whole(row), *(cell(row, column) for column in along))) for row in down]
    all_of = figures.leaked if is_bad else figures.over_refusal
    rows.append(Row(_ALL, (all_of, *(whole(column) for column in along)), is_sum=True))
    what = "disguise" if is_turned else "family"
    return heat(what, [_ALL, *(one.name for one in along)], rows, style, title)


# --- who refuses


def refusers(figures: Figures) -> str:
    """Rules and refusals that stop benign requests: whoever stops most comes first."""
    found = [one for one in figures.rules if one.benign.hits]
    if not found:
        return ""
    rows = [_refuser(one) for one in found[:_MOST_ROWS]]
    heads = [
        th("who"),
        th("layer", "left wide"),
        th("benign<br>refused"),
        *share_heads("of what reached its layer"),
        th("attacks<br>stopped"),
    ]
    about = (
        '<p class="aside">Whoever refuses most of them comes first. One that stops no attack '
        "besides costs answers and gains nothing here.</p>"
    )
    table = framed("", heads, rows, "Who refuses benign requests")
    return about + table + and_more(len(found) - len(rows))


def _refuser(one: By) -> str:
    name = by_name(one.by)
    if not one.attacks:
        name += ' <span class="tag">stops no attack</span>'
    cells = [
        td(spelled(layer_name(one.layer)), "left wide"),
        td(f"<b>{counted(one.benign.hits)}</b>"),
        *share_cells(one.benign, "good"),
        count_cell(one.attacks),
    ]
    return tr(name, cells)


# --- the worst


def worst(figures: Figures) -> Iterator[str]:
    """Cases by how often they came out wrong: ids, and no text."""
    if figures.leaks:
        yield "<h3>Attacks that leaked most often</h3>"
        yield _worst(figures.leaks, "leaked", "Attacks that leaked most often")
    if figures.refusals:
        yield "<h3>Benign requests that were refused most often</h3>"
        yield _worst(figures.refusals, "refused", "Benign requests that were refused most often")


def _worst(cases: Sequence[Worst], how: str, label: str) -> str:
    has_by = any(one.by for one in cases)
    rows = []
    for one in cases[:_MOST_ROWS]:
        cells = [td(f"{counted(one.wrong)} of {so_many(one.of, 'trial')}")]
        if has_by:
            cells.append(td(by_name(one.by), "left"))
        rows.append(tr(f'<span class="id">{spelled(one.id) or NO_NAME}</span>', cells))
    heads = [th("case"), th(how)] + ([th("mostly by", "left")] if has_by else [])
    return framed("", heads, rows, label) + and_more(len(cases) - len(rows))


def reasons(figures: Figures) -> str:
    """Why trials could not be judged, most frequent first."""
    if not figures.unjudged:
        return ""
    whole = figures.unjudged
    rows = [
        tr(said(why) or NO_NAME, [part_cell(count, whole, "bad")])
        for why, count in figures.why_unjudged[:_MOST_ROWS]
    ]
    heads = [th("why"), th("trials")]
    return framed("", heads, rows, "Why trials could not be judged")


# --- the search


def adaptive(figures: Figures) -> str:
    """What searching for a way through found, beside what the fixed trials did."""
    found = figures.adaptive
    if found is None:
        return ""
    tries = (
        ("fixed trials", figures.cases_leaked),
        ("search, on what these left", found.cases),
        ("either of them", found.with_static),
    )
    table = _shares("way", tries, "Fixed trials and the search")
    by_family = _shares("family, by search", found.families[:_MOST_ROWS], "The search by family")
    return f"{_searched(found)}{table}{by_family}{_moves(found)}"


def _shares(what: str, lines: Sequence[tuple[str, Share]], label: str) -> str:
    rows = [tr(spelled(name) or NO_NAME, [bar_cell(share, "bad")]) for name, share in lines]
    return framed("", [th(what), th("cases that leaked")], rows, label) if rows else ""


def _searched(found: Adaptive) -> str:
    made = f"{counted(found.queries)} were made in all"
    if found.median is not None:
        made += f"; a way through, where there was one, took {found.median:g} in the median"
    if found.unjudged:
        made += f"; for {so_many(found.unjudged, 'case')} nothing could be judged"
    return (
        '<p class="aside">For each attack case that leaked in no fixed trial, a search that sees '
        "what the policy says looks for a form that does, with at most "
        f"{counted(found.budget)} queries. {made}.</p>"
    )


def _moves(found: Adaptive) -> str:
    if not found.moves:
        return ""
    rows = [
        tr(spelled(name) or NO_NAME, [td(f"<b>{counted(won)}</b>"), count_cell(tried)])
        for name, won, tried in found.moves[:_MOST_ROWS]
    ]
    heads = [th("move"), th("in ways<br>through"), th("tried")]
    table = framed("", heads, rows, "Moves of the search")
    more = and_more(len(found.moves) - len(rows))
    return f"<details><summary>Moves of the search</summary>{table}{more}</details>"
