"""`guardkit audit export`: the records of an audit log, one a line."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from guardkit.diagnostics import visible
from guardkit.errors import AuditError, UsageError
from guardkit.telemetry import ExportFormat, export
from guardkit.types import ACTIONS, SURFACES

from ._audit_key import KEY
from ._exits import CLEAN, FINDINGS, NOTHING, WRONG
from ._screen import Stream, screen
from ._verbs import member


@member("export")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--format",
    "format",
    type=click.Choice(("jsonl", "csv")),
    default="jsonl",
    metavar="FORMAT",
    help="jsonl or csv; jsonl when left out.",
)
@click.option(
    "--since", metavar="TIME", help="From this time on: 2026-01-31, or 2026-01-31T12:00 in UTC."
)
@click.option("--until", metavar="TIME", help="Before this time; a date means that the day counts.")
@click.option(
    "--action",
    type=click.Choice(ACTIONS),
    multiple=True,
    metavar="ACTION",
    help=f"Verdicts of this action: {', '.join(ACTIONS)}; repeat for more.",
)
@click.option(
    "--rule", multiple=True, metavar="RULE", help="Verdicts in which this rule had a say."
)
@click.option(
    "--surface",
    type=click.Choice(SURFACES),
    multiple=True,
    metavar="SURFACE",
    help="Verdicts on this surface.",
)
@KEY
def command(
    file: Path,
    format: str,
    since: str | None,
    until: str | None,
    action: tuple[str, ...],
    rule: tuple[str, ...],
    surface: tuple[str, ...],
    key: bytes | None,
) -> int:
    """Write the records of a log to standard output, one a line.

    Each line says whether the chain of hashes holds up to it. Of a log that has a key this can be
    said only with the key.

    Exits with 0 when all is well, 1 when the log was changed or is damaged, 2 when it cannot be
    read, 5 when no record matches.
    """
    show = screen()
    try:
        done = export(
            file,
            _Data(show.out),
            cast(ExportFormat, format),
            key=key,
            since=since,
            until=until,
            action=action,
            rule=rule,
            surface=surface,
        )
    except (AuditError, UsageError) as error:
        show.complain(str(error))
        return WRONG
    if done.bad is not None:
        shown = visible(file.as_posix())
        show.complain(f"`{shown}` is not as it was written, from record {done.bad} on")
        show.say("`guardkit audit verify` says why.")
        return FINDINGS
    if not done.written:
        show.say("no record matches")
        return NOTHING
    return CLEAN


class _Data:
    """Standard output, as lines for programs."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write some of them."""
        self._stream.data(text)
