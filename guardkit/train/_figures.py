"""What a head makes of labelled texts, in numbers: source by source, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from guardkit._util.shares import Share
from guardkit.models import Head, auc_of

RATE: Final = 0.01
"""The false alarm rate at which recall is told."""
_EVEN: Final = 0.5


class Judged(NamedTuple):
    """One text a head has judged."""

    score: float
    is_harmful: bool
    source: str = ""
    group: str = ""


class Line(NamedTuple):
    """What came of one source or one group of texts."""

    name: str
    recall: Share
    """Harmful texts that were found."""
    alarms: Share
    """Benign texts that were taken for harmful."""
    auc: float | None
    """None where the texts are all of one kind."""

    @property
    def rows(self) -> int:
        """How many texts there are."""
        return self.recall.of + self.alarms.of


class Threshold(NamedTuple):
    """One score for all texts, and what fixed it."""

    score: float
    rate: float | None
    """The share of the pool it stops; None where the pool is too small to say."""
    pool: str
    """Which benign texts."""


class Figures(NamedTuple):
    """All of it: one threshold, and what it comes to."""

    threshold: Threshold
    whole: Line
    sources: tuple[Line, ...]
    groups: tuple[Line, ...]

    def dumped(self, most: int = 200) -> dict[str, Any]:
        """As plain data for a card: of the sources and groups, the largest."""
        return {
            "pool": self.threshold.pool,
            "rate": self.threshold.rate,
            "threshold": round(self.threshold.score, 6),
            "all": _dumped(self.whole),
            "sources": [_dumped(line) for line in self.sources[:most]],
            "groups": [_dumped(line) for line in self.groups[:most]],
        }


def threshold_of(head: Head, pool: str) -> Threshold:
    """The score for 1 % false alarms, or for the lowest rate that was measured, or the middle."""
    score = head.threshold(RATE)
    if score is not None:
        return Threshold(score, RATE, pool)
    if head.fpr:
        rate, score = head.fpr[0]
        return Threshold(score, rate, pool)
    return Threshold(_EVEN, None, pool)


def figures(rows: Sequence[Judged], threshold: Threshold) -> Figures:
    """Apply one threshold to all rows; sources and groups with the most texts come first."""
    return Figures(
        threshold,
        _line("all", rows, threshold.score),
        _lines([(row.source, row) for row in rows], threshold.score),
        _lines([(row.group, row) for row in rows], threshold.score),
    )


def _lines(named: Sequence[tuple[str, Judged]], score: float) -> tuple[Line, ...]:
    found: dict[str, list[Judged]] = {}
    for name, row in named:
        found.setdefault(name, []).append(row)
    lines = [_line(name, rows, score) for name, rows in found.items()]
    return tuple(sorted(lines, key=lambda line: (-line.rows, line.name)))


def _line(name: str, rows: Sequence[Judged], score: float) -> Line:
    import numpy as np

    bad = np.array([row.is_harmful for row in rows], dtype=bool)
    scores = np.array([row.score for row in rows])
    over = scores >= score
    return Line(
        name,
        Share(int((over & bad).sum()), int(bad.sum())),
        Share(int((over & ~bad).sum()), int((~bad).sum())),
        auc_of(scores, bad) if bad.any() and not bad.all() else None,
    )


def _dumped(line: Line) -> dict[str, Any]:
    made: dict[str, Any] = {"name": line.name[:200], "rows": line.rows}
    if line.auc is not None:
        made["auc"] = round(line.auc, 4)
    shares: Mapping[str, Share] = {"recall": line.recall, "false_alarms": line.alarms}
    for name, share in shares.items():
        if share.of:
            low, high = share.interval
            made[name] = {
                "of": share.of,
                "share": round(share.hits / share.of, 4),
                "low": round(low, 4),
                "high": round(high, 4),
            }
    return made
