"""Outcome coverage: what the tests of a policy have seen, and what they never saw."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from guardkit.guard import compile_file, data_of, folder_of
from guardkit.testing import Coverage, Covered, Kind, run_tests, stage

TODAY = date(2026, 6, 1)
HEAD = """\
guardkit 1
policy small
  title   "Small"
  owner   "me@example.com"
  version "1"

check greeting = pattern { match /\\bhello\\b/i  label "greeting" }
check shout = pattern { match /[A-Z]{6}/  label "shout" }
check long = length { max 40 chars }
check rude = classifier {
  model  "models/rude"
  digest "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}
"""
RULE = "rule no_greeting { tier safety  on input  when greeting  then block }\n"
RUDE = "rule no_rudeness { tier ethics  on input  when rude >= 0.7  then flag }\n"
WINDOW = """\
window hellos { count no_greeting last 3 turns per session }
rule enough { tier safety  on conversation  when hellos >= 2  then block for session }
"""
SEQUENCE = """\
sequence provoked { first input where greeting  then output where shout  within 3 turns }
rule calm_down { tier safety  on output  when sequence provoked  then block }
"""
CASCADE = """\
rule careful {
  tier safety
  on   input
  when cascade { yes if greeting  no if long  yes if rude >= 0.7  else no }
  then block
}
"""
QUORUM = "rule pair { tier safety  on input  when 2 of (greeting, shout, long)  then block }\n"
EXEMPT = """\
exempt no_greeting {
  tier safety
  when context.role == "staff"
  owner "me@example.com"
  reason "They greet."
  until 2026-12-31
}
"""

Watch = Callable[..., Covered]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    def run(text: str, *tests: str) -> Covered:
        path = tmp_path / "small.guard"
        blocks = [f'test "{n}" {{ {steps} }}\n' for n, steps in enumerate(tests)]
        path.write_text(HEAD + text + "".join(blocks), encoding="utf-8")
        checked = compile_file(path, today=TODAY)
        assert checked.policy is not None, checked.diagnostics
        read, folder = data_of(tmp_path), folder_of(tmp_path)
        bound = stage(checked.policy, read, today=TODAY, folder=folder)
        coverage = Coverage(bound, today=TODAY)
        for _ in run_tests(checked.policy, read, stage=bound, watch=coverage.see):
            pass
        return coverage.covered()

    return run


def seen(covered: Covered, kind: Kind) -> dict[tuple[str, str], int]:
    """How often each part of a kind came to what."""
    return {
        (one.part or one.name, one.what): one.times for one in covered.outcomes if one.kind == kind
    }


def rules(covered: Covered, name: str) -> tuple[int, int, int]:
    """How often a rule fired, stayed silent, met an unknown."""
    found = [one.times for one in covered.outcomes if one.kind == "rule" and one.name == name]
    return (found[0], found[1], found[2])


# --- rules


def test_without_tests_nothing_is_seen(watch: Watch) -> None:
    covered = watch(RULE)
    assert covered.rules == (0, 2)
    assert [one.what for one in covered.missing] == ["fired", "stayed silent"]
    assert covered.missing[0].title == "rule no_greeting"
    assert covered.missing[0].place is not None


def test_a_rule_has_to_fire_and_to_stay_silent(watch: Watch) -> None:
    fires = 'input "hello" expect block'
    assert watch(RULE, fires).rules == (1, 2)
    covered = watch(RULE, fires, 'input "good day" expect pass')
    assert (covered.rules, covered.missing) == ((2, 2), ())
    assert rules(covered, "no_greeting") == (1, 1, 0)


def test_a_rule_that_does_not_judge_an_event_is_not_silent(watch: Watch) -> None:
    assert watch(RULE, 'output "good day" expect pass').rules == (0, 2)


def test_an_unknown_counts_where_a_check_calls_somebody(watch: Watch) -> None:
    both = 'given rude = 0.9 input "x" expect flag', 'given rude = 0.1 input "x" expect pass'
    covered = watch(RUDE, *both)
    assert covered.rules == (2, 3)
    assert [one.what for one in covered.missing] == ["met an unknown"]
    covered = watch(RUDE, *both, 'given rude fails input "x" expect hold by no_rudeness')
    assert covered.rules == (3, 3)
    assert rules(covered, "no_rudeness") == (1, 1, 1)


def test_an_unknown_of_a_search_is_told_and_not_asked_for(watch: Watch) -> None:
    covered = watch(RULE, 'given greeting fails input "x" expect block')
    assert rules(covered, "no_greeting") == (0, 0, 1)
    assert covered.rules == (0, 2)


def test_what_is_only_tried_is_not_seen(watch: Watch) -> None:
    """An undecided test is played with every answer the missing check could give."""
    covered = watch(RUDE, 'input "x" expect pass')
    assert rules(covered, "no_rudeness") == (0, 0, 1)


def test_rules_in_shadow_and_exempted_ones_fire(watch: Watch) -> None:
    shadow = RULE.replace("then block", "then block  mode shadow")
    assert rules(watch(RUDE + shadow, 'input "hello" expect hold'), "no_greeting") == (1, 0, 0)
    covered = watch(
        RULE + EXEMPT,
        'given context.role = "staff" input "hello" expect pass',
        'input "hello" expect block',
    )
    assert rules(covered, "no_greeting") == (2, 0, 0)
    assert seen(covered, "exemption") == {("until 2026-12-31", "taken"): 1}


def test_a_shadow_rule_that_is_exempt_fired_though_no_verdict_says_so(watch: Watch) -> None:
    shadow = RULE.replace("then block", "then block  mode shadow")
    steps = 'given context.role = "staff" input "hello" expect hold'
    covered = watch(RUDE + shadow + EXEMPT, steps)
    assert rules(covered, "no_greeting") == (1, 0, 0)


def test_a_retired_rule_and_an_exemption_that_ended_need_not_be_seen(watch: Watch) -> None:
    retired = RULE.replace("then block", "then block  mode retired")
    assert {one.name for one in watch(RUDE + retired).outcomes} == {"no_rudeness"}
    ended = watch(RULE + EXEMPT.replace("2026-12-31", "2026-05-31"))
    assert ended.of("exemption") == (0, 0)


def test_a_closed_session_shows_nothing(watch: Watch) -> None:
    close = RULE.replace("then block", "then block for session")
    covered = watch(close, 'input "hello" expect block input "hello" expect block')
    assert rules(covered, "no_greeting") == (1, 0, 0)


# --- parts of conditions


@pytest.mark.parametrize(
    ("given", "text", "expect", "decides"),
    [
        ("", "hello", "block", "yes if greeting"),
        ("", "good day " * 6, "pass", "no if long"),
        ("given rude = 0.9", "x", "block", "yes if rude >= 0.7"),
        ("given rude = 0.1", "x", "pass", "else no"),
        ("given rude fails", "x", "block", None),
        ("", "x", "block", None),
        ("given greeting fails", "good day " * 6, "block", None),
    ],
)
def test_the_step_that_decides_is_seen(
    watch: Watch, given: str, text: str, expect: str, decides: str | None
) -> None:
    covered = watch(CASCADE, f'{given} input "{text}" expect {expect}')
    steps = seen(covered, "step")
    assert len(steps) == 4
    assert {part for (part, _), times in steps.items() if times} == {decides} - {None}


def test_members_of_a_quorum_say_yes_and_no(watch: Watch) -> None:
    covered = watch(QUORUM, 'input "hello HELLOHELLO" expect block', 'input "hello" expect pass')
    assert seen(covered, "member") == {
        ("greeting", "said yes"): 2,
        ("greeting", "said no"): 0,
        ("shout", "said yes"): 1,
        ("shout", "said no"): 1,
        ("long", "said yes"): 0,
        ("long", "said no"): 2,
    }
    assert covered.of("member") == (4, 6)


def test_a_check_that_was_not_asked_said_nothing(watch: Watch) -> None:
    either = (
        "rule either { tier safety  on input  when any of (greeting, rude >= 0.7)  then block }\n"
    )
    members = seen(watch(either, 'input "hello" expect block'), "member")
    assert members["greeting", "said yes"] == 1
    assert members["rude >= 0.7", "said yes"] == members["rude >= 0.7", "said no"] == 0


# --- conversations


def test_a_window_is_seen_when_its_bound_is_reached(watch: Watch) -> None:
    once = 'input "hello" expect block'
    assert seen(watch(RULE + WINDOW, once), "window") == {("hellos", "reached its bound"): 0}
    covered = watch(RULE + WINDOW, f"{once} {once} by enough")
    assert seen(covered, "window") == {("hellos", "reached its bound"): 1}
    assert rules(covered, "enough") == (1, 1, 0)


def test_a_sequence_begins_and_is_completed(watch: Watch) -> None:
    began = 'input "hello" expect pass'
    covered = watch(SEQUENCE, began + ' output "good day" expect pass')
    assert list(seen(covered, "sequence").values()) == [1, 0]
    covered = watch(SEQUENCE, began + ' output "SHOUTING" expect block')
    assert list(seen(covered, "sequence").values()) == [1, 1]
    covered = watch(SEQUENCE, 'output "SHOUTING" expect pass')
    assert list(seen(covered, "sequence").values()) == [0, 0]


def test_what_no_rule_asks_about_need_not_be_seen(watch: Watch) -> None:
    alone = "window unused { count no_greeting last 3 turns per session }\n"
    assert watch(RULE + alone).of("window") == (0, 0)


# --- the same moment


def test_what_is_watched_is_what_was_judged(watch: Watch, tmp_path: Path) -> None:
    """The third greeting is told of with the count that its own verdict rests on."""
    told = []
    path = tmp_path / "small.guard"
    steps = " ".join(['input "hello" expect block'] * 3)
    path.write_text(HEAD + RULE + WINDOW.replace(">= 2", ">= 3") + f'test "t" {{ {steps} }}\n')
    policy = compile_file(path).policy
    assert policy is not None
    bound = stage(policy, data_of(tmp_path))
    for _ in run_tests(
        policy, data_of(tmp_path), stage=bound, watch=lambda event, one: told.append(one)
    ):
        pass
    assert [one.memory.counts["hellos"] for one in told if one.memory] == [1, 2, 3]
    assert [one.verdict.fired for one in told] == [
        ("no_greeting",),
        ("no_greeting",),
        ("enough", "no_greeting"),
    ]
    assert told[0].answers["greeting"] is True
