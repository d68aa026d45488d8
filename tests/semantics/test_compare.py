"""Comparing policies: every example is real, none is missed, and nothing else is said."""

import random
import re
from dataclasses import replace
from datetime import date

import pytest

from guardkit.semantics import (
    Act,
    And,
    Asked,
    CheckedPolicy,
    Compared,
    Cond,
    Context,
    Exemption,
    FieldTest,
    On,
    Rule,
    Tool,
    Window,
    WindowCount,
)
from guardkit.semantics.exact import _compare as compare_module
from guardkit.semantics.exact._changed_settings import in_words
from guardkit.semantics.exact._compare import Change, Comparison, compare
from guardkit.semantics.exact._render_comparison import as_test, is_runnable, render_comparison
from guardkit.types import STRENGTH, SURFACES, Action
from tests.semantics.faults import clean, naive, shop
from tests.semantics.faults.naive import PLACE, made_checks, made_policy, made_rule
from tests.semantics.test_analyses import worlds

VERBS: tuple[Action, ...] = ("flag", "rewrite", "revise", "hold", "block")
ONS = (
    (On("input"),),
    (On("input"), On("output")),
    (On("tool_call"),),
    (On("tool_call", ("pay",)),),
    (On("tool_call", ("mail", "pay")), On("output")),
)


def random_rule(chance: random.Random, name: str, kinds: str) -> Rule:
    return made_rule(
        name,
        naive.random_condition(chance, 2, kinds),
        chance.choice(VERBS),
        on=chance.choice(ONS),
        on_error=chance.choice(("pass", "flag", "hold", "block")),
        mode=chance.choice(("enforce", "enforce", "enforce", "shadow")),
    )


def random_policy(chance: random.Random, kinds: str, size: int = 3) -> CheckedPolicy:
    rules = [random_rule(chance, f"r{at}", kinds) for at in range(size)]
    exemptions = [
        Exemption(
            rule.name,
            "safety",
            chance.choice((None, naive.random_condition(chance, 1, "fv"))),
            "o",
            "r",
            "2027-01-31",
            PLACE,
        )
        for rule in rules
        if chance.random() < 0.2
    ]
    return made_policy(rules, exemptions=exemptions)


def mutated(chance: random.Random, policy: CheckedPolicy, kinds: str) -> CheckedPolicy:
    """A policy with one or two rules changed, gone or come."""
    rules = list(policy.rules)
    for _ in range(chance.choice((1, 1, 2))):
        at = chance.randrange(len(rules))
        rule = rules[at]
        match chance.randrange(6):
            case 0:
                rules[at] = replace(rule, condition=naive.random_condition(chance, 2, kinds))
            case 1:
                rules[at] = replace(rule, action=Act(chance.choice(VERBS)))
            case 2:
                rules[at] = replace(rule, on_error=chance.choice(("pass", "flag", "block")))
            case 3:
                rules[at] = replace(rule, mode="shadow")
            case 4:
                rules[at] = replace(rule, on=chance.choice(ONS))
            case _:
                rules.append(random_rule(chance, f"n{len(rules)}", kinds))
    return replace(policy, rules=tuple(rules))


def pinned(change: Change, world: naive.World) -> naive.World:
    """A world in which everything that a change's example fixes holds."""
    made = dict(world)
    for given in change.witness:
        key = given.subject
        made[("call", "to", "domain") if key == ("call", "to") else key] = naive.in_world(
            given.cell
        )
    return made


KINDS = ("ast", "aaf", "afv", "sgv", "tnh", "wqk", "dima", "asntkwqfgvdimh")


