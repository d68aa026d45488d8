"""`guardkit models calibrate`: a head of a model fitted to labelled texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from guardkit.diagnostics import visible
from guardkit.errors import BindError, UsageError
from guardkit.guard import BrokenRow, cases_of
from guardkit.models import DEVICES, Calibrated, Labelled, calibrate, opened
from guardkit.types import Surface

from ._exits import CLEAN, WRONG
from ._policies import on_option
from ._screen import Screen, screen
from ._verbs import FORMAT, member

_MOST_SAID = 5


@member("calibrate")
@click.argument("model", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA")
@click.option("--head", metavar="NAME", help="The head; may be left out where there is one.")
@click.option("--label", metavar="LABEL", help="The label that rows with 1 are of.")
@on_option("rows that name none")
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    metavar="DEVICE",
    help="Where the model runs: auto, cpu or gpu.",
)
@FORMAT
def command(
    model: Path,
    data: Path,
    head: str | None,
    label: str | None,
    on: Surface,
    device: str,
    format: str,
) -> int:
    """Fit a head to labelled texts, and give it thresholds.

    DATA is JSONL, plain or .gz, or Parquet: `text`, `label` (0 is benign, 1 is what the head looks
    for) and, where a row has one, `on`, its surface. Texts of several windows are levelled with
    those of one, scores become probabilities, and `at fpr` gets the scores at which benign texts of
    DATA are flagged so often. Take texts the model was not trained on.

    The manifest is written anew. Its new digest goes to standard output and into the policy.
    """
    show = screen()
    try:
        rows = _rows(show, data, on)
        if rows is None:
            return WRONG
        told = _progress(show, len(rows)) if show.progress else None
        live = opened(model, device=device)
        made = calibrate(live, model, rows, head=head, label=label, told=told)
    except UsageError as error:
        show.complain(str(error))
        return WRONG
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
        return WRONG
    if format == "json":
        show.out.write(json.dumps(_json(made), indent=2) + "\n")
        return CLEAN
    for line in _lines(made):
        show.say(line)
    show.out.line(made.digest)
    return CLEAN


def _rows(show: Screen, path: Path, on: Surface) -> list[Labelled] | None:
    """The rows of a file; None when one of them cannot be used: a gap would move thresholds."""
    rows, wrong = [], []
    for case in cases_of(path, on):
        if isinstance(case, BrokenRow):
            wrong.append(f"{visible(case.id)}: {case.why}")
        elif case.label not in (0, 1):
            wrong.append(f"{visible(case.id)}: its `label` is neither 0 nor 1")
        else:
            rows.append(Labelled(case.text, bool(case.label), case.on))
    for line in wrong[:_MOST_SAID]:
        show.complain(line)
    if len(wrong) > _MOST_SAID:
        show.complain(f"{len(wrong) - _MOST_SAID} more rows cannot be used")
    return None if wrong else rows


def _progress(show: Screen, total: int) -> Callable[[int], None]:
    """Says how many rows were read, on one line, some fifty times."""
    step = max(1, total // 50)

    def told(done: int) -> None:
        if done % step == 0 or done == total:
            show.err.write(f"\rread {done} of {total}" + ("\n" if done == total else ""))
            show.err.file.flush()

    return told


def _lines(made: Calibrated) -> Iterator[str]:
    fitted = made.fitted
    yield (
        f"head {fitted.head.name}, {visible(made.label)}: {fitted.benign} benign and"
        f" {fitted.harmful} harmful texts, AUC {fitted.auc:.3f}"
    )
    if made.unread:
        yield f"{made.unread} texts could not be read by the model and count for nothing"
    yield ""
    if fitted.rates:
        yield "false alarms   score    found"
        for rate in fitted.rates:
            share = rate.found / fitted.harmful
            yield f"{rate.rate:>11.1%}   {rate.score:.4f}   {share:>6.1%}"
        yield ""
    yield "windows   benign   harmful   shift   benign flagged at 1.0%"
    for i, one in enumerate(fitted.classes):
        last = fitted.classes[i + 1].start - 1 if i + 1 < len(fitted.classes) else None
        many = f"{one.start}+" if last is None else _range(one.start, last)
        flagged = "" if one.false_alarms is None else f"{one.false_alarms}"
        yield (
            f"{many:>7}   {one.benign:>6}   {one.harmful:>7}   {one.shift:>5.2f}   {flagged:>22}"
        ).rstrip()
    for note in fitted.notes:
        yield f"note: {note}"
    yield ""


def _range(start: int, last: int) -> str:
    return str(start) if start == last else f"{start}-{last}"


def _json(made: Calibrated) -> dict[str, Any]:
    fitted = made.fitted
    return {
        "digest": made.digest,
        "head": fitted.head.name,
        "label": made.label,
        "benign": fitted.benign,
        "harmful": fitted.harmful,
        "unread": made.unread,
        "auc": fitted.auc,
        "scale": fitted.head.scale,
        "shifts": [list(pair) for pair in fitted.head.shifts],
        "rates": [rate._asdict() for rate in fitted.rates],
        "windows": [one._asdict() for one in fitted.classes],
        "notes": list(fitted.notes),
    }
