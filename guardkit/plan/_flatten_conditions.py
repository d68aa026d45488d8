"""One shape for equal conditions: nothing nested in its like, no double `not`, no constants."""

from __future__ import annotations

from dataclasses import replace

from ._graph import renumber
from ._nodes import And, AtLeast, Node, Not, Or, What
from ._plan import Plan, Root

_YES, _NO = And(), Or()
"""Without inputs, `and` is yes and `or` is no."""


def flatten_conditions(plan: Plan) -> Plan:
    """Every rewriting here holds for three truth values, unknown included."""
    nodes: list[Node] = []
    place: list[int] = []  # what each old node became
    for node in plan.nodes:
        inputs = tuple([place[i] for i in node.inputs])
        what = node.what
        if isinstance(what, And | Or):
            inputs, what = _flat(nodes, inputs, what)
        elif isinstance(what, AtLeast):
            inputs, what = _quorum(nodes, inputs, what)
        elif isinstance(what, Not):
            inner = nodes[inputs[0]]
            if isinstance(inner.what, Not):
                place.append(inner.inputs[0])
                continue
            if not inner.inputs and isinstance(inner.what, And | Or):
                inputs, what = (), _NO if isinstance(inner.what, And) else _YES
        if len(inputs) == 1 and isinstance(what, And | Or):
            place.append(inputs[0])
            continue
        place.append(len(nodes))
        nodes.append(Node(len(nodes), node.surface, inputs, what))
    return renumber(plan, nodes, [_moved(root, place) for root in plan.roots])


def _moved(root: Root, place: list[int]) -> Root:
    return replace(root, node=place[root.node])


_Shape = tuple[tuple[int, ...], What]


def _flat(nodes: list[Node], inputs: tuple[int, ...], what: And | Or) -> _Shape:
    same, other = (And, Or) if isinstance(what, And) else (Or, And)
    flat: list[int] = []
    for i in inputs:
        member = nodes[i]
        if isinstance(member.what, other) and not member.inputs:
            return (), other()  # one no decides an `and`, one yes an `or`
        if isinstance(member.what, same):
            flat.extend(member.inputs)
        else:
            flat.append(i)
    return tuple(flat), what


def _quorum(nodes: list[Node], inputs: tuple[int, ...], what: AtLeast) -> _Shape:
    count = what.count
    kept: list[int] = []
    for i in inputs:
        member = nodes[i]
        if member.inputs or not isinstance(member.what, And | Or):
            kept.append(i)
        elif isinstance(member.what, And):
            count -= 1
    if count <= 0:
        return (), _YES
    if count > len(kept):
        return (), _NO
    if count == 1:
        return _flat(nodes, tuple(kept), _NO)
    if count == len(kept):
        return _flat(nodes, tuple(kept), _YES)
    return tuple(kept), AtLeast(count)
