"""One run over a corpus: which engine judges, where it begins, what becomes of a stop."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.guard import Case, Guard, judged

from ._corpus import START, Corpus, Mark
from ._journal import Identity, Totals
from ._judging import Asked, Judged
from ._local import judge_here
from ._output import Output
from ._read import Reader, StandardInput
from ._recipe import Recipe
from ._workers import judge_in_workers

Engine = Literal["local", "ray"]


class Crew(NamedTuple):
    """Who judges.

    Args:
        engine: This machine, or a cluster of Ray.
        workers: How many processes; None for one, or for as many as the cluster has processors.
        recipe: How other machines make the guard; `ray` needs it.
    """

    engine: Engine = "local"
    workers: int | None = None
    recipe: Recipe | None = None

    def judge(
        self, guard: Guard, corpus: Corpus, asked: Asked, start: Mark, *, lines: bool = False
    ) -> Iterator[Judged]:
        """Judge a corpus from a place on, in order; see `judge_corpus`."""
        has_stdin = any(source.kind == "stdin" for source in corpus.sources)
        if self.engine == "ray":
            from ._ray import judge_on_ray

            if self.recipe is None:
                raise UsageError("Ray needs to know how the guard is made: give a recipe")
            if not corpus.can_be_read_again:
                raise UsageError("Ray reads files: name files or folders")
            return judge_on_ray(guard, asked, corpus, start, self.recipe, self.workers)
        reader = StandardInput(corpus, lines=lines) if has_stdin else Reader(corpus, start)
        if self.workers is None or self.workers == 1:
            return judge_here(guard, asked, reader)
        return judge_in_workers(guard, asked, reader, self.workers)


ALONE: Final = Crew()
"""This process, by itself."""


def judge_corpus(
    guard: Guard, corpus: Corpus, asked: Asked, crew: Crew = ALONE, *, lines: bool = False
) -> Iterator[Judged]:
    """Judge a corpus: block after block, in the order of its rows.

    Args:
        guard: The guard.
        corpus: The texts.
        asked: What is asked, and how much of the answer is kept.
        crew: Who judges. The verdicts are the same whoever does.
        lines: Every line of the standard input is a text.

    Raises:
        UsageError: A file cannot be read, or the crew cannot work here.
    """
    return crew.judge(guard, corpus, asked, START, lines=lines)


class Run:
    """A run whose results go to a file. It can be stopped at any time and gone on with.

    Args:
        guard: The guard.
        corpus: The texts.
        asked: What is asked.
        out: The file of results: .jsonl, .parquet or .sqlite.
        crew: Who judges.
        resume: Go on with a run that was stopped; from the start where there was none.
        lines: Every line of the standard input is a text.

    Raises:
        UsageError: The file is not one of results, belongs to another run, or is among the texts;
            or the corpus cannot be read again and is to be gone on with.

    Example:
        >>> with Run(guard, corpus, Asked(), Path("out.jsonl")) as run:  # doctest: +SKIP
        ...     for judged in run: ...
    """

    def __init__(
        self,
        guard: Guard,
        corpus: Corpus,
        asked: Asked,
        out: Path,
        crew: Crew = ALONE,
        *,
        resume: bool = False,
        lines: bool = False,
    ) -> None:
        if resume and not corpus.can_be_read_again:
            raise UsageError("only files can be gone on with: their texts can be read again")
        if corpus.holds(out):
            raise UsageError(f"`{visible(out.as_posix())}` lies among the texts to judge")
        self._guard = guard
        self._corpus = corpus
        self._asked = asked
        self._crew = crew
        self._lines = lines
        self._judging: list[Generator[Judged, None, None]] = []
        identity = Identity.of(guard.digest, corpus, asked)
        self._output = Output(out, identity, resume=resume, shows_values=asked.shows_values)
        self.begun_with: Totals = self._output.totals
        """What earlier runs had done."""

    @property
    def totals(self) -> Totals:
        """What came of all rows so far, those of earlier runs included."""
        return self._output.totals

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        # Whatever stops it, Ctrl-C too: processes end, and what is judged stays judged.
        try:
            for judging in self._judging:
                judging.close()
            self._output.keep()
        finally:
            self._output.close()

    def __iter__(self) -> Iterator[Judged]:
        made = self._judged()
        self._judging.append(made)
        return made

    def _judged(self) -> Generator[Judged, None, None]:
        output, start = self._output, self._output.journal.mark
        if output.journal.is_over:
            return
        self._recall(start)
        judging = self._crew.judge(self._guard, self._corpus, self._asked, start, lines=self._lines)
        for one in judging:
            output.add(one.results, one.items[-1].mark)
            yield one
        output.finish()

    def _recall(self, start: Mark) -> None:
        """Judge again what sessions remember: the rows of conversations that lie before a place."""
        if start == START or not self._guard.needs_session:
            return
        for item in Reader(self._corpus):
            if item.mark > start:
                return
            if isinstance(item.case, Case) and item.case.session:
                judged(self._guard, item.case, context=self._asked.context)
