"""`guardkit test`: the `test` blocks and the `probe` blocks of policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from guardkit.diagnostics import visible
from guardkit.errors import PolicyError
from guardkit.guard import compile_file, data_of, folder_of
from guardkit.testing import Coverage, Stage, run_probes, run_tests, stage

from ._exits import CLEAN, FINDINGS, NOTHING, UNJUDGED, WRONG
from ._findings import show_frames
from ._policies import FILES, OVERLAY, PACKS, PARAM, STD, Params, find_policies
from ._screen import Screen, screen
from ._test_coverage import is_under, show_coverage
from ._test_json import json_text
from ._test_junit import junit_text
from ._test_progress import Progress
from ._test_report import Suite, show_probe, show_test, summed_up
from ._verbs import verb
from ._write import write_or_complain

if TYPE_CHECKING:
    from guardkit.packs import Installed


_MOST_KEPT: Final = 32
"""Policies that stay bound while others run: the models they share stay open, and what a model
has read stays read until the next run."""

_Kept = dict[Path, Stage]


@dataclass(frozen=True, slots=True)
class _Options:
    """What the command line asks for."""

    pattern: str | None
    format: Literal["full", "json"]
    junit: Path | None
    probes: bool
    coverage: bool
    fail_under: float | None
    show_values: bool
    none_ok: bool
    params: Params
    packs: Installed | None
    overlay: Path | None
    std: Path | None

    def wants(self, name: str) -> bool:
        """Whether a test or probe of this name is to be run."""
        if self.pattern is None:
            return True
        glob = f"*{self.pattern.casefold().replace('[', '[[]')}*"
        return fnmatchcase(name.casefold(), glob)


@verb("test")
@FILES
@click.option(
    "-k",
    "pattern",
    metavar="PATTERN",
    help="Only tests and probes with PATTERN in their name; * and ? are wildcards.",
)
@click.option("--no-probes", is_flag=True, help="Leave out the probes.")
@click.option(
    "--coverage",
    is_flag=True,
    help="Show which outcomes of rules, steps and the like the tests have seen, and which never.",
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail where the tests have seen less of the rules' outcomes; --coverage comes with it.",
)
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="PATH", help="Write a JUnit report too."
)
@click.option(
    "--format",
    "format",
    type=click.Choice(["full", "json"]),
    default="full",
    metavar="FORMAT",
    help="full or json. `full` goes to stderr, `json` to stdout.",
)
@click.option(
    "--show-values", is_flag=True, help="Show the texts that probes missed, not only their lines."
)
@click.option("--none-ok", is_flag=True, help="Exit with 0, not 5, where there are no tests.")
@click.option("--watch", is_flag=True, help="Run again whenever a policy or its data changes.")
@PARAM
@PACKS
@OVERLAY
@STD
def command(
    files: tuple[str, ...],
    pattern: str | None,
    no_probes: bool,
    coverage: bool,
    fail_under: float | None,
    junit: Path | None,
    format: Literal["full", "json"],
    show_values: bool,
    none_ok: bool,
    watch: bool,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    std: Path | None,
) -> int:
    """Run the `test` and `probe` blocks of policies.

    FILE is a policy or a module, or a folder: every .guard file below it. Texts are judged as live
    traffic is, disguises included; only budgets are left to `bench`. What a test gives is answered
    as given. A check that cannot run here, because it needs a model or a callable, decides nothing:
    a test or probe whose outcome depends on it is undecided.

    Exits with 0 when all pass, 1 when one fails, 2 when a policy does not compile or a case file
    is wrong, 3 when one is undecided, 5 when there are none.
    """
    options = _Options(
        pattern,
        format,
        junit,
        not no_probes,
        coverage or fail_under is not None,
        fail_under,
        show_values,
        none_ok,
        params,
        packs,
        overlay,
        std,
    )
    show = screen()
    kept: _Kept = {}
    if not watch:
        return _once(show, files, options, kept)
    if format == "json":
        raise click.UsageError("--watch is for people: leave out --format json.")
    from ._test_watch import run_on_changes

    looked_at = files if overlay is None else (*files, str(overlay))
    return run_on_changes(show, looked_at, junit, lambda: _once(show, files, options, kept))


def _once(show: Screen, files: tuple[str, ...], options: _Options, kept: _Kept) -> int:
    paths, wrong = find_policies(files)
    told = options.format == "full" and (show.progress or len(paths) > 1)
    progress = Progress(show, told=told, speaks=options.format == "full")
    suites = [_run(progress, path, options, kept) for path in paths]
    if options.format == "json":
        show.out.write(json_text(suites, wrong, options.fail_under, values=options.show_values))
    else:
        is_told = told or any(suite.probes for suite in suites)
        _tell(show, suites, options, is_told=is_told and not show.quiet)
    if wrong:
        show_frames(show, wrong)
    junit = options.junit
    if junit is not None and not write_or_complain(show, junit, junit_text(suites).encode()):
        return WRONG
    code = _exit_code(suites, options, is_wrong=bool(wrong))
    if code == NOTHING:
        if options.none_ok:
            code = CLEAN
        shown = visible(options.pattern or "")
        what = f"no test matches `{shown}`" if options.pattern else "there are no tests"
        show.say(show.err.paint(what, "warn"))
    return code


def _run(progress: Progress, path: Path, options: _Options, kept: _Kept) -> Suite:
    given = dict(options.params)
    checked = compile_file(
        path, params=given, std=options.std, packs=options.packs, overlay=options.overlay
    )
    suite = Suite(path.as_posix(), checked.policy, checked.diagnostics)
    policy = checked.policy
    if policy is None:
        return suite
    tests = [case for case in policy.tests if options.wants(case.name)]
    probes = [probe for probe in policy.probes if options.probes and options.wants(probe.name)]
    if not tests and not probes and not options.coverage:
        progress.nothing(suite)
        return suite
    read = data_of(path.parent, options.std, options.packs)
    folder = folder_of(path.parent, options.std)
    try:
        bound = stage(policy, read, folder=folder)
    except PolicyError as error:
        suite.policy, suite.diagnostics = None, error.diagnostics
        return suite
    kept[path] = bound
    if len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]
    progress.begin(suite)
    seen = Coverage(bound) if options.coverage else None
    wanted: Callable[[object], bool] = {
        id(one) for one in (*tests, *probes)
    }.__contains__  # equal tests are two tests
    watch = None if seen is None else seen.see
    for result in run_tests(
        policy, read, wanted=lambda case: wanted(id(case)), stage=bound, watch=watch
    ):
        suite.results.append(result)
        progress.tested(result)
    progress.tests_done(suite)
    for rated in run_probes(
        policy, read, wanted=lambda probe: wanted(id(probe)), stage=bound, told=progress.probing
    ):
        suite.probes.append(rated)
        progress.probed(rated)
    if seen is not None:
        suite.covered = seen.covered()
    return suite


def _tell(show: Screen, suites: list[Suite], options: _Options, *, is_told: bool) -> None:
    """What did not pass, what was covered, and the sum; `is_told`: lines stand above it."""
    for suite in suites:
        if suite.policy is None:
            is_told = _apart(show, is_told)
            show_frames(show, [d for d in suite.diagnostics if d.is_error])
        for result in suite.results:
            if result.status != "passed":
                is_told = _apart(show, is_told)
                show_test(show, result)
        for rated in suite.probes:
            if rated.status != "passed":
                is_told = _apart(show, is_told)
                show_probe(show, rated, values=options.show_values)
    if options.coverage and any(suite.covered for suite in suites) and not show.quiet:
        is_told = _apart(show, is_told)
        show_coverage(show, suites, options.fail_under)
    if any(suite.results or suite.probes or suite.policy is None for suite in suites):
        if is_told:
            show.say()
        show.say(summed_up(show, suites))


def _apart(show: Screen, is_told: bool) -> bool:
    """A blank line after what stands above, if anything does."""
    if is_told:
        show.err.line()
    return True


def _exit_code(suites: list[Suite], options: _Options, *, is_wrong: bool) -> int:
    statuses = {status for suite in suites for status in suite.statuses}
    if is_wrong or "broken" in statuses or any(suite.policy is None for suite in suites):
        return WRONG
    if "failed" in statuses or is_under(suites, options.fail_under):
        return FINDINGS
    if "undecided" in statuses:
        return UNJUDGED
    return CLEAN if statuses else NOTHING
