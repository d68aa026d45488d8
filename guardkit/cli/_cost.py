"""`guardkit cost`: what a policy costs, against its budgets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardkit.plan import CHUNK_KB, Plan, SurfaceCost, cost_table, costs_of

from ._compiled import planned_file
from ._exits import CLEAN, FINDINGS, WRONG
from ._policies import OVERLAY, PACKS, PARAM, STD, Params
from ._screen import screen
from ._verbs import verb

if TYPE_CHECKING:
    from guardkit.packs import Installed


@verb("cost")
@click.argument("file", metavar="FILE")
@click.option(
    "--size",
    type=click.FloatRange(0.001, 1024),
    default=1.0,
    show_default=True,
    metavar="KB",
    help="The size of the text that is judged.",
)
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON, in microseconds.")
@PARAM
@PACKS
@OVERLAY
@STD
def command(
    file: str,
    size: float,
    as_json: bool,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    std: Path | None,
) -> int:
    """Show what a policy costs at worst and usually, against its budgets.

    These are the compiler's estimates from the cost model of each check, not measurements of this
    machine.

    Exits with 1 when the worst case of a surface is over its budget.
    """
    show = screen()
    plan = planned_file(show, file, dict(params), std, packs, overlay)
    if plan is None:
        return WRONG
    costs = costs_of(plan, size)
    surfaces = [_surface(plan, surface, size) for surface in costs.surfaces]
    if as_json:
        figures = {"policy": plan.policy, "digest": plan.digest, "kilobytes": size}
        show.out.write(json.dumps({**figures, "surfaces": surfaces}, indent=2) + "\n")
    else:
        show.out.write(cost_table(plan, size, show.out.width))
    over = [str(s["surface"]) for s in surfaces if s["is_over"]]
    if over:
        show.say(show.err.paint(f"over budget: {', '.join(over)}", "bad"))
    return FINDINGS if over else CLEAN


def _surface(plan: Plan, cost: SurfaceCost, size: float) -> dict[str, object]:
    budget = plan.limits.budget(cost.surface)
    judged = cost
    if budget is not None and budget.per_chunk:
        # A stream is judged a chunk at a time, and so is its budget.
        judged = costs_of(plan, min(CHUNK_KB, size)).surface(cost.surface) or cost
    return {
        "surface": cost.surface,
        "worst_us": round(cost.worst_us, 3),
        "expected_us": round(cost.expected_us, 3),
        "budget_us": None if budget is None else budget.ms * 1000,
        "per_chunk": budget is not None and budget.per_chunk,
        "judged_us": round(judged.worst_us, 3),
        "is_over": budget is not None and judged.worst_us > budget.ms * 1000,
        "rule": cost.rule,
        "path": [{"name": step.name, "us": round(step.us, 3)} for step in cost.path],
    }
