"""From plain JSON data to a plan: every key, type and edge of the graph is checked."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from guardkit.types import Surface

from ._nodes import CONDITIONS, MAX_DEPTH, PAYLOADS, Check, Node, Op, Rule, What, Window
from ._plan import Plan

_Reader = Callable[[Any, str], Any]  # Any: JSON going in, a value of the hinted type coming out
_KINDS: dict[str, type[What]] = {kind.op: kind for kind in PAYLOADS}
_PLAIN_SCALARS = {str, int, float, bool}
_HEAD = ("id", "in", "op", "surface")
LEFT_OUT = frozenset({"share"})
"""Fields of rows that are written only where they differ from what is usual."""
_READS: dict[Op, tuple[int, int | None, frozenset[Op]]] = {
    "view": (0, 0, frozenset()),
    "scan": (1, 1, frozenset({"view"})),
    "pass": (1, 1, frozenset({"view"})),
    "check": (1, 1, frozenset({"view", "scan", "pass"})),
    "compare": (1, 1, frozenset({"check", "window"})),
    "field": (0, 0, frozenset()),
    "window": (0, 0, frozenset()),
    "sequence": (0, 1, CONDITIONS),
    "and": (0, None, CONDITIONS),
    "or": (0, None, CONDITIONS),
    "not": (1, 1, CONDITIONS),
    "at_least": (1, None, CONDITIONS),
    "rule": (1, 1, CONDITIONS),
    "join": (1, None, frozenset({"rule"})),
}
"""Per operation: fewest inputs, most inputs, what they may be."""


class ReadError(ValueError):
    """The data is no plan; the message says where and why."""


def read_plan(data: dict[str, Any]) -> Plan:
    """A plan from the object of a file; raises `ReadError`."""
    plan = _reader(Plan)(data, "plan")
    assert isinstance(plan, Plan)
    _graph(plan)
    return plan


# --- values, by type


def _fail(where: str, wants: str) -> NoReturn:
    raise ReadError(f"`{where}` is not {wants}")


@cache
def _reader(hint: Any) -> _Reader:  # Any: a type as `get_type_hints` gives it
    if hint is Node:
        return _node
    if hint is type(None):
        return _none
    if hint in (str, int, float, bool):
        return _scalar(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return _object(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _choice(args)
    if origin is tuple:
        return _many(_reader(args[0])) if args[-1] is Ellipsis else _fixed(args)
    if origin in (Union, types.UnionType):
        if type(None) in args and len(args) == 2:
            return _optional(next(arg for arg in args if arg is not type(None)))
        if set(args) >= _PLAIN_SCALARS:  # `Plain`, which names itself
            return _plain
    raise TypeError(f"no reader for {hint}")


def _scalar(kind: type) -> _Reader:
    wants = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}[kind]

    def read(value: Any, where: str) -> Any:
        if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
            _fail(where, wants)
        return value

    return read


def _none(value: Any, where: str) -> None:
    if value is not None:
        _fail(where, "null")


def _choice(choices: tuple[Any, ...]) -> _Reader:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, str) or value not in choices:
            _fail(where, "one of " + ", ".join(str(choice) for choice in choices))
        return value

    return read


def _many(item: _Reader) -> _Reader:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, list):
            _fail(where, "a list")
        return tuple([item(entry, f"{where}[{i}]") for i, entry in enumerate(value)])

    return read


def _fixed(args: tuple[Any, ...]) -> _Reader:
    readers = [_reader(arg) for arg in args]

    def read(value: Any, where: str) -> Any:
        if not isinstance(value, list) or len(value) != len(readers):
            _fail(where, f"a list of {len(readers)}")
        return tuple([r(v, where) for r, v in zip(readers, value, strict=True)])

    return read


def _optional(hint: Any) -> _Reader:
    # A dataclass may hold an optional one of itself, so its reader is looked up when needed.
    def read(value: Any, where: str) -> Any:
        return None if value is None else _reader(hint)(value, where)

    return read


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, list):
        return tuple([_plain(entry, where) for entry in value])
    return _fail(where, "plain data")


def _object(kind: type) -> _Reader:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    readers = {name: _reader(hints[name]) for name in names}
    known = set(names)
    needed = known - LEFT_OUT
    usual = {field.name: field.default for field in fields(kind) if field.name in LEFT_OUT}

    def read(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            _fail(where, "an object")
        _same_keys(value, needed, known, where)
        for name, default in usual.items():
            if value.get(name) == default:
                _fail(f"{where}.{name}", "left out, as what is usual has to be")
        given = names if len(value) == len(names) else [name for name in names if name in value]
        return kind(**{name: readers[name](value[name], f"{where}.{name}") for name in given})

    return read


def _same_keys(found: Any, needed: Any, known: Any, where: str) -> None:
    missing = sorted(set(needed) - set(found))
    if missing:
        raise ReadError(f"`{where}` lacks `{missing[0]}`")
    extra = sorted(set(found) - set(known))
    if extra:
        raise ReadError(f"`{where}` has an unknown key `{extra[0]:.40}`")


@cache
def _payload_readers(op: str) -> tuple[dict[str, _Reader], frozenset[str]]:
    """Readers of a payload's fields, and the names that must be there."""
    kind = _KINDS[op]
    hints = get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in fields(kind)}
    needed = frozenset(field.name for field in fields(kind) if field.default is MISSING)
    return readers, needed


