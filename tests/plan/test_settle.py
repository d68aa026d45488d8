"""Settling: three truth values, nothing asked in vain, and waiting for a slow leaf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from guardkit.plan import PENDING, Check, Compare, Node, Settler, lower, settle
from guardkit.types import Truth

from ._policies import CATALOG, brief, plan

NO, UNKNOWN, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


def answers(**given: Any) -> Callable[[Node], Any]:
    """Leaves by name; what is not given could not answer."""

    def leaf(node: Node) -> Any:
        names = getattr(node.what, "names", None) or (node.what.name,)
        return next((given[name] for name in names if name in given), None)

    return leaf


def names(made: Any, asked: tuple[int, ...]) -> list[str]:
    return [made.nodes[i].what.names[0] for i in asked]


@pytest.mark.parametrize(
    ("given", "truth", "asked"),
    [
        ({"phrases": True}, YES, ["phrases"]),
        ({"phrases": False, "attack_like": 0.1}, NO, ["phrases", "attack_like"]),
        (
            {"phrases": False, "attack_like": 0.3, "attack": 0.85},
            YES,
            ["phrases", "attack_like", "attack"],
        ),
        (
            {"phrases": False, "attack_like": 0.5, "attack": 0.2},
            NO,
            ["phrases", "attack_like", "attack"],
        ),
        ({"phrases": False, "attack_like": 0.5}, UNKNOWN, ["phrases", "attack_like", "attack"]),
        ({"attack_like": 0.1}, UNKNOWN, ["phrases", "attack_like"]),
        ({"attack_like": None, "attack": 0.1}, UNKNOWN, ["phrases", "attack_like", "attack"]),
        ({"phrases": False, "attack": 0.1}, NO, ["phrases", "attack_like", "attack"]),
    ],
)
def test_a_cascade_step_by_step(given: dict[str, Any], truth: Truth, asked: list[str]) -> None:
    made = plan("shop")
    settled = Settler(made, "retrieved").settle(None, answers(**given))
    assert settled.truths == {"stop_injection": truth}
    assert names(made, settled.asked) == asked
    assert settle(made, "retrieved", None, answers(**given)) == {"stop_injection": truth}


@pytest.mark.parametrize(
    ("given", "truth"),
    [
        ({"slurs": True, "abuse_like": 0.8}, YES),
        ({"slurs": True, "abuse_like": 0.79, "abuse": 0.7}, YES),
        ({"slurs": True, "abuse": 0.7}, YES),
        ({"slurs": True}, UNKNOWN),
        ({"slurs": True, "abuse_like": 0.1, "abuse": 0.1}, NO),
        ({"slurs": False, "abuse_like": 0.1}, NO),
        ({"slurs": False}, UNKNOWN),
        ({"abuse_like": 0.1, "abuse": 0.1}, NO),
    ],
)
def test_a_quorum(given: dict[str, Any], truth: Truth) -> None:
    made = plan("shop")
    for truths in (
        settle(made, "input", None, answers(**given)),
        Settler(made, "input").settle(None, answers(**given)).truths,
    ):
        assert truths["no_abuse"] is truth


@pytest.mark.parametrize(
    "nonsense",
    [None, float("nan"), float("inf"), -0.01, 1.01, True, "0.9", Truth.YES, (), object()],
)
def test_a_score_that_is_none_is_unknown(nonsense: Any) -> None:
    made = plan("shop")
    given = answers(phrases=False, attack_like=0.9, attack=nonsense)
    assert Settler(made, "retrieved").settle(None, given).truths == {"stop_injection": UNKNOWN}
    assert settle(made, "retrieved", None, given) == {"stop_injection": UNKNOWN}


@pytest.mark.parametrize("nonsense", [None, 1, 0, 0.0, "yes", Truth.UNKNOWN])
def test_an_answer_that_is_none_is_unknown(nonsense: Any) -> None:
    found = brief(
        "rule r {\n tier safety\n on input\n when a\n then block\n}",
        "check a = pattern { match /x/ }",
    )
    made = lower(found, CATALOG)
    assert settle(made, "input", None, answers(a=nonsense)) == {"r": UNKNOWN}
    assert Settler(made, "input").settle(None, answers(a=nonsense)).truths == {"r": UNKNOWN}


@pytest.mark.parametrize(
    ("label", "truth"),
    [("full", YES), ("none", NO), ("strange", UNKNOWN), (1.0, UNKNOWN), (None, UNKNOWN)],
)
def test_labels(label: Any, truth: Truth) -> None:
    given = answers(refusal=label, shopping=0.9)
    assert settle(plan("shop"), "output", None, given)["over_refusal"] is truth
    assert Settler(plan("shop"), "output").settle(None, given).truths["over_refusal"] is truth


def test_a_rate_needs_its_threshold() -> None:
    made = plan("shop")
    (at,) = [n.id for n in made.nodes if isinstance(n.what, Compare) and n.what.relation == "at"]
    given = answers(order_id=True, attack=0.4)
    for bound, truth in ((None, UNKNOWN), (0.4, NO), (0.41, YES), (7.0, UNKNOWN)):
        bounds = {} if bound is None else {at: bound}
        assert settle(made, "input", None, given, bounds)["again_about_orders"] is truth
        assert (
            Settler(made, "input", bounds).settle(None, given).truths["again_about_orders"] is truth
        )


def test_a_rule_of_another_tool_is_not_judged() -> None:
    made = plan("agent")
    given = answers(**{"call.to.domain": YES, "poisoned_then_sent": YES})
    settler = Settler(made, "tool_call")
    for tool, truths in (
        ("mail.send", {"break_exfiltration": YES, "hold_external_mail": YES}),
        ("web.post", {"break_exfiltration": YES}),
        ("web.fetch", {"break_exfiltration": NO}),
        (None, {"break_exfiltration": NO}),
    ):
        assert settle(made, "tool_call", tool, given) == truths
        assert settler.settle(tool, given).truths == truths
        assert settler.assuming_no(()).settle(tool, given).truths == truths


def test_a_surface_without_rules_has_nothing_to_settle() -> None:
    settled = Settler(plan("agent"), "retrieved").settle(None, answers())
    assert (settled.truths, settled.asked, settled.pending) == ({}, (), ())


# --- waiting


def test_a_run_waits_for_a_slow_leaf_and_goes_on() -> None:
    made = plan("shop")
    given: dict[str, Any] = {"phrases": False, "attack_like": 0.9, "slurs": True, "abuse_like": 0.1}
    given |= {"order_id": False}
    slow: dict[str, Any] = {"attack": PENDING, "abuse": PENDING}

    def leaf(node: Node) -> Any:
        return (given | slow).get(node.what.names[0]) if isinstance(node.what, Check) else NO

    run = Settler(made, "input").start(None, leaf)
    first = run.settle()
    assert first.truths == {"again_about_orders": NO}
    assert names(made, first.pending) == ["attack", "abuse"]
    assert "attack" not in names(made, first.asked)
    slow.update(attack=0.9, abuse=0.2)
    second = run.settle()
    assert second.truths == {"stop_injection": YES, "no_abuse": NO, "again_about_orders": NO}
    assert not second.pending
    assert len(set(second.asked)) == len(second.asked)


def test_what_a_pending_leaf_cannot_change_is_settled() -> None:
    found = brief(
        "rule r {\n tier safety\n on input\n when a or m >= 0.5\n then block\n}",
        'check a = pattern { match /x/ }\ncheck m = classifier { model mini  head "injection" }',
    )
    settler = Settler(lower(found, CATALOG), "input")
    assert settler.settle(None, answers(a=True, m=PENDING)).truths == {"r": YES}
    assert settler.settle(None, answers(a=False, m=PENDING)).truths == {}
    assert settler.settle(None, answers(a=False, m=PENDING)).pending


def test_quiet_settlers_ask_nothing_that_is_known() -> None:
    made = plan("shop")
    settler = Settler(made, "input")
    silent = [
        n.id
        for n in made.nodes
        if n.surface == "input" and isinstance(n.what, Check) and n.what.answers == "answer"
    ]
    quiet = settler.assuming_no(silent)
    settled = quiet.settle(None, answers(attack_like=0.1, abuse_like=0.1))
    assert settled.truths == dict.fromkeys(("stop_injection", "no_abuse", "again_about_orders"), NO)
    assert names(made, settled.asked) == ["attack_like", "abuse_like"]
    assert len(quiet.rules) == 2
    assert settler.settle(None, answers()).truths["again_about_orders"] is UNKNOWN


def test_any_root_can_be_asked() -> None:
    made = plan("agent")
    (first,) = made.asked("first", "tool_result")
    run = Settler(made, "tool_result").start("web.fetch", answers(attack=0.7))
    assert run.ask(first.node) is YES
    (exempt,) = plan("shop").asked("exempt", "input")
    run = Settler(plan("shop"), "input").start(None, lambda node: PENDING)
    assert run.ask(exempt.node) is PENDING
