"""How long an editor waits: measured over the wire, held to what a parse takes in the same run."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.lsp import LINES, measure, policy
from guardkit.guard import compile_text

MOST_COMPLETION = 6.0
MOST_FIRST = 12.0
MOST_WHOLE = 40.0
"""Times what one parse takes. Usual are 0.5, 1.5 and 5; a busy machine doubles each."""
MOST_MS = 1_000


def test_the_policy_of_the_benchmark_is_a_real_one() -> None:
    for modules in (False, True):
        text = policy(modules=modules)
        assert text.count("\n") == LINES
        checked = compile_text(text)
        assert checked.policy is not None
        assert len(checked.policy.rules) > 20


def test_completion_and_findings_come_while_one_types(tmp_path: Path) -> None:
    waited = measure(policy(), 12, tmp_path)
    parse = statistics.median(waited.parse)
    assert waited.p("completion", 0.5) <= MOST_COMPLETION * parse
    assert waited.p("first", 0.5) <= MOST_FIRST * parse
    assert waited.p("whole", 0.5) <= MOST_WHOLE * parse
    assert waited.p("completion", 0.5) <= MOST_MS
    assert waited.p("first", 0.5) <= MOST_MS
