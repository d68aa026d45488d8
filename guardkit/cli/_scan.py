"""`guardkit scan`: verdicts over a text, standard input, files and folders of texts."""

from __future__ import annotations

import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from guardkit.batch import (
    Asked,
    Corpus,
    Crew,
    Engine,
    Recipe,
    Run,
    Totals,
    corpus_of,
    judge_corpus,
)
from guardkit.errors import GuardkitError
from guardkit.types import Surface

from ._bound import bound_file
from ._exits import WRONG
from ._moving_line import MovingLine, bar
from ._policies import CONTEXT, OVERLAY, PACKS, PARAM, STD, Params, facts_of, on_option
from ._scan_report import Format, Report, code_of, sum_up
from ._screen import Screen, screen
from ._verbs import verb

if TYPE_CHECKING:
    from guardkit.guard import Guard
    from guardkit.packs import Installed


@verb("scan")
@click.argument("policy", metavar="FILE")
@click.argument("inputs", nargs=-1, metavar="[TEXT|-|DATA]...")
@on_option("texts that name none")
@click.option(
    "--field", default="text", metavar="NAME", help="The field or column with the text; text."
)
@click.option("--lines", is_flag=True, help="Every line of plain text is a text.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["text", "json", "jsonl"]),
    metavar="FORMAT",
    help="text, json or jsonl.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write results to a .jsonl, .parquet or .sqlite file.",
)
@click.option("--resume", is_flag=True, help="Go on with a run into --out that was stopped.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    metavar="ENGINE",
    help="Who judges: local, or ray for a cluster.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Judge in N processes; one if none is given, with ray one a processor.",
)
@click.option(
    "--show-values", is_flag=True, help="Show what was found and what a text becomes, not masked."
)
@CONTEXT
@PARAM
@PACKS
@OVERLAY
@STD
def command(
    policy: str,
    inputs: tuple[str, ...],
    on: Surface,
    field: str,
    lines: bool,
    format: Format | None,
    out: Path | None,
    resume: bool,
    engine: Engine,
    workers: int | None,
    show_values: bool,
    facts: Params,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    std: Path | None,
) -> int:
    """Judge texts by a policy.

    FILE is a policy, or the name of one that ships, such as `starter`. An input is a text, `-` for
    standard input, a file, or a folder: all files of texts below it. Files end in .jsonl,
    .jsonl.gz, .parquet, .csv or .tsv, whose rows have a field `text` and may have `id`, `on`,
    `context`, `session` and `tool`; or in .txt, .md or .log, which are a text each.

    With --out a run may be stopped at any time, as by Ctrl-C, and gone on with by --resume.

    Exits with 0 when everything may pass, 1 when something was stopped, 2 when the policy or a file
    is wrong, 3 when something could not be judged, 5 without any text, 130 when interrupted.
    """
    show = screen()
    if resume and out is None:
        raise click.UsageError("--resume goes on with a run into a file: name it by --out.")
    if format is not None and out is not None:
        raise click.UsageError("--format is for standard output; the name of --out says its form.")
    if not inputs:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("Give a TEXT, a data file, or `-` for standard input.")
        inputs = ("-",)
    context = facts_of(facts)
    # A GPU is lost to a process that was forked.
    device = "cpu" if engine == "local" and (workers or 1) > 1 else "auto"
    guard = bound_file(show, policy, dict(params), std, packs, overlay, device=device)
    if guard is None:
        return WRONG
    asked = Asked(context, is_whole=out is None, shows_values=show_values)
    recipe = Recipe(policy, dict(params), std, packs, overlay)
    try:
        corpus = corpus_of(inputs, on=on, field=field, lines=lines)
        _tell_left_out(show, corpus)
        crew = Crew(engine, workers, recipe)
        if out is not None:
            return _into_file(show, guard, corpus, asked, out, crew, resume=resume, lines=lines)
        return _to_stdout(show, guard, corpus, asked, crew, format or "text", lines=lines)
    except GuardkitError as error:
        show.complain(str(error))
    return WRONG


def _tell_left_out(show: Screen, corpus: Corpus) -> None:
    if corpus.left_out:
        files = "1 file is" if corpus.left_out == 1 else f"{corpus.left_out} files are"
        show.say(show.err.paint(f"{files} left out: no files of texts by their names", "warn"))


def _to_stdout(
    show: Screen,
    guard: Guard,
    corpus: Corpus,
    asked: Asked,
    crew: Crew,
    format: Format,
    *,
    lines: bool,
) -> int:
    is_alone = not lines and all(source.kind in ("given", "stdin") for source in corpus.sources)
    report = Report(show, format, is_alone=is_alone)
    # Two that write to one terminal would write over each other.
    line = None if show.out.file.isatty() else _Progress(show, corpus)
    is_wrong = False
    report.begin()
    try:
        try:
            for judged in judge_corpus(guard, corpus, asked, crew, lines=lines):
                report.add(judged.results)
                if line is not None:
                    line.tell(report.totals, judged.position)
        finally:
            if line is not None:
                line.clear()
    except GuardkitError as error:
        show.complain(str(error))
        is_wrong = True
    report.end()
    sum_up(show, report.totals)
    return WRONG if is_wrong else code_of(report.totals)


def _into_file(
    show: Screen,
    guard: Guard,
    corpus: Corpus,
    asked: Asked,
    out: Path,
    crew: Crew,
    *,
    resume: bool,
    lines: bool,
) -> int:
    with Run(guard, corpus, asked, out, crew, resume=resume, lines=lines) as run:
        if run.begun_with.rows:
            show.say(f"{run.begun_with.rows} texts were judged before")
        line = _Progress(show, corpus, run.begun_with.rows)
        try:
            for judged in run:
                line.tell(run.totals, judged.position)
        except KeyboardInterrupt:
            line.clear()
            show.say(f"stopped after {run.totals.rows} texts: `--resume` goes on from there")
            raise
        finally:
            line.clear()
        sum_up(show, run.totals)
        return code_of(run.totals)


class _Progress:
    """How far a run is, how fast it goes, and how long it will take."""

    def __init__(self, show: Screen, corpus: Corpus, before: int = 0) -> None:
        self._line = MovingLine(show)
        self._size = corpus.size
        self._before = before
        self._begun = monotonic()
        self._from: int | None = None

    def tell(self, totals: Totals, position: int) -> None:
        """Say it, if it is time to."""
        if self._from is None:
            self._from = position  # where this run began, but for its first block
        if not self._line.is_due:
            return
        took_s = max(monotonic() - self._begun, 1e-6)
        rate = (totals.rows - self._before) / took_s
        said = f"{totals.rows:,} texts  {rate:,.0f}/s"
        if self._size:
            part = position / self._size
            said = f"{bar(part)} {part:4.0%}  {said}"
            read = position - self._from
            if read > 0 and took_s > 1:
                said += f"  {_duration((self._size - position) * took_s / read)} left"
        self._line.tell(said)

    def clear(self) -> None:
        """Take it back."""
        self._line.clear()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
