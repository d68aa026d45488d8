"""Says at the end of a run which tools of other houses were not there to be tested with."""

from __future__ import annotations

import pytest

from ._tools import ADVICE, found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = [tool for tool, place in found().items() if place is None]
    if missing and any(
        "integrations" in r.nodeid for r in terminalreporter.stats.get("skipped", ())
    ):
        terminalreporter.section("not tested end to end", sep="-")
        for tool in missing:
            terminalreporter.line(f"{tool}: not on this machine; {ADVICE[tool]}")
