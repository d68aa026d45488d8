"""Many texts read with one model, whichever kind it is, a few at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import Final, Protocol, TypeVar

from guardkit.errors import CheckError

from ._manifest import Manifest
from ._reading import Reading

T = TypeVar("T")

_AT_ONCE: Final = 32
"""How many texts wait for a model at a time."""
_TOGETHER: Final = 1024
"""How many tasks there are at a time."""


class Readable(Protocol):
    """A model that is open: what `opened` gives."""

    @property
    def manifest(self) -> Manifest: ...
    def read(self, text: str, surface: str) -> Reading | Awaitable[Reading]: ...


def read_all(
    model: Readable,
    texts: Sequence[tuple[str, str]],
    keep: Callable[[Reading], T],
    told: Callable[[int], None] | None = None,
) -> list[T | None]:
    """What is to be kept of the reading of each text; None where the model could not read it.

    Args:
        model: A model that is open.
        texts: Each with its surface.
        keep: What of a reading is wanted; the rest of it is let go.
        told: Called with the number of texts read so far.
    """
    import anyio

    kept: list[T | None] = [None] * len(texts)
    done = 0

    async def every() -> None:
        limit = anyio.CapacityLimiter(_AT_ONCE)

        async def one(at: int) -> None:
            nonlocal done
            async with limit:
                reading = await _read(model, *texts[at])
            if reading is not None:
                kept[at] = keep(reading)
            done += 1
            if told is not None:
                told(done)

        for start in range(0, len(texts), _TOGETHER):
            async with anyio.create_task_group() as group:
                for at in range(start, min(start + _TOGETHER, len(texts))):
                    group.start_soon(one, at)

    anyio.run(every)
    return kept


async def _read(model: Readable, text: str, surface: str) -> Reading | None:
    try:
        said = model.read(text, surface)
        return await said if isawaitable(said) else said
    except CheckError:
        return None
