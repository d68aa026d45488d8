"""Which folders hold what a policy is made of, and when something in them changed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Final

import anyio

SUFFIXES: Final = (
    ".guard",
    ".toml",
    ".txt",
    ".json",
    ".jsonl",
    ".csv",
    ".gkb",
    ".onnx",
    ".npy",
    ".gz",
)
"""What policies, their data, their models and packs end in. A log or an audit file beside them
changes with every request, and changes no policy."""
MOST_FOLDERS: Final = 500
DEEPEST: Final = 4
PAUSE_MS: Final = 500
"""How long nothing may change any more before a change is told: files are written in pieces."""


def watched_folders(roots: Iterable[Path]) -> tuple[Path, ...]:
    """The folders to look at: those given and those below, hidden ones and environments apart."""
    found: dict[Path, None] = {}
    for root in roots:
        for base, below, files in os.walk(root):
            folder = Path(base)
            depth = len(folder.relative_to(root).parts)
            is_foreign = "pyvenv.cfg" in files
            if is_foreign or depth >= DEEPEST:
                below.clear()
            if is_foreign or len(found) >= MOST_FOLDERS:
                continue
            below[:] = sorted(
                name for name in below if not name.startswith((".", "__pycache__", "node_modules"))
            )
            found[folder] = None
    return tuple(found)


async def changes(folders: Sequence[Path], stopped: anyio.Event) -> AsyncIterator[None]:
    """Whenever a file that a policy may be made of has changed in one of the folders.

    Args:
        folders: Where to look.
        stopped: Ends it. A task that waits here cannot be cancelled sooner than every five seconds.
    """
    from watchfiles import awatch

    def counts(change: object, path: str) -> bool:
        name = os.path.basename(path)
        return name.endswith(SUFFIXES) and not name.startswith(".")

    # One level each: what lies below is among the folders, and nothing else is walked through.
    async for _ in awatch(
        *folders,
        recursive=False,
        watch_filter=counts,
        debounce=1600,
        step=PAUSE_MS,
        stop_event=stopped,
    ):
        yield
