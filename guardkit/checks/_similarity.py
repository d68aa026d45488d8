"""Gives a score: how near the text comes to the nearest of its examples.

0 is unrelated, 1 is the same sentence. A long text is read in overlapping windows and the nearest
window counts, so one sentence in a long page is found. Its views are read too, such as what stands
in it in base64. Compare the score in a rule: `banking >= 0.60`.

Why it matters
    Ten example sentences describe a topic better than ten patterns, and need no training. It is
    the usual first step of a cascade: cheap enough for every request.

Known misses
    The opposite of an example is near it ("do reset" and "do not reset"). Long texts on many topics
    come near everything. Languages the encoder has not seen give low scores. Check your own
    threshold with a `probe`; no number fits every set of examples.

Example
    check banking = similarity {
      examples ["What is my balance?", "How do I reset my PIN?"]
      file     "examples.txt"
      encoder  static
    }

Options
    examples: the example texts, in the policy
    file: a text file inside the policy's folder, one example a line
    encoder: static (quick, when left out) or mini (nearer to meaning, 100 times dearer)

    At least one of `examples` and `file` is needed.

Cost
    Shares `static`: about 0.1 ms for 1 KB, once per text whatever the number of checks. With
    `encoder mini` it shares `mini`: about 13 ms for 1 KB, and what it judges on a stream waits for
    the end of the text.

Data it reads
    The text; its file, when the policy is compiled; the shipped encoder, at bind. No network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, PropertySpec

from ._shared_costs import mini_cost, static_cost

SPEC = CheckSpec(
    kind="similarity",
    summary="Gives a score: how near the text comes to the nearest of its examples",
    answers="score",
    cost=static_cost(5.0),
    properties=(
        PropertySpec("examples", "texts", "the example texts"),
        PropertySpec("file", "file", "a text file, one example a line"),
        PropertySpec(
            "encoder", "word", "which encoder; static when left out", choices=("static", "mini")
        ),
    ),
    reach="window",
    one_of=("examples", "file"),
    yes_rate=0.03,
    costs=(("encoder", "mini", mini_cost(5.0)),),
)
