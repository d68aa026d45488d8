"""The results as Markdown. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._cases import CASES, Case

BEGIN = "<!-- figures: begin -->"
END = "<!-- figures: end -->"
WRONG = "†"
OVERVIEW = ("w1_200", "w1", "w1_8k", "w1h", "w2", "w3", "w4", "w5", "w7")
Results = Mapping[str, Any]
Row = Mapping[str, Any]


def with_table(document: str, results: Results) -> str:
    """A document with the tables between its two marks.

    Raises:
        ValueError: It does not have each mark once, in order.
    """
    if document.count(BEGIN) != 1 or document.count(END) != 1:
        raise ValueError(f"the document needs the marks {BEGIN} and {END}, once each")
    before, _, rest = document.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"the mark {END} stands before {BEGIN}")
    return f"{before}{BEGIN}\n\n{table(results)}\n{END}{after}"


def table(results: Results) -> str:
    """All tables: the machine, everybody at a glance, each kind of work, what is not there."""
    parts = [_machine(results), _overview(results)]
    for case in CASES:
        rows = [row for row in results["rows"] if row["case"] == case.name]
        if rows and not case.is_once:
            parts.append(_work(case, rows, results["rows"]))
    parts.append(_missing(results))
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine(results: Results) -> str:
    machine = results["machine"]
    busy = f"; busy: {machine['why_busy']}" if machine["is_busy"] else ""
    loads = [machine["load_before"], machine["load_after"]]
    load = " to ".join(f"{one:.1f}" for one in loads if one is not None)
    installed = "; ".join(
        f"{name} ({_versions(versions)})" for name, versions in results["versions"].items()
    )
    return (
        f"{results['date']}, {results['rounds']} rounds in turns, {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['python']}, load {load}{busy}.\n\n{installed}."
    )


def _versions(of: Mapping[str, str]) -> str:
    return ", ".join(f"{package} {number}" for package, number in of.items() if package != "python")


def _overview(results: Results) -> str:
    """For everybody the fastest that is right, else the fastest, as a multiple of guardkit."""
    rows = results["rows"]
    titles = {case.name: case.title.partition(":")[0] for case in CASES}
    sizes = {"w1_200": " 200", "w1": " 1 KB", "w1_8k": " 8 KB"}
    heads = [titles[name] + sizes.get(name, "") for name in OVERVIEW]
    lines = [_line(["times guardkit", *heads]), _line(["---", *["---:"] * len(heads)])]
    for name in results["versions"]:
        cells = [_glance(case, name, rows) for case in OVERVIEW]
        lines.append(_line([name, *cells]))
    wrong = "misses a hit, lets a value or a part of a secret out, or changes a clean text"
    note = f"{WRONG} gives a wrong answer: {wrong}."
    return "\n".join([*lines, "", note])


def _glance(case: str, peer: str, rows: Sequence[Row]) -> str:
    own = [row for row in rows if (row["case"], row["peer"]) == (case, peer) and "us" in row]
    if not own:
        return "–"
    # guardkit's first row does all of its work; it is what the others are compared with.
    best = (
        own[0]
        if peer == "guardkit"
        else min(own, key=lambda row: (not _right(row, rows), row["us"]))
    )
    told = best["ratios"].get("guardkit")
    shown = _time(best["us"]) if peer == "guardkit" else _times(told)
    return shown if _right(best, rows) else f"{shown} {WRONG}"


def _right(row: Row, rows: Sequence[Row]) -> bool:
    """Whether what a row measures does what it is for."""
    said = row.get("judged", {})
    about = {"w3": "leak"} | dict.fromkeys(("w1", "w1_200", "w1_8k", "w1h"), "hits")
    if row["case"] in about:
        said = said | _beside(row, rows, about[row["case"]])
    right = {
        "hits": lambda: said["found"] == said["hits"],
        "leaked_most": lambda: said["leaked_most"] == 0,
        "whole": lambda: said["whole"] == 1,
        "redacted": lambda: said["redacted"] == 4,
        "stops_input": lambda: said["stops_input"] and said.get("stops_output", True),
        "passes": lambda: said["passes"],
    }
    return all(is_right() for key, is_right in right.items() if key in said)


def _beside(row: Row, rows: Sequence[Row], case: str) -> Mapping[str, Any]:
    """What was said of the answers of the same mechanism in another case."""
    for one in rows:
        if (one["case"], one["peer"], one["mechanism"]) == (case, row["peer"], row["mechanism"]):
            said: Mapping[str, Any] = one.get("judged", {})
            return said
    return {}


def _work(case: Case, rows: Sequence[Row], every: Sequence[Row]) -> str:
    floors = {"classify": ("raw",), "serve": ("direct",)}.get(case.work, ("re", "re2"))
    names = {"re": "`re`", "re2": "RE2 set", "raw": "raw", "direct": "the call itself"}
    answers = _answers(case)
    spent = "added" if case.work in ("wrap", "serve") else "median"
    heads = ["", "how", spent, "× guardkit", *(f"× {names[one]}" for one in floors), *answers]
    lines = [f"### {case.title}", "", _line(heads)]
    lines.append(_line(["---", "---", *["---:"] * (len(heads) - 2)]))
    for row in sorted(rows, key=lambda row: row.get("us", float("inf"))):
        if "us" not in row:
            lines.append(
                _line(
                    [row["peer"], row["mechanism"], f"failed: {row['error'].splitlines()[0][:80]}"]
                )
            )
            continue
        ratios = [_times(row["ratios"].get(one)) for one in ("guardkit", *floors)]
        said = row.get("judged", {})
        if case.name in ("w1", "w3"):
            said = said | _beside(row, every, "hits" if case.name == "w1" else "leak")
        cells = [row["peer"], row["mechanism"], _time(row["us"]), *ratios]
        lines.append(_line([*cells, *(tell(said) for tell in answers.values())]))
    return "\n".join(lines)


def _answers(case: Case) -> dict[str, Any]:
    """What a table says of the answers: the head of a column, and how a cell is written."""

    def found(said: Mapping[str, Any]) -> str:
        return f"{said['found']} of {said['hits']}" if "hits" in said else "–"

    def alarms(said: Mapping[str, Any]) -> str:
        return f"{said['false_alarms']} of {said['clean']}" if "clean" in said else "–"

    def most(said: Mapping[str, Any]) -> str:
        return f"{said['leaked_most']} of 40" if "leaked_most" in said else "–"

    def leaking(said: Mapping[str, Any]) -> str:
        return f"{said['leaking']} of {said['streams']}" if "streams" in said else "–"

    def redacted(said: Mapping[str, Any]) -> str:
        return f"{said['redacted']:.3g} of 4" if "redacted" in said else "–"

    def stops(said: Mapping[str, Any]) -> str:
        ways = {"stops_input": "in", "stops_output": "out"}
        return ", ".join(name for key, name in ways.items() if said.get(key)) or "–"

    def whole(said: Mapping[str, Any]) -> str:
        return "–" if "whole" not in said else "yes" if said["whole"] == 1 else "no"

    if case.name == "w1":
        return {"hits found": found, "false alarms": alarms}
    if case.name == "w3":
        return {"streams that leak": leaking, "most characters": most, "clean ones whole": whole}
    about = {
        "w2": {"stops": stops},
        "w4": {"values redacted": redacted},
        "w7": {"stops": stops},
    }
    return about.get(case.name, {})


def _missing(results: Results) -> str:
    if not results["missing"]:
        return ""
    titles = {"scan": "W1", "wrap": "W2", "stream": "W3", "redact": "W4", "classify": "W5"}
    titles["serve"] = "W7"
    lines = [
        f"- {one['peer']}, {titles.get(one['work'], one['work'])}: {one['why']}."
        for one in results["missing"]
    ]
    return "\n".join(["### Not measured", "", *lines])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _time(us: float) -> str:
    if us < 999.5:
        return f"{us:.3g} µs"
    return f"{us / 1e3:.3g} ms" if us < 999_500 else f"{us / 1e6:.3g} s"


def _times(ratio: float | None) -> str:
    if ratio is None:
        return "–"
    return f"{ratio:,.0f}×" if ratio >= 99.5 else f"{ratio:.2g}×"
