"""Gives what a Python object of yours answers about the text.

`call` names a callable that gets the text, or an object or class with such a method `check`. What
it answers stands in the policy, so that rules can be typed without importing your code: yes/no when
`answers` is left out. It may also return a pair: the answer, and a list of the places it means,
each `(start, end)` or `(start, end, label)` in characters of the text. It has to be pure: the same
text always gives the same answer, and it changes nothing. An exception, a time-out, an answer of
another type and a place outside the text are unknown.

Why it matters
    The language has no loops and no functions on purpose. Whatever needs them belongs in a check,
    where it has tests, a budget and a deadline of its own.

Known misses
    As many as your code has. Code that is not async runs in a thread, which no time-out can stop:
    when 32 of its calls hang, the next is unknown at once. Async code that blocks the event loop
    delays every request of the process.

Example
    check house_style = python {
      call "mypackage.checks:HouseStyle"
    }
    check readability = python {
      call    "mypackage.checks:Readability"
      answers score
      timeout 50ms
    }

Options
    call: the object, "package.module:name"
    answers: answer (yes or no, when left out), score (0 to 1) or number
    timeout: how long to wait before the answer is unknown, up to 30s; 1s when left out

Cost
    Taken as 1 ms: measure yours with `guardkit bench`. It gets the whole text, so a rule on a
    stream needs `hold_back all`.

Data it reads
    The text, and whatever your code reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from guardkit.catalog import (
    UNKNOWN,
    Answer,
    CheckSpec,
    Cost,
    Hit,
    PropertySpec,
    Setting,
    Subject,
)
from guardkit.errors import BindError

from ._called import Called, as_number, as_score, called, made

SPEC = CheckSpec(
    kind="python",
    summary="Gives what a Python object of yours answers about the text",
    # The default of `answers`. `answers_with` knows presence, not values, so the type checker
    # reads the property's value for this kind.
    answers="answer",
    cost=Cost(1_000.0, 0.0),
    properties=(
        PropertySpec("call", "call", "the object", required=True),
        PropertySpec(
            "answers",
            "word",
            "what it answers; `answer`, which is yes or no, when left out",
            choices=("answer", "score", "number"),
        ),
        # In milliseconds.
        PropertySpec(
            "timeout",
            "duration",
            "how long to wait; 1s when left out",
            minimum=1.0,
            maximum=30_000.0,
        ),
    ),
    reach="whole",
)

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
