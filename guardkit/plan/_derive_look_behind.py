"""How much of a stream a rule has to see before any of it may go out."""

from __future__ import annotations

from dataclasses import replace

from guardkit.catalog import Reach

from ._graph import with_payloads
from ._nodes import UNBOUNDED, Check, Join, Rule, What
from ._plan import Plan

_ORDER: tuple[Reach, ...] = ("match", "window", "whole")
_RANK = {reach: rank for rank, reach in enumerate(_ORDER)}


def derive_look_behind(plan: Plan) -> Plan:
    """Give every rule and join its reach, and its longest match in code points.

    `whole` wins over `window`, `window` over `match`; a match that no length bounds needs the
    whole. `look_behind` counts the matches beside a window too. Widths are those of the view that
    matched: the map of the view stretches them to the original.
    """
    reach: list[int] = []
    width: list[int] = []
    payloads: dict[int, What] = {}
    for node in plan.nodes:
        what = node.what
        if isinstance(what, Check):
            unbounded = what.reach == "match" and what.width == UNBOUNDED
            reach.append(_RANK["whole" if unbounded else what.reach])
            width.append(max(what.width, 0))
            continue
        reach.append(max((reach[i] for i in node.inputs), default=0))
        width.append(max((width[i] for i in node.inputs), default=0))
        if isinstance(what, Rule | Join):
            payloads[node.id] = replace(what, reach=_ORDER[reach[-1]], look_behind=width[-1])
    return with_payloads(plan, payloads)
