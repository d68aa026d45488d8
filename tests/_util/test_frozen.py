"""Classes without generated code behave as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from typing import Any, ClassVar

import pytest

from guardkit._util import frozen
from guardkit._util.frozen import field


@frozen.dataclass(frozen=True, slots=True)
class Base:
    """A field that counts for nothing, inherited."""

    place: object = field(compare=False, repr=False)


@frozen.dataclass(frozen=True, slots=True)
class Ours(Base):
    """Fields of every sort."""

    op: ClassVar[str] = "ours"

    name: str
    size: int = 3
    parts: tuple[str, ...] = ()
    more: dict[str, int] = field(default_factory=dict)

    @property
    def doubled(self) -> int:
        return self.size * 2


@frozen.dataclass(frozen=True, slots=True)
class Empty:
    """No field at all."""


@frozen.dataclass(frozen=True, slots=True)
class Single:
    """One field."""

    only: object


@dataclasses.dataclass(frozen=True, slots=True)
class StandardBase:
    place: object = dataclasses.field(compare=False, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Standard(StandardBase):
    op: ClassVar[str] = "standard"

    name: str
    size: int = 3
    parts: tuple[str, ...] = ()
    more: dict[str, int] = dataclasses.field(default_factory=dict)


MADE = [
    ((None, "a"), {}),
    ((None,), {"name": "a"}),
    ((), {"name": "a", "place": 1}),
    ((None, "a", 4, ("b",), {"c": 1}), {}),
    ((None, "a"), {"parts": ("b",)}),
]
WRONG = [
    ((), {}),
    ((None,), {}),
    ((None, "a"), {"name": "b"}),
    ((None, "a"), {"other": 1}),
    ((None, "a", 1, (), {}, 6), {}),
]


@pytest.mark.parametrize(("values", "named"), MADE)
def test_values_are_taken_shown_and_listed_alike(values: Any, named: Any) -> None:
    ours, standard = Ours(*values, **named), Standard(*values, **named)
    assert repr(ours) == repr(standard).replace("Standard", "Ours")
    names = [part.name for part in fields(ours)]
    assert names == [part.name for part in fields(standard)]
    assert [getattr(ours, name) for name in names] == [getattr(standard, name) for name in names]
    assert dataclasses.asdict(ours) == dataclasses.asdict(standard)


@pytest.mark.parametrize(("values", "named"), WRONG)
def test_the_same_calls_are_refused(values: Any, named: Any) -> None:
    for cls in (Ours, Standard):
        with pytest.raises(TypeError):
            cls(*values, **named)


def test_each_value_has_a_default_of_its_own() -> None:
    assert Ours(None, "a").more is not Ours(None, "a").more


def test_only_compared_fields_count() -> None:
    assert Ours(1, "a", parts=("b",)) == Ours(2, "a", parts=("b",))
    assert Ours(1, "a") != Ours(1, "b")
    assert Ours(1, "a") != Standard(1, "a")
    assert hash(Single(("a", 1))) == hash(Single(("a", 1)))
    assert {Empty(): 1}[Empty()] == 1
    assert Empty() != Single(())
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ours(1, "a"))  # it holds a dict


def test_nothing_can_be_changed() -> None:
    made = Ours(None, "a")
    with pytest.raises(FrozenInstanceError):
        made.name = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del made.name
    with pytest.raises((FrozenInstanceError, AttributeError)):
        made.other = 1  # type: ignore[attr-defined]
    assert not hasattr(made, "__dict__")


def test_replace_and_match() -> None:
    made = replace(Ours(7, "a", 5), name="b")
    assert (made.place, made.name, made.size, made.doubled) == (7, "b", 5, 10)
    match made:
        case Ours(7, "b", size):
            assert size == 5
        case _:
            pytest.fail("no match")
    assert Ours.op == "ours"
    assert is_dataclass(Ours)


@pytest.mark.parametrize("made", [Ours(7, "a", more={"c": 1}), Empty(), Single(()), Single("x")])
def test_copies_are_equal(made: Any) -> None:
    for copied in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
        assert copied == made
        assert [getattr(copied, part.name) for part in fields(made)] == [
            getattr(made, part.name) for part in fields(made)
        ]


def test_a_method_of_its_own_is_kept() -> None:
    @frozen.dataclass(frozen=True, slots=True)
    class Quiet:
        """Shows nothing."""

        secret: str

        def __repr__(self) -> str:
            return "Quiet(…)"

    assert repr(Quiet("x")) == "Quiet(…)"


def test_its_arguments_are_not_a_choice() -> None:
    with pytest.raises(AssertionError):
        frozen.dataclass(frozen=False, slots=True)
