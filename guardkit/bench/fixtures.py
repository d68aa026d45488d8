"""A fixture for pytest-benchmark: a surface of a policy is timed, its answers and its budget held.

Nobody gets it unasked: pytest would have to import all of guardkit at every start. Name it once, in
the `conftest.py` beside the configuration of pytest, or say `-p guardkit.bench.fixtures`:

    pytest_plugins = ["guardkit.bench.fixtures"]

Its times stand in the table of pytest-benchmark and in its JSON. With `--benchmark-disable`, and
under pytest-xdist, the answers are still held; times and budgets are not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import pytest

from guardkit.guard import Guard
from guardkit.plan import Limits, spell_us
from guardkit.types import Action, Surface, Verdict

from ._asking import Asking
from ._clocks import CLOCKS, ClockName
from ._quantiles import QuantileName, Spread, is_over, spread_of
from ._streams import streamed
from ._texts import Texts, pool_of, prose

_SIZE: Final = 1_000
_MADE: Final = 64
_ROUNDS: Final = 3
"""Parts of the calls: a budget is over if it is over in most of them."""
_FEWEST, _MOST = 30, 20_000
_STREAMED: Final = "streams"


class PolicyBenchmark:
    """Times a surface of a policy; see `policy_benchmark`."""

    def __init__(self, benchmark: Any, clock: ClockName) -> None:  # Any: pytest-benchmark has none
        self._benchmark = benchmark
        self._clock = clock

    def __call__(
        self,
        guard: Guard,
        on: Surface = "input",
        texts: Sequence[str] | None = None,
        *,
        expect: Action | Collection[Action] = "pass",
        budget_ms: float | None = None,
        quantile: QuantileName = "p99",
        seconds: float = 1.0,
        context: Mapping[str, object] | None = None,
    ) -> Spread | None:
        """Time a surface; the test fails if an answer is another one, or if it takes too long.

        Args:
            guard: The guard; `guardkit.load`, or the fixture `guard`.
            on: The surface.
            texts: The texts; on `tool_call` the JSON of arguments. 64 of 1,000 characters are made
                if none are given: ordinary prose, two of three texts English.
            expect: What every verdict has to be, or some of which it has to be one.
            budget_ms: What the quantile has to keep to; the policy's own `budget` if none is given,
                and no budget if it has none. Where that is one `per chunk`, it is held against the
                steps of streams.
            quantile: What is held against the budget.
            seconds: How long to measure, about.
            context: Facts for `context.…`.

        Returns:
            How long calls took, or None where pytest-benchmark is switched off.
        """
        chosen = Texts(pool_of(prose, _SIZE, _MADE) if texts is None else texts)
        wanted = (expect,) if isinstance(expect, str) else tuple(expect)
        asking = Asking(guard, on, context, is_call=texts is not None)
        mean_s = _tried(asking, chosen, wanted)
        limits = guard.plan.limits
        limit_us, per_chunk = _limit(limits, on, budget_ms)
        self._describe(guard, on, quantile, limit_us)
        if (spread := self._timed(asking, chosen, wanted, seconds / mean_s)) is None:
            return None
        steps = [("a call", spread)]
        if per_chunk:
            steps = self._streams(guard, on, chosen, seconds, context)
        for what, one in steps:
            _hold(what, one, quantile, limit_us)
        return spread

    def _describe(
        self, guard: Guard, on: Surface, quantile: QuantileName, limit_us: float | None
    ) -> None:
        plan = guard.plan
        self._benchmark.group = f"{plan.policy}: {on}"
        self._benchmark.extra_info.update(
            policy=plan.policy,
            digest=plan.digest,
            surface=on,
            quantile=quantile,
            budget_us=limit_us,
        )

    def _timed(
        self, asking: Asking, texts: Texts, wanted: Collection[Action], rounds: float
    ) -> Spread | None:
        last: list[Verdict] = []

        def ready() -> tuple[tuple[str], dict[str, object]]:
            while last:
                _answered(asking, last.pop(), wanted)
            return (asking.ready(texts.next()),), {}

        def call(text: str) -> None:
            last.append(asking.call(text))

        count = round(min(max(rounds, _FEWEST), _MOST))
        self._benchmark.pedantic(call, setup=ready, rounds=count)
        _answered(asking, last.pop(), wanted)
        if self._benchmark.stats is None:
            return None
        took = [one * 1e6 for one in self._benchmark.stats.stats.data]
        part = -(-len(took) // _ROUNDS)
        return spread_of([took[at : at + part] for at in range(0, len(took), part)])

    def _streams(
        self,
        guard: Guard,
        on: Surface,
        texts: Texts,
        seconds: float,
        context: Mapping[str, object] | None,
    ) -> list[tuple[str, Spread]]:
        found = streamed(
            guard,
            on,
            texts,
            _STREAMED,
            seconds=seconds,
            rounds=_ROUNDS,
            context=context,
            clock=CLOCKS[self._clock],
        )
        return [("a token of a stream", found.feed), ("the end of a stream", found.finish)]


def _limit(limits: Limits, on: Surface, budget_ms: float | None) -> tuple[float | None, bool]:
    """A budget in microseconds, and whether it is one of a stream's step."""
    budget = limits.budget(on)
    per_chunk = budget is not None and budget.per_chunk and on != "tool_call"
    if budget_ms is None:
        return None if budget is None else budget.ms * 1e3, per_chunk
    return budget_ms * 1e3, per_chunk


