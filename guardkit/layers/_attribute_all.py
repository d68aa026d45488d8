"""Attributes many exchanges, a few at once, and keeps what is finished in a file of lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from anyio import CapacityLimiter, Event, create_task_group
from anyio.lowlevel import checkpoint

from guardkit.diagnostics import visible
from guardkit.errors import UsageError

from ._attribute import AT_ONCE, attributed, sound
from ._attribution import Attribution, attribution_from
from ._deployment import Deployment
from ._exchanges import ExchangeRow
from ._models import Model
from ._runs import Means, Pace
from ._summary import Summary, Sums, Unread
from ._to_its_end import to_its_end

_FORMAT: Final = "guardkit attribution 1"
Tell = Callable[[Attribution], object]


class Kept:
    """A file of finished attributions, a line each. Close it, or use it in a `with`.

    Args:
        path: The file.
        key: What the run depends on: the policy, the rows, the numbers. A file of another run is
            not gone on with.
        resumes: Whether to go on with a file that is there.

    Raises:
        UsageError: The file is there and nobody said to go on with it, it is of another run, it is
            damaged, or it cannot be written.
    """

    def __init__(self, path: Path, key: Mapping[str, object], *, resumes: bool = False) -> None:
        self._path = path
        self._head = {"format": _FORMAT, **key}
        self._lines = 0
        shown = visible(path.as_posix())
        try:
            is_there = path.exists() and path.stat().st_size > 0
            if is_there and not resumes:
                raise UsageError(f"`{shown}` is there: go on with it, or take it away")
            whole = self._read(shown) if is_there else 0
            self._file: IO[bytes] = path.open("r+b" if is_there else "wb")
            self._file.seek(whole)
            self._file.truncate()  # a line that was torn is had again
            if not whole:
                self._line(self._head)
        except OSError as error:
            why = (error.strerror or "it is no file").lower()
            raise UsageError(f"`{shown}` cannot be written: {why}") from None

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _read(self, shown: str) -> int:
        """Check what is there; how many bytes of it are whole lines."""
        whole = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    found = json.loads(line)
                    if number > 1:
                        int(found["line"])
                        attribution_from(found["made"])
                except (ValueError, KeyError, TypeError, AttributeError):
                    raise UsageError(f"`{shown}` is damaged in line {number}") from None
                if number == 1 and found != self._head:
                    raise UsageError(f"`{shown}` is of another run: {self._differs(found)}")
                whole += len(line)
                self._lines = number
        return whole

    def _differs(self, found: object) -> str:
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            return "it holds no attributions"
        names = [name for name in self._head if found.get(name) != self._head[name]]
        return f"it has another {', another '.join(names) or 'head'}"

    def finished(self) -> Iterator[tuple[int, Attribution]]:
        """The rows that were finished when the file was opened, by their lines."""
        with self._path.open("rb") as file:
            for line in islice(file, 1, self._lines):
                found = json.loads(line)
                yield int(found["line"]), attribution_from(found["made"])

    def add(self, line: int, made: Attribution) -> None:
        """Keep one; it is there even if the process dies the next moment."""
        self._line({"line": line, "made": made.as_dict()})

    def _line(self, said: Mapping[str, object]) -> None:
        self._file.write(json.dumps(said).encode() + b"\n")
        self._file.flush()


async def aattribute_all(
    deployment: Deployment,
    rows: Iterable[ExchangeRow | Unread],
    *,
    repeats: int = 20,
    other: Model | None = None,
    seed: int = 0,
    at_once: int = AT_ONCE,
    rate: float | None = None,
    kept: Kept | None = None,
    each: Tell = lambda made: None,
    told: Callable[[int, int], object] = lambda done, runs: None,
) -> Summary:
    """Attribute the exchanges of a file; on asyncio and trio. Memory does not grow with them.

    Args:
        deployment: The guard, and the model where it may be asked.
        rows: The exchanges, and the rows that are none.
        repeats: Runs of each form at most; see `aattribute`.
        other: Other weights.
        seed: Of the draws behind the probabilities.
        at_once: How many exchanges with the deployment there may be at once.
        rate: How many may begin per second.
        kept: Where finished ones are kept; those that are there already are not had again.
        each: Told every attribution, in the order of the rows.
        told: Told now and then how many rows are finished, and how many runs there were.

    Raises:
        UsageError: The numbers make no sense, or the rows cannot be read.
    """
    sound(repeats, at_once, rate)
    sums = Sums()
    done = runs = 0
    finished = kept.finished() if kept is not None else iter(())
    known = next(finished, None)
    rooms = CapacityLimiter(at_once)
    before = Event()
    before.set()

    def ran() -> None:
        nonlocal runs
        runs += 1
        told(done, runs)

    def finish(made: Attribution) -> None:
        nonlocal done
        done += 1
        sums.add(made)
        each(made)
        told(done, runs)

    async def one(row: ExchangeRow, mine: Event, previous: Event, token: object) -> None:
        made = await attributed(means, row.said, row.id, row.expect, repeats, seed, f"{row.line}")
        await previous.wait()  # rows are told in their order, whoever is ready first
        if kept is not None:
            kept.add(row.line, made)
        finish(made)
        mine.set()
        rooms.release_on_behalf_of(token)

    means = Means(deployment, other, CapacityLimiter(at_once), Pace(rate), ran)
    try:
        async with create_task_group() as group:
            for row in rows:
                await checkpoint()
                if isinstance(row, Unread):
                    sums.pass_over(row)
                    done += 1
                    continue
                mine = Event()
                # What is kept stands in the order of the rows too.
                if known is not None and known[0] == row.line:
                    await before.wait()
                    finish(known[1])
                    mine.set()
                    known = next(finished, None)
                else:
                    token = object()
                    await rooms.acquire_on_behalf_of(token)
                    group.start_soon(one, row, mine, before, token)
                before = mine
    except BaseExceptionGroup as raised:
        # The reader of the findings went away, the rows cannot be read: that is one error.
        raise _first(raised) from None
    return sums.summary


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def attribute_all(
    deployment: Deployment, rows: Iterable[ExchangeRow | Unread], **options: Any
) -> Summary:
    """Attribute the exchanges of a file; see `aattribute_all` for the options."""

    async def run() -> Summary:
        return await aattribute_all(deployment, rows, **options)

    return to_its_end(run)
