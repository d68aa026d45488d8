"""The public names of Python, with their signatures and docstrings."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import guardkit

from ._markdown import anchored, code, fenced, flowing, page, table

_HEADINGS = ("Args", "Returns", "Raises", "Example")
_HEADING = re.compile(rf"^({'|'.join(_HEADINGS)}):$", re.MULTILINE)
_NEED_A_PACKAGE = {
    "inspect_ai": {"approver", "guarded", "passes"},
    "llama_index": {"Screen"},
    "presidio": {"EntitiesRecognizer"},
}
"""Made of what the other package has, so they are there only beside it."""
_SHOWN = ("guardkit.testing", "guardkit.telemetry", "guardkit.catalog", "guardkit.evals")
_SHOWN += ("guardkit.layers", "guardkit.bench", "guardkit.train")


def python_pages() -> dict[str, str]:
    """The front door name by name; what other doors show, as tables."""
    from guardkit.wrap import wrap

    names = [name for name in guardkit.__all__ if not name.startswith("__")]
    parts: list[str] = []
    for name in sorted(names, key=lambda name: (name[0].isupper(), name.lower())):
        parts += _told(name, getattr(guardkit, name))
    front = page(
        "guardkit",
        "The names of `import guardkit`, which are loaded when they are first used.",
        *parts,
        "## The options of `@guard(…)`",
        *_docstring(wrap.__doc__ or ""),
    )
    return {
        "python/guardkit.md": front,
        "python/integrations.md": _integrations(),
        "python/rooms.md": _rooms(),
    }


def _told(name: str, value: Any, room: str = "guardkit") -> Iterator[str]:
    yield f"## {name}" if room == "guardkit" else f"### {name}"
    if inspect.isfunction(value):
        yield fenced(f"{'guardkit.' * (room == 'guardkit')}{name}{_signature(value)}", "python")
        yield from _docstring(value.__doc__ or "")
        return
    if "__init__" in vars(value):
        yield fenced(f"guardkit.{name}{_signature(value.__init__)}", "python")
    yield from _docstring(value.__doc__ or "")
    yield from _members(value)


def _signature(function: Any) -> str:
    """What its source says: a default is shown as it is written, not as what it became."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    given = [one for one in _split(ast.unparse(node.args)) if one not in ("self", "cls", "/")]
    given = [one.replace("=", " = ", 1) if ": " in one else one for one in given]
    gives = ast.unparse(node.returns) if node.returns is not None else "None"
    arrow = "" if gives == "None" else f" -> {gives}"
    if len(", ".join(given)) + len(arrow) < 64:
        return f"({', '.join(given)}){arrow}"
    return "(\n" + "".join(f"    {one},\n" for one in given) + f"){arrow}"


def _split(parameters: str) -> list[str]:
    """Parameters by the commas between them, not those inside of brackets."""
    found, depth, begun = [], 0, 0
    for place, letter in enumerate(parameters):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            found.append(parameters[begun:place].strip())
            begun = place + 1
    return [*found, parameters[begun:].strip()]


def _members(value: type) -> Iterator[str]:
    rows = [(code(name), code(kind), anchored(said)) for name, kind, said in _fields(value)]
    yield table(("field", "type", ""), rows)
    for name in _public(value):
        member = inspect.getattr_static(value, name)
        if isinstance(member, property):
            yield f"### {value.__name__}.{name}"
            yield from _docstring(member.__doc__ or "")
        elif inspect.isfunction(member) or isinstance(member, classmethod):
            found = getattr(value, name)
            if not found.__doc__:
                continue
            yield f"### {value.__name__}.{name}"
            signature = _signature(found)
            waits = "await " if inspect.iscoroutinefunction(found) else ""
            yield fenced(f"{waits}{_whose(value)}.{name}{signature}", "python")
            yield from _docstring(found.__doc__)


