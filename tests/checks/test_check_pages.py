"""Each kind's file is its reference page: headings, a working example, every option."""

from __future__ import annotations

import importlib
import re
import textwrap
from pathlib import Path

import pytest

import guardkit.checks
from guardkit.catalog import CheckSpec
from guardkit.checks import BINDS, ENTITIES, SPECS, VALIDATORS
from guardkit.diagnostics import Source
from guardkit.syntax import ast, parse

HEADINGS = ("Why it matters", "Known misses", "Example", "Options", "Cost", "Data it reads")

_HEADING = re.compile(rf"^({'|'.join(HEADINGS)})$", re.MULTILINE)
_OPTION = re.compile(r"^([a-z]\w*): \S", re.MULTILINE)

every_kind = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)


def page_of(spec: CheckSpec) -> str:
    module = importlib.import_module(f"guardkit.checks._{spec.kind}")
    assert module.SPEC is spec
    return module.__doc__ or ""


def sections_of(page: str) -> dict[str, str]:
    """The page's sections by heading, the claim under an empty one."""
    claim, *rest = _HEADING.split(page)
    bodies = (textwrap.dedent(body).strip() for body in rest[1::2])
    return {"": claim.strip(), **dict(zip(rest[::2], bodies, strict=True))}


@every_kind
def test_the_page_has_every_heading_in_order_and_text_under_each(spec: CheckSpec) -> None:
    page = page_of(spec)
    assert tuple(_HEADING.findall(page)) == HEADINGS
    assert all(sections_of(page).values())


@every_kind
def test_the_summary_is_the_first_line_of_the_page(spec: CheckSpec) -> None:
    first, blank, *_ = page_of(spec).splitlines()
    assert (first, blank) == (f"{spec.summary}.", "")


@every_kind
def test_the_example_is_a_valid_check_of_this_kind(spec: CheckSpec) -> None:
    example = sections_of(page_of(spec))["Example"]
    parsed = parse(Source("example.guard", f"guardkit 1\nmodule m\n{example}\n"))
    assert parsed.is_clean, parsed.diagnostics
    checks = [item for item in parsed.file.declarations if isinstance(item, ast.Check)]
    assert {check.kind.text for check in checks} == {spec.kind}
    for check in checks:
        given = [item.name.text for item in check.properties]
        known = {item.name: item for item in spec.properties}
        assert set(given) <= set(known)
        assert all(known[name].repeated for name in given if given.count(name) > 1)
        assert {item.name for item in spec.properties if item.required} <= set(given)
        assert not spec.one_of or set(given) & set(spec.one_of)


@every_kind
def test_the_options_are_the_properties_in_order(spec: CheckSpec) -> None:
    options = sections_of(page_of(spec))["Options"]
    assert _OPTION.findall(options) == [item.name for item in spec.properties]
    if not spec.properties:
        assert options == "None."


@every_kind
def test_every_word_an_option_may_take_is_on_the_page(spec: CheckSpec) -> None:
    options = sections_of(page_of(spec))["Options"]
    words = set(re.findall(r"\w+", options))
    for item in spec.properties:
        assert set(item.choices) <= words


@every_kind
def test_the_cost_section_names_the_shared_work(spec: CheckSpec) -> None:
    cost = sections_of(page_of(spec))["Cost"]
    if spec.cost.shared:
        assert f"`{spec.cost.shared}`" in cost


def test_the_tables_of_names_are_complete() -> None:
    for kind, names in (("entities", ENTITIES), ("pattern", VALIDATORS)):
        spec = next(spec for spec in SPECS if spec.kind == kind)
        listed = re.findall(r"`(\w+)`", sections_of(page_of(spec))["Options"].split("\n\n", 1)[1])
        assert set(names) <= set(listed)


def test_every_file_of_a_kind_is_in_the_list() -> None:
    folder = Path(guardkit.checks.__file__).parent
    files = {path.stem for path in folder.glob("_[a-z]*.py") if "SPEC = " in path.read_text()}
    assert files == {f"_{spec.kind}" for spec in SPECS}


def test_every_kind_that_does_something_is_in_the_table_of_binds() -> None:
    folder = Path(guardkit.checks.__file__).parent / "live"
    files = {spec.kind for spec in SPECS if (folder / f"_{spec.kind}.py").is_file()}
    assert list(BINDS) == sorted(files)
    for kind in BINDS:
        assert callable(importlib.import_module(f"guardkit.checks.live._{kind}").bind)
