"""The report on attributions: the finding first, figures as they were measured, and no text."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardkit._util.shares import Share
from guardkit.layers import (
    Attribution,
    Effect,
    Ending,
    Evidence,
    Group,
    Summary,
    Unread,
    attribute,
    attribution_html,
)
from guardkit.layers._html_exchange import HOW
from tests.pages._read import rows

from . import _planted as planted
from ._closed import NASTY, closed, even, pictured, told

DAY = date(2026, 11, 21)
CAUSES = (
    planted.over_eager_input,
    planted.over_eager_output,
    planted.provider_filter,
    planted.forbidding_context,
    planted.rule_and_context,
    planted.in_shadow,
    planted.yielding_weights,
    planted.raising,
)


def attributed(cause: Callable[[int, random.Random], planted.Planted]) -> Attribution:
    """A planted exchange, attributed."""
    case = cause(3, random.Random(3))
    expect: Any = case.expect
    return attribute(
        case.deployment, case.said, id=f"{cause.__name__}/1", expect=expect, other=case.other
    )


@pytest.fixture(scope="module")
def made() -> list[Attribution]:
    return [attributed(cause) for cause in CAUSES]


@pytest.fixture(scope="module")
def context(made: list[Attribution]) -> Attribution:
    return next(one for one in made if one.layer == "context" and one.standing == "named")


def named(base: Attribution, name: str) -> Attribution:
    """An attribution in which everything that has a name has this one."""
    effect = Effect(
        ("input", "output"), Share(9, 9), Share(1, 9), 0.8, 0.3, 0.97, 0.99, True, False, 2,
        (Ending("provider", name, 3), Ending(None, name, 5)),
    )  # fmt: skip
    return replace(
        base,
        id=name,
        by=name,
        notes=(name, name),
        also=("output", "weights"),
        odds=(("context", 0.997), ("weights", 0.003)),
        effects=(effect, replace(effect, without=("context",)), replace(effect, is_exact=True)),
        evidence=tuple(Evidence("output", name, how, 3, 9, 1, name) for how in HOW),
    )


# --- one exchange


def test_the_finding_stands_first(context: Attribution) -> None:
    html = attribution_html([context], DAY, policy="support.guard")
    page = closed(html)
    said = told(page)
    assert "<h1>Refused by the context</h1>" in html
    assert "An answer was expected: this is an over-refusal." in said
    head, _, rest = context.sentence.partition(": ")
    assert head.capitalize() in said
    assert f"{rest[:1].upper()}{rest[1:]}" in said
    assert said.index(rest[1:]) < said.index("How often it is refused")


def test_the_stack_has_the_shares_that_were_measured(context: Attribution) -> None:
    table = rows(attribution_html([context]))
    whole = next(row for row in table if row[0] == "everything in place")
    assert whole[1].startswith(f"{context.intact.hits} of {context.intact.of}")
    effect = context.effect("context")
    assert effect is not None
    row = next(row for row in table if row[0].startswith("context"))
    assert row[0].startswith("context refused")
    assert row[1].startswith(f"{effect.left.hits} of {effect.left.of}")
    assert row[2].startswith(f"+{100 * effect.difference:.1f}")
    assert f"{100 * effect.low:.1f}" in row[2]
    layers = ["everything in place", "input check", "context", "weights", "output check"]
    for row, layer in zip(table[1:6], layers, strict=True):
        assert row[0].startswith(layer)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
def test_every_kind_of_cause_makes_a_page(
    cause: Callable[[int, random.Random], planted.Planted], made: list[Attribution]
) -> None:
    one = made[CAUSES.index(cause)]
    html = attribution_html([one], DAY, policy="p", repeats=20, seed=0)
    page = closed(html)
    even(html)
    if any(effect.left.of for effect in one.effects):
        pictured(page)
    said = told(page)
    assert f"judged as: {one.judgement}" in said
    if one.by.startswith("rule "):
        assert one.by in said
    for layer in one.also:
        assert any(row[0].startswith(layer) and "would have too" in row[0] for row in rows(html))
    for text in (planted.REFUSES, planted.ANSWERS, "dinghy", "plover", "which bird"):
        assert text not in html


def test_layers_taken_away_together_have_a_table(made: list[Attribution]) -> None:
    one = made[CAUSES.index(planted.rule_and_context)]
    both = one.effect("input", "context")
    assert both is not None
    part = attribution_html([one]).split("Layers taken away together</h2>")[1]
    row = rows(part)[1]
    assert row[0] == "input check and context"
    assert row[1].startswith(f"{both.left.hits} of {both.left.of}")


def test_what_is_certain_has_no_interval(context: Attribution) -> None:
    idle = context.effects[0]
    assert (idle.did_nothing, idle.is_exact) == (True, False)
    row = rows(attribution_html([replace(context, effects=(idle,))]))[2]
    assert "did nothing" in row[1]
    assert " to " in row[2]
    effect = replace(idle, is_exact=True)
    row = rows(attribution_html([replace(context, effects=(effect,))]))[2]
    assert "certain" in row[1]
    assert " to " not in row[2]


def test_a_probability_is_never_rounded_to_all(context: Attribution) -> None:
    said = told(closed(attribution_html([replace(context, certainty=0.9999)])))
    assert "> 99 % probable" in said
    assert "100 % probable" in told(closed(attribution_html([replace(context, certainty=1.0)])))


# --- many


def test_many_are_counted_by_layer_and_rule(made: list[Attribution]) -> None:
    html = attribution_html(made, DAY, policy="support.guard", files=("week.jsonl",))
    said = told(closed(html))
    even(html)
    over = sum(one.judgement == "over-refusal" for one in made)
    wrong = sum(one.judgement == "wrong answer" for one in made)
    assert over > 1 < wrong
    assert f"{over} over-refusals and {wrong} wrong answers among {len(made)} exchanges" in said
    assert "of week.jsonl" in said
    row = next(cells for cells in rows(html) if cells[0] == "context")
    count = sum(one.judgement == "over-refusal" and one.layer == "context" for one in made)
    assert row[1] == f"{count} of {over}"
    for one in made:
        assert one.id.replace("/", "/<wbr>").replace("_", "_<wbr>") in html
        if one.is_finding:
            assert one.sentence in said


def test_what_is_not_settled_stands_apart(made: list[Attribution]) -> None:
    open = [replace(one, standing="undetermined", id=f"open/{n}") for n, one in enumerate(made[:2])]
    html = attribution_html([*made, *open])
    part = html.split("<h2>Not settled</h2>")[1].split("<h2>")[0]
    assert [row[0].replace("\u200b", "") for row in rows(part)[1:]] == ["open/0", "open/1"]
    assert "<h2>Could not be judged</h2>" in html
    row = next(cells for cells in rows(html) if cells[0] == "not settled")
    assert row[1].startswith("2 of ")


def test_rows_that_are_no_exchange_are_told(made: list[Attribution]) -> None:
    bad = [Unread("cases.jsonl:7", "it is not JSON")]
    html = attribution_html(made[:1], summary=Summary.of(made[:1], bad))
    said = told(closed(html))
    assert "cases.jsonl:7it is not JSON" in said.replace(" it is", "it is")
    assert "1 row could not be read" in said
    assert "1 exchange could not be judged" not in said
    many = Summary.of(made[:1], bad * 50)
    assert (many.rows_unread, len(many.unread), many.unjudged) == (50, 20, 0)
    assert "30 more" in told(closed(attribution_html(made[:1], summary=many)))


def test_counts_are_of_all_where_only_some_are_given(made: list[Attribution]) -> None:
    said = told(closed(attribution_html(made[:2], summary=Summary.of(made * 3))))
    assert f"2 of {3 * len(made)} exchanges stand here one by one" in said


def test_nothing_at_all_makes_a_page() -> None:
    assert "0 exchanges" in told(closed(attribution_html([])))


# --- whatever comes


@pytest.mark.parametrize("name", NASTY, ids=lambda name: f"{len(name)}-{name[:6]!a}")
def test_a_hostile_name_is_only_a_name(name: str, context: Attribution) -> None:
    one = named(context, name)
    page = attribution_html([one], DAY, policy=name, files=(name,))
    closed(page)
    even(page)
    summary = Summary.of([one, one], [Unread(name, name)])
    closed(attribution_html([one, one], DAY, summary=summary, policy=name, files=(name,)))


@given(name=st.text(max_size=150))
@settings(max_examples=40, deadline=None)
def test_any_text_is_only_a_name(context: Attribution, name: str) -> None:
    one = named(context, name)
    closed(attribution_html([one], DAY, policy=name))
    closed(attribution_html([one] * 2, DAY, policy=name))


@pytest.mark.parametrize("name", ["some length " * 9, "\u202e" * 99], ids=["long", "wide"])
def test_it_is_small_however_many_there_are(name: str, context: Attribution) -> None:
    many = [named(context, f"{n} {name}") for n in range(2_000)]
    html = attribution_html(many, DAY, policy=name)
    closed(html)
    assert "are left out here" in html
    assert "Which layer made them so" in html


def test_every_kind_of_group_has_a_row() -> None:
    groups = tuple(
        Group(layer, "rule x", judgement, standing, 2)
        for layer in ("input", "model", None)
        for judgement in ("over-refusal", "wrong answer", "correct refusal", "answered", "fault")
        for standing in ("named", "undetermined", "none")
    )
    counts = Summary(2 * len(groups), groups, 0, 3, (), 9, 9)
    html = attribution_html([], summary=counts)
    closed(html)
    even(html)
    names = [row[0] for row in rows(html)[1:5]]
    assert names == ["input check", "model", "not settled", "no layer"]
