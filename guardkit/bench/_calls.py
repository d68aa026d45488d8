"""Whole calls: the first one, those that warm up, rounds of those that count, memory of one."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from math import sqrt
from time import perf_counter
from typing import Final

from guardkit.types import Verdict

from ._asking import Asking
from ._lanes import Counted, Lane
from ._machine import Watch
from ._quantiles import Spread, spread_of
from ._report import MOST_UNDECIDED
from ._texts import Texts

LEAST: Final = 3
"""Calls of a group in a round, however long they take."""
_PEAKS: Final = 3


def first_us(lane: Lane) -> float:
    """How long the very first call takes, in microseconds."""
    text = lane.asking.ready(lane.usual.texts.next())
    begun = lane.asking.clock()
    verdict = lane.asking.call(text)
    took = (lane.asking.clock() - begun) / 1e3
    lane.asking.tidy(verdict)
    return took


def warm_up(lanes: Sequence[Lane], seconds: float) -> list[tuple[Lane, Asking, Counted, float]]:
    """Call for a while; what is to be measured, each with how much of the time is its own.

    Slow calls get more of it, or they would be few: as much as the root of what they take.
    """
    every: list[tuple[Lane, Asking, Counted]] = []
    for lane in lanes:
        every += [(lane, lane.asking, group) for group in lane.groups]
        every += [(lane, *lane.scan)] if lane.scan is not None else []
    weights = []
    for _, asking, group in every:
        begun = perf_counter()
        calls = 0
        while calls < len(group.texts) and perf_counter() < begun + seconds / len(every):
            asking.tidy(asking.call(asking.ready(group.texts.next())))
            calls += 1
        weights.append(sqrt((perf_counter() - begun) / max(calls, 1)))
    whole = sum(weights)
    return [(*one, weight / whole) for one, weight in zip(every, weights, strict=True)]


def all_rounds(
    wanted: Sequence[tuple[Lane, Asking, Counted, float]],
    seconds: float,
    rounds: int,
    watch: Watch,
    say: Callable[[int], None],
) -> None:
    """All groups of all surfaces, one after the other, as often as there are rounds.

    What disturbs a while disturbs one round of some, and not all rounds of one. `say` is told
    which round begins.
    """
    until = perf_counter() + seconds
    for number in range(rounds):
        say(number)
        for lane, asking, group, part in wanted:
            watch.tick()
            least = LEAST if perf_counter() < until else 1
            _round(asking, group, lane.dear, seconds / rounds * part, least)


def _round(
    asking: Asking, group: Counted, dear: frozenset[str], seconds: float, least: int
) -> None:
    call, tidy, clock = asking.call, asking.tidy, asking.clock
    ready, following = asking.ready, group.texts.next
    times = array("d")
    until = perf_counter() + seconds
    while len(times) < least or perf_counter() < until:
        text = ready(following())
        begun = clock()
        verdict = call(text)
        times.append((clock() - begun) / 1e3)
        _count(group, verdict, dear)
        tidy(verdict)
    group.rounds.append(times)


def _count(group: Counted, verdict: Verdict, dear: frozenset[str]) -> None:
    group.actions[verdict.action] += 1
    if verdict.undecided:
        group.undecided += 1
        group.unanswered.update(verdict.undecided)
    is_spared = True
    for record in verdict.records:
        kind, _, name = record.by.partition(" ")
        if kind == "check":
            group.asked[name] += 1
            group.took[name] += record.elapsed_us
            is_spared = is_spared and name not in dear
    group.spared += is_spared


def time_alone(asking: Asking, texts: Texts, seconds: float) -> Spread | None:
    """The spread of calls, after a fifth of the time for warming up.

    None where checks could not answer too often: what a failing check takes is no figure.
    """
    until = perf_counter() + seconds / 5
    for _ in range(len(texts)):
        asking.tidy(asking.call(asking.ready(texts.next())))
        if perf_counter() >= until:
            break
    times = array("d")
    undecided = 0
    until = perf_counter() + seconds * 4 / 5
    while len(times) < LEAST or perf_counter() < until:
        text = asking.ready(texts.next())
        begun = asking.clock()
        verdict = asking.call(text)
        times.append((asking.clock() - begun) / 1e3)
        undecided += bool(verdict.undecided)
        asking.tidy(verdict)
    return spread_of([times]) if undecided <= MOST_UNDECIDED * len(times) else None
