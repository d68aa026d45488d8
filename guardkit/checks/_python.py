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

from guardkit.catalog import CheckSpec, Cost, PropertySpec

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
