"""A run of probes as one HTML file that needs nothing else: what stopped what, and what leaked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from typing import Final

from guardkit.pages import (
    NONE,
    Key,
    Part,
    Stopped,
    counted,
    document,
    flow,
    framed,
    headed,
    keys,
    notes,
    percent,
    safe,
    share_key,
    so_many,
    spelled,
    th,
    tr,
)

from ._compare_probe import Compared
from ._figures import Figures, LayerFigures, Rate
from ._html_before import since
from ._html_probe_tables import adaptive, families, heats, others, reasons, refusers, worst
from ._html_words import (
    bar_cell,
    duration,
    joined,
    layer_name,
    optional,
    remark,
    said,
    spelled_duration,
)
from ._tally import ALONE

_MOST_LAYERS: Final = 12
_MOST_BROKEN: Final = 3


def probe_html(
    figures: Figures,
    day: date | None = None,
    before: Sequence[Figures] = (),
    compared: Compared | None = None,
) -> str:
    """The report as an HTML document of less than `guardkit.pages.MOST_BYTES`.

    It holds names of rules, families and disguises and ids of cases, and never a text.

    Args:
        figures: What the run came to.
        day: The day it was made, to be shown.
        before: Earlier runs, the oldest first: the last of them is compared with, all show the
            trend.
        compared: This run beside the last one, trial by trial, where that is known.
    """
    return document(
        f"{figures.policy}: probe", _parts(figures, day, before, compared), _foot(figures)
    )


def _parts(
    figures: Figures, day: date | None, before: Sequence[Figures], compared: Compared | None
) -> Iterator[Part]:
    yield Part(headed("Probe", figures.policy, _lead(figures), day))
    yield Part(_keys(figures))
    yield Part(_notes(figures))
    yield Part(_stack(figures))
    yield from chain(
        optional("Since the last run", since(figures, before, compared)),
        optional("By family", *families(figures.families)),
        optional("Who refuses benign requests", refusers(figures)),
        optional("Attacks that adapt", adaptive(figures)),
        heats(figures),
        others(figures),
        optional("Worst cases", *worst(figures)),
        optional("What could not be judged", reasons(figures)),
    )


# --- the head


def _lead(figures: Figures) -> str:
    leaked, refused = figures.leaked, figures.over_refusal
    told = []
    if leaked.of:
        stops = [
            f"the {safe(layer_name(one.layer))} stopped {counted(one.attacks.hits)}"
            for one in figures.layers[:_MOST_LAYERS]
            if one.attacks.hits
        ]
        told.append(
            f"<b>{_so_many_of(leaked)} {'attack' if leaked.of == 1 else 'attacks'} leaked "
            f"({percent(leaked.value)}).</b>"
        )
        if stops:
            told.append(f"Of the others, {joined(stops)}.")
    if refused.of:
        were = "was" if refused.hits == 1 else "were"
        told.append(
            f"<b>{_so_many_of(refused)} benign requests {were} refused "
            f"({percent(refused.value)}).</b>"
        )
    if not told:
        told.append("<b>Nothing was judged.</b>")
    return " ".join([*told, _what(figures)])


def _so_many_of(rate: Rate) -> str:
    return f"{counted(rate.hits) if rate.hits else 'None'} of {counted(rate.of)}"


def _what(figures: Figures) -> str:
    tried = f"{so_many(figures.trials, 'trial')} of {so_many(figures.cases, 'case')}"
    if figures.target == ALONE:
        return f"{tried}, on the policy alone: no model was asked."
    return f"{tried}, on the policy and the model <code>{spelled(figures.target)}</code> behind it."


def _keys(figures: Figures) -> str:
    leaked, refused, cases = figures.leaked, figures.over_refusal, figures.cases_leaked
    leaks = _rate_key("Attacks that leaked", leaked, "attacks")
    if cases.of:
        many = f"{counted(cases.hits)} of {so_many(cases.of, 'case')} in at least one form"
        leaks = leaks._replace(range=f"{leaks.range}<br>{many}")
    cells = [leaks, _rate_key("Benign requests refused", refused, "benign requests")]
    cells.append(
        Key(
            "Could not be judged",
            counted(figures.unjudged),
            "",
            f"of {so_many(figures.trials, 'trial')}<br>in no rate",
        )
    )
    if figures.times is not None:
        took = figures.times
        number, unit = duration(took.p50)
        rest = f"p95 {spelled_duration(took.p95)}<br>p99 {spelled_duration(took.p99)}"
        cells.append(Key("Policy time a trial, p50", number, unit, rest))
    return keys(cells, "Below each share stand its interval of 95 % and what it is of.")


def _rate_key(title: str, rate: Rate, of: str) -> Key:
    return share_key(title, rate, of) if rate.of else Key(title, NONE, "", f"no {of}")


def _notes(figures: Figures) -> str:
    told = []
    if figures.trials < figures.planned:
        told.append(
            f"This run is not finished: {counted(figures.trials)} of "
            f"{so_many(figures.planned, 'trial')} are counted here."
        )
    if figures.partial:
        are = "was" if figures.partial == 1 else "were"
        told.append(
            f"{so_many(figures.partial, 'attack')} {are} answered in part: neither stopped nor "
            "leaked, and in no rate."
        )
    if figures.benign_partial:
        told.append(
            f"{so_many(figures.benign_partial, 'benign request')} got an answer in part; they "
            "count as answered."
        )
    if figures.broken:
        some = "; ".join(said(one) for one in figures.broken[:_MOST_BROKEN])
        more = len(figures.broken) - _MOST_BROKEN
        told.append(
            f"{so_many(len(figures.broken), 'row')} of case files could not be read: {some}"
            f"{f'; and {more:,} more' if more > 0 else ''}."
        )
    told += [remark(note) for note in figures.notes]
    return notes(told)


# --- the stack


def _stack(figures: Figures) -> str:
    layers = figures.layers[:_MOST_LAYERS]
    if not layers:
        return ""
    stops = [Stopped(layer_name(one.layer), one.attacks.hits, one.benign.hits) for one in layers]
    drawn = flow(stops, figures.leaked.of, figures.over_refusal.of, name=figures.policy)
    # The table below it would say that what reached a layer is what the layers above it left. Texts
    # that go out reach the last layer first, so the counts of the run stand here instead.
    picture, end, _ = drawn.partition("</figure>")
    return f"<h2>Which layer stopped what</h2>{picture}{end}{_layer_table(layers)}"


def _layer_table(layers: Sequence[LayerFigures]) -> str:
    has_attacks = any(one.attacks.of for one in layers)
    has_benign = any(one.benign.of for one in layers)
    rows = []
    for one in layers:
        cells = []
        if has_attacks:
            past = Rate(one.attacks.of - one.attacks.hits, one.attacks.of, one.attacks.cases)
            cells.append(bar_cell(past, "bad"))
        if has_benign:
            cells.append(bar_cell(one.benign, "good"))
        rows.append(tr(spelled(layer_name(one.layer)), cells))
    heads = [th("layer")]
    heads += [th("attacks that got past it")] if has_attacks else []
    heads += [th("benign requests it refused")] if has_benign else []
    about = "Each share is of what reached the layer."
    return framed(about, heads, rows, "Each layer by itself")


# --- the foot


def _foot(figures: Figures) -> str:
    asked = (
        "<p>An attack <b>leaked</b> where it passed every layer and was answered; one with a "
        "marker, where that marker stood in the reply. The <b>model</b> stops an attack by "
        "refusing it, or by answering otherwise than the attack wants; that is its context and its "
        "weights together. The <b>provider filter</b> stops it where whoever serves the model cut "
        "the reply off.</p>"
    )
    if figures.target == ALONE:
        asked = (
            "<p>No model was asked: that an attack <b>leaked</b> says that the policy let it pass, "
            "not that anybody obeyed it.</p>"
        )
    return (
        "<h3>How to read this</h3>"
        "<p>An <b>attack</b> is a text that ought to be refused, a <b>benign request</b> one that "
        "ought to be answered. A <b>case</b> is one such text; a <b>trial</b> is a case in one "
        "disguise, whole or cut into pieces. Every trial passes the layers in order, and the first "
        "that stops it is the one that counts: a layer may be able to stop more than it had the "
        "chance to.</p>"
        f"{asked}"
        "<p>Intervals are Wilson's, of 95 %, and as wide as if each case had been tried "
        "once: forty disguises of one text say little about another text. They say nothing "
        "about texts of another kind. A change is called better or worse only where that is 95 % "
        "sure.</p>"
        "<p><b>Could not be judged</b> is whatever gave no reply, or a rule that could not decide: "
        "neither stopped nor leaked, and in no rate.</p>"
        f"<p>Policy digest <code>{spelled(figures.digest)}</code><br>"
        f"Cases <code>{spelled(figures.suites)}</code><br>Seed <code>{figures.seed}</code></p>"
    )
