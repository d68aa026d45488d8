"""What every spec promises, whatever its kind."""

from __future__ import annotations

import re

import pytest

import guardkit.checks
from guardkit.catalog import Catalog, CheckSpec, Cost
from guardkit.checks import DISGUISES, ENTITIES, SPECS, VALIDATORS

KINDS = [
    "canary",
    "classifier",
    "echo",
    "entities",
    "grounded",
    "invisible",
    "judge",
    "language",
    "length",
    "links",
    "pattern",
    "python",
    "refusal",
    "repetition",
    "schema",
    "script",
    "secrets",
    "similarity",
    "words",
]

every_kind = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)


def costs_of(spec: CheckSpec) -> list[Cost]:
    return [spec.cost, *(cost for _, _, cost in spec.costs)]


def test_every_kind_of_the_language_is_here_once_and_in_order() -> None:
    assert [spec.kind for spec in SPECS] == KINDS
    assert set(Catalog.of(SPECS, DISGUISES).specs) == set(KINDS)


def test_the_door_is_sorted() -> None:
    assert guardkit.checks.__all__ == sorted(guardkit.checks.__all__)


@pytest.mark.parametrize("names", [DISGUISES, ENTITIES, VALIDATORS])
def test_names_are_sorted_unique_words(names: tuple[str, ...]) -> None:
    assert list(names) == sorted(set(names))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_there_are_enough_names() -> None:
    assert len(ENTITIES) >= 50
    assert len({name[:2] for name in ENTITIES if re.match(r"[a-z]{2}_", name)}) >= 20
    assert len(DISGUISES) == 40


@every_kind
def test_a_run_costs_something(spec: CheckSpec) -> None:
    for cost in costs_of(spec):
        assert cost.at(1) + cost.own_us > 0
        assert min(cost.fixed_us, cost.per_kb_us, cost.own_us) >= 0


def test_shared_work_has_one_price() -> None:
    prices: dict[str, set[tuple[float, float]]] = {}
    for spec in SPECS:
        for cost in costs_of(spec):
            if cost.shared:
                prices.setdefault(cost.shared, set()).add((cost.fixed_us, cost.per_kb_us))
    assert set(prices) == {"scan", "static", "mini", "tokens"}
    assert all(len(found) == 1 for found in prices.values())


@every_kind
def test_a_spec_speaks_only_of_properties_it_has(spec: CheckSpec) -> None:
    names = [item.name for item in spec.properties]
    assert len(names) == len(set(names))
    named = [*spec.one_of, *(name for name, _ in spec.answers_with)]
    assert set(named) | {name for name, _, _ in spec.costs} <= set(names)
    for name, value, _ in spec.costs:
        item = spec.property(name)
        assert item is not None
        assert value == "*" or value in item.choices


@every_kind
def test_properties_are_well_formed(spec: CheckSpec) -> None:
    for item in spec.properties:
        assert item.doc
        assert len(item.choices) == len(set(item.choices))
        if item.type in ("word", "words", "size", "validator"):
            assert item.choices
        if item.type in ("size", "number", "duration"):
            assert item.minimum is not None
            assert item.maximum is not None
            assert item.minimum < item.maximum


@every_kind
def test_only_dear_kinds_need_a_gate(spec: CheckSpec) -> None:
    assert spec.needs_gate == (spec.cost.at(1) >= 100_000)
    assert 0 < spec.yes_rate < 0.5


@every_kind
def test_a_label_stands_only_where_there_is_a_span(spec: CheckSpec) -> None:
    has_views = spec.property("views") is not None
    assert spec.spans or not has_views
    if spec.spans and spec.properties:
        assert has_views
        assert spec.property("label") is not None
