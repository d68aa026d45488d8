"""Schemas: every word against another validator, strict JSON, and hints that leak nothing."""

from __future__ import annotations

import datetime
import json
from random import Random
from typing import Any, Literal

import jsonschema
import pydantic
import pytest

from guardkit.checks.live import _schema
from guardkit.checks.live._json import MAX_DEPTH
from guardkit.checks.live._json_schema import compile_schema
from guardkit.checks.live._schema_walk import Walk
from guardkit.errors import BindError

from ._around import HOSTILE, Here, Read, grows_in_step, pinned


def bound(schema: object, given: object | None = None) -> _schema.Schema:
    content = json.dumps(schema).encode()
    return _schema.bind({"file": pinned("s.json", content)}, Here({"s.json": content}, given))


def is_wrong(live: _schema.Schema, text: str) -> bool:
    value = live.read(Read(text)).value
    assert isinstance(value, bool)
    assert value is bool(live.repair_hints(text))
    return value


VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 1.0, 1.5, 0.3, 1e308, 10**12, "", "a", "ab", "abc", "äöü🎉",
    "2026-11-21", "x@y.example", [], [1], [1, 2], [1, 1], [1, 1.0], [1, True], ["a", "b", "c"],
    [[1], [1]], [{"a": 1}, {"a": 1.0}], {}, {"a": 1}, {"a": "x"}, {"a": 1, "b": 2}, {"b": None},
    {"a": {"a": {"a": 1}}}, {"x1": 1, "x2": "b"}, {"a": [1, {"b": 2}]}, {"long name": 1},
]  # fmt: skip

SCHEMAS: list[Any] = [
    True, False, {},
    {"type": "integer"}, {"type": "number"}, {"type": ["string", "null"]}, {"type": "boolean"},
    {"type": "object"}, {"type": "array"},
    {"enum": [1, "a", None, [1], {"a": 1}]}, {"const": 1}, {"const": True}, {"const": {"a": 1}},
    {"enum": [False, 0]},
    {"minLength": 2}, {"maxLength": 2}, {"minLength": 1, "maxLength": 3}, {"pattern": "^a"},
    {"pattern": "b"}, {"pattern": r"^\d{4}-\d\d"},
    {"minimum": 1}, {"maximum": 1}, {"exclusiveMinimum": 1}, {"exclusiveMaximum": 1},
    {"multipleOf": 2}, {"multipleOf": 0.1}, {"multipleOf": 1.5},
    {"minItems": 1}, {"maxItems": 1}, {"minItems": 2, "maxItems": 2}, {"uniqueItems": True},
    {"uniqueItems": False}, {"items": {"type": "integer"}}, {"items": False},
    {"prefixItems": [{"type": "integer"}, {"type": "string"}]},
    {"prefixItems": [{"type": "integer"}], "items": {"type": "boolean"}},
    {"prefixItems": [True], "items": False},
    {"contains": {"type": "integer"}}, {"contains": {"const": 1}, "maxContains": 1},
    {"contains": {"type": "string"}, "minContains": 2},
    {"contains": {"type": "string"}, "minContains": 0},
    {"required": ["a"]}, {"required": ["a", "b"]}, {"minProperties": 1}, {"maxProperties": 1},
    {"properties": {"a": {"type": "integer"}}},
    {"properties": {"a": {"type": "integer"}}, "additionalProperties": False},
    {"properties": {"a": True}, "additionalProperties": {"type": "integer"}},
    {"additionalProperties": False},
    {"patternProperties": {"^x": {"type": "integer"}}},
    {"patternProperties": {"^x": True}, "additionalProperties": False},
    {"propertyNames": {"maxLength": 1}},
    {"dependentRequired": {"a": ["b"]}}, {"dependentSchemas": {"a": {"required": ["b"]}}},
    {"allOf": [{"type": "integer"}, {"minimum": 1}]},
    {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    {"oneOf": [{"type": "number"}, {"type": "integer"}]},
    {"not": {"type": "object"}},
    {"if": {"type": "integer"}, "then": {"minimum": 1}, "else": {"type": "string"}},
    {"if": {"type": "integer"}},
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}},
    {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}},
    {"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "string"}}, "minLength": 2},
    {"properties": {"a": {"$ref": "#"}}, "additionalProperties": False},
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A tree",
        "anyOf": [{"type": "integer"}, {"properties": {"a": {"$ref": "#"}}, "type": "object"}],
    },
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema)[:60])
def test_each_word_means_what_it_means_elsewhere(schema: object) -> None:
    live = bound(schema)
    other = jsonschema.Draft202012Validator(schema)  # type: ignore[arg-type]
    for value in VALUES:
        if isinstance(value, float) and "multipleOf" in json.dumps(schema):
            continue  # the other one counts with rounded numbers
        wrong = is_wrong(live, json.dumps(value))
        assert wrong is not other.is_valid(value), value


