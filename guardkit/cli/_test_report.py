"""What came of tests and probes, for people."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from guardkit.diagnostics import Diagnostic, visible
from guardkit.semantics import CheckedPolicy
from guardkit.testing import (
    CaseResult,
    Covered,
    ProbeResult,
    ProbeStatus,
    Rate,
    worded,
    worded_probe,
)

from ._screen import Screen, quoted

MARKS: Final[dict[ProbeStatus, tuple[str, str]]] = {
    "passed": (".", "good"),
    "failed": ("F", "bad"),
    "undecided": ("?", "warn"),
    "broken": ("!", "bad"),
}
"""How each result is marked, and in which style."""
_MOST_TEXT = 400


@dataclass(slots=True)
class Suite:
    """One policy file and what came of its tests; without a policy it does not compile."""

    path: str
    policy: CheckedPolicy | None
    diagnostics: tuple[Diagnostic, ...]
    results: list[CaseResult] = field(default_factory=list)
    probes: list[ProbeResult] = field(default_factory=list)
    covered: Covered | None = None

    @property
    def statuses(self) -> list[ProbeStatus]:
        """What came of each test and probe."""
        return [*(one.status for one in self.results), *(one.status for one in self.probes)]


def counted(suites: Sequence[Suite]) -> Counter[str]:
    """How many tests and probes have each status."""
    return Counter(status for suite in suites for status in suite.statuses)


def summed_up(show: Screen, suites: Sequence[Suite], *, painted: bool = True) -> str:
    """`12 passed, 1 failed, 2 undecided`."""
    counts = counted(suites)
    parts = [
        (f"{counts[status]} {status}", style)
        for status, (_, style) in MARKS.items()
        if counts[status]
    ]
    broken = sum(suite.policy is None for suite in suites)
    if broken:
        parts.append((f"{broken} {'file does' if broken == 1 else 'files do'} not compile", "bad"))
    parts = parts or [("no tests", "warn")]
    return ", ".join(show.err.paint(text, style) if painted else text for text, style in parts)


def show_test(show: Screen, result: CaseResult) -> None:
    """A test that did not pass: where, what was expected, what came, and why."""
    told = worded(result)
    if told is not None:
        look = show.err
        look.write(told.shown(color=look.color, width=look.width, ascii=look.ascii) + "\n")


def show_probe(show: Screen, result: ProbeResult, *, values: bool) -> None:
    """A probe that did not pass; the texts it missed only with `values`."""
    told = worded_probe(result)
    if told is None:
        return
    look = show.err
    look.write(told.shown(color=look.color, width=look.width, ascii=look.ascii) + "\n")
    if values and result.missed:
        look.line()
        for missed in result.missed:
            worn = f" in {missed.disguise}" if missed.disguise else ""
            look.line(f"  {visible(missed.id)}{worn}")
            look.line(f"    {quoted(missed.text[:_MOST_TEXT])}")


def probe_lines(show: Screen, result: ProbeResult) -> Iterator[str]:
    """What came of a probe in a line, and how each disguise did where there are any."""
    look = show.err
    style = MARKS[result.status][1]
    head = f"  probe {result.name}: {look.paint(result.status, style)}"
    if not result.rate.of:
        yield head
        return
    outcome = result.probe.outcome
    yield f"{head}, {result.rate.hits:,} of {result.rate.of:,} {_done(outcome)}"
    if len(result.rates) > 1:
        every = ", ".join(f"{rate.disguise or 'plain'} {_percent(rate)}" for rate in result.rates)
        for line in textwrap.wrap(every, look.width - 4, break_on_hyphens=False):
            yield look.paint(f"    {line}", "dim")


def _done(outcome: str) -> str:
    """What was done to those that came out as a probe asks: `stopped`, `blocked`, `flagged`."""
    forms = {"pass": "passed", "flag": "flagged", "block": "blocked", "hold": "held"}
    forms |= {"rewrite": "rewritten", "revise": "revised"}
    return forms.get(outcome, outcome)


def _percent(rate: Rate) -> str:
    return f"{100 * rate.value:.3g}\u00a0%"
