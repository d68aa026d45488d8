"""Answers yes when the text does NOT satisfy its schema.

Yes means something is wrong, as in every other kind: `when answer then block` stops malformed
replies. The whole text has to be one JSON value; text around it is a yes, and so are a key given
twice, `NaN` and more than 50 levels. The schema is a JSON Schema file or a model class. To have
the reply repaired, let the rule `revise`.

Why it matters
    A reply that a program reads has to parse every time. Checking the structure here keeps every
    reader behind it simple.

Known misses
    A well-formed value with wrong content. A schema word or format that guardkit does not know is
    refused when the policy is loaded, never skipped; `unevaluatedProperties` is one. Patterns are
    RE2. On `tool_call` each argument is judged by itself: use typed tool rules for their structure.

Example
    check answer = schema {
      file "answer.schema.json"
    }
    check ticket = schema {
      call "support.models:Ticket"
    }

Options
    file: a JSON Schema file inside the policy's folder
    call: a pydantic model class, or another type pydantic knows, "package.module:Name"

    At least one of `file` and `call` is needed; with both, the text has to satisfy both.

Cost
    About 80 µs for 1 KB. It needs the whole text, so a rule on a stream needs `hold_back all`.

Data it reads
    The text; its file, when the policy is compiled; its class, at bind. No network: a reference to
    another address inside a schema is refused.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, Cost, PropertySpec

SPEC = CheckSpec(
    kind="schema",
    summary="Answers yes when the text does NOT satisfy its schema",
    answers="answer",
    cost=Cost(20.0, 60.0),
    properties=(
        PropertySpec("file", "file", "a JSON Schema file"),
        PropertySpec("call", "call", "a pydantic model class"),
    ),
    reach="whole",
    one_of=("file", "call"),
    yes_rate=0.05,
)
