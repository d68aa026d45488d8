"""W1 to W8 in one run: `python -m benchmarks.targets`.

Each beside its floor in the same process, in turns, over several laps. Writes `results.json` and
from it the table in `README.md`; says what was met. `--only W1,W3` measures and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Any, Literal, NamedTuple

from guardkit.bench import Watch

from . import works, works_models, works_serve
from .pairs import Measured, Middle, Work, measured
from .tables import README, RESULTS, performance, seconds, three, write

COMMAND = "python -m benchmarks.targets"


class Aim(NamedTuple):
    """One number that is to be reached."""

    of: str
    """`ratio`, `figure`, or a note of the laps."""
    most: float | None = None
    least: float | None = None
    unit: Literal["×", "ms", "%", ""] = "ms"
    name: str = ""
    """What the table calls it."""

    @property
    def text(self) -> str:
        """As the table says it."""
        sign, limit = ("≤", self.most) if self.most is not None else ("≥", self.least)
        assert limit is not None
        if self.unit == "%":
            shown = f"{limit:.0%}"
        elif self.unit == "ms":
            shown = seconds(limit / 1e3).replace(".00", "").replace(".0 ", " ")
        else:
            shown = f"{limit:g}{self.unit}"
        return f"{self.name} {sign} {shown}".strip()

    def is_met(self, value: float) -> bool:
        """Whether this value reaches it."""
        return (self.most is None or value <= self.most) and (
            self.least is None or value >= self.least
        )


class Row(NamedTuple):
    """A work of the table and what it is to reach."""

    id: str
    make: Callable[[], Work] | Callable[[], AbstractContextManager[Work]]
    aims: tuple[Aim, ...] = ()


W6_AIMS = (
    Aim("figure", most=1.0, name="p50"),
    Aim("p99_ms", most=25.0, name="p99"),
    Aim("without_mini", least=0.95, unit="%", name="without mini"),
)
W7_AIMS = (Aim("figure", most=1.0, name="added"),)
OVER_RAW = (Aim("ratio", most=1.2, unit="×"),)

ROWS: tuple[Row, ...] = (
    Row("W1-200", partial(works.w1, 200)),
    Row("W1-1024", works.w1, (Aim("ratio", most=1.8, unit="×"),)),
    Row("W1-8192", partial(works.w1, 8192)),
    Row("W1-65536", partial(works.w1, 65536)),
    Row("W1-raw", partial(works.w1, views="raw")),
    Row("W1h", works.w1h, (Aim("figure", most=0.9),)),
    Row("W2", works.w2, (Aim("figure", most=0.003, name="added"),)),
    Row(
        "W3",
        works.w3,
        (
            Aim("figure", most=7.0),
            Aim("first_ms", most=7.0, name="first stream"),
            Aim("leaked", most=0, unit="", name="leaked"),
        ),
    ),
    Row("W4", works.w4, (Aim("figure", most=0.058),)),
    *(
        Row(f"W5-{weights}-{size}", partial(works_models.w5, weights, size), OVER_RAW)
        for weights in ("fp32", "int8")
        for size in (200, 1_000, 4_000)
    ),
    *(Row(f"W6-{kind}", partial(works_models.w6, kind), W6_AIMS) for kind in works_models.KINDS),
    Row("W7-one", works_serve.w7, W7_AIMS),
    Row("W7-starter", partial(works_serve.w7, "starter"), W7_AIMS),
    Row("W8-60", works.w8_sixty, (Aim("figure", most=10.0),)),
    Row("W8-1000", works.w8, (Aim("figure", most=1_000.0),)),
)


def main() -> None:
    """Measure, say so, write."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--only", help="ids or beginnings of ids, with commas")
    parser.add_argument("--laps", type=int, help="of each, in place of its own number")
    parser.add_argument("--table", action="store_true", help="only write the table once more")
    given = parser.parse_args()
    if not given.table:
        results = run(chosen(given.only), given.laps)
        if given.only:
            return
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    write(README, "performance", performance())


def chosen(only: str | None) -> list[Row]:
    """The rows whose ids begin so."""
    wanted = tuple(only.split(",")) if only else ("",)
    found = [row for row in ROWS if row.id.startswith(wanted)]
    if not found:
        sys.exit(f"no benchmark begins with {only}; there are {', '.join(r.id for r in ROWS)}")
    return found


def run(rows: list[Row], laps: int | None = None) -> dict[str, Any]:
    """Measure these, in turn, and print a line for each."""
    watch, begun, found = Watch(), perf_counter(), []
    for row in rows:
        with _made(row) as work:
            found.append(_result(row, work, measured(work, laps), laps or work.laps))
        watch.tick()
        print(_line(found[-1]), flush=True)
    return {
        "format": 1,
        "command": COMMAND,
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(perf_counter() - begun),
        "machine": watch.seen()._asdict(),
        "rows": found,
    }


@contextmanager
def _made(row: Row) -> Iterator[Work]:
    made = row.make()
    if isinstance(made, Work):
        yield made
    else:
        with made as work:
            yield work


def _result(row: Row, work: Work, seen: Measured, laps: int) -> dict[str, Any]:
    assert work.id == row.id
    values = {
        "ratio": seen.ratio.value,
        "figure": seen.added.value * 1e3,
        **{name: note.value for name, note in seen.notes.items()},
    }
    aims = [
        {
            "of": aim.of,
            "name": aim.name,
            "unit": aim.unit,
            "text": aim.text,
            "is": values[aim.of],
            "met": aim.is_met(values[aim.of]),
        }
        for aim in row.aims
    ]
    return {
        "id": row.id,
        "what": work.what,
        "command": f"{COMMAND} --only {row.id}",
        "laps": laps,
        "floor": {"what": work.floor, "s": seen.floor.value},
        "figure_s": _middle(seen.added),
        "ratio": _middle(seen.ratio),
        "notes": {name: _middle(note) for name, note in seen.notes.items()},
        "aims": aims,
        "met": all(aim["met"] for aim in aims) if aims else None,
    }


def _middle(value: Middle) -> dict[str, float | None]:
    return {name: number and float(f"{number:.4g}") for name, number in value._asdict().items()}


def _line(row: dict[str, Any]) -> str:
    figure, ratio, floor = row["figure_s"]["value"], row["ratio"]["value"], row["floor"]["s"]
    met = {None: "", True: "met", False: "missed"}[row["met"]]
    aims = "; ".join(aim["text"] for aim in row["aims"])
    shown = f"{row['id']:14} {seconds(floor):>8} {seconds(figure):>8} {three(ratio):>6}×"
    return f"{shown}  {met:6} {aims}".rstrip()


if __name__ == "__main__":
    main()
