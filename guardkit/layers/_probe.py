"""A run of probes from beginning to end: trials, searches, the file, the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final, Literal

from ._compare_probe import Compared, Earlier
from ._crew import run_crew
from ._ended import Ended, Target, stopping_rules
from ._figures import Figures
from ._play import Job, Result, name_of, play, taken_from
from ._run_file import RunFile, is_open, rows_of
from ._search import Found, adaptive_of
from ._setting import AT_ONCE, AT_ONCE_ALONE, Setting
from ._suites import Suite
from ._tally import ALONE, Head, Tally
from ._to_its_end import to_its_end
from ._trials import SPLITS, Choice, Trials, disguised_case, pieces_of

Phase = Literal["trials", "searches"]
Told = Callable[[Phase, int, int], None]
"""Is told how many are done, of how many."""

_NOTES: Final = (
    "intervals are of 95 % and count cases, not trials: forms of one text are one witness",
)


class Probe:
    """A run of probes, made ready. `run` makes it, `figures` says what came of it so far.

    Args:
        on: A `Setting`, from which every process binds a guard of its own, or a `Target` that is
            there already and stays in this process.
        suite: The cases.
        choice: Which trials of them are made.
        workers: How many processes make trials; 1: this one.
        adaptive: The most queries that are spent on each attack case that no trial got through.
        out: A file to which every trial is written as it ends.
        resume: Whether to go on with what is in that file; what could not be judged is tried again.
        shows_text: Whether the file holds the texts too.
        earlier: The file of a run to compare with.

    Raises:
        UsageError: A file cannot be used, or is of another run.
        PolicyError: The policy does not compile.

    Example:
        >>> probe = Probe(Setting("chat"), load_suite(), Choice(limit=1000))  # doctest: +SKIP
        >>> probe.run().leaked.shown  # doctest: +SKIP
        '43.1% (38.0-48.4)'
    """

    def __init__(
        self,
        on: Setting | Target,
        suite: Suite,
        choice: Choice | None = None,
        *,
        workers: int = 1,
        adaptive: int = 0,
        out: Path | None = None,
        resume: bool = False,
        shows_text: bool = False,
        earlier: Path | None = None,
    ) -> None:
        self._on = on
        self._suite = suite
        self._workers = workers if isinstance(on, Setting) else 1
        choice = Choice() if choice is None else choice
        self.trials = Trials(suite.cases, choice)
        self._plan = plan = on.plan() if isinstance(on, Setting) else on.guard.plan
        target = on.target if isinstance(on, Setting) else ALONE if on.model is None else "model"
        self.head = Head(
            plan.policy,
            plan.digest,
            target,
            suite.digest,
            choice.seed,
            choice.as_dict(),
            len(self.trials),
            adaptive,
        )
        self._earlier = None if earlier is None else Earlier(earlier)
        self._tally = Tally(has_weights=self.head.has_weights)
        self._found: list[Found] = []
        self._over: set[str] = set()
        self.resumed = 0
        """How many trials were there already, and judged."""
        self._shows_text = shows_text
        self._cases = {case.id: case for case in suite.cases} if shows_text else {}
        self._file = None if out is None else RunFile(out, self.head, resume=resume)
        if out is not None and resume:
            for row in rows_of(out):
                if not is_open(row):
                    self._count(row)
                    self._over.add(row.id)
            self.resumed = self._tally.trials

    @property
    def finished(self) -> int:
        """How many trials have ended."""
        return self._tally.trials

    def run(self, told: Told = lambda phase, done, of: None) -> Figures:
        """Make all trials that have not ended yet, then the searches.

        Args:
            told: Is told how far the run is, maybe from another thread.

        Raises:
            BindError: This machine cannot run the policy, or a process could not.
            UsageError: There is no such model.
            CrewError: Too many processes died.
        """
        count = len(self.trials)
        try:
            self._make(self._open(self.trials), partial(self._trial_done, told, count))
            if self.head.adaptive:
                stopped = self._tally.stopped_cases()
                cases = [case for case in self._suite.cases if case.id in stopped]
                self._make(self._open(cases), partial(self._search_done, told, len(cases)))
        finally:
            if self._file is not None:
                self._file.close()
        return self.figures()

    def figures(self) -> Figures:
        """The figures of what has ended."""
        adaptive = None
        if self.head.adaptive:
            leaked, stopped = self._tally.leaked_cases(), self._tally.stopped_cases()
            adaptive = adaptive_of(
                self._found, self.head.adaptive, leaked, len(leaked) + len(stopped)
            )
        notes = [*_NOTES]
        if len(self.trials) < self.trials.available:
            notes.append(
                f"{len(self.trials):,} of {self.trials.available:,} trials, drawn by chance "
                f"(seed {self.head.seed})"
            )
        if bare := self._bare_surfaces():
            surfaces = ", ".join(bare)
            notes.append(f"no rule of the policy stops anything on {surfaces}: cases there pass")
        if not self.head.has_weights:
            notes.append("no weights were asked: `leaked` means that the policy let it pass")
        return self._tally.figures(
            self.head,
            broken=[str(one) for one in self._suite.broken],
            adaptive=adaptive,
            notes=notes,
        )

    def _bare_surfaces(self) -> list[str]:
        """The surfaces of cases on which nothing can be stopped."""
        stopping = stopping_rules(self._plan)
        guarded = {on for row in self._plan.rules if row.name in stopping for on in row.surfaces}
        return sorted({case.on for case in self.trials.cases} - guarded)

    def compared(self) -> Compared | None:
        """What changed since the earlier run, where there is one."""
        return None if self._earlier is None else self._earlier.compared(self.figures())

    # --- jobs

    def _open(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Those that have not ended."""
        return (job for job in jobs if name_of(job) not in self._over)

    def _make(self, jobs: Iterator[Job], done: Callable[[Result], None]) -> None:
        first = next(jobs, None)
        if first is None:
            return  # nothing is bound for nothing
        jobs = chain((first,), jobs)
        seed, budget = self.head.seed, self.head.adaptive
        if isinstance(self._on, Setting) and self._workers > 1:
            run_crew(jobs, self._on, done, workers=self._workers, seed=seed, budget=budget)
            return
        target = self._on.opened() if isinstance(self._on, Setting) else self._on
        at_once = AT_ONCE if self.head.has_weights else AT_ONCE_ALONE
        take = taken_from(jobs)
        to_its_end(
            lambda: play(take, target, done, seed=seed, budget=budget, at_once=at_once),
        )

    def _trial_done(self, told: Told, count: int, result: Result) -> None:
        self._count(result)
        if self._file is not None and isinstance(result, Ended):
            self._file.add(result, self._said(result) if self._shows_text else None)
        told("trials", self._tally.trials, count)

    def _said(self, ended: Ended) -> dict[str, object]:
        """What was said in a trial, piece by piece."""
        case = self._cases[ended.case]
        worn = disguised_case(case, ended.disguise, self.head.seed)
        split = next(name for name in SPLITS if name == ended.split)
        return {"text": [*worn.turns, *pieces_of(worn.text, split)]}

    def _search_done(self, told: Told, count: int, result: Result) -> None:
        self._count(result)
        if self._file is not None and isinstance(result, Found):
            self._file.add_found(result)
        told("searches", len(self._found), count)

    def _count(self, result: Result) -> None:
        if isinstance(result, Found):
            self._found.append(result)
            return
        self._tally.add(result)
        if self._earlier is not None:
            self._earlier.add(result)
