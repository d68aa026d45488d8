"""What each pass does to a graph, as goldens, and that none of them changes a truth."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import cache

import pytest

from guardkit.plan import PASSES, Plan, draw, dump, lower_naively, to_json

from ._policies import CATALOG, plan, policy

NAMES = ("shop", "agent")
SHOWN = {run.__name__: run for run in PASSES}


@cache
def before_and_after(name: str, run: str) -> tuple[Plan, Plan]:
    """The plan a pass is given, and what it makes of it."""
    current = lower_naively(policy(name), CATALOG)
    for step in PASSES:
        made = step(current)
        if step.__name__ == run:
            return current, made
        current = made
    raise KeyError(run)


def shown(value: Plan) -> str:
    costs = [f"{cost}\n" for cost in (*value.costs.nodes, *value.costs.surfaces)]
    return dump(value) + "".join(costs)


@pytest.mark.parametrize("name", NAMES)
def test_the_naive_graph(golden: Callable[[str, str], None], name: str) -> None:
    golden(f"plan/lower/{name}.txt", dump(lower_naively(policy(name), CATALOG)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("run", SHOWN)
def test_each_pass(golden: Callable[[str, str], None], run: str, name: str) -> None:
    before, after = before_and_after(name, run)
    changed = difflib.unified_diff(
        shown(before).splitlines(), shown(after).splitlines(), "before", "after", lineterm="", n=1
    )
    golden(f"plan/{run}/{name}.txt", "\n".join([*changed, "", shown(after)]))


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_as_json(golden: Callable[[str, str], None], name: str) -> None:
    golden(f"plan/save/{name}.json", to_json(plan(name)))


@pytest.mark.parametrize("format", ["text", "mermaid", "dot", "svg"])
@pytest.mark.parametrize("name", NAMES)
def test_the_drawings(golden: Callable[[str, str], None], name: str, format: str) -> None:
    golden(f"plan/draw/{name}.{format}", draw(plan(name), format))  # type: ignore[arg-type]


def test_a_pass_its_file_and_its_goldens_share_a_name() -> None:
    for run in PASSES:
        assert run.__module__ == f"guardkit.plan._{run.__name__}"


@pytest.mark.parametrize("run", SHOWN)
def test_a_pass_run_twice_changes_nothing_more(run: str) -> None:
    _, after = before_and_after("shop", run)
    assert shown(SHOWN[run](after)) == shown(after)
