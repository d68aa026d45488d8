"""The report as one HTML file: whole, small, closed to the outside, and everything escaped."""

from __future__ import annotations

import re
from datetime import date
from random import Random

import numpy as np
import pytest

from guardkit.evals import (
    Confusion,
    Counts,
    Evaluation,
    Line,
    Prices,
    Subject,
    Unjudged,
    as_html,
    evaluate,
    scored,
)
from tests.pages._read import read

from ._made import cases, policy

NASTY = '</style><script>alert("1")</script>&\'x'


def numbers(seed: int, count: int = 600) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = Random(seed)
    bad = [rng.random() < 0.4 for _ in range(count)]
    return np.array([rng.random() ** (0.4 if b else 2.5) for b in bad]), np.array(bad)


def huge(name: str = "a check", scores: int = 3, sources: int = 50) -> Evaluation:
    counts = Counts(80, 20, 5, 195, 2, 1)
    lines = tuple(Line(f"{name} {n}", counts, 0.9) for n in range(sources))
    base = Subject(
        "rule", name, "answer", "enforce", 303, 3, counts, None, None, None, lines, lines, lines,
        tuple(f"{name} {n}" for n in range(10)), tuple(f"{name} {n}" for n in range(10)), (name,),
    )  # fmt: skip
    made = [base._replace(kind="policy"), *[base] * scores, base._replace(mode="shadow")]
    for n in range(scores):
        given, bad = numbers(n)
        figures = scored(given, bad, is_share=True, used=[0.5], prices=Prices(10, 1))
        made.append(base._replace(kind="check", answers="score", score=figures, threshold=0.5))
    table = Confusion((name, "none"), (name, "none"), ((5, 1, 0), (2, 7, 1)), lines[:2])
    made.append(base._replace(kind="check", answers="label", counts=None, confusion=table))
    return Evaluation(
        name, "sha256:0", (name,), 600, 240, 360, 3, (Unjudged(name, name),), 2, (("input", 600),),
        (("block", 80, 5), ("pass", 160, 355)), "rewrite", Prices(10, 1), tuple(made), (name,),
    )  # fmt: skip


def test_it_is_whole() -> None:
    html = as_html(evaluate(policy(), cases(("hello 0.9", True), ("hi 0.1", False))), date.today())
    page = read(html)
    assert html.startswith("<!doctype html>")
    assert "Found" in page.text
    assert "small" in page.text


@pytest.mark.parametrize(("scores", "sources"), [(1, 5), (3, 12), (90, 200)])
def test_it_is_small(scores: int, sources: int) -> None:
    html = as_html(huge("a name of some length, which is cut " * 4, scores, sources))
    assert len(html.encode()) < 300_000
    assert ("More tables are left out here" in read(html).text) == (scores == 90)


def test_it_needs_nothing_else() -> None:
    html = as_html(huge())
    assert not re.search(r"https?:|<script|<link|@import|url\(|src=|\bon[a-z]+=", html)


def test_everything_is_escaped() -> None:
    page = read(as_html(huge(NASTY)))
    assert not [tag for tag, _ in page.seen if tag in ("script", "x")]
    assert NASTY in page.text.replace("​", "")


def test_pictures_have_words_and_tables_have_heads() -> None:
    page = read(as_html(huge()))
    pictures = [attributes for tag, attributes in page.seen if tag == "svg"]
    assert len(pictures) > 12
    for attributes in pictures:
        assert attributes.get("aria-hidden") == "true" or len(attributes["aria-label"] or "") > 20
    heads = [attributes for tag, attributes in page.seen if tag == "th"]
    assert heads
    assert all(attributes.get("scope") in ("col", "row", "rowgroup") for attributes in heads)
    titles = [tag for tag, _ in page.seen if re.fullmatch(r"h\d", tag)]
    assert titles[0] == "h1"
    assert titles.count("h1") == 1


def test_rows_are_as_wide_as_their_heads() -> None:
    html = as_html(huge())
    for table in re.findall(r"<table>.*?</table>", html, re.DOTALL):
        head, body = table.split("</thead>")
        wide = head.count("<th ")
        for row in re.findall(r"<tr[^>]*>.*?</tr>", body, re.DOTALL):
            spanned = re.search(r'colspan="(\d+)"', row)
            cells = len(re.findall(r"<t[hd][ >]", row))
            assert (int(spanned[1]) if spanned else cells) == wide


def test_curves_stay_inside_their_frames() -> None:
    html = as_html(huge())
    for path in re.findall(r'<path class="line" d="([^"]+)"', html):
        spots = re.findall(r"[ML]([\d.]+) ([\d.]+)", path)
        assert len(spots) > 5
        assert all(36 <= float(x) <= 292 and 10 <= float(y) <= 202 for x, y in spots)


def test_the_day_is_shown_where_it_is_given() -> None:
    made = huge()
    assert "21 November 2026" in as_html(made, date(2026, 11, 21))
    assert "2026" not in as_html(made)
