"""Texts in the format of Prometheus: marked with whose they are, and several joined into one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from guardkit.telemetry import quoted, written

SUMMED_GAUGES: Final = frozenset({"guardkit_requests_inside"})
"""Gauges that count something: those of two processes are added. Of others the larger is kept."""

_PARTS: Final = ("_bucket", "_sum", "_count")


def labelled(text: str, label: str, value: str) -> str:
    """A text with one more label on every number: whose it is, where several are joined.

    Args:
        text: An exposition as `Monitors.metrics()` gives it.
        label: The label, one that the text does not use.
        value: What it says: a name that the operator chose.
    """
    more = f"{label}={quoted(value)}"
    return "".join(f"{_with_label(line, more)}\n" for line in text.splitlines())


def _with_label(line: str, more: str) -> str:
    if not line or line.startswith("#"):
        return line
    name, brace, rest = line.partition("{")
    if brace and " " not in name:
        return f"{name}{{{more},{rest}"
    name, _, number = line.partition(" ")
    return f"{name}{{{more}}} {number}"


def joined(texts: Iterable[str]) -> str:
    """One valid exposition of several: each name is declared once, each series stands once.

    Where two texts have the same series, counters and histograms are added up, and of a gauge the
    larger value is kept, unless it counts something (`SUMMED_GAUGES`).
    """
    heads: dict[str, tuple[str, str]] = {}
    families: dict[str, dict[str, float]] = {}
    for text in texts:
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ", 3)
                heads.setdefault(name, ("", kind))
                heads[name] = (heads[name][0], kind)
                families.setdefault(name, {})
            elif line.startswith("# HELP "):
                _, _, name, says = line.split(" ", 3)
                heads.setdefault(name, (says, "untyped"))
                families.setdefault(name, {})
            elif line and not line.startswith("#"):
                series, _, number = line.rpartition(" ")
                family = _family_of(series, heads)
                _take(families.setdefault(family, {}), series, float(number), family, heads)
    return "".join(f"{line}\n" for line in _rejoined(heads, families))


def _family_of(series: str, heads: dict[str, tuple[str, str]]) -> str:
    name = series.partition("{")[0]
    for part in _PARTS:
        whole = name.removesuffix(part)
        if whole != name and heads.get(whole, ("", ""))[1] == "histogram":
            return whole
    return name


def _take(
    found: dict[str, float],
    series: str,
    value: float,
    family: str,
    heads: dict[str, tuple[str, str]],
) -> None:
    before = found.get(series)
    if before is None:
        found[series] = value
    elif heads.get(family, ("", ""))[1] in ("counter", "histogram") or family in SUMMED_GAUGES:
        found[series] = before + value
    else:
        found[series] = max(before, value)


def _rejoined(
    heads: dict[str, tuple[str, str]], families: dict[str, dict[str, float]]
) -> Iterator[str]:
    for family, found in families.items():
        says, kind = heads.get(family, ("", "untyped"))
        if says:
            yield f"# HELP {family} {says}"
        yield f"# TYPE {family} {kind}"
        for series, value in found.items():
            # Added up, 0.1 and 0.2 are a little more than 0.3.
            yield f"{series} {written(round(value, 9))}"
