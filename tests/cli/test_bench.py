"""`guardkit bench`: what it writes, what it ends with, and that no text gets out."""

from __future__ import annotations

import gzip
import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ._run import SMALL, Done, guardkit, process

FAST = ("--seconds", "0.15", "--size", "60", "--rounds", "2")
BUDGET = SMALL.replace("check greeting", "defaults { budget input 1s }\n\ncheck greeting")
TIGHT = BUDGET.replace("1s", "1ms")
HUGE = ("--seconds", "0.15", "--size", "20000", "--rounds", "2", "--on", "input")
SECRET = "xyzzy-plugh-4711"


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("small.guard")
    path.write_text(BUDGET, encoding="utf-8")
    return path


def bench(*arguments: str | Path, **env: str) -> Done:
    return guardkit("bench", *arguments, **env)


# --- the report

NUMBER = {"type": "number"}
NULLABLE = {"type": ["number", "null"]}
QUANTILE = {
    "type": "object",
    "properties": {
        "us": NUMBER,
        "low": NULLABLE,
        "high": NULLABLE,
        "rounds": {"type": "array", "items": NUMBER},
    },
    "required": ["us", "low", "high", "rounds"],
    "additionalProperties": False,
}
SPREAD = {
    "type": "object",
    "properties": {
        "calls": {"type": "integer", "minimum": 1},
        "mean": NUMBER,
        "p50": QUANTILE,
        "p95": QUANTILE,
        "p99": QUANTILE,
        "most": NUMBER,
    },
    "required": ["calls", "mean", "p50", "p95", "p99", "most"],
    "additionalProperties": False,
}


