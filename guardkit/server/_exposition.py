"""The text format of Prometheus: families written, and several texts joined into a valid one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

Labels = tuple[tuple[str, str], ...]

SUMMED_GAUGES: Final = frozenset({"guardkit_requests_inside"})
"""Gauges that count something: those of two processes are added. Of others the larger is kept."""

_PARTS: Final = ("_bucket", "_sum", "_count")


class Value(NamedTuple):
    """One number of a counter or a gauge."""

    labels: Labels
    value: float


class Spread(NamedTuple):
    """One histogram."""

    labels: Labels
    below: Sequence[tuple[float, int]]
    """Each bound, and how many were at most that."""
    number: int
    total: float


class Family(NamedTuple):
    """Everything under one name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    values: Sequence[Value] = ()
    spreads: Sequence[Spread] = ()


def as_text(families: Iterable[Family]) -> str:
    """The families one after another, each line ended; a family without numbers is left out."""
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    if not family.values and not family.spreads:
        return
    name = family.name
    yield f"# HELP {name} {family.says}"
    yield f"# TYPE {name} {family.kind}"
    for value in family.values:
        yield f"{name}{_braces(value.labels)} {_number(value.value)}"
    for spread in family.spreads:
        for bound, reached in spread.below:
            yield f"{name}_bucket{_braces((*spread.labels, ('le', f'{bound:g}')))} {reached}"
        yield f"{name}_bucket{_braces((*spread.labels, ('le', '+Inf')))} {spread.number}"
        yield f"{name}_sum{_braces(spread.labels)} {_number(round(spread.total, 6))}"
        yield f"{name}_count{_braces(spread.labels)} {spread.number}"


def labelled(text: str, label: str, value: str) -> str:
    """A text with one more label on every number: whose it is, where several are joined.

    Args:
        text: An exposition as `Monitors.metrics()` gives it.
        label: The label, one that the text does not use.
        value: What it says: a name that the operator chose.
    """
    more = f"{label}={_quoted(value)}"
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
            yield f"{series} {_number(value)}"


def _number(value: float) -> str:
    if value == value and abs(value) < 2.0**63 and value == int(value):
        return str(int(value))
    return repr(round(value, 9))


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f"{name}={_quoted(value)}" for name, value in labels) + "}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
