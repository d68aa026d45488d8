"""Gives what a Python object of yours answers about the text.

`call` names an object that satisfies the Check protocol. What it answers stands in the policy, so
that rules can be typed without importing your code: yes/no when `answers` is left out. It has to be
pure: the same text always gives the same answer, and it changes nothing. An exception, a time-out
and an answer of another type are unknown.

Why it matters
    The language has no loops and no functions on purpose. Whatever needs them belongs in a check,
    where it has tests, a budget and a deadline of its own.

Known misses
    As many as your code has. A check that blocks the event loop delays every request of the
    process; its own time-out cannot interrupt it.

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
