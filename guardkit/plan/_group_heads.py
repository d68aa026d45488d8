"""Every head and similarity check of one encoder reads one pass over the text of a surface."""

from __future__ import annotations

from ._graph import redirect
from ._nodes import Node, Pass, View
from ._plan import Plan


def group_heads(plan: Plan) -> Plan:
    """One pass node per surface, views and encoder. It costs what its dearest user needs."""
    first: dict[tuple[str, str, tuple[str, ...]], int] = {}
    nodes = list(plan.nodes)
    place = list(range(len(nodes)))
    for node in plan.nodes:
        what = node.what
        if isinstance(what, Pass):
            view = nodes[node.inputs[0]].what
            assert isinstance(view, View)
            known = first.setdefault((node.surface, what.encoder, view.views), node.id)
            place[node.id] = known
            shared = nodes[known].what
            assert isinstance(shared, Pass)
            joined = Pass(
                what.encoder,
                max(shared.fixed_us, what.fixed_us),
                max(shared.per_kb_us, what.per_kb_us),
            )
            if joined != shared:
                nodes[known] = Node(known, node.surface, nodes[known].inputs, joined)
    return redirect(plan, nodes, place)
