"""How cost grows with what is given: `python -m benchmarks.growth`.

Each lane makes one thing larger and keeps the rest: the text, the rules, the patterns, the heads of
a classifier, the calls at once, the stream. A lane is **linear** where twice as much may cost twice
as much, and **flat** where it may cost no more. Writes `growth.json`, the plots `growth.svg` and
the table in `README.md`. `--only text,rules` measures some and writes nothing. Costs are the time
that the processors worked for this process: a wait for one that is busy says nothing of growth.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from math import log
from time import perf_counter, process_time
from typing import Any, NamedTuple

from guardkit.bench import Watch

from .growth_lanes import LANES, Lane
from .growth_plot import plotted
from .tables import HERE, README, conditions, markdown, seconds, write

COMMAND = "python -m benchmarks.growth"
FILE, PLOT = HERE / "growth.json", HERE / "growth.svg"
MOST_RISE = 1.3
ROUNDS = 7
ENOUGH_S = 3.0
"""One size of a lane is measured for about so long at most, and at least once."""


class Point(NamedTuple):
    """What one size cost."""

    size: int
    s: float
    floor_s: float | None


def main() -> None:
    """Measure, say so, write."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--only", help="lanes, with commas")
    parser.add_argument("--table", action="store_true", help="only write table and plots once more")
    given = parser.parse_args()
    if not given.table:
        results = run(_chosen(given.only))
        if given.only:
            return
        FILE.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    results = json.loads(FILE.read_text("utf-8"))
    PLOT.write_text(plotted(results["lanes"]), encoding="utf-8")
    write(README, "growth", table(results))


def _chosen(only: str | None) -> list[Lane]:
    if only is None:
        return [*LANES]
    wanted = only.split(",")
    unknown = set(wanted) - {lane.id for lane in LANES}
    if unknown:
        sys.exit(f"there is no lane {min(unknown)}; there are {', '.join(one.id for one in LANES)}")
    return [lane for lane in LANES if lane.id in wanted]


def run(lanes: list[Lane]) -> dict[str, Any]:
    """Measure these and print a line for each."""
    watch, begun, found = Watch(), perf_counter(), []
    for lane in lanes:
        points = measured(lane)
        found.append(
            {
                "id": lane.id,
                "what": lane.what,
                "of": lane.of,
                "grows": "flat" if lane.is_flat else "linear",
                "floor": lane.floor,
                "points": [point._asdict() for point in points],
                "exponent": round(exponent([(p.size, p.s) for p in points]), 3),
                **judged([(p.size, p.s) for p in points], is_flat=lane.is_flat),
                "floor_rise": _floor_rise(points, lane),
            }
        )
        watch.tick()
        print(_line(found[-1]), flush=True)
    return {
        "command": COMMAND,
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(perf_counter() - begun),
        "machine": watch.seen()._asdict(),
        "lanes": found,
    }


def measured(lane: Lane) -> list[Point]:
    """Each size at its best of some rounds; the rounds go through all sizes."""
    made = [(size, lane.make(size)) for size in lane.sizes]
    best: dict[int, list[float]] = {size: [] for size in lane.sizes}
    floors: dict[int, list[float]] = {size: [] for size in lane.sizes}
    for _ in range(ROUNDS):
        for size, once in made:
            if sum(best[size]) > ENOUGH_S:
                continue
            best[size].append(_timed(once.work))
            if once.floor is not None:
                floors[size].append(_timed(once.floor))
    return [
        Point(
            size,
            min(best[size]) / once.calls,
            min(floors[size]) / once.calls if floors[size] else None,
        )
        for size, once in made
    ]


def _timed(work: Callable[[], object]) -> float:
    begun = process_time()
    given = work()
    # What must be prepared outside of the time says by itself how long it took.
    return given if isinstance(given, float) else process_time() - begun


# --- what the numbers say: pure


def exponent(points: list[tuple[int, float]]) -> float:
    """The slope of the larger half of the sizes in a plot with two logarithmic axes."""
    half = points[(len(points) - 1) // 2 :]
    xs, ys = [log(size) for size, _ in half], [log(cost) for _, cost in half]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum(
        (a - x) ** 2 for a in xs
    )


def judged(points: list[tuple[int, float]], *, is_flat: bool) -> dict[str, Any]:
    """By how much the cost of a unit rises at most, from any size to any larger one, and where.

    Stricter than the ends alone: what is spread over more units at first hides no rise later.
    """
    units = [(size, cost if is_flat else cost / size) for size, cost in points]
    rises = [
        (units[j][1] / units[i][1], units[i][0], units[j][0])
        for j in range(1, len(units))
        for i in range(j)
    ]
    rise, low, high = max(rises)
    return {"rise": round(rise, 3), "from": low, "to": high, "holds": rise <= MOST_RISE}


def _floor_rise(points: list[Point], lane: Lane) -> float | None:
    known = [(p.size, p.floor_s) for p in points if p.floor_s is not None]
    found: float | None = judged(known, is_flat=lane.is_flat)["rise"] if known else None
    return found


def table(results: dict[str, Any]) -> str:
    """The lanes as a table, with the plots and the conditions."""
    heads = (
        "lane",
        "what grows",
        "cost at each size",
        "exponent",
        "worst rise",
        "its floor",
        "holds",
    )
    rows = [
        (
            f"`{lane['id']}`",
            f"{lane['what']}; {lane['grows']}",
            ", ".join(f"{_short(p['size'])}: {seconds(p['s'])}" for p in lane["points"]),
            f"{lane['exponent']:.2f}",
            f"{lane['rise']:.2f}× ({_short(lane['from'])} → {_short(lane['to'])})",
            f"{lane['floor_rise']:.2f}×" if lane["floor_rise"] else "–",
            "yes" if lane["holds"] else "**no**",
        )
        for lane in results["lanes"]
    ]
    plots = "![cost against size, a plot for each lane](growth.svg)"
    return f"{plots}\n\n{markdown(heads, rows, '   rrr')}\n\n{conditions(results)}"


def _short(size: int) -> str:
    for unit, many in (("M", 1_000_000), ("k", 1_000)):
        if size >= many and size % (many // 10) == 0:
            return f"{size / many:g}{unit}"
    return f"{size:,}"


def _line(lane: dict[str, Any]) -> str:
    ends = [seconds(lane["points"][at]["s"]) for at in (0, -1)]
    verdict = "holds" if lane["holds"] else "does not hold"
    where = f"{_short(lane['from'])} to {_short(lane['to'])}"
    if lane["floor_rise"]:
        verdict += f"; the floor rises {lane['floor_rise']:.2f}×"
    return (
        f"{lane['id']:14} {lane['grows']:6} {ends[0]:>8} to {ends[1]:>8}, exponent "
        f"{lane['exponent']:5.2f}, worst rise {lane['rise']:5.2f}× ({where}): {verdict}"
    )


if __name__ == "__main__":
    main()