@pytest.mark.parametrize("seed", range(40))
def test_words_together_mean_what_they_mean_elsewhere(seed: int) -> None:
    rng = Random(seed)
    plain = [s for s in SCHEMAS if isinstance(s, dict) and "$ref" not in json.dumps(s)]

    def combined(depth: int) -> Any:
        schema: dict[str, Any] = {}
        for part in rng.sample(plain, 3):
            schema |= part
        schema.pop("$schema", None)
        if depth:
            schema["properties"] = {"a": combined(depth - 1), "b": combined(depth - 1)}
            schema[rng.choice(["allOf", "anyOf", "oneOf"])] = [combined(0), combined(0)]
            schema["not"] = combined(0)
        return schema

    for _ in range(5):
        schema = combined(2)
        schema.pop("multipleOf", None)
        test = compile_schema(schema)
        other = jsonschema.Draft202012Validator(schema)
        for value in VALUES:
            if "0.1" in json.dumps(schema) and isinstance(value, float | dict | list):
                continue
            assert test(value, Walk(None)) is other.is_valid(value), (schema, value)


FORMATS = {
    "date": (["2026-11-21", "2024-02-29"], ["2026-02-29", "2026-1-1", "20261121", "x"]),
    "date-time": (
        ["2026-11-21T10:00:00Z", "2026-11-21t10:00:00.5+02:00"],
        ["2026-11-21", "2026-11-21T25:00:00Z", "2026-11-21 10:00:00Z", "2026-11-21T10:00:00"],
    ),
    "duration": (["P1D", "PT1H30M", "P2W"], ["P", "PT", "1D", "P1H"]),
    "email": (["a.b@c.example"], ["a@", "Name <a@b.example>", "ab"]),
    "hostname": (["a.example", "localhost"], ["-a.example", "a..b", "a_b.example", ""]),
    "ipv4": (["10.0.0.1"], ["10.0.0", "256.0.0.1", "::1"]),
    "ipv6": (["::1", "2001:db8::1"], ["10.0.0.1", "fe80::1%eth0", ":::"]),
    "time": (["10:00:00Z"], ["10:00", "24:00:00Z"]),
    "uri": (["https://a.example/x?y#z", "urn:isbn:1"], ["//a.example", "a b:c", "https://a/%zz"]),
    "uuid": (["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000", "x"]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_checked(name: str) -> None:
    live = bound({"format": name})
    fine, wrong = FORMATS[name]
    assert [text for text in fine if is_wrong(live, json.dumps(text))] == []
    assert [text for text in wrong if not is_wrong(live, json.dumps(text))] == []
    assert not is_wrong(live, "7")


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"unevaluatedProperties": False}, "`#` uses `unevaluatedProperties`"),
        ({"items": {"nullable": True}}, "`#/items` uses `nullable`"),
        ({"format": "postcode"}, "the format `postcode`"),
        ({"pattern": "(?=a)"}, "RE2 does not take the pattern"),
        ({"$ref": "https://a.example/s"}, "refers to another document"),
        ({"$ref": "#/$defs/a"}, "nothing is there"),
        ({"$ref": "#name"}, "refers to a name"),
        ({"$ref": "#"}, "without end"),
        ({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}},
          "properties": {"x": {"$ref": "#/$defs/a"}}}, "without end"),
        ({"items": [{"type": "string"}]}, "older drafts"),
        ({"type": "float"}, "the type `float`"),
        ({"minLength": -1}, "is not a count"),
        ({"minimum": "1"}, "is not a number"),
        ({"multipleOf": 0}, "is not above 0"),
        ({"required": "a"}, "is not a list of names"),
        ({"anyOf": []}, "is not a list of something"),
        ({"properties": []}, "is not an object"),
        ({"not": 7}, "is not a schema"),
        ([], "is not a schema"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(schema: object, problem: str) -> None:
    with pytest.raises(BindError) as caught:
        bound(schema)
    assert problem in str(caught.value)
    assert str(caught.value).startswith("the schema `s.json` cannot be used: ")


@pytest.mark.parametrize(
    "content", [b"{", b"\xff", b'{"type": "string", "type": "null"}', b"[" * 10**5]
)
def test_a_schema_that_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(BindError, match="cannot be used"):
        _schema.bind({"file": pinned("s.json", content)}, Here({"s.json": content}))


NOT_JSON = [
    "", " ", "x", "{}{}", "{} trailing", "Here it is: {}", "```json\n{}\n```", "NaN", "[Infinity]",
    "-Infinity", '{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', "{'a': 1}", "[1,]", "\ufeff{}",
    '"\x00"', '"\ud800', "[" * 10_000 + "]" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000,
    "[" * 10_000, "9" * 100_000, "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "\x00", "01",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_JSON, ids=lambda text: ascii(text[:20]))
def test_what_is_not_one_json_value_is_wrong(text: str) -> None:
    assert is_wrong(bound(True), text)


@pytest.mark.parametrize(
    "text",
    [
        " {} \n", "1e999", '"\\ud800"', '"a\ud800"', "[" * MAX_DEPTH + "]" * MAX_DEPTH,
        json.dumps("[[[" * 500), '"\\"[' + "[" * 500 + '"', "9" * 4_000,
    ],
    ids=lambda text: ascii(text[:20]),
)  # fmt: skip
def test_odd_json_is_json(text: str) -> None:
    assert not is_wrong(
        bound({"uniqueItems": True, "multipleOf": 1} if text[0] == "9" else {}), text
    )


def test_multiples_are_exact() -> None:
    assert not is_wrong(bound({"multipleOf": 0.1}), "0.3")
    assert is_wrong(bound({"multipleOf": 1.5}), "1" + "0" * 20)


def test_a_number_without_end_is_no_multiple() -> None:
    assert is_wrong(bound({"multipleOf": 0.5}), "1e999")


# --- hints

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "kind": {"enum": ["new", "used"]},
        "lines": {"items": {"required": ["sku"], "properties": {"sku": {"pattern": "^S"}}}},
        "sent": {"format": "date"},
    },
    "required": ["id"],
    "additionalProperties": False,
}


