"""Imports only point down, low floors stay light, and no text becomes code.

The first half judges the checkout, the second proves on tiny trees that each rule
catches its offence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import _floors as floors

PACKAGE = Path(__file__).parents[2] / "guardkit"

Rule = Callable[[Path], Iterator[str]]


@pytest.mark.parametrize(
    "rule",
    [
        floors.floor_offences,
        floors.weight_offences,
        floors.unsafe_offences,
        floors.length_offences,
        floors.readme_offences,
    ],
    ids=lambda rule: rule.__name__,
)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    offences = list(rule(PACKAGE))
    assert not offences, "\n" + "\n".join(offences)


def test_the_checkout_is_read() -> None:
    parsed = {module.parts for module in floors.modules(PACKAGE)}
    assert {("__init__",), ("errors",), ("diagnostics",)} <= parsed


def test_every_room_stands_on_one_floor() -> None:
    rooms = [room for floor in floors.FLOORS for room in floor]
    assert len(rooms) == len(set(rooms))
    assert set(floors.package_rooms(PACKAGE)) <= set(rooms)


# --- the rules themselves


def plant(root: Path, **files: str) -> Path:
    """A package from `room__file="source"`; the rooms' doors are added, empty."""
    package = root / "guardkit"
    for name, source in files.items():
        # A file's leading underscore is the third one: plan___lower is plan/_lower.py.
        room, _, file = name.partition("__")
        path = package / room / f"{file}.py" if room and file else package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    for folder in {path.parent for path in package.rglob("*.py")} - {package}:
        (folder / "__init__.py").touch()
    return package


def only_offence(rule: Rule, package: Path) -> str:
    offences = list(rule(package))
    assert len(offences) == 1, offences
    return offences[0]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("from guardkit.guard import load", "imports `guard` (floor 6) from floor 4"),
        ("from guardkit.models import Model", "imports `models` (floor 4) from floor 4"),
        ("def late():\n    from guardkit.cli import main", "imports `cli` (floor 9) from floor 4"),
        (
            "import typing\nif typing.TYPE_CHECKING:\n    from guardkit.runtime import Engine",
            "imports `runtime` (floor 5) from floor 4",
        ),
        ("import guardkit", "imports `guardkit` itself"),
        ("from guardkit import types", "imports `guardkit` itself"),
        ("from guardkit.syntax._ast import Policy", "past the door of `syntax`"),
        ("from guardkit.syntax import _ast", "past the door of `syntax`"),
        ("from guardkit.syntax.ast import Policy", "past the door of `syntax`"),
        ("import guardkit.syntax._ast as ast", "past the door of `syntax`"),
        ("from guardkit._util._deep import x", "past the door of `_util`"),
        ("from guardkit.plan import Plan", "imports its own room `plan` by name"),
        ("from guardkit.plan._graph import Node", "imports its own room `plan` by name"),
        ("from . import Plan", "imports `Plan` through its own door"),
        ("from ..syntax import parse", "leaves its room by a relative import"),
        ("from .. import syntax", "leaves its room by a relative import"),
        ("from guardkit.helpers import x", "`helpers`, a room that stands on no floor"),
        ("from importlib import import_module\nimport_module('guardkit.guard')", "imports `guard`"),
        ("class A:\n    from guardkit.guard import load", "imports `guard` (floor 6)"),
        ("try:\n    import x\nexcept ImportError:\n    import guardkit.cli", "imports `cli`"),
    ],
)
def test_an_upward_or_side_import_is_caught(tmp_path: Path, source: str, says: str) -> None:
    package = plant(tmp_path, plan___lower=source, plan___graph="")
    found = only_offence(floors.floor_offences, package)
    assert found.startswith("plan/_lower.py:")
    assert says in found


@pytest.mark.parametrize(
    "source",
    [
        "from guardkit.semantics import CheckedPolicy",
        "from guardkit._util.values import Money",
        "from guardkit._util import values",
        "import guardkit.diagnostics as diagnostics",
        "from ._graph import Node",
        "from . import _graph as graph",
        "import json, collections.abc",
        "from importlib import import_module\nimport_module(name)",
    ],
)
def test_a_downward_import_passes(tmp_path: Path, source: str) -> None:
    package = plant(tmp_path, plan___lower=source, plan___graph="")
    assert list(floors.floor_offences(package)) == []


def test_a_single_file_room_uses_doors_too(tmp_path: Path) -> None:
    package = plant(
        tmp_path, guard="from .plan import lower", errors="from guardkit.types import Action"
    )
    assert "leaves its room" in only_offence(floors.floor_offences, package)


