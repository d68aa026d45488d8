"""`guardkit test`: verdicts, what is undecided, reports, exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from guardkit import MemoryHolds

from ._run import SMALL, guardkit

ENGINE = """
check rude = classifier {
  model  "models/rude"
  digest "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}

rule no_rudeness {
  tier ethics
  on   input
  when rude >= 0.7
  then flag
}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "small.guard"


def run(policy: Path, text: str, *options: str | Path) -> tuple[int, str, dict[str, str]]:
    """The exit code, what people are told, and each test's status."""
    policy.write_text(text, encoding="utf-8")
    done = guardkit("test", policy, *options)
    said = json.loads(guardkit("test", policy, "--format", "json", *options).out)
    return done.code, done.err, {test["name"]: test["status"] for test in said["tests"]}


def block(name: str, *steps: str) -> str:
    return f'\ntest "{name}" {{\n' + "".join(f"  {step}\n" for step in steps) + "}\n"


def test_all_pass(policy: Path) -> None:
    code, err, tests = run(policy, SMALL)
    assert (code, err) == (0, "1 passed\n")
    assert tests == {"a greeting is blocked": "passed"}


def test_a_failure_says_where_what_and_why(policy: Path) -> None:
    text = SMALL + block("wrong", 'given context.role = "staff"', 'input "Hello"', "expect pass")
    code, err, tests = run(policy, text)
    assert code == 1
    assert tests["wrong"] == "failed"
    assert 'error[failed]: "wrong"' in err
    assert f"{policy.as_posix()}:27:3" in err
    assert "expected   pass" in err
    assert "actual     block by no_greeting" in err
    assert 'given      context.role = "staff"' in err
    assert err.endswith("1 passed, 1 failed\n")


def test_becomes_is_compared(policy: Path) -> None:
    text = SMALL.replace('block "No greetings, please."', 'rewrite matches as "[{label}]"').replace(
        "expect block by no_greeting", 'expect rewrite becomes "[GREETING] there"'
    )
    assert run(policy, text)[0] == 0
    code, err, _ = run(policy, text.replace("[GREETING] there", "nothing"))
    assert code == 1
    assert "became another text" in err
    assert 'expected   "nothing"' in err
    assert 'actual     "[GREETING] there"' in err


def test_a_rule_that_fired_otherwise_is_not_the_one_that_blocked(policy: Path) -> None:
    second = "rule also {\n  tier safety\n  on input\n  when greeting\n  then flag\n}\n"
    text = SMALL.replace("test ", second + "\ntest ").replace(
        "expect block by no_greeting", "expect block by no_greeting, also"
    )
    code, err, _ = run(policy, text)
    assert code == 1
    assert "block by no_greeting (also would flag)" in err


# --- what takes an engine


def test_an_answer_that_is_missing_and_matters_is_undecided(policy: Path) -> None:
    text = SMALL + ENGINE + block("ordinary", 'input "Good day"', "expect pass")
    code, err, tests = run(policy, text)
    assert code == 3
    assert tests["ordinary"] == "undecided"
    assert "depends on `rude`" in err
    assert "given rude = …" in err
    assert err.endswith("1 passed, 1 undecided\n")


def test_an_answer_that_is_missing_and_does_not_matter_is_harmless(policy: Path) -> None:
    # Whatever the classifier says, the pattern blocks, and a flag is weaker than a block.
    code, _, tests = run(policy, SMALL + ENGINE)
    assert (code, tests) == (0, {"a greeting is blocked": "passed"})


def test_what_fails_whatever_is_missing_fails(policy: Path) -> None:
    text = SMALL + ENGINE + block("never", 'input "Good day"', "expect block")
    assert run(policy, text)[2]["never"] == "failed"


@pytest.mark.parametrize(
    ("given", "expect"),
    [("= 0.69", "pass"), ("= 0.7", "flag by no_rudeness"), ("fails", "hold by no_rudeness")],
)
def test_a_given_answer_decides(policy: Path, given: str, expect: str) -> None:
    text = SMALL + ENGINE + block("given", f"given rude {given}", 'input "x"', f"expect {expect}")
    assert run(policy, text)[2]["given"] == "passed"


def test_a_given_score_meets_the_threshold_of_its_model(policy: Path) -> None:
    rated = """
check attack = classifier {
  model static
  head  "injection"
}

rule no_attack {
  tier safety
  on   input
  when attack at fpr 1%
  then block
}
"""
    text = SMALL + rated
    sure = block("sure", "given attack = 1.0", 'input "x"', "expect block")
    weak = block("weak", "given attack = 0.52", 'input "x"', "expect block")
    code, err, tests = run(policy, text + sure + weak)
    assert (code, tests["sure"], tests["weak"]) == (1, "passed", "failed")
    assert re.search(r"threshold  attack at fpr 1% is 0\.\d+\n", err)


def test_a_failure_is_stronger_than_undecided(policy: Path) -> None:
    text = (
        SMALL
        + ENGINE
        + block("open", 'input "Good day"', "expect pass")
        + block("wrong", 'input "hello"', "expect pass")
    )
    assert run(policy, text)[0] == 1


def test_unknowns_of_two_turns_are_two_unknowns(policy: Path) -> None:
    window = """
window rudeness { count no_rudeness last 3 turns per session }

rule closing {
  tier safety
  on   conversation
  when rudeness >= 2
  then block "Enough."
}
"""
    once = block("one turn", 'input "a"', "expect block")
    twice = block("two turns", 'input "a"', 'input "b"', "expect block")
    tests = run(policy, SMALL + ENGINE + window + once + twice)[2]
    assert tests["one turn"] == "failed"
    assert tests["two turns"] == "undecided"


def test_a_given_yes_without_a_place_decides_no_rewriting(policy: Path) -> None:
    rewriting = SMALL.replace('block "No greetings, please."', 'rewrite matches as "[x]"').replace(
        "expect block", "expect rewrite"
    )
    text = (
        rewriting
        + block("action", "given greeting = yes", 'input "Good day"', "expect rewrite")
        + block("text", "given greeting = yes", 'input "Hi"', 'expect rewrite becomes "[x]"')
    )
    tests = run(policy, text)[2]
    assert tests["action"] == "passed"
    assert tests["text"] == "undecided"
    assert "nobody said where `greeting` holds" in run(policy, text)[1]


def test_what_is_found_is_found_for_real(policy: Path) -> None:
    card = "check card = entities { kinds [card] }\n\nrule mask {\n  tier safety\n  on   output\n"
    masked = card + '  when card\n  then rewrite matches as "[{label}]"\n}\n'
    becomes = 'expect rewrite by mask becomes "On [CARD]."'
    text = (
        SMALL.replace("test ", masked + "\ntest ")
        + block("becomes", 'output "On 4111 1111 1111 1111."', becomes)
        + block("given", "given card = yes", 'output "On 4111 1111 1111 1111."', becomes)
        + block("nowhere", "given card = yes", 'output "On 4111."', becomes)
        + block("blocked", 'output "hello 4111 1111 1111 1111"', "expect block by no_greeting")
    )
    tests = run(policy, text)[2]
    assert [tests[name] for name in ("becomes", "given", "blocked")] == ["passed"] * 3
    assert tests["nowhere"] == "undecided"


def test_a_disguised_match_is_found(policy: Path) -> None:
    text = SMALL + block("disguised", 'input "ｈｅｌｌｏ there"', "expect block by no_greeting")
    assert run(policy, text)[2]["disguised"] == "passed"
    raw = text.replace('  label "greeting"\n', '  label "greeting"\n  views raw\n')
    assert run(policy, raw)[2]["disguised"] == "failed"


# --- checks that cannot run here, wherever they are asked

TONE = ENGINE.partition("rule ")[0]


@pytest.mark.parametrize(
    ("condition", "status"),
    [("greeting or rude >= 0.5", "passed"), ("greeting and rude >= 0.5", "undecided")],
)
def test_a_condition_that_is_decided_without_a_check_is_decided(
    policy: Path, condition: str, status: str
) -> None:
    text = SMALL.replace("when greeting", f"when {condition}")
    _, err, tests = run(policy, text.replace("rule ", TONE + "rule "))
    assert tests == {"a greeting is blocked": status}, err


def test_a_sequence_that_begins_with_a_missing_answer_is_open(policy: Path) -> None:
    sequence = """
sequence provoked {
  first input where rude >= 0.5
  then output where greeting
  within 3 turns
}

rule closing {
  tier safety
  on   output
  when sequence provoked
  then block "Enough."
}
"""
    steps = ('input "a"', 'output "hello"', "expect block by closing")
    _, err, tests = run(policy, SMALL + TONE + sequence + block("both", *steps))
    assert tests.get("both") == "undecided", err


def test_many_held_texts_are_not_blocked(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's held texts wait for nobody: they never fill the queue."""
    monkeypatch.setattr("guardkit.guard._guard.MemoryHolds", lambda: MemoryHolds(most_waiting=3))
    text = SMALL.replace(
        'block "No greetings, please."', 'hold for "desk" within 15m else block "No."'
    )
    steps = [step for _ in range(6) for step in ('input "hello"', "expect hold")]
    _, err, tests = run(policy, text.partition("test ")[0] + block("six", *steps))
    assert tests == {"six": "passed"}, err


# --- which tests, and reports


def test_a_pattern_chooses(policy: Path) -> None:
    text = SMALL + block("another", 'input "x"', "expect pass")
    assert list(run(policy, text, "-k", "GREET")[2]) == ["a greeting is blocked"]
    assert list(run(policy, text, "-k", "a*other")[2]) == ["another"]
    code, err, tests = run(policy, text, "-k", "nothing")
    assert (code, tests) == (5, {})
    assert "no test matches `nothing`" in err


def test_no_tests_are_nothing_to_do(policy: Path) -> None:
    code, err, _ = run(policy, SMALL.partition("test ")[0])
    assert code == 5
    assert err == "there are no tests\n"


def test_a_file_that_does_not_compile_does_not_stop_the_others(policy: Path) -> None:
    (policy.parent / "broken.guard").write_text(SMALL.replace("when greeting", "when x"))
    policy.write_text(SMALL)
    done = guardkit("test", policy.parent)
    assert done.code == 2
    assert "error[GK" in done.err
    assert done.err.endswith("1 passed, 1 file does not compile\n")


def test_quiet_shows_failures_only(policy: Path) -> None:
    policy.write_text(SMALL + block("wrong", 'input "hello"', "expect pass"))
    done = guardkit("test", "--quiet", policy)
    assert 'error[failed]: "wrong"' in done.err
    assert "passed" not in done.err
    policy.write_text(SMALL)
    assert guardkit("test", "--quiet", policy).err == ""


def test_json(policy: Path) -> None:
    policy.write_text(SMALL + ENGINE + block("wrong", 'input "hello"', "expect pass"))
    done = guardkit("test", "--format", "json", policy)
    assert (done.code, done.err) == (1, "")
    said = json.loads(done.out)
    assert said["summary"] == {"passed": 1, "failed": 1, "undecided": 0, "files": 1, "broken": 0}
    wrong = said["tests"][1]
    assert wrong["miss"]["expected"] == {"action": "pass", "by": [], "becomes": None}
    assert wrong["miss"]["actual"]["fired"] == ["no_greeting", "no_rudeness"] or (
        wrong["miss"]["actual"]["fired"][0] == "no_greeting"
    )


def test_junit(policy: Path, tmp_path: Path) -> None:
    title = 'odd <name> & \\"quotes\\" \\u{1b}[31m'
    policy.write_text(
        SMALL
        + ENGINE
        + block(title, 'input "hello"', "expect pass")
        + block("open", 'input "x"', "expect pass")
    )
    (tmp_path / "broken.guard").write_text("guardkit 1\n")
    report = tmp_path / "report.xml"
    assert guardkit("test", tmp_path, "--junit", report).code == 2
    suites = ElementTree.parse(report).getroot()
    assert suites.attrib == {
        "name": "guardkit",
        "tests": "4",
        "failures": "1",
        "errors": "2",
        "skipped": "0",
    }
    cases = {case.attrib["name"]: case for case in suites.iter("testcase")}
    assert cases["a greeting is blocked"].find("*") is None
    (failed,) = [case for name, case in cases.items() if name.startswith("odd <name> &")]
    assert failed.find("failure") is not None
    undecided = cases["open"].find("error")
    assert undecided is not None
    assert "depends on `rude`" in undecided.attrib["message"]
    assert cases["compiles"].find("error") is not None


def test_a_report_that_cannot_be_written(policy: Path, tmp_path: Path) -> None:
    policy.write_text(SMALL)
    done = guardkit("test", policy, "--junit", tmp_path / "none" / "report.xml")
    assert done.code == 2
    assert "cannot be written" in done.err


def test_failures_stand_apart_when_quiet(tmp_path: Path) -> None:
    path = tmp_path / "two.guard"
    failing = 'test "{}" {{\n  input  "hello"\n  expect pass\n}}\n'
    path.write_text(SMALL + failing.format("a") + failing.format("b"), encoding="utf-8")
    assert '\n\nerror[failed]: "b"' in guardkit("test", "-q", str(path)).err


def test_none_may_be_fine_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "one.guard"
    path.write_text(SMALL.partition("test ")[0], encoding="utf-8")
    done = guardkit("test", "--none-ok", path)
    assert (done.code, done.err) == (0, "there are no tests\n")
    path.write_text(SMALL.replace("expect block by no_greeting", "expect pass"), encoding="utf-8")
    assert guardkit("test", "--none-ok", path).code == 1
    path.write_text(SMALL.replace("when greeting", "when greting"), encoding="utf-8")
    assert guardkit("test", "--none-ok", path).code == 2
