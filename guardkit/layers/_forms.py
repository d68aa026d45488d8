"""The forms of a stack for one exchange: whole, and with layers taken away; and their effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from guardkit._util.shares import Share
from guardkit.types import Layer

from ._attribution import Effect, Ending, Outcome
from ._deployment import Asked
from ._effects import FIRST, SURE, chance_halved, difference_interval, rate_interval
from ._evidence import judged_texts
from ._runs import Run, Runner, Tally, tally

Form = tuple[Layer, ...]
"""What is taken away, in the order of the stack; nothing for the whole of it."""
WHOLE: Final[Form] = ()
MOST_FORMS: Final = 7
"""The whole stack, without each of four layers, and two steps to find who else would do it."""
_FAILING: Final = 3
"""So many failures in a row, and nothing else, end the inquiry."""


class Forms:
    """The runs of every form so far.

    Args:
        runner: Has the exchanges.
        said: The exchange.
        repeats: How many runs of each form there are at most.
        seed: Of the draws behind probabilities.
    """

    def __init__(self, runner: Runner, said: Asked, repeats: int, seed: int) -> None:
        self._runner = runner
        self._said = said
        self._repeats = repeats
        self._seed = seed
        self._runs: dict[Form, tuple[Run, ...]] = {}

    @property
    def whole(self) -> tuple[Run, ...]:
        """The runs of the whole stack."""
        return self._runs.get(WHOLE, ())

    @property
    def is_exact(self) -> bool:
        """Whether the whole stack comes to the same every time."""
        return bool(self.whole) and all(run.is_exact for run in self.whole)

    @property
    def has_failed(self) -> bool:
        """Whether most runs of the whole stack gave no reply."""
        return 2 * sum(run.outcome == "failed" for run in self.whole) > len(self.whole)

    def runs(self, form: Form) -> tuple[Run, ...]:
        """The runs of a form."""
        return self._runs.get(form, ())

    def failures(self) -> Iterator[tuple[Form, int, int]]:
        """The forms of which runs failed: how many, and of how many."""
        for form, runs in self._runs.items():
            if failed := sum(run.outcome == "failed" for run in runs):
                yield form, failed, len(runs)

    async def begin(self) -> None:
        """The first stage of the whole stack; less of it where every run fails."""
        await self._fill(WHOLE, min(_FAILING, self._repeats))
        if not self.is_exact and not all(run.outcome == "failed" for run in self.whole):
            await self._fill(WHOLE, FIRST)

    async def finish(self) -> None:
        """Every form to its end."""
        for form in list(self._runs):
            await self._fill(form, self._repeats)

    async def settle(self, outcome: Outcome, *more: Form) -> None:
        """Both stages of these forms and of those before; the first where it leaves no doubt."""
        for form in more:
            await self._fill(form, FIRST)
        if any(len(runs) > FIRST for runs in self._runs.values()) or not all(
            tally(runs, outcome).is_unanimous for runs in self._runs.values()
        ):
            await self.finish()

    async def _fill(self, form: Form, count: int) -> None:
        runs = self._runs.get(form, ())
        if runs and runs[0].is_exact and len(runs) == 1:
            return
        count = min(count, self._repeats)
        if len(runs) < count:
            made = await self._runner.many(self._said, count - len(runs), form, goes_on=bool(runs))
            self._runs[form] = (*runs, *made)

    # --- effects

    def effect(self, form: Form, outcome: Outcome) -> Effect:
        """What the whole stack has over a form of it."""
        whole, left = tally(self.whole, outcome), tally(self.runs(form), outcome)
        chance = _chance(whole, left, self._seed)
        low, high = _interval(whole, left)
        return Effect(
            without=form,
            intact=Share(whole.hits, whole.of),
            left=Share(left.hits, left.of),
            difference=_rate(whole) - _rate(left),
            low=low,
            high=high,
            chance=chance,
            flips=chance >= SURE and low > 0,
            is_exact=whole.is_exact and left.is_exact,
            failed=left.failed,
            then=left.endings,
        )

    def inert(self, form: Form, outcome: Outcome) -> Effect:
        """The effect of a layer that did nothing in any run.

        It is none for certain only where all runs are one; else the layer may act in a run that
        was not had.
        """
        whole = tally(self.whole, outcome)
        share = Share(whole.hits, whole.of)
        low, high = (0.0, 0.0) if whole.is_exact else rate_interval(0, whole.of)
        return Effect(
            without=form,
            intact=share,
            left=share,
            difference=0.0,
            low=low,
            high=high,
            chance=0.0,
            flips=False,
            is_exact=whole.is_exact,
            failed=0,
            then=whole.endings,
            did_nothing=True,
        )

    def acted(self, layer: Layer) -> bool:
        """Whether the rules of a side ended a run of the whole stack, or changed a text in one."""
        return any(
            run.layer == layer
            or any(
                text.layer == layer and text.action not in ("pass", "flag")
                for text in judged_texts(run.records)
            )
            for run in self.whole
        )


def _rate(counts: Tally) -> float:
    return counts.hits / counts.of if counts.of else 0.0


def _interval(whole: Tally, left: Tally) -> tuple[float, float]:
    if not whole.of or not left.of:
        return -1.0, 1.0
    if whole.is_exact and left.is_exact:
        return _rate(whole) - _rate(left), _rate(whole) - _rate(left)
    if whole.is_exact:
        low, high = rate_interval(left.hits, left.of)
        return _rate(whole) - high, _rate(whole) - low
    if left.is_exact:
        low, high = rate_interval(whole.hits, whole.of)
        return low - _rate(left), high - _rate(left)
    return difference_interval(whole.hits, whole.of, left.hits, left.of)


def _chance(whole: Tally, left: Tally, seed: int) -> float:
    if not whole.of or not left.of:
        return 0.0
    return chance_halved(
        (whole.hits, whole.of),
        (left.hits, left.of),
        exact=(whole.is_exact, left.is_exact),
        seed=seed,
    )


def most_frequent(endings: tuple[Ending, ...]) -> Layer | None:
    """The layer that refused most runs; None where none did."""
    counts = Counter[Layer]()
    for ending in endings:
        if ending.layer not in (None, "transport"):
            counts[ending.layer] += ending.runs
    return counts.most_common(1)[0][0] if counts else None