def test_hints_say_where_and_what() -> None:
    text = '{"kind": "SECRET", "lines": [{}, {"sku": "SECRET"}, {"sku": "XX"}], "SECRET": 1}'
    assert bound(ORDER).repair_hints(text) == (
        "at the top: the property `id` is expected",
        'at `/kind`: one of "new", "used" is expected',
        "at `/lines/0`: the property `sku` is expected",
        "at `/lines/2/sku`: a text that matches `^S` is expected",
        "at the top: no property but `id`, `kind`, `lines`, `sent` is expected",
    )


@pytest.mark.parametrize("seed", range(30))
def test_hints_never_quote_the_text(seed: int) -> None:
    rng = Random(seed)

    def drawn(depth: int) -> Any:
        if depth and rng.random() < 0.7:
            names = [*ORDER["properties"], "sku", "hidden-1"]  # type: ignore[misc]
            if rng.random() < 0.5:
                return {rng.choice(names): drawn(depth - 1) for _ in range(3)}
            return [drawn(depth - 1) for _ in range(3)]
        return rng.choice(["hidden-2", 987654, -987654.5, None, True])

    class Model(pydantic.BaseModel, extra="forbid"):
        id: int
        kind: Literal["new", "used"]
        lines: dict[str, int]

    text = json.dumps(drawn(3))
    other = {**ORDER, "patternProperties": {"hid": {"type": "null"}}}
    for live in (bound(ORDER, Model), bound(other), bound({"propertyNames": {"maxLength": 2}})):
        hints = " ".join(live.repair_hints(text))
        assert "hidden" not in hints
        assert "987654" not in hints


