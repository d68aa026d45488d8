"""Costs: monotone, through the gates, as a table; and what is said about budgets and streams."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from guardkit.diagnostics import Diagnostic, render
from guardkit.plan import cost_table, costs_of, lower, spell_us, verify_budgets
from guardkit.semantics import CheckedPolicy
from tests.differential import generate

from ._policies import CATALOG, brief, plan, policy

CHECKS = """
check words_a = pattern    { match /abc/ }
check near    = similarity { examples ["hello"] }
check head    = classifier { model mini  head "injection" }
check tone    = judge      { call "a.b:c"  timeout 3s }
"""


def rule(when: str, on: str = "input", name: str = "r", extra: str = "") -> str:
    return f"rule {name} {{\n tier safety\n on {on}\n{extra} when {when}\n then block\n}}\n"


# --- figures


def test_another_rule_never_costs_less() -> None:
    for seed in range(200):
        found = generate.policy_of(seed)
        fewer = replace(found, rules=found.rules[1:])
        more = costs_of(lower(found, generate.CATALOG), 1.0)
        less = costs_of(lower(fewer, generate.CATALOG), 1.0)
        for cost in less.surfaces:
            wider = more.surface(cost.surface)
            assert wider is not None
            assert wider.worst_us >= cost.worst_us - 1e-6, seed


def test_a_longer_text_never_costs_less_and_worst_is_never_below_expected() -> None:
    for seed in range(200):
        made = lower(generate.policy_of(seed), generate.CATALOG)
        costs = [costs_of(made, kilobytes) for kilobytes in (0.1, 1.0, 8.0, 64.0)]
        for shorter, longer in itertools.pairwise(costs):
            for a, b in zip(shorter.surfaces, longer.surfaces, strict=True):
                assert a.worst_us <= b.worst_us + 1e-6
                assert a.expected_us <= b.expected_us + 1e-6
        for surface in costs[1].surfaces:
            assert surface.expected_us <= surface.worst_us + 1e-6


def test_the_estimate_of_a_plan_is_for_one_kilobyte() -> None:
    assert plan("shop").costs == costs_of(plan("shop"), 1.0)


def expected(when: str) -> float:
    (cost,) = costs_of(lower(brief(rule(when), CHECKS), CATALOG), 1.0).surfaces
    return cost.expected_us


def test_gates_make_dear_checks_rare() -> None:
    alone = expected("head >= 0.5")
    assert expected("words_a and head >= 0.5") < alone * 0.05
    assert expected("words_a or head >= 0.5") > alone * 0.95
    assert expected("2 of (words_a, near >= 0.8, head >= 0.5)") < alone * 0.1
    assert expected("not words_a and head >= 0.5") > alone * 0.95


def test_a_time_out_is_the_worst_of_a_judge() -> None:
    cascade = "cascade {\n no if near < 0.3\n yes if tone >= 0.5\n else no\n }"
    (cost,) = costs_of(lower(brief(rule(cascade), CHECKS), CATALOG), 1.0).surfaces
    assert 3_000_000 <= cost.worst_us < 3_001_000
    assert [step.name for step in cost.path] == ["judge tone"]


def test_shared_work_is_paid_once() -> None:
    one = brief(rule("head >= 0.5"), CHECKS)
    two = brief(
        rule("head >= 0.5") + rule("other >= 0.5", name="s"),
        CHECKS + 'check other = classifier { model mini  head "toxicity" }',
    )
    worst = [costs_of(lower(found, CATALOG), 1.0).surfaces[0].worst_us for found in (one, two)]
    assert worst[1] - worst[0] == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "0 µs"),
        (0.5, "0.5 µs"),
        (9.94, "9.9 µs"),
        (13.2, "13 µs"),
        (999.4, "999 µs"),
        (999.6, "1.0 ms"),
        (8000, "8.0 ms"),
        (99_990, "100 ms"),
        (2_500_000, "2.5 s"),
        (123_000_000, "123 s"),
    ],
)
def test_times_are_spelled_short(us: float, text: str) -> None:
    assert spell_us(us) == text


@pytest.mark.parametrize("name", ["shop", "agent"])
def test_the_table(golden: Callable[[str, str], None], name: str) -> None:
    golden(f"plan/cost_table/{name}.txt", cost_table(plan(name)))


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_table_keeps_its_width(width: int) -> None:
    for name in ("shop", "agent"):
        lines = cost_table(plan(name), 4.0, width).splitlines()
        assert max(len(line) for line in lines) <= width


# --- diagnostics


def said(found: CheckedPolicy) -> list[Diagnostic]:
    return list(verify_budgets(lower(found, CATALOG), found))


def codes(found: CheckedPolicy) -> list[str]:
    return [diagnostic.code.id for diagnostic in said(found)]


@pytest.mark.parametrize("name", ["shop", "agent"])
def test_what_is_said_about_a_policy(golden: Callable[[str, str], None], name: str) -> None:
    found = verify_budgets(plan(name), policy(name))
    golden(f"plan/verify_budgets/{name}.txt", render(found, "full"))


def test_over_budget_names_the_critical_path() -> None:
    found = brief(rule("words_a and head >= 0.5"), CHECKS, " budget input 5ms")
    (diagnostic,) = said(found)
    assert diagnostic.code.id == "GK301"
    assert "its budget is 5 ms" in diagnostic.message
    assert "pass mini" in diagnostic.help[0]
    assert diagnostic.place.text == "input 5ms"
    assert codes(brief(rule("words_a and head >= 0.5"), CHECKS, " budget input 50ms")) == []


def test_a_match_longer_than_the_limit_needs_a_larger_hold_back() -> None:
    found = brief(rule("words_a", "output"), CHECKS, " hold_limit 2 chars")
    assert codes(found) == ["GK302"]
    assert codes(brief(rule("words_a", "output"), CHECKS, " hold_limit 3 chars")) == []
    assert (
        codes(
            brief(rule("words_a", "output", extra=" mode shadow\n"), CHECKS, " hold_limit 2 chars")
        )
        == []
    )


def test_an_unbounded_match_needs_the_whole_reply() -> None:
    found = brief(rule("words_a", "output"), CHECKS)
    config = tuple((key, -1 if key == "width" else value) for key, value in found.checks[-1].config)
    checks = tuple(replace(c, config=config) if c.name == "words_a" else c for c in found.checks)
    words_a = next(c for c in found.checks if c.name == "words_a")
    config = tuple((key, -1 if key == "width" else value) for key, value in words_a.config)
    checks = tuple(replace(c, config=config) if c.name == "words_a" else c for c in found.checks)
    (diagnostic,) = said(replace(found, checks=checks))
    assert diagnostic.code.id == "GK302"
    assert "without an upper length" in diagnostic.message


def test_a_check_of_the_whole_text_holds_the_whole_reply() -> None:
    checks = "check long = length { min 400 chars }"
    assert codes(brief(rule("long", "output"), checks)) == ["GK303"]
    (diagnostic,) = said(brief(rule("long", "output"), checks, " hold_back all"))
    assert diagnostic.code.id == "GK303"
    assert diagnostic.help == ("needed by `r`",)
    assert codes(brief(rule("long"), checks)) == []


def test_a_dear_step_before_a_cheap_one() -> None:
    swapped = "cascade {\n no if head < 0.2\n yes if near >= 0.9\n else no\n }"
    (diagnostic,) = [d for d in said(brief(rule(swapped), CHECKS)) if d.code.id == "GK304"]
    assert diagnostic.place.text.startswith("no if head")
    ordered = "cascade {\n no if near < 0.2\n yes if head >= 0.9\n else no\n }"
    assert "GK304" not in codes(brief(rule(ordered), CHECKS))
    paid_for = "cascade {\n no if head < 0.2\n yes if head >= 0.9\n else no\n }"
    assert "GK304" not in codes(brief(rule(paid_for), CHECKS))


def test_a_dear_check_without_a_gate() -> None:
    defaults = " budget input 900ms"
    assert codes(brief(rule("head >= 0.5"), CHECKS, defaults)) == ["GK305"]
    assert codes(brief(rule("head >= 0.5 and words_a"), CHECKS, defaults)) == []
    both = rule("head >= 0.5 and words_a") + rule("head >= 0.5", name="s")
    (diagnostic,) = said(brief(both, CHECKS, defaults))
    assert diagnostic.place.start.line > 12  # where it is not gated


def test_the_work_limit() -> None:
    found = brief(rule("head >= 0.5"), CHECKS, " budget input 900ms")
    made = lower(found, CATALOG)
    ids = [d.code.id for d in verify_budgets(made, found, limit_us=100_000)]
    assert "GK306" in ids
    assert [
        d.is_error for d in verify_budgets(made, found, limit_us=100_000) if d.code.id == "GK306"
    ] == [True]


def test_a_dear_surface_without_a_budget() -> None:
    (diagnostic,) = said(brief(rule("words_a and head >= 0.5"), CHECKS))
    assert diagnostic.code.id == "GK431"
    assert "budget input" in diagnostic.help[0]
    assert codes(brief(rule("words_a"), CHECKS)) == []


def test_a_policy_without_places_is_verified_too() -> None:
    for seed in range(100):
        found = generate.policy_of(seed)
        for diagnostic in verify_budgets(lower(found, generate.CATALOG), found):
            assert diagnostic.message


def test_an_empty_policy_costs_nothing() -> None:
    found = replace(policy("shop"), rules=(), exemptions=(), monitors=())
    made = lower(found, CATALOG)
    assert made.nodes == ()
    assert "no rule judges anything" in cost_table(made)
    assert verify_budgets(made, found) == ()
