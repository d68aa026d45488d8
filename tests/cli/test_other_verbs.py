"""`init`, `explain`, `graph`, `cost`, `diff`, and the shipped examples they are shown with."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from guardkit.diagnostics import CODES

from ._run import ROOT, SMALL, guardkit

DEMO = ROOT / "examples" / "demo" / "demo.guard"
STARTER = ROOT / "policies" / "starter" / "starter.guard"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.guard"
    path.write_text(SMALL, encoding="utf-8")
    return path


# --- what ships


@pytest.mark.parametrize("policy", [DEMO, STARTER], ids=["demo", "starter"])
def test_a_shipped_policy_is_clean_formatted_tested_and_within_budget(policy: Path) -> None:
    checked = guardkit("check", "--strict", "--verbose", policy)
    assert checked.code == 0, checked.err
    assert "note[" not in checked.err, checked.err
    assert guardkit("fmt", "--check", policy).code == 0
    tested = guardkit("test", policy)
    assert tested.code == 0, tested.err
    assert guardkit("cost", policy).code == 0
    assert guardkit("graph", policy).code == 0
    assert guardkit("diff", policy, policy).code == 0


# --- init


def test_init_writes_a_policy_that_works(tmp_path: Path) -> None:
    done = guardkit("init", tmp_path / "new")
    assert (done.code, done.out) == (0, "")
    policy = tmp_path / "new" / "policies" / "starter.guard"
    assert policy.read_bytes() == STARTER.read_bytes()
    commands = [shlex.split(line) for line in re.findall(r"^  guardkit (.+)$", done.err, re.M)]
    assert [command[0] for command in commands] == ["check", "test", "scan"]
    assert [guardkit(*command).code for command in commands] == [0, 0, 1]
    workflow = (tmp_path / "new/.github/workflows/guardkit.yml").read_text()
    for verb, options in re.findall(r"- run: guardkit (\w+) (.*) policies$", workflow, re.M):
        assert verb in ("check", "fmt", "test")
        report = options.replace("guardkit-tests.xml", str(tmp_path / "r.xml")).split()
        assert guardkit(verb, *report, tmp_path / "new" / "policies").code == 0


def test_init_overwrites_nothing_unasked(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    mine = tmp_path / "policies" / "starter.guard"
    mine.write_text("mine")
    done = guardkit("init", tmp_path)
    assert done.code == 2
    assert "is there already" in done.err
    assert mine.read_text() == "mine"
    assert not (tmp_path / ".github").exists()
    assert guardkit("init", tmp_path, "--force").code == 0
    assert mine.read_bytes() == STARTER.read_bytes()
    again = guardkit("init", tmp_path)
    assert again.code == 0
    assert "kept" in again.err


def test_init_knows_its_templates(tmp_path: Path) -> None:
    done = guardkit("init", tmp_path, "--template", "startr")
    assert done.code == 2
    assert "did you mean `starter`?" in done.err


# --- explain


@pytest.mark.parametrize("word", ["GK201", "gk201", "201", "unknown-check"])
def test_a_code_is_explained(word: str) -> None:
    done = guardkit("explain", word)
    assert (done.code, done.err) == (0, "")
    assert "GK201" in done.out
    assert "\x1b" not in done.out


@pytest.mark.parametrize("code", sorted(code.id for code in CODES.values()))
def test_every_code_is_explained_with_and_without_colours(code: str) -> None:
    plain = guardkit("explain", code)
    painted = guardkit("explain", code, FORCE_COLOR="1", COLUMNS="80")
    assert (plain.code, painted.code) == (0, 0)
    text = re.sub(r"\x1b\[[0-9;]*m", "", painted.out)
    prose = [line for line in text.splitlines() if not line.startswith("    ")]
    assert all(len(line) <= 80 for line in prose)
    assert code in text


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("unknown-chek", "did you mean `unknown-check`?"),
        ("GKK201", "did you mean `GK201`?"),
        ("GK999", "`guardkit explain --list` lists them all"),
        ("zzz", "`guardkit explain --list` lists them all"),
        ("\x1b[31m", "there is no code `\\u{1b}[31m`"),
    ],
)
def test_an_unknown_code_gets_advice(word: str, says: str) -> None:
    done = guardkit("explain", word)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_the_list_holds_every_code() -> None:
    listed = guardkit("explain", "--list").out
    assert re.findall(r"GK\d{3}", listed) == sorted(code.id for code in CODES.values())


# --- graph and cost


@pytest.mark.parametrize(
    ("format", "begins"),
    [
        ("text", "small  sha256:"),
        ("mermaid", ("flowchart", "graph", "%%", "---")),
        ("dot", "digraph"),
        ("svg", ("<svg", "<?xml")),
        ("json", "{"),
    ],
)
def test_graph(small: Path, tmp_path: Path, format: str, begins: str | tuple[str, ...]) -> None:
    done = guardkit("graph", small, "--format", format)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(begins)
    target = tmp_path / "drawn"
    written = guardkit("graph", small, "--format", format, "-o", target)
    assert (written.code, written.out) == (0, "")
    assert target.read_text(encoding="utf-8") == done.out


def test_a_graph_that_cannot_be_written(small: Path, tmp_path: Path) -> None:
    done = guardkit("graph", small, "-o", tmp_path / "none" / "x.svg")
    assert done.code == 2
    assert "cannot be written" in done.err


@pytest.mark.parametrize("verb", ["graph", "cost"])
def test_a_module_has_no_plan(tmp_path: Path, verb: str) -> None:
    path = tmp_path / "part.guard"
    path.write_text(SMALL.partition("rule")[0].replace("policy small", "module part"))
    done = guardkit(verb, path)
    assert done.code == 2
    assert "is a module" in done.err


def test_cost_is_held_against_budgets(tmp_path: Path) -> None:
    path = tmp_path / "dear.guard"
    dear = """