# --- model classes


class Ticket(pydantic.BaseModel):
    title: str = pydantic.Field(min_length=3)
    due: datetime.date
    level: Literal["low", "high"] = "low"


def model(given: object) -> _schema.Schema:
    return _schema.bind({"call": "nowhere:Model"}, Here(given=given))


def test_a_model_class_judges() -> None:
    live = model(Ticket)
    assert not is_wrong(live, '{"title": "Broken", "due": "2026-11-21"}')
    assert is_wrong(live, '{"title": "Broken"}')
    assert is_wrong(live, '{"title": "Broken", "due": "soon"}')
    assert is_wrong(live, '{"title": "Broken", "title": "Broken", "due": "2026-11-21"}')
    assert is_wrong(live, '{"title": "Bro\ud800ken", "due": "2026-11-21"}')
    assert live.repair_hints('{"title": "x", "level": "none"}') == (
        "at `/title`: string_too_short, min_length 3",
        "at `/due`: missing",
        "at `/level`: literal_error, expected 'low' or 'high'",
    )


@pytest.mark.parametrize("given", [list[int], dict[str, int], int])
def test_a_model_may_be_any_type_pydantic_knows(given: object) -> None:
    assert is_wrong(model(given), '"x"')


def test_what_pydantic_does_not_know_is_refused() -> None:
    with pytest.raises(BindError, match="pydantic cannot use the model"):
        model(object())


def test_with_both_the_text_has_to_satisfy_both() -> None:
    live = bound({"required": ["due"], "maxProperties": 2}, Ticket)
    assert not is_wrong(live, '{"title": "Broken", "due": "2026-11-21"}')
    assert is_wrong(live, '{"title": "Broken", "due": "2026-11-21", "level": "low"}')
    assert is_wrong(live, '{"due": "2026-11-21"}')


# --- time

TREE = {
    "anyOf": [{"type": "integer"}, *({"items": {"$ref": "#"}, "type": "array"} for _ in range(3))]
}
LAST_WRONG = {
    "anyOf": [{"type": "string"}, *({"items": {"$ref": "#"}, "minItems": 1} for _ in range(3))]
}


def test_many_ways_through_a_schema_are_one() -> None:
    schema = {"$ref": "#/$defs/t", "$defs": {"t": {
        "type": "array", "anyOf": [{"items": {"$ref": "#/$defs/t"}}] * 4, "maxItems": 1,
    }}}  # fmt: skip
    text = "[" * 45 + "1" + "]" * 45
    assert is_wrong(bound(schema), text)


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_grows_with_the_text(piece: str) -> None:
    live = bound({"type": "array", "items": ORDER, "uniqueItems": True})
    assert grows_in_step(lambda text: live.read(Read(text)), piece)


@pytest.mark.parametrize("item", ["[1]", "1", '"a"', '{"id": 1}', "[[[1],[1]]]"])
@pytest.mark.parametrize("schema", [TREE, LAST_WRONG, {"uniqueItems": True}, {"contains": ORDER}])
def test_time_grows_with_the_value(schema: object, item: str) -> None:
    live = bound(schema)
    assert grows_in_step(lambda text: live.read(Read(f"[{text}{item}]")), f"{item},", 6_000)