def _tried(asking: Asking, texts: Texts, wanted: Collection[Action]) -> float:
    """Ask about every text once, so that all is warm; how long a call takes, in seconds."""
    took = 0.0
    for _ in range(len(texts)):
        text = asking.ready(texts.next())
        begun = time.perf_counter()
        verdict = asking.call(text)
        took += time.perf_counter() - begun
        _answered(asking, verdict, wanted)
    return max(took / len(texts), 1e-7)


def _answered(asking: Asking, verdict: Verdict, wanted: Collection[Action]) -> None:
    asking.tidy(verdict)
    if verdict.undecided:
        budget = asking.guard.plan.limits.budget(asking.surface)
        is_late = budget is not None and verdict.elapsed_us >= budget.ms * 1e3
        within = f" within the budget of {spell_us(budget.ms * 1e3)}" if budget and is_late else ""
        names = ", ".join(verdict.undecided)
        said = f"{asking.surface}: a check could not answer{within}, for {names}"
        pytest.fail(said, pytrace=False)
    if verdict.action not in wanted:
        by = f" by {', '.join(verdict.fired)}" if verdict.fired else ""
        said = f"{asking.surface}: a verdict is {verdict.action}{by}, not {' or '.join(wanted)}"
        pytest.fail(said, pytrace=False)


def _hold(what: str, spread: Spread, quantile: QuantileName, limit_us: float | None) -> None:
    found = spread.at(quantile)
    if limit_us is None or found.us <= limit_us or not is_over(limit_us, found.rounds):
        return
    over = sum(one > limit_us for one in found.rounds)
    pytest.fail(
        f"over budget: {quantile} of {what} is {spell_us(found.us)}, the budget "
        f"{spell_us(limit_us)}; over in {over} of {len(found.rounds)} parts of {spread.calls:,}",
        pytrace=False,
    )


@pytest.fixture
def policy_benchmark(
    request: pytest.FixtureRequest, benchmark: Callable[..., object]
) -> PolicyBenchmark:
    """Time a surface of a policy, and hold its answers and its budget.

    Example:
        >>> def test_questions_are_judged_in_time(policy_benchmark):  # doctest: +SKIP
        ...     policy_benchmark(guardkit.load("policies/shop.guard"), "input")
    """
    timer = request.config.getoption("benchmark_timer", None)
    is_cpu = getattr(timer, "target", timer) in (time.process_time, time.process_time_ns)
    return PolicyBenchmark(benchmark, "cpu" if is_cpu else "wall")