check rude = judge {
  call   "m:judge"
  rubric "Is it rude?"
  timeout 2s
}

rule civil {
  tier ethics
  on   input
  when cascade { no if not greeting  yes if rude >= 0.5  else no }
  then flag
}
"""
    path.write_text(SMALL.replace("check", "defaults { budget input 1ms }\n\ncheck", 1) + dear)
    done = guardkit("cost", path)
    assert done.code == 1, done.err
    assert "over by" in done.out
    assert "over budget: input" in done.err
    figures = guardkit("cost", path, "--json")
    assert figures.code == 1
    surfaces = {s["surface"]: s for s in json.loads(figures.out)["surfaces"]}
    assert surfaces["input"]["is_over"]
    assert not surfaces["output"]["is_over"]
    assert surfaces["output"]["budget_us"] is None


def test_a_larger_text_costs_more(small: Path) -> None:
    def worst(size: str) -> float:
        said = json.loads(guardkit("cost", small, "--json", "--size", size).out)
        assert said["kilobytes"] == float(size)
        return float(said["surfaces"][0]["worst_us"])

    assert worst("1") < worst("8")


# --- diff


def test_nothing_changes(small: Path) -> None:
    done = guardkit("diff", small, small)
    assert done.code == 0
    assert "nothing changes" in done.out


def test_weaker_is_a_finding_and_stronger_is_not(small: Path, tmp_path: Path) -> None:
    weak = tmp_path / "weak.guard"
    weak.write_text(SMALL.replace("on   input, output", "on   input"))
    done = guardkit("diff", small, weak)
    assert done.code == 1
    assert "expect block by no_greeting" in done.out
    assert guardkit("diff", weak, small).code == 0
    said = json.loads(guardkit("diff", small, weak, "--json").out)
    assert said["is_weaker"]
    (change,) = said["changes"]
    assert (change["surface"], change["before"], change["after"]) == ("output", "block", "pass")


def test_the_example_of_a_change_is_a_test(small: Path, tmp_path: Path) -> None:
    weak = tmp_path / "weak.guard"
    weak.write_text(SMALL.replace("on   input, output", "on   input"))
    (change,) = json.loads(guardkit("diff", small, weak, "--json").out)["changes"]
    for path, code in ((small, 0), (weak, 1)):
        path.write_text(path.read_text() + "\n" + change["test"].replace(" by no_greeting", ""))
        assert guardkit("test", path, "-k", "change 1").code == code


def test_a_policy_that_does_not_compile_is_not_compared(small: Path, tmp_path: Path) -> None:
    done = guardkit("diff", small, tmp_path / "none.guard")
    assert (done.code, done.out) == (2, "")


def test_a_changed_check_is_said_not_to_be_compared(tmp_path: Path) -> None:
    old, new = tmp_path / "old.guard", tmp_path / "new.guard"
    old.write_text(SMALL, encoding="utf-8")
    new.write_text(SMALL.replace("hello\\b", "hello world\\b"), encoding="utf-8")
    assert "may find less" in guardkit("diff", str(old), str(new)).err
    assert "may find less" not in guardkit("diff", str(old), str(old)).err
