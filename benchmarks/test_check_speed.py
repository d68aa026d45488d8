"""What checking a policy costs: W8 of the targets. Each benchmark asserts the answer too."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from random import Random

from pytest_benchmark.fixture import BenchmarkFixture

from guardkit.diagnostics import Source
from guardkit.guard import compile_text, plan_of
from guardkit.semantics import _patterns
from guardkit.syntax import _parse, format_source, parse

SAMPLES = Path(__file__).parent.parent / "tests" / "samples"
TODAY = date(2026, 11, 21)
NOMINAL_LOOP_S = 0.05
"""The reference loop on the machine the targets are stated for."""


def thousand_rules() -> str:
    """1,000 distinct rules over 60 checks: no two alike, none hides another."""
    random = Random(7)
    parts = ['guardkit 1\npolicy thousand\n  owner "bench@example.com"\n']
    parts += [f"check p{i} = pattern {{\n  match /code{i}-\\d{{4,9}}\\b/i\n}}\n" for i in range(40)]
    parts += [f'check s{i} = similarity {{\n  examples ["sample {i}"]\n}}\n' for i in range(20)]
    for i in range(1_000):
        a, b = random.sample(range(40), 2)
        score = f"s{random.randrange(20)} >= 0.{random.randrange(10, 99)}"
        field = f'context.desk == "desk{i}"'
        parts.append(
            f"rule r{i} {{\n  tier     safety    severity high\n"
            f'  refs     "OWASP LLM01:2025"\n  on       input, output\n'
            f"  when     {field} and (p{a} or p{b} or {score})\n"
            f'  then     block "Stopped by rule {i}."\n}}\n'
        )
    return "\n".join(parts)


def forget() -> None:
    """What an editor gains from: texts that were parsed and patterns that were compiled before."""
    _parse.forget()
    _patterns.forget()


def record(benchmark: BenchmarkFixture, reference_s: float, limit_s: float) -> None:
    """Keep the ratio to the reference loop beside the time; a slower machine has more time."""
    best = benchmark.stats.stats.min
    ratio = best / reference_s
    benchmark.extra_info["reference_loop_ms"] = round(reference_s * 1_000, 1)
    benchmark.extra_info["ratio_to_loop"] = round(ratio, 3)
    allowed = limit_s * max(1.0, reference_s / NOMINAL_LOOP_S)
    assert best <= allowed, f"{best:.3f} s is {ratio:.2f} reference loops"


def test_check_1000_rules(benchmark: BenchmarkFixture, reference_s: float) -> None:
    text = thousand_rules()

    def check() -> int:
        checked = compile_text(text, today=TODAY)
        assert checked.policy is not None
        return len(plan_of(checked.policy).nodes)

    nodes = benchmark.pedantic(check, setup=forget, rounds=3, warmup_rounds=1)
    assert nodes > 1_000
    record(benchmark, reference_s, limit_s=1.0)


def test_check_60_line_policy(benchmark: BenchmarkFixture, reference_s: float) -> None:
    text = (SAMPLES / "ops_agent.guard").read_text(encoding="utf-8")
    text = text.split("\ntest ")[0]

    def check() -> int:
        checked = compile_text(text, root=SAMPLES, std=SAMPLES / "std", today=TODAY)
        assert checked.policy is not None
        plan_of(checked.policy)
        return len(checked.policy.rules)

    assert len(text.splitlines()) <= 70
    assert benchmark.pedantic(check, setup=forget, rounds=30, warmup_rounds=3) == 4
    record(benchmark, reference_s, limit_s=0.010)


def test_parse_1000_rules(benchmark: BenchmarkFixture, reference_s: float) -> None:
    source = Source("thousand.guard", thousand_rules())
    parsed = benchmark.pedantic(lambda: parse(source), setup=forget, rounds=3, warmup_rounds=1)
    assert parsed.is_clean
    record(benchmark, reference_s, limit_s=0.4)


def test_format_1000_rules(benchmark: BenchmarkFixture, reference_s: float) -> None:
    source = Source("thousand.guard", thousand_rules())
    text = benchmark.pedantic(
        lambda: format_source(source), setup=forget, rounds=2, warmup_rounds=1
    )
    assert text.count("rule ") >= 1_000
    record(benchmark, reference_s, limit_s=2.0)
