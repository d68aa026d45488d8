"""Lowering: canonical, deterministic, quick; what the tables carry; look-behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from guardkit.errors import PolicyError, UsageError
from guardkit.plan import (
    Check,
    Compare,
    Pass,
    Rule,
    Scan,
    Sequence,
    Settler,
    from_json,
    lower,
    to_json,
)
from guardkit.semantics import (
    And,
    AtLeast,
    CascadeCond,
    CascadeStep,
    CheckedPolicy,
    Compared,
    Cond,
    Not,
    Or,
)
from guardkit.types import Truth
from tests.differential import generate

from ._policies import CATALOG, brief, plan, policy

ROOT = Path(__file__).parents[2]


# --- one plan for one policy


def shuffled(found: CheckedPolicy, random: Random) -> CheckedPolicy:
    """The same policy in another order: declarations, and members of conditions."""

    def mixed(items: tuple) -> tuple:
        return tuple(random.sample(items, len(items)))

    def turned(condition: Cond) -> Cond:
        match condition:
            case And(members):
                return And(mixed(tuple(turned(m) for m in members)))
            case Or(members):
                return Or(mixed(tuple(turned(m) for m in members)))
            case AtLeast(count, members):
                return AtLeast(count, mixed(tuple(turned(m) for m in members)))
            case Not(inner):
                return Not(turned(inner))
            case CascadeCond(steps, otherwise):
                return CascadeCond(
                    tuple(CascadeStep(s.answer, turned(s.condition)) for s in steps), otherwise
                )
            case _:
                return condition

    rules = tuple(
        replace(rule, condition=turned(rule.condition), on=mixed(rule.on)) for rule in found.rules
    )
    return replace(
        found,
        rules=mixed(rules),
        checks=mixed(found.checks),
        windows=mixed(found.windows),
        sequences=mixed(found.sequences),
        exemptions=mixed(found.exemptions),
        monitors=mixed(found.monitors),
        tools=mixed(found.tools),
        principles=mixed(found.principles),
    )


@pytest.mark.parametrize("name", ["shop", "agent"])
def test_the_order_of_a_file_never_shows(name: str) -> None:
    random = Random(name)
    for _ in range(20):
        assert lower(shuffled(policy(name), random), CATALOG) == plan(name)


def test_the_order_of_generated_policies_never_shows() -> None:
    for seed in range(300):
        random = Random(seed)
        found = generate.policy_of(seed)
        expected = to_json(lower(found, generate.CATALOG))
        assert to_json(lower(shuffled(found, random), generate.CATALOG)) == expected, seed


def test_digests_are_equal_over_hash_seeds() -> None:
    program = (
        "from tests.differential.generate import CATALOG, policy_of\n"
        "from tests.plan._policies import plan\n"
        "from guardkit.plan import lower\n"
        "print(plan('shop').digest, plan('agent').digest)\n"
        "print(*[lower(policy_of(seed), CATALOG).digest for seed in range(40)])\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77", "4000")
    }
    assert len(said) == 1


def test_a_digest_changes_with_behaviour_and_only_with_it() -> None:
    found = policy("shop")
    digest = plan("shop").digest
    rule = found.rules[0]

    def with_rule(**changes: object) -> str:
        return lower(
            replace(found, rules=(replace(rule, **changes), *found.rules[1:])), CATALOG
        ).digest

    assert with_rule(note="read this", owner="someone", title="A rule") == digest
    assert lower(replace(found, title="Another", version="9"), CATALOG).digest == digest
    assert with_rule(on_error="flag") != digest
    assert with_rule(mode="shadow") != digest
    assert with_rule(severity="low") != digest
    assert with_rule(action=replace(rule.action, text="Something else.")) != digest
    assert with_rule(condition=Not(rule.condition)) != digest


def test_prices_are_no_behaviour_unless_they_change_an_order() -> None:
    dearer = [
        replace(spec, cost=replace(spec.cost, own_us=spec.cost.own_us + 0.25))
        for spec in CATALOG.specs.values()
    ]
    assert lower(policy("shop"), CATALOG.of(dearer)).digest == plan("shop").digest


# --- what is shared


def nodes_of(found: CheckedPolicy, kind: type) -> list:
    return [node for node in lower(found, CATALOG).nodes if isinstance(node.what, kind)]


PATTERNS = """
check a = pattern { match /abc/ }
check b = pattern { match /abc/ }
check c = pattern { match /abcd/  views raw }
check d = words   { list ["x y"] }
"""


def test_equal_checks_are_one_node_with_all_their_names() -> None:
    found = brief("rule r {\n tier safety\n on input\n when a or b or d\n then block\n}", PATTERNS)
    checks = nodes_of(found, Check)
    assert [node.what.names for node in checks] == [("a", "b"), ("d",)]
    assert [row.label for row in lower(found, CATALOG).checks] == ["A", "B", "D"]


def test_one_scan_per_surface_and_views() -> None:
    found = brief(
        "rule r {\n tier safety\n on input, output\n when a or c or d\n then block\n}", PATTERNS
    )
    scans = nodes_of(found, Scan)
    assert [(node.surface, node.what.views) for node in scans] == [
        ("input", ("all",)),
        ("input", ("raw",)),
        ("output", ("all",)),
        ("output", ("raw",)),
    ]


def test_one_pass_per_surface_and_encoder() -> None:
    assert [
        (n.surface, n.what.encoder) for n in plan("shop").nodes if isinstance(n.what, Pass)
    ] == [
        ("input", "static"),
        ("input", "mini"),
        ("retrieved", "static"),
        ("retrieved", "mini"),
        ("output", "static"),
        ("output", "mini"),
        ("output", "models/advice"),
    ]


def test_a_quorum_counts_a_repeated_member_twice() -> None:
    found = brief(
        "rule r {\n tier safety\n on input\n when 2 of (a, b, d)\n then block\n}", PATTERNS
    )
    quorum = next(node for node in lower(found, CATALOG).nodes if node.op == "at_least")
    assert len(quorum.inputs) == 3
    assert len(set(quorum.inputs)) == 2


def test_retired_rules_and_unused_checks_are_left_out() -> None:
    found = brief(
        "rule r {\n tier safety\n on input\n when a\n then block\n}\n"
        "rule old {\n tier safety\n on input\n mode retired\n when d\n then block\n}",
        PATTERNS,
    )
    made = lower(found, CATALOG)
    assert [row.name for row in made.rules] == ["old", "r"]
    assert [node.what.name for node in made.nodes if isinstance(node.what, Rule)] == ["r"]
    assert [row.name for row in made.checks] == ["a"]


def test_a_cascade_is_ordered_and_gated() -> None:
    made = plan("shop")
    join = made.join("retrieved")
    assert join is not None
    cascade = made.nodes[made.nodes[join.inputs[0]].inputs[0]]
    assert (cascade.op, cascade.what.gate) == ("or", 1)
    inner = made.nodes[cascade.inputs[1]]
    assert (inner.op, inner.what.gate) == ("and", 1)
    heads = {
        n.what.names[0]: n.what.is_gated
        for n in made.nodes
        if n.surface == "retrieved" and isinstance(n.what, Check)
    }
    assert heads == {"phrases": False, "attack_like": True, "attack": True}


def test_rules_carry_what_an_engine_needs() -> None:
    row = plan("shop").rule("mask_customer_data")
    assert row.matches == ("order_number", "personal")
    assert row.asks == ("order_number", "personal")
    assert (row.on_error, row.action.verb, row.surfaces) == ("block", "rewrite", ("output",))
    sequence = next(n for n in plan("agent").nodes if isinstance(n.what, Sequence))
    assert sequence.what.tools == ("mail.send", "web.post")
    assert [root.name for root in plan("agent").asked("first", "tool_result")] == [
        "poisoned_then_sent"
    ]


def test_thresholds_at_a_rate_wait_for_binding() -> None:
    (node,) = [
        n for n in plan("shop").nodes if isinstance(n.what, Compare) and n.what.relation == "at"
    ]
    assert (node.what.measure, node.what.bound) == ("fpr", 0.01)


def test_a_kind_the_catalog_lacks_is_the_callers_mistake() -> None:
    with pytest.raises(UsageError, match="no check kind `pattern`"):
        lower(
            policy("shop"),
            CATALOG.of(spec for spec in CATALOG.specs.values() if spec.kind != "pattern"),
        )


@pytest.mark.parametrize("steps", [300, 3000])
def test_a_cascade_too_long_to_settle_is_refused(steps: int) -> None:
    found = brief("rule r {\n tier safety\n on input\n when a\n then block\n}", PATTERNS)
    asked = found.rules[0].condition
    many = tuple(CascadeStep(i % 2 == 0, asked) for i in range(steps))
    long = replace(found, rules=(replace(found.rules[0], condition=CascadeCond(many, False)),))
    if steps < 400:
        made = lower(long, CATALOG)
        assert from_json(to_json(made)) == made
        assert Settler(made, "input").settle(None, lambda node: False).truths == {"r": Truth.NO}
        return
    with pytest.raises(PolicyError, match="GK306") as caught:
        lower(long, CATALOG)
    assert caught.value.diagnostics[0].place.text == "r"


# --- look-behind


@pytest.mark.parametrize(
    ("check", "reach", "characters"),
    [
        ("pattern { match /abc/ }", "match", 3),
        ("pattern { match /abc/  match /[a-z]{2,40}/ }", "match", 40),
        ("pattern { match /abc.+/ }", "whole", 0),
        ('words { list ["four", "fourteen"] }', "match", 8),
        ("length { min 40 chars }", "whole", 0),
        ("length { max 40 chars }", "window", 0),
    ],
)
def test_look_behind_of_one_check(check: str, reach: str, characters: int) -> None:
    found = brief(
        "rule r {\n tier safety\n on output\n when a\n then block\n}",
        f"check a = {check}",
        " hold_back all",
    )
    (rule,) = nodes_of(found, Rule)
    assert (rule.what.reach, rule.what.look_behind) == (reach, characters)


def test_look_behind_of_a_rule_is_that_of_its_widest_check() -> None:
    join = plan("shop").join("output")
    assert join is not None
    assert (join.what.reach, join.what.look_behind) == ("window", 320)
    rules = {plan("shop").nodes[i].what.name: plan("shop").nodes[i].what for i in join.inputs}
    assert (rules["no_abuse"].reach, rules["no_abuse"].look_behind) == ("window", 10)
    assert (rules["mask_customer_data"].reach, rules["mask_customer_data"].look_behind) == (
        "match",
        320,
    )


def test_a_rule_in_shadow_holds_nothing_back() -> None:
    made = plan("agent")
    join = made.join("output")
    assert join is not None
    assert made.nodes[join.inputs[0]].what.reach == "whole"
    assert (join.what.reach, join.what.look_behind) == ("match", 0)


# --- speed


def test_a_thousand_rules_lower_in_under_a_second() -> None:
    """0.2 s on a quiet core, which `benchmarks/` measures; here only a slump is caught."""
    found = thousand_rules()
    gc.collect()
    gc.freeze()  # what other tests left behind is not this test's to walk
    try:
        rounds = [(_seconds(lambda: lower(found, CATALOG)), _seconds(_additions)) for _ in range(7)]
    finally:
        gc.unfreeze()
    assert min(lowering for lowering, _ in rounds) <= max(
        1.0, 15 * min(plain for _, plain in rounds)
    )


def _seconds(run: Callable[[], object]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun


def _additions() -> int:
    return sum(i * i for i in range(1_000_000))


def thousand_rules() -> CheckedPolicy:
    base = brief(
        "rule r {\n tier safety\n on input, output\n when a and x >= 0.5\n then block\n}",
        'check a = pattern { match /abc/ }\ncheck x = similarity { examples ["hello"] }',
    )
    pattern, similarity = (next(c for c in base.checks if c.name == name) for name in "ax")
    checks = [pattern, similarity]
    for i in range(300):
        settings = tuple(
            ("match", ((f"abc{i}", "", 6),)) if k == "match" else (k, v) for k, v in pattern.config
        )
        checks.append(replace(pattern, name=f"p{i}", config=settings))
    random = Random(5)
    rules = []
    for i in range(1000):
        a, b, c = (
            replace(base.rules[0].condition.members[0], check=f"p{random.randrange(300)}")
            for _ in "abc"
        )
        condition = random.choice(
            (
                a,
                Or((a, b)),
                AtLeast(2, (a, b, c)),
                And((a, Compared("x", ">=", random.random()))),
                CascadeCond(
                    (
                        CascadeStep(True, a),
                        CascadeStep(False, b),
                        CascadeStep(True, Compared("x", ">=", 0.5)),
                    ),
                    False,
                ),
            )
        )
        rules.append(
            replace(
                base.rules[0],
                name=f"r{i:04}",
                condition=condition,
                on=base.rules[0].on[: 1 + (i % 3 == 0)],
            )
        )

    return replace(base, checks=tuple(checks), rules=tuple(rules))
