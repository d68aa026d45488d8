"""The page: whole, told in words too, and never with a text or a name that deceives."""

from __future__ import annotations

import json
import re
from datetime import date
from functools import cache

import pytest

from guardkit.bench import Report, as_html, compare, measure
from guardkit.pages import MOST_BYTES
from tests.pages._read import read

from ._policies import SLOW, WORDS, bind, guard

SECRET = "xyzzy-plugh-4711"


@cache
def words() -> Report:
    return measure(guard(WORDS), seconds=1.0, sizes=(60, 200), bind=bind)


def test_a_page_is_whole_and_needs_nothing_else() -> None:
    html = as_html(words(), day=date(2026, 3, 9))
    page = read(html)
    assert not re.search(r"https?:|<script|<link|@import|url\(|src=|\bon[a-z]+=|style=", html)
    assert "Benchmark · 9 March 2026" in page.text
    assert len(html.encode()) < MOST_BYTES
    assert as_html(words(), day=date(2026, 3, 9)) == html
    heads = re.findall(r"<h2>(.*?)</h2>", html)
    assert heads == [
        "Layer by layer",
        "<code>input</code>",
        "<code>output</code>",
        "What it was measured on",
    ]


def test_every_picture_is_told_in_words() -> None:
    page = read(as_html(words()))
    told = [svg for svg in page.tags("svg") if "aria-hidden" not in svg]
    assert len(told) == sum(len(surface.groups) for surface in words().surfaces)
    assert all(svg["role"] == "img" for svg in told)
    assert all("half of them within" in (svg["aria-label"] or "") for svg in told)
    assert all(div["aria-label"] for div in page.tags("div") if div.get("role") == "region")


def test_every_figure_has_its_interval() -> None:
    text = read(as_html(words())).text
    for surface in words().surfaces:
        for rule in surface.rules:
            assert rule.name in text
    html = as_html(words())
    # A cell of a time says both bounds, one of them, or that there is none.
    cells = re.findall(r'<td>[\d.,]+ (?:µs|ms|s)<span class="of">(.*?)</span>', html)
    assert len(cells) > 20
    assert all(re.fullmatch(r"no bounds|(?:&[lg]t; )?[\d.,]+.*(?:µs|ms|s)", cell) for cell in cells)


def test_each_picture_has_a_bar_for_each_bin_that_has_a_call() -> None:
    html = as_html(words())
    drawn = re.findall(r'<path class="(?:good|bad)" d="(M[^"]*z)"/>', html)
    groups = [group for surface in words().surfaces for group in surface.groups]
    assert [path.count("M") for path in drawn] == [
        sum(count > 0 for count in group.bins) for group in groups
    ]
    assert html.count('class="bad"') == 2  # near hits, on two surfaces


def test_two_reports_stand_side_by_side() -> None:
    old = json.loads(json.dumps(words().as_json()))
    for name in ("p50", "p99"):
        old["surfaces"][0]["groups"][0]["spread"][name] = {
            "us": 0.01,
            "low": 0.009,
            "high": 0.011,
            "rounds": [0.01],
        }
    found = compare(old, words().as_json())
    page = read(as_html(words(), found))
    assert "Compared with before" in page.text
    assert f"Slower than before: {len(found.slower)} of {len(found.ratios)} figures." in page.text
    assert page.text.count("slower") >= 2
    same = read(as_html(words(), compare(words().as_json(), words().as_json())))
    assert "Nothing is slower than before." in same.text


def test_what_is_over_or_unsure_is_told_first() -> None:
    tight = WORDS.replace("input  1s", "input  1ms")
    report = measure(guard(tight), on=("input",), sizes=(60_000,), seconds=0.2)
    text = read(as_html(report)).text
    assert text.index("input is over its budget") < text.index("Layer by layer")
    silent = guard(SLOW.replace("BUDGET", "1s"), slow=lambda text: None)
    lost = measure(silent, seconds=0.2)
    text = read(as_html(lost)).text
    assert "a check could not answer in" in text
    assert "no_slow" in text


def test_no_text_and_no_markup_gets_into_a_page() -> None:
    texts = {"input": [f"hello {SECRET}", "<b>bye</b>"]}
    report = measure(guard(WORDS), texts=texts, seconds=0.2, bind=bind)  # type: ignore[arg-type]
    html = as_html(report._replace(policy="<i>\u202epolicy"))
    assert SECRET not in html
    assert "<b>bye" not in html
    assert "<i>" + "\u202e" not in html
    assert "&lt;i&gt;" in html
    read(html)


@pytest.mark.parametrize("many", [1, 400])
def test_of_many_rules_the_first_are_shown(many: int) -> None:
    (first, *others) = words().surfaces
    rules = tuple(first.rules[0]._replace(name=f"rule_{at}") for at in range(many))
    report = words()._replace(surfaces=(first._replace(rules=rules), *others))
    html = as_html(report)
    assert len(html.encode()) < MOST_BYTES
    assert ("340 more" in html) is (many == 400)
