"""Reports of probes and evaluations: a list of the pages in one folder, and each by itself."""

from __future__ import annotations

import html
import os
import re
import stat
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio.to_thread

from guardkit.wire import Fault

from .._admin import REPORT_HEADERS
from .._http import Reply, Request
from ._replies import answered
from ._stage import Stage

MOST_LISTED: Final = 500
MOST_BYTES: Final = 5_000_000
_HEAD: Final = 4_096
_MOST_TITLE: Final = 200
_TITLE: Final = re.compile(r"<title>([^<]{1,1000})</title>")
_KIND: Final = re.compile(r'<div class="over">([^<]{1,200})</div>')
_STYLE: Final = re.compile(r"<style>.*?</style>", re.DOTALL)


class Report(NamedTuple):
    """One page, as the folder has it."""

    name: str
    size: int
    at: float


class Reports:
    """Lists and opens pages. A client's word is looked for in the list, and never made a path.

    Args:
        stage: The server.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def listed(self, request: Request) -> Reply:
        """The pages, the newest first."""
        folder = self._stage.reports()
        if folder is None:
            return answered({"folder": False, "reports": []})
        return answered({"folder": True, "reports": await anyio.to_thread.run_sync(_told, folder)})

    async def page(self, request: Request) -> Reply:
        """One page, in a sandbox: no script of it runs, and it asks nobody for anything."""
        folder, wanted = self._stage.reports(), request.query.get("name", "")
        if folder is not None:
            body = await anyio.to_thread.run_sync(_read, folder, wanted)
            if body is not None:
                return Reply(200, body, "text/html; charset=utf-8", REPORT_HEADERS)
        raise Fault(404, "no_such_report", "there is no report of this name")


def _pages(folder: Path) -> list[Report]:
    """The pages of a folder: plain files, and none that a link leads to."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".html") and entry.is_file(follow_symlinks=False):
                    about = entry.stat(follow_symlinks=False)
                    found.append(Report(entry.name, about.st_size, about.st_mtime))
    except OSError:
        return []
    found.sort(key=lambda report: (-report.at, report.name))
    return found[:MOST_LISTED]


def _told(folder: Path) -> list[dict[str, Any]]:
    return [
        {**report._asdict(), **_headline(folder / report.name), "opens": report.size <= MOST_BYTES}
        for report in _pages(folder)
        if report.name.isprintable()
    ]


def _headline(path: Path) -> dict[str, str]:
    """What a page calls itself."""
    # The style of a page stands before its body, and may be long.
    start = (_bytes(path, 16 * _HEAD) or b"").decode("utf-8", "replace")
    title = _TITLE.search(start[:_HEAD])
    kind = _KIND.search(_STYLE.sub("", start))
    return {
        "title": html.unescape(title[1]).strip()[:_MOST_TITLE] if title else "",
        "kind": html.unescape(kind[1]).strip()[:_MOST_TITLE] if kind else "",
    }


def _read(folder: Path, wanted: str) -> bytes | None:
    for report in _pages(folder):
        if report.name == wanted and report.size <= MOST_BYTES:
            return _bytes(folder / report.name, MOST_BYTES)
    return None


def _bytes(path: Path, most: int) -> bytes | None:
    """The beginning of a plain file; a link that came into its place meanwhile is not followed."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(file, "rb") as opened:
        return opened.read(most) if stat.S_ISREG(os.fstat(file).st_mode) else None
