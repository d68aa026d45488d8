"""`guardkit lsp`: the language server for editors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardkit.errors import BindError, PolicyError

from ._exits import WRONG
from ._screen import screen
from ._verbs import verb, version

if TYPE_CHECKING:
    from guardkit.editor import Ran
    from guardkit.semantics import CheckedPolicy, TestCase


@verb("lsp")
@click.option(
    "--tcp",
    "port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Listen on this port of this machine instead.",
)
def command(port: int | None) -> int:
    """Serve editors: findings, completion, hover, renaming, formatting, tests.

    Speaks the language server protocol over stdin and stdout; editors start it themselves. With
    --tcp it waits for one client on a port that only this machine can reach.

    Exits with 0 when the client ends the session, 1 when the client just goes away, 2 when the
    extra `lsp` is not installed or the port is taken.
    """
    from guardkit.editor import serve_stdio, serve_tcp

    show = screen()
    try:
        if port is None:
            return serve_stdio(version(), run_in_editor)
        show.say(f"listening on 127.0.0.1:{port}")
        return serve_tcp(version(), port, run_in_editor)
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
    except OSError as error:
        show.complain(f"cannot listen on port {port}: {(error.strerror or 'it failed').lower()}")
    return WRONG


def run_in_editor(
    policy: CheckedPolicy, root: Path, wanted: Callable[[TestCase], bool]
) -> Iterator[Ran]:
    """Run tests of a policy and put what came of them in words."""
    # Imported here: an editor is open for hours before anybody runs a test.
    from guardkit.editor import Ran
    from guardkit.guard import data_of, folder_of
    from guardkit.testing import run_tests, stage, worded

    read = data_of(root)
    try:
        bound = stage(policy, read, folder=folder_of(root))
    except PolicyError as error:
        for finding in error.diagnostics:
            yield Ran(finding.code.id, "failed", finding.message, finding)
        return
    for result in run_tests(policy, read, wanted=wanted, stage=bound):
        said = worded(result)
        if said is None:
            yield Ran(result.name, result.status)
        else:
            yield Ran(result.name, result.status, said.summary, said.finding)
