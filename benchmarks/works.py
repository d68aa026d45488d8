"""What a guard does while it runs, and what checking a policy takes: W1 to W4 and W8.

Texts are distinct: an automaton that has seen a text before is faster on it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import anyio
import re2

from guardkit.guard import Guard, compile_text, loads, plan_of
from guardkit.semantics import _patterns
from guardkit.syntax import _parse

from .pairs import Lap, Work, in_turns
from .workload import (
    SAMPLES,
    TODAY,
    near_hits,
    patterns,
    policy,
    reference_loop,
    text,
    thousand_rules,
    with_values,
)

Clock = Callable[[], float]
"""The gate gives the processor's to what takes longer than a turn on it."""

MAX_MEM = 64 << 20
SECRET = "ghp_" + "a1B2" * 9
TRIVIAL = (
    'guardkit 1\npolicy trivial\ncheck bad = words { list ["forbidden"] }\n'
    "rule r { tier safety on input, output when bad then block }\n"
)


@cache
def bare_set() -> Any:  # Any: the binding has no types
    """The raw multi-pattern scan of the same 100 patterns."""
    options = re2.Options()
    options.max_mem = MAX_MEM
    options.log_errors = False
    scan = re2.Set.SearchSet(options)
    for pattern in patterns():
        scan.Add(pattern)
    scan.Compile()
    return scan


@cache
def guard_of(action: str = "block", views: str = "all") -> Guard:
    """A guard with the 100 patterns."""
    return loads(policy(action, views=views))


def _texts(make: Callable[[int, int], str], size: int, each: int) -> Callable[[int], list[str]]:
    """The texts of a lap."""
    return lambda lap: [make(seed, size) for seed in range(lap * each, (lap + 1) * each)]


def _next(
    work: Callable[[Any], object], inputs: Callable[[int], list[Any]]
) -> Callable[[], object]:
    """The work on one more input at each call; what was prepared is used in turn."""
    ready: list[Any] = []
    at = count()

    def once() -> object:
        if not ready:
            ready.extend(inputs(0))
        return work(ready[next(at) % len(ready)])

    return once


# --- W1: whole texts


