"""What a guard makes of labelled texts: every figure here was counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardkit.evals import Case, CaseFiles, Prices, as_dict, as_html, evaluate
from guardkit.guard import loads

from ._made import HEAD, cases, module, policy, subject

ROWS = (
    ("hello 0.9", True),
    ("good day 0.8", True),
    ("good day 0.2", True),
    ("hello 0.1", False),
    ("good evening 0.3", False),
    ("good evening and a rather long text 0.6", False),
)


def counts(made: Any, name: str) -> tuple[int, ...]:
    return tuple(subject(made, name).counts[:4])


def test_the_policy_and_its_rules() -> None:
    made = evaluate(policy(), cases(*ROWS))
    assert (made.texts, made.harmful, made.benign) == (6, 3, 3)
    assert counts(made, "small") == (1, 2, 1, 2)
    assert counts(made, "no_greeting") == (1, 2, 1, 2)
    assert counts(made, "rude_is_flagged") == (2, 1, 1, 2)
    assert counts(made, "long_in_shadow") == (0, 3, 1, 2)
    assert subject(made, "long_in_shadow").mode == "shadow"
    assert {action: rest for action, *rest in made.actions} == {
        "block": [1, 1],
        "flag": [1, 1],
        "pass": [1, 1],
    }


def test_the_weakest_action_that_counts() -> None:
    made = evaluate(policy(), cases(*ROWS), weakest="flag")
    assert counts(made, "small") == (2, 1, 2, 1)


def test_scores_are_asked_where_the_verdict_needs_none() -> None:
    made = evaluate(policy(), cases(*ROWS), prices=Prices(10, 1))
    rude = subject(made, "rude")
    # Of nine pairs the harmful text is above in 0.9 thrice, 0.8 thrice, 0.2 once.
    assert rude.score.auc.value == pytest.approx(7 / 9)
    assert rude.score.cheapest.threshold == 0.2
    assert rude.score.cheapest.cost == 2
    assert [p.threshold for p in rude.score.sweep if "policy" in p.why] == [0.5]


def test_unknown_is_counted_apart() -> None:
    made = evaluate(policy(), cases(*ROWS, ("no number", True), ("none here", False)))
    assert subject(made, "rude").unknown == 2
    assert subject(made, "rude").score.auc.value == pytest.approx(7 / 9)
    rule = subject(made, "rude_is_flagged")
    assert rule.unknown == 2
    assert tuple(rule.counts) == (2, 1, 1, 2, 1, 1)
    assert made.undecided == 2
    # `on_error flag` stopped neither, but had it blocked, nobody had found them.
    assert tuple(subject(made, "small").counts[4:]) == (1, 1)


def test_a_block_that_is_decided_counts_although_something_else_is_unknown() -> None:
    made = evaluate(policy(), cases(("hello you", True), ("hello there", False)))
    assert tuple(subject(made, "small").counts) == (1, 0, 1, 0, 0, 0)


def test_many_failures_leave_the_next_answer_alone() -> None:
    rows = [(f"text {'x' if n % 3 else '0.7'}", True) for n in range(90)]
    made = evaluate(policy(), cases(*rows))
    assert subject(made, "rude").unknown == 60


def test_a_surface_that_no_rule_is_on() -> None:
    made = evaluate(policy(), [Case("a", "hello", True, on="output"), *cases(("hello", True))])
    assert counts(made, "small") == (1, 1, 0, 0)
    assert counts(made, "no_greeting") == (1, 0, 0, 0)
    assert "no rule looks at texts on output: they pass" in made.notes


def test_rules_that_no_text_reaches() -> None:
    made = evaluate(policy(), [Case("a", "hello", True, on="output")])
    assert any(note.startswith("no text is on a surface of `no_greeting`") for note in made.notes)


def test_a_module_by_itself(tmp_path: Path) -> None:
    made = evaluate(module(tmp_path), cases(*ROWS))
    assert made.of("policy") == made.of("rule") == ()
    assert counts(made, "greeting") == (1, 2, 1, 2)
    assert subject(made, "size").score.histogram.high == len(ROWS[5][0])
    assert made.headline.name == "greeting"


def test_the_rules_of_a_module_act(tmp_path: Path) -> None:
    rule = "\nrule out {\n  tier safety\n  on   output\n  when greeting\n  then block\n}\n"
    text = 'guardkit 1\nmodule part\n  version "1"\n\ncheck greeting = pattern {\n  match /hi/\n}\n'
    made = evaluate(
        module(tmp_path, text + rule), [Case("a", "hi", True, on="output"), *cases(("hi", True))]
    )
    assert counts(made, "out") == (1, 0, 0, 0)
    assert counts(made, "greeting") == (2, 0, 0, 0)


def test_labels(tmp_path: Path) -> None:
    texts = [
        ("I can't help with that.", "full"),
        ("I'm sorry, but I cannot assist with that request.", "full"),
        ("The capital of France is Paris.", "none"),
        ("It rains.", "full"),
    ]
    given = [Case(f"{n}", text, label != "none", label) for n, (text, label) in enumerate(texts)]
    confusion = subject(evaluate(module(tmp_path), given), "tongue").confusion
    assert confusion.truths == ("full", "none")
    assert dict(zip(confusion.said, confusion.table[0], strict=False))["full"] == 2
    full = next(line for line in confusion.lines if line.name == "full")
    assert full.counts[:4] == (2, 1, 0, 1)
    binary = [Case(case.id, case.text, case.is_harmful) for case in given]
    assert subject(evaluate(module(tmp_path), binary), "tongue").confusion.truths == ("1", "0")


def test_sources_groups_and_labels() -> None:
    rows = [
        Case("a", "hello 0.9", True, "abuse", source="x", group="g"),
        Case("b", "hi 0.1", True, "other", source="x", group="h"),
        Case("c", "hi 0.1", False, "none", source="y", group="g"),
    ]
    made = subject(evaluate(policy(), rows), "small")
    assert [(line.name, tuple(line.counts[:4])) for line in made.sources] == [
        ("x", (1, 1, 0, 0)),
        ("y", (0, 0, 0, 1)),
    ]
    assert [line.name for line in made.groups] == ["g", "h"]
    assert [line.name for line in made.categories] == ["abuse", "none", "other"]
    assert made.missed == ("b",)


def test_the_worst_come_first() -> None:
    made = evaluate(policy(), cases(*ROWS))
    rude = subject(made, "rude")
    assert rude.threshold == 0.5  # too few benign texts for a rate: the bound of the policy
    assert rude.missed == ("t3",)
    assert rude.alarms == ("t6",)


@pytest.mark.parametrize("rows", [[], [("hello", True)], [("hello", False)], [("x", True)] * 3])
def test_data_that_shows_little(rows: list[tuple[str, bool]]) -> None:
    made = evaluate(policy(), cases(*rows))
    json.dumps(as_dict(made), allow_nan=False)
    assert "<html" in as_html(made)
    if rows:
        assert any("nothing can be said" in note for note in made.notes)


def test_neither_the_order_nor_the_number_at_once_matters() -> None:
    given = cases(*ROWS) * 40
    one = evaluate(policy(), given, at_once=1)
    assert one == evaluate(policy(), given, at_once=8)._replace(digest=one.digest)
    assert one.subjects == evaluate(policy(), given[::-1]).subjects


def test_a_text_that_cannot_be_judged() -> None:
    made = evaluate(policy(), cases(("x" * 4_000_001, True), ("hello 0.1", True)))
    assert (made.texts, made.unjudged) == (1, 1)
    assert made.why_unjudged[0].id == "t1"
    assert "the limit is" in made.why_unjudged[0].why


WINDOW = (
    HEAD
    + """
