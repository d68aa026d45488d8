"""Holds a text against a JSON Schema or a model class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from guardkit.catalog import NO, Answer, Setting, Subject
from guardkit.errors import BindError

from ._called import called
from ._files import content_of
from ._json import NotJsonError, parse
from ._json_schema import compile_schema
from ._schema_walk import SchemaError, Test, Walk

MOST_HINTS = 20

_TOLD = frozenset(
    {"expected", "ge", "gt", "le", "lt", "max_length", "min_length", "multiple_of", "pattern"}
)
"""What pydantic may tell about an error: bounds of the model, never anything of the value."""


def bind(config: Mapping[str, object], setting: Setting) -> Schema:
    """A reader that holds texts against a schema.

    Raises:
        BindError: The schema cannot be read or used, or the model class is none.
    """
    shapes: list[_Shape] = []
    if "file" in config:
        shapes.append(_JsonSchema(_test_of(config["file"], setting)))
    if "call" in config or setting.given is not None:
        shapes.append(_Model(_adapter(called(config, setting), setting.name)))
    return Schema(shapes)


def _test_of(file: object, setting: Setting) -> Test:
    assert isinstance(file, tuple)
    try:
        return compile_schema(parse(content_of(setting, file).decode("utf-8-sig")))
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    except (NotJsonError, SchemaError) as error:
        problem = str(error)
    raise BindError(f"the schema `{file[0]}` cannot be used: {problem}")


def _adapter(model: Any, name: str) -> Any:  # anything may be given; pydantic loads at bind
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(model)
    except Exception as error:
        what = type(error).__name__
        raise BindError(f"pydantic cannot use the model of `{name}`: {what}") from error


class _Shape(Protocol):
    def fits(self, text: str, value: object) -> bool:
        """Whether a text, and the JSON value that it is, has this shape."""

    def hints(self, text: str, value: object) -> Iterator[str]:
        """What would have to be different."""


class Schema:
    """Says yes to what does not satisfy its shapes; implements `Reader`.

    Args:
        shapes: What a text has to satisfy, all of it.
    """

    __slots__ = ("_shapes",)

    def __init__(self, shapes: Sequence[_Shape]) -> None:
        self._shapes = tuple(shapes)

    def read(self, subject: Subject) -> Answer:
        """Whether something is wrong with the text."""
        text = subject.text
        try:
            value = parse(text)
        except NotJsonError:
            return Answer(True)
        try:
            is_fine = all(shape.fits(text, value) for shape in self._shapes)
        except RecursionError:
            is_fine = False  # a definition of many steps, and a text that takes it at every level
        return NO if is_fine else Answer(True)

    def repair_hints(self, text: str) -> tuple[str, ...]:
        """What was expected and where, one short sentence each; nothing of the text but its shape.

        Empty for a text that is fine.
        """
        try:
            value = parse(text)
        except NotJsonError as error:
            return (str(error),)
        try:
            hints = [hint for shape in self._shapes for hint in shape.hints(text, value)]
        except RecursionError:
            return ("a value with fewer levels is expected",)
        return tuple(dict.fromkeys(hints))[:MOST_HINTS]


class _JsonSchema:
    __slots__ = ("_test",)

    def __init__(self, test: Test) -> None:
        self._test = test

    def fits(self, text: str, value: object) -> bool:
        return self._test(value, Walk(None))

    def hints(self, text: str, value: object) -> Iterator[str]:
        notes: dict[str, None] = {}
        self._test(value, Walk(notes))
        yield from notes


class _Model:
    """A pydantic model.

    It reads the text itself, as it would in the program: dates and enums differ from plain values.
    """

    __slots__ = ("_adapter", "_names")

    def __init__(self, adapter: Any) -> None:  # a `TypeAdapter` of any type
        self._adapter = adapter
        self._names = frozenset(_property_names(adapter))

    def fits(self, text: str, value: object) -> bool:
        return not self._errors(text)

    def hints(self, text: str, value: object) -> Iterator[str]:
        for error in self._errors(text):
            place = "".join(f"/{self._part(part)}" for part in error["loc"])
            told = error.get("ctx", {})
            bounds = "".join(f", {name} {told[name]}" for name in sorted(_TOLD & set(told)))
            yield f"at {f'`{place}`' if place else 'the top'}: {error['type']}{bounds}"

    def _part(self, part: int | str) -> str:
        """A step down. A key that the model does not name is guarded text."""
        return str(part) if isinstance(part, int) or part in self._names else "*"

    def _errors(self, text: str) -> list[Any]:
        from pydantic import ValidationError

        try:
            self._adapter.validate_json(text)
        except ValidationError as error:
            return error.errors(include_url=False, include_input=False)
        except UnicodeEncodeError:
            return [{"loc": (), "type": "string_unicode"}]
        return []


def _property_names(adapter: Any) -> Iterator[str]:
    """Every property that the model names."""
    try:
        todo = [adapter.json_schema()]
    except Exception:  # noqa: BLE001 - a model without a schema only loses names in its hints
        return
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            properties = part.get("properties")
            yield from properties if isinstance(properties, dict) else ()
            todo += part.values()
        elif isinstance(part, list):
            todo += part
