"""`guardkit test`: probes, coverage, and running again when something changes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ._run import SMALL, START, guardkit, plain
from .test_ending import in_terminal, widest

PROBE = """
probe attacks {
  cases    "cases.jsonl"
  disguise base64, zero_width
  expect   stopped at least 75%
}
"""
SURE = PROBE.replace("75%", "75% confidence 95%").replace("attacks", "sure_attacks")
ENGINE = """
check rude = classifier {
  model  "models/rude"
  digest "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}

rule no_rudeness {
  tier ethics
  on   input
  when rude >= 0.7
  then block
}
"""
SECRET = "a sentence that nobody asked to see"
SILENT = '\ntest "silent" {\n  input  "good day"\n  expect pass\n}\n'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "small.guard"
    path.write_text(SMALL + PROBE, encoding="utf-8")
    cases(path, 3, 1)
    return path


def cases(policy: Path, hits: int, misses: int) -> None:
    rows = [{"text": f"hello to all of you {n}"} for n in range(hits)]
    rows += [{"text": f"{SECRET} {n}", "id": f"miss-{n}"} for n in range(misses)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (policy.parent / "cases.jsonl").write_text(text, encoding="utf-8")


# --- probes


def test_a_probe_that_passes_says_its_rates(policy: Path) -> None:
    done = guardkit("test", policy)
    assert done.code == 0
    assert done.err == (
        "  probe attacks: passed, 9 of 12 stopped\n"
        "    plain 75\u00a0%, base64 75\u00a0%, zero_width 75\u00a0%\n"
        "\n"
        "2 passed\n"
    )


def test_a_probe_that_fails_names_lines_and_no_text(policy: Path) -> None:
    cases(policy, 2, 2)
    done = guardkit("test", policy)
    assert done.code == 1
    assert "error[failed]: probe attacks" in done.err
    line = (SMALL + PROBE).splitlines().index("probe attacks {") + 1
    assert f"{policy.as_posix()}:{line}:7" in done.err
    assert "expected   stopped at least 75%" in done.err
    assert "actual     6 of 12 (50.0%)" in done.err
    assert "missed     miss-0 (also in base64, zero_width): pass" in done.err
    assert done.err.endswith("1 passed, 1 failed\n")
    assert SECRET not in done.err


def test_missed_texts_are_shown_to_who_asks(policy: Path) -> None:
    cases(policy, 0, 1)
    done = guardkit("test", policy, "--show-values")
    assert f'  miss-0\n    "{SECRET} 0"\n' in done.err
    assert "  miss-0 in base64\n" in done.err
    said = guardkit("test", policy, "--format", "json").out
    assert SECRET not in said
    assert SECRET in guardkit("test", policy, "--format", "json", "--show-values").out


def test_too_few_cases_are_undecided_and_say_how_many_it_takes(policy: Path) -> None:
    cases(policy, 4, 0)
    policy.write_text(SMALL + SURE, encoding="utf-8")
    done = guardkit("test", policy)
    assert done.code == 3
    assert "warning[undecided]: probe sure_attacks" in done.err
    assert "there are too few cases to be sure" in done.err
    assert "at least 59.6% with confidence 95%" in done.err
    assert "5 more cases without a miss would make it sure" in done.err
    cases(policy, 9, 0)
    assert guardkit("test", policy).code == 0


def test_a_check_that_cannot_run_here_leaves_a_probe_open(policy: Path) -> None:
    policy.write_text(SMALL + ENGINE + PROBE, encoding="utf-8")
    cases(policy, 1, 3)
    done = guardkit("test", policy)
    assert done.code == 3
    assert "check `rude`" in done.err
    assert "1 passed, 1 undecided" in done.err


def test_a_wrong_case_file_is_2(policy: Path) -> None:
    (policy.parent / "cases.jsonl").write_text('{"text": "hello"}\nnothing\n')
    done = guardkit("test", policy)
    assert done.code == 2
    assert "error[broken]: probe attacks" in done.err
    assert "`cases.jsonl` line 2 is no case: it is not JSON" in done.err
    assert done.err.endswith("1 passed, 1 broken\n")


def test_probes_can_be_left_out_and_chosen(policy: Path) -> None:
    cases(policy, 0, 4)
    assert guardkit("test", policy, "--no-probes").err == "1 passed\n"
    done = guardkit("test", policy, "-k", "ATT")
    assert (done.code, done.err[-9:]) == (1, "1 failed\n")
    assert guardkit("test", policy, "-k", "greeting").err == "1 passed\n"
    assert guardkit("test", policy, "-k", "attacks", "--no-probes").code == 5


def test_several_files_have_their_probes_below_them(policy: Path) -> None:
    (policy.parent / "other.guard").write_text(SMALL, encoding="utf-8")
    module = SMALL.replace("policy small", "module small") + PROBE
    (policy.parent / "part.guard").write_text(module, encoding="utf-8")
    lines = guardkit("test", policy.parent).err.splitlines()
    assert lines[0] == f"{policy.parent.as_posix()}/other.guard: 1 passed"
    assert lines[1] == f"{policy.parent.as_posix()}/part.guard: 1 passed"
    assert lines[2] == "  probe attacks: passed, 9 of 12 stopped"
    assert lines[-1] == "5 passed"


def test_probes_in_json(policy: Path) -> None:
    done = guardkit("test", policy, "--format", "json")
    assert (done.code, done.err) == (0, "")
    (probe,) = json.loads(done.out)["probes"]
    assert probe["status"] == "passed"
    assert probe["expected"] == {
        "outcome": "stopped",
        "bound": "least",
        "rate": 0.75,
        "confidence": None,
    }
    assert probe["rate"] == {"value": 0.75, "hits": 9, "of": 12, "unknown": 0}
    assert [one["disguise"] for one in probe["disguises"]] == [None, "base64", "zero_width"]
    assert probe["missed"][0] == {
        "id": "miss-0",
        "line": 4,
        "disguise": None,
        "action": "pass",
        "fired": [],
        "unknown": [],
    }
    assert json.loads(done.out)["summary"]["passed"] == 2


def test_probes_in_junit(policy: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    policy.write_text(SMALL + PROBE + SURE, encoding="utf-8")
    assert guardkit("test", policy, "--junit", report, "--coverage").code == 3
    suites = ElementTree.parse(report).getroot()
    assert suites.attrib["tests"] == "3"
    assert suites.attrib["errors"] == "1"
    found = {case.attrib["name"]: case for case in suites.iter("testcase")}
    rates = {p.attrib["name"]: p.attrib["value"] for p in found["probe attacks"].iter("property")}
    assert rates == {
        "rate": "9/12",
        "rate.plain": "3/4",
        "rate.base64": "3/4",
        "rate.zero_width": "3/4",
    }
    assert found["probe sure_attacks"].find("error") is not None
    (figures,) = [suite.find("properties") for suite in suites.iter("testsuite")]
    assert figures is not None
    assert {p.attrib["name"]: p.attrib["value"] for p in figures}["coverage.rule"] == "1/2"


# --- in a terminal


def test_a_bar_runs_in_a_terminal_and_is_gone_after(policy: Path) -> None:
    shown = in_terminal("test", policy)[1]
    assert re.search(r"\r  attacks +\[#+\] 100 %\r +\r  probe attacks: ", shown)
    for still in ({"CI": "true"}, {}):
        arguments = ("test", policy) if still else ("test", "--no-progress", policy)
        quiet = in_terminal(*arguments, **still)[1]
        assert "[#" not in quiet
        assert "probe attacks: " in quiet
    assert "[#" not in guardkit("test", policy).err


@pytest.mark.parametrize("columns", [60, 80])
def test_what_is_shown_fits_the_terminal(policy: Path, columns: int) -> None:
    cases(policy, 1, 3)
    arguments = ("test", policy.name, "--coverage", "--fail-under", "90")
    shown = in_terminal(*arguments, columns=columns, cwd=policy.parent)[1]
    assert widest(shown.replace("\r", "\n")) <= columns
    assert "\x1b[" not in in_terminal(*arguments, cwd=policy.parent, NO_COLOR="1")[1]


# --- coverage


def test_coverage_shows_what_was_never_seen(policy: Path) -> None:
    policy.write_text(SMALL, encoding="utf-8")
    done = guardkit("test", policy, "--coverage")
    assert done.code == 0
    name = policy.as_posix()
    assert re.search(r"^outcomes seen +rules$", done.err, re.M)
    assert re.search(r" 1/2 +50 %$", done.err, re.M)
    assert f"never seen\n  {name}\n     12  rule no_greeting: stayed silent\n" in done.err
    policy.write_text(SMALL + SILENT, encoding="utf-8")
    done = guardkit("test", policy, "--coverage")
    assert re.search(r" 2/2 +100 %$", done.err, re.M)
    assert "never seen" not in done.err


@pytest.mark.parametrize(("least", "code"), [("50", 0), ("50.1", 1), ("100", 1), ("0", 0)])
def test_too_little_coverage_fails(policy: Path, least: str, code: int) -> None:
    policy.write_text(SMALL, encoding="utf-8")
    done = guardkit("test", policy, "--fail-under", least)
    assert done.code == code
    said = f"50 % of the rules' outcomes were seen, and {least} % have to be"
    assert (said in done.err) == bool(code)
    assert guardkit("test", policy, "--fail-under", least, "-q").code == code


def test_coverage_counts_what_tests_give_and_what_stays_undecided(policy: Path) -> None:
    text = SMALL + SILENT + ENGINE
    policy.write_text(text, encoding="utf-8")
    said = json.loads(guardkit("test", policy, "--coverage", "--format", "json").out)["coverage"]
    assert said["files"][0]["seen"]["rule"] == {"seen": 3, "of": 5}
    assert [(one["name"], one["what"]) for one in said["files"][0]["missing"]] == [
        ("no_rudeness", "fired"),
        ("no_rudeness", "stayed silent"),
    ]
    assert said["percent"] == 60
    given = [
        f'\ntest "rude {value}" {{\n  given  rude = {value}\n  input  "x"\n  expect {what}\n}}\n'
        for value, what in (("0.9", "block"), ("0.1", "pass"))
    ]
    policy.write_text(text + "".join(given), encoding="utf-8")
    said = json.loads(guardkit("test", policy, "--coverage", "--format", "json").out)["coverage"]
    assert said["percent"] == 100
    assert said["files"][0]["missing"] == []


def test_an_untested_file_counts(policy: Path) -> None:
    policy.write_text(SMALL + SILENT, encoding="utf-8")
    bare = SMALL.partition("test ")[0]
    (policy.parent / "bare.guard").write_text(bare, encoding="utf-8")
    done = guardkit("test", policy.parent, "--fail-under", "100")
    assert done.code == 1
    assert re.search(r"^in all +2/4 +50 %$", done.err, re.M)


# --- again


def test_a_change_runs_the_tests_again(policy: Path) -> None:
    """A policy, then its case file; Ctrl-C ends it."""
    report = policy.parent / "report.xml"
    started = subprocess.Popen(
        [*START, "test", policy, "--watch", "--junit", report],
        env=plain(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stderr is not None

    def until(ending: str) -> str:
        told = ""
        assert started.stderr is not None
        for line in started.stderr:
            told += line
            if line.rstrip("\n") == ending:
                return told
        raise AssertionError(told)

    try:
        until("2 passed")
        policy.write_text(SMALL + SILENT + PROBE, encoding="utf-8")
        assert re.search(r"^── \d\d:\d\d:\d\d  small.guard changed ─+$", until("3 passed"), re.M)
        cases(policy, 0, 1)
        assert "  cases.jsonl changed ─" in until("2 passed, 1 failed")
        started.send_signal(signal.SIGINT)
        rest = started.stderr.read()
        assert started.wait(30) == 130
        assert rest.strip() == "interrupted"
    finally:
        started.kill()
        started.stderr.close()


def test_watching_is_for_people(policy: Path) -> None:
    done = guardkit("test", policy, "--watch", "--format", "json")
    assert done.code == 2
    assert "--watch is for people" in done.err
