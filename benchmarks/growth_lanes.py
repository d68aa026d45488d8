"""What is made larger, and what is timed then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from itertools import count
from random import Random
from time import process_time
from typing import Any, NamedTuple

import anyio
import re2

from guardkit.guard import Guard, loads

from .workload import near_hits, text
from .works import MAX_MEM, SECRET, TOKEN, bare_set, forget, guard_of, streamed
from .works_models import worded

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Once(NamedTuple):
    """One size, ready to be timed."""

    work: Callable[[], object]
    """A round; where it returns a float, these are the seconds that count."""
    calls: int = 1
    """How many of what is plotted a round does."""
    floor: Callable[[], object] | None = None


class Lane(NamedTuple):
    """One thing that grows."""

    id: str
    what: str
    of: str
    """The unit of the size."""
    sizes: tuple[int, ...]
    make: Callable[[int], Once]
    is_flat: bool = False
    floor: str = ""


# --- texts

MOST = 4_000_000
"""The longest text that a guard takes; a longer one is refused before anything is searched."""
TEXT_SIZES = (200, 1_000, 8_000, 64_000, 500_000, MOST)


@cache
def _texts(make: Callable[[int, int], str], size: int) -> list[str]:
    """Enough texts for a round: the chance of what a text happens to hold evens out."""
    return [make(seed, size) for seed in range(max(1, min(200, 400_000 // size)))]


def _whole(make: Callable[[int, int], str], views: str) -> Callable[[int], Once]:
    def once(size: int) -> Once:
        guard, texts = guard_of(views=views), _texts(make, size)
        assert guard.check(texts[0][:-60] + " " + SECRET + " ").action == "block"
        scan = bare_set().Match
        return Once(
            lambda: [guard.check(one) for one in texts],
            len(texts),
            lambda: [scan(one) for one in texts],
        )

    return once


# --- rules and patterns


def made_patterns(count: int) -> list[str]:
    """Distinct patterns of the three most usual kinds: a word, a phrase, a key."""
    random = Random(5)
    found = []
    for number in range(count):
        word = "".join(random.choices(LETTERS, k=6))
        other = "".join(random.choices(LETTERS, k=4))
        kinds = (
            rf"\b{word}-\d{{4}}",
            rf"{word} the {other}",
            rf"\b{word}_\w{{16}}",
        )
        found.append(kinds[number % 3])
    return found


@cache
def ruled(count: int) -> str:
    """So many rules, each with a pattern of its own: in short, for files have a limit."""
    lines = ["guardkit 1", "policy many"]
    for number, pattern in enumerate(made_patterns(count)):
        lines.append(f"check c{number}=pattern{{match /{pattern}/}}")
        lines.append(f"rule r{number}{{tier safety on input when c{number} then block}}")
    return "\n".join(lines) + "\n"


@cache
def listed(count: int) -> str:
    """One rule over so many patterns."""
    lines = ["guardkit 1", "policy many"]
    names = []
    for number, pattern in enumerate(made_patterns(count)):
        lines.append(f"check c{number}=pattern{{match /{pattern}/}}")
        names.append(f"c{number}")
    lines.append(f"rule r {{ tier safety on input when any of ({', '.join(names)}) then block }}")
    return "\n".join(lines) + "\n"


@cache
def _loaded(source: Callable[[int], str], size: int) -> Guard:
    return loads(source(size))


def _over(source: Callable[[int], str]) -> Callable[[int], Once]:
    """Texts of 1 KB against ever more rules."""

    def once(size: int) -> Once:
        guard, texts = _loaded(source, size), _texts(text, 1_000)
        scan = _set_of(made_patterns(size))
        for one in texts:
            assert guard.check(one).action == "pass"
            scan.Match(one)
        assert guard.check("some abc " + _match_of(size) + " more").action == "block"
        return Once(
            lambda: [guard.check(one) for one in texts],
            len(texts),
            lambda: [scan.Match(one) for one in texts],
        )

    return once


def _match_of(size: int) -> str:
    """Something that the last pattern finds."""
    pattern = made_patterns(size)[-1].removeprefix(r"\b")
    return pattern.replace(r"\d{4}", "1234").replace(r"\w{16}", "A1B2" * 4)


def _set_of(found: list[str]) -> Any:
    options = re2.Options()
    options.max_mem = 4 * MAX_MEM
    options.log_errors = False
    scan = re2.Set.SearchSet(options)
    for pattern in found:
        scan.Add(pattern)
    scan.Compile()
    return scan


def _loading(size: int) -> Once:
    """From text to a guard."""
    source = ruled(size)

    def once() -> float:
        forget()
        begun = process_time()
        loads(source)
        return process_time() - begun

    return Once(once)


# --- heads of classifiers

HEADS = (
    'head "injection"',
    'head "harm"',
    'head "toxicity"',
    'head "refusal"',
    'head "refusal_kind" label "full"',
    'head "harm_category" label "weapons"',
)


def _heads(model: str, texts: int) -> Callable[[int], Once]:
    def once(size: int) -> Once:
        lines = ["guardkit 1", "policy heads"]
        for number, head in enumerate(HEADS[:size]):
            lines.append(f"check c{number} = classifier {{ model {model} {head} }}")
            when = f"on output when c{number} >= 0.99"
            lines.append(f"rule r{number} {{ tier safety {when} then flag }}")
        guard, at = loads("\n".join(lines) + "\n"), count()

        def judge() -> float:
            # The static tier keeps nothing of a text; the mini tier keeps what it read.
            seed = 0 if model == "static" else 10 * next(at) + size
            fresh = worded(texts, 1_000, seed=seed)
            begun = process_time()
            for one in fresh:
                guard.check(one, on="output")
            return process_time() - begun

        judge()
        return Once(judge, texts)

    return once


# --- many at once, and streams


def _at_once(size: int) -> Once:
    guard, texts = guard_of(), _texts(text, 1_000)
    rounds = max(1, 256 // size)

    async def main() -> float:
        async def ask(number: int) -> None:
            verdict = await guard.acheck(texts[number % len(texts)])
            assert verdict.action == "pass"

        await ask(0)
        return await crowded(ask)

    async def inline() -> float:
        async def ask(number: int) -> None:
            guard.check(texts[number % len(texts)])

        return await crowded(ask)

    async def crowded(ask: Callable[[int], Awaitable[None]]) -> float:
        begun = process_time()
        for _ in range(rounds):
            async with anyio.create_task_group() as group:
                for number in range(size):
                    group.start_soon(ask, number)
        return process_time() - begun

    return Once(lambda: anyio.run(main), rounds, lambda: anyio.run(inline))


def _streamed(size: int) -> Once:
    guard = guard_of()
    count = max(1, 2_000 // size)
    texts = [text(seed, TOKEN * size) for seed in range(count)]
    return Once(lambda: [streamed(guard, one) for one in texts], count)


LANES: tuple[Lane, ...] = (
    Lane("text", "ordinary text, 100 patterns, all views", "characters", TEXT_SIZES,
         _whole(text, "all"), floor="RE2 set"),
    Lane("text-raw", "the same, read as it stands", "characters", TEXT_SIZES,
         _whole(text, "raw"), floor="RE2 set"),
    Lane("text-hostile", "almost-matches, 100 patterns, all views", "characters",
         TEXT_SIZES[:-1], _whole(near_hits, "all"), floor="RE2 set"),
    Lane("rules", "rules with a pattern each, over 1 KB", "rules", (1, 10, 100, 1_000, 10_000),
         _over(ruled), is_flat=True, floor="RE2 set of the same patterns"),
    Lane("patterns", "patterns of one rule, over 1 KB", "patterns", (10, 100, 1_000, 10_000),
         _over(listed), is_flat=True, floor="RE2 set of the same patterns"),
    Lane("loading", "rules of a policy that is loaded", "rules", (10, 100, 1_000, 10_000),
         _loading),
    Lane("heads-static", "heads of the static tier, over 1 KB", "heads",
         tuple(range(1, len(HEADS) + 1)), _heads("static", 40), is_flat=True),
    Lane("heads-mini", "heads of the mini tier, over 1 KB", "heads",
         tuple(range(1, len(HEADS) + 1)), _heads("mini", 2), is_flat=True),
    Lane("at-once", "calls at once on one event loop", "calls", (1, 4, 16, 64, 256, 1_024),
         _at_once, floor="as many tasks that call `guard.check`"),
    Lane("stream", "tokens of a stream, 100 patterns", "tokens",
         (100, 500, 2_500, 10_000, 50_000), _streamed),
)  # fmt: skip
