"""What a measurement is made of: plans that ask less, streams, calls for pytest-benchmark."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import guardkit
from guardkit.bench import digests_of, timed
from guardkit.bench._alone import checks_of, only_checks, only_rule, rules_of
from guardkit.bench._streams import lateness, tokens_of
from guardkit.guard import Guard
from guardkit.types import Verdict

from ._policies import SESSION, WORDS, bind, guard, plan

BOTH = "hello and goodbye"


def test_one_rule_alone_does_what_it_did() -> None:
    whole = plan(WORDS)
    alone = bind(only_rule(whole, "output", "no_farewell"))
    assert alone.check(BOTH, on="output").text == "hello and [FAREWELL]"
    assert alone.check(BOTH, on="input").action == "pass"
    assert bind(whole).check(BOTH, on="output").action == "block"
    assert [row.name for row in alone.plan.checks] == ["farewell"]
    assert len(alone.plan.nodes) < len(whole.nodes)


@pytest.mark.parametrize("text", [BOTH, "hello", "goodbye", "nothing", "x" * 4_000])
@pytest.mark.parametrize("surface", ["input", "output"])
def test_every_rule_alone_fires_as_among_the_others(text: str, surface: Any) -> None:
    whole = plan(WORDS)
    fired = set(bind(whole).check(text, on=surface).fired)
    for name in rules_of(whole, surface):
        alone = bind(only_rule(whole, surface, name)).check(text, on=surface)
        assert bool(alone.fired) is (name in fired)


def test_checks_alone_are_asked_and_flag() -> None:
    whole = plan(WORDS)
    scanned = [check for check in checks_of(whole, "output") if check.is_scanned]
    assert {check.name for check in scanned} == {"farewell", "greeting"}
    both = bind(only_checks(whole, "output", scanned))
    assert both.check("hello", on="output").action == "flag"
    assert both.check("goodbye", on="output").action == "flag"
    assert both.check("nothing", on="output").action == "pass"
    one = bind(only_checks(whole, "output", scanned[:1]))
    seen = {one.check(text, on="output").action for text in ("hello", "goodbye")}
    assert seen == {"flag", "pass"}


def test_a_number_alone_is_asked() -> None:
    whole = plan(WORDS)
    (long,) = [check for check in checks_of(whole, "input") if not check.is_scanned]
    verdict = bind(only_checks(whole, "input", [long])).check("x", on="input")
    assert [record.by for record in verdict.records if record.by == "check long"]


def test_rules_of_a_session_are_not_asked_alone() -> None:
    assert rules_of(plan(SESSION), "input") == ("no_bad",)
    assert rules_of(plan(SESSION), "conversation") == ()


def test_models_are_named_with_their_digests() -> None:
    text = """
guardkit 1
policy p
check near = similarity { examples ["One example"] }
rule r { tier safety on input when near >= 0.9 then flag }
"""

    def no_folder(name: str) -> Any:
        raise guardkit.BindError(f"no `{name}`")

    ((name, digest),) = digests_of(plan(text), no_folder)
    assert name == "static"
    assert digest.startswith("sha256:")
    assert digests_of(plan(WORDS), no_folder) == ()


# --- streams


@pytest.mark.parametrize(
    ("held", "late", "chars"),
    [
        ([], 0, 0),
        # Each character out with its token: no wait.
        ([(1, 1), (2, 2), (3, 3)], 0, 3),
        # All three at the end: the first waits for two more, the second for one.
        ([(1, 0), (2, 0), (3, 0)], 3, 3),
        # A token of three: its first two characters were there no sooner.
        ([(3, 3)], 3, 3),
        # Two late by one, the last not at all.
        ([(1, 0), (2, 1), (3, 2)], 2, 3),
    ],
)
def test_how_late_characters_come(held: list[tuple[int, int]], late: int, chars: int) -> None:
    assert lateness(held) == (late, chars)


def test_tokens_are_the_text() -> None:
    text = "What is cut in pieces is still the same text."
    pieces = tokens_of(text, Random(2))
    assert "".join(pieces) == text
    assert all(1 <= len(piece) <= 8 for piece in pieces)
    assert tokens_of("", Random(2)) == []


# --- for pytest-benchmark


def test_a_call_for_pytest_benchmark(benchmark: Any) -> None:
    verdict: Verdict = benchmark.pedantic(
        timed(guard(WORDS), ["hello", "hello again"], on="input"), rounds=20, iterations=5
    )
    assert verdict.action == "block"


def test_no_call_gets_a_text_that_was_there() -> None:
    seen: list[str] = []

    def remember(text: str) -> bool:
        seen.append(text)
        return False

    judged: Guard = guardkit.loads(
        """
guardkit 1
policy p
check own = python { call "given:here" }
rule r { tier safety on input when own then block "No." }
""",
        checks={"own": remember},
    )
    judge = timed(judged, ["one", "two"])
    for _ in range(50):
        assert judge().action == "pass"
    assert len(set(seen)) == 50
    assert {text.strip() for text in seen} == {"one", "two"}


def test_a_session_for_every_call() -> None:
    judge = timed(guard(SESSION), "a badword", on="input")
    # The session of the first call is closed; the second one is another.
    assert [judge().fired for _ in range(5)] == [("no_bad",)] * 5


def test_a_tool_call() -> None:
    judge = timed(guard(SESSION), '{"body": "badword"}', on="tool_call")
    assert judge().action == "block"
