"""Names how a reply refuses: not at all, in full, in part, or by changing the subject.

The answer is a label: `none`, `full` ("I can't help with that"), `partial` ("I can't …, but here
is …") or `deflect` ("let's talk about something else"). Phrases in 15 languages are looked for
where a refusal begins; what stands after them tells a full one from one that goes on to help. With
`model` the head `refusal_kind` of a shipped tier names it instead, and no phrase is looked for.

Why it matters
    A refusal is seen or it is guessed at. Counted, it shows both failures: a reply to what the
    model should refuse, and the refusal of what it should answer, which users leave for.

Known misses
    Phrases miss a refusal in words of its own, one after a long beginning, other languages; a model
    misses languages it was not trained in. Both miss irony and a fictional speaker who refuses. An
    answer in someone else's voice about what may not be done can read like a refusal. What a
    refusal leaves out is not judged, so a partial one may be polite nonsense.

Example
    check refusing = refusal {
    }

Options
    model: static or mini, the shipped tier that names the refusal; phrases do when left out

Cost
    About 60 µs for 1 KB, shared with nothing. Only the first 8,000 characters are read. With `model
    static` it shares `static`, about 0.1 ms for 1 KB, with `model mini` it shares `mini`, about
    13 ms for 1 KB; both read the whole reply.

Data it reads
    The text; its model, at bind. No network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, Cost, PropertySpec

from ._shared_costs import mini_cost, static_cost

LABELS = ("none", "full", "partial", "deflect")

SPEC = CheckSpec(
    kind="refusal",
    summary="Names how a reply refuses: not at all, in full, in part, or by changing the subject",
    answers="label",
    cost=Cost(5.0, 60.0),
    reach="whole",
    labels=LABELS,
    surfaces=("output",),
    properties=(
        PropertySpec("model", "word", "which tier names the refusal", choices=("static", "mini")),
    ),
    yes_rate=0.05,
    costs=(("model", "mini", mini_cost(20.0)), ("model", "static", static_cost(5.0))),
)
