"""Fields of the context and of tool calls: found in the listing, typed, compared with values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from guardkit._util.values import host_of, is_domain_pattern
from guardkit.diagnostics import Edit, Fix, Place, did_you_mean
from guardkit.syntax import ast

from ._policy import FieldTest, FieldType, On, Plain, Tool
from ._scope import Scope
from ._values import EXAMPLES, plain_literal

_ORDER = frozenset({"<", "<=", ">", ">="})
_ORDERED_TYPES = frozenset({"number", "money", "duration", "date"})


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a condition stands: the events it will be asked about."""

    on: tuple[On, ...]
    what: str
    tools: dict[str, Tool] = field(default_factory=dict)
    fields_only: bool = False
    """True for exemptions: they are about who and where, never about the text."""

    @property
    def surfaces(self) -> tuple[str, ...]:
        return tuple(on.surface for on in self.on)

    @property
    def is_conversation(self) -> bool:
        return self.surfaces == ("conversation",)


def boolean_word(scope: Scope, ref: ast.Ref) -> bool:
    """Whether the name is another language's yes or no; reports it."""
    word = {"true": "yes", "false": "no"}.get(ref.dotted)
    if word is None:
        return False
    scope.error(
        "boolean-word",
        ref,
        f"`{ref.dotted}` is written `{word}`",
        fix=Fix(f"write `{word}`", (Edit(scope.place(ref), word),)),
    )
    return True


def field_test(
    scope: Scope,
    ref: ast.Ref,
    op: str,
    written: Sequence[ast.Value],
    setting: Setting,
    place: Place,
) -> FieldTest | None:
    root, path = ref.parts[0], ref.parts[1:]
    reads_domain = path[-1] == "domain"
    schema = "any"
    if root == "call":
        found = _argument(
            scope, ref, path[:-1] if reads_domain and len(path) > 1 else path, setting
        )
        if found is None:
            return None
        schema = found
    elif setting.is_conversation and root != "context":
        return None
    values = _plain_values(scope, written)
    if values is None:
        return None
    type = _field_type(scope, ref, values, written, reads_domain and len(path) > 1, schema)
    if type is None or not _operator_fits(scope, ref, op, type, place):
        return None
    plain = tuple(value for value, _ in values)
    return FieldTest(
        "context" if root == "context" else "call",
        path,
        op,  # type: ignore[arg-type]  # the grammar admits only these operators
        tuple(sorted(set(plain), key=str)) if op in ("in", "not in") else plain,
        type,
        place,
    )


def _argument(scope: Scope, ref: ast.Ref, path: tuple[str, ...], setting: Setting) -> str | None:
    """The schema type of a tool argument, the same for every tool the rule names."""
    if any(surface != "tool_call" for surface in setting.surfaces):
        scope.error(
            "wrong-surface",
            ref,
            "`call` exists on `tool_call` only",
            help="give tool calls a rule of their own"
            if setting.what == "a rule"
            else "ask it `on tool_call` only",
        )
        return None
    if not setting.tools:
        scope.error(
            "unknown-tool",
            ref,
            "the arguments of a call are typed from a tool listing, and there is none",
            help='add `use tools "tools.json" as tool`',
        )
        return None
    named = {tool for on in setting.on for tool in on.tools} or set(setting.tools)
    is_narrow = any(on.tools for on in setting.on)
    types: set[str] = set()
    for name in sorted(named):
        arguments = dict(setting.tools[name].arguments)
        if path in arguments:
            types.add(arguments[path])
        elif is_narrow:
            known = [".".join(p) for p in arguments]
            scope.error(
                "unknown-argument",
                ref,
                f"the tool `{name}` has no argument `{'.'.join(path)}`",
                help=did_you_mean(".".join(path), known)
                or ("it takes " + ", ".join(f"`{k}`" for k in known) if known else ()),
            )
            return None
    if not types:
        every = {".".join(p) for name in named for p, _ in setting.tools[name].arguments}
        scope.error(
            "unknown-argument",
            ref,
            f"no tool has an argument `{'.'.join(path)}`",
            help=did_you_mean(".".join(path), every),
        )
        return None
    for alias, listing in scope.tools.items():
        if any(path in dict(tool.arguments) for tool in listing.values() if tool.name in named):
            scope.use("tools", alias)
    return types.pop() if len(types) == 1 else "any"


