"""Asks an object of the program's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from guardkit.catalog import UNKNOWN, Answer, Hit, Setting, Subject
from guardkit.errors import BindError

from ._called import Called, as_number, as_score, called, made

MOST_PLACES = 10_000
"""More places than these are no answer."""


def bind(config: Mapping[str, object], setting: Setting) -> PythonCheck:
    """A caller that asks the object of one check.

    Raises:
        BindError: The object is not there, or nothing of it can be called.
    """
    target = made(called(config, setting), f"the object of `{setting.name}`")
    function = getattr(target, "check", target)
    if not callable(function):
        raise BindError(f"the object of `{setting.name}` cannot be called and has no `check`")
    reads = _TYPES[str(config.get("answers", "answer"))]
    return PythonCheck(Called(function, setting.in_thread), reads)


def _as_answer(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


_TYPES: dict[str, Callable[[object], bool | float | None]] = {
    "answer": _as_answer,
    "score": as_score,
    "number": as_number,
}


class PythonCheck:
    """Asks an object of the program's own; implements `Caller`.

    Args:
        ask: The callable.
        typed: Gives back what is an answer of the declared type, and None for anything else.
    """

    __slots__ = ("_ask", "_typed")

    def __init__(self, ask: Called, typed: Callable[[object], bool | float | None]) -> None:
        self._ask = ask
        self._typed = typed

    async def call(self, subject: Subject) -> Answer:
        """The answer, or unknown where it is not what the policy declares."""
        said = await self._ask(subject.text)
        places: object = ()
        if isinstance(said, tuple) and len(said) == 2:
            said, places = said
        value = self._typed(said)
        hits = _hits(places, len(subject.text))
        if value is None or hits is None or (value is False and hits):
            return UNKNOWN
        return Answer(value, hits)


def _hits(places: object, size: int) -> tuple[Hit, ...] | None:
    """The places that were named; None when one of them is none."""
    if not isinstance(places, list | tuple) or len(places) > MOST_PLACES:
        return None
    hits = [_hit(place, size) for place in places]
    kept = [hit for hit in hits if hit is not None]
    return tuple(sorted(kept)) if len(kept) == len(hits) else None


def _hit(place: object, size: int) -> Hit | None:
    if not isinstance(place, list | tuple) or len(place) not in (2, 3):
        return None
    start, end, *label = place
    is_there = type(start) is int and type(end) is int and 0 <= start < end <= size
    if not is_there or (label and not isinstance(label[0], str)):
        return None
    return Hit(start, end, *label)