def shape(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def listed(of: object) -> dict[str, Any]:
    return {"type": "array", "items": of}


WORD = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
YES_NO = {"type": "boolean"}
SHARE = shape(hits=COUNT, of=COUNT, low=NUMBER, high=NUMBER)
GROUP = shape(name=WORD, texts=COUNT, chars=COUNT, spread=SPREAD, bins=listed(COUNT), actions={})
PART = shape(
    name=WORD,
    kind=WORD,
    is_scanned=YES_NO,
    asked=NULLABLE,
    share=NULLABLE,
    alone={"anyOf": [SPREAD, {"type": "null"}]},
)
HELD = shape(
    limit_us=NUMBER,
    per_chunk=YES_NO,
    quantile={"enum": ["p50", "p95", "p99"]},
    us=NUMBER,
    low=NULLABLE,
    high=NULLABLE,
    by=WORD,
    rounds=COUNT,
    rounds_over=COUNT,
    is_over=YES_NO,
)
STREAM = shape(
    texts=WORD,
    streams=COUNT,
    tokens=COUNT,
    per_token=NUMBER,
    feed=SPREAD,
    finish=SPREAD,
    held_mean=NULLABLE,
    held_most=NULLABLE,
    delay_mean=NULLABLE,
    passed=COUNT,
    whole=COUNT,
)
SURFACE = shape(
    surface=WORD,
    budget={"anyOf": [HELD, {"type": "null"}]},
    first_us=NUMBER,
    bounds=listed(NUMBER),
    groups=listed(GROUP),
    parts=listed(PART),
    rules=listed(shape(name=WORD, alone=SPREAD)),
    left_out=COUNT,
    dear=listed(WORD),
    spared=SHARE,
    at_once=listed(shape(at_once=COUNT, per_s=NUMBER, spread=SPREAD)),
    not_at_once=listed(COUNT),
    stream={"anyOf": [STREAM, {"type": "null"}]},
    allocated=shape(
        peak_bytes=COUNT, verdict_bytes=COUNT, verdict_blocks=COUNT, left_blocks=NUMBER
    ),
    lacking=listed(WORD),
    undecided=SHARE,
    undecided_by=listed(WORD),
)
MACHINE = shape(
    system=WORD,
    cpu=WORD,
    cores=COUNT,
    usable=COUNT,
    python=WORD,
    engines=listed(listed(WORD)),
    load_before=NULLABLE,
    load_after=NULLABLE,
    tick_best_us=NUMBER,
    tick_usual_us=NUMBER,
    tick_mean_us=NUMBER,
    is_busy=YES_NO,
    why_busy=WORD,
)
REPORT = shape(
    guardkit_bench={"const": 1},
    policy=WORD,
    digest={"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
    version={"type": "string", "pattern": r"^\d"},
    models=listed(listed(WORD)),
    device=WORD,
    quantile={"enum": ["p50", "p95", "p99"]},
    clock={"enum": ["wall", "cpu"]},
    seconds=NUMBER,
    rounds=COUNT,
    texts=WORD,
    machine=MACHINE,
    loading=shape(compile_us=NUMBER, bind_us=NUMBER, again_us=NUMBER),
    memory=shape(loaded=NULLABLE, grown=NULLABLE, calls=COUNT),
    surfaces=listed(SURFACE),
    notes=listed(WORD),
    exchange=shape(
        texts=WORD,
        layers={"type": "object", "additionalProperties": NUMBER},
        us=NUMBER,
        low=NULLABLE,
        high=NULLABLE,
    ),
)


@cache
def one_run(folder: str) -> tuple[Done, dict[str, Any]]:
    """One run that writes both, for the tests that only look."""
    path = Path(folder, "seen.guard")
    path.write_text(BUDGET, encoding="utf-8")
    written = Path(folder, "seen.json")
    done = bench(path, *FAST, "--json", written)
    return done, json.loads(written.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, dict[str, Any]]:
    return one_run(str(tmp_path_factory.mktemp("bench")))


def test_the_json_has_its_shape(seen: tuple[Done, dict[str, Any]]) -> None:
    done, data = seen
    assert done.code == 0
    jsonschema.validate(data, REPORT)
    assert data["policy"] == "small"
    assert data["rounds"] == 2
    assert [one["surface"] for one in data["surfaces"]] == ["input", "output"]
    assert [one["name"] for one in data["surfaces"][0]["groups"]] == [
        "prose, 60",
        "near hits, 60",
    ]


def test_the_tables_fit_80_columns_and_say_what_is_what(
    seen: tuple[Done, dict[str, Any]],
) -> None:
    done, data = seen
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("small: measured on ")
    assert lines[2].startswith("  input       within    p99 ")
    assert " of 1.0 s" in lines[2]
    assert lines[3].startswith("  output      no budget ")
    assert lines[5].startswith("  all layers, one text each (p50): input ")
    for piece in (
        "where it goes",
        "scan for 1 check",
        "the rest",
        "at once",
        "held back",
        "memory",
        "its verdict keeps",
        "pictures: each call stands where its time lies",
    ):
        assert piece in done.out
    assert "within budget" in done.err
    busy = data["machine"]["is_busy"]
    assert ("the machine was busy" in done.err) is busy
    assert "\x1b" not in done.out + done.err


def test_the_picture_is_of_blocks_where_there_are_any(
    policy: Path, seen: tuple[Done, dict[str, Any]]
) -> None:
    assert any(sign in seen[0].out for sign in "▁▂▃▄▅▆▇█")
    plain = process("bench", policy, *FAST, "--on", "input", PYTHONIOENCODING="ascii")
    assert plain.out.isascii()
    assert max(map(len, plain.out.splitlines())) <= 80
    coloured = bench(policy, *FAST, "--on", "input", FORCE_COLOR="1")
    assert "\x1b[32mwithin\x1b[0m" in coloured.out


def test_json_on_standard_output_stands_alone(policy: Path) -> None:
    done = bench(policy, *FAST, "--json", "-", "--on", "output", "--quantile", "p50")
    data = json.loads(done.out)
    jsonschema.validate(data, REPORT)
    assert [one["surface"] for one in data["surfaces"]] == ["output"]
    assert data["quantile"] == "p50"


def test_processor_time(policy: Path) -> None:
    done = bench(policy, *FAST, "--clock", "cpu", "--on", "input")
    assert done.code == 0
    assert done.out.splitlines()[0].endswith(", processor time")


def test_calls_at_once_are_as_many_as_asked(policy: Path) -> None:
    levels = ("--at-once", "5", "--at-once", "2", "--at-once", "5")
    done = bench(policy, *FAST, "--on", "input", *levels, "--json", "-")
    (surface,) = json.loads(done.out)["surfaces"]
    assert [one["at_once"] for one in surface["at_once"]] == [2, 5]
    assert surface["not_at_once"] == []


def test_a_page_is_written(policy: Path) -> None:
    done = bench(policy, *FAST, "--html", "report.html")
    assert done.code == 0
    page = Path("report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<title>small: benchmark</title>" in page
    assert "small: measured on " in done.out  # the tables are there all the same


def test_quick_is_quick(policy: Path) -> None:
    done = bench(policy, "--quick", "--rounds", "1", "--json", "-", "--on", "output")
    data = json.loads(done.out)
    assert data["seconds"] == 3
    names = [one["name"] for one in data["surfaces"][0]["groups"]]
    assert names == ["prose, 200", "prose, 1,000", "near hits, 1,000"]


# --- budgets


def test_over_budget_is_a_finding(policy: Path) -> None:
    policy.write_text(TIGHT, encoding="utf-8")
    done = bench(policy, *HUGE)
    assert done.code == 1
    assert "over budget: input" in done.err
    assert "  input       over " in done.out


def test_without_budgets_there_is_no_verdict(policy: Path) -> None:
    policy.write_text(SMALL, encoding="utf-8")
    done = bench(policy, *FAST, "--on", "input")
    assert done.code == 0
    assert "budget" not in done.err
    assert "no budget" in done.out


def test_a_check_that_cannot_be_bound(policy: Path) -> None:
    lacking = BUDGET.replace("when greeting", "when any of (greeting, own)").replace(
        "rule no_greeting",
        'check own = python { call "no_such_module_here:x" }\n\nrule no_greeting',
    )
    policy.write_text(lacking, encoding="utf-8")
    refused = bench(policy, *FAST)
    assert refused.code == 2
    assert "no_such_module_here" in refused.err
    assert "--may-lack" in refused.err
    done = bench(policy, *FAST, "--may-lack", "--on", "input", "--json", "-")
    assert done.code == 3
    (surface,) = json.loads(done.out)["surfaces"]
    assert surface["lacking"] == ["own"]
    assert surface["undecided_by"] == ["no_greeting"]
    assert surface["undecided"]["hits"] == surface["undecided"]["of"]
    assert "checks could not do their work: input" in done.err


# --- comparing


def test_a_report_is_compared_with_another(policy: Path, seen: tuple[Done, dict[str, Any]]) -> None:
    Path("old.json").write_text(json.dumps(seen[1]), encoding="utf-8")
    done = bench(policy, *FAST, "--on", "input", "--compare", "old.json", "--tolerance", "900%")
    assert done.code == 0
    assert "compared with before, 900% slower tolerated" in done.out
    assert "measured only then: output: prose, 60;" in done.out
    assert "nothing is slower than before" in done.err
    assert max(map(len, done.out.splitlines())) <= 80


def test_slower_for_certain_is_a_finding(policy: Path, seen: tuple[Done, dict[str, Any]]) -> None:
    old = deepcopy(seen[1])
    for group in old["surfaces"][0]["groups"]:
        # As if it had once taken a thousandth of the time.
        for name in ("p50", "p95", "p99"):
            group["spread"][name] = {"us": 0.01, "low": 0.009, "high": 0.011, "rounds": [0.01]}
    Path("old.json").write_text(json.dumps(old), encoding="utf-8")
    done = bench(policy, *FAST, "--on", "input", "--compare", "old.json", "--json", "-")
    assert done.code == 1
    compared = json.loads(done.out)["compare"]
    assert compared["slower"] >= 2
    assert "slower than before" in done.err


# --- texts


def test_own_texts_are_measured_and_never_shown(policy: Path) -> None:
    rows: list[dict[str, object]] = [
        {"text": f"{SECRET} number {i}", "on": "output" if i % 2 else "input"} for i in range(8)
    ]
    rows.append({"text": f"hello {SECRET}", "session": "s"})
    data = Path("texts.jsonl")
    lines = [json.dumps(row) for row in rows] + ["no row"]
    data.write_text("\n".join(lines), encoding="utf-8")
    done = bench(policy, data, *FAST, "--json", "report.json")
    assert done.code == 0
    assert "1 row is unreadable" in done.err
    assert "1 row is measured without the context, session or tool that it names" in done.err
    assert "own texts" in done.out
    assert SECRET not in done.out + done.err + Path("report.json").read_text(encoding="utf-8")


def test_packed_texts_are_measured(policy: Path) -> None:
    rows = "".join(json.dumps({"text": f"text {i}"}) + "\n" for i in range(8))
    Path("texts.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    done = bench(policy, "texts.jsonl.gz", *FAST, "--json", "-")
    assert done.code == 0
    assert json.loads(done.out)["surfaces"][0]["groups"][0]["texts"] == 8


def test_of_too_many_texts_the_first_are_measured(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardkit.cli._bench._MOST_CHARS", 30)
    rows = "".join(json.dumps({"text": f"text {i}"}) + "\n" for i in (1, 1, 1, 1, 1, *range(9)))
    Path("texts.jsonl").write_text(rows, encoding="utf-8")
    done = bench(policy, "texts.jsonl", *FAST, "--json", "-")
    assert done.code == 0
    assert "only the first 5 texts are measured with" in done.err
    assert json.loads(done.out)["surfaces"][0]["groups"][0]["texts"] == 5


def test_lines_of_standard_input_are_texts(policy: Path) -> None:
    lines = f"one {SECRET}\n\ntwo\n"
    done = guardkit("bench", policy, "-", *FAST, "--on", "output", "--json", "-", input=lines)
    assert done.code == 0
    (surface,) = json.loads(done.out)["surfaces"]
    assert surface["surface"] == "output"
    assert surface["groups"][0]["texts"] == 2
    assert SECRET not in done.out + done.err


def test_no_text_at_all(policy: Path) -> None:
    Path("none.jsonl").write_text("\n", encoding="utf-8")
    done = bench(policy, "none.jsonl", *FAST)
    assert done.code == 5
    assert "there is nothing to judge" in done.err


# --- bad input: one sentence, 2, and no traceback


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("small.guard", "texts.txt"), "`texts.txt` is no file of texts"),
        (("small.guard", "gone.jsonl"), "`gone.jsonl` cannot be read"),
        (("small.guard", "--compare", "gone.json"), "`gone.json` cannot be read"),
        (("small.guard", "--compare", "bad.json"), "`bad.json` is not JSON"),
        (("small.guard", "--compare", "."), "`.` cannot be read"),
        (("small.guard", "--compare", "other.json", *FAST), "the old report is no report"),
        (("small.guard", "--tolerance", "lots"), "`lots` is no percentage"),
        (("small.guard", "--tolerance", "nan"), "`nan` is no percentage"),
        (("small.guard", "--quantile", "p42"), "'p42' is not one of"),
        (("small.guard", "--size", "3"), "3 is not in the range"),
        (("small.guard", "--on", "retrieved", *FAST), "no rule judges `retrieved`"),
        (("small.guard", "--on", "conversation"), "is not one of"),
        (("small.guard", "--at-once", "0"), "0 is not in the range"),
        (("small.guard", "--html", "gone/x.html"), "cannot be written: no such folder"),
        (("small.guard", "--html", "."), "`.` cannot be written"),
        (("small.guard", *FAST, "--on", "input", "--json", "gone/x.json"), "cannot be written"),
        (("gone.guard",), "gone.guard"),
    ],
)
def test_bad_input_is_one_sentence(policy: Path, arguments: tuple[str, ...], says: str) -> None:
    Path("bad.json").write_text("{", encoding="utf-8")
    Path("other.json").write_text("[]", encoding="utf-8")
    done = bench(*arguments)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err


def test_an_old_report_is_read_before_anything_is_measured(policy: Path) -> None:
    policy.write_text("guardkit 1\nnonsense", encoding="utf-8")
    done = bench(policy, "--compare", "gone.json")
    assert done.code == 2
    assert "gone.json" in done.err
    assert "nonsense" not in done.err


# --- what ships


@pytest.mark.parametrize("name", ["agent", "chat", "code", "moderation", "pii", "rag", "starter"])
def test_every_deployment_that_ships_can_be_measured(name: str) -> None:
    done = bench(name, *FAST, "--json", "-")
    assert done.code in (0, 1), done.err  # 1: its budget was too small for this machine
    assert json.loads(done.out)["surfaces"]