def _node(value: Any, where: str) -> Node:
    if not isinstance(value, dict) or not all(name in value for name in _HEAD):
        _fail(where, "a node with `id`, `in`, `op` and `surface`")
    op = value["op"]
    if not isinstance(op, str) or op not in _KINDS:
        _fail(f"{where}.op", "a known operation")
    readers, needed = _payload_readers(op)
    given = value.keys() - set(_HEAD)
    _same_keys(given, needed, readers, where)
    payload = _KINDS[op](**{name: readers[name](value[name], f"{where}.{name}") for name in given})
    return Node(
        _reader(int)(value["id"], f"{where}.id"),
        _reader(Surface)(value["surface"], f"{where}.surface"),
        _reader(tuple[int, ...])(value["in"], f"{where}.in"),
        payload,
    )


# --- the graph


def _graph(plan: Plan) -> None:
    """What types cannot say: order, edges, names."""
    rules = {row.name for row in plan.rules}
    checks = {row.name: row for row in plan.checks}
    _shares(plan)
    windows = {row.name for row in plan.windows}
    depth: list[int] = []
    surfaces: list[str] = []
    for at, node in enumerate(plan.nodes):
        where = f"nodes[{at}]"
        if node.id != at:
            _fail(f"{where}.id", str(at))
        if not surfaces or surfaces[-1] != node.surface:
            if node.surface in surfaces:
                _fail(f"{where}.surface", "beside the other nodes of its surface")
            surfaces.append(node.surface)
        fewest, most, kinds = _READS[node.op]
        if len(node.inputs) < fewest or (most is not None and len(node.inputs) > most):
            _fail(f"{where}.in", f"as long as `{node.op}` needs")
        for i in node.inputs:
            if not 0 <= i < at:
                _fail(f"{where}.in", "a list of earlier nodes")
            if plan.nodes[i].op not in kinds or plan.nodes[i].surface != node.surface:
                _fail(f"{where}.in", f"what `{node.op}` reads")
        depth.append(1 + max((depth[i] for i in node.inputs), default=0))
        if depth[-1] > MAX_DEPTH:
            raise ReadError(f"the graph is more than {MAX_DEPTH} deep")
        _names(node, where, rules, checks, windows)
    _roots(plan)


def _shares(plan: Plan) -> None:
    for at, row in enumerate(plan.rules):
        if not (row.share == 100 or (0 < row.share < 100 and row.mode == "enforce")):
            _fail(f"rules[{at}].share", "a percentage of a rule in force")


def _names(
    node: Node, where: str, rules: set[str], checks: dict[str, Any], windows: set[str]
) -> None:
    what = node.what
    if isinstance(what, Rule) and what.name not in rules:
        _fail(f"{where}.name", "a rule of this plan")
    if isinstance(what, Window) and what.name not in windows:
        _fail(f"{where}.name", "a window of this plan")
    if isinstance(what, Check):
        rows = [checks.get(name) for name in what.names]
        if not rows or any(row is None or row.answers != what.answers for row in rows):
            _fail(f"{where}.names", "checks of this plan")


def _roots(plan: Plan) -> None:
    joined: set[str] = set()
    for at, root in enumerate(plan.roots):
        where = f"roots[{at}]"
        if not 0 <= root.node < len(plan.nodes) or plan.nodes[root.node].surface != root.surface:
            _fail(f"{where}.node", "a node of its surface")
        op = plan.nodes[root.node].op
        if (op == "join") != (root.role == "join") or op not in CONDITIONS | {"join"}:
            _fail(f"{where}.node", f"a `{root.role}`")
        if root.role == "join" and root.surface in joined:
            _fail(where, "the only join of its surface")
        if root.role == "join":
            joined.add(root.surface)
