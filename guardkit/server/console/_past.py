"""The last hour of each policy by minute: what came, what was stopped, what the model refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

MINUTES: Final = 60
_GAP_S: Final = 150.0
"""After a longer pause nobody knows in which minute things happened: they are left out."""
_MODEL_SIDE: Final = ("context", "weights", "model", "provider")

Counts = dict[str, int]


class _Kept(NamedTuple):
    """What is kept of one policy."""

    digest: str
    at: float
    totals: Counts
    minutes: dict[int, Counts]


class Past:
    """Keeps, per policy, how much its totals grew in each of the last 60 minutes.

    The live counters of a guard begin anew when its policy is loaded again; a line on a screen
    should not. No clock and no I/O.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def note(self, name: str, digest: str, totals: Counts, now: float, since: float) -> None:
        """Take in the totals of a policy as they are now, counted since then."""
        kept = self._kept.get(name) or _Kept(digest, since, {}, {})
        is_same = kept.digest == digest and all(
            totals.get(what, 0) >= count for what, count in kept.totals.items()
        )
        before = kept.totals if is_same else {}
        number = int(now // 60)
        if 0 <= now - kept.at <= _GAP_S:
            minute = kept.minutes.setdefault(number, {})
            for what, count in totals.items():
                minute[what] = minute.get(what, 0) + count - before.get(what, 0)
        for old in [one for one in kept.minutes if one <= number - MINUTES]:
            del kept.minutes[old]
        self._kept[name] = _Kept(digest, now, totals, kept.minutes)

    def forget_all_but(self, names: Iterable[str]) -> None:
        """Policies that are gone are forgotten."""
        known = set(names)
        for name in [one for one in self._kept if one not in known]:
            del self._kept[name]

    def hour(self, name: str, now: float) -> list[Counts]:
        """60 minutes, the oldest first; an empty one where nobody looked or nothing came."""
        kept = self._kept.get(name)
        last = int(now // 60)
        minutes = kept.minutes if kept is not None else {}
        return [minutes.get(number, {}) for number in range(last - MINUTES + 1, last + 1)]


# Any: a snapshot is plain data of many shapes.
def totals_of(counters: Mapping[str, Any]) -> Counts:
    """What a line is drawn of: events and blocks by surface, exchanges and who refused them."""
    found: Counts = {}
    for surface, counts in counters["surfaces"].items():
        found[surface] = counts["events"]
        found[f"{surface} stopped"] = sum(
            count for action, count in counts["actions"].items() if action in ("block", "hold")
        )
    exchanges = counters["exchanges"]
    found["exchanges"] = sum(exchanges.get(word, 0) for word in ("answered", "refused", "failed"))
    found["refused"] = sum(
        counters["layers"].get(layer, {}).get("refused", 0) for layer in _MODEL_SIDE
    )
    return found
