"""`dataclass(frozen=True, slots=True)` for files with dozens of them: no code is generated.

The standard library writes the source of six methods for each class and compiles it. For the nodes
of a syntax tree, a checked policy and a plan that took a third of the time in which a small policy
is checked. Here the methods are closures. Fields, `replace`, `match`, equality, hashing, pickling
and the text of a value are as in the standard library; only the signature of a class says less.

A class of which many values are made, as in a large policy, gets the generated `__init__` yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields, make_dataclass
from dataclasses import dataclass as plain_dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["dataclass", "field"]

T = TypeVar("T")

_OFTEN = 200
"""So many values are made slowly before it pays to generate code that makes them quickly."""

if TYPE_CHECKING:
    from dataclasses import dataclass  # to a type checker it is the real one
else:

    def dataclass(*, frozen, slots):
        """The decorator. Its arguments are what type checkers read, and have to be true."""
        assert frozen
        assert slots
        return _made


def _made(cls: type[T]) -> type[T]:
    """The class, its fields as slots, with methods after which no value can be changed."""
    own = set(cls.__dict__)
    made = plain_dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    for name, method in _methods(made, fields(made)).items():  # type: ignore[arg-type]  # it is one
        if name not in own:
            setattr(made, name, method)
    return made


def _methods(cls: type, parts: tuple[Field[Any], ...]) -> dict[str, Callable[..., Any]]:
    names = tuple(part.name for part in parts)
    shown = tuple(part.name for part in parts if part.repr)
    compared = _reader(part.name for part in parts if part.compare)
    setters = tuple(getattr(cls, name).__set__ for name in names)  # whatever `__setattr__` says

    made = 0

    def init(self: Any, *values: Any, **named: Any) -> None:
        nonlocal made
        made += 1
        if made == _OFTEN and cls.__init__ is init:  # type: ignore[misc]  # it is looked at, no more
            cls.__init__ = _generated(cls, parts)  # type: ignore[misc]
        if named or len(values) != len(setters):
            values = _completed(cls, parts, values, named)
        for put, value in zip(setters, values, strict=True):
            put(self, value)

    def text(self: Any) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({inside})"

    def equal(self: Any, other: Any) -> Any:  # a truth, or that it cannot tell
        return compared(self) == compared(other) if type(other) is type(self) else NotImplemented

    def hashed(self: Any) -> int:
        return hash(compared(self))

    def state(self: Any) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in names)

    def restore(self: Any, values: tuple[Any, ...]) -> None:
        for put, value in zip(setters, values, strict=True):
            put(self, value)

    return {
        "__init__": init,
        "__repr__": text,
        "__eq__": equal,
        "__hash__": hashed,
        "__getstate__": state,
        "__setstate__": restore,
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
    }


def _generated(cls: type, parts: tuple[Field[Any], ...]) -> Callable[..., None]:
    """The `__init__` of the standard library for these fields."""
    same = [
        (
            part.name,
            Any,
            field(default=part.default)
            if part.default is not MISSING
            else field(default_factory=part.default_factory)
            if part.default_factory is not MISSING
            else field(),
        )
        for part in parts
    ]
    twin: Any = make_dataclass(cls.__name__, same, frozen=True)
    made: Callable[..., None] = twin.__init__
    return made


def _reader(names: Iterable[str]) -> Callable[[Any], Any]:
    """Gives some values of an object as one."""
    wanted = tuple(names)
    return attrgetter(*wanted) if wanted else lambda _: ()


def _completed(
    cls: type, parts: tuple[Field[Any], ...], values: tuple[Any, ...], named: dict[str, Any]
) -> tuple[Any, ...]:
    """Every value in order: those given by place, those given by name, the defaults of others."""
    if len(values) > len(parts):
        raise TypeError(f"{cls.__name__}() takes {len(parts)} values, not {len(values)}")
    made = list(values)
    for part in parts[len(values) :]:
        if part.name in named:
            made.append(named.pop(part.name))
        elif part.default is not MISSING:
            made.append(part.default)
        elif part.default_factory is not MISSING:
            made.append(part.default_factory())
        else:
            raise TypeError(f"{cls.__name__}() has no value for `{part.name}`")
    if named:
        raise TypeError(f"{cls.__name__}() cannot take `{next(iter(named))}`")
    return tuple(made)


def _refuse_to_set(self: object, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
