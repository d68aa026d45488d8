"""Tool listings: MCP's, a bare list, or function-calling objects, read into types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from guardkit.diagnostics import did_you_mean
from guardkit.syntax import ast

from ._checks import read_file
from ._policy import Tool
from ._scope import Scope

MAX_DEPTH = 8
_SHAPE = 'expected `{"tools": [{"name": …, "inputSchema": …}]}` or a list of such objects'


def read_tools(scope: Scope, node: ast.UseTools) -> dict[str, Tool] | None:
    """The tools of a listing by name; None and a diagnostic where it cannot be used."""
    data = read_file(scope, node.path, "the tool listing")
    if data is None:
        return None
    try:
        listing = json.loads(data.content.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line})" if line else ""
        scope.error(
            "bad-tools-file", node.path, f"the tool listing is not JSON{where}", help=_SHAPE
        )
        return None
    entries = listing.get("tools") if isinstance(listing, dict) else listing
    if not isinstance(entries, list):
        scope.error(
            "bad-tools-file",
            node.path,
            "the tool listing holds no list of tools",
            help=_SHAPE,
        )
        return None
    found: dict[str, Tool] = {}
    for number, entry in enumerate(entries, 1):
        tool = _tool(entry)
        if tool is None:
            scope.error(
                "bad-tools-file",
                node.path,
                f"tool {number} of the listing has no name",
                help=_SHAPE,
            )
            return None
        if tool.name in found:
            scope.error(
                "bad-tools-file",
                node.path,
                f"the listing names `{tool.name}` twice",
                help="a rule could not tell the two apart: rename or remove one",
            )
            return None
        found[tool.name] = tool
    if not found:
        scope.error("bad-tools-file", node.path, "the tool listing is empty", help=_SHAPE)
        return None
    return found


def _tool(entry: Any) -> Tool | None:
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("function"), dict):
        entry = entry["function"]
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        return None
    schema: Any = next(
        (entry[k] for k in ("inputSchema", "input_schema", "parameters") if k in entry), {}
    )
    return Tool(name, tuple(sorted(_arguments(schema, (), 0))))


def _arguments(
    schema: Any, path: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every argument of a JSON Schema object with its dotted path and its type."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or depth == MAX_DEPTH:
        return
    for name, inner in properties.items():
        here = (*path, str(name))
        yield here, _type(inner)
        yield from _arguments(inner, here, depth + 1)


def _type(schema: Any) -> str:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(kind, list):
        kinds = [k for k in kind if k != "null"]
        kind = kinds[0] if len(kinds) == 1 else None
    if kind == "array":
        return "texts" if _type(schema.get("items")) == "text" else "any"
    return {"string": "text", "number": "number", "integer": "number", "boolean": "boolean"}.get(
        str(kind), "any"
    )


def find_tool(scope: Scope, ref: ast.Ref) -> str | None:
    """The listed tool a name such as `tool.mail.send` stands for."""
    alias, name = ref.parts[0], ".".join(ref.parts[1:])
    listing = scope.tools.get(alias)
    if listing is None:
        if alias in scope.broken:
            return None
        scope.error(
            "unknown-tool",
            ref,
            f"no tool listing is called `{alias}`",
            help=did_you_mean(alias, scope.tools) or 'add `use tools "tools.json" as tool`',
        )
        return None
    scope.use("tools", alias)
    if name in listing:
        return name
    scope.error(
        "unknown-tool",
        ref,
        f"the listing has no tool `{name}`",
        help=did_you_mean(ref.dotted, [f"{alias}.{tool}" for tool in listing])
        or "it has " + ", ".join(f"`{tool}`" for tool in list(listing)[:8]),
    )
    return None


def all_tools(scope: Scope) -> dict[str, Tool]:
    return {name: tool for listing in scope.tools.values() for name, tool in listing.items()}
