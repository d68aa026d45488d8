"""How much Python a call runs: functions entered, bytecode instructions, C functions called.

Nothing here is a time: the same program on the same version of Python counts the same, on a busy
machine as on an idle one. What C code does inside of one call is not seen.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, NamedTuple

from guardkit.guard import loads

from . import works
from .workload import near_hits, text, with_values


class Counts(NamedTuple):
    """What one call ran, on average over the inputs."""

    functions: float
    instructions: float
    c_functions: float


class _Counter:
    """Counts events of the interpreter in frames that begin while it watches."""

    def __init__(self) -> None:
        self.functions = self.instructions = self.c_functions = 0

    def traced(self, frame: FrameType, event: str, given: Any) -> Any:
        if event == "call":
            self.functions += 1
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            self.instructions += 1
        return self.traced

    def profiled(self, frame: FrameType, event: str, given: Any) -> None:
        if event == "c_call":
            self.c_functions += 1

    @contextmanager
    def watching(self, what: str) -> Iterator[None]:
        set_it, get_it = getattr(sys, f"set{what}"), getattr(sys, f"get{what}")
        before, collects = get_it(), gc.isenabled()
        gc.collect()
        gc.disable()  # when it runs, and what it calls, depends on all that ran before
        set_it(self.traced if what == "trace" else self.profiled)
        try:
            yield
        finally:
            set_it(before)
            if collects:
                gc.enable()


def counted(
    work: Callable[[Any], object], inputs: list[Any], *, per: int = 1, warm: int = 1
) -> Counts:
    """What the work ran for each input, or for each of `per` parts of one.

    Before, it runs `warm` times on each: what is made on the first calls is there.
    """
    for item in inputs * warm:
        work(item)
    counter = _Counter()
    for what in ("trace", "profile"):
        with counter.watching(what):
            for item in inputs:
                work(item)
    each = len(inputs) * per
    numbers = (counter.functions, counter.instructions, counter.c_functions)
    return Counts(*(round(number / each, 3) for number in numbers))


def all_counts() -> dict[str, Counts]:
    """Those of each work that runs Python in this process."""
    guard, raw = works.guard_of(), works.guard_of(views="raw")
    rewriting, wrapped = works.guard_of("rewrite"), loads(works.TRIVIAL)(works.fine)

    def checked(seed: int) -> object:
        works.forget()
        return works.check_sixty()

    found = {
        f"W1-{size}": counted(guard.check, [text(seed, size) for seed in range(64)])
        for size in (200, 1024, 8192)
    }
    return found | {
        "W1-raw": counted(raw.check, [text(seed) for seed in range(64)]),
        "W1h": counted(guard.check, [near_hits(seed) for seed in range(32)]),
        "W2": counted(lambda prompt: works.run_to_end(wrapped(prompt)), ["hello"]),
        "W3": counted(
            partial(works.streamed, guard),
            [text(seed, works.TOKENS * works.TOKEN) for seed in range(4)],
            per=works.TOKENS,
        ),
        "W4": counted(rewriting.check, [with_values(seed) for seed in range(32)]),
        "W8-60": counted(checked, [0], warm=20),
    }
