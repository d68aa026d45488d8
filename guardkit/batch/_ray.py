"""The engine of a cluster: Ray Data reads, actors judge, this process puts the results in order.

```
shares of the files ──► tasks read rows ──► actors judge blocks ──► here: order, sessions, output
```

A task or an actor that dies is begun again by Ray, and what it had not handed over is done again.
What arrives is taken by its number: nothing twice, and an end without all of it is an error.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any, Final, NamedTuple

from guardkit.errors import BindError, GuardkitError, PolicyError, UsageError
from guardkit.guard import BrokenRow, Guard

from ._corpus import Corpus, Mark
from ._judging import Asked, Judged, is_apart
from ._read import Item, Reader
from ._recipe import Recipe
from ._wire import read, read_results, spelled, spelled_results, travels

SHARE_BYTES: Final = 8 << 20
"""Files are read a share at a time; small ones go together, and none is cut."""
_ON_ITS_WAY: Final = 1 << 20
"""Bytes that Ray hands on at a time: the work of one file is spread over all actors."""
_READING_CPUS: Final = 0.001
"""Reading waits for no processor: where actors have all of them, it would wait for ever."""


_END: Final = -1
"""The position of what is no block: the end of a share."""


class _Share(NamedTuple):
    """Sources that one task reads, one after the other."""

    number: int
    start: Mark
    until: int


def judge_on_ray(
    guard: Guard,
    asked: Asked,
    corpus: Corpus,
    start: Mark,
    recipe: Recipe,
    workers: int | None = None,
) -> Iterator[Judged]:
    """Judge a corpus on a cluster, in order.

    A cluster is joined if there is one (`RAY_ADDRESS`), else one is begun on this machine. The
    files and the policy have to have the same paths on all of its machines.

    Args:
        guard: The guard, bound here too: it judges what has to be judged one after the other.
        asked: What is asked.
        corpus: The texts, all of them in files.
        start: The place to begin at.
        recipe: How actors make their guard.
        workers: How many actors; as many as the cluster has processors when left out.

    Raises:
        UsageError: Ray is not installed, a file cannot be read, or an actor cannot make its guard.
        GuardkitError: The cluster failed.
    """
    ray = _ray()
    with _cluster(ray, workers) as number:
        for batch in _answers(ray, guard, asked, corpus, start, recipe.sent(), number):
            yield _finished(guard, asked, batch)


def _ray() -> Any:
    try:
        import_module("ray.data")
        return import_module("ray")
    except ImportError:
        raise UsageError("`--engine ray` needs Ray: pip install 'guardkit[ray]'") from None


@contextmanager
def _cluster(ray: Any, workers: int | None) -> Iterator[int]:
    """A cluster, and how many actors it is to have."""
    is_ours = not ray.is_initialized()
    if is_ours:
        # What uses guardkit tells nobody.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        own: dict[str, Any] = {}
        if not os.environ.get("RAY_ADDRESS"):
            own = {"num_cpus": max(workers or 1, os.cpu_count() or 1) + 1}
            own["include_dashboard"] = False
        ray.init(logging_level="ERROR", log_to_driver=False, **own)
    context = ray.data.DataContext.get_current()
    options = context.execution_options
    before = (
        context.target_max_block_size,
        context.enable_progress_bars,
        options.preserve_order,
    )
    log = logging.getLogger("ray.data")
    level = log.level
    log.setLevel(logging.ERROR)
    context.target_max_block_size = _ON_ITS_WAY
    context.enable_progress_bars = False
    options.preserve_order = True
    try:
        yield workers or max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)
    finally:
        context.target_max_block_size, context.enable_progress_bars = before[:2]
        options.preserve_order = before[2]
        log.setLevel(level)
        if is_ours:
            ray.shutdown()


# --- what runs elsewhere


def _read_shares(batch: Mapping[str, Any], corpus: Corpus) -> Iterator[dict[str, list[Any]]]:
    """Read the rows of shares and hand them on in blocks."""
    for share, source, row, until in zip(
        batch["share"], batch["source"], batch["row"], batch["until"], strict=True
    ):
        reader = Reader(corpus, Mark(int(source), int(row)), until=int(until))
        number, fault = 0, ""
        try:
            for items, position in reader.blocks():
                sent = [item if travels(item) else _grounded(item) for item in items]
                yield _column(int(share), number, position, rows=spelled(sent))
                number += 1
        except UsageError as error:
            fault = str(error)
        # The end of a share is said, so that one that broke off is not taken for whole.
        yield _column(int(share), number, _END, fault=fault)


class _JudgeBlock:
    """An actor: binds a guard once, then judges block after block."""

    def __init__(self, recipe: Recipe, asked: Asked, digest: str) -> None:
        self._asked = asked
        self._guard: Guard | None = None
        self._fault = ""
        try:
            self._guard = recipe.made(digest)
        except PolicyError:
            self._fault = "the policy does not compile on a machine of the cluster"
        except BindError as error:  # told with the first block: an actor that raises is begun again
            self._fault = "; ".join(error.problems)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        made = {name: list(batch[name]) for name in ("share", "block", "position", "rows")}
        faults = [str(fault) or self._fault for fault in batch["fault"]]
        return {**made, "fault": faults, "answers": [self._answer(str(r)) for r in made["rows"]]}

    def _answer(self, rows: str) -> str:
        if not rows or self._guard is None:
            return ""
        apart = [item for item in read(rows) if is_apart(self._guard, item)]
        return spelled_results(self._asked.judge(self._guard, apart))


def _grounded(item: Item) -> Item:
    case = item.case
    why = "its `context` holds what is no JSON, and cannot be sent to another machine"
    return item._replace(case=BrokenRow(case.id, case.line, why))


def _column(
    share: int, block: int, position: int, *, rows: str = "", fault: str = ""
) -> dict[str, list[Any]]:
    told: dict[str, list[Any]] = {"share": [share], "block": [block], "position": [position]}
    return {**told, "rows": [rows], "fault": [fault]}


# --- what runs here


def _shares(corpus: Corpus, start: Mark) -> list[_Share]:
    shares: list[_Share] = []
    begun, size = start, 0
    for number in range(start.source, len(corpus.sources)):
        size += corpus.sources[number].size
        if size >= SHARE_BYTES or number == len(corpus.sources) - 1:
            shares.append(_Share(len(shares), begun, number + 1))
            begun, size = Mark(number + 1), 0
    return shares


class _Answer(NamedTuple):
    position: int
    rows: str
    answers: str
    fault: str
    """Why there are none."""


def _answers(
    ray: Any,
    guard: Guard,
    asked: Asked,
    corpus: Corpus,
    start: Mark,
    recipe: Recipe,
    workers: int,
) -> Iterator[_Answer]:
    """What actors answer, in the order of rows.

    Raises:
        RuntimeError: Something of it never came.
    """
    shares = _shares(corpus, start)
    if not shares:
        return
    given = [
        {"share": s.number, "source": s.start.source, "row": s.start.row, "until": s.until}
        for s in shares
    ]
    data = ray.data.from_items(given, override_num_blocks=len(given))
    blocks = data.map_batches(
        _read_shares,
        fn_kwargs={"corpus": _absolute(corpus)},
        batch_size=1,
        num_cpus=_READING_CPUS,
    )
    judged = blocks.map_batches(
        _JudgeBlock,
        fn_constructor_args=(recipe, asked, guard.digest),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    early: dict[tuple[int, int], _Answer] = {}
    expected = (0, 0)
    for row in _told(judged.iter_rows()):
        place = (row["share"], row["block"])
        early[place] = _Answer(*(row[name] for name in _Answer._fields))
        while (answer := early.pop(expected, None)) is not None:
            if answer.fault:
                raise UsageError(answer.fault)
            if answer.position == _END:
                expected = (expected[0] + 1, 0)
                continue
            yield answer
            expected = (expected[0], expected[1] + 1)
    if expected != (len(shares), 0) or early:
        raise RuntimeError("some blocks never came back from the cluster")


def _finished(guard: Guard, asked: Asked, answer: _Answer) -> Judged:
    """A block with all its results; what has to be judged in its turn is judged now."""
    items = read(answer.rows)
    far = [at for at, item in enumerate(items) if is_apart(guard, item)]
    results = dict(zip(far, read_results(answer.answers), strict=True))
    near = [at for at in range(len(items)) if at not in results]
    results.update(zip(near, asked.judge(guard, [items[at] for at in near]), strict=True))
    return Judged(items, [results[at] for at in range(len(items))], answer.position)


def _told(rows: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Rows of the cluster. What fails there is named by its type: a message might quote a text."""
    try:
        yield from rows
    except Exception as error:
        raise GuardkitError(f"the cluster failed: {type(error).__name__}") from error


def _absolute(corpus: Corpus) -> Corpus:
    sources: Sequence[Any] = [
        source if source.path is None else replace(source, path=source.path.absolute())
        for source in corpus.sources
    ]
    return replace(corpus, sources=tuple(sources))
