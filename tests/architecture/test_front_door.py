"""The front door shows what `__all__` says, loads it late, and its errors say what they promise."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pickle
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

import guardkit
from guardkit import errors
from guardkit.diagnostics import Place, Source, Span, diagnose

DOOR = Path(guardkit.__file__)
MOST_NAMES = 30


def kind_then_name(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that ruff keeps."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def names_for_type_checkers() -> set[str]:
    names: set[str] = set()
    for node in ast.parse(DOOR.read_bytes()).body:
        if isinstance(node, ast.If):
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom):
                    names |= {alias.asname or alias.name for alias in inner.names}
    return names


def test_the_door_is_sorted_small_and_without_doubles() -> None:
    assert list(guardkit.__all__) == sorted(set(guardkit.__all__), key=kind_then_name)
    assert len(guardkit.__all__) <= MOST_NAMES


@pytest.mark.parametrize("name", guardkit.__all__)
def test_each_name_resolves_and_stays(name: str) -> None:
    value = getattr(guardkit, name)
    assert value is not None
    assert not isinstance(value, ModuleType)
    assert getattr(guardkit, name) is value
    assert name in vars(guardkit)


@pytest.mark.parametrize("name", [name for name in guardkit.__all__ if name[0] != "_"])
def test_each_object_is_documented(name: str) -> None:
    value = getattr(guardkit, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__, f"`{name}` has no docstring"


def test_the_door_shows_what_type_checkers_see() -> None:
    assert names_for_type_checkers() | {"__version__"} == set(guardkit.__all__)


def test_the_door_shows_nothing_else() -> None:
    for name in guardkit.__all__:
        getattr(guardkit, name)
    # The parts of the machinery that opens the door are private or the standard library's.
    machinery = {"annotations", "TYPE_CHECKING"}
    shown = {
        name
        for name, value in vars(guardkit).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert shown - machinery == set(guardkit.__all__) - {"__version__"}
    assert dir(guardkit) == sorted(guardkit.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="`nonsense`") as caught:
        guardkit.nonsense  # noqa: B018 - the look-up is the test
    assert caught.value.name == "nonsense"
    with pytest.raises(ImportError):
        importlib.import_module("guardkit.nonsense")


def test_the_version_has_three_numbers() -> None:
    assert [part.isdigit() for part in guardkit.__version__.split(".")] == [True] * 3


# --- what comes through it


@dataclass(frozen=True, slots=True)
class Verdict:
    action: str = "block"
    text: str = "no"
    message: str | None = "no"
    fired: tuple[str, ...] = ("no-cards", "no-secrets")


def test_every_error_is_a_guardkit_error() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), guardkit.GuardkitError)


def test_a_policy_error_says_everything_in_one_line_each() -> None:
    source = Source("support.guard", "policy x\nrule y\n")
    first = diagnose("unknown-check", Place(source, Span(7, 8)), "first is wrong")
    second = diagnose("unknown-check", Place(source, Span(14, 15)), "second is wrong")
    error = guardkit.PolicyError([first, second])
    assert error.diagnostics == (first, second)
    said = str(error).splitlines()
    assert len(said) == 2
    assert "support.guard:1:8" in said[0]
    assert "first is wrong" in said[0]
    assert "second is wrong" in said[1]


def test_a_bind_error_says_every_problem() -> None:
    assert str(guardkit.BindError("one", "two")) == "one\ntwo"


def test_blocked_names_rules_and_no_content() -> None:
    blocked = guardkit.Blocked(Verdict())  # type: ignore[arg-type]  # a stand-in
    assert str(blocked) == "blocked by `no-cards`, `no-secrets`"
    assert blocked.verdict.message == "no"


def test_errors_survive_another_process() -> None:
    there = pickle.loads(pickle.dumps(guardkit.BindError("one", "two")))
    assert there.problems == ("one", "two")
    assert pickle.loads(pickle.dumps(guardkit.Blocked(Verdict()))).verdict == Verdict()  # type: ignore[arg-type]


def test_the_examples_run() -> None:
    assert doctest.testmod(errors) == (0, 2)
