"""Trends, bars and tinted cells: what they draw is what they were given, and can be read."""

from __future__ import annotations

import re

import pytest

from guardkit._util.shares import Share
from guardkit.pages import (
    Column,
    Part,
    Row,
    bar,
    bars,
    document,
    heat,
    heat_cell,
    scale_end,
    spark,
)

from ._read import pictures, read, rows, written

# --- trends


def line(html: str) -> list[tuple[float, float]]:
    found = re.search(r'class="bad-line" d="([^"]*)"', html)
    assert found is not None
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", found[1])]


def test_a_trend_goes_through_its_shares() -> None:
    html = spark([Share(0, 1000), Share(100, 1000), Share(50, 1000)], "bad", "Through")
    # The scale ends at 20 %: the interval of the second run reaches above 10 %.
    assert [line.said for line in written(pictures(html)[0][3])] == ["20 %"]
    assert line(html) == [(4.0, 25.0), (51.0, 15.0), (98.0, 20.0)]
    circle = re.search(r'<circle class="bad" cx="([\d.]+)" cy="([\d.]+)"', html)
    assert circle is not None
    assert (float(circle[1]), float(circle[2])) == (98.0, 20.0)


def test_the_band_holds_the_line() -> None:
    runs = [Share(n % 7, 40 + n) for n in range(20)]
    html = spark(runs, "bad", "Through")
    band = re.search(r'class="bad-wash" d="([^"]*)z"', html)
    assert band is not None
    spots = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", band[1])]
    # Neighbours on one level are drawn as one line, so they are looked up by place.
    over = {x: min(y for at, y in spots if at == x) for x, _ in spots}
    under = {x: max(y for at, y in spots if at == x) for x, _ in spots}
    for x, y in line(html):
        if x in over and over[x] != under[x]:
            assert over[x] <= y <= under[x]
    assert all(5 <= y <= 25 for _, y in spots)


def test_a_run_that_measured_nothing_leaves_a_gap() -> None:
    html = spark([Share(1, 9), Share(2, 9), Share(0, 0), Share(3, 9)], "bad", "x")
    assert html.count("z") >= 2
    found = re.search(r'class="bad-line" d="([^"]*)"', html)
    assert found is not None
    assert found[1].count("M") == 2


def test_no_runs_are_no_picture() -> None:
    assert spark([], "bad", "x") == ""
    assert spark([Share(0, 0)], "bad", "x") == ""


def test_one_run_is_a_point_with_its_interval() -> None:
    html = spark([Share(1, 2)], "bad", "x")
    assert line(html) == [(98.0, 15.0)]
    assert 'class="bad-wash"' in html
    assert "in the last run" in (read(html).tags("svg")[0]["aria-label"] or "")


def test_a_trend_is_told_in_words() -> None:
    told = read(spark([Share(3, 10), Share(0, 0), Share(1, 10)], "bad", "Through")).tags("svg")[0]
    label = told["aria-label"] or ""
    assert label.startswith("Through. 10.0 % in the last run, between ")
    assert "30.0 % in the first of 2 runs" in label


def test_trends_can_share_a_scale() -> None:
    low, high = [Share(1, 1000)] * 3, [Share(300, 1000)] * 3
    end = scale_end([*low, *high])
    assert end == 0.5
    assert scale_end(low) == 0.01
    assert "50 %" in spark(low, "bad", "x", most=end)
    assert scale_end([]) == 1.0


def test_only_the_last_runs_are_shown() -> None:
    assert spark([Share(1, 9)] * 400, "bad", "x") == spark([Share(1, 9)] * 40, "bad", "x")


# --- bars


def test_a_bar_is_as_long_as_its_share() -> None:
    low, high = Share(3, 12).interval
    html = bar(Share(3, 12), "good")
    assert 'class="good-wash" d="M0 0H50V10H0z"' in html
    assert f"M{200 * low:.1f} 5H{200 * high:.1f}" in html
    assert "M0 0H1V10" in bar(Share(1, 100_000), "good")
    assert 'class="good-wash" d="M0 0H0V' in bar(Share(0, 100_000), "good")
    assert bar(Share(0, 0), "good") == ""


