"""Counters and monitors as metrics: what each family is called, and what is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from guardkit.types import SURFACES

from ._counters import OTHER, Counts
from ._exposition import Family, Labels, Spread, Value, exposition
from ._monitor import Reading
from ._times import Times

_BOUNDS: Final = tuple((n, f"{2.0**n / 1e6:.6f}".rstrip("0")) for n in range(2, 27, 2))
"""The bounds of the histograms: powers of two of a microsecond, 4 µs to 67 s, and in seconds."""


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
    return exposition(_families(live))


def _families(live: Live) -> Iterator[Family]:
    counts = live.counts["all"]
    policy = [("policy", live.policy), ("digest", live.digest)]
    yield _family("policy_info", "gauge", "The policy that judges", [Value(policy, 1.0)])
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
        values = [
            Value(list(zip(labels, parts, strict=True)), count) for parts, count in counts.of(what)
        ]
        yield _family(f"{name}_total", "counter", says, values)
    surfaces = [(surface, counts.times(surface)) for surface in (*SURFACES, OTHER)]
    yield _timed(
        "verdict_seconds",
        "How long judging took",
        [([("surface", name)], times) for name, times in surfaces if times.number],
    )
    for name, what, says in (
        ("exchange_seconds", "exchange", "How long exchanges took"),
        ("hold_seconds", "hold", "How long held texts waited for a decision"),
    ):
        times = counts.times(what)
        yield _timed(name, says, [([], times)] if times.number else [])
    yield from _monitors(live)


def _monitors(live: Live) -> Iterator[Family]:
    readings = [(name, bound, reading) for (name, bound), reading in live.readings]

    def each(values: Iterable[tuple[str, str, str, float]]) -> list[Value]:
        return [
            Value([("monitor", name), *([(label, said)] if label else [])], value)
            for name, label, said, value in values
        ]

    yield _family(
        "monitor_rate",
        "gauge",
        "The rate over the window of the monitor",
        each((name, "", "", r.rate) for name, _, r in readings if r.rate is not None),
    )
    yield _family(
        "monitor_bound",
        "gauge",
        "The rate at which the monitor rings",
        each((name, "", "", bound) for name, bound, _ in readings),
    )
    yield _family(
        "monitor_ringing",
        "gauge",
        "Whether the monitor rings: for its rate, or because it is blind",
        each(
            (name, "kind", kind, 0.0 if since is None else 1.0)
            for name, _, r in readings
            for kind, since in (("rate", r.ringing_since), ("blind", r.blind_since))
        ),
    )
    yield _family(
        "monitor_alarms_total",
        "counter",
        "How often the monitor began to ring",
        each((name, "", "", float(r.alarms)) for name, _, r in readings),
    )
    yield _family(
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
        values = [Value([("listener", who)], n) for who, n in sorted(numbers.items())]
        yield _family(name, "counter", says, values)


def _family(
    name: str, kind: Literal["counter", "gauge"], says: str, values: Sequence[Value]
) -> Family:
    return Family(f"guardkit_{name}", kind, says, values)


def _timed(name: str, says: str, samples: Sequence[tuple[Labels, Times]]) -> Family:
    spreads = [
        Spread(
            labels,
            [(bound, times.below(power)) for power, bound in _BOUNDS],
            times.number,
            f"{times.sum_us / 1e6:.6f}",
        )
        for labels, times in samples
    ]
    return Family(f"guardkit_{name}", "histogram", says, spreads=spreads)
