"""The text format of Prometheus, version 0.0.4, written without its library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

Labels = Sequence[tuple[str, str]]


class Value(NamedTuple):
    """One number of a counter or a gauge."""

    labels: Labels
    value: float


class Spread(NamedTuple):
    """One histogram."""

    labels: Labels
    below: Sequence[tuple[str, int]]
    """Each bound as it is written, and how many were below it or at it."""
    number: int
    total: str
    """The sum of all, as it is written."""


class Family(NamedTuple):
    """Everything under one name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    values: Sequence[Value] = ()
    spreads: Sequence[Spread] = ()


def exposition(families: Iterable[Family]) -> str:
    """The families one after another, each line ended; a family without numbers is left out."""
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def written(value: float) -> str:
    """A number as it is written: without a point where it is whole."""
    if value == value and abs(value) < 2.0**63 and value == int(value):
        return str(int(value))
    return repr(value)


def quoted(text: str) -> str:
    """What a label says, in its quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _lines(family: Family) -> Iterator[str]:
    if not family.values and not family.spreads:
        return
    name = family.name
    yield f"# HELP {name} {family.says}"
    yield f"# TYPE {name} {family.kind}"
    for value in family.values:
        yield f"{name}{_braces(value.labels)} {written(value.value)}"
    for spread in family.spreads:
        for bound, reached in (*spread.below, ("+Inf", spread.number)):
            yield f"{name}_bucket{_braces([*spread.labels, ('le', bound)])} {reached}"
        yield f"{name}_sum{_braces(spread.labels)} {spread.total}"
        yield f"{name}_count{_braces(spread.labels)} {spread.number}"


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f"{name}={quoted(value)}" for name, value in labels) + "}"
