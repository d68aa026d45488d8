"""Saved plans: equal there and back, and everything else is refused with GK307."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from guardkit.plan import Plan, PlanError, from_json, lower, to_json
from tests.differential import generate

from ._policies import CATALOG, brief, plan


@pytest.mark.parametrize("name", ["shop", "agent"])
def test_there_and_back(name: str) -> None:
    text = to_json(plan(name))
    read = from_json(text)
    assert read == plan(name)
    assert to_json(read) == text


def test_there_and_back_for_generated_policies() -> None:
    for seed in range(300):
        made = lower(generate.policy_of(seed), generate.CATALOG)
        read = from_json(to_json(made))
        assert repr(read) == repr(made), seed  # repr tells 1 from 1.0


def test_every_character_of_a_saved_plan_can_be_seen() -> None:
    found = brief(
        'rule r {\n tier safety\n on input\n when a\n then block "größer \\u{202e} \\u{1F600}"\n}',
        "check a = pattern { match /x/ }",
    )
    text = to_json(lower(found, CATALOG))
    assert "größer" in text
    assert "\\u202e" in text
    assert all(c.isprintable() or c == "\n" for c in text)
    assert from_json(text) == lower(found, CATALOG)


def refused(text: str) -> str:
    with pytest.raises(PlanError) as caught:
        from_json(text, "saved.json")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code.id, diagnostic.place.source.path) == ("GK307", "saved.json")
    return diagnostic.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[]", "not a saved plan"),
        ("{}", "not a saved plan"),
        ("null", "not a saved plan"),
        ('{"guardkit_plan": 99}', "has format 99"),
        ('{"guardkit_plan": true}', "has format True"),
        ('{"guardkit_plan": 1}', "lacks `checks`"),
        ('{"guardkit_plan": 1, "guardkit_plan": 1}', "stands twice"),
        ('{"guardkit_plan": NaN}', "`NaN` is no number"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_plan(text: str, says: str) -> None:
    assert says in refused(text)


def change(edit: Callable[[dict[str, Any]], object], name: str = "shop") -> str:
    data = json.loads(to_json(plan(name)))
    edit(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda d: d.update(digest="sha256:0"), "digest does not fit"),
        (lambda d: d["rules"][0].update(on_error="pass"), "digest does not fit"),
        (lambda d: d["rules"][0].update(on_error="allow"), "not one of block, hold"),
        (lambda d: d["rules"][0].pop("mode"), "lacks `mode`"),
        (lambda d: d["rules"][0].update(extra=1), "unknown key `extra`"),
        (
            lambda d: d["limits"].update(hold_limit="4096"),
            "`plan.limits.hold_limit` is not a whole",
        ),
        (lambda d: d["limits"].update(hold_limit=True), "`plan.limits.hold_limit` is not a whole"),
        (lambda d: d.update(nodes={}), "`plan.nodes` is not a list"),
        (lambda d: d["nodes"][5].update(op="jump"), "not a known operation"),
        (lambda d: d["nodes"][5].update(id=6), "`nodes[5].id` is not 5"),
        (lambda d: d["nodes"][1].update({"in": [2]}), "not a list of earlier nodes"),
        (lambda d: d["nodes"][2].update({"in": [-1]}), "not a list of earlier nodes"),
        (lambda d: d["nodes"][2].update({"in": []}), "not as long as `check` needs"),
        (lambda d: d["nodes"][5].update({"in": [3]}), "not what `compare` reads"),
        (lambda d: d["nodes"][4].update(color="red"), "unknown key `color`"),
        (lambda d: d["nodes"][4].pop("names"), "lacks `names`"),
        (lambda d: d["nodes"][4].update(names=["nobody"]), "not checks of this plan"),
        (lambda d: d["nodes"][-1].update(surface="moon"), "not one of input"),
        (lambda d: d["nodes"][-1].update(surface="input"), "beside the other nodes"),
        (lambda d: d["roots"][0].update(node=3), "not a `join`"),
        (lambda d: d["roots"][0].update(node=10_000), "not a node of its surface"),
        (lambda d: d["roots"].append(d["roots"][0]), "only join"),
    ],
)
def test_damage(edit: Callable[[dict[str, Any]], object], says: str) -> None:
    assert says in refused(change(edit))


def test_random_damage_never_crashes_the_reader() -> None:
    text = to_json(plan("agent"))
    random = Random(7)
    for _ in range(400):
        at = random.randrange(len(text))
        kind = random.randrange(3)
        other = random.choice('{}[]",:0129.-etrufalsn \\')
        broken = text[:at] + (other if kind else "") + text[at + (kind != 1) :]
        try:
            read = from_json(broken)
        except PlanError:
            continue
        assert isinstance(read, Plan)


def test_a_very_deep_graph_is_refused() -> None:
    def edit(data: dict[str, Any]) -> None:
        nodes = [n for n in data["nodes"] if n["surface"] == "conversation"]
        start = nodes[1]["id"]
        tail = data["nodes"][start + 1 :]
        chain = [
            {"id": start + 1 + i, "in": [start + i], "op": "not", "surface": "conversation"}
            for i in range(900)
        ]
        for node in tail:
            node["id"] += 900
            node["in"] = [start + 900 if i == start else i + 900 for i in node["in"]]
        data["nodes"][start + 1 :] = [*chain, *tail]

    assert "deep" in refused(change(edit, "agent"))
