"""One shape for equal conditions: nothing nested in its like, no double `not`, no constants."""

from __future__ import annotations

from ._graph import with_nodes
from ._nodes import And, AtLeast, Node, Not, Or, What
from ._plan import Plan

_YES, _NO = And(), Or()
"""Without inputs, `and` is yes and `or` is no."""

_SHAPED = frozenset({"and", "or", "not", "at_least"})
_Shape = tuple[tuple[int, ...], What]


def flatten_conditions(plan: Plan) -> Plan:
    """Every rewriting here holds for three truth values, unknown included."""
    nodes: list[Node] = []
    place: list[int] = []  # what each old node became
    for node in plan.nodes:
        inputs = tuple([place[i] for i in node.inputs])
        what = node.what
        if what.op in _SHAPED:
            inputs, what = _shape(nodes, inputs, what)
            if len(inputs) == 1 and isinstance(what, And | Or):
                place.append(inputs[0])  # one member alone is the condition
                continue
        place.append(len(nodes))
        if node.id == len(nodes) and what is node.what and inputs == node.inputs:
            nodes.append(node)
        else:
            nodes.append(Node(len(nodes), node.surface, inputs, what))
    return with_nodes(plan, nodes, place)


def _shape(nodes: list[Node], inputs: tuple[int, ...], what: What) -> _Shape:
    """The same condition in its one shape; a condition that is another's is an `and` of it."""
    match what:
        case And() | Or():
            return _flat(nodes, inputs, what)
        case AtLeast():
            return _quorum(nodes, inputs, what)
    inner = nodes[inputs[0]]
    if isinstance(inner.what, Not):
        return inner.inputs, _YES
    if not inner.inputs and isinstance(inner.what, And | Or):
        return (), _NO if isinstance(inner.what, And) else _YES
    return inputs, what


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
    return tuple(kept), what if count == what.count else AtLeast(count)