def w1(size: int = 1024, views: str = "all") -> Work:
    """Ordinary text without a hit."""
    guard = guard_of(views=views)
    inputs = _texts(text, size, max(10, 200_000 // size))

    def prove() -> None:
        found = [guard.check(one).action for one in inputs(0)]
        assert sum(action != "pass" for action in found) <= max(2, len(found) // 50)
        assert guard.check(text(1, size - 50) + " " + SECRET).action == "block"

    raw = views == "raw"
    read = "as they stand" if raw else "with all views"
    return Work(
        id="W1-raw" if raw else f"W1-{size}",
        what=f"100 patterns over {_size(size)} of ordinary text, {read}",
        floor="RE2 set",
        lap=lambda lap: in_turns(bare_set().Match, guard.check, inputs(lap)),
        prove=prove,
        once=_next(guard.check, inputs),
    )


def _size(size: int) -> str:
    return f"{size} B" if size < 1024 else f"{size // 1024} KB"


def w1h() -> Work:
    """Text made of almost-matches."""
    guard = guard_of()
    inputs = _texts(near_hits, 1024, 60)

    def prove() -> None:
        for one in inputs(0):  # some of them happen to hold a whole match
            assert guard.check(one).action == ("block" if bare_set().Match(one) else "pass")
        assert guard.check(near_hits(1, 900) + " " + SECRET).action == "block"

    return Work(
        id="W1h",
        what="100 patterns over 1 KB of almost-matches",
        floor="RE2 set",
        lap=lambda lap: in_turns(bare_set().Match, guard.check, inputs(lap)),
        prove=prove,
        once=_next(guard.check, inputs),
    )


# --- W2: a call


async def fine(prompt: str) -> str:
    return "fine"


async def _by_hand(prompt: str) -> str:
    """The same rule as anybody would write it into their own code."""
    if "forbidden" in prompt:
        raise ValueError("forbidden")
    reply = await fine(prompt)
    if "forbidden" in reply:
        raise ValueError("forbidden")
    return reply


def w2(chunks: int = 50, calls: int = 100) -> Work:
    """A no-op async function with one trivial rule each way."""
    guard = loads(TRIVIAL)
    wrapped = guard(fine)
    ways: tuple[Callable[[str], Awaitable[str]], ...] = (fine, _by_hand, wrapped)

    async def laps() -> Lap:
        spent: tuple[list[float], ...] = ([], [], [])
        for _ in range(chunks):
            for way, found in zip(ways, spent, strict=True):
                begun = perf_counter()
                for _ in range(calls):
                    await way("hello")
                found.append((perf_counter() - begun) / calls)
        base, floor, work = spent
        return Lap(floor, work, base)

    async def answers() -> None:
        assert await wrapped("hello") == "fine"
        verdicts = [guard.check(one).action for one in ("hello", "a forbidden word")]
        assert verdicts == ["pass", "block"]

    return Work(
        id="W2",
        what="an async call that does nothing, one trivial rule each way",
        floor="`in`, by hand",
        lap=lambda lap: anyio.run(laps),
        prove=lambda: anyio.run(answers),
        once=lambda: run_to_end(wrapped("hello")),
    )


def run_to_end(called: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        called.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


# --- W3: a stream

TOKENS, TOKEN, WINDOW = 500, 5, 256


def streamed(guard: Guard, one: str) -> str:
    """What a reader of the stream sees."""
    stream = guard.stream(on="output", says=False)
    shown = "".join([stream.feed(one[i : i + TOKEN]) for i in range(0, len(one), TOKEN)])
    return shown + stream.finish()


def leaked(guard: Guard, seed: int, step: int = 97) -> int:
    """The most characters of a secret that a reader sees, wherever it stands."""
    plain = text(seed, TOKENS * TOKEN)
    most = 0
    for position in range(seed % step, len(plain) - 100, step):
        one = plain[:position] + " " + SECRET + " " + plain[position:]
        shown = streamed(guard, one)
        assert shown != one
        most = max(most, shown_of(SECRET, shown, plain[:position] + " "))
    return most


def shown_of(secret: str, shown: str, before: str) -> int:
    """How many of its first characters stand where it begins."""
    rest = shown[len(before) :] if shown.startswith(before) else ""
    return next((n for n, (a, b) in enumerate(zip(secret, rest, strict=False)) if a != b),
                min(len(secret), len(rest)))  # fmt: skip


def w3(clock: Clock = perf_counter) -> Work:
    """500 tokens, a secret at any position, nothing of it shown."""
    guard = guard_of()
    inputs = _texts(text, TOKENS * TOKEN, 12)

    def window(one: str) -> None:
        scan = bare_set()
        for end in range(TOKEN, len(one) + TOKEN, TOKEN):
            scan.Match(one[max(0, end - WINDOW) : end])

    def lap(number: int) -> Lap:
        fresh = loads(policy())
        texts = inputs(number)
        begun = perf_counter()
        assert streamed(fresh, texts[0]) == texts[0]
        first = perf_counter() - begun
        found = in_turns(window, lambda one: streamed(guard, one), texts, clock)
        return found._replace(notes={"first_ms": first * 1e3, "leaked": leaked(guard, number)})

    def prove() -> None:
        assert leaked(guard, 1, step=41) == 0
        for one in inputs(0)[:4]:
            assert streamed(guard, one) == one

    return Work(
        id="W3",
        what=f"a stream of {TOKENS} tokens, 100 patterns",
        floor="RE2 set on the last 256 characters at each token; it leaks",
        lap=lap,
        prove=prove,
        once=_next(lambda one: streamed(guard, one), inputs),
        notes={"first_ms": "the first stream of a new guard", "leaked": "characters shown"},
    )


# --- W4: redaction


def w4() -> Work:
    """Four personal values in 1 KB are masked."""
    guard = guard_of("rewrite")
    inputs = _texts(with_values, 1024, 100)

    def prove() -> None:
        for one in inputs(0):
            verdict = guard.check(one)
            assert verdict.action == "rewrite"
            assert len({(f.start, f.end) for f in verdict.findings}) >= 4
            assert "@mail.example" not in verdict.text
            assert "@mail.example" not in spliced(one)

    return Work(
        id="W4",
        what="mask four personal values in 1 KB, 100 patterns",
        floor="RE2 set, spans, one splice",
        lap=lambda lap: in_turns(spliced, guard.check, inputs(lap)),
        prove=prove,
        once=_next(guard.check, inputs),
    )


@cache
def _programs() -> list[Any]:
    return [re2.compile(pattern) for pattern in patterns()]


def spliced(one: str) -> str:
    """The same by hand: which patterns hit, where they do, one splice."""
    programs = _programs()
    spans = sorted(m.span() for i in bare_set().Match(one) for m in programs[i].finditer(one))
    parts, at = [], 0
    for start, end in spans:
        if start >= at:
            parts += (one[at:start], "[X]")
            at = end
    return "".join((*parts, one[at:]))


# --- W8: checking a policy


def forget() -> None:
    """What an editor gains from: texts that were parsed and patterns that were compiled before."""
    _parse.forget()
    _patterns.forget()


def _timed(work: Callable[[], object], clock: Clock) -> float:
    begun = clock()
    work()
    return clock() - begun


def _checking(
    id: str,
    what: str,
    check: Callable[[], int],
    wanted: int,
    clock: Clock,
    *,
    loops: float,
    times: int,
) -> Work:
    """The floor runs about as long as the work: what disturbs one may as well meet the other."""
    steps = round(1_000_000 * min(loops, 1))

    def floor() -> None:
        for _ in range(max(1, round(loops))):
            reference_loop(steps)

    def lap(number: int) -> Lap:
        floors, works = [], []
        for _ in range(times):
            forget()
            works.append(_timed(check, clock))
            floors.append(_timed(floor, clock) / loops)
        return Lap(floors, works)

    def prove() -> None:
        assert reference_loop() == 127_493_856
        assert check() == wanted

    return Work(
        id=id, what=what, floor="a million steps of plain Python",
        lap=lap, prove=prove, once=check, laps=7,
    )  # fmt: skip


def w8(rules: int = 1_000, clock: Clock = perf_counter) -> Work:
    """Many rules over 60 checks, from text to plan."""
    source = thousand_rules(rules)

    def check() -> int:
        checked = compile_text(source, today=TODAY)
        assert checked.policy is not None
        assert len(plan_of(checked.policy).nodes) > rules
        return len(checked.policy.rules)

    loops = rules / 50  # they take about as long
    what = f"check a policy of {rules:,} rules"
    return _checking(
        f"W8-{rules}", what, check, rules, clock, loops=loops, times=max(1, 200 // rules)
    )


def sixty_lines() -> tuple[str, Path]:
    """An ordinary policy, and the folder it reads from."""
    source = (SAMPLES / "ops_agent.guard").read_text(encoding="utf-8").split("\ntest ")[0]
    assert 50 <= len(source.splitlines()) <= 70
    return source, SAMPLES


def check_sixty() -> int:
    """Check it; how many rules it has."""
    source, root = sixty_lines()
    checked = compile_text(source, root=root, std=root / "std", today=TODAY)
    assert checked.policy is not None
    plan_of(checked.policy)
    return len(checked.policy.rules)


def w8_sixty(clock: Clock = perf_counter) -> Work:
    """About sixty lines, with modules of its own, from text to plan."""
    what = "check a policy of 60 lines"
    return _checking("W8-60", what, check_sixty, 4, clock, loops=0.15, times=6)
