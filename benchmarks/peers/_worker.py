"""The loop of a worker: it reads tasks as lines of JSON, times them, and answers in the same way.

It runs in the environment of a peer, where guardkit is not installed: the standard library and RE2
only. The floors are measured here too, item by item beside the peer, so that ratios to them hold
however busy the machine is.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from statistics import median
from typing import Any

import re2

Made = Callable[[Any], Callable[..., Any]]
"""Takes the patterns (a function, for `wrap`), gives what is asked once for each item."""
TRIVIAL = "forbidden"
"""The one word that is looked for in a wrapped call."""
LAP_S, LAPS = 0.01, 15


class StoppedError(Exception):
    """A guard of ours said no, where the peer leaves it to the caller to say so."""


def serve(packages: Sequence[str], **works: Mapping[str, Made]) -> None:
    """Answer tasks until the input ends.

    Args:
        packages: The packages whose versions are stated.
        works: For each kind of work the mechanisms, by what they are called in the table.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a peer prints is not an answer
    versions = {package: version(package) for package in packages}
    worker = _Worker(works)
    for line in sys.stdin:
        task = json.loads(line)
        try:
            if task["do"] == "hello":
                told = {
                    "versions": versions,
                    "python": sys.version.split()[0],
                    "mechanisms": {work: list(made) for work, made in works.items()},
                }
            else:
                told = worker.measured(**{key: task[key] for key in task if key != "do"})
        except Exception as error:  # noqa: BLE001 - a peer may fail as it likes
            told = {"error": f"{type(error).__name__}: {error}"[:400]}
        out.write(json.dumps(told) + "\n")
        out.flush()


class _Worker:
    """Engines that live as long as the process, each with the floors it stands beside."""

    def __init__(self, works: Mapping[str, Mapping[str, Made]]) -> None:
        self._works = works
        self._made: dict[tuple[str, str], Any] = {}
        self._runner = asyncio.Runner()

    def measured(
        self,
        work: str,
        mechanism: str,
        given: Any,
        warm: Sequence[Any],
        items: Sequence[Any],
        seconds: float,
        floors: bool,
    ) -> dict[str, Any]:
        """Seconds of every item for the peer and for each floor, and what the peer answered."""
        made = self._works[work][mechanism]
        if work == "wrap":
            return self._runner.run(_wrapped(made))
        key = (work, mechanism)
        if key not in self._made:
            began = time.perf_counter()
            self._made[key] = made(given), FLOORS[work](given), time.perf_counter() - began
        ask, beside, _ = self._made[key]
        ways = [*(beside.items() if floors else ()), ("peer", ask)]
        for _, way in ways:  # one by one: a slow peer leaves no floor cold
            until = time.perf_counter() + seconds / 4
            for item in warm:
                self._once(way, item)
                if time.perf_counter() > until:
                    break
        times: dict[str, list[float]] = {name: [] for name, _ in ways}
        answers = []
        until = time.perf_counter() + seconds
        for item in items:
            for name, way in ways:
                took, answer = self._once(way, item)
                times[name].append(took)
            answers.append(answer)
            if time.perf_counter() > until and len(answers) >= 8:
                break
        return {"times": times, "answers": answers}

    def _once(self, way: Callable[[Any], Any], item: Any) -> tuple[float, Any]:
        if inspect.iscoroutinefunction(way):
            return self._runner.run(_awaited(way, item))
        began = time.perf_counter()
        answer = way(item)
        return time.perf_counter() - began, answer


