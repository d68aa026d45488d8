"""`guardkit fmt`: policies in the one style."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from guardkit.diagnostics import Diagnostic, Source, visible
from guardkit.guard import read_source
from guardkit.syntax import NotFormattedError, decode, format_source

from ._exits import CLEAN, FINDINGS, WRONG
from ._findings import show_frames, summed_up
from ._policies import FILES, find_policies, problem
from ._screen import Screen, screen
from ._verbs import verb
from ._write import not_written, write_atomically

STDIN = "<stdin>"


@verb("fmt")
@FILES
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 for a change.")
@click.option("--diff", "as_diff", is_flag=True, help="Write nothing; show what would change.")
def command(files: tuple[str, ...], only_check: bool, as_diff: bool) -> int:
    """Put policies into the one style.

    FILE is a policy, a folder (every .guard file below it), or - for stdin to stdout. A policy is
    rewritten in place, in one step, and only if it parses.

    Exits with 1 when --check or --diff finds a change to make, 2 when a policy cannot be read or
    does not parse.
    """
    show = screen()
    if "-" in files:
        if len(files) > 1:
            raise click.UsageError("`-` stands alone: stdin goes to stdout.")
        return _stdin(show, only_check=only_check, as_diff=as_diff)
    paths, wrong = find_policies(files, is_written=True)
    changed, same = 0, 0
    for path in paths:
        shown = path.as_posix()
        source = read_source(path, shown)
        if isinstance(source, Diagnostic):
            wrong.append(source)
            continue
        after = _formatted(source)
        if not isinstance(after, str):
            wrong += after
            continue
        if _holds(path, after):
            same += 1
            continue
        if as_diff:
            show.out.write(_diff(show, source.text, after, shown))
        elif only_check:
            show.say(f"would change {visible(shown)}")
        else:
            try:
                write_atomically(path, after.encode())
            except OSError as error:
                wrong.append(problem(shown, "unreadable-file", not_written(shown, error)))
                continue
        changed += 1
    is_dry = only_check or as_diff
    if wrong:
        show_frames(show, wrong)
        show.say()
        show.say(summed_up(show, wrong))
    if changed or same or not wrong:
        show.say(_told(changed, same, is_dry=is_dry))
    if wrong:
        return WRONG
    return FINDINGS if is_dry and changed else CLEAN


def _holds(path: Path, text: str) -> bool:
    """Whether a file is this text to the byte: a mark at its start is a difference too."""
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _stdin(show: Screen, *, only_check: bool, as_diff: bool) -> int:
    source = decode(STDIN, sys.stdin.buffer.read())
    after = [source] if isinstance(source, Diagnostic) else _formatted(source)
    if isinstance(source, Diagnostic) or not isinstance(after, str):
        show_frames(show, after if isinstance(after, list) else [])
        return WRONG
    if as_diff:
        show.out.write(_diff(show, source.text, after, STDIN))
    elif not only_check:
        show.out.data(after)
    return FINDINGS if (only_check or as_diff) and after != source.text else CLEAN


def _formatted(source: Source) -> str | list[Diagnostic]:
    try:
        return format_source(source)
    except NotFormattedError as error:
        return list(error.diagnostics)


def _diff(show: Screen, before: str, after: str, name: str) -> str:
    return "".join(_diff_lines(show, before, after, visible(name)))


def _diff_lines(show: Screen, before: str, after: str, name: str) -> Iterator[str]:
    styles = {"+": "good", "-": "bad", "@": "info"}
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        name,
        f"{name} (formatted)",
    )
    for number, line in enumerate(lines):
        style = "strong" if number < 2 else styles.get(line[:1])
        body = line.rstrip("\r\n")
        shown = line[:1] + visible(body[1:]) if number >= 2 else body
        yield (show.out.paint(shown, style) if style else shown) + "\n"
        if not line.endswith("\n"):
            yield "\\ No newline at end of file\n"


def _told(changed: int, same: int, *, is_dry: bool) -> str:
    def files(number: int) -> str:
        return f"{number} file" if number == 1 else f"{number} files"

    parts = []
    if changed:
        parts.append(f"{files(changed)} {'would change' if is_dry else 'changed'}")
    if same or not changed:
        parts.append(f"{files(same)} already in style")
    return ", ".join(parts)
