"""An evaluation for people, in 80 columns: the summary first, then what it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from textwrap import wrap
from typing import Final

from guardkit._util.shares import Share
from guardkit.diagnostics import text_width, visible
from guardkit.evals import Confusion, Counts, Estimate, Evaluation, Line, Point, Scored, Subject

from ._screen import Screen

_WIDTH: Final = 80
_NAME: Final = 20
_MOST_LINES: Final = 15
_MOST_LABELS: Final = 6
_BARS: Final = " ▁▂▃▄▅▆▇█"
_SHARE: Final = 19


def report_lines(show: Screen, made: Evaluation) -> Iterator[str]:
    """The report, line by line."""
    paint = show.out.paint
    yield from _head(show, made)
    if made.of("policy"):
        yield ""
        yield paint(f"{'verdicts':<{_NAME}} {'harmful':>9} {'benign':>9}", "strong")
        for action, harmful, benign in made.actions:
            yield f"{action:<{_NAME}} {harmful:>9,} {benign:>9,}"
    headline = made.headline
    for title, kind in (("policy", "policy"), ("rules", "rule"), ("checks", "check")):
        rows = [s for s in made.subjects if s.kind == kind and _is_plain(s)]
        if rows:
            yield ""
            yield paint(_counts_head(title), "strong")
            yield from chain.from_iterable(_counts_row(show, s) for s in rows)
    scores = [s for s in made.subjects if s.score is not None]
    if scores:
        yield ""
        yield from _scores(show, scores)
    for subject in scores:
        yield ""
        yield from _sweep(show, subject)
    for subject in made.subjects:
        if subject.confusion is not None:
            yield ""
            yield from _labels(show, subject.name, subject.confusion)
    if headline is not None:
        yield from _parts(show, headline)
        yield from _ids(show, headline)
    notes = [*made.notes, *(f"{s.name}: {note}" for s in made.subjects for note in s.notes)]
    if notes:
        yield ""
    for note in notes:
        yield from wrap(f"note: {note}", _WIDTH, subsequent_indent="      ")


def _is_plain(subject: Subject) -> bool:
    return subject.answers == "answer" and subject.counts is not None


# --- the head


def _head(show: Screen, made: Evaluation) -> Iterator[str]:
    paint = show.out.paint
    files = ", ".join(made.files)
    yield from wrap(f"{paint(made.policy, 'strong')} on {files}", _WIDTH)
    surfaces = ", ".join(f"{surface} {count:,}" for surface, count in made.surfaces)
    yield f"{made.texts:,} texts: {made.harmful:,} harmful, {made.benign:,} benign ({surfaces})"
    if made.unjudged:
        yield paint(f"{made.unjudged:,} could not be judged and are in no figure:", "warn")
        for one in made.why_unjudged[:5]:
            yield from wrap(f"{visible(one.id)}: {one.why}", _WIDTH, initial_indent="  ")
    if made.undecided:
        said = f"a check could not answer on {made.undecided:,}: `on_error` decided"
        yield paint(said, "warn")


# --- yes or no


def _counts_head(title: str) -> str:
    return (
        f"{title:<{_NAME}} {'texts':>6} {'found':>{_SHARE}} {'false alarms':>{_SHARE}}"
        f" {'prec.':>6} {'F1':>5}"
    )


def _counts_row(show: Screen, subject: Subject) -> Iterator[str]:
    assert subject.counts is not None
    mark = " (shadow)" if subject.mode == "shadow" else ""
    name = "stopped" if subject.kind == "policy" else f"{subject.name}{mark}"
    yield _row(name, subject.texts, subject.counts)
    if subject.unknown:
        yield show.out.paint(f"  no answer to {subject.unknown:,} of them", "warn")


def _fitted(name: str, width: int = _NAME) -> str:
    shown = visible(name)
    if text_width(shown) > width:
        # The end of a dotted name tells more than its beginning.
        while text_width(shown) > width - 1:
            shown = shown[1:]
        shown = f"…{shown}"
    return shown + " " * (width - text_width(shown))


def _share(share: Share) -> str:
    return share.shown or "-"


# --- scores


def _scores(show: Screen, scores: Sequence[Subject]) -> Iterator[str]:
    rates = ("0.1 %", "1 %", "5 %")
    over = " " * (_NAME + 7 + _SHARE + 1) + f"{'found at false alarms of':^23}"
    yield show.out.paint(over.rstrip(), "strong")
    yield show.out.paint(
        f"{'scores':<{_NAME}} {'texts':>6} {'AUC':>{_SHARE}}"
        + "".join(f" {rate:>7}" for rate in rates)
        + f" {'AP':>5}",
        "strong",
    )
    for subject in scores:
        score = subject.score
        assert score is not None
        found = [_brief(one.point) for one in score.at_rates] or ["-"] * len(rates)
        area = "" if score.average_precision is None else f"{score.average_precision:.3f}"
        yield (
            f"{_fitted(subject.name)} {subject.texts - subject.unknown:>6}"
            f" {_estimate(score.auc):>{_SHARE}}"
            + "".join(f" {one:>7}" for one in found)
            + f" {area:>5}"
        )
        if subject.unknown:
            yield show.out.paint(f"  no answer to {subject.unknown:,} more", "warn")


def _brief(point: Point | None) -> str:
    share = None if point is None else point.counts.recall.value
    return "-" if share is None else f"{share:.1%}"


def _estimate(one: Estimate | None) -> str:
    return "-" if one is None else f"{one.value:.3f} ({one.low:.3f}-{one.high:.3f})"


def _sweep(show: Screen, subject: Subject) -> Iterator[str]:
    score = subject.score
    assert score is not None
    paint = show.out.paint
    yield paint(f"{visible(subject.name)}: what each threshold comes to", "strong")
    if not show.out.ascii:
        yield from _bars(score)
    has_cost = any(point.cost is not None for point in score.sweep)
    last = "cost" if has_cost else "why"
    yield paint(f"{'':<50}{'of 1,000':>8} {'of 1,000':>8}", "dim")
    yield paint(
        f"{'threshold':>9} {'found':>{_SHARE}} {'false alarms':>{_SHARE}}"
        f" {'missed':>8} {'stopped':>8}  {last}",
        "dim",
    )
    for point in score.sweep:
        why = ", ".join(point.why) if point.cost is None else _price(point.cost)
        yield (
            f"{point.threshold:>9.6g} {_share(point.counts.recall):>{_SHARE}}"
            f" {_share(point.counts.false_alarms):>{_SHARE}}"
            f" {_count(point.missed_in_1000):>8} {_count(point.stopped_in_1000):>8}  {why}"
        ).rstrip()
    if has_cost:
        for mark, said in (("policy", "the policy's own"), ("least cost", "the least cost")):
            at = [f"{point.threshold:.6g}" for point in score.sweep if mark in point.why]
            if at:
                yield f"  {said}: {', '.join(at)}"
    for one in score.at_rates:
        if one.why:
            yield f"  no threshold for {one.rate:.1%} false alarms: {one.why}"


def _price(cost: float) -> str:
    for least, scale, unit in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if cost >= least:
            return f"{cost / scale:.4g}{unit}"
    return f"{cost:.6g}"


def _count(number: float | None) -> str:
    return "-" if number is None else f"{number:.0f}" if number >= 10 else f"{number:.1f}"


def _bars(score: Scored) -> Iterator[str]:
    """Where the scores of each label lie, as two rows of bars."""
    shape = score.histogram
    for name, counts in (("harmful", shape.harmful), ("benign", shape.benign)):
        most = max(counts, default=0)
        if most:
            steps = len(_BARS) - 1
            bars = "".join(_BARS[-(-n * steps // most)] for n in counts)
            low, high = f"{shape.low:.4g}", f"{shape.high:.4g}"
            yield f"{name:>10} {low} {bars} {high}"


# --- labels


def _labels(show: Screen, name: str, confusion: Confusion) -> Iterator[str]:
    paint = show.out.paint
    yield paint(f"{visible(name)}: labels", "strong")
    said = confusion.said[:_MOST_LABELS]
    has_unknown = any(row[-1] for row in confusion.table)
    heads = [*said, *(["unknown"] if has_unknown else [])]
    yield paint(f"{'said ->':<{_NAME}}" + "".join(f" {_fitted(one, 8)}" for one in heads), "dim")
    for truth, row in zip(confusion.truths[:_MOST_LINES], confusion.table, strict=False):
        numbers = [*row[: len(said)], *([row[-1]] if has_unknown else [])]
        yield f"{_fitted(truth)}" + "".join(f" {number:>8,}" for number in numbers)
    more = len(confusion.said) - len(said)
    if more > 0:
        yield f"  and {more} labels more: `--json` has them"
    if confusion.lines:
        yield paint(_counts_head("label"), "dim")
        for line in confusion.lines[:_MOST_LINES]:
            yield _row(line.name, line.counts.texts, line.counts)


def _row(name: str, texts: int, counts: Counts) -> str:
    precision = "-" if counts.precision.value is None else f"{counts.precision.value:.1%}"
    f1 = "-" if counts.f1 is None else f"{counts.f1.value:.3f}"
    return (
        f"{_fitted(name)} {texts:>6} {_share(counts.recall):>{_SHARE}}"
        f" {_share(counts.false_alarms):>{_SHARE}} {precision:>6} {f1:>5}"
    ).rstrip()


# --- parts


def _parts(show: Screen, subject: Subject) -> Iterator[str]:
    named = "the policy" if subject.kind == "policy" else visible(subject.name)
    at = "" if subject.threshold is None else f" at {subject.threshold:.6g}"
    groups: Iterable[tuple[str, tuple[Line, ...]]] = (
        ("source", subject.sources),
        ("group", subject.groups),
        ("label", subject.categories),
    )
    for title, lines in groups:
        if not lines:
            continue
        yield ""
        yield show.out.paint(f"{named}{at}, by {title}", "strong")
        head = f"{title:<{_NAME + 7}} {'texts':>6} {'found':>{_SHARE}} {'false alarms':>{_SHARE}}"
        yield show.out.paint(f"{head} {'AUC' if subject.score else '':>5}".rstrip(), "dim")
        for line in lines[:_MOST_LINES]:
            area = "" if line.auc is None else f"{line.auc:.3f}"
            counts = line.counts
            yield (
                f"{_fitted(line.name or 'none', _NAME + 7)} {counts.texts:>6}"
                f" {_share(counts.recall):>{_SHARE}} {_share(counts.false_alarms):>{_SHARE}}"
                f" {area:>5}"
            ).rstrip()
        if len(lines) > _MOST_LINES:
            yield f"  and {len(lines) - _MOST_LINES} more: `--json` and `--html` have them"


def _ids(show: Screen, subject: Subject) -> Iterator[str]:
    for title, ids in (("missed", subject.missed), ("stopped by mistake", subject.alarms)):
        if ids:
            yield ""
            yield show.out.paint(f"{title}, the worst first", "strong")
            shown = ", ".join(visible(one) for one in ids)
            yield from wrap(
                shown,
                _WIDTH,
                initial_indent="  ",
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