def _plain_values(scope: Scope, written: Sequence[ast.Value]) -> list[tuple[Plain, str]] | None:
    """Each written value with its type; a list parameter gives its members."""
    found: list[tuple[Plain, str]] = []
    for value in written:
        if isinstance(value, ast.Literal):
            plain = plain_literal(scope, value)
            if plain is None:
                return None
            found.append((plain, "boolean" if value.kind == "answer" else value.kind))
            continue
        if isinstance(value, ast.Ref) and boolean_word(scope, value):
            return None
        if not isinstance(value, ast.Ref) or value.dotted not in scope.params:
            scope.error(
                "type-mismatch",
                value,
                f"`{scope.source.slice(value.span)}` is not a plain value",
                help="texts stand in double quotes",
            )
            return None
        param = scope.params[value.dotted]
        scope.use("param", param.name)
        if param.value is None:
            return None
        members = param.value if isinstance(param.value, tuple) else (param.value,)
        found.extend((member, param.type) for member in members)
    if not found:
        scope.error(
            "type-mismatch",
            written[0] if written else Place(scope.source, scope.file.declarations[0].span),
            "the list is empty",
        )
        return None
    return found


_READ_AS: dict[str, FieldType] = {
    "text": "text",
    "url": "text",
    "email": "text",
    "path": "text",
    "number": "number",
    "score": "number",
    "percent": "number",
    "boolean": "answer",
    "domain": "domain",
    "money": "money",
    "duration": "duration",
    "date": "date",
}
_SCHEMA_TYPES: dict[str, frozenset[str]] = {
    "text": frozenset({"text", "domain", "money", "date"}),
    "texts": frozenset({"text", "domain"}),
    "number": frozenset({"number"}),
    "boolean": frozenset({"answer"}),
}


def _field_type(
    scope: Scope,
    ref: ast.Ref,
    values: Sequence[tuple[Plain, str]],
    written: Sequence[ast.Value],
    reads_domain: bool,
    schema: str,
) -> FieldType | None:
    types = {_READ_AS[type] for _, type in values}
    if reads_domain and types <= {"text", "domain"}:
        types = {"domain"}
    if len(types) > 1:
        scope.error(
            "type-mismatch",
            ref,
            f"`{ref.dotted}` is compared with values of two types",
            help="write them all as texts, or all as numbers",
        )
        return None
    type = types.pop()
    if type == "domain" and not reads_domain:
        scope.error(
            "type-mismatch",
            ref,
            f"`{ref.dotted}` is a text and is compared with a domain",
            help=f"write `{ref.dotted}.domain`",
        )
        return None
    if reads_domain and type != "domain":
        scope.error(
            "type-mismatch", ref, f"`{ref.dotted}` is a domain and is compared with a {type}"
        )
        return None
    if type == "domain" and not _are_hosts(scope, ref, values, written):
        return None
    fits = _SCHEMA_TYPES.get(schema)
    if fits is not None and type not in fits:
        shown = {"texts": "list of text"}.get(schema, schema)
        scope.error(
            "type-mismatch",
            ref,
            f"`{ref.dotted}` is a {shown} in the tool listing and is compared with a {type}",
            help=f"write {EXAMPLES['text' if schema == 'texts' else schema]}",
        )
        return None
    return type


def _are_hosts(
    scope: Scope, ref: ast.Ref, values: Sequence[tuple[Plain, str]], written: Sequence[ast.Value]
) -> bool:
    for number, (value, _) in enumerate(values):
        if is_domain_pattern(str(value)):
            continue
        # Values and what was written pair up unless a list parameter gave several.
        node = written[number] if len(values) == len(written) else written[0]
        host = host_of(str(value))
        scope.error(
            "type-mismatch",
            node,
            f"`{ref.dotted}` is compared with `{value}`, which is not a host name",
            help=f'write `"{host}"`'
            if host
            else 'a host name is `"example.com"`, or `"*.example.com"` for all below it',
        )
        return False
    return True


def _operator_fits(scope: Scope, ref: ast.Ref, op: str, type: str, place: Place) -> bool:
    if op in _ORDER and type not in _ORDERED_TYPES:
        scope.error(
            "wrong-operator",
            place,
            f"`{op}` orders numbers, sums of money, durations and dates; "
            f"`{ref.dotted}` is {'yes or no' if type == 'answer' else f'a {type}'}",
            help="write `==`, `!=`, `in` or `not in`",
        )
        return False
    return True
