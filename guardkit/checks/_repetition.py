"""Gives how often one stretch repeats back to back, or with `max` answers yes above that.

A stretch is a word, a phrase or a line of up to 200 characters; the answer is the highest count in
the text, 1 when nothing repeats. Words are compared without regard to case, and what stands between
them does not matter, so rulers and table borders do not count. With `max 8` the ninth repeat in a
row is a yes.

Why it matters
    A model caught in a loop runs until its limit, and a prompt that repeats one word a thousand
    times is a known way to make it recite training data.

Known misses
    Loops in which each round changes a little, repeats with other text between them, stretches
    above 200 characters, rows of one emoji, repeats inside one endless word ("lolololol"). A poem's
    refrain, a counting song or a table of zeros can be a false alarm: keep `max` at 5 or more.

Example
    check looping = repetition {
      max 8
    }

Options
    max: how many repeats in a row are still fine, 2 to 1000

Cost
    About 80 µs for 1 KB; up to four times that for text that comes in copies.

Data it reads
    The text. No file, no network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, Cost, PropertySpec

SPEC = CheckSpec(
    kind="repetition",
    summary="Gives how often one stretch repeats back to back, or with `max` answers yes above"
    " that",
    answers="number",
    cost=Cost(5.0, 80.0),
    properties=(
        PropertySpec(
            "max", "number", "how many repeats in a row are fine", minimum=2.0, maximum=1_000.0
        ),
    ),
    reach="window",
    answers_with=(("max", "answer"),),
    yes_rate=0.005,
)
