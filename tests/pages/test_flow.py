"""The stack as a picture: ribbons keep to their counts, words to their places."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardkit.pages import Stopped, flow

from ._read import Written, pictures, read, rows, written

LAYERS = [
    Stopped("input check", 812, 31),
    Stopped("context + weights", 241, 90),
    Stopped("provider", 20, 0),
    Stopped("output check", 60, 4),
]
LINE = 12
"""The size of the type of the picture."""


def shape(html: str, style: str, kind: str = "across") -> list[tuple[float, float]]:
    """The corners of a path, without the handles of its curves."""
    inside = next(inside for name, _, _, inside in pictures(html) if name == kind)
    outline = re.search(rf'<path class="{style}" d="([^"]*)"', inside)
    assert outline is not None
    ends = re.sub(r"C[^CLMz]*? (?=-?[\d.]+ -?[\d.]+(?:[CLMz]|$))", "L", outline[1])
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", ends)]


def test_the_ribbon_is_as_wide_as_what_is_left() -> None:
    corners = shape(flow(LAYERS, 1200, 8000, name="shop"), "bad-wash")
    top = corners[0][1]
    widths = [round(y - top, 1) for _, y in corners if y > top]
    left = [1200, 1200, 388, 388, 147, 147, 127, 127, 67, 67]
    assert widths == pytest.approx([66 * count / 1200 for count in left], abs=0.11)


@pytest.mark.parametrize(
    ("style", "counts", "total"), [("bad", (812, 241, 20, 60), 1200), ("good", (31, 90, 4), 8000)]
)
def test_each_branch_is_as_wide_as_what_is_stopped(
    style: str, counts: tuple[int, ...], total: int
) -> None:
    html = flow(LAYERS, 1200, 8000, name="shop")
    inside = pictures(html)[0][3]
    outline = re.search(rf'<path class="{style}" d="([^"]*)"', inside)
    assert outline is not None
    branches = outline[1].split("z")[: len(counts)]
    for branch, count in zip(branches, counts, strict=True):
        # Down the one side, over the tip, up the other: the two sides are straight.
        xs = [float(x) for x in re.findall(r"L(-?[\d.]+) ", branch)]
        assert max(xs) - min(xs) == pytest.approx(max(66 * count / total, 1.4), abs=0.11)


def test_the_table_has_the_same_counts() -> None:
    html = flow(LAYERS, 1200, 8000, name="shop")
    table = rows(html)
    assert [row[0] for row in table[1:]] == [*(one.layer for one in LAYERS), "delivered, of all"]
    came = [row[1] for row in table[1:]]
    assert came == ["1,200", "388", "147", "127", "1,200"]
    assert table[1][2].startswith("81267.7 %")
    assert table[5][2].startswith("675.6 %")
    assert table[5][4].startswith("7,87598.4 %")


def test_both_drawings_tell_every_count_and_share() -> None:
    html = flow(LAYERS, 1200, 8000, name="shop")
    drawn = pictures(html)
    assert [kind for kind, *_ in drawn] == ["across", "downward"]
    for _, _, _, inside in drawn:
        said = {line.said.removesuffix(" delivered") for line in written(inside)}
        assert {"812", "67.7 %", "241", "20", "60", "67", "31", "90", "4", "0", "7,875"} <= said
        assert {"attacks", "1,200", "benign", "8,000"} <= said


def test_the_pictures_are_told_in_words() -> None:
    page = read(flow(LAYERS, 1200, 8000, name="shop"))
    for svg in page.tags("svg"):
        label = svg["aria-label"] or ""
        assert "input check stopped 812" in label
        assert "67 delivered" in label
        assert "provider stopped 20" in label
        assert "Of 8,000 benign" in label
    assert "Each kind has a scale of its own" in page.text


def test_one_of_a_million_is_seen_and_not_called_nothing() -> None:
    html = flow([Stopped("a", 1, 0), Stopped("b", 999_998, 0)], 1_000_000, 0, name="x")
    for _, _, _, inside in pictures(html):
        said = [line.said for line in written(inside)]
        assert said.count("< 0.1 %") == 2
        assert "> 99.9 %" in said
        assert "0.0 %" not in said
        assert "100.0 %" not in said
    assert min(y for _, y in shape(html, "bad-wash")) >= 0
    top = shape(html, "bad-wash")[0][1]
    assert shape(html, "bad-wash")[-2][1] - top == pytest.approx(1.4)


def test_a_kind_that_did_not_come_is_left_out() -> None:
    html = flow([Stopped("a", 3, 0)], 7, 0, name="x")
    assert "benign" not in html
    assert "good-wash" not in html
    assert len(rows(html)[0]) == 3


@pytest.mark.parametrize("layers", [[], LAYERS[:0], [Stopped("a", 0, 0)]])
def test_nothing_that_came_is_a_table_without_a_picture(layers: list[Stopped]) -> None:
    html = flow(layers, 0, 0, name="x")
    assert "<svg" not in html
    assert rows(html)[-1][0] == "delivered, of all"


def test_no_layers_deliver_everything() -> None:
    assert rows(flow([], 5, 0, name="x"))[-1][2].startswith("5100.0 %")


@pytest.mark.parametrize(
    ("layers", "attacks", "benign"),
    [([Stopped("a", 3, 0)], 2, 0), ([Stopped("a", 0, 1)], 2, 0), ([Stopped("a", -1, 0)], 2, 0)],
)
def test_more_than_came_cannot_be_stopped(layers: list[Stopped], attacks: int, benign: int) -> None:
    with pytest.raises(ValueError, match="were stopped"):
        flow(layers, attacks, benign, name="x")


def test_many_layers_are_drawn_from_the_top_down_only() -> None:
    html = flow([Stopped(f"layer {n}", 1, 1) for n in range(9)], 90, 90, name="x")
    assert [kind for kind, *_ in pictures(html)] == ["downward"]
    assert 'class="flow narrow"' in html


# --- whatever the counts and the names


@st.composite
def stacks(draw: st.DrawFn) -> tuple[list[Stopped], int, int]:
    names = draw(st.lists(st.text(max_size=60), min_size=1, max_size=9))
    counts = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 300_000))
    layers = [Stopped(name, draw(counts), draw(counts)) for name in names]
    attacks = sum(one.attacks for one in layers) + draw(counts)
    return layers, attacks, sum(one.benign for one in layers) + draw(counts)


def box(line: Written) -> tuple[float, float, float, float]:
    """Where a line of type stands, taken for as wide as an ordinary type of 12 makes it."""
    return line.x, line.y - 0.75 * LINE, line.x + 0.5 * LINE * len(line.said), line.y + 0.2 * LINE


@given(stacks())
@settings(max_examples=120, deadline=None)
def test_no_text_covers_another_and_all_stands_inside(
    stack: tuple[list[Stopped], int, int],
) -> None:
    layers, attacks, benign = stack
    named = [one._replace(layer=re.sub(r"[^a-z ]", "x", one.layer)) for one in layers]
    keeps_apart(named, attacks, benign)


@pytest.mark.parametrize("name", ["x" * 40 + " y", "y " + "x" * 40, "x" * 40 + " " + "y" * 40, "x"])
def test_long_words_of_a_name_are_cut(name: str) -> None:
    keeps_apart([Stopped(name, 100_000, 100_000)] * 8, 1_000_000, 1_000_000)


def keeps_apart(layers: list[Stopped], attacks: int, benign: int) -> None:
    for _, wide, high, inside in pictures(flow(layers, attacks, benign, name="x")):
        boxes = [box(line) for line in written(inside) if line.said.strip()]
        for left, top, right, foot in boxes:
            assert left >= 0
            assert right <= wide
            assert top >= 0
            assert foot <= high
        for one, other in combinations(boxes, 2):
            apart = (
                one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            )
            assert apart, (one, other)


@given(stacks())
@settings(max_examples=120, deadline=None)
def test_any_stack_is_whole_markup_inside_its_frame(stack: tuple[list[Stopped], int, int]) -> None:
    layers, attacks, benign = stack
    html = flow(layers, attacks, benign, name=layers[0].layer)
    read(html)
    for _, wide, high, inside in pictures(html):
        for outline in re.findall(r'class="(?:bad|good)(?:-wash)?" d="([^"]*)"', inside):
            assert "nan" not in outline
            spots = re.findall(r"(-?[\d.]+) (-?[\d.]+)", outline)
            assert all(0 <= float(x) <= wide and 0 <= float(y) <= high for x, y in spots)
