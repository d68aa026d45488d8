"""Tables in READMEs between `<!-- name -->` and `<!-- /name -->`, written from results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
README = HERE / "README.md"
RESULTS = HERE / "results.json"


def between(text: str, name: str, body: str) -> str:
    """The text with something else between the markers of this name."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the markers `{begin}` and `{end}` are not there")
    return f"{head}{begin}\n{body.strip()}\n{end}{tail}"


def write(path: Path, name: str, body: str) -> None:
    """Put a table between the markers of a file."""
    path.write_text(between(path.read_text("utf-8"), name, body), encoding="utf-8")


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> str:
    """A table; `right` has an `r` for each column that stands to the right."""
    marks = ["---:" if right[at : at + 1] == "r" else "---" for at in range(len(heads))]
    lines = [heads, marks, *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)


def seconds(value: float) -> str:
    """A time with two or three digits that count."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{three(value / size)} {unit}"
    return f"{three(value / 1e-9)} ns"


def three(value: float) -> str:
    """A number with three digits that count, and no more than it needs."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def conditions(results: dict[str, Any]) -> str:
    """On what and when something was measured, as a sentence."""
    seen = results["machine"]
    engines = ", ".join(" ".join(pair) for pair in seen["engines"])
    load = f"load {seen['load_before']:.1f} before and {seen['load_after']:.1f} after"
    busy = f"; others were at work: {seen['why_busy']}" if seen["is_busy"] else ""
    return (
        f"`{results['command']}`, {results['date']}: {seen['cpu']}, {seen['usable']} cores, "
        f"{seen['system']}, {seen['python']}, {engines}; {load}{busy}."
    )


def performance(results: dict[str, Any] | None = None) -> str:
    """The table of W1 to W8 with its conditions, for any README: `<!-- performance -->`.

    Args:
        results: What `python -m benchmarks.targets` wrote; without it, its file is read.
    """
    if results is None:
        results = json.loads(RESULTS.read_text("utf-8"))
    heads = ("benchmark", "work", "floor", "guardkit", "ratio (95 %)", "target", "met")
    rows = [_row(row) for row in results["rows"]]
    return f"{markdown(heads, rows, '  rrr')}\n\n{conditions(results)}"


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    target = "; ".join(aim["text"] for aim in row["aims"]) or "–"
    met = "–" if row["met"] is None else "yes" if row["met"] else "**no**"
    if row["figure_s"] is None:
        return f"`{row['id']}`", row["what"], "–", "–", "–", target, met
    figure = [seconds(row["figure_s"]["value"])]
    figure += [_said(aim) for aim in row["aims"] if aim["of"] not in ("ratio", "figure")]
    floor = f"{seconds(row['floor']['s'])} ({row['floor']['what']})"
    shown = "; ".join(figure)
    return f"`{row['id']}`", row["what"], floor, shown, _ratio(row["ratio"]), target, met


def _said(aim: dict[str, Any]) -> str:
    if aim["unit"] == "%":
        return f"{aim['is']:.0%} {aim['name']}"
    value = seconds(aim["is"] / 1e3) if aim["unit"] == "ms" else f"{aim['is']:.0f}{aim['unit']}"
    return f"{value} {aim['name']}"


def _ratio(ratio: dict[str, float | None]) -> str:
    value, low, high = ratio["value"], ratio["low"], ratio["high"]
    assert value is not None
    if low is None or high is None:
        return f"{three(value)}×"
    return f"{three(value)}× ({three(low)}–{three(high)})"
