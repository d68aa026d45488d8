"""What the console looks at: the live policies, what became of requests, what waits, reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from guardkit.guard import Guard
from guardkit.runtime import HoldQueue

Facts = Mapping[str, Any]
"""Plain data: names of the operator, known words and numbers. Never a text that was judged."""


class Stage(Protocol):
    """The server, as the console sees it. It is asked again for every look."""

    def policies(self) -> Mapping[str, Guard]:
        """The live guards by name, that of the server first; its name may be empty."""

    def reloads(self) -> Sequence[Facts]:
        """What became of the policies when they were loaded, the last one last.

        Each has `at` (seconds since 1970, or a time as ISO 8601 writes it), `policy`, `outcome`
        (`loaded`, `unchanged`, `refused`), `digest` and `problems`: what is wrong, in sentences.
        """

    def holds(self) -> HoldQueue:
        """The queue of texts that wait for approval."""

    def recent(self) -> Sequence[Facts]:
        """The last decisions, the newest last.

        Each has `at`, `decision`, `route`, `tenant`, `policy` (its name or digest), `surface`,
        `action`, `rules`, `ms` and `ledger`: records as plain data, each with `layer`, `by` and
        `elapsed_us`. What else stands there is not shown.
        """

    def traffic(self) -> Facts:
        """What `Counters.snapshot` gives."""

    def reports(self) -> Path | None:
        """The folder of reports; None where the operator named none."""
