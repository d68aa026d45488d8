"""Measures a guard: whole calls, what they are made of, streams, many calls at once, memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from guardkit._util.shares import Share
from guardkit.guard import Guard
from guardkit.plan import Plan
from guardkit.types import Surface

from ._allocated import allocated
from ._calls import all_rounds, first_us, warm_up
from ._clocks import ClockName
from ._concurrency import LEVELS, Loaded, loaded
from ._lanes import OWN, Lane, lane_of, pools_of, surfaces_of
from ._machine import Watch, resident_bytes
from ._parts import parts_of
from ._quantiles import QuantileName, Spread, axis, histogram, is_over, spread_of
from ._report import Budgeted, Group, Loading, Memory, Part, Report, RuleTime, SurfaceSeen
from ._resting import rests_on
from ._streams import Streamed, streamed
from ._texts import SIZES

Told = Callable[[str, float], None]
"""Is told what is measured now, and how far all of it is, from 0 to 1."""

_CALLS, _ALONE, _AT_ONCE, _STREAMS = 0.50, 0.22, 0.13, 0.15
"""Shares of the time."""


def measure(
    guard: Guard,
    *,
    on: Sequence[Surface] = (),
    texts: Mapping[Surface, Sequence[str]] | None = None,
    sizes: Sequence[int] = SIZES,
    at_once: Sequence[int] = (),
    seconds: float = 20.0,
    rounds: int = 3,
    quantile: QuantileName = "p99",
    context: Mapping[str, object] | None = None,
    bind: Callable[[Plan], Guard] | None = None,
    loading: Loading | None = None,
    models: tuple[tuple[str, str], ...] = (),
    device: str = "auto",
    version: str = "",
    clock: ClockName = "wall",
    told: Told | None = None,
) -> Report:
    """Measure what a guard costs on this machine.

    Args:
        guard: The guard; nobody else should use it meanwhile.
        on: The surfaces; all that rules judge when left out.
        texts: The texts of each surface. Left out, texts are made: prose of every size, and near
            hits.
        sizes: How many characters made texts have.
        at_once: How many calls at once. Left out, 1, 8 and 64, as far as there is time.
        seconds: How long to measure, about.
        rounds: How many rounds: a budget is over if it is over in most of them.
        quantile: What is held against budgets.
        context: Facts for `context.…`.
        bind: Makes a guard of a part of the plan; without it no rule and no check is measured
            alone.
        loading: How long the guard took to make.
        models: The models and their digests, for the report.
        device: Where models run, for the report.
        version: The version of guardkit, for the report.
        clock: What times are taken by; calls at once are always timed by the wall.
        told: Is told how far it is.

    Raises:
        UsageError: There is nothing to measure.
    """
    plan = guard.plan
    watch = Watch(clock)
    say = told or (lambda what, part: None)
    surfaces = surfaces_of(plan, on, texts)
    made = pools_of(sizes) if texts is None else {}
    lanes = [
        lane_of(
            guard, surface, made if texts is None else {OWN: texts[surface]}, context, bind, clock
        )
        for surface in surfaces
    ]
    n = len(lanes)
    streams = sum(_is_streamed(plan, lane.surface) for lane in lanes) or 1
    for lane in lanes:
        say("first calls", 0.0)
        lane.first_us = first_us(lane)
    loaded_bytes = resident_bytes()
    wanted = warm_up(lanes, seconds * _CALLS * 0.1)
    warm_bytes = resident_bytes()
    all_rounds(
        wanted,
        seconds * _CALLS * 0.9,
        rounds,
        watch,
        lambda at: say(f"calls, round {at + 1} of {rounds}", _CALLS * at / rounds),
    )
    after_bytes = resident_bytes()
    calls = sum(group.calls for lane in lanes for group in lane.groups)
    seen: list[SurfaceSeen] = []
    for at, lane in enumerate(lanes):
        done = _CALLS + (1 - _CALLS) * at / n
        share = (1 - _CALLS) / n
        say(f"checks and rules on {lane.surface}", done)
        parts, rules, left_out = parts_of(lane, bind, seconds * _ALONE / n, watch)
        say(f"many at once on {lane.surface}", done + share * 0.45)
        each = seconds * _AT_ONCE / n / len(at_once or LEVELS)
        levels = tuple(sorted(set(at_once))) or _affordable(lane, each)
        found = loaded(lane.asking, lane.usual.texts, seconds=each, levels=levels)
        watch.tick()
        say(f"streams on {lane.surface}", done + share * 0.7)
        stream = _stream(guard, lane, seconds * _STREAMS / streams, rounds, context)
        watch.tick()
        left = () if at_once else tuple(level for level in LEVELS if level not in levels)
        one = _seen(plan, lane, guard, parts, rules, left_out, found, stream, quantile)
        seen.append(one._replace(not_at_once=left))
    say("done", 1.0)
    grown = (
        None if warm_bytes is None or after_bytes is None else after_bytes - warm_bytes - 8 * calls
    )
    return Report(
        plan.policy,
        plan.digest,
        version,
        models,
        device,
        quantile,
        clock,
        seconds,
        rounds,
        _described(texts, lanes),
        watch.seen(),
        loading,
        Memory(loaded_bytes, grown, calls),
        tuple(seen),
        _notes(plan, texts, lanes, bind),
    )


def _affordable(lane: Lane, seconds: float) -> tuple[int, ...]:
    """The usual numbers of calls at once, without those that would take far too long."""
    most = seconds * 4e6 / lane.usual.mean
    return tuple(level for level in LEVELS if level == 1 or level < most)


def _is_streamed(plan: Plan, surface: Surface) -> bool:
    budget = plan.limits.budget(surface)
    is_chunked = budget is not None and budget.per_chunk
    return surface == "output" or (is_chunked and surface != "tool_call")


def _stream(
    guard: Guard,
    lane: Lane,
    seconds: float,
    rounds: int,
    context: Mapping[str, object] | None,
) -> Streamed | None:
    if not _is_streamed(guard.plan, lane.surface):
        return None
    group = lane.usual
    return streamed(
        guard,
        lane.surface,
        group.texts,
        group.name,
        seconds=seconds,
        rounds=rounds,
        context=context,
        clock=lane.asking.clock,
    )


# --- what is told


def _seen(
    plan: Plan,
    lane: Lane,
    guard: Guard,
    parts: tuple[Part, ...],
    rules: tuple[RuleTime, ...],
    left_out: int,
    at_once: tuple[Loaded, ...],
    stream: Streamed | None,
    quantile: QuantileName,
) -> SurfaceSeen:
    spreads = [spread_of(group.rounds) for group in lane.groups]
    every = sorted(value for group in lane.groups for one in group.rounds for value in one)
    # The last of a thousand may be far off; it is counted in the last bin.
    bounds = axis(every[0], every[int(0.999 * (len(every) - 1))])
    groups = tuple(
        Group(
            group.name,
            len(group.texts),
            group.chars,
            spread,
            histogram([value for one in group.rounds for value in one], bounds),
            dict(group.actions),
        )
        for group, spread in zip(lane.groups, spreads, strict=True)
    )
    calls = sum(group.calls for group in lane.groups)
    asked = {name for rule in plan.rules if lane.surface in rule.surfaces for name in rule.asks}
    return SurfaceSeen(
        surface=lane.surface,
        budget=_budgeted(plan, lane.surface, groups, stream, quantile),
        first_us=lane.first_us,
        bounds=tuple(bounds),
        groups=groups,
        parts=parts,
        rules=rules,
        left_out=left_out,
        dear=tuple(sorted(lane.dear)),
        spared=Share(sum(group.spared for group in lane.groups), calls),
        at_once=at_once,
        not_at_once=(),
        stream=stream,
        allocated=allocated(lane),
        lacking=tuple(sorted(guard.lacking & asked)),
        undecided=Share(sum(group.undecided for group in lane.groups), calls),
        undecided_by=_undecided_by(lane),
    )


def _undecided_by(lane: Lane) -> tuple[str, ...]:
    counted = sum((group.unanswered for group in lane.groups), Counter[str]())
    return tuple(name for name, _ in counted.most_common())


def _budgeted(
    plan: Plan,
    surface: Surface,
    groups: Sequence[Group],
    stream: Streamed | None,
    quantile: QuantileName,
) -> Budgeted | None:
    budget = plan.limits.budget(surface)
    if budget is None:
        return None
    spreads = [(group.name, group.spread) for group in groups]
    if budget.per_chunk and stream is not None:
        spreads = [("stream, a token", stream.feed), ("stream, its end", stream.finish)]
    limit = budget.ms * 1000.0

    def rank(one: tuple[str, Spread]) -> tuple[int, float]:
        at = one[1].at(quantile)
        return sum(value > limit for value in at.rounds), at.us

    name, spread = max(spreads, key=rank)
    at = spread.at(quantile)
    over = sum(value > limit for value in at.rounds)
    return Budgeted(
        limit,
        budget.per_chunk,
        quantile,
        at.us,
        at.low,
        at.high,
        name,
        len(at.rounds),
        over,
        at.us > limit and is_over(limit, at.rounds),
    )


def _described(texts: Mapping[Surface, Sequence[str]] | None, lanes: Sequence[Lane]) -> str:
    if texts is not None:
        count = sum(len(group.texts) for lane in lanes for group in lane.groups)
        what = f"{count:,} own texts" if count != 1 else "one own text"
    else:
        what = "made from a seed; prose: English, German, Spanish, French, Russian, Chinese"
    return f"{what}; a text that comes again ends in other white space, so no cache knows it"


def _notes(
    plan: Plan,
    texts: Mapping[Surface, Sequence[str]] | None,
    lanes: Sequence[Lane],
    bind: Callable[[Plan], Guard] | None,
) -> tuple[str, ...]:
    notes = []
    measured = {lane.surface for lane in lanes}
    for surface, own in (texts or {}).items():
        if own and surface not in measured:
            notes.append(f"{len(own):,} texts are for `{surface}`, which is not measured")
    if "conversation" in plan.surfaces:
        notes.append("rules on `conversation` are judged with every call, and not listed")
    if any(row.action.for_session for row in plan.rules) or plan.windows or plan.sequences:
        notes.append("every text was a session of its own: a long session remembers more")
    notes += [
        f"a text on `{lane.surface}` was compared with one made of its own words, given as "
        + " and ".join(f"`{name}`" for name in given)
        for lane in lanes
        if (given := rests_on(plan, lane.surface))
    ]
    if bind is None:
        notes.append("no check and no rule was measured alone")
    return tuple(notes)
