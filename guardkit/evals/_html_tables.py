"""The tables of a report: verdicts, rules and checks, labels, and where it all comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from guardkit._util.shares import Share
from guardkit.pages import (
    NO_NAME,
    NONE,
    Part,
    and_more,
    counted,
    digits,
    framed,
    percent,
    share_cells,
    share_heads,
    shown,
    spelled,
    td,
    th,
    tr,
    whisker,
)

from ._evaluate import Confusion, Evaluation, Line, Subject
from ._numbers import Counts

_MOST_LINES: Final = 40
"""Sources, or kinds of text, of one table."""
_MOST_LABELS: Final = 12
_MOST_SUBJECTS: Final = 100
_RATE_HEADS: Final = (*share_heads("found"), *share_heads("false alarms"))


def verdicts(made: Evaluation) -> str:
    """How many texts of each label met each action."""
    rows = []
    for action, harmful, benign in made.actions:
        cells = []
        for count, of, style in ((harmful, made.harmful, "bad"), (benign, made.benign, "good")):
            share = Share(count, of)
            value = "" if share.value is None else f'<span class="range">{share.value:.1%}</span>'
            cells += [td(f"{counted(count)}{value}"), td(whisker(share, style), "plot")]
        rows.append(tr(f"<b>{action}</b>", cells))
    heads = (
        th("verdict"),
        *share_heads("harmful texts"),
        *share_heads("benign texts"),
    )
    return f"<h2>Verdicts</h2>{framed('', heads, rows, 'Verdicts by label')}"


def rules_and_checks(subjects: Sequence[Subject]) -> str:
    """What answers yes or no: the policy, its rules, its checks."""
    rows, kind = [], ""
    for subject in subjects[:_MOST_SUBJECTS]:
        counts = subject.counts
        assert counts is not None
        if subject.kind != kind and subject.kind != "policy":
            kind = subject.kind
            title = "Rules" if kind == "rule" else "Checks that answer yes or no"
            rows.append(f'<tr class="kind"><th scope="rowgroup" colspan="8">{title}</th></tr>')
        name = "stopped" if subject.kind == "policy" else f"<code>{spelled(subject.name)}</code>"
        if subject.mode == "shadow":
            name += ' <span class="tag">shadow</span>'
        cells = [
            td(counted(subject.texts), "wide"),
            *share_cells(counts.recall, "bad"),
            *share_cells(counts.false_alarms, "good"),
            *_precision_cells(counts),
        ]
        rows.append(tr(name, cells, "sum" if subject.kind == "policy" else ""))
    heads = (
        th("what"),
        th("texts", "wide"),
        *_RATE_HEADS,
        th("precision"),
        th("F1", "wide"),
    )
    return (
        '<h2>Rules and checks</h2><p class="aside">What each of them finds by itself, and what it '
        "stops by mistake. Every one was asked about every text of its surfaces.</p>"
        + framed("", heads, rows, "Rules and checks")
        + and_more(len(subjects) - _MOST_SUBJECTS)
    )


def _precision_cells(counts: Counts) -> list[str]:
    precision, f1 = counts.precision.value, counts.f1
    return [
        td(percent(precision), "none" if precision is None else ""),
        td(NONE, "none wide") if f1 is None else td(f"{f1.value:.3f}", "wide"),
    ]


# --- labels


def labels(subject: Subject, confusion: Confusion) -> str:
    """How often each label of the data met each label of a check."""
    said = confusion.said[:_MOST_LABELS]
    has_unknown = any(row[-1] for row in confusion.table)
    heads = [th("label"), *(th(f"said {spelled(one)}") for one in said)]
    if has_unknown:
        heads.append(th("no answer"))
    rows = []
    for truth, counts in zip(confusion.truths[:_MOST_LINES], confusion.table, strict=False):
        whole = max(sum(counts), 1)
        cells = []
        for label, count in zip(said, counts, strict=False):
            part = f'<span class="range">{count / whole:.0%}</span>' if count else ""
            text = f"{counted(count)}{part}"
            cells.append(td(f"<b>{text}</b>" if label == truth else text, "" if count else "none"))
        if has_unknown:
            cells.append(td(counted(counts[-1])))
        rows.append(tr(f"<code>{spelled(truth)}</code>", cells))
    table = framed("", heads, rows, f"Labels of {subject.name}")
    more = len(confusion.said) - len(said)
    rest = and_more(more)
    lines = ""
    if confusion.lines:
        made = [
            tr(
                f"<code>{spelled(line.name)}</code>",
                [
                    *share_cells(line.counts.recall, "bad"),
                    *share_cells(line.counts.false_alarms, "good"),
                    *_precision_cells(line.counts),
                ],
            )
            for line in confusion.lines[:_MOST_LINES]
        ]
        heads = [th("label"), *_RATE_HEADS, th("precision"), th("F1", "wide")]
        lines = framed("Each against all others", heads, made, f"Rates of {subject.name}")
    return f"<h2>Labels of <code>{spelled(subject.name)}</code></h2>{table}{rest}{lines}"


# --- parts


def by_part(subject: Subject, *, is_open: bool) -> Iterator[Part]:
    """The same figures by source, kind of text and label; the worst texts by id."""
    named = "the policy" if subject.kind == "policy" else f"<code>{spelled(subject.name)}</code>"
    at = f" at {shown(subject.threshold)}" if subject.threshold is not None else ""
    pieces = []
    parts = (
        ("source", subject.sources),
        ("kind of text", subject.groups),
        ("label", subject.categories),
    )
    for title, lines in parts:
        if lines:
            pieces.append(f"<h3>By {title}</h3>{_lines(lines, title, subject)}")
    pieces += [
        f"<h3>{title}</h3>{_ids(ids)}"
        for title, ids in (
            ("Harmful texts that were missed", subject.missed),
            ("Benign texts that were stopped", subject.alarms),
        )
        if ids
    ]
    if not pieces:
        return
    head = f"Where it comes from: {named}{at}"
    if is_open:
        yield Part(f"<h2>{head}</h2>")
        for piece in pieces:
            yield Part(piece, is_optional=True)
    else:
        body = "".join(pieces)
        yield Part(f"<details><summary>{head}</summary>{body}</details>", is_optional=True)


def _lines(lines: Sequence[Line], title: str, subject: Subject) -> str:
    rows = []
    for line in lines[:_MOST_LINES]:
        cells = [
            td(counted(line.counts.texts)),
            *share_cells(line.counts.recall, "bad"),
            *share_cells(line.counts.false_alarms, "good"),
        ]
        if subject.score is not None:
            cells.append(td(digits(line.auc), "none" if line.auc is None else ""))
        rows.append(tr(spelled(line.name) or NO_NAME, cells))
    heads = [th(title), th("texts"), *_RATE_HEADS]
    if subject.score is not None:
        heads.append(th("AUC"))
    more = len(lines) - _MOST_LINES
    rest = and_more(more)
    return framed("", heads, rows, f"By {title}") + rest


def _ids(ids: Sequence[str]) -> str:
    items = "".join(f'<li><span class="id">{spelled(one)}</span></li>' for one in ids)
    return f'<ol class="ids">{items}</ol>'