check greeting = pattern {
  match /hello/
}

rule noted {
  tier safety
  on   input
  when greeting
  then flag
}

window greetings { count noted last 10 turns per session }

rule enough {
  tier safety
  on   conversation
  when greetings >= 2
  then block "Enough."
}
"""
)


def test_texts_of_a_session_are_judged_in_their_order() -> None:
    given = [
        Case("1", "hello", False, session="s"),
        Case("2", "hello", False),
        Case("3", "hello", True, session="s"),
        Case("4", "hello", False, session="other"),
    ]
    guard = loads(WINDOW)
    for _ in range(2):  # what an earlier run was told has no part in this one
        made = evaluate(guard, given, at_once=8)
        assert tuple(subject(made, "small").counts[:4]) == (1, 0, 0, 3)


def test_nothing_holds_a_text(tmp_path: Path) -> None:
    marker = "quicksilver-marmalade"
    path = tmp_path / "a.jsonl"
    rows = [
        {"text": f"hello {marker} {n / 10}", "label": n % 2, "context": {"note": marker}}
        for n in range(10)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    files = CaseFiles([path])
    made = evaluate(policy(), files, files=files.files)
    assert made.texts == 10
    for shown in (repr(made), json.dumps(as_dict(made)), as_html(made)):
        assert marker not in shown