async def _awaited(way: Callable[[Any], Awaitable[Any]], item: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = await way(item)
    return time.perf_counter() - began, answer


# --- floors: the same work with `re`, pattern by pattern, and with one set of RE2


def search_set(patterns: Sequence[str]) -> Any:
    """All patterns as one automaton."""
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    found = re2.Set.SearchSet(options)
    for pattern in patterns:
        found.Add(pattern)
    found.Compile()
    return found


def _scan(patterns: Sequence[str]) -> dict[str, Callable[[Any], Any]]:
    searches = [re.compile(pattern).search for pattern in patterns]
    return {
        "re": lambda text: [i for i, search in enumerate(searches) if search(text)],
        "re2": search_set(patterns).Match,
    }


def _stream(patterns: Sequence[str]) -> dict[str, Callable[[Any], Any]]:
    """The whole text once, at the end: no token is held and every secret is out by then."""
    whole = _scan(patterns)
    return {name: lambda tokens, way=way: way("".join(tokens)) for name, way in whole.items()}


def _redact(patterns: Sequence[str]) -> dict[str, Callable[[Any], Any]]:
    programs = [re.compile(pattern) for pattern in patterns]
    fast = [re2.compile(pattern) for pattern in patterns]
    match = search_set(patterns).Match

    def with_re(text: str) -> str:
        for program in programs:
            text = program.sub("[X]", text)
        return text

    def with_set(text: str) -> str:
        spans = sorted(m.span() for i in match(text) for m in fast[i].finditer(text))
        parts, at = [], 0
        for start, end in spans:
            if start >= at:
                parts += (text[at:start], "[X]")
                at = end
        return "".join((*parts, text[at:]))

    return {"re": with_re, "re2": with_set}


def _classify(folder: str) -> dict[str, Callable[[Any], Any]]:
    """ONNX Runtime with one thread, and the tokenizer: the least that one can do."""
    import numpy
    import onnxruntime
    from tokenizers import Tokenizer

    words = Tokenizer.from_file(f"{folder}/plain/tokenizer.json")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    run = onnxruntime.InferenceSession(
        f"{folder}/plain/model.onnx", options, providers=["CPUExecutionProvider"]
    ).run

    def read(text: str) -> list[float]:
        ids = words.encode(text, add_special_tokens=False).ids
        row = numpy.array([[2, *ids, 3]])
        feed = {"input_ids": row, "attention_mask": numpy.ones_like(row)}
        found: list[float] = run(["logits"], feed)[0][0].tolist()
        return found

    return {"raw": read}


FLOORS: dict[str, Callable[[Any], dict[str, Callable[[Any], Any]]]] = {
    "scan": _scan,
    "stream": _stream,
    "redact": _redact,
    "classify": _classify,
}


# --- a wrapped call


async def _fine(prompt: str) -> str:
    return "fine"


async def _bad(prompt: str) -> str:
    return f"this is {TRIVIAL} here"


def _by_hand(finds: Callable[[str], Any]) -> Callable[[str], Awaitable[str]]:
    async def call(prompt: str) -> str:
        if finds(prompt):
            raise StoppedError
        answer = await _fine(prompt)
        if finds(answer):
            raise StoppedError
        return answer

    return call


async def _wrapped(made: Made) -> dict[str, Any]:
    """Seconds of one call in each lap: bare, with floors by hand, and through the peer."""
    peer = made(_fine)
    ways = {
        "bare": _fine,
        "re": _by_hand(re.compile(TRIVIAL).search),
        "re2": _by_hand(search_set([TRIVIAL]).Match),
        "peer": peer,
    }
    answers = [
        await _outcome(peer, "hello"),
        await _outcome(peer, f"some {TRIVIAL} word"),
        await _outcome(made(_bad), "hello"),
    ]
    counts = {}
    for name, way in ways.items():
        count = 8
        while (took := await _lap(way, count)) < LAP_S / 2:
            count *= 2
        counts[name] = max(1, round(count * LAP_S / took))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(LAPS):
        for name, way in ways.items():
            times[name].append(await _lap(way, counts[name]) / counts[name])
    bare = median(times.pop("bare"))
    return {
        "times": {name: [each - bare for each in took] for name, took in times.items()},
        "answers": answers,
    }


async def _lap(way: Callable[[str], Awaitable[Any]], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        await way("hello")
    return time.perf_counter() - began


async def _outcome(way: Callable[[str], Awaitable[Any]], prompt: str) -> str:
    try:
        return str(await way(prompt))
    except Exception as error:  # noqa: BLE001 - each has its own way to say no
        return f"raised {type(error).__name__}"
