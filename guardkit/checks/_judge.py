"""Gives a score that a model of your own hands down on the text.

`call` names an async callable that gets the text and the rubric and returns a number from 0 to 1.
Anything else it returns, an exception and a time-out are unknown: the tier's `on_error` decides,
and a judge can only tighten a verdict. A callable that is not async runs in a thread.

Why it matters
    Some questions need a reader: tone, fairness, whether a promise was made. A judge is slow, dear
    and swayed by the text it reads, so the language wants a cheaper step before it.

Known misses
    The text can talk to the judge: fence it, give the judge no tools and treat its no with care.
    Scores drift when the model behind it is updated. The same text may score differently twice;
    nothing is cached.

Example
    check tone = judge {
      call    "mymodule:judge"
      rubric  "Is the reply rude?"
      timeout 2s
    }

Options
    call: the async callable, "package.module:name"
    rubric: the question it is to answer; 1 means yes
    timeout: how long to wait before the answer is unknown, up to 30s; 10s when left out

Cost
    Taken as 0.5 s. The worst case is its `timeout`: set one that fits your budget. It needs the
    whole text, so a rule on a stream needs `hold_back all`.

Data it reads
    The text. Your callable sees it too, and may send it over the network: that is yours to answer
    for.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, Cost, PropertySpec

SPEC = CheckSpec(
    kind="judge",
    summary="Gives a score that a model of your own hands down on the text",
    answers="score",
    cost=Cost(500_000.0, 0.0),
    properties=(
        PropertySpec("call", "call", "the async callable", required=True),
        PropertySpec("rubric", "text", "the question it is to answer"),
        # In milliseconds.
        PropertySpec(
            "timeout",
            "duration",
            "how long to wait; 10s when left out",
            minimum=10.0,
            maximum=30_000.0,
        ),
    ),
    reach="whole",
    yes_rate=0.05,
    is_deterministic=False,
    needs_gate=True,
)
