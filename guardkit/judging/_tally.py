"""What one request came to: the verdicts added up. Names and figures, none of its text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from guardkit.types import STRENGTH, Record, Verdict

UNJUDGED: Final = "none"
"""In place of an action, where nothing was judged."""
MOST_RECORDS: Final = 50
"""Lines of the ledger that are kept of verdicts asked for one by one."""


@dataclass(slots=True, repr=False)
class Tally:
    """The verdicts on one request, added up."""

    policy: str = ""
    """The digest of the policy that judged."""
    action: str = UNJUDGED
    """The strongest action so far."""
    rules: dict[str, None] = field(default_factory=dict)
    """Those that fired."""
    unknown: dict[str, None] = field(default_factory=dict)
    """The checks that could not answer."""
    surface: str = ""
    """Where the strongest action was taken."""
    records: list[Record] = field(default_factory=list)
    """Lines of the ledger, in the order of the request."""

    def saw(self, verdict: Verdict) -> None:
        """Another text was judged."""
        self.rules.update(dict.fromkeys(verdict.fired))
        self.unknown.update(dict.fromkeys(verdict.unknown))
        if self.action == UNJUDGED or STRENGTH[verdict.action] > STRENGTH[self.action]:
            self.action, self.surface = verdict.action, verdict.surface

    def keep(self, records: Iterable[Record]) -> None:
        """Keep the lines of a verdict, as far as there is room."""
        if len(self.records) < MOST_RECORDS:
            self.records += records
            del self.records[MOST_RECORDS:]

    def ended(self, *, is_stopped: bool = False) -> None:
        """Everything was judged; `is_stopped` where something of it could not be, or not done."""
        if is_stopped and STRENGTH.get(self.action, 0) < STRENGTH["revise"]:
            self.action = "block"
        elif self.action == UNJUDGED:
            self.action = "pass"
