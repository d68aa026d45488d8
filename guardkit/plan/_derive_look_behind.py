"""How much of a stream a rule has to see before any of it may go out."""

from __future__ import annotations

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
    matched: the map of the view stretches them to the original. Rules in shadow hold nothing back.
    """
    reach: list[int] = []
    width: list[int] = []
    payloads: dict[int, What] = {}
    shadows = {row.name for row in plan.rules if row.mode != "enforce"}
    silent: set[int] = set()  # rules that hold nothing back, since they stop nothing
    for node in plan.nodes:
        what = node.what
        if isinstance(what, Check):
            unbounded = what.reach == "match" and what.width == UNBOUNDED
            reach.append(_RANK["whole" if unbounded else what.reach])
            width.append(max(what.width, 0))
            continue
        read = [i for i in node.inputs if i not in silent] if silent else node.inputs
        reach.append(max([reach[i] for i in read], default=0))
        width.append(max([width[i] for i in read], default=0))
        if isinstance(what, Rule):
            if what.name in shadows:
                silent.add(node.id)
            payloads[node.id] = Rule(what.name, what.tools, _ORDER[reach[-1]], width[-1])
        elif isinstance(what, Join):
            payloads[node.id] = Join(_ORDER[reach[-1]], width[-1])
    return with_payloads(plan, payloads)
