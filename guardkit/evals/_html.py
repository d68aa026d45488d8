"""An evaluation as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

from guardkit.pages import (
    Key,
    Part,
    counted,
    document,
    headed,
    keys,
    notes,
    safe,
    sentence,
    share_key,
    shown,
    so_many,
    spelled,
)

from ._evaluate import Evaluation
from ._html_scores import score_section, score_table
from ._html_tables import by_part, labels, rules_and_checks, verdicts
from ._numbers import Estimate

_MOST_FILES: Final = 8

_KINDS: Final = {"policy": "the policy", "rule": "rule", "check": "check"}


def as_html(made: Evaluation, day: date | None = None) -> str:
    """The report as an HTML document of less than `guardkit.pages.MOST_BYTES`.

    It holds names of rules, checks, sources and ids of texts, and never a text.

    Args:
        made: The evaluation.
        day: The day it was made, to be shown.
    """
    return document(f"{made.policy}: evaluation", _parts(made, day), _foot(made))


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
    lead = (
        f"{counted(made.texts)} labelled texts{of}: "
        f"{counted(made.harmful)} harmful, {counted(made.benign)} benign.{on}"
    )
    return headed("Evaluation", made.policy, lead, day)


def _keys(made: Evaluation) -> str:
    subject = made.headline
    if subject is None:
        return ""
    cells = []
    counts = subject.counts
    if subject.score is not None and subject.score.auc is not None:
        cells.append(_figure("Area under the curve", subject.score.auc))
    if counts is not None:
        cells += [
            share_key("Found", counts.recall, "harmful"),
            share_key("False alarms", counts.false_alarms, "benign"),
            share_key("Precision", counts.precision, "stopped"),
        ]
    if counts is not None and subject.score is None and counts.f1 is not None:
        cells.append(_figure("F1", counts.f1))
    named = f"{_KINDS[subject.kind]} <code>{spelled(subject.name)}</code>"
    if subject.kind == "policy":
        named = f"the policy as a whole; a text counts as stopped from <b>{made.weakest}</b> on"
    at = f" at the threshold {shown(subject.threshold)}" if subject.threshold is not None else ""
    return keys(cells, f"Figures of {named}{at}, with intervals of 95 %.")


def _figure(title: str, one: Estimate) -> Key:
    return Key(title, f"{one.value:.3f}", "", f"{one.low:.3f} to {one.high:.3f}")


def _notes(made: Evaluation) -> str:
    said = []
    if made.unjudged:
        some = ", ".join(
            f'<span class="id">{spelled(one.id)}</span>' for one in made.why_unjudged[:5]
        )
        more = " and others" if made.unjudged > 5 else ""
        said.append(
            f"{so_many(made.unjudged, 'text')} could not be judged and are in no figure: "
            f"{some}{more}."
        )
    if made.undecided:
        said.append(
            f"On {so_many(made.undecided, 'text')} a check could not answer where it mattered; "
            "<code>on_error</code> decided."
        )
    said += [sentence(note) for note in made.notes]
    said += [
        f"<code>{spelled(s.name)}</code>: {sentence(note)}"
        for s in made.subjects
        for note in s.notes
    ]
    silent = [s for s in made.subjects if s.unknown]
    said += [
        f"<code>{spelled(s.name)}</code> had no answer to {so_many(s.unknown, 'text')}, "
        "which are in none of its figures."
        for s in silent[:8]
    ]
    return notes(said)


# --- the foot


def _foot(made: Evaluation) -> str:
    return (
        "<h3>How to read this</h3><p>An interval of 95 % says where a figure would lie on "
        "other texts like these: Wilson's for shares, DeLong's for the area under the curve. It "
        "says nothing about texts of another kind. Precision and cost depend on how many of the "
        "texts are harmful, and traffic has fewer of them than a test has. Thresholds were chosen "
        "on the very texts they are told for: choose them on one set of texts, and trust the "
        "figures of another. Budgets were not enforced: what is measured here is what is found, "
        "not how fast.</p>"
        f"<p>Policy digest <code>{safe(made.digest)}</code>.</p>"
    )
