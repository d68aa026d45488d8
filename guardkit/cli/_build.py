"""`guardkit build`: a folder becomes a bundle."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import click

from guardkit.diagnostics import visible
from guardkit.errors import BindError
from guardkit.guard import means_of
from guardkit.packs import Bundle, build, file_name, rules_of, to_bytes
from guardkit.testing import run_tests

from ._bundles import ending, life_of, read_day, told
from ._exits import CLEAN
from ._policies import STD
from ._screen import Screen, screen
from ._verbs import verb
from ._write import write_atomically


@verb("build")
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The bundle; NAME-VERSION.gkb in this folder when left out.",
)
@click.option("--expires", callback=read_day, metavar="DATE", help="The last day it can be used.")
@click.option(
    "--days", type=click.IntRange(1, 3660), metavar="N", help="How many days it can be used."
)
@click.option(
    "--issued",
    callback=read_day,
    metavar="DATE",
    help="The day it is issued: today, or a fixed one for equal bytes.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@STD
def command(
    folder: Path,
    output: Path | None,
    expires: date | None,
    days: int | None,
    issued: date | None,
    force: bool,
    std: Path | None,
) -> int:
    """Put a pack of rules or a whole policy into one file, a bundle.

    FOLDER holds NAME.guard and the files it uses. A `module` makes a pack: rules against one harm,
    each with a test in which it fires and one in which it stays silent; its tests are run, and it
    needs --expires or --days. A `policy` makes a policy bundle. The same folder and the same dates
    make the same bytes. A bundle is not signed yet: `guardkit sign`.

    Exits with 1 when the content is refused, 2 when something cannot be read or written.
    """
    show = screen()
    if expires is not None and days is not None:
        raise click.UsageError("Give --expires or --days, not both.")
    begin = issued or date.today()
    try:
        end = begin + timedelta(days=days) if days is not None else expires
    except OverflowError:
        raise click.UsageError("--days leads past the last day there is.") from None

    def run() -> int:
        with told(show):
            bundle = build(folder, means_of(run_tests, std=std), issued=begin, expires=end)
            path = output or Path(file_name(bundle))
            _write(path, to_bytes(bundle), force=force)
        _say(show, bundle)
        show.out.line(path.as_posix())
        return CLEAN

    return ending(run)


def _write(path: Path, content: bytes, *, force: bool) -> None:
    shown = visible(path.as_posix())
    if path.exists() and not force:
        raise BindError(f"`{shown}` is there already; `--force` replaces it, signatures and all")
    try:
        write_atomically(path, content)
    except OSError as error:
        why = (error.strerror or "it failed").lower()
        raise BindError(f"`{shown}` cannot be written: {why}") from None


def _say(show: Screen, bundle: Bundle) -> None:
    manifest = bundle.manifest
    parts = [f"{manifest.kind} {bundle.shown}", _many(len(bundle.files), "file")]
    if manifest.kind == "pack":
        parts.append(_many(len(rules_of(bundle)), "rule"))
        parts.append("its tests pass")
    show.say(", ".join(parts))
    show.say(life_of(manifest, date.today()))


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'s'[: number != 1]}"
