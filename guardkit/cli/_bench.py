"""`guardkit bench`: what a policy costs on this machine, measured, against its budgets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from guardkit.bench import (
    CLOCKS,
    QUANTILES,
    QUICK_SIZES,
    SIZES,
    ClockName,
    Comparison,
    Loading,
    QuantileName,
    Report,
    as_html,
    compare,
    digests_of,
    measure,
)
from guardkit.diagnostics import visible
from guardkit.errors import BindError, UsageError
from guardkit.guard import (
    CATALOG,
    BrokenRow,
    Case,
    Guard,
    case_file,
    cases_of,
    data_of,
    folder_of,
    policy_path,
    texts_of,
)
from guardkit.plan import Plan
from guardkit.runtime import Machine
from guardkit.types import Surface

from ._bench_report import compared, summed_up, tables
from ._compiled import planned_file
from ._exits import CLEAN, FINDINGS, NOTHING, UNJUDGED, WRONG
from ._moving_line import MovingLine, bar
from ._policies import CONTEXT, OVERLAY, PACKS, PARAM, STD, SURFACE, Params, facts_of
from ._screen import Screen, screen
from ._verbs import verb, version
from ._write import write_or_complain

if TYPE_CHECKING:
    from guardkit.packs import Installed

_SECONDS = 18.0
_QUICK_SECONDS = 3.0
_MOST_BYTES = 64 << 20
"""The largest report that is read."""
_MOST_CHARS = 64 << 20
"""Of the texts that are measured with, all of them together: each is asked about many times."""


def _percent(context: click.Context, param: click.Parameter, given: str) -> float:
    try:
        value = float(given.strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1_000:
        raise click.BadParameter(f"`{visible(given)[:20]}` is no percentage.", context, param)
    return value / 100


@verb("bench")
@click.argument("policy", metavar="FILE")
@click.argument("inputs", nargs=-1, metavar="[DATA|-]...")
@click.option(
    "--on",
    "surfaces",
    multiple=True,
    type=SURFACE,
    metavar="SURFACE",
    help="Only this surface; repeat for more. Also that of rows which name none.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(10, 1_000_000),
    metavar="CHARS",
    help="The length of made texts; repeat for more. 60, 200, 1000 and 4000 if none.",
)
@click.option(
    "--at-once",
    "at_once",
    multiple=True,
    type=click.IntRange(1, 4_096),
    metavar="N",
    help="So many calls at once; repeat for more. 1, 8 and 64 if none, as far as there is time.",
)
@click.option("--quick", is_flag=True, help="Few seconds and fewer sizes, for CI.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 3_600),
    metavar="N",
    help=f"How long to measure, about. {_SECONDS:g}, quick {_QUICK_SECONDS:g}.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 99),
    default=3,
    show_default=True,
    metavar="N",
    help="A budget is over if it is over in most rounds.",
)
@click.option(
    "--quantile",
    type=click.Choice(tuple(QUANTILES)),
    default="p99",
    show_default=True,
    metavar="QUANTILE",
    help="What is held against budgets: p50, p95 or p99.",
)
@click.option(
    "--clock",
    type=click.Choice(tuple(CLOCKS)),
    default="wall",
    show_default=True,
    metavar="CLOCK",
    help="wall, or cpu: the processor time of this process, on a machine that others use too.",
)
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write the report as JSON; `-` is standard output.",
)
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="PATH", help="Write a report to read."
)
@click.option(
    "--compare",
    "old_file",
    type=click.Path(path_type=Path),
    metavar="OLD",
    help="Compare with a report that `--json` wrote.",
)
@click.option(
    "--tolerance",
    callback=_percent,
    default="10%",
    show_default=True,
    metavar="PERCENT",
    help="How much slower than OLD is no finding.",
)
@click.option(
    "--may-lack", is_flag=True, help="Measure without the checks that cannot be bound here."
)
@CONTEXT
@PARAM
@PACKS
@OVERLAY
@STD
def command(
    policy: str,
    inputs: tuple[str, ...],
    surfaces: tuple[Surface, ...],
    sizes: tuple[int, ...],
    at_once: tuple[int, ...],
    quick: bool,
    seconds: float | None,
    rounds: int,
    quantile: QuantileName,
    clock: ClockName,
    json_file: str | None,
    html: Path | None,
    old_file: Path | None,
    tolerance: float,
    may_lack: bool,
    facts: Params,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    std: Path | None,
) -> int:
    """Measure what a policy costs on this machine, against its budgets.

    FILE is a policy, or the name of one that ships. DATA is a file of texts, as `scan` reads it:
    .jsonl, .jsonl.gz or .parquet; `-` takes every line of standard input as a text. Without any,
    texts are made: prose in six languages, and hostile texts full of half matches.

    A budget is held against the slowest group of texts; one `per chunk` against the slowest step of
    a stream.

    Exits with 1 when a surface is over its budget or slower than in OLD, 2 when the policy or a
    file is wrong, 3 when checks could not do their work, 5 without any text.
    """
    show = screen()
    written = [path for path in (html, _file_of(json_file)) if path is not None]
    if not _can_be_written(show, written):
        return WRONG
    try:
        old = None if old_file is None else _read_report(old_file)
        texts = _texts(show, inputs, surfaces) if inputs else None
    except UsageError as error:
        show.complain(str(error))
        return WRONG
    if texts is not None and not texts:
        show.say(show.err.paint("there is nothing to judge", "warn"))
        return NOTHING
    made = _bound(show, policy, params, std, packs, overlay, may_lack=may_lack)
    if made is None:
        return WRONG
    guard, machine, loading = made
    line = MovingLine(show)

    def told(what: str, part: float) -> None:
        if line.is_due:
            line.tell(f"{bar(part)} {int(100 * part):>3} %  {what}")

    try:
        report = measure(
            guard,
            on=surfaces,
            texts=texts,
            sizes=sizes or (QUICK_SIZES if quick else SIZES),
            at_once=at_once,
            seconds=seconds or (_QUICK_SECONDS if quick else _SECONDS),
            rounds=rounds,
            quantile=quantile,
            context=facts_of(facts) or None,
            bind=lambda part: Guard(part, catalog=CATALOG, machine=machine),
            loading=loading,
            models=digests_of(guard.plan, machine.folder),
            device=machine.device,
            version=version(),
            clock=clock,
            told=told,
        )
        comparison = None if old is None else compare(old, report.as_json(), tolerance=tolerance)
    except UsageError as error:
        show.complain(str(error))
        return WRONG
    finally:
        line.clear()
    return _told(show, report, comparison, json_file, html)


def _file_of(json_file: str | None) -> Path | None:
    return None if json_file in (None, "-") else Path(json_file)


def _can_be_written(show: Screen, paths: Iterable[Path]) -> bool:
    """Whether there is a folder for each file; who waits for minutes wants to know before."""
    for path in paths:
        if path.is_dir() or not path.absolute().parent.is_dir():
            show.complain(f"`{visible(path.as_posix())}` cannot be written: no such folder")
            return False
    return True


def _told(
    show: Screen,
    report: Report,
    comparison: Comparison | None,
    json_file: str | None,
    html: Path | None,
) -> int:
    """Write what was found; the exit code."""
    if html is not None:
        page = as_html(report, comparison, date.today())
        if not write_or_complain(show, html, page.encode()):
            return WRONG
    if json_file is not None:
        data = report.as_json()
        if comparison is not None:
            data["compare"] = comparison.as_json()
        spelled = json.dumps(data, indent=2) + "\n"
        if json_file == "-":
            show.out.data(spelled)
        elif not write_or_complain(show, Path(json_file), spelled.encode()):
            return WRONG
    if json_file != "-":
        for line in tables(show.out, report):
            show.out.line(line)
        if comparison is not None:
            for line in compared(show.out, comparison):
                show.out.line(line)
    for line in summed_up(show.err, report, comparison):
        show.say(line)
    if report.over or (comparison is not None and comparison.slower):
        return FINDINGS
    return UNJUDGED if report.unjudged else CLEAN


# --- what is read


def _read_report(path: Path) -> Any:  # JSON
    shown = visible(path.as_posix())
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise UsageError(f"`{shown}` is too large for a report")
        return json.loads(data)
    except OSError as error:
        why = (error.strerror or "it is no file").lower()
        raise UsageError(f"`{shown}` cannot be read: {why}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"`{shown}` is not JSON") from None


def _texts(
    show: Screen, inputs: Sequence[str], surfaces: Sequence[Surface]
) -> dict[Surface, list[str]]:
    """The texts of each surface, each once; of more than can be measured with, the first."""
    usual: Surface = surfaces[0] if surfaces else "input"
    found: dict[Surface, dict[str, None]] = {}
    skipped = bare = chars = 0
    for case in chain.from_iterable(_cases(name, usual) for name in inputs):
        if isinstance(case, BrokenRow):
            skipped += 1
            continue
        texts = found.setdefault(case.on, {})
        chars += len(case.text) if case.text not in texts else 0
        if chars > _MOST_CHARS:
            many = sum(map(len, found.values()))
            said = f"only the first {many:,} texts are measured with: there are too many"
            show.say(show.err.paint(said, "warn"))
            break
        texts[case.text] = None
        bare += case.context is not None or case.session is not None or case.tool is not None
    for count, what in (
        (skipped, "unreadable"),
        (bare, "measured without the context, session or tool that it names"),
    ):
        if count:
            rows = "row is" if count == 1 else "rows are"
            shown = what if count == 1 else what.replace("it names", "they name")
            show.say(show.err.paint(f"{count:,} {rows} {shown}", "warn"))
    return {surface: list(texts) for surface, texts in found.items()}


def _cases(name: str, on: Surface) -> Iterable[Case | BrokenRow]:
    if name == "-":
        if sys.stdin is None:  # closed by whoever started us
            raise UsageError("standard input is closed")
        return texts_of(sys.stdin.buffer, "stdin", on)
    return cases_of(case_file(name), on)


# --- the guard


def _bound(
    show: Screen,
    name: str,
    params: Params,
    std: Path | None,
    packs: Installed | None,
    overlay: Path | None,
    *,
    may_lack: bool,
) -> tuple[Guard, Machine, Loading] | None:
    """The guard of a policy and how long it took to make, or None when people were told why not."""
    path = policy_path(name)
    begun = perf_counter()
    plan = planned_file(show, path.as_posix(), dict(params), std, packs, overlay)
    if plan is None:
        return None
    compiled = perf_counter()
    folder = folder_of(path.parent, std)
    machine = Machine(data_of(path.parent, std, packs), folder=folder, may_lack=may_lack)
    try:
        guard, bind_us = _timed(plan, machine)
        _, again_us = _timed(plan, machine)
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
        if not may_lack:
            show.say("`--may-lack` measures without the checks that cannot be bound")
        return None
    return guard, machine, Loading((compiled - begun) * 1e6, bind_us, again_us)


def _timed(plan: Plan, machine: Machine) -> tuple[Guard, float]:
    begun = perf_counter()
    guard = Guard(plan, catalog=CATALOG, machine=machine)
    return guard, (perf_counter() - begun) * 1e6