@pytest.mark.parametrize("seed", range(25))
def test_every_example_is_real_whatever_else_happens(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(12):
        kinds = chance.choice(KINDS)
        old = random_policy(chance, kinds)
        new = mutated(chance, old, kinds)
        comparison = compare(old, new)
        assert comparison.is_exact
        for change in comparison.changes:
            tool = (*change.tools, None)[0]  # the example is of the first tool
            for _ in range(6):
                world = pinned(change, naive.random_world(chance))
                seen = [naive.verdict(p, change.surface, tool, world) for p in (old, new)]
                assert seen == [change.before, change.after]
            assert change.is_weaker == (STRENGTH[change.after] < STRENGTH[change.before])


@pytest.mark.parametrize("seed", range(25))
def test_nothing_is_missed(seed: int) -> None:
    chance = random.Random(1000 + seed)
    compared = 0
    for _ in range(8):
        kinds = chance.choice(("ast", "aaf", "afv", "sgv", "hv", "wq", "kn"))
        old = random_policy(chance, kinds)
        new = mutated(chance, old, kinds)
        conditions = [
            *(rule.condition for policy in (old, new) for rule in policy.rules),
            *(e.condition for e in old.exemptions if e.condition is not None),
        ]
        every = worlds(conditions, 4_000)
        if every is None:
            continue
        compared += 1
        wanted = set()
        for surface in SURFACES:
            tools = ("pay", "mail", "other") if surface == "tool_call" else (None,)
            for tool in tools:
                for world in every:
                    before = naive.verdict(old, surface, tool, world)
                    after = naive.verdict(new, surface, tool, world)
                    if before != after:
                        wanted.add((surface, before, after))
        found = {(c.surface, c.before, c.after) for c in compare(old, new).changes}
        # Lists of hosts are too many to list; that what is found is real is tested above.
        assert wanted <= found if "h" in kinds else wanted == found
    assert compared > 0


@pytest.mark.parametrize("number", range(0, 100, 5))
def test_a_policy_compared_with_itself_does_not_change(number: int) -> None:
    policy = shop.checked(list(clean.clean_policies())[number])
    comparison = compare(policy, policy)
    assert comparison.is_empty
    assert not comparison.is_weaker
    assert "nothing changes" in render_comparison(comparison)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_too_large_is_compared_rule_by_rule(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(2000 + seed)
    monkeypatch.setattr(compare_module, "_LIMIT", 5)
    inexact = 0
    for _ in range(10):
        old = random_policy(chance, "asf")
        new = mutated(chance, old, "asf")
        comparison = compare(old, new)
        if comparison.is_exact:
            continue
        inexact += 1
        assert not comparison.is_empty
        assert "too many to compare" in render_comparison(comparison)
        for change in comparison.changes:
            # Such an example fixes everything, so what else is in the world does not matter.
            world, tool = pinned(change, naive.random_world(chance)), (*change.tools, None)[0]
            seen = [naive.verdict(p, change.surface, tool, world) for p in (old, new)]
            assert seen == [change.before, change.after]
    assert inexact > 0


# --- examples as tests in policy syntax


def edited(text: str, chance: random.Random) -> str:
    """A policy as somebody changes it: thresholds, actions, whole rules."""
    rules = re.findall(r"^rule .*?^}\n", text, re.MULTILINE | re.DOTALL)
    rule = chance.choice(rules)
    name = rule.split()[1]
    match chance.randrange(4):
        case 0:
            changed = re.sub(r"0\.\d+", lambda _: f"0.{chance.randrange(51, 59)}", rule)
        case 1:
            changed = re.sub(r"then     .*", "then     flag", rule)
        case 2 if name not in text.replace(rule, ""):
            changed = ""
        case _:
            changed = rule.replace("when     ", "when     card and ", 1)
            if "cascade" in rule or " or " in rule or "conversation" in rule:
                changed = rule
    return text.replace(rule, changed)


def test_examples_are_tests_the_policy_can_hold() -> None:
    chance = random.Random(4)
    written = weaker = 0
    for text in clean.clean_policies():
        after = edited(text, chance)
        if after.count("\nrule ") == 0:
            continue
        old, new = shop.checked(text), shop.checked(after)
        comparison = compare(old, new)
        weaker += comparison.is_weaker
        for number, change in enumerate(comparison.changes):
            test = as_test(change, f"change {number}")
            side = text if change.is_weaker else after
            policy = shop.checked(f"{side}\n{test}\n")
            (case,) = policy.tests
            assert case.title == f"change {number}"
            written += is_runnable(change)
    assert written > 60
    assert weaker > 30


def only(comparison: Comparison) -> Change:
    (change,) = comparison.changes
    return change


def test_a_weaker_example_expects_what_the_old_policy_did() -> None:
    old = made_policy([made_rule("guard", Compared("s", ">=", 0.5, PLACE))])
    new = made_policy([made_rule("guard", Compared("s", ">=", 0.8, PLACE))])
    change = only(compare(old, new))
    assert (change.before, change.after, change.old_rules) == ("block", "pass", ("guard",))
    assert as_test(change, "a test") == (
        'test "a test" {\n'
        "  # what the old policy does; the new one does not\n"
        "  given s = 0.7\n"
        '  input "Hello."\n'
        "  expect block by guard\n"
        "}"
    )
    assert as_test(only(compare(new, old)), "a test").count("what the new policy does") == 1


def test_arguments_fields_failures_and_tools_are_written_out() -> None:
    condition = And(
        (
            FieldTest("call", ("to", "address", "domain"), "in", ("x.example",), "domain", PLACE),
            FieldTest("call", ("amount",), ">", ("500 EUR",), "money", PLACE),
            FieldTest("context", ("odd name",), "==", ('say "hi"',), "text", PLACE),
            FieldTest("context", ("idle",), ">=", (60_000,), "duration", PLACE),
            Compared("n", ">", 3.0, PLACE),
            Asked("a", PLACE),
        ),
        PLACE,
    )
    on = (On("tool_call", ("mail.send",)),)
    new = made_policy([made_rule("guard", condition, on=on, on_error="pass")])
    lines = as_test(only(compare(made_policy([]), new)), "t").splitlines()
    assert "  given n = 4" in lines
    assert "  given a = yes" in lines
    assert "  given context.idle = 1m" in lines
    assert '  given context."odd name" = "say \\"hi\\""' in lines
    (call,) = (line for line in lines if "tool_call" in line)
    assert call == '  tool_call tool.mail.send (to: {address: "x.example"}, amount: "501 EUR")'
    failing = made_policy([made_rule("guard", Asked("a", PLACE), "flag", on_error="flag")])
    louder = made_policy([made_rule("guard", Asked("a", PLACE), "flag", on_error="block")])
    assert "given a fails" in as_test(only(compare(failing, louder)), "t")


def test_windows_stand_in_a_test_as_comments() -> None:
    on = (On("conversation"),)
    old = made_policy([made_rule("end", WindowCount("w", ">=", 3, PLACE), on=on)])
    new = made_policy([made_rule("end", WindowCount("w", ">", 3, PLACE), on=on)])
    change = only(compare(old, new))
    assert not is_runnable(change)
    assert "# the window w stands at 3" in as_test(change, "t")


def test_tools_that_no_rule_names_come_as_one() -> None:
    tools = tuple(Tool(name, ((("amount",), "text"),)) for name in ("a.b", "c", "d"))
    named = made_rule("one", Asked("a", PLACE), on=(On("tool_call", ("d",)),))
    wide = made_rule("all", Asked("a", PLACE), on=(On("tool_call"),))
    old = replace(made_policy([named]), tools=tools)
    new = replace(made_policy([named, wide]), tools=tools)
    change = only(compare(old, new))
    assert (change.tools, change.listed) == ((None,), ("a.b", "c"))
    assert "tool_call tool.a.b ()" in as_test(change, "t")
    # A tool without the argument cannot be called with it.
    other = FieldTest("call", ("other",), "==", ("x",), "text", PLACE)
    newer = replace(made_policy([made_rule("all", other, on=(On("tool_call"),))]), tools=tools)
    assert not compare(replace(made_policy([]), tools=tools), newer).changes


def test_equal_checks_under_new_names_are_no_change() -> None:
    a = made_checks()[0]
    old = made_policy([made_rule("r", Asked("a", PLACE))], checks=(a,))
    new = made_policy([made_rule("r", Asked("x", PLACE))], checks=(replace(a, name="x"),))
    comparison = compare(old, new)
    assert not comparison.changes
    assert [(s.kind, s.how) for s in comparison.settings] == [
        ("check", "renamed"),
        ("rule", "changed"),
    ]


# --- settings


def settings(old: CheckedPolicy, new: CheckedPolicy) -> list[tuple[str, str, str, bool]]:
    return [(s.kind, s.how, s.field, s.is_weaker) for s in compare(old, new).settings]


BASE = made_policy([made_rule("r", Asked("a", PLACE), text="No.")])


def with_rule(**changes: object) -> CheckedPolicy:
    return replace(BASE, rules=(replace(BASE.rules[0], **changes),))  # type: ignore[arg-type]


def exemption(until: str = "2027-01-31", condition: Cond | None = None) -> CheckedPolicy:
    made = Exemption("r", "safety", condition, "o", "because", until, PLACE)
    return replace(BASE, exemptions=(made,))


def test_settings_are_listed_and_weakening_ones_marked() -> None:
    defaults = BASE.defaults
    session = with_rule(action=Act("block", "No.", for_session=True))
    window = Window("w", ("r", "s"), 10, PLACE)
    rows: list[tuple[CheckedPolicy, CheckedPolicy, tuple[str, str, str, bool]]] = [
        (BASE, with_rule(severity="low"), ("rule", "changed", "severity", False)),
        (BASE, with_rule(name="q"), ("rule", "renamed", "", False)),
        (BASE, with_rule(action=Act("block", "Stop.")), ("rule", "changed", "message", False)),
        (BASE, with_rule(mode="shadow"), ("rule", "changed", "mode", False)),
        (session, BASE, ("rule", "changed", "for session", True)),
        (BASE, session, ("rule", "changed", "for session", False)),
        (BASE, exemption(), ("exempt", "added", "", True)),
        (exemption(), BASE, ("exempt", "removed", "", False)),
        (exemption(), exemption("2028-01-01"), ("exempt", "changed", "until", True)),
        (exemption(), exemption("2026-12-31"), ("exempt", "changed", "until", False)),
        (
            BASE,
            replace(BASE, defaults=replace(defaults, unread="flag")),
            ("defaults", "changed", "unread", True),
        ),
        (
            BASE,
            replace(BASE, defaults=replace(defaults, hold_back=8)),
            ("defaults", "changed", "hold_back", False),
        ),
        (
            session,
            replace(session, defaults=replace(defaults, session_ttl_ms=1000)),
            ("defaults", "changed", "session_ttl", True),
        ),
        (
            replace(BASE, context=Context(("Be brief.",), canary=True)),
            replace(BASE, context=Context(("Be brief.",))),
            ("canary", "removed", "", True),
        ),
        (
            BASE,
            replace(BASE, context=Context(("Be brief.",))),
            ("context line", "added", "", False),
        ),
        (
            replace(BASE, windows=(window,)),
            replace(BASE, windows=(replace(window, turns=5),)),
            ("window", "changed", "last", True),
        ),
        (
            replace(BASE, windows=(window,)),
            replace(BASE, windows=(replace(window, counts=("r",)),)),
            ("window", "changed", "count", True),
        ),
        (
            with_rule(action=Act("revise", otherwise=Act("block"))),
            with_rule(action=Act("revise", otherwise=Act("flag"))),
            ("rule", "changed", "then", True),
        ),
        (
            with_rule(action=Act("revise", otherwise=Act("flag"))),
            with_rule(action=Act("revise", otherwise=Act("block"))),
            ("rule", "changed", "then", False),
        ),
        (
            with_rule(action=Act("rewrite", form="mask", keep=2)),
            with_rule(action=Act("rewrite", form="mask", keep=8)),
            ("rule", "changed", "then", True),
        ),
        (
            with_rule(action=Act("rewrite", form="text", text="-", whole=True)),
            with_rule(action=Act("rewrite", form="text", text="-")),
            ("rule", "changed", "then", True),
        ),
    ]
    for old, new, wanted in rows:
        assert settings(old, new) == [wanted]
        assert not compare(old, new).is_empty


def test_only_the_bounds_are_shown_where_only_they_moved() -> None:
    old = with_rule(condition=And((Asked("a"), Compared("s", ">=", 0.5))))
    new = with_rule(condition=And((Asked("a"), Compared("s", ">=", 0.8))))
    (setting,) = compare(old, new).settings
    assert (setting.field, setting.before, setting.after) == ("threshold", "s >= 0.5", "s >= 0.8")
    other = with_rule(condition=And((Asked("b"), Compared("s", ">=", 0.8))))
    (setting,) = compare(old, other).settings
    assert (setting.field, setting.after) == ("when", "b and s >= 0.8")


def test_an_exemption_that_has_ended_changes_no_outcome() -> None:
    ended = exemption("2026-01-01")
    assert compare(BASE, ended).changes
    assert not compare(BASE, ended, today=date(2026, 1, 2)).changes
    assert compare(BASE, ended, today=date(2026, 1, 1)).changes


@pytest.mark.parametrize("seed", range(20))
def test_conditions_in_words_can_be_told_apart(seed: int) -> None:
    chance = random.Random(seed)
    one, other = (naive.random_condition(chance) for _ in range(2))
    assert (in_words(one) == in_words(other)) == (one == other)


# --- text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_rendered_comparison_keeps_to_its_width(width: int) -> None:
    chance = random.Random(8)
    for _ in range(20):
        old = random_policy(chance, "asf")
        new = mutated(chance, old, "asf")
        text = render_comparison(compare(old, new), width)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        for line in text.splitlines():
            assert line == line.rstrip()
            assert len(line) <= width or line.startswith(("     ", "  "))


def test_a_comparison_reads_like_this() -> None:
    old = made_policy([made_rule("guard", Compared("s", ">=", 0.5, PLACE), text="No.")])
    new = replace(
        made_policy([made_rule("guard", Compared("s", ">=", 0.8, PLACE), text="Sorry.")]),
        version="2",
    )
    assert render_comparison(compare(old, new)) == (
        """\
made 1 → made 2
1 weaker outcome, 3 changed settings

Weaker outcomes

  1. input          block → pass    guard

     test "input stays block" {
       # what the old policy does; the new one does not
       given s = 0.7
       input "Hello."
       expect block by guard
     }

Settings

    policy      version: 1 → 2
    rule guard  threshold: s >= 0.5 → s >= 0.8
    rule guard  message: No. → Sorry.
"""
    )
