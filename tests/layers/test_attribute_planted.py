"""Causes are planted in stacks; attribution has to name them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import pytest

from guardkit.layers import Attribution, aattribute, most_runs

from ._planted import KINDS, Planted, planted

pytestmark = pytest.mark.timeout(300)  # the first test waits for all cases
CASES = 408
REPEATS = 20


@pytest.fixture(scope="module")
def attributed() -> list[tuple[Planted, Attribution]]:
    """Every case, attributed."""
    cases = planted(CASES, seed=7)
    made: list[Attribution | None] = [None] * len(cases)

    async def one(at: int) -> None:
        case = cases[at]
        expect: Any = case.expect
        made[at] = await aattribute(
            case.deployment, case.said, expect=expect, repeats=REPEATS, other=case.other, seed=at
        )

    async def run() -> None:
        for at in range(len(cases)):
            if not cases[at].name.startswith("hanging"):
                await one(at)
        async with anyio.create_task_group() as group:  # they only wait
            for at, case in enumerate(cases):
                if case.name.startswith("hanging"):
                    group.start_soon(one, at)

    anyio.run(run)
    return [(case, found) for case, found in zip(cases, made, strict=True) if found is not None]


def misses(attributed: list[tuple[Planted, Attribution]]) -> Counter[str]:
    return Counter(
        f"{case.name}: {found.layer} by {found.by}"
        for case, found in attributed
        if found.layer not in case.layers or (case.by and found.by != case.by)
    )


def test_the_planted_layer_and_rule_are_named(
    attributed: list[tuple[Planted, Attribution]],
) -> None:
    assert len(attributed) == CASES
    wrong = misses(attributed)
    assert wrong.total() <= 0.05 * CASES, wrong


def test_no_kind_of_cause_is_missed_as_such(
    attributed: list[tuple[Planted, Attribution]],
) -> None:
    wrong = Counter(
        case.name
        for case, found in attributed
        if found.layer not in case.layers or (case.by and found.by != case.by)
    )
    for name, count in wrong.items():
        assert count <= 0.1 * CASES / len(KINDS) + 1, (name, count)


def test_redundancy_is_named(attributed: list[tuple[Planted, Attribution]]) -> None:
    right = of = 0
    for case, found in attributed:
        of += 1
        right += found.standing == case.standing and set(case.also) <= set(found.also)
    assert right >= 0.95 * of, Counter(
        f"{case.name}: {found.standing} {found.also}"
        for case, found in attributed
        if found.standing != case.standing
    )


def test_a_certainty_is_as_good_as_it_says(
    attributed: list[tuple[Planted, Attribution]],
) -> None:
    sure = [
        (found.certainty, found.layer in case.layers)
        for case, found in attributed
        if found.certainty is not None
    ]
    said = sum(certainty for certainty, _ in sure) / len(sure)
    was = sum(is_right for _, is_right in sure) / len(sure)
    assert was >= said - 0.02


def test_the_cost_is_told_and_bounded(attributed: list[tuple[Planted, Attribution]]) -> None:
    for _, found in attributed:
        assert 1 <= found.runs <= most_runs(REPEATS)
        assert found.model_calls <= found.runs


def test_no_text_of_an_exchange_is_told(attributed: list[tuple[Planted, Attribution]]) -> None:
    for case, found in attributed:
        said = f"{found.as_dict()} {found!r}"
        assert "canary" not in said
        assert "caulk" not in said
        assert case.said.question not in said
