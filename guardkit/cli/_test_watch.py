"""Runs tests again when a policy or something beside it changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import localtime, sleep, strftime
from typing import Final

from guardkit.diagnostics import visible

from ._screen import Screen

PAUSE_S: Final = 0.3
"""Between two looks at the files."""
MOST_FILES: Final = 10_000
"""How many files are looked at; what lies beyond them is not."""

_Stamps = dict[str, tuple[int, int]]
"""When each file was written, and its size."""


def run_on_changes(
    show: Screen, names: Sequence[str], report: Path | None, run: Callable[[], int]
) -> int:
    """Run, wait for a change, run again, until somebody interrupts it.

    Every file below the folders that are named, or that the named policies lie in, is looked at:
    case files, word lists and models are no policies and change what one does. Hidden files, and
    the report that the run itself writes, are not.
    """
    own = None if report is None else os.path.abspath(report)
    while True:
        before = _stamps(names, own)
        run()
        while (now := _stamps(names, own)) == before:
            sleep(PAUSE_S)
        # Whoever writes several files is not interrupted half-way.
        while (later := _settled(names, own)) != now:
            now = later
        _rule(show, _changed(before, now))


def _settled(names: Sequence[str], own: str | None) -> _Stamps:
    sleep(PAUSE_S / 3)
    return _stamps(names, own)


def _rule(show: Screen, changed: str) -> None:
    """A line across the terminal, with what changed and when."""
    told = f"{strftime('%H:%M:%S', localtime())}  {visible(changed)} "
    told = told[: show.err.width - 6]
    line = f"── {told}".ljust(min(show.err.width, 80), "─")
    show.err.line()
    show.err.line(show.err.paint(line, "dim"))
    show.err.file.flush()


def _changed(before: _Stamps, now: _Stamps) -> str:
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if not names:
        return "changed and changed back"
    first = Path(names[0]).name
    return f"{first} changed" if len(names) == 1 else f"{first} and {len(names) - 1} more changed"


def _stamps(names: Sequence[str], own: str | None) -> _Stamps:
    found: _Stamps = {}
    for path in _files(names):
        if own is not None and os.path.abspath(path) == own:
            continue
        try:
            told = os.stat(path)
        except OSError:
            continue  # it went away while we looked
        found[path] = (told.st_mtime_ns, told.st_size)
        if len(found) >= MOST_FILES:
            break
    return found


def _files(names: Sequence[str]) -> Iterator[str]:
    """The files that are named, then all that lie where they do."""
    folders = {name if Path(name).is_dir() else str(Path(name).parent): None for name in names}
    yield from (os.path.normpath(name) for name in names if name not in folders)
    for folder in folders:
        for base, below, beside in os.walk(folder):
            below[:] = sorted(n for n in below if not n.startswith((".", "__")))
            here = sorted(n for n in beside if not _is_passing(n))
            yield from (os.path.normpath(os.path.join(base, n)) for n in here)


def _is_passing(name: str) -> bool:
    """Whether a file is one that editors keep for a moment."""
    return name.startswith(".") or name.endswith(("~", ".tmp", ".swp")) or name == "4913"
