"""Why a verdict is what it is, as plain data: nothing of the tree is lost on the way to JSON."""

from __future__ import annotations

import json
from typing import Any

import guardkit
from guardkit.runtime import Told

POLICY = """\
guardkit 1
policy told
  title   "Three conditions in one rule"
  owner   "tests@example.com"
  version "1"

check red  = pattern { match /red/ }
check blue = pattern { match /blue/ }
check hush = pattern { match /hush/ }

rule mix { tier safety on input when red and (blue or not hush) then block "No." }
"""


def _rebuilt(data: dict[str, Any]) -> Told:
    return Told(
        data["title"],
        data["answer"],
        data["detail"],
        tuple(_rebuilt(below) for below in data["below"]),
    )


def _depth(told: Told) -> int:
    return 1 + max(map(_depth, told.below), default=0)


def test_a_tree_survives_json() -> None:
    guard = guardkit.loads(POLICY)
    for text in ("red and blue", "red, hush", "nothing", ""):
        explanation = guard.explain(text)
        [rule] = explanation.rules
        assert _depth(rule) >= 4, "the rule is no tree"
        data = rule.as_dict()
        assert list(data) == ["title", "answer", "detail", "below"]
        assert _rebuilt(json.loads(json.dumps(data))) == rule


def test_a_leaf_has_nothing_below() -> None:
    assert Told("check red", "no", "").as_dict() == {
        "title": "check red",
        "answer": "no",
        "detail": "",
        "below": [],
    }
