"""A JSON Schema as one function, made once; what this does not know, it refuses.

The words are those of the 2020-12 core that judge a value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from guardkit.errors import BindError

from ._formats import FORMATS
from ._json import key_of
from ._matches import encoded, prepare
from ._schema_walk import (
    JSON_TYPES,
    Compiler,
    Maker,
    MakerRow,
    SchemaError,
    Test,
    Walk,
    all_of,
    always,
    down,
)


def compile_schema(document: object) -> Test:
    """The test that a JSON Schema stands for.

    Raises:
        SchemaError: It is no schema, or it asks for something that is not known here.
    """
    compiler = Compiler(document, _MAKERS, _KNOWN)
    test = compiler.target("")
    compiler.refuse_endless()
    return test


# --- what the words take


def _count(schema: Mapping[str, Any], word: str, where: str) -> int | None:
    argument = schema.get(word)
    if argument is None and word not in schema:
        return None
    if isinstance(argument, float) and argument.is_integer():
        argument = int(argument)
    if type(argument) is not int or argument < 0:
        raise SchemaError(f"`{word}` in `{where}` is not a count")
    return argument


def _number(schema: Mapping[str, Any], word: str, where: str) -> int | float:
    argument: object = schema[word]
    if isinstance(argument, bool) or not isinstance(argument, int | float):
        raise SchemaError(f"`{word}` in `{where}` is not a number")
    return argument


def _list(schema: Mapping[str, Any], word: str, where: str) -> list[Any]:
    argument = schema[word]
    if not isinstance(argument, list) or not argument:
        raise SchemaError(f"`{word}` in `{where}` is not a list of something")
    return argument


def _object(schema: Mapping[str, Any], word: str, where: str) -> dict[str, Any]:
    argument = schema.get(word, {})
    if not isinstance(argument, dict):
        raise SchemaError(f"`{word}` in `{where}` is not an object")
    return argument


def _names(argument: object, word: str, where: str) -> tuple[str, ...]:
    if not isinstance(argument, list) or not all(isinstance(name, str) for name in argument):
        raise SchemaError(f"`{word}` in `{where}` is not a list of names")
    return tuple(argument)


def _regex(source: object, where: str) -> Callable[[str], bool]:
    if not isinstance(source, str):
        raise SchemaError(f"a pattern in `{where}` is not a text")
    try:
        search = prepare(source).regex.search
    except BindError as error:
        raise SchemaError(f"RE2 does not take the pattern `{source}` in `{where}`") from error
    return lambda text: search(encoded(text)) is not None


def _shown(values: Iterable[object]) -> str:
    shown = ", ".join(json.dumps(value, ensure_ascii=False) for value in values)
    return shown if len(shown) <= 300 else f"{shown[:300]} …"


# --- words for every kind of value

_NAMED: Mapping[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def _type(_: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    argument = schema["type"]
    names = _names(argument if isinstance(argument, list) else [argument], "type", where)
    for name in names:
        if name not in _NAMED:
            raise SchemaError(f"`{where}` asks for the type `{name}`, which there is not")
    fine = frozenset(kind for name in names for kind in _NAMED[name])
    is_whole = "integer" in names
    expected = f"{' or '.join(names)} is expected"

    def test(value: Any, walk: Walk) -> bool:
        kind = type(value)
        if kind in fine or (is_whole and kind is float and value.is_integer()):
            return True
        return walk.fails(expected)

    return test


def _enum(_: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    choices = [schema["const"]] if "const" in schema else []
    listed = _list(schema, "enum", where) if "enum" in schema else choices
    fine = {key_of(choice) for choice in listed}
    if choices:
        fine &= {key_of(choice) for choice in choices}
    expected = f"{_shown(choices or listed)} is expected"
    if len(choices or listed) > 1:
        expected = f"one of {expected}"
    return lambda value, walk: key_of(value) in fine or walk.fails(expected)


def _every_of(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    tests = _branches(compiler, schema, "allOf", where)
    return lambda value, walk: all_of((test(value, walk) for test in tests), walk)


def _any_of(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    tests = _branches(compiler, schema, "anyOf", where)
    expected = f"a value of one of {len(tests)} forms is expected"

    def test(value: Any, walk: Walk) -> bool:
        quiet = walk.quiet
        return any(test(value, quiet) for test in tests) or walk.fails(expected)

    return test


def _one_of(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    tests = _branches(compiler, schema, "oneOf", where)
    expected = f"a value of exactly one of {len(tests)} forms is expected"

    def test(value: Any, walk: Walk) -> bool:
        quiet = walk.quiet
        return sum(test(value, quiet) for test in tests) == 1 or walk.fails(expected)

    return test


def _branches(
    compiler: Compiler, schema: Mapping[str, Any], word: str, where: str
) -> tuple[Test, ...]:
    listed = _list(schema, word, where)
    return tuple(compiler.schema(one, f"{where}/{word}/{i}") for i, one in enumerate(listed))


def _not(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    test = compiler.schema(schema["not"], f"{where}/not")
    return lambda value, walk: (
        not test(value, walk.quiet) or walk.fails("a value of another form is expected")
    )


def _if(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    is_so = compiler.schema(schema["if"], f"{where}/if")
    then = compiler.schema(schema.get("then", True), f"{where}/then")
    other = compiler.schema(schema.get("else", True), f"{where}/else")
    return lambda value, walk: (then if is_so(value, walk.quiet) else other)(value, walk)


def _ref(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    return compiler.ref(schema["$ref"], f"{where}/$ref")


# --- texts and numbers


def _text(_: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    tests: list[tuple[Callable[[str], bool], str]] = []
    least, most = _count(schema, "minLength", where), _count(schema, "maxLength", where)
    if least is not None:
        tests.append((lambda text: len(text) >= least, f"at least {least} characters are expected"))
    if most is not None:
        tests.append((lambda text: len(text) <= most, f"at most {most} characters are expected"))
    if "pattern" in schema:
        regex = _regex(schema["pattern"], where)
        tests.append((regex, f"a text that matches `{schema['pattern']}` is expected"))
    if "format" in schema:
        name = schema["format"]
        if name not in FORMATS:
            raise SchemaError(f"`{where}` uses the format `{name}`, which guardkit does not know")
        tests.append((FORMATS[name], f"a text of the format `{name}` is expected"))
    return lambda value, walk: all_of(
        (test(value) or walk.fails(expected) for test, expected in tests), walk
    )


def _numeric(_: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    tests: list[tuple[Callable[[Any], bool], str]] = []
    for word, passes, said in (
        ("minimum", lambda bound: lambda value: value >= bound, "at least"),
        ("maximum", lambda bound: lambda value: value <= bound, "at most"),
        ("exclusiveMinimum", lambda bound: lambda value: value > bound, "above"),
        ("exclusiveMaximum", lambda bound: lambda value: value < bound, "below"),
        ("multipleOf", _multiple, "divisible by"),
    ):
        if word in schema:
            bound = _number(schema, word, where)
            if word == "multipleOf" and bound <= 0:
                raise SchemaError(f"`{word}` in `{where}` is not above 0")
            tests.append((passes(bound), f"a number {said} {bound} is expected"))
    return lambda value, walk: all_of(
        (test(value) or walk.fails(expected) for test, expected in tests), walk
    )


def _multiple(bound: float) -> Callable[[Any], bool]:
    """Exact, as the digits are written: 0.3 is three times 0.1."""
    exact = Fraction(str(bound))

    def test(value: float) -> bool:
        if isinstance(value, int) and isinstance(bound, int):
            return value % bound == 0
        number = str(value)
        return number not in ("inf", "-inf") and Fraction(number) % exact == 0

    return test


# --- arrays and objects


def _array(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    if isinstance(schema.get("items"), list):
        raise SchemaError(f"`items` in `{where}` is a list, as in older drafts: `prefixItems`")
    first: tuple[Test, ...] = ()
    if "prefixItems" in schema:
        listed = _list(schema, "prefixItems", where)
        first = tuple(
            compiler.below(one, f"{where}/prefixItems/{i}") for i, one in enumerate(listed)
        )
    rest = compiler.below(schema.get("items", True), f"{where}/items")

    def tests(value: list[Any], walk: Walk) -> Iterator[bool]:
        for at, item in enumerate(value):
            yield down(first[at] if at < len(first) else rest, item, walk, str(at))

    return lambda value, walk: all_of(tests(value, walk), walk)


def _sized(least_word: str, most_word: str, what: str) -> Maker:
    def make(_: Compiler, schema: Mapping[str, Any], where: str) -> Test:
        least = _count(schema, least_word, where) or 0
        most = _count(schema, most_word, where)
        top = float("inf") if most is None else most
        expected = f"at least {least} {what}" + ("" if most is None else f" and at most {most}")
        return lambda value, walk: (
            least <= len(value) <= top or walk.fails(f"{expected} are expected")
        )

    return make


def _unique(_: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    if not isinstance(schema["uniqueItems"], bool):
        raise SchemaError(f"`uniqueItems` in `{where}` is neither true nor false")
    if not schema["uniqueItems"]:
        return always
    return lambda value, walk: (
        len(set(map(key_of, value))) == len(value)
        or walk.fails("items that are all different are expected")
    )


def _contains(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    wanted = compiler.below(schema["contains"], f"{where}/contains")
    least, most = _count(schema, "minContains", where), _count(schema, "maxContains", where)
    low = 1 if least is None else least
    high = float("inf") if most is None else most
    expected = f"at least {low} items of one form" + ("" if most is None else f", at most {most}")

    def test(value: list[Any], walk: Walk) -> bool:
        quiet = walk.quiet
        return low <= sum(wanted(item, quiet) for item in value) <= high or walk.fails(
            f"{expected}, are expected"
        )

    return test


def _properties(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    named = {
        name: compiler.below(one, f"{where}/properties/{name}")
        for name, one in _object(schema, "properties", where).items()
    }
    shaped = [
        (_regex(source, where), compiler.below(one, f"{where}/patternProperties/{source}"))
        for source, one in _object(schema, "patternProperties", where).items()
    ]
    other = schema.get("additionalProperties", True)
    rest = None if other is True else compiler.below(other, f"{where}/additionalProperties")
    only = ", ".join(f"`{name}`" for name in named)
    nothing_else = f"no property but {only} is expected" if named else "no property is expected"

    def tests(value: dict[str, Any], walk: Walk) -> Iterator[bool]:
        for key, inner in value.items():
            test = named.get(key)
            is_known = test is not None
            if test is not None:
                yield down(test, inner, walk, key)
            for matches, shape in shaped:
                if matches(key):
                    is_known = True
                    yield down(shape, inner, walk, "*")  # the key is guarded text
            if rest is not None and not is_known:
                yield walk.fails(nothing_else) if other is False else down(rest, inner, walk, "*")

    return lambda value, walk: all_of(tests(value, walk), walk)


def _property_names(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    test = compiler.below(schema["propertyNames"], f"{where}/propertyNames")
    return lambda value, walk: all_of((down(test, key, walk, "*") for key in value), walk)


def _required(_: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    names = _names(schema["required"], "required", where)
    return lambda value, walk: all_of(_has(value, names, walk), walk)


def _has(value: Collection[str], names: Iterable[str], walk: Walk) -> Iterator[bool]:
    return (name in value or walk.fails(f"the property `{name}` is expected") for name in names)


def _dependent(compiler: Compiler, schema: Mapping[str, Any], where: str) -> Test:
    needs = {
        name: _names(names, "dependentRequired", where)
        for name, names in _object(schema, "dependentRequired", where).items()
    }
    brings = {
        name: compiler.schema(one, f"{where}/dependentSchemas/{name}")
        for name, one in _object(schema, "dependentSchemas", where).items()
    }

    def tests(value: dict[str, Any], walk: Walk) -> Iterator[bool]:
        for name, names in needs.items():
            if name in value:
                yield from _has(value, names, walk)
        for name, test in brings.items():
            if name in value:
                yield test(value, walk)

    return lambda value, walk: all_of(tests(value, walk), walk)


_MAKERS: tuple[MakerRow, ...] = (
    (("type",), JSON_TYPES, _type),
    (("enum", "const"), JSON_TYPES, _enum),
    (("minLength", "maxLength", "pattern", "format"), (str,), _text),
    (
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        (int, float),
        _numeric,
    ),
    (("minItems", "maxItems"), (list,), _sized("minItems", "maxItems", "items")),
    (("items", "prefixItems"), (list,), _array),
    (("uniqueItems",), (list,), _unique),
    (("contains",), (list,), _contains),
    (("required",), (dict,), _required),
    (
        ("minProperties", "maxProperties"),
        (dict,),
        _sized("minProperties", "maxProperties", "properties"),
    ),
    (("properties", "patternProperties", "additionalProperties"), (dict,), _properties),
    (("propertyNames",), (dict,), _property_names),
    (("dependentRequired", "dependentSchemas"), (dict,), _dependent),
    (("$ref",), JSON_TYPES, _ref),
    (("allOf",), JSON_TYPES, _every_of),
    (("anyOf",), JSON_TYPES, _any_of),
    (("oneOf",), JSON_TYPES, _one_of),
    (("not",), JSON_TYPES, _not),
    (("if",), JSON_TYPES, _if),
)
"""Words that are judged together, the kinds of value they judge, and who makes the test."""

_SAYS_NOTHING = (
    "$comment $defs $id $schema default definitions deprecated description else examples"
    " maxContains minContains readOnly then title writeOnly"
)
"""Words that judge nothing by themselves."""

_KNOWN = frozenset({*_SAYS_NOTHING.split(), *(word for words, _, _ in _MAKERS for word in words)})
