"""How many texts a second `guardkit scan` judges: `python -m benchmarks.scan`.

Every line is measured in one run over the same texts: a bare loop over an RE2 set of the same
patterns (it says nothing of where, and writes nothing), `guard.check`, and whole scans from a JSONL
file to a JSONL file. With `--policy NAME` a policy of your own is measured instead; a bare loop
makes no sense for one that asks models. The results of all scans are compared.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import re2

import guardkit
from guardkit.batch import Asked, Crew, Run, corpus_of
from guardkit.guard import Guard, judged, texts_of

from .workload import patterns, policy, text, with_values

Texts = list[str]
EVERY = 50
"""One text in so many has something in it that a pattern finds."""


def texts_of_size(count: int, size: int, *, first: int = 0) -> Texts:
    """Texts that differ."""
    numbers = range(first, first + count)
    return [with_values(n, size) if n % EVERY == 0 else text(n, size) for n in numbers]


def bare_set() -> Any:
    """All patterns as one RE2 set."""
    options = re2.Options()
    options.max_mem = 512 << 20
    made = re2.Set.SearchSet(options)
    for pattern in patterns():
        made.Add(pattern)
    made.Compile()
    return made


def bare(made: Any, texts: Texts) -> int:
    """A loop over an RE2 set: how many texts it finds something in."""
    return sum(bool(made.Match(one)) for one in texts)


def one_by_one(guard: Guard, texts: Texts) -> int:
    """`guard.check` on each; how many are stopped."""
    return sum(guard.check(one).action == "block" for one in texts)


def scanned(guard: Guard, data: Path, out: Path, workers: int) -> int:
    """A whole scan, from a file to a file; how many are stopped."""
    crew = Crew(workers=workers)
    with Run(guard, corpus_of([str(data)]), Asked(), out, crew) as run:
        for _ in run:
            pass
        return run.totals.actions.get("block", 0)


def actions(out: Path) -> list[str]:
    """The actions in a file of results, in order."""
    return [json.loads(line)["action"] for line in out.read_text().splitlines()]


def measured(name: str, count: int, work: Callable[[], int], base: float | None) -> float:
    """Print a line; texts a second."""
    begun = time.perf_counter()
    stopped = work()
    rate = count / (time.perf_counter() - begun)
    beside = f"{rate / base:6.2f} x" if base else ""
    print(f"{name:34} {rate:10,.0f} texts/s {beside:>9}   {stopped} stopped", flush=True)
    return rate


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=200, help="characters of a text")
    parser.add_argument("--policy", help="a path, or the name of a policy that ships")
    parser.add_argument("--data", type=Path, help="texts, a line each, in place of made-up ones")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    if given.data is None:
        texts = texts_of_size(given.texts, given.size)
    else:
        with given.data.open("rb") as file:
            found = texts_of(file, "data", "input")
            texts = [one.text for one, _ in zip(found, range(given.texts), strict=False)]  # type: ignore[union-attr]
    count = len(texts)
    guard = guardkit.load(given.policy) if given.policy else guardkit.loads(policy())
    # An automaton is built as texts need it: the first ones, which are others, pay for that.
    before = texts[: count // 20] if given.data else texts_of_size(2_000, given.size, first=count)
    one_by_one(guard, before)
    base = None
    if not given.policy:
        made = bare_set()
        bare(made, before)
        base = measured("RE2 set, bare loop", count, lambda: bare(made, texts), None)
    measured("guard.check, one by one", count, lambda: one_by_one(guard, texts), base)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data.jsonl")
        data.write_text("".join(json.dumps({"text": one}) + "\n" for one in texts))
        outs = [Path(folder, f"{workers}.jsonl") for workers in (1, given.workers)]
        for out, workers in zip(outs, (1, given.workers), strict=True):
            name = f"scan, {workers} process{'es' * (workers > 1)}"
            measured(name, count, lambda o=out, w=workers: scanned(guard, data, o, w), base)  # type: ignore[misc]
        assert actions(outs[0]) == actions(outs[1])
        if given.policy:
            from guardkit.guard import Case

            alone = [judged(guard, Case("", one, "input")) for one in texts[:200]]
            assert actions(outs[0])[:200] == [v.action for v in alone]  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
