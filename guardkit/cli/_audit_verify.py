"""`guardkit audit verify`: whether an audit log is as it was written."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import wrap

import click

from guardkit.diagnostics import visible
from guardkit.errors import AuditError, UsageError
from guardkit.telemetry import Report, verify

from ._audit_key import KEY
from ._exits import CLEAN, FINDINGS, WRONG
from ._screen import Screen, screen
from ._verbs import FORMAT, member


@member("verify")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@KEY
@click.option(
    "--head",
    metavar="HASH",
    help="A head that an earlier run showed: its record has to be there still.",
)
@FORMAT
def command(file: Path, key: bytes | None, head: str | None, format: str) -> int:
    """Say whether a log is as it was written.

    If it is not, its first record that is not as it was written is named: one that was changed,
    dropped, moved or put there, and last ones that are missing. Whoever can write the file can
    write it anew as a whole; finding that takes a key, or a head that was kept elsewhere.

    Exits with 0 when it is whole, 1 when it was changed or is damaged, 2 when it cannot be read.
    """
    show = screen()
    try:
        report = verify(file, key=key, head=head)
    except (AuditError, UsageError) as error:
        show.complain(str(error))
        return WRONG
    if format == "json":
        found = {
            "whole": report.is_whole,
            "records": report.count,
            "head": report.head,
            "bad": report.bad,
            "why": report.why,
            "since": report.since,
            "until": report.until,
        }
        show.out.write(json.dumps(found, indent=2) + "\n")
    elif report.is_whole:
        _show_whole(show, report, is_bound=key is not None or head is not None)
    else:
        _show_broken(show, file, report)
    return CLEAN if report.is_whole else FINDINGS


def _show_whole(show: Screen, report: Report, *, is_bound: bool) -> None:
    out = show.out
    out.line(f"{out.paint('whole', 'good')}  {_records(report)}")
    out.line(f"  {report.head}")
    if not is_bound:
        show.say("A file that was written anew as a whole would look like this too: give its key")
        show.say("(--key-env), or a head that was kept elsewhere (--head), to rule that out.")


def _show_broken(show: Screen, file: Path, report: Report) -> None:
    said = f"`{visible(file.as_posix())}` is not as it was written, from record {report.bad} on:"
    room = show.err.width - len("error: ")
    lines = wrap(f"{said} {report.why}", room, break_long_words=False, break_on_hyphens=False)
    show.complain(("\n" + " " * len("error: ")).join(lines))
    if report.count:
        show.say(f"       before it: {_records(report)}")


def _records(report: Report) -> str:
    """`12 records, 2026-01-31 12:00:00 to 2026-02-01 08:15:30 UTC`."""
    count = f"{report.count:,} record{'s'[: report.count != 1]}"
    if not report.count or not report.since or not report.until:
        return count
    return f"{count}, {_second(report.since)} to {_second(report.until)} UTC"


def _second(time: str) -> str:
    return time[:19].replace("T", " ")
