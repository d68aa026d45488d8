"""Reads the imports of a `guardkit` package and says which of them break the house rules.

Nothing is imported here: files are parsed, so a broken module is judged like any other. Imports
inside functions and under `TYPE_CHECKING` count, and so does a literal `import_module("…")`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "guardkit"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("types", "diagnostics", "_util"),
    ("errors", "catalog"),
    ("syntax", "text", "pages"),
    ("semantics",),
    ("plan", "models"),
    ("checks", "packs", "runtime", "telemetry", "wire", "wrap"),
    ("guard", "shared"),
    ("judging",),
    (
        "integrations",
        "server",
        "evals",
        "layers",
        "bench",
        "batch",
        "editor",
        "testing",
        "train",
    ),
    ("cli",),
    ("__init__", "__main__"),
)
"""The rooms of each floor, the ground first; the front door looks down on all of them."""

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

LIGHT_FLOORS = 4
"""Floors below this one use the standard library and what `THIRD_PARTY_BELOW` names."""

THIRD_PARTY_BELOW = {
    "_util": {"anyio"},
    "semantics": {"re2"},
    "syntax": {"lark"},
    "text": {"re2"},
}

# fmt: off
LATE = frozenset({
    "aiohttp", "cryptography", "h11", "http.client", "http.server", "httpcore", "httpcore2",
    "httptools", "httpx", "httpx2", "huggingface_hub", "numpy", "onnx", "onnxruntime", "pyarrow",
    "ray", "redis", "requests", "safetensors", "sklearn", "starlette", "tokenizers", "torch",
    "transformers", "urllib.request", "urllib3", "uvicorn", "uvloop", "websockets", "xmlrpc",
})
# fmt: on
"""Numbers, models, signatures, HTTP: loaded at bind, inside a function, never with the module."""

UNSAFE_MODULES = frozenset({"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"})
UNSAFE_NAMES = frozenset({"eval", "exec", "compile"})
MOST_LINES = 600


@dataclass(frozen=True, slots=True)
class Module:
    """One parsed file. `parts` is its dotted name below the package, `("plan", "_lower")`."""

    path: Path
    parts: tuple[str, ...]
    is_door: bool
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.parts[0]

    @property
    def is_single_file_room(self) -> bool:
        return len(self.parts) == 1 and not self.is_door

    def at(self, node: ast.AST) -> str:
        name = "/".join(self.parts) + ("/__init__" if self.is_door else "")
        return f"{name}.py:{getattr(node, 'lineno', 1)}"


@dataclass(frozen=True, slots=True)
class Import:
    """One imported thing: `from ..a import b` has level 2, target `("a",)` and name `b`."""

    node: ast.AST
    level: int
    target: tuple[str, ...]
    name: str | None
    is_late: bool
    """Inside a function, or for type checkers only: the module loads without it."""


def modules(package: Path) -> list[Module]:
    """Every Python file of the package, parsed, in path order."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        is_door = parts[-1] == "__init__" and len(parts) > 1
        tree = ast.parse(path.read_bytes(), filename=path.name)
        found.append(Module(path, parts[:-1] if is_door else parts, is_door, tree))
    return found


def imports(tree: ast.Module) -> Iterator[Import]:
    """Every import of a file, wherever it stands."""
    yield from _imports(tree.body, is_late=False)


def _imports(nodes: list[ast.stmt] | list[ast.AST], *, is_late: bool) -> Iterator[Import]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node, 0, tuple(alias.name.split(".")), None, is_late)
        elif isinstance(node, ast.ImportFrom):
            target = tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                yield Import(node, node.level, target, alias.name, is_late)
        elif isinstance(node, ast.Call) and (literal := _imported_by_call(node)):
            level = len(literal) - len(literal.lstrip("."))
            yield Import(node, level, tuple(literal[level:].split(".")), None, is_late)
        if isinstance(node, ast.If) and _is_for_types(node.test):
            yield from _imports(node.body, is_late=True)
            yield from _imports(node.orelse, is_late=is_late)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            # Defaults and decorators run with the module; a body does not.
            body = node.body if isinstance(node.body, list) else [node.body]
            inside = {id(part) for part in body}
            outside = [n for n in ast.iter_child_nodes(node) if id(n) not in inside]
            yield from _imports(outside, is_late=is_late)
            yield from _imports(list(body), is_late=True)
        else:
            yield from _imports(list(ast.iter_child_nodes(node)), is_late=is_late)


