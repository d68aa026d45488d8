"""What a stream costs: time per token and at its end, and how much text it holds back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from time import perf_counter, perf_counter_ns
from typing import Final, NamedTuple

from guardkit.guard import Guard
from guardkit.types import Surface

from ._quantiles import Spread, spread_of
from ._resting import rests_on, sources_for
from ._texts import Texts

_LEAST: Final = 2


class Streamed(NamedTuple):
    """The streams of one surface."""

    texts: str
    """What was streamed."""
    streams: int
    tokens: int
    per_token: float
    """Microseconds, the end of the stream shared out over its tokens."""
    feed: Spread
    """How long the guard took for one token."""
    finish: Spread
    """How long it took for the end, where the whole text is judged."""
    held_mean: float | None
    """How many characters were held back, on average over all tokens; of streams that passed."""
    held_most: int | None
    """How many at most, before the end."""
    delay_mean: float | None
    """How many characters later a character came out, on average."""
    passed: int
    whole: int
    """Streams of which nothing came out before the end."""


def streamed(
    guard: Guard,
    surface: Surface,
    texts: Texts,
    what: str,
    *,
    seconds: float,
    rounds: int,
    context: Mapping[str, object] | None = None,
    clock: Callable[[], int] = perf_counter_ns,
) -> Streamed:
    """Stream texts token by token until the time is up.

    Args:
        guard: The guard.
        surface: The surface.
        texts: What is streamed.
        what: What they are called.
        seconds: How long, all rounds together.
        rounds: How many rounds.
        context: Facts for `context.…`.
        clock: What times are taken by, in nanoseconds.
    """
    run = _Run(guard, surface, context, clock)
    run.one(texts.next())  # the first one pays for what is made at first use
    run.forget()
    feeds: list[list[float]] = []
    ends: list[list[float]] = []
    for _ in range(rounds):
        until = perf_counter() + seconds / rounds
        feeds.append([])
        ends.append([])
        while len(ends[-1]) < _LEAST or perf_counter() < until:
            times, end = run.one(texts.next())
            feeds[-1] += times
            ends[-1].append(end)
    total = sum(map(sum, feeds)) + sum(map(sum, ends))
    return Streamed(
        what,
        sum(map(len, ends)),
        run.tokens,
        total / max(run.tokens, 1),
        spread_of(feeds),
        spread_of(ends),
        run.held / run.steps if run.steps else None,
        run.most if run.passed else None,
        run.late / run.chars if run.chars else None,
        run.passed,
        run.whole,
    )


class _Run:
    """Streams texts and adds up what it sees."""

    def __init__(
        self,
        guard: Guard,
        surface: Surface,
        context: Mapping[str, object] | None,
        clock: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._guard = guard
        self._surface = surface
        self._context = context
        self._rests_on = rests_on(guard.plan, surface)
        self._random = Random("tokens")  # noqa: S311 - no secret
        self._turn = 0
        self.forget()

    def forget(self) -> None:
        self.tokens = self.steps = self.held = self.most = 0
        self.late = self.chars = self.passed = self.whole = 0

    def one(self, text: str) -> tuple[list[float], float]:
        """Stream one text: the time of each token and of the end, in microseconds."""
        guard, clock = self._guard, self._clock
        session = None
        if guard.needs_session:
            self._turn += 1
            session = f"bench stream {self._turn}"
        stream = guard.stream(
            on=self._surface,
            context=self._context,
            session=session,
            sources=sources_for(text, self._rests_on) if self._rests_on else None,
        )
        times: list[float] = []
        held: list[tuple[int, int]] = []
        fed = out = 0
        for token in tokens_of(text, self._random):
            begun = clock()
            shown = stream.feed(token)
            times.append((clock() - begun) / 1e3)
            fed += len(token)
            out += len(shown)
            held.append((fed, out))
            if stream.closed:
                break
        begun = clock()
        stream.finish()
        end = (clock() - begun) / 1e3
        self.tokens += len(times)
        verdict = stream.verdict
        if verdict is not None and verdict.hold is not None:
            guard.holds.deny(verdict.hold, "bench")
        if session is not None:
            guard.forget(session)
        if verdict is not None and verdict.action in ("pass", "flag"):
            self._note(held)
        return times, end

    def _note(self, held: Sequence[tuple[int, int]]) -> None:
        self.passed += 1
        self.steps += len(held)
        waiting = [fed - out for fed, out in held]
        self.held += sum(waiting)
        # The last token is followed by the end, which lets everything go.
        self.most = max(self.most, *waiting)
        self.whole += held[-1][1] == 0
        late, chars = lateness(held)
        self.late += late
        self.chars += chars


def lateness(held: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """How many characters had come in when each one came out, less its place: their sum, and how
    many there are.

    Args:
        held: After each token, how many characters went in and how many came out, in all.
    """
    if not held:
        return 0, 0
    whole = held[-1][0]
    late = before = 0
    for fed, out in (*held, (whole, whole)):
        # Characters `before` to `out` came out now; the i-th had come in as number i + 1.
        late += sum(fed - (i + 1) for i in range(before, out))
        before = max(before, out)
    return late, whole


def tokens_of(text: str, random: Random) -> list[str]:
    """A text in pieces of one to eight characters, as a model writes: about four each."""
    pieces = []
    at = 0
    while at < len(text):
        size = random.choice((1, 2, 3, 4, 4, 5, 5, 8))
        pieces.append(text[at : at + size])
        at += size
    return pieces