def _fields(value: type) -> Iterator[tuple[str, str, str]]:
    """The fields of a tuple with names, and what its source says below each."""
    if not hasattr(value, "_fields"):
        return
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(value))).body
    assert isinstance(node, ast.ClassDef)
    for one, after in itertools.pairwise([*node.body, ast.Pass()]):
        if isinstance(one, ast.AnnAssign):
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            said = str(after.value.value) if told else ""
            yield ast.unparse(one.target), ast.unparse(one.annotation), " ".join(said.split())


def _whose(value: type) -> str:
    return value.__name__.lower()


def _public(value: type) -> list[str]:
    own = [base for base in value.__mro__ if base.__module__.startswith("guardkit")]
    fields = set(getattr(value, "_fields", ()))
    names = [name for base in own for name in vars(base)]
    return [
        name
        for name in dict.fromkeys(names)
        if not name.startswith("_") and name not in fields and name != "with_traceback"
    ]


def _docstring(text: str) -> Iterator[str]:
    """A docstring with its parts: arguments as a table, an example as code."""
    claim, *rest = _HEADING.split(inspect.cleandoc(text))
    yield anchored(claim.strip())
    for heading, body in zip(rest[::2], rest[1::2], strict=True):
        if heading == "Example":
            lines = flowing(body).replace("  # doctest: +SKIP", "")
            yield fenced(lines, "pycon")
            continue
        rows = _entries(body)
        yield table(({"Args": "argument", "Raises": "raises"}.get(heading, heading), ""), rows)
        if not rows:
            yield f"*{heading}*: {anchored(' '.join(body.split()))}"


def _entries(body: str) -> list[tuple[str, str]]:
    entries = re.split(r"^(?=\w[\w.]*: )", flowing(body), flags=re.MULTILINE)
    rows = []
    for entry in entries:
        name, colon, said = entry.partition(": ")
        if colon and re.fullmatch(r"[\w.]+", name):
            rows.append((code(name), anchored(" ".join(said.split()))))
    return rows


def _integrations() -> str:
    """What every adapter shows, as far as its package need not be there to look."""
    folder = Path(guardkit.__file__).parent / "integrations"
    found = (path.stem for path in folder.iterdir() if path.name[0] not in "_." and _is_room(path))
    parts: list[str] = []
    for name in sorted(found):
        door = importlib.import_module(f"guardkit.integrations.{name}")
        parts += [f"## guardkit.integrations.{name}", _claim(door)]
        for shown in getattr(door, "__all__", None) or _defined(door):
            if shown in _NEED_A_PACKAGE.get(name, ()):
                parts += [f"### {shown}", "There with its package: see its page."]
                continue
            value = getattr(door, shown)
            if inspect.isfunction(value) and value.__doc__:
                parts += _told(shown, value, name)
            elif inspect.isclass(value) and value.__doc__:
                parts += [f"### {shown}", *_docstring(value.__doc__)]
    return page(
        "Integrations",
        "Everything that adapters show. A package that is missing or too old is one sentence, a"
        " `BindError`, when the name is used.",
        *parts,
    )


def _is_room(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").is_file()


def _rooms() -> str:
    parts = []
    for room in _SHOWN:
        door = importlib.import_module(room)
        names = getattr(door, "__all__", None) or _defined(door)
        rows = []
        for name in names:
            value = getattr(door, name)
            ours = str(getattr(value, "__module__", "")).startswith("guardkit")
            said = (inspect.getdoc(value) or "").partition("\n")[0] if ours else ""
            if said and callable(value) and "Mapping" not in type(value).__name__:
                rows.append((code(name), anchored(said)))
        parts += [f"## {room}", _claim(door), table(("name", "what it is"), rows)]
    return page(
        "Other rooms",
        "Names for those who extend guardkit or build on it. Import them from the room:"
        " `from guardkit.testing import run_tests`.",
        *parts,
    )


def _defined(door: Any) -> list[str]:
    return [
        name
        for name, value in vars(door).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == door.__name__
    ]


def _claim(door: Any) -> str:
    return anchored((door.__doc__ or "").partition("\n")[0])
