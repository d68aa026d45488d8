"""Counters and monitors in the text format of Prometheus, written without its library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from guardkit.types import SURFACES

from ._counters import OTHER, Counts, Times
from ._monitor import Reading

_BOUNDS: Final = tuple(range(2, 27, 2))
"""The bounds of the histograms, as powers of two of a microsecond: 4 µs to 67 s."""

Labels = Sequence[tuple[str, str]]


class Listener(NamedTuple):
    """One listener, and what became of the alarms it was told."""

    name: str
    failed: int
    """So often it raised."""
    sent: int | None
    """So many it passed on; None where it does not say."""
    dropped: int


class Live(NamedTuple):
    """Everything that can be shown at one moment."""

    policy: str
    digest: str
    counts: Mapping[str, Counts]
    readings: Sequence[tuple[tuple[str, float], Reading]]
    """Each monitor's name and bound, and what it shows."""
    listeners: Sequence[Listener]
    dropped: int
    """Alarms nobody was told of."""


def as_metrics(live: Live) -> str:
    """One text, each line ended. Names begin with `guardkit_`; labels hold names of the policy."""
    return "".join(f"{line}\n" for line in _lines(live))


def _lines(live: Live) -> Iterator[str]:
    counts = live.counts["all"]
    policy = [(_labels([("policy", live.policy), ("digest", live.digest)]), 1.0)]
    yield from _family("policy_info", "gauge", "The policy that judges", policy)
    for name, what, labels, says in (
        ("verdicts", "verdict", ("surface", "action"), "Texts and tool calls judged"),
        ("rules", "rule", ("rule", "standing"), "What rules came to"),
        ("unknown", "unknown", ("check",), "Checks that could not answer where it mattered"),
        ("canary_leaks", "canary", ("surface",), "Texts with the canary of the system prompt"),
        ("closed_sessions", "closed", ("surface",), "Events of sessions that a rule had closed"),
        ("holds", "hold", ("state",), "Texts held for approval, and decided"),
        ("exchanges", "exchange", ("outcome",), "Exchanges that came to their end"),
        ("layers", "layer", ("layer", "outcome"), "Exchanges by the layer that ended them"),
        ("refusals", "refusal", ("kind",), "Replies by how they refuse"),
        ("judgements", "judgement", ("judgement",), "Outcomes beside what was expected"),
    ):
        samples = [
            (_labels(list(zip(labels, parts, strict=True))), float(count))
            for parts, count in counts.of(what)
        ]
        yield from _family(f"{name}_total", "counter", says, samples)
    surfaces = [(surface, counts.times(surface)) for surface in (*SURFACES, OTHER)]
    yield from _histogram(
        "verdict_seconds",
        "How long judging took",
        [([("surface", name)], times) for name, times in surfaces if times.number],
    )
    for name, what, says in (
        ("exchange_seconds", "exchange", "How long exchanges took"),
        ("hold_seconds", "hold", "How long held texts waited for a decision"),
    ):
        times = counts.times(what)
        yield from _histogram(name, says, [([], times)] if times.number else [])
    yield from _monitors(live)


def _monitors(live: Live) -> Iterator[str]:
    readings = [(name, bound, reading) for (name, bound), reading in live.readings]

    def each(values: Iterable[tuple[str, str, str, float]]) -> list[tuple[str, float]]:
        return [
            (_labels([("monitor", name), *([(label, said)] if label else [])]), value)
            for name, label, said, value in values
        ]

    yield from _family(
        "monitor_rate",
        "gauge",
        "The rate over the window of the monitor",
        each((name, "", "", r.rate) for name, _, r in readings if r.rate is not None),
    )
    yield from _family(
        "monitor_bound",
        "gauge",
        "The rate at which the monitor rings",
        each((name, "", "", bound) for name, bound, _ in readings),
    )
    yield from _family(
        "monitor_ringing",
        "gauge",
        "Whether the monitor rings: for its rate, or because it is blind",
        each(
            (name, "kind", kind, 0.0 if since is None else 1.0)
            for name, _, r in readings
            for kind, since in (("rate", r.ringing_since), ("blind", r.blind_since))
        ),
    )
    yield from _family(
        "monitor_alarms_total",
        "counter",
        "How often the monitor began to ring",
        each((name, "", "", float(r.alarms)) for name, _, r in readings),
    )
    yield from _family(
        "monitor_answers_total",
        "counter",
        "What the monitor saw",
        each(
            (name, "answer", said, float(count))
            for name, _, r in readings
            for said, count in zip(("yes", "no", "unknown"), r.total, strict=True)
        ),
    )
    # Two listeners of one type are one line: a label that nobody chose would say nothing.
    failed: dict[str, int] = {}
    dropped = {"": live.dropped}
    for listener in live.listeners:
        failed[listener.name] = failed.get(listener.name, 0) + listener.failed
        dropped[listener.name] = dropped.get(listener.name, 0) + listener.dropped
    for name, says, numbers in (
        ("alarm_failures_total", "Alarms at which a listener raised", failed),
        ("alarms_dropped_total", "Alarms that were lost", dropped),
    ):
        samples = [(_labels([("listener", who)]), float(n)) for who, n in sorted(numbers.items())]
        yield from _family(name, "counter", says, samples)


def _family(name: str, kind: str, says: str, samples: Sequence[tuple[str, float]]) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP guardkit_{name} {says}"
    yield f"# TYPE guardkit_{name} {kind}"
    for labels, value in samples:
        yield f"guardkit_{name}{labels} {_number(value)}"


def _histogram(name: str, says: str, samples: Sequence[tuple[Labels, Times]]) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP guardkit_{name} {says}"
    yield f"# TYPE guardkit_{name} histogram"
    for labels, times in samples:
        for power in _BOUNDS:
            le = _labels([*labels, ("le", f"{2.0**power / 1e6:.6f}".rstrip("0"))])
            yield f"guardkit_{name}_bucket{le} {times.below(power)}"
        yield f"guardkit_{name}_bucket{_labels([*labels, ('le', '+Inf')])} {times.number}"
        yield f"guardkit_{name}_sum{_labels(labels)} {times.sum_us / 1e6:.6f}"
        yield f"guardkit_{name}_count{_labels(labels)} {times.number}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
