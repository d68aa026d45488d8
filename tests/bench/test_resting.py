"""What a text rests on: a document of its own words, numbers for calls, no check unsure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import guardkit
from guardkit.bench import measure, prose
from guardkit.bench._asking import Asking
from guardkit.bench._resting import asked_numbers, rests_on, sources_for

from ._policies import guard, plan

RESTS = """
guardkit 1
policy rests
check copied = echo { of retrieved max 40 chars }
check parroted = echo { of input max 60 chars }
check told = pattern { match /zebra/ }
rule no_copy { tier safety on output when copied then flag }
rule no_echo { tier safety on output when parroted then flag }
rule no_zebra { tier safety on input, retrieved when told then flag }
"""
CALLS = """
guardkit 1
policy calls
use tools "tools.json" as tool
rule small { tier safety on tool_call tool.pay when call.amount > 100 then block "No." }
rule named { tier safety on tool_call tool.pay when call.to == "nobody" then block "No." }
"""
LISTING = [
    {
        "name": "pay",
        "description": "Pays.",
        "inputSchema": {
            "type": "object",
            "properties": {"to": {"type": "string"}, "amount": {"type": "number"}},
        },
    }
]


@pytest.fixture
def calls(tmp_path: Path) -> guardkit.Guard:
    (tmp_path / "tools.json").write_text(json.dumps({"tools": LISTING}), encoding="utf-8")
    (tmp_path / "calls.guard").write_text(CALLS, encoding="utf-8")
    return guardkit.load(tmp_path / "calls.guard")


def test_only_surfaces_whose_checks_compare_are_given_something() -> None:
    made = plan(RESTS)
    assert rests_on(made, "output") == ("input", "retrieved")
    assert rests_on(made, "input") == rests_on(made, "retrieved") == ()


def test_a_source_has_the_words_of_its_text_and_is_no_copy() -> None:
    text = prose(1, 1_000)
    (source,) = sources_for(text, ("retrieved",))["retrieved"]
    letters = [sorted(c for c in one if c.isalnum()) for one in (text, source)]
    assert letters[0] == letters[1]
    assert all(text[at : at + 60] not in source for at in range(0, 900, 20))


def test_a_source_ends_as_its_text_does() -> None:
    # A lap later a text ends in other white space, and no model has read what it rests on.
    first, second = (sources_for(f"one two. three{end}", ("input",)) for end in ("", " \n"))
    assert second["input"][0] == first["input"][0] + " \n"
    assert sources_for("", ("input",)) == {"input": ("",)}


def test_checks_that_compare_can_answer() -> None:
    judged = guard(RESTS)
    assert judged.check("a reply", on="output", session="s").unknown  # without anything: unsure
    asking = Asking(judged, "output")
    verdict = asking.call(asking.ready(prose(0, 500)))
    assert not verdict.unknown
    assert verdict.action == "pass"
    report = measure(judged, seconds=0.3, sizes=(200,), on=("output",))
    (surface,) = report.surfaces
    assert surface.undecided.hits == 0
    assert surface.stream is not None
    assert surface.stream.passed > 0
    assert any("given as `input` and `retrieved`" in note for note in report.notes)


def test_a_call_has_the_numbers_that_rules_ask_for(calls: guardkit.Guard) -> None:
    assert asked_numbers(calls.plan, "tool_call") == {"amount": 1}
    assert asked_numbers(plan(RESTS), "output") == {}
    asking = Asking(calls, "tool_call")
    verdict = asking.call(asking.ready("some text"))
    assert verdict.arguments == {"amount": 1, "text": "some text"}
    assert not verdict.undecided


def test_calls_of_ones_own_stay_as_they_are(calls: guardkit.Guard) -> None:
    asking = Asking(calls, "tool_call", is_call=True)
    given = '{"to": "you", "amount": 500}'
    assert asking.call(asking.ready(given)).action == "block"
