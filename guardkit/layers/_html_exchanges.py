"""Many attributions on a page: counts by layer and rule, each finding, and what is not settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from guardkit.pages import (
    NO_NAME,
    NONE,
    Part,
    and_more,
    counted,
    framed,
    notes,
    safe,
    so_many,
    spelled,
    td,
    th,
    tr,
)
from guardkit.types import LAYERS

from ._attribution import Attribution
from ._html_exchange import evidence_table, stack
from ._html_words import (
    by_name,
    chance_of,
    count_cell,
    layer_name,
    optional,
    part_cell,
    said,
)
from ._summary import Group, Summary

_MOST_ROWS: Final = 40
_MOST_OPEN: Final = 60
"""Findings that are told of one by one."""
_MOST_LISTED: Final = 400
_A_PART: Final = 50
_WRONG: Final = (("over-refusal", "good"), ("wrong answer", "bad"))


def exchanges(made: Sequence[Attribution], counts: Summary) -> Iterator[Part]:
    """The pieces of a page on many exchanges, below its head."""
    yield Part(_notes(made, counts))
    yield Part(f"<h2>Which layer made them so</h2>{_by_layer(counts)}")
    yield from optional("By rule and evidence", _by_rule(counts))
    settled = [one for one in made if one.standing in ("named", "overdetermined", "none")]
    for judgement, _ in _WRONG:
        yield from _each(
            f"{judgement.capitalize()}s", [one for one in settled if one.judgement == judgement]
        )
    yield from _listed("Not settled", [one for one in made if one.standing == "undetermined"])
    yield from _listed("Could not be judged", [one for one in made if one.standing == "unjudged"])
    yield from optional("Rows that are no exchange", _unread(counts))
    rest = [one for one in settled if not one.is_finding]
    yield from _listed("All others", rest)


def _notes(made: Sequence[Attribution], counts: Summary) -> str:
    told = []
    if counts.unjudged:
        told.append(
            f"{so_many(counts.unjudged, 'exchange')} could not be judged, and "
            f"{'is' if counts.unjudged == 1 else 'are'} listed apart."
        )
    if counts.rows_unread:
        told.append(
            f"{so_many(counts.rows_unread, 'row')} could not be read; they are no exchange."
        )
    if len(made) < counts.exchanges:
        told.append(
            f"{counted(len(made))} of {so_many(counts.exchanges, 'exchange')} stand here one by "
            "one; the counts are of all."
        )
    told.append(
        f"It took {so_many(counts.runs, 'run')} and {so_many(counts.model_calls, 'call')} of a "
        "model."
    )
    return notes(told)


# --- counts


def _by_layer(counts: Summary) -> str:
    cells: Counter[tuple[str, str]] = Counter()
    for one in counts.groups:
        cells[_row_of(one), one.judgement] += one.exchanges
    totals = {
        name: sum(n for (_, judged), n in cells.items() if judged == name) for name, _ in _WRONG
    }
    columns = [(name, style) for name, style in _WRONG if totals[name]]
    others = [
        name
        for name in ("correct refusal", "refused", "answered", "fault")
        if any(judged == name for _, judged in cells)
    ]
    rows = []
    for layer in (*LAYERS, "undetermined", ""):
        if not any(where == layer for where, _ in cells):
            continue
        line = [part_cell(cells[layer, name], totals[name], style) for name, style in columns]
        line += [count_cell(cells[layer, name], "wide") for name in others]
        rows.append(tr(_row_name(layer), line))
    heads = [
        th("layer"),
        *(th(f"{name}s") for name, _ in columns),
        *(th(name, "wide") for name in others),
    ]
    return framed("", heads, rows, "Exchanges by layer")


def _row_of(one: Group) -> str:
    return "undetermined" if one.standing == "undetermined" else one.layer or ""


def _row_name(layer: str) -> str:
    if layer == "undetermined":
        return "<i>not settled</i>"
    return layer_name(layer) if layer else "<i>no layer</i>"


def _by_rule(counts: Summary) -> str:
    found: Counter[tuple[str | None, str, str]] = Counter()
    for one in counts.groups:
        if one.by and one.standing != "undetermined":
            found[one.layer, one.by, one.judgement] += one.exchanges
    is_wrong = {name for name, _ in _WRONG}
    ranked = sorted(
        found.items(), key=lambda item: (item[0][2] not in is_wrong, -item[1], str(item))
    )
    rows = []
    for (layer, by, judged), count in ranked[:_MOST_ROWS]:
        word = f"<b>{judged}</b>" if judged in is_wrong else judged
        cells = [
            td(safe(layer_name(layer)), "left wide"),
            td(word, "left"),
            td(counted(count)),
        ]
        rows.append(tr(by_name(by), cells))
    if not rows:
        return ""
    heads = [th("who"), th("layer", "left wide"), th("judged as", "left"), th("exchanges")]
    table = framed("", heads, rows, "Exchanges by rule and evidence")
    return table + and_more(len(ranked) - len(rows))


# --- one by one


def _each(title: str, findings: Sequence[Attribution]) -> Iterator[Part]:
    if not findings:
        return
    yield Part(f"<h2>{title}</h2>", is_optional=True)
    for one in findings[:_MOST_OPEN]:
        name = f'<span class="id">{spelled(one.id) or NO_NAME}</span>'
        body = stack(one) + (evidence_table(one.evidence) if one.evidence else "")
        head = f"{name} {said(one.sentence)}"
        yield Part(f"<details><summary>{head}</summary>{body}</details>", is_optional=True)
    yield from _tables(findings[_MOST_OPEN:], title)


def _listed(title: str, some: Sequence[Attribution]) -> Iterator[Part]:
    yield from _tables(some, title, f"<h2>{title}</h2>")


def _tables(some: Sequence[Attribution], label: str, head: str = "") -> Iterator[Part]:
    """Tables of a few lines each, so that a page takes as many as it has room for."""
    heads = [
        th("exchange"),
        th("judged as", "left"),
        th("layer", "left"),
        th("who", "left wide"),
        th("probability", "wide"),
    ]
    most = min(len(some), _MOST_LISTED)
    for at in range(0, most, _A_PART):
        lines = [_line(one) for one in some[at : min(at + _A_PART, most)]]
        more = and_more(len(some) - most) if at + _A_PART >= most else ""
        yield Part(f"{head}{framed('', heads, lines, label)}{more}", is_optional=True)
        head = ""


def _line(one: Attribution) -> str:
    sure = NONE if one.certainty is None else chance_of(one.certainty)
    cells = [
        td(one.judgement, "left"),
        td(layer_name(one.layer) if one.layer else NONE, "left"),
        td(by_name(one.by), "left wide"),
        td(sure, "wide" if one.certainty is not None else "none wide"),
    ]
    return tr(f'<span class="id">{spelled(one.id) or NO_NAME}</span>', cells)


def _unread(counts: Summary) -> str:
    rows = counts.unread
    if not rows:
        return ""
    lines = [
        tr(f'<span class="id">{spelled(one.id) or NO_NAME}</span>', [td(said(one.why), "left")])
        for one in rows[:_MOST_ROWS]
    ]
    table = framed("", [th("row"), th("why", "left")], lines, "Rows that are no exchange")
    return table + and_more(counts.rows_unread - len(lines))
