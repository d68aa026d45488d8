"""Drawings: the goldens lie with the passes; here is what holds for every plan."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from guardkit.plan import DRAW_FORMATS, Plan, draw, from_json, lower
from tests.differential import generate

from ._policies import CATALOG, plan, policy

NASTY = '"]; click n0 <script>alert(1)</script> & \\ \n #quot; --> \u202e end'


def plans() -> list[Plan]:
    made = [lower(generate.policy_of(seed), generate.CATALOG) for seed in range(60)]
    return [plan("shop"), plan("agent"), nasty(), empty(), *made]


def nasty() -> Plan:
    """Texts that would end a label, if they were not escaped."""
    found = policy("shop")
    rules = tuple(replace(rule, tier=rule.tier, name=NASTY + rule.name) for rule in found.rules)
    return replace(lower(replace(found, rules=rules, exemptions=()), CATALOG), policy=NASTY)


def empty() -> Plan:
    return lower(replace(policy("shop"), rules=(), exemptions=(), monitors=()), CATALOG)


@pytest.mark.parametrize("format", DRAW_FORMATS)
def test_every_plan_can_be_drawn(format: str) -> None:
    for made in plans():
        text = draw(made, format)  # type: ignore[arg-type]
        assert text.endswith("\n")


def test_text_fits_80_columns() -> None:
    for made in plans():
        assert max(len(line) for line in draw(made).splitlines()) <= 80


def test_text_shows_every_rule_and_check() -> None:
    text = draw(plan("shop"))
    for row in (*plan("shop").rules, *plan("shop").checks):
        assert row.name in text


def test_a_shared_node_is_shown_once_and_pointed_at() -> None:
    for made in plans():
        text = draw(made)
        shown = re.findall(r" {2}%(\d+)$", text, re.MULTILINE)
        pointed = set(re.findall(r"see %(\d+)$", text, re.MULTILINE))
        assert pointed <= set(shown)


def test_svg_is_well_formed_and_self_contained() -> None:
    for made in plans():
        text = draw(made, "svg")
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        tags = {element.tag.split("}")[1] for element in root.iter()}
        assert tags <= {"svg", "title", "g", "rect", "path", "text"}
        assert "href" not in text
        assert "url(" not in text


def test_boxes_of_a_drawing_do_not_overlap() -> None:
    for made in plans():
        root = ElementTree.fromstring(draw(made, "svg"))
        for band in root.findall("{*}g"):
            rects = [
                tuple(float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
                for rect in band.findall("{*}g/{*}rect")
            ]
            for i, (x, y, w, h) in enumerate(rects):
                for x2, y2, w2, h2 in rects[:i]:
                    assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_mermaid_labels_are_harmless() -> None:
    line = re.compile(
        r"flowchart LR|  subgraph s_\w+\[\"\w+\"\]|  end|  n\d+ --> n\d+"
        r"|    n\d+(?:\[|\(|\[\[|\(\[|\[/|\{\{)"
        r"\"(?:[\w .,:·/µ%-]|#\d+;|<br/>)*\"(?:\]|\)|\]\]|\]\)|/\]|\}\})"
    )
    for made in plans():
        for text in draw(made, "mermaid").splitlines():
            assert line.fullmatch(text), text


def test_dot_labels_are_closed() -> None:
    quoted = re.compile(r'"(?:[^"\\]|\\.)*"')
    for made in plans():
        for text in draw(made, "dot").splitlines():
            assert '"' not in quoted.sub("", text), text


def test_json_is_the_saved_plan() -> None:
    assert from_json(draw(plan("shop"), "json")) == plan("shop")