def test_the_front_door_may_name_every_room_but_not_its_files(tmp_path: Path) -> None:
    package = plant(
        tmp_path, __init__="from guardkit.cli import main\nfrom guardkit.plan._x import y"
    )
    assert "past the door of `plan`" in only_offence(floors.floor_offences, package)


def test_a_subpackage_reaches_its_room_by_relative_imports(tmp_path: Path) -> None:
    inner = tmp_path / "guardkit" / "checks" / "pii"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").touch()
    (inner.parent / "_spec.py").touch()
    (inner / "__init__.py").write_text("from .._spec import x\nfrom .. import _spec\n")
    (inner / "_a.py").write_text("from .._spec import x\nfrom ...plan import Plan\n")
    found = only_offence(floors.floor_offences, tmp_path / "guardkit")
    assert found == "checks/pii/_a.py:2 leaves its room by a relative import"


def test_an_unknown_room_is_caught(tmp_path: Path) -> None:
    package = plant(tmp_path, common__x="")
    assert len(list(floors.floor_offences(package))) == 2  # the door and the file


@pytest.mark.parametrize(
    ("file", "source", "says"),
    [
        ("syntax___a", "import pydantic", "imports `pydantic` on floor 2"),
        ("syntax___a", "import re2", "imports `re2` on floor 2"),
        ("catalog", "def late():\n    import anyio", "imports `anyio` on floor 1"),
        ("plan___a", "from lark import Token", "imports `lark` outside `syntax`"),
        ("models___a", "import numpy as np", "imports `numpy` with the module"),
        (
            "models___a",
            "try:\n    import onnxruntime\nexcept ImportError: ...",
            "`onnxruntime` with",
        ),
        (
            "models___a",
            "class A:\n    from tokenizers import Tokenizer",
            "`tokenizers` with the module",
        ),
        ("server___a", "import httpx2", "imports `httpx2` with the module"),
        ("server___a", "import http.client", "imports `http` with the module"),
        ("server___a", "from http import server", "imports `http` with the module"),
        ("server___a", "from urllib.request import urlopen", "imports `urllib` with the module"),
        ("runtime___a", "import asyncio", "imports `asyncio`"),
        ("runtime___a", "def late():\n    from asyncio import sleep", "imports `asyncio`"),
        ("runtime___a", "__import__('asyncio')", "imports `asyncio`"),
        ("__init__", "import pydantic", "imports `pydantic` at the front door"),
    ],
)
def test_weight_is_caught(tmp_path: Path, file: str, source: str, says: str) -> None:
    assert says in only_offence(floors.weight_offences, plant(tmp_path, **{file: source}))


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("syntax___a", "from lark import Token"),
        ("semantics___a", "import re2"),
        ("models___a", "def load():\n    import numpy"),
        ("models___a", "import typing\nif typing.TYPE_CHECKING:\n    import numpy"),
        ("server___a", "from http import HTTPStatus\nfrom urllib.parse import urlsplit"),
        ("cli___a", "import click, rich.console"),
    ],
)
def test_fitting_weight_passes(tmp_path: Path, file: str, source: str) -> None:
    assert list(floors.weight_offences(plant(tmp_path, **{file: source}))) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "run = exec",
        "def late():\n    return compile('1', '', 'eval')",
        "import builtins\nbuiltins.eval('1')",
        "from builtins import exec as run",
        "import pickle",
        "def late():\n    from marshal import loads",
        "from importlib import import_module\nimport_module('shelve')",
        "load('x.npy', allow_pickle=True)",
        "load('x.npy', allow_pickle=flag)",
    ],
)
def test_text_that_becomes_code_is_caught(tmp_path: Path, source: str) -> None:
    assert only_offence(floors.unsafe_offences, plant(tmp_path, plan___a=source))


@pytest.mark.parametrize(
    "source",
    ["import re\nre.compile('a')", "model.eval()", "load('x.npy', allow_pickle=False)"],
)
def test_harmless_namesakes_pass(tmp_path: Path, source: str) -> None:
    assert list(floors.unsafe_offences(plant(tmp_path, plan___a=source))) == []


def test_a_long_file_is_caught(tmp_path: Path) -> None:
    package = plant(tmp_path, plan___a="x = 1\n" * 600, plan___b="x = 1\n" * 601)
    assert only_offence(floors.length_offences, package).startswith("plan/_b.py has 601 lines")


def test_a_room_without_a_readme_is_caught(tmp_path: Path) -> None:
    package = plant(tmp_path, plan___a="", text___a="", guard="")
    (package / "text" / "README.md").write_text("# text\n")
    assert only_offence(floors.readme_offences, package) == "plan has no README.md"
