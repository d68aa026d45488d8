"""A page is whole and small, and brings the style of the pictures it has."""

from __future__ import annotations

from datetime import date

from guardkit._util.shares import Share
from guardkit.pages import (
    MOST_BYTES,
    Key,
    Part,
    Stopped,
    bar,
    document,
    flow,
    headed,
    heat_cell,
    keys,
    notes,
    sentence,
    share_key,
    so_many,
    spark,
    spelled,
)

from ._read import read

LEFT_OUT = "More tables are left out here"


def test_it_is_whole_and_in_order() -> None:
    head = headed("Probe", "shop/support", "Twelve attacks.", date(2026, 11, 21))
    html = document(
        "support: probe", [Part(head), Part("<p>first</p>"), Part("<p>second</p>")], "f"
    )
    page = read(html)
    assert html.startswith("<!doctype html>")
    assert (
        page.text.index("21 November 2026") < page.text.index("first") < page.text.index("second")
    )
    assert page.text.rstrip().endswith("f")
    assert [a["content"] for a in page.tags("meta") if a.get("name") == "color-scheme"]
    assert LEFT_OUT not in page.text


def test_the_day_is_shown_where_it_is_given() -> None:
    assert "2026" not in headed("Probe", "x", "y")


def test_what_has_no_room_is_left_out_and_that_is_said() -> None:
    large, needed = "<p>" + "é" * 60_000 + "</p>", "<p>" + "n" * 100_000 + "</p>"
    parts = [Part("<p>first</p>"), *[Part(large, is_optional=True)] * 4, Part(needed)]
    html = document("t", parts, "foot")
    assert len(html.encode()) < MOST_BYTES
    # What has to be there has its room, though it comes last.
    assert html.count(large) == 1
    assert all(one in html for one in ("<p>first</p>", needed, LEFT_OUT))


def test_what_has_to_be_there_is_there_at_any_size() -> None:
    needed = "<p>" + "n" * 400_000 + "</p>"
    html = document("t", [Part(needed), Part("<p>optional</p>", is_optional=True)], "foot")
    assert needed in html
    assert "optional" not in html


def test_a_smaller_part_still_fits_after_a_larger_one() -> None:
    large, small = "<p>" + "x" * 400_000 + "</p>", "<p>small</p>"
    html = document("t", [Part(large, is_optional=True), Part(small, is_optional=True)], "foot")
    assert small in html
    assert large not in html


def test_a_page_brings_the_style_of_its_pictures_only() -> None:
    drawn = {
        ".flow .node": flow([Stopped("a", 1, 0)], 2, 0, name="x"),
        ".spark{": spark([Share(1, 9)], "bad", "x"),
        ".tint.bad.t1{": f"<table><tr>{heat_cell(Share(1, 9), 'bad')}</tr></table>",
        "svg .bad-wash{": bar(Share(1, 9), "bad"),
    }
    plain = document("t", [Part("<p>nothing</p>")], "foot")
    for rule, markup in drawn.items():
        assert rule not in plain
        assert rule in document("t", [Part(markup)], "foot")


def test_a_name_cannot_ask_for_style() -> None:
    name = spelled('class="flow class="tint bad t1" class="heat')
    html = document("t", [Part(f"<p>{name}</p>")], "foot")
    assert ".tint" not in html
    assert ".flow .node" not in html
    assert ".heat table" not in html


def test_key_figures() -> None:
    html = keys(
        [share_key("Through", Share(67, 1200), "attacks", "attacks"), Key("F1", "0.9", "", "r")],
        "a",
    )
    text = read(html).text
    assert all(
        part in text for part in ("Through", "5.6", "4.4 to 7.0", "67 of 1,200 attacks", "0.9")
    )
    assert share_key("Through", Share(0, 0), "harmful").range == "no harmful texts"


def test_notes_and_sentences() -> None:
    assert notes([]) == ""
    assert sentence("a `b<` is c") == "A <code>b&lt;</code> is c."
    many = notes([sentence(f"note {n}") for n in range(23)])
    assert many.count("<p>") == 20
    assert "And 3 more" in many


def test_names_are_cut_and_may_break_at_joints() -> None:
    assert spelled("shop/support.guard") == "shop/<wbr>support.<wbr>guard"
    assert read(spelled("x" * 200)).text == "x" * 89 + "…"


def test_one_is_not_many() -> None:
    assert (so_many(1, "run"), so_many(0, "run"), so_many(1200, "run")) == (
        "1 run",
        "0 runs",
        "1,200 runs",
    )
