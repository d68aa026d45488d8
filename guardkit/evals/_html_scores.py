"""The scores of a report: curves, and what each threshold comes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from guardkit.pages import (
    NONE,
    and_more,
    counted,
    digits,
    framed,
    percent,
    safe,
    share_text,
    shown,
    spelled,
    td,
    th,
    tr,
)

from . import _html_charts as charts
from ._evaluate import Evaluation, Subject
from ._numbers import RATES, Estimate, Scored

_MOST_SCORES: Final = 60

# --- scores


def score_table(scores: Sequence[Subject]) -> str:
    """All scores in one table."""
    rows = []
    for subject in scores[:_MOST_SCORES]:
        score = subject.score
        assert score is not None
        cells = [td(counted(subject.texts - subject.unknown), "wide"), td(_ranged(score.auc))]
        for one in score.at_rates:
            share = None if one.point is None else one.point.counts.recall.value
            styles = ["none"] * (share is None) + ["wide"] * (one.rate == RATES[0])
            cells.append(td(percent(share), " ".join(styles)))
        if not score.at_rates:
            cells += [td(NONE, "none wide"), td(NONE, "none"), td(NONE, "none")]
        cells.append(td(digits(score.average_precision), "wide"))
        cells.append(td(digits(score.brier), "wide"))
        rows.append(tr(f"<code>{spelled(subject.name)}</code>", cells))
    heads = (
        th("score"),
        th("texts", "wide"),
        th("AUC"),
        th("found at<br>0.1 %", "wide"),
        th("found at<br>1 %"),
        th("found at<br>5 %"),
        th("average<br>precision", "wide"),
        th("Brier", "wide"),
    )
    return (
        '<h2>Scores</h2><p class="aside">The area under the curve is how often a harmful text '
        "scores above a benign one. <i>Found at 1 %</i> is the share of harmful texts found where "
        "1 % of benign ones are stopped.</p>"
        + framed("", heads, rows, "Scores")
        + and_more(len(scores) - _MOST_SCORES)
    )


def _ranged(one: Estimate | None) -> str:
    if one is None:
        return NONE
    return f'{one.value:.3f}<span class="range">{one.low:.3f}–{one.high:.3f}</span>'


def score_section(subject: Subject, made: Evaluation, at: int) -> str:
    """One score: its pictures, and its thresholds."""
    score = subject.score
    assert score is not None
    name = subject.name
    pictures = []
    shape = score.histogram
    harmful, benign = sum(shape.harmful), sum(shape.benign)
    if score.curve:
        switch = (
            '<div class="switch">'
            f'<label><input type="radio" name="roc{at}" value="log" checked>log scale</label>'
            f'<label><input type="radio" name="roc{at}" value="even">even scale</label></div>'
        )
        pictures.append(
            '<figure class="roc">'
            + charts.roc(score, benign, name, is_log=True)
            + charts.roc(score, benign, name, is_log=False)
            + "<figcaption><b>Found, over false alarms.</b> Circles: 0.1, 1 and 5 %; dashed: "
            f"chance.</figcaption>{switch}</figure>"
        )
    if harmful + benign:
        pictures.append(
            "<figure>"
            + charts.histogram(shape, subject.threshold, name)
            + "<figcaption><b>Where scores lie.</b> Harmful texts stand up, benign ones hang down; "
            "each on its own scale, by square root.</figcaption></figure>"
        )
    if score.precision and benign:
        pictures.append(
            "<figure>"
            + charts.precision_recall(score, harmful / (harmful + benign), name)
            + "<figcaption><b>Precision, over found.</b> Dashed: chance, which is the share of "
            "harmful texts in this data.</figcaption></figure>"
        )
    costs = charts.trade(score.sweep, name)
    if costs:
        pictures.append(
            f"<figure>{costs}<figcaption><b>The cost of each choice.</b> Of 1,000 texts of each "
            "kind, those missed and those stopped by mistake.</figcaption></figure>"
        )
    return (
        f"<section><h3>Score <code>{spelled(name)}</code></h3>"
        f'<div class="figures">{"".join(pictures)}</div>{_sweep(score, made, name)}</section>'
    )


def _sweep(score: Scored, made: Evaluation, name: str) -> str:
    if not score.sweep:
        return ""
    has_cost = any(point.cost is not None for point in score.sweep)
    rows = []
    for point in score.sweep:
        counts = point.counts
        why = ", ".join(point.why)
        is_named = "policy" in point.why or "least cost" in point.why
        cells = [
            td(share_text(counts.recall)),
            td(share_text(counts.false_alarms)),
            td(_thousand(point.missed_in_1000)),
            td(_thousand(point.stopped_in_1000)),
            td(percent(counts.precision.value), "wide"),
            *([td(NONE if point.cost is None else f"{point.cost:,.6g}")] if has_cost else []),
            td(f'<span class="tag">{safe(why)}</span>' if is_named else safe(why), "left wide"),
        ]
        rows.append(tr(shown(point.threshold), cells, "sum" if is_named else ""))
    heads = (
        th("threshold"),
        th("found"),
        th("false alarms"),
        th("missed<br>of 1,000"),
        th("stopped<br>of 1,000"),
        th("precision", "wide"),
        *([th("cost")] if has_cost else []),
        th("why", "left wide"),
    )
    absent = "".join(
        f'<p class="aside">No threshold for {100 * one.rate:g} % false alarms: {safe(one.why)}.</p>'
        for one in score.at_rates
        if one.why
    )
    prices = made.prices
    cost = (
        ""
        if prices is None
        else f" A miss costs {prices.miss:g}, a false alarm {prices.alarm:g}; all texts together."
    )
    said = (
        '<p class="aside">What each threshold comes to: of 1,000 harmful texts, those missed; of '
        f"1,000 benign ones, those stopped by mistake.{cost}</p>"
    )
    return said + framed("", heads, rows, f"Thresholds of {name}") + absent


def _thousand(number: float | None) -> str:
    if number is None:
        return NONE
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"