def test_bars_have_numbers_and_counts() -> None:
    html = bars(
        "family",
        [Column("through", "bad"), Column("refused", "good")],
        [Row("roleplay", (Share(3, 12), Share(0, 0))), Row("", (Share(1, 4), Share(2, 4)), True)],
        "By family",
    )
    table = rows(html)
    assert table[0] == ["family", "through", "refused"]
    assert table[1][1].startswith("3 of 1225.0 %")
    assert table[1][2] == "–"
    assert table[2][0] == "none given"
    assert '<tr class="sum">' in html


def test_a_long_table_keeps_its_sums() -> None:
    lines = [Row(f"family {n}", (Share(1, 4),)) for n in range(50)]
    html = bars(
        "family", [Column("through", "bad")], [*lines, Row("all", (Share(9, 9),), True)], "l"
    )
    names = [row[0] for row in rows(html)]
    assert names[-1] == "all"
    assert len(names) == 1 + 40 + 1
    assert "And 10 more" in html


def test_a_line_has_as_many_shares_as_there_are_columns() -> None:
    line = Row("x", (Share(1, 4), Share(1, 4)))
    with pytest.raises(ValueError):
        bars("family", [Column("through", "bad")], [line], "l")
    with pytest.raises(ValueError):
        heat("family", ["one"], [line], "bad", "l")


# --- tinted cells


@pytest.mark.parametrize(
    ("hits", "of", "said", "level"),
    [
        (0, 8, "0", 0), (1, 1000, "<1", 1), (1, 10, "10", 1), (101, 1000, "10", 2),
        (3, 10, "30", 3), (7, 10, "70", 7), (999, 1000, ">99", 10), (8, 8, "100", 10),
    ],
)  # fmt: skip
def test_a_cell_has_its_number_its_count_and_a_tint(
    hits: int, of: int, said: str, level: int
) -> None:
    cell = heat_cell(Share(hits, of), "bad")
    assert f'class="tint bad t{level}"' in cell
    assert read(cell).text == f"{said}{hits:,}/{of:,}"


def test_a_cell_of_nothing_is_a_dash() -> None:
    assert heat_cell(Share(0, 0), "bad") == '<td class="none">–</td>'


def test_a_table_has_a_cell_for_each_pair() -> None:
    names = [f"d{n}" for n in range(45)]
    lines = [Row(f"f{n}", tuple(Share(n, 70) for _ in names)) for n in range(66)]
    html = heat("family", names, lines, "bad", "Family by disguise")
    table = rows(html)
    assert len(table) == 61
    assert {len(row) for row in table} == {41}
    assert table[5][1] == "64/70"
    assert "And 11 more" in html
    assert all(a.get("scope") in ("col", "row") for a in read(html).tags("th"))


def light(color: str) -> float:
    """The relative luminance of `#rrggbb` or of parts from 0 to 1."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lights = sorted((light(one), light(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def mixed(color: str, paper: str, share: float) -> str:
    pairs = [(int(color[at : at + 2], 16), int(paper[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


def palettes() -> list[dict[str, str]]:
    """The colours of the page: in the light, in the dark, on paper."""
    html = document("t", [Part(f"<table><tr>{heat_cell(Share(1, 9), 'bad')}</tr></table>")], "f")
    found = re.findall(r":root\{([^}]*)\}", html)
    return [
        {
            name: color if len(color) == 7 else "#" + "".join(2 * c for c in color[1:])
            for name, color in re.findall(r"--([a-z-]+):(#[0-9a-f]+)", block)
        }
        for block in found
    ]


def test_every_tint_can_be_read() -> None:
    html = document("t", [Part(f"<table><tr>{heat_cell(Share(1, 9), 'bad')}</tr></table>")], "f")
    tints = re.findall(r"\.tint\.(bad|good)\.t(\d+)\{[^}]*var\(--\w+\) (\d+)%", html)
    assert len(tints) == 20
    made = palettes()
    assert len(made) == 3
    for colors in made:
        for style, _, percent in tints:
            tint = mixed(colors[style], colors["paper"], int(percent) / 100)
            assert contrast(colors["ink"], tint) >= 4.5
        assert contrast(colors["soft"], colors["paper"]) >= 4.5
