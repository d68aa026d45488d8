"""What could be typed next: words the grammar takes, names in reach, entries of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, get_args

from guardkit.catalog import CheckSpec, PropertySpec
from guardkit.diagnostics import Span
from guardkit.semantics import Mode, OnError
from guardkit.syntax import ast
from guardkit.types import ACTIONS, SEVERITIES

from ._complete_quoted import quoted_words
from ._cursor import Cursor, cursor_at
from ._document import Document
from ._grammar import grammar
from ._names import Kind, Names
from ._words import APPLY_LABELS, DECLARATIONS, OUTCOMES, PARAM_TYPES, SNIPPETS, said_of
from ._workspace import Workspace

Sort = Literal[
    "check",
    "choice",
    "file",
    "keyword",
    "kind",
    "label",
    "module",
    "property",
    "rule",
    "snippet",
    "value",
]


class Completion(NamedTuple):
    """One thing to type. `insert` replaces `Completions.replace`, as a snippet where it is one."""

    label: str
    sort: Sort
    detail: str = ""
    doc: str = ""
    insert: str = ""
    is_snippet: bool = False


class Completions(NamedTuple):
    """Everything that could be typed at a place, and the stretch it would replace."""

    items: tuple[Completion, ...]
    replace: Span


def completions(workspace: Workspace, document: Document, offset: int) -> Completions:
    """What could be typed at a place. Empty in comments, patterns, numbers and free texts."""
    cursor = cursor_at(document.text, offset)
    if cursor is None:
        return Completions((), Span(offset, offset))
    if cursor.quoted is not None:
        words = quoted_words(workspace, document, cursor)
        found = [Completion(w.text, "file" if w.is_file else "choice", w.detail) for w in words]
        return Completions(tuple(found), cursor.typed)
    names = workspace.names(document)
    offered = _offered(workspace, document, cursor, names)
    unique = {item.label: item for item in offered}
    return Completions(tuple(unique.values()), cursor.typed)


def _offered(
    workspace: Workspace, document: Document, cursor: Cursor, names: Names
) -> Iterator[Completion]:
    if cursor.heads:
        yield from _members(workspace, document, cursor, names)
        return
    if not cursor.before:
        yield from _declarations()
        return
    placed = _placed(workspace, document, cursor, names)
    if placed is None:
        placed = _names_here(cursor, names)
    yield from placed
    yield from _keywords(cursor)


def _declarations() -> Iterator[Completion]:
    for word, doc in sorted(DECLARATIONS.items()):
        yield Completion(word, "keyword", "declaration", doc)
    for word, snippet in sorted(SNIPPETS.items()):
        yield Completion(f"{word} …", "snippet", "declaration", DECLARATIONS[word], snippet, True)


def _keywords(cursor: Cursor) -> Iterator[Completion]:
    known = grammar()
    if cursor.opener == "check" and "property_name" in cursor.expected.parts:
        return  # properties come from the catalog
    parts = cursor.expected.parts
    is_field = "operand" in parts or cursor.clause == "given"
    for word in sorted(cursor.expected.words):
        # Where no field of an event can stand, `context` would begin a name that nothing has.
        if word in known.words and (is_field or word != "context" or "head" not in parts):
            yield Completion(word, "keyword", "", said_of(word))


# --- places that take one kind of word


def _placed(
    workspace: Workspace, document: Document, cursor: Cursor, names: Names
) -> Iterable[Completion] | None:
    """What a place takes whose word before says so; None where names of this file stand."""
    before, previous, expected = cursor.before, cursor.previous, cursor.expected
    match previous:
        case "severity":
            return _choices(SEVERITIES, "severity")
        case "mode":
            return _choices(get_args(Mode), "mode")
        case "on_error":
            return _choices(get_args(OnError), "answer to an error")
        case "tier" if cursor.opener != "tiers":
            return _of(names, "tier", "choice") or _choices(_TIERS, "tier")
        case "tiers" | ">" if cursor.opener == "tiers":
            return _choices(_TIERS, "tier")
        case "fpr":
            return ()
        case "at" if "NAME" in expected.kinds:
            return _choices(("fpr",), "false alarms on harmless texts")
        case "as" if cursor.opener == "use":
            path = before[-4].text.strip('"') if len(before) >= 4 else ""
            alias = path.rsplit("/", 1)[-1].removesuffix(".guard").replace("-", "_")
            return _choices((alias,) if alias.isidentifier() else (), "name of the module here")
        case "expect" if cursor.opener == "probe":
            return _choices((*OUTCOMES, *ACTIONS), "outcome")
    if cursor.opener == "param" and (previous.endswith(":") or previous in ("of", "list")):
        return _choices(PARAM_TYPES, "type") if not _is_label_of_value(cursor) else ()
    if cursor.clause == "disguise":
        return _choices(sorted(workspace.catalog.disguises), "disguise")
    if cursor.opener == "check":
        return _in_check(workspace, cursor, names)
    if "LABEL" in expected.kinds:
        return _labels(workspace, document, cursor, names)
    if cursor.opener == "use":
        return _entries(workspace, cursor, names)
    return None


_TIERS = ("safety", "ethics", "guidelines", "helpfulness")


def _is_label_of_value(cursor: Cursor) -> bool:
    return len(cursor.before) > 2 and "=" in [token.text for token in cursor.before]


def _choices(words: Iterable[str], detail: str) -> list[Completion]:
    return [Completion(word, "choice", detail) for word in words]


def _in_check(workspace: Workspace, cursor: Cursor, names: Names) -> Iterable[Completion]:
    specs = workspace.catalog.specs
    if not cursor.brackets:
        if cursor.previous != "=":
            return ()
        return [
            Completion(spec.kind, "kind", _answers(spec), f"{spec.summary}.", _filled(spec), True)
            for spec in specs.values()
        ]
    spec = specs.get(cursor.after("="))
    if spec is None:
        return ()
    found: list[Completion] = []
    if "property_name" in cursor.expected.parts:
        found += [
            Completion(one.name, "property", _typed(one), one.doc, f"{one.name} ")
            for one in spec.properties
        ]
    asked = _property_at(spec, cursor)
    if asked is not None:
        found += _choices(asked.choices, asked.name)
        found += [c for c in _of(names, "param", "value") if asked.type not in ("pattern", "size")]
    return found


def _property_at(spec: CheckSpec, cursor: Cursor) -> PropertySpec | None:
    """The property whose value is being typed."""
    parts = cursor.expected.parts
    if "property_value" in parts:
        return spec.property(cursor.previous)
    inner = cursor.brackets[-1]
    if cursor.before[inner].text == "[" and inner > 0:
        return spec.property(cursor.before[inner - 1].text)
    if "unit" in parts and len(cursor.before) > 1:  # `max 4000 …`
        return spec.property(cursor.before[-2].text)
    return None


def _answers(spec: CheckSpec) -> str:
    return {"answer": "yes or no", "score": "a score", "number": "a number", "label": "a label"}[
        spec.answers
    ]


def _typed(one: PropertySpec) -> str:
    return one.type + (", required" if one.required else "")


def _filled(spec: CheckSpec) -> str:
    """A kind with what it cannot do without."""
    wanted = [one for one in spec.properties if one.required or one.name in spec.one_of[:1]]
    if not wanted:
        return f"{spec.kind} {{ $0 }}"
    lines = (f"  {one.name} ${number}\n" for number, one in enumerate(wanted, 1))
    return f"{spec.kind} {{\n{''.join(lines)}}}"


def _labels(
    workspace: Workspace, document: Document, cursor: Cursor, names: Names
) -> Iterable[Completion]:
    inner = cursor.brackets[-1] if cursor.brackets else 0
    opened = [token.text for token in cursor.before[:inner]]
    if cursor.opener == "apply":
        return [Completion(k, "label", "", doc, f"{k}: ") for k, doc in APPLY_LABELS.items()]
    if cursor.opener == "use" and "as" in opened:
        module = _module_used(cursor, names)
        if module is None:
            return ()
        return [
            Completion(
                name, "label", _param_type(module, name), _param_doc(module, name), f"{name}: "
            )
            for name in module.of("param")
        ]
    if "tool_call" in opened:
        return _arguments(workspace, document, opened)
    return ()


def _arguments(workspace: Workspace, document: Document, opened: list[str]) -> Iterator[Completion]:
    policy = workspace.policy(document.uri)
    start = len(opened) - 1 - opened[::-1].index("tool_call")
    called = "".join(opened[start + 2 :]).lstrip(".").replace('"', "")
    for tool in policy.tools if policy is not None else ():
        if tool.name == called:
            for path, type in tool.arguments:
                if len(path) == 1:
                    yield Completion(path[0], "label", type, "", f"{path[0]}: ")


def _module_used(cursor: Cursor, names: Names) -> Names | None:
    """The module of the `use` that is being typed."""
    module = names.modules.get(cursor.after("as"))
    if module is not None:
        return module
    wanted = cursor.after("use").strip('"')
    for alias, (node, _) in ((n, v) for (k, n), v in names.declared.items() if k == "module"):
        if isinstance(node, ast.UseModule) and node.path.value == wanted:
            return names.modules.get(alias)
    return None


def _param_type(module: Names, name: str) -> str:
    node = module.declared[("param", name)][0]
    assert isinstance(node, ast.Param)
    return f"list of {node.type.text}" if node.is_list else node.type.text


def _param_doc(module: Names, name: str) -> str:
    node = module.declared[("param", name)][0]
    if not isinstance(node, ast.Param) or node.default is None:
        return "It has no default."
    raw = module.file.source.slice(node.default.span)
    return f"By default `{raw}`." if len(raw) <= 80 and "\n" not in raw else ""


def _entries(workspace: Workspace, cursor: Cursor, names: Names) -> Iterable[Completion]:
    """Words for a parameter of a module: those of the check property it is handed to."""
    labels = [token.text for token in cursor.before if token.kind == "LABEL"]
    module = _module_used(cursor, names)
    if not labels or module is None:
        return ()
    label = labels[-1].rstrip(": \t")
    found: dict[str, Completion] = {}
    for node in module.file.declarations:
        if not isinstance(node, ast.Check):
            continue
        spec = workspace.catalog.specs.get(node.kind.text)
        for one in node.properties:
            known = None if spec is None else spec.property(one.name.text)
            if known is not None and _hands(one.value, label):
                for word in known.choices:
                    found[word] = Completion(word, "choice", f"{node.kind.text} {known.name}")
    return [*found.values(), *_of(names, "param", "value")]


def _hands(value: ast.PropertyValue, param: str) -> bool:
    match value:
        case ast.Chosen(word=word):
            return word.text == param
        case ast.ListOf(items=items):
            return any(isinstance(item, ast.Ref) and item.parts == (param,) for item in items)
    return False


# --- names


def _names_here(cursor: Cursor, names: Names) -> Iterator[Completion]:
    """Names of this file that fit the place."""
    parts = cursor.expected.parts
    if "ref" not in parts and "name" not in parts:
        return
    clause, previous, opener = cursor.clause, cursor.previous, cursor.opener
    if opener == "apply" or (previous == "exempt" and opener == "exempt"):
        yield from _rules(names, applied=opener == "exempt")
    elif clause == "count" or (clause == "expect" and opener == "test"):
        yield from _rules(names, applied=True)
    elif previous == "by" or (opener == "context" and clause == "principle"):
        yield from _of(names, "principle", "value")
        yield from _modules(names, "principle")
    elif previous == "sequence" and "operand" not in parts:
        yield from _of(names, "sequence", "value")
    elif clause in ("on", "first") or (clause == "then" and opener == "sequence"):
        yield from _of(names, "tools", "module") if "operand" not in parts else _values(names)
    elif clause in ("tool_call", "tool_result") and "operand" not in parts:
        yield from _of(names, "tools", "module")
    elif clause in ("refuses", "answers", "given"):
        yield from _of(names, "check", "check")
        yield from _modules(names, "check")
    elif "operand" in parts or "item" in parts:
        if opener == "monitor" and previous == "watch":
            yield from _rules(names, applied=True)
        yield from _values(names)


def _values(names: Names) -> Iterator[Completion]:
    yield from _of(names, "check", "check")
    yield from _of(names, "param", "value")
    yield from _of(names, "window", "value")
    yield from _modules(names, "check")
    yield Completion("call", "value", "arguments of a tool call", "", "call.")


def _of(names: Names, kind: Kind, sort: Sort) -> list[Completion]:
    return [Completion(name, sort, _detail(names, kind, name)) for name in names.of(kind)]


def _detail(names: Names, kind: Kind, name: str) -> str:
    node = names.declared[(kind, name)][0]
    match node:
        case ast.Check(kind=word):
            return f"{word.text} check"
        case ast.Param(type=word, is_list=is_list):
            return f"parameter, {'list of ' if is_list else ''}{word.text}"
        case ast.UseModule(path=path) | ast.UseTools(path=path):
            return str(path.value)
    return kind


def _modules(names: Names, kind: Kind) -> Iterator[Completion]:
    for alias, module in names.modules.items():
        yield Completion(alias, "module", "module")
        if module is not None:
            for name in module.of(kind):
                detail = _detail(module, kind, name)
                yield Completion(f"{alias}.{name}", "check" if kind == "check" else "value", detail)


def _rules(names: Names, *, applied: bool) -> Iterator[Completion]:
    """Rules that act here; for `apply`, those that modules offer."""
    if applied:
        yield from _of(names, "rule", "rule")
        for node in names.file.declarations:
            if isinstance(node, ast.Apply):
                yield Completion(node.target.dotted, "rule", "applied rule")
        return
    for alias, module in names.modules.items():
        for name in module.of("rule") if module is not None else ():
            yield Completion(f"{alias}.{name}", "rule", "rule of a module")


def _members(
    workspace: Workspace, document: Document, cursor: Cursor, names: Names
) -> Iterator[Completion]:
    """What may follow a dot."""
    head = cursor.heads[0]
    dotted = ".".join(cursor.heads) + "."
    policy = workspace.policy(document.uri)
    if head == "call" and policy is not None:
        for tool in policy.tools:
            for path, type in tool.arguments:
                if path[: len(cursor.heads) - 1] == cursor.heads[1:] and len(path) >= len(
                    cursor.heads
                ):
                    yield Completion(
                        path[len(cursor.heads) - 1], "property", f"{type}, {tool.name}"
                    )
        return
    if ("tools", head) in names.declared and policy is not None:
        for tool in policy.tools:
            if f"{head}.{tool.name}".startswith(dotted):
                rest = f"{head}.{tool.name}".removeprefix(dotted)
                yield Completion(rest, "value", "tool")
        return
    kinds: tuple[Kind, ...] = ("check",)
    if cursor.opener in ("apply", "exempt") or cursor.clause in ("count", "expect"):
        kinds = ("rule",)
    elif cursor.previous == "by" or cursor.clause == "principle":
        kinds = ("principle",)
    elif cursor.clause == "watch":
        kinds = ("check", "rule")
    module = names.modules.get(head)
    for kind in kinds:
        sort: Sort = "rule" if kind == "rule" else "check"
        for name in module.of(kind) if module is not None and len(cursor.heads) == 1 else ():
            yield Completion(name, sort, _detail(module, kind, name) if module else "")
        for name in names.of(kind):
            if name.startswith(dotted):
                yield Completion(name.removeprefix(dotted), sort, _detail(names, kind, name))
