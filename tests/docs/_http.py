"""The HTTP interface, from the OpenAPI document that the server gives out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardkit.server._openapi import document
from guardkit.server._settings import Settings

from ._markdown import anchored, code, page, table

_WHOLE = Settings(policy="chat", keys="keys.toml", upstream="https://models.example")


def http_pages() -> dict[str, str]:
    """One page: every path, then every shape."""
    whole = document(_WHOLE)
    shapes = whole["components"]["schemas"]
    rows = [
        (f"`{method.upper()} {path}`", anchored(said.get("summary", "")))
        for path, methods in whole["paths"].items()
        for method, said in methods.items()
    ]
    parts = [
        "What `guardkit serve` answers, as a server with keys and an upstream describes itself at"
        " `GET /openapi.json`. Headers of judged replies: `x-guardkit-decision`,"
        " `x-guardkit-action`,"
        " `x-guardkit-policy`. Of requests: `x-guardkit-session`, and `x-guardkit-context` with"
        " `--trust-context`.",
        table(("path", "does"), rows),
        "## Paths",
    ]
    for path, methods in whole["paths"].items():
        for method, said in methods.items():
            parts += _operation(path, method, said)
    parts.append("## Shapes")
    for name, shape in shapes.items():
        parts += [f"### {name}", *_shape(shape)]
    return {"http.md": page("HTTP", *parts)}


def _operation(path: str, method: str, said: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {method.upper()} {path}"
    yield anchored(f"{said.get('summary', '')}. {said.get('description', '')}".strip(" ."))
    body = said.get("requestBody", {}).get("content", {})
    asked = [_type(one["schema"]) for one in body.values() if "schema" in one]
    if asked:
        yield f"*Body*: {', '.join(dict.fromkeys(asked))}"
    parameters = [
        (code(one["name"]), one["in"], anchored(one.get("description", "")))
        for one in said.get("parameters", ())
        if "name" in one
    ]
    yield table(("parameter", "in", ""), parameters)
    yield table(
        ("status", "says", "shape"),
        [
            (status, anchored(one.get("description", "")), ", ".join(_shapes_of(one)))
            for status, one in sorted(said["responses"].items())
        ],
    )


def _shapes_of(response: Mapping[str, Any]) -> Iterator[str]:
    for kind, content in response.get("content", {}).items():
        yield _type(content["schema"]) if "schema" in content else code(kind)


def _shape(shape: Mapping[str, Any]) -> Iterator[str]:
    yield anchored(shape.get("description", ""))
    needed = set(shape.get("required", ()))
    rows = [
        (
            code(name),
            _type(one),
            "yes" if name in needed else "",
            anchored(str(one.get("description", ""))),
        )
        for name, one in shape.get("properties", {}).items()
    ]
    if rows:
        yield table(("field", "type", "needed", ""), rows)
    elif "properties" not in shape:
        yield _type(shape)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[word]))
    if "const" in schema:
        return code(str(schema["const"]))
    if "enum" in schema:
        return " ".join(code("null" if one is None else str(one)) for one in schema["enum"])
    kinds = schema.get("type", "anything")
    shown = [kinds] if isinstance(kinds, str) else list(kinds)
    if "array" in shown and isinstance(schema.get("items"), dict):
        shown[shown.index("array")] = f"list of {_type(schema['items'])}"
    return " or ".join(shown)
