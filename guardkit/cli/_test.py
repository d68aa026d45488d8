"""`guardkit test`: the `test` blocks of policies."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import click

from guardkit.diagnostics import visible
from guardkit.guard import compile_file, data_of, folder_of
from guardkit.semantics import TestCase
from guardkit.testing import run_tests

from ._exits import CLEAN, FINDINGS, NOTHING, UNJUDGED, WRONG
from ._findings import show_frames
from ._policies import FILES, PARAM, STD, Params, find_policies
from ._screen import Screen, screen
from ._test_report import Suite, json_text, junit_text, show_result, summed_up
from ._verbs import verb
from ._write import write_atomically

_MARKS = {"passed": (".", "good"), "failed": ("F", "bad"), "undecided": ("?", "warn")}


@verb("test")
@FILES
@click.option(
    "-k",
    "pattern",
    metavar="PATTERN",
    help="Only tests with PATTERN in their name; * and ? are wildcards.",
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
@PARAM
@STD
def command(
    files: tuple[str, ...],
    pattern: str | None,
    junit: Path | None,
    format: Literal["full", "json"],
    params: Params,
    std: Path | None,
) -> int:
    """Run the `test` blocks of policies.

    FILE is a policy, or a folder: every .guard file below it. Texts are judged as live traffic is,
    disguises included. What the test gives is answered as given. A check that cannot run here,
    because it needs a model or a callable, decides nothing: a test whose outcome depends on it is
    undecided. `probe` blocks are listed, not run yet.

    Exits with 0 when all pass, 1 when one fails, 2 when a policy does not compile, 3 when one is
    undecided, 5 when there are none.
    """
    show = screen()
    paths, wrong = find_policies(files)
    wanted = _wanted(pattern)
    told = format == "full" and (show.progress or len(paths) > 1)
    suites = [_run(show, path, params, std, wanted, told=told) for path in paths]
    if format == "json":
        show.out.write(json_text(suites, wrong))
    else:
        _tell(show, suites, is_told=told and not show.quiet)
    if wrong:
        show_frames(show, wrong)
    if junit is not None:
        try:
            write_atomically(junit, junit_text(suites).encode())
        except OSError as error:
            why = (error.strerror or "it cannot be written").lower()
            show.complain(f"`{visible(junit.as_posix())}` cannot be written: {why}")
            return WRONG
    code = _exit_code(suites, is_wrong=bool(wrong))
    if code == NOTHING:
        what = f"no test matches `{visible(pattern)}`" if pattern else "there are no tests"
        show.say(show.err.paint(what, "warn"))
    return code


def _wanted(pattern: str | None) -> Callable[[TestCase], bool]:
    if pattern is None:
        return lambda case: True
    glob = f"*{pattern.casefold().replace('[', '[[]')}*"
    return lambda case: fnmatchcase(case.name.casefold(), glob)


def _run(
    show: Screen,
    path: Path,
    params: Params,
    std: Path | None,
    wanted: Callable[[TestCase], bool],
    *,
    told: bool,
) -> Suite:
    checked = compile_file(path, params=dict(params), std=std)
    suite = Suite(path.as_posix(), checked.policy, checked.diagnostics)
    if checked.policy is None:
        return suite
    tells = told and show.progress
    if tells:
        show.err.write(f"{visible(suite.path)} ")
    read, folder = data_of(path.parent, std), folder_of(path.parent, std)
    for result in run_tests(checked.policy, read, wanted=wanted, folder=folder):
        suite.results.append(result)
        if tells:
            mark, style = _MARKS[result.status]
            show.err.write(show.err.paint(mark, style))
            show.err.file.flush()
    if tells:
        show.err.line()
    elif told:
        show.say(f"{visible(suite.path)}: {summed_up(show, [suite], painted=False)}")
    return suite


def _tell(show: Screen, suites: list[Suite], *, is_told: bool) -> None:
    """What did not pass, the probes, and the sum; `is_told` says that lines stand above it."""
    for suite in suites:
        if suite.policy is None:
            is_told = _apart(show, is_told)
            show_frames(show, [d for d in suite.diagnostics if d.is_error])
        for result in suite.results:
            if result.status != "passed":
                is_told = _apart(show, is_told)
                show_result(show, result)
    probes = [probe for suite in suites if suite.policy for probe in suite.policy.probes]
    if probes:
        if is_told:
            show.say()
        is_told = True
        for probe in probes:
            show.say(show.err.paint(f"probe {probe.name}: not run yet", "dim"))
    if any(suite.results or suite.policy is None for suite in suites):
        if is_told:
            show.say()
        show.say(summed_up(show, suites))


def _apart(show: Screen, is_told: bool) -> bool:
    """A blank line after what stands above, if anything does."""
    if is_told:
        show.err.line()
    return True


def _exit_code(suites: list[Suite], *, is_wrong: bool) -> int:
    statuses = {result.status for suite in suites for result in suite.results}
    if is_wrong or any(suite.policy is None for suite in suites):
        return WRONG
    if "failed" in statuses:
        return FINDINGS
    if "undecided" in statuses:
        return UNJUDGED
    return CLEAN if statuses else NOTHING
