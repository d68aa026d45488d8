"""Every pattern, word list and recogniser of a surface goes into one scan per set of views."""

from __future__ import annotations

from ._graph import redirect
from ._nodes import Node, Scan
from ._plan import Plan


def group_patterns(plan: Plan) -> Plan:
    """One scan node per surface and views. A shared scan costs what its dearest part costs."""
    first: dict[tuple[str, tuple[str, ...]], int] = {}
    nodes = list(plan.nodes)
    place = list(range(len(nodes)))
    for node in plan.nodes:
        what = node.what
        if isinstance(what, Scan):
            known = first.setdefault((node.surface, what.views), node.id)
            place[node.id] = known
            shared = nodes[known].what
            assert isinstance(shared, Scan)
            joined = Scan(
                what.views,
                max(shared.fixed_us, what.fixed_us),
                max(shared.per_kb_us, what.per_kb_us),
            )
            if joined != shared:
                nodes[known] = Node(known, node.surface, nodes[known].inputs, joined)
    return redirect(plan, nodes, place)
