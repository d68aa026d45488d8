"""Two reports side by side: which figure grew, and how sure that is. Pure functions of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, Final, Literal, NamedTuple

from guardkit.errors import UsageError

from ._quantiles import QUANTILES, Quantile, QuantileName
from ._report import FORMAT

Change = Literal["slower", "faster", "same", "unsure"]

_WIDE: Final = 4.0
"""An interval whose ends are further apart than this says nothing."""


class Ratio(NamedTuple):
    """One figure of both reports."""

    surface: str
    what: str
    quantile: QuantileName
    old: Quantile
    new: Quantile
    ratio: float
    low: float
    high: float | None
    """None: there is no upper bound, for want of calls."""
    change: Change


class Comparison(NamedTuple):
    """Everything that both reports measured."""

    tolerance: float
    ratios: tuple[Ratio, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def slower(self) -> tuple[Ratio, ...]:
        """The figures that are worse for certain."""
        return tuple(ratio for ratio in self.ratios if ratio.change == "slower")

    def as_json(self) -> dict[str, Any]:  # JSON
        """Plain data."""
        return {
            "tolerance": self.tolerance,
            "slower": len(self.slower),
            "ratios": [
                {
                    "surface": one.surface,
                    "what": one.what,
                    "quantile": one.quantile,
                    "old_us": one.old.us,
                    "new_us": one.new.us,
                    "ratio": round(one.ratio, 4),
                    "low": round(one.low, 4),
                    "high": None if one.high is None else round(one.high, 4),
                    "change": one.change,
                }
                for one in self.ratios
            ],
            "only_old": list(self.only_old),
            "only_new": list(self.only_new),
            "notes": list(self.notes),
        }


def compare(old: object, new: object, *, tolerance: float = 0.10) -> Comparison:
    """What changed from one report to another; both as `Report.as_json` gives them.

    A figure is slower only where its whole interval is above `1 + tolerance`, and faster only where
    all of it is below 1. The interval is a careful one: it goes from the lowest to the highest that
    the order statistics and the rounds of both reports allow. If a fixed loop of plain Python took
    longer in one of the runs, the machine may be what changed, and the interval is wider by that.

    Raises:
        UsageError: One of them is no report, or they have no figure in common.
    """
    before, after = _figures(old, "the old report"), _figures(new, "the new report")
    if _mapping(old).get("clock") != _mapping(new).get("clock"):
        raise UsageError("the two reports were not timed by the same clock: see `--clock`")
    common = [key for key in after if key in before]
    if not common:
        raise UsageError("the two reports have no figure in common")
    pace = _pace(_mapping(old), _mapping(new))
    ratios = tuple(_ratio(key, before[key], after[key], tolerance, pace) for key in common)
    return Comparison(
        tolerance,
        ratios,
        _only(before, after),
        _only(after, before),
        tuple(_notes(_mapping(old), _mapping(new))),
    )


_Key = tuple[str, str, QuantileName]


def _ratio(key: _Key, old: Quantile, new: Quantile, tolerance: float, pace: float) -> Ratio:
    old_low, old_high = bounds_of(old)
    new_low, new_high = bounds_of(new)
    low = new_low / old_high / max(pace, 1.0) if old_high else 0.0
    high = new_high / old_low / min(pace, 1.0) if old_low > 0 else inf
    change: Change = "same"
    if low > 1 + tolerance:
        change = "slower"
    elif high < 1:
        change = "faster"
    elif high == inf or low == 0 or high / low > _WIDE:
        change = "unsure"
    ratio = new.us / old.us if old.us > 0 else inf
    return Ratio(*key, old, new, ratio, low, None if high == inf else high, change)


def bounds_of(found: Quantile) -> tuple[float, float]:
    """The lowest and the highest that a quantile may be: 0 and infinity where nobody knows.

    Order statistics say how well the calls of one run pin it down, the rounds how much it moves.
    """
    low = 0.0 if found.low is None else min(found.low, found.us, *found.rounds)
    high = inf if found.high is None else max(found.high, found.us, *found.rounds)
    return low, high


def _figures(report: object, name: str) -> dict[_Key, Quantile]:
    try:
        if _mapping(report).get("guardkit_bench") != FORMAT:
            raise UsageError(f"{name} is no report of `guardkit bench`, or of another version")
        return dict(_read(_mapping(report)))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(f"{name} is damaged: a figure is missing or is no number") from None


def _read(report: Mapping[str, Any]) -> Iterator[tuple[_Key, Quantile]]:
    wanted = dict.fromkeys(("p50", report["quantile"]))
    for surface in report["surfaces"]:
        name = str(surface["surface"])
        spreads = [(str(group["name"]), group["spread"]) for group in surface["groups"]]
        stream = surface["stream"]
        if stream is not None:
            spreads += [("stream, a token", stream["feed"]), ("stream, its end", stream["finish"])]
        for what, spread in spreads:
            for quantile in QUANTILES:
                if quantile in wanted:
                    yield (name, what, quantile), _quantile(spread[quantile])


def _quantile(found: Mapping[str, Any]) -> Quantile:
    low, high = found["low"], found["high"]
    return Quantile(
        float(found["us"]),
        None if low is None else float(low),
        None if high is None else float(high),
        tuple(float(value) for value in found["rounds"]),
    )


def _only(these: Mapping[_Key, Quantile], those: Mapping[_Key, Quantile]) -> tuple[str, ...]:
    known = {key[:2] for key in those}
    return tuple(dict.fromkeys(f"{key[0]}: {key[1]}" for key in these if key[:2] not in known))


def _mapping(report: object) -> Mapping[str, Any]:
    return report if isinstance(report, Mapping) else {}


_TICK: Final = 1.15
"""From here on two machines, or two moods of one, differ too much to go unsaid."""


def _pace(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    """How much longer the fixed loop took this time; 1 where one of them does not say."""
    was, now = (_mapping(report.get("machine")).get("tick_mean_us") for report in (old, new))
    if isinstance(was, int | float) and isinstance(now, int | float) and min(was, now) > 0:
        return now / was
    return 1.0


def _notes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key, what in (("policy", "the policies have other names"), ("digest", "the plan changed")):
        if old.get(key) != new.get(key):
            yield what
    if old.get("models") != new.get("models"):
        yield "the models changed"
    before, after = _mapping(old.get("machine")), _mapping(new.get("machine"))
    for key, what in (("cpu", "processor"), ("python", "Python"), ("engines", "libraries")):
        if before.get(key) != after.get(key):
            yield f"the {what} changed"
    pace = _pace(old, new)
    if not 1 / _TICK < pace < _TICK:
        yield f"a fixed loop of plain Python took {pace:.2f} times what it took then"
    if before.get("is_busy") or after.get("is_busy"):
        whens = [w for w, m in (("then", before), ("now", after)) if m.get("is_busy")]
        yield f"the machine was busy {' and '.join(whens)}"