def _imported_by_call(call: ast.Call) -> str | None:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name not in {"import_module", "__import__"} or not call.args:
        return None
    first = call.args[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _is_for_types(test: ast.expr) -> bool:
    return getattr(test, "attr", getattr(test, "id", "")) == "TYPE_CHECKING"


# --- the rules: each takes the package's folder and yields one line per offence


def floor_offences(package: Path) -> Iterator[str]:
    """Imports point down, between rooms through the door, inside a room by relative imports."""
    for module in modules(package):
        if module.room not in FLOOR_OF:
            yield f"{module.at(module.tree)} lies in a room that stands on no floor"
            continue
        for found in imports(module.tree):
            reason = _relative(module, found, package) if found.level else _absolute(module, found)
            if reason:
                yield f"{module.at(found.node)} {reason}"


def _absolute(module: Module, found: Import) -> str | None:
    if not found.target or found.target[0] != PACKAGE:
        return None
    below = found.target[1:]
    if not below:
        return f"imports `{PACKAGE}` itself"
    room = below[0]
    if room == module.room:
        return f"imports its own room `{room}` by name instead of a sibling file"
    if room not in FLOOR_OF:
        return f"imports from `{room}`, a room that stands on no floor"
    if FLOOR_OF[room] >= FLOOR_OF[module.room]:
        return f"imports `{room}` (floor {FLOOR_OF[room]}) from floor {FLOOR_OF[module.room]}"
    inner = (*below[1:], *([found.name] if found.name else []))
    if any(part.startswith("_") and not part.startswith("__") for part in inner):
        return f"imports `{'.'.join((PACKAGE, *below))}` past the door of `{room}`"
    # `_util` has no door worth the name: its public files are imported by name.
    if len(below) > 1 and room != "_util":
        return f"imports `{'.'.join((PACKAGE, *below))}` past the door of `{room}`"
    return None


def _relative(module: Module, found: Import, package: Path) -> str | None:
    if module.is_single_file_room:
        return "leaves its room by a relative import"
    here = module.parts if module.is_door else module.parts[:-1]
    base = here[: len(here) - found.level + 1]
    if not base or found.level > len(here):
        return "leaves its room by a relative import"
    if found.target or found.name is None:
        return None
    # `from . import x` is a sibling file or nothing.
    folder = package.joinpath(*base)
    if (folder / f"{found.name}.py").is_file() or (folder / found.name).is_dir():
        return None
    return f"imports `{found.name}` through its own door instead of the sibling file"


def weight_offences(package: Path) -> Iterator[str]:
    """Low floors carry no third-party code; numbers, models and HTTP load at bind; no asyncio."""
    for module in modules(package):
        room = module.room
        for found in imports(module.tree):
            if found.level or not found.target or found.target[0] == PACKAGE:
                continue
            root = found.target[0]
            whole = ".".join((*found.target, *([found.name] if found.name else [])))
            if root == "asyncio":
                yield f"{module.at(found.node)} imports `asyncio`; anyio is the one door to tasks"
            is_foreign = root not in sys.stdlib_module_names
            is_low = FLOOR_OF.get(room, LIGHT_FLOORS) < LIGHT_FLOORS
            if is_foreign and is_low and root not in THIRD_PARTY_BELOW.get(room, set()):
                yield f"{module.at(found.node)} imports `{root}` on floor {FLOOR_OF[room]}"
            if is_foreign and room in {"__init__", "__main__"}:
                yield f"{module.at(found.node)} imports `{root}` at the front door"
            if root == "lark" and room != "syntax":
                yield f"{module.at(found.node)} imports `lark` outside `syntax`"
            late = root in LATE or any(f"{whole}.".startswith(f"{name}.") for name in LATE)
            if late and not found.is_late:
                yield f"{module.at(found.node)} imports `{root}` with the module; load it at bind"


def unsafe_offences(package: Path) -> Iterator[str]:
    """No text becomes code and no bytes become objects."""
    for module in modules(package):
        for found in imports(module.tree):
            if not found.level and found.target and found.target[0] in UNSAFE_MODULES:
                yield f"{module.at(found.node)} imports `{found.target[0]}`"
            if not found.level and found.target == ("builtins",) and found.name in UNSAFE_NAMES:
                yield f"{module.at(found.node)} imports `{found.name}`"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name) and node.id in UNSAFE_NAMES:
                yield f"{module.at(node)} names `{node.id}`"
            elif (
                isinstance(node, ast.Attribute)
                and node.attr in UNSAFE_NAMES
                and isinstance(node.value, ast.Name)
                and node.value.id in {"builtins", "__builtins__"}
            ):
                yield f"{module.at(node)} names `{node.attr}`"
            elif isinstance(node, ast.keyword) and _may_unpickle(node):
                yield f"{module.at(node.value)} may allow pickled arrays"


def _may_unpickle(keyword: ast.keyword) -> bool:
    value = keyword.value
    is_off = isinstance(value, ast.Constant) and value.value is False
    return keyword.arg == "allow_pickle" and not is_off


def length_offences(package: Path) -> Iterator[str]:
    """A file that grew too long wants to be two."""
    for path in sorted(package.rglob("*.py")):
        lines = path.read_bytes().count(b"\n")
        if lines > MOST_LINES:
            name = path.relative_to(package).as_posix()
            yield f"{name} has {lines} lines, {MOST_LINES} are the most"


def package_rooms(package: Path) -> list[str]:
    """The rooms that are packages, sorted."""
    return sorted(path.parent.name for path in package.glob("*/__init__.py"))


def readme_offences(package: Path) -> Iterator[str]:
    """Every package room keeps a one-page README."""
    for room in package_rooms(package):
        page = package / room / "README.md"
        if not page.is_file() or not page.read_text(encoding="utf-8").strip():
            yield f"{room} has no README.md"
