"""What people see while tests and probes run: a mark a test, a bar a probe, a line a result."""

from __future__ import annotations

from guardkit.diagnostics import visible
from guardkit.semantics import Probe
from guardkit.testing import CaseResult, ProbeResult

from ._moving_line import bar
from ._screen import Screen
from ._test_report import MARKS, Suite, probe_lines, summed_up

_WIDEST_NAME = 36
_BESIDE = 2 + 1 + len(bar(0)) + 6
"""What stands on the line of a bar beside the name."""


class Progress:
    """Tells how far a run is, in a terminal; elsewhere what came of each file.

    Args:
        show: Where to write.
        told: Whether to tell of each file.
        speaks: Whether people read this at all.
    """

    def __init__(self, show: Screen, *, told: bool, speaks: bool) -> None:
        self._show = show
        self._told = told
        self._speaks = speaks
        self._moves = told and show.progress
        self._last = ""

    def nothing(self, suite: Suite) -> None:
        """A file without any test or probe to run."""
        self._line(suite, "no tests")

    def begin(self, suite: Suite) -> None:
        """The tests of a file begin."""
        if self._moves:
            self._show.err.write(f"{visible(suite.path)} ")
            self._show.err.file.flush()

    def tested(self, result: CaseResult) -> None:
        """One test is over."""
        if self._moves:
            mark, style = MARKS[result.status]
            self._show.err.write(self._show.err.paint(mark, style))
            self._show.err.file.flush()

    def tests_done(self, suite: Suite) -> None:
        """All tests of a file are over."""
        if self._moves:
            self._show.err.line("" if suite.results else "no tests")
        else:
            self._line(suite, summed_up(self._show, [suite], painted=False))

    def probing(self, probe: Probe, done: int, of: int) -> None:
        """A probe is so far."""
        if not self._moves:
            return
        room = max(1, min(_WIDEST_NAME, self._show.err.width - _BESIDE - 1))
        line = f"  {visible(probe.name):<{room}.{room}} {bar(done / of)} {100 * done // of:>3} %"
        if line != self._last:
            self._last = line
            self._show.err.write("\r" + line)
            self._show.err.file.flush()

    def probed(self, result: ProbeResult) -> None:
        """One probe is over."""
        if self._moves:
            self._show.err.write("\r" + " " * len(self._last) + "\r")  # a dumb terminal too
            self._last = ""
        if self._speaks:
            for line in probe_lines(self._show, result):
                self._show.say(line)

    def _line(self, suite: Suite, text: str) -> None:
        if self._told:
            self._show.say(f"{visible(suite.path)}: {text}")
