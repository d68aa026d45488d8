"""`guardkit graph`: the compiled rule graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardkit.diagnostics import visible
from guardkit.plan import DRAW_FORMATS, DrawFormat, draw

from ._compiled import planned_file
from ._exits import CLEAN, WRONG
from ._policies import OVERLAY, PACKS, PARAM, STD, Params
from ._screen import screen
from ._verbs import verb
from ._write import write_or_complain

if TYPE_CHECKING:
    from guardkit.packs import Installed


@verb("graph")
@click.argument("file", metavar="FILE")
@click.option(
    "--format",
    "format",
    type=click.Choice(DRAW_FORMATS),
    default="text",
    metavar="FORMAT",
    help=f"{', '.join(DRAW_FORMATS)}; text when left out.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write it to a file."
)
@PARAM
@PACKS
@OVERLAY
@STD
def command(
    file: str,
    format: DrawFormat,
    output: Path | None,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    std: Path | None,
) -> int:
    """Draw the rule graph that a policy compiles to.

    What is shared, what is asked first, and what each surface costs at worst and usually.
    """
    show = screen()
    plan = planned_file(show, file, dict(params), std, packs, overlay)
    if plan is None:
        return WRONG
    drawn = draw(plan, format)
    if output is None:
        if format == "text":
            show.out.write(drawn)
        else:
            show.out.data(drawn)
        return CLEAN
    if not write_or_complain(show, output, drawn.encode()):
        return WRONG
    show.say(f"wrote {visible(output.as_posix())}")
    return CLEAN
