"""An evaluation as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from html import escape
from typing import Final

from guardkit._util.shares import Share

from ._evaluate import Evaluation
from ._html_cells import (
    Part,
    and_more,
    counted,
    shown,
    so_many,
    spelled,
)
from ._html_scores import score_section, score_table
from ._html_style import STYLE
from ._html_tables import by_part, labels, rules_and_checks, verdicts
from ._numbers import Estimate

MOST_BYTES: Final = 300_000
"""A report is smaller. Where there are too many figures, it leaves tables out, and says so."""
_ROOM: Final = 290_000
_MOST_NOTES: Final = 20
_MOST_FILES: Final = 8

_KINDS: Final = {"policy": "the policy", "rule": "rule", "check": "check"}


def as_html(made: Evaluation, day: date | None = None) -> str:
    """The report as an HTML document of less than `MOST_BYTES`.

    It holds names of rules, checks, sources and ids of texts, and never a text.

    Args:
        made: The evaluation.
        day: The day it was made, to be shown.
    """
    title = f"{made.policy}: evaluation"
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><main>"
    )
    tail = f"{_footer(made)}</main></body></html>\n"
    short = '<p class="aside">More tables are left out here; <code>--json</code> has them.</p>'
    room = _ROOM - len((head + tail + short).encode())
    body, is_short = [], False
    for part in _parts(made, day):
        size = len(part.html.encode())
        if part.is_optional and size > room:
            is_short = True
            continue
        body.append(part.html)
        room -= size
    return head + "\n".join(body) + (short if is_short else "") + tail


def _parts(made: Evaluation, day: date | None) -> Iterator[Part]:
    yield Part(_head(made, day))
    yield Part(_keys(made))
    yield Part(_notes(made))
    if made.of("policy"):
        yield Part(verdicts(made))
    plain = [s for s in made.subjects if s.counts is not None and s.score is None]
    if plain:
        yield Part(rules_and_checks(plain))
    scores = [s for s in made.subjects if s.score is not None]
    if scores:
        yield Part(score_table(scores))
    for at, subject in enumerate(scores):
        yield Part(score_section(subject, made, at), is_optional=True)
    for subject in made.subjects:
        if subject.confusion is not None:
            yield Part(labels(subject, subject.confusion), is_optional=True)
    headline = made.headline
    others = [s for s in scores if s is not headline]
    for subject in (*([headline] if headline else []), *others):
        yield from by_part(subject, is_open=subject is headline)


# --- the head


def _head(made: Evaluation, day: date | None) -> str:
    files = ", ".join(f"<code>{spelled(name)}</code>" for name in made.files[:_MOST_FILES])
    if len(made.files) > _MOST_FILES:
        files += f" and {len(made.files) - _MOST_FILES} files more"
    of = f" of {files}" if files else ""
    surfaces = ", ".join(f"{surface} {counted(count)}" for surface, count in made.surfaces)
    on = f" Surfaces: {surfaces}." if surfaces else ""
    when = f" · {day.day} {day:%B %Y}" if day else ""
    return (
        f'<header><div class="over">Evaluation{when}</div><h1>{spelled(made.policy)}</h1>'
        f'<p class="lead">{counted(made.texts)} labelled texts{of}: '
        f"{counted(made.harmful)} harmful, {counted(made.benign)} benign.{on}</p></header>"
    )


def _keys(made: Evaluation) -> str:
    subject = made.headline
    if subject is None:
        return ""
    cells = []
    counts = subject.counts
    if subject.score is not None and subject.score.auc is not None:
        cells.append(_key("Area under the curve", *_figure(subject.score.auc)))
    if counts is not None:
        cells += [
            _key("Found", *_percentage(counts.recall, "harmful")),
            _key("False alarms", *_percentage(counts.false_alarms, "benign")),
            _key("Precision", *_percentage(counts.precision, "stopped")),
        ]
    if counts is not None and subject.score is None and counts.f1 is not None:
        cells.append(_key("F1", *_figure(counts.f1)))
    named = f"{_KINDS[subject.kind]} <code>{spelled(subject.name)}</code>"
    if subject.kind == "policy":
        named = f"the policy as a whole; a text counts as stopped from <b>{made.weakest}</b> on"
    at = f" at the threshold {shown(subject.threshold)}" if subject.threshold is not None else ""
    return (
        f'<dl class="keys">{"".join(cells)}</dl>'
        f'<p class="aside">Figures of {named}{at}, with intervals of 95 %.</p>'
    )


def _key(title: str, big: str, unit: str, interval: str) -> str:
    small = f" <small>{unit}</small>" if unit else ""
    return (
        f'<div><dt>{title}</dt><dd class="big">{big}{small}</dd>'
        f'<dd class="range">{interval}</dd></div>'
    )


def _figure(one: Estimate) -> tuple[str, str, str]:
    return f"{one.value:.3f}", "", f"{one.low:.3f} to {one.high:.3f}"


def _percentage(one: Share, of: str) -> tuple[str, str, str]:
    if one.value is None:
        return "–", "", f"no {of} texts"
    low, high = one.interval
    return (
        f"{100 * one.value:.1f}",
        "%",
        f"{100 * low:.1f} to {100 * high:.1f}<br>{counted(one.hits)} of {counted(one.of)} {of}",
    )


def _notes(made: Evaluation) -> str:
    said = []
    if made.unjudged:
        some = ", ".join(
            f'<span class="id">{spelled(one.id)}</span>' for one in made.why_unjudged[:5]
        )
        more = " and others" if made.unjudged > 5 else ""
        said.append(
            f"{so_many(made.unjudged)} could not be judged and are in no figure: {some}{more}."
        )
    if made.undecided:
        said.append(
            f"On {so_many(made.undecided)} a check could not answer where it mattered; "
            "<code>on_error</code> decided."
        )
    said += [_sentence(note) for note in made.notes]
    said += [
        f"<code>{spelled(s.name)}</code>: {_sentence(note)}"
        for s in made.subjects
        for note in s.notes
    ]
    silent = [s for s in made.subjects if s.unknown]
    said += [
        f"<code>{spelled(s.name)}</code> had no answer to {so_many(s.unknown)}, which are in none "
        "of its figures."
        for s in silent[:8]
    ]
    if not said:
        return ""
    shown = "".join(f"<p>{one}</p>" for one in said[:_MOST_NOTES])
    return f'<section class="notes">{shown}{and_more(len(said) - _MOST_NOTES)}</section>'


def _sentence(note: str) -> str:
    made = _ticked(note)
    return f"{made[:1].upper()}{made[1:]}."


def _ticked(text: str) -> str:
    """A note with its `names` set as such."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))


# --- the foot, and words


def _footer(made: Evaluation) -> str:
    return (
        "<footer><h3>How to read this</h3><p>An interval of 95 % says where a figure would lie on "
        "other texts like these: Wilson's for shares, DeLong's for the area under the curve. It "
        "says nothing about texts of another kind. Precision and cost depend on how many of the "
        "texts are harmful, and traffic has fewer of them than a test has. Thresholds were chosen "
        "on the very texts they are told for: choose them on one set of texts, and trust the "
        "figures of another. Budgets were not enforced: what is measured here is what is found, "
        "not how fast.</p>"
        f"<p>Policy digest <code>{escape(made.digest)}</code>.</p></footer>"
    )
