"""`guardkit packs enforce`, `shadow`, `rollback`, `remove`: how an added pack acts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import click

from guardkit.packs import Setup, Store, is_percent

from ._bundles import ending, setup_lines, told
from ._exits import CLEAN
from ._screen import screen
from ._verbs import member

_STORE = click.argument("folder", type=click.Path(path_type=Path), metavar="STORE")
_NAME = click.argument("name", metavar="NAME")
_AGAIN = "Running programs see it when they load the policy again."


def _read_percent(context: click.Context, param: click.Parameter, percent: float) -> float:
    if not is_percent(percent) or not percent:
        said = "A share of sessions is above 0, at most 100, with two decimals."
        raise click.BadParameter(said, context, param)
    return percent


@member("enforce")
@_STORE
@_NAME
@click.option(
    "--percent",
    type=float,
    callback=_read_percent,
    default=100.0,
    metavar="N",
    help="The share of sessions, above 0, at most 100, two decimals; all of them if left out.",
)
def enforce(folder: Path, name: str, percent: float) -> int:
    """Put the newest version of a pack in force.

    With --percent for a share of the sessions: a session always falls the same way, and a larger
    share keeps all sessions of a smaller one. For the other sessions it is in shadow. A text
    without a session counts as one of its own. Running programs see it at their next load.

    Exits with 1 when there is no such pack or nothing would change.
    """
    return _changed(folder, name, lambda s: s.enforce(name, percent=percent, today=date.today()))


@member("shadow")
@_STORE
@_NAME
def shadow(folder: Path, name: str) -> int:
    """Put the newest version of a pack back in shadow.

    Exits with 1 when there is no such pack or nothing would change.
    """
    return _changed(folder, name, lambda store: store.shadow(name, today=date.today()))


@member("rollback")
@_STORE
@_NAME
def rollback(folder: Path, name: str) -> int:
    """Undo the last change of a pack.

    Its version and its mode are what they were before. This undoes `remove` too, and is the one way
    back to an older version; eight changes are kept.

    Exits with 1 when nothing is left to undo, or what was before is past its date.
    """
    return _changed(folder, name, lambda store: store.rollback(name, today=date.today()))


@member("remove")
@_STORE
@_NAME
def remove(folder: Path, name: str) -> int:
    """Take a pack out, all versions of it.

    Only a newer version can be added after that; `rollback` brings this one back.

    Exits with 1 when there is no such pack.
    """
    return _changed(folder, name, lambda store: store.remove(name))


def _changed(folder: Path, name: str, change: Callable[[Store], Setup]) -> int:
    show = screen()

    def run() -> int:
        with told(show):
            setup = change(Store(folder))
        for line in setup_lines(name, setup):
            show.out.line(line)
        show.say(show.err.paint(_AGAIN, "dim"))
        return CLEAN

    return ending(run)
