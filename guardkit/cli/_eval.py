"""`guardkit eval`: what a policy or a module finds in labelled texts, and what it stops wrongly."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from guardkit.diagnostics import nearest, visible
from guardkit.errors import BindError, PolicyError, UsageError
from guardkit.evals import (
    CaseFiles,
    Evaluation,
    Prices,
    Sample,
    Subject,
    as_dict,
    as_html,
    evaluate,
    guard_for,
)
from guardkit.guard import Guard, policy_path
from guardkit.types import Action, Surface

from ._compiled import checked_file
from ._eval_report import report_lines
from ._exits import CLEAN, FINDINGS, NOTHING, UNJUDGED, WRONG
from ._findings import show_frames
from ._moving_line import MovingLine, bar
from ._policies import CONTEXT, OVERLAY, PACKS, PARAM, STD, Params, facts_of, on_option
from ._screen import Screen, screen
from ._verbs import verb
from ._write import write_or_complain

if TYPE_CHECKING:
    from guardkit.packs import Installed

_FIGURES: Final = ("recall", "precision", "f1", "auc", "false_alarms")


class Gate(NamedTuple):
    """A figure and the bound it has to keep."""

    subject: str
    """Empty for the headline."""
    figure: str
    bound: float

    @property
    def name(self) -> str:
        """As it is typed."""
        return f"{self.subject}:{self.figure}" if self.subject else self.figure


def _gates(
    _context: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> tuple[Gate, ...]:
    """Reads `recall=0.9` and `classifier:auc=0.95`."""
    gates = []
    for text in given:
        named, _, written = text.partition("=")
        subject, _, figure = named.rpartition(":")
        if figure not in _FIGURES:
            near = nearest(figure, _FIGURES)
            advice = f"did you mean `{near}`?" if near else f"figures are {', '.join(_FIGURES)}"
            raise click.BadParameter(f"`{visible(text)}` names no figure; {advice}", param=param)
        try:
            bound = float(written)
        except ValueError:
            bound = -1.0
        if not 0 <= bound <= 1:
            raise click.BadParameter(f"`{visible(text)}`: a bound is between 0 and 1", param=param)
        gates.append(Gate(subject, figure, bound))
    return tuple(gates)


def _meanings(
    _context: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> dict[str, bool]:
    """Reads `jailbreak=1`."""
    meant = {}
    for text in given:
        name, equals, written = text.rpartition("=")
        if not equals or not name or written not in ("0", "1"):
            raise click.BadParameter(f"`{visible(text)}` is not NAME=1 or NAME=0", param=param)
        meant[name] = written == "1"
    return meant


@verb("eval")
@click.argument("policy", metavar="FILE")
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DATA...")
@on_option("texts that name none")
@click.option(
    "--label-is",
    "label_is",
    multiple=True,
    callback=_meanings,
    metavar="NAME=1",
    help="What a label that is a name means: 1 harmful, 0 not; repeat for more.",
)
@click.option(
    "--from",
    "weakest",
    type=click.Choice(["flag", "rewrite", "revise", "hold", "block"]),
    default="rewrite",
    metavar="ACTION",
    help="The weakest action that counts as stopping a text; rewrite if none is given.",
)
@click.option(
    "--cost-miss", type=click.FloatRange(min=0), metavar="N", help="What a missed text costs."
)
@click.option(
    "--cost-alarm", type=click.FloatRange(min=0), metavar="N", help="What a false alarm costs."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take N texts, by chance.")
@click.option(
    "--per-source",
    type=click.IntRange(min=1),
    metavar="N",
    help="Take at most N texts of one source and label.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, metavar="N", help="0 if none."
)
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="PATH", help="Write a report to read."
)
@click.option(
    "--fail-under",
    "floors",
    multiple=True,
    callback=_gates,
    metavar="[NAME:]FIGURE=N",
    help="Exit with 1 if recall, precision, f1 or auc is lower; repeat for more.",
)
@click.option(
    "--fail-over",
    "ceilings",
    multiple=True,
    callback=_gates,
    metavar="[NAME:]FIGURE=N",
    help="Exit with 1 if a figure such as false_alarms is higher.",
)
@CONTEXT
@PARAM
@PACKS
@OVERLAY
@STD
def command(
    policy: str,
    data: tuple[Path, ...],
    on: Surface,
    label_is: Mapping[str, bool],
    weakest: Action,
    cost_miss: float | None,
    cost_alarm: float | None,
    limit: int | None,
    per_source: int | None,
    seed: int,
    as_json: bool,
    html: Path | None,
    floors: tuple[Gate, ...],
    ceilings: tuple[Gate, ...],
    facts: Params,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    std: Path | None,
) -> int:
    """Measure a policy on labelled texts.

    FILE is a policy, the name of one that ships, or a module such as `std/injection`: all its
    checks and rules act. DATA is JSONL, plain or .gz, or Parquet: rows have `text` and `label`,
    which is 0 or 1, or a name (`none` is harmless). A row may have `id`, `on`, `context`,
    `session`, `tool`, `sources`, `source` and `group`.

    Says for the policy, each rule and each check what is found and what is stopped by mistake, with
    intervals of 95 %; for scores the area under the curve and what each threshold comes to.

    Exits with 0, 1 when a figure is past its bound, 2 when the policy or a file is wrong, 3 when
    something could not be judged, 5 without any text.
    """
    show = screen()
    try:
        prices = _prices(cost_miss, cost_alarm)
        if html is not None and (html.is_dir() or not html.absolute().parent.is_dir()):
            raise UsageError(f"`{visible(html.as_posix())}` cannot be written: no such folder")
        sample = Sample(limit, per_source, seed)
        cases = CaseFiles(data, on=on, label_is=label_is, sample=sample)
    except UsageError as error:
        show.complain(str(error))
        return WRONG
    if not cases.count:
        show.say(show.err.paint("there are no texts", "warn"))
        return NOTHING
    guard = _guard(show, policy, params, std, packs, overlay)
    if guard is None:
        return WRONG
    made = evaluate(
        guard,
        cases,
        files=cases.files,
        weakest=weakest,
        prices=prices,
        context=facts_of(facts),
        told=_progress(show, cases.count) if show.progress else None,
        notes=_chosen(cases),
    )
    failed, untold = _judged(show, made, floors, ceilings)
    if as_json:
        show.out.data(json.dumps(as_dict(made), indent=1) + "\n")
    else:
        for line in report_lines(show, made):
            show.out.line(line)
    if html is not None:
        if not write_or_complain(show, html, as_html(made, date.today()).encode()):
            return WRONG
        show.say(f"wrote {visible(html.as_posix())}")
    if failed:
        return FINDINGS
    is_open = made.unjudged or made.undecided or any(one.unknown for one in made.subjects)
    return UNJUDGED if is_open or untold else CLEAN


def _prices(miss: float | None, alarm: float | None) -> Prices | None:
    if miss is None and alarm is None:
        return None
    if not (miss or alarm):
        raise UsageError("mistakes that cost nothing pick no threshold: give one a price")
    return Prices(1.0 if miss is None else miss, 1.0 if alarm is None else alarm)


def _chosen(cases: CaseFiles) -> tuple[str, ...]:
    if cases.count == cases.available:
        return ()
    sample = cases.sample
    of = f"{cases.count:,} of {cases.available:,} texts, by chance (seed {sample.seed})"
    if sample.per_source is None:
        return (of,)
    return (f"{of}, at most {sample.per_source:,} of one source and label",)


def _guard(
    show: Screen,
    name: str,
    params: Params,
    std: Path | None,
    packs: Installed | None,
    overlay: Path | None,
) -> Guard | None:
    """The guard of a policy, or of a module by itself; None when people have been told why."""
    path = policy_path(name)
    if std is not None and name.startswith("std/"):  # the modules under work, not those that ship
        short = name.removeprefix("std/")
        path = std / short / f"{Path(short).name}.guard"
    policy = checked_file(show, path.as_posix(), dict(params), std, packs, overlay)
    if policy is None:
        return None
    try:
        return guard_for(policy, path, std, packs)
    except PolicyError as error:
        show_frames(show, error.diagnostics)
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
    return None


# --- gates


def _judged(
    show: Screen, made: Evaluation, floors: tuple[Gate, ...], ceilings: tuple[Gate, ...]
) -> tuple[int, int]:
    """How many figures are past their bounds, and how many cannot be told."""
    failed = untold = 0
    for gate, is_floor in (*((g, True) for g in floors), *((g, False) for g in ceilings)):
        value = _figure(made, gate)
        if value is None:
            untold += 1
            show.complain(f"`{gate.name}` cannot be told from these texts")
        elif value < gate.bound if is_floor else value > gate.bound:
            failed += 1
            side = "under" if is_floor else "over"
            show.complain(f"`{gate.name}` is {value:.4f}, {side} {gate.bound:g}")
    return failed, untold


def _figure(made: Evaluation, gate: Gate) -> float | None:
    subject: Subject | None = made.headline
    if gate.subject:
        named = [one for one in made.subjects if one.name == gate.subject]
        subject = named[0] if named else None
    if subject is None:
        return None
    if gate.figure == "auc":
        area = subject.score.auc if subject.score is not None else None
        return None if area is None else area.value
    counts = subject.counts
    if counts is None:
        return None
    if gate.figure == "f1":
        return None if counts.f1 is None else counts.f1.value
    shares = {
        "recall": counts.recall,
        "precision": counts.precision,
        "false_alarms": counts.false_alarms,
    }
    return shares[gate.figure].value


# --- progress


def _progress(show: Screen, count: int) -> Callable[[int], None]:
    """A bar on one line: how far, how fast, how long still."""
    begun = monotonic()
    line = MovingLine(show)

    def told(done: int) -> None:
        if done == count:
            line.clear()
        elif line.is_due:
            spent = monotonic() - begun
            rate = done / max(spent, 1e-9)
            left = int((count - done) / rate)
            # The first texts take longer: models open, tables load. A rate of them misleads.
            pace = f"  {rate:,.0f}/s  {left // 60}:{left % 60:02} left" if spent > 1 else ""
            line.tell(f"{bar(done / count)} {done:,} of {count:,}{pace}")

    return told
