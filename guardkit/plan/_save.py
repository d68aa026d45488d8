"""A plan as JSON, there and back, and the digest that names what a plan does."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import fields
from functools import cache
from typing import Any, NoReturn

from guardkit.diagnostics import Place, Source, Span, diagnose
from guardkit.errors import PolicyError

from ._nodes import Node
from ._plan import Plan
from ._read import LEFT_OUT, ReadError, read_plan

FORMAT = 1
"""Goes up when an older reader would misread a newer file."""

MAX_CHARS = 64_000_000

_MARK = "guardkit_plan"
_TABLES = tuple(field.name for field in fields(Plan) if field.name != "digest")
_PRICES = frozenset({"fixed_us", "per_kb_us", "timeout_us", "yes_rate"})
_NO_VERDICT = frozenset({"title", "owner", "version", "prose", "params", "costs"})
"""What a plan says about itself, and what it is thought to cost: no verdict depends on these."""


class PlanError(PolicyError):
    """A saved plan cannot be used. Carries one diagnostic, GK307."""


def to_json(plan: Plan) -> str:
    """The plan as JSON text: one row a line, keys sorted, equal for equal plans."""
    parts = [f'{{\n"{_MARK}": {FORMAT},\n"digest": {_line(plan.digest)}']
    for name in _TABLES:
        value = _plain(getattr(plan, name))
        if isinstance(value, list) and value:
            rows = ",\n ".join(_line(row) for row in value)
            parts.append(f'"{name}": [\n {rows}\n]')
        else:
            parts.append(f'"{name}": {_line(value)}')
    return ",\n".join(parts) + "\n}\n"


def from_json(text: str, path: str = "plan.json") -> Plan:
    """Read what `to_json` wrote.

    Args:
        text: The file.
        path: What to call it in a diagnostic.

    Raises:
        PlanError: Another format, a missing or unknown key, a value of the wrong type, a graph
            that is none, or a digest that does not fit.
    """
    source = Source(path, text)

    def refuse(message: str, help: str = "") -> NoReturn:
        end = len(text.split("\n", 1)[0][:80])
        place = Place(source, Span(0, end))
        raise PlanError([diagnose("bad-plan", place, message, help=help)])

    if len(text) > MAX_CHARS:
        refuse(f"the plan has {len(text):,} characters; a plan may have {MAX_CHARS:,}")
    try:
        data = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except ReadError as error:
        refuse(str(error))
    except (ValueError, RecursionError) as error:
        reason = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "see below"
        refuse(f"the plan is not JSON ({reason})")
    if not isinstance(data, dict) or _MARK not in data:
        refuse("this is not a saved plan", f"a plan begins with `{_MARK}`")
    found = data.pop(_MARK)
    if type(found) is not int or found != FORMAT:
        refuse(
            f"the plan has format {found!r:.40}, this version reads {FORMAT}",
            "compile the policy again with this version",
        )
    try:
        plan = read_plan(data)
    except ReadError as error:
        refuse(f"the plan is damaged: {error}")
    if plan.digest != digest_of(plan):
        refuse(
            "the plan's digest does not fit its content",
            "it was changed after it was compiled: compile the policy again",
        )
    return plan


def digest_of(plan: Plan) -> str:
    """`sha256:…` over everything a verdict depends on: no titles, no prices, no estimates."""
    hashed = hashlib.sha256(f"{FORMAT}\n".encode())
    for name in _TABLES:
        if name in _NO_VERDICT:
            continue
        value = getattr(plan, name)
        plain = [_node(node, _PRICES) for node in value] if name == "nodes" else _plain(value)
        hashed.update(f"{name} {_dense(plain)}\n".encode())
    return f"sha256:{hashed.hexdigest()}"


# --- plain data

_SCALARS = frozenset({str, int, float, bool, type(None)})
_UNSEEN = re.compile(r"[^\x20-\x7e]")


def _line(value: Any) -> str:  # Any: whatever JSON can hold
    """One line of JSON in which every character can be seen."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return text if text.isprintable() else _UNSEEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _dense(value: Any) -> str:  # Any: as above
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))


@cache
def _field_names(kind: type) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.default) for field in fields(kind))


def _plain(value: Any) -> Any:  # Any: a plan's values are dataclasses, tuples and scalars
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is tuple:
        return [_plain(item) for item in value]
    if kind is Node:
        return _node(value, frozenset())
    names = _field_names(kind)  # type: ignore[arg-type]  # a class is hashable
    return {
        name: _plain(getattr(value, name))
        for name, default in names
        if name not in LEFT_OUT or getattr(value, name) != default
    }


def _node(node: Node, without: frozenset[str]) -> dict[str, Any]:
    """A node with its payload in one object; what equals its default is left out.

    Tuples stay tuples: payloads hold only texts and plain data, which JSON writes as lists.
    """
    what = node.what
    shown: dict[str, Any] = {
        "id": node.id,
        "in": node.inputs,
        "op": what.op,
        "surface": node.surface,
    }
    kind: Any = type(what)  # Any: a union of classes does not count as hashable
    for name, default in _field_names(kind):
        value = getattr(what, name)
        if name not in without and value != default:
            shown[name] = value
    return shown


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ReadError("a key stands twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ReadError(f"`{name}` is no number here")
