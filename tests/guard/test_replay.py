"""Recorded traffic judged by two guards: what is weaker, whose sessions, what is forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from guardkit.guard import Guard, judged, loads, replay
from guardkit.types import ACTIONS, Surface, Verdict

HEAD = 'guardkit 1\npolicy p\n  title "P"\n  owner "me@example.com"\n  version "1"\n'
RISE = """
check rise = pattern {{ match /rise/ }}
check fall = pattern {{ match /fall/ }}
rule rises {{ tier safety  on {on}  when {when}  then {then} }}
"""
EVERYWHERE = "input, output, tool_call"
THEN = {
    "flag": "flag",
    "rewrite": 'rewrite matches as "-"',
    "revise": 'revise by kind at most 1 else block "no"',
    "hold": 'hold for "a" within 1h else block',
    "block": 'block "no"',
}


@dataclass(frozen=True, slots=True)
class Case:
    text: str
    on: Surface = "input"
    context: Mapping[str, object] | None = None
    session: str | None = None
    tool: str | None = None


def policy(action: str, when: str = "rise", more: str = "") -> Guard:
    kind = 'principle kind { tier safety  text "Be kind." }\n' if action == "revise" else ""
    if action == "pass":
        when, action = "fall and rise and not rise", "flag"
    on = "output" if action == "revise" else EVERYWHERE
    return loads(HEAD + kind + RISE.format(on=on, when=when, then=THEN[action]) + more)


def shifts(old: Guard, new: Guard, *texts: str, on: Surface = "input") -> list[str]:
    return [one.shift for one in replay(old, new, [Case(text, on) for text in texts])]


# --- weaker and stronger


@pytest.mark.parametrize("before", ACTIONS)
@pytest.mark.parametrize("after", ACTIONS)
def test_actions_are_compared_by_strength(before: str, after: str) -> None:
    rank = {name: at for at, name in enumerate(ACTIONS)}
    found = replay(policy(before), policy(after), [Case("rise", "output")])
    (one,) = found
    assert isinstance(one.old, Verdict)
    assert isinstance(one.new, Verdict)
    assert (one.old.action, one.new.action) == (before, after)
    by_rank = {-1: "weaker", 0: "same", 1: "stronger"}
    assert one.shift == by_rank[(rank[after] > rank[before]) - (rank[after] < rank[before])]


@pytest.mark.parametrize(
    ("old", "new", "shift"),
    [
        (r"\d{4} \d{4}", r"\d{4}(?: \d{4})?", "same"),
        (r"\d{4} \d{4}", r"\d{4}", "weaker"),  # the blank between stays: less is replaced
        (r"\d{4}", r"\d{4} \d{4}", "stronger"),
        (r"\d{4} \d{4}", r"\d{4} ", "stronger"),  # matches that touch leave nothing between
        (r"1234", r"5678", "weaker"),  # replaces other things: something shows that did not
    ],
)
def test_a_rewriting_that_shows_more_is_weaker(old: str, new: str, shift: str) -> None:
    def masks(pattern: str) -> Guard:
        check = f"check n = pattern {{ match /{pattern}/ }}\n"
        rule = 'rule masks { tier safety  on output  when n  then rewrite matches as "-" }\n'
        return loads(HEAD + check + rule)

    assert shifts(masks(old), masks(new), "pay 1234 5678 now", on="output") == [shift]


def test_a_mask_shows_what_it_keeps() -> None:
    def masks(form: str) -> Guard:
        check = "check n = pattern { match /[0-9]{4,8}/ }\n"
        return loads(
            f"{HEAD}{check}rule r {{ tier safety on output when n then rewrite {form} }}\n"
        )

    named, four = masks('matches as "-"'), masks("matches as mask keep last 4")
    two = masks("matches as mask keep last 2")
    assert shifts(named, four, "pay 12345678", on="output") == ["weaker"]
    assert shifts(four, two, "pay 12345678", on="output") == ["stronger"]
    assert shifts(two, four, "pay 12345678", on="output") == ["weaker"]
    # A match no longer than what a mask keeps is masked whole.
    assert shifts(named, four, "pay 1234", on="output") == ["same"]


def test_rewriting_all_replaces_more_than_any_match() -> None:
    some = policy("rewrite")
    whole = loads(HEAD + RISE.format(on=EVERYWHERE, when="rise", then='rewrite all as "gone"'))
    assert shifts(some, whole, "a rise") == ["stronger"]
    assert shifts(whole, some, "a rise") == ["weaker"]
    assert shifts(whole, whole, "a rise") == ["same"]


def test_matches_in_arguments_are_told_apart() -> None:
    old, new = policy("rewrite"), policy("rewrite", when="fall")
    call = Case('{"a": "rise", "b": "fall"}', "tool_call", tool="t")
    (one,) = replay(old, new, [call])
    assert one.shift == "weaker"


def test_rules_that_fire_newly_and_no_longer() -> None:
    second = 'rule also { tier safety  on input  when fall  then block "no" }\n'
    old, new = policy("block"), policy("block", "rise and fall", second)
    one, two = replay(old, new, [Case("rise"), Case("rise and fall")])
    assert (one.newly, one.no_longer, one.shift) == ((), ("rises",), "weaker")
    assert (two.newly, two.no_longer, two.shift) == (("also",), (), "same")


def test_what_cannot_be_judged_is_said() -> None:
    guard = policy("block")
    (one,) = replay(guard, guard, [Case("x" * 5, on="conversation")])
    assert one.shift == "unjudged"
    assert isinstance(one.old, str)
    assert (one.newly, one.no_longer) == ((), ())


def test_a_repr_shows_no_text() -> None:
    guard = policy("flag")
    (one,) = replay(guard, guard, [Case("rise and shine")])
    assert "shine" not in repr(one)


# --- sessions, holds, facts

CLOSING = """
window rises_seen { count rises last 10 turns per session }
rule enough { tier safety  on conversation  when rises_seen >= 2  then block "no" for session }
"""


def fired(verdict: Verdict | str) -> tuple[str, ...]:
    assert isinstance(verdict, Verdict)
    return verdict.fired


def test_sessions_go_on_and_are_each_guards_own() -> None:
    old = policy("flag", "rise", CLOSING)
    new = policy("flag", "rise or fall", CLOSING)
    script = [("fall", "s"), ("rise", "s"), ("calm", "s"), ("calm", "t"), ("rise", "s")]
    found = list(replay(old, new, [Case(text, session=name) for text, name in script]))
    # The new one counts "fall" too and closes the session one rise earlier.
    assert [one.shift for one in found] == ["stronger", "stronger", "stronger", "same", "same"]
    assert [fired(one.new) for one in found][1:3] == [("enough", "rises"), ("enough",)]
    assert [fired(one.old) for one in found][2:] == [(), (), ("enough", "rises")]


def test_a_text_without_a_session_is_one_of_its_own() -> None:
    guard = policy("flag", "rise", CLOSING)
    assert shifts(guard, guard, *["rise"] * 5) == ["same"] * 5
    cases = [Case("rise"), Case("rise", session="-")] * 2
    found = [one.new for one in replay(policy("flag"), guard, cases)]
    assert [fired(one) for one in found] == [
        ("rises",),
        ("rises",),
        ("rises",),
        ("enough", "rises"),
    ]


def test_nothing_waits_for_approval() -> None:
    guard = policy("hold")
    for _ in range(3):
        assert isinstance(judged(guard, Case("rise")), Verdict)
    assert guard.holds.list(state="waiting") == ()
    assert len(guard.holds.list(state="denied")) == 3


def test_facts_of_the_case_go_before_those_of_the_run() -> None:
    guard = policy("block", 'rise and context.role == "guest"')
    cases = [Case("rise"), Case("rise", context={"role": "staff"}), Case("rise", context={"a": 1})]
    found = replay(guard, guard, cases, context={"role": "guest"})
    assert [one.new.action for one in found if isinstance(one.new, Verdict)] == [
        "block",
        "pass",
        "block",
    ]


def test_cases_are_taken_one_by_one() -> None:
    taken: list[int] = []

    def endless() -> Iterator[Case]:
        while True:
            taken.append(1)
            yield Case("calm")

    guard = policy("flag")
    found = replay(guard, guard, endless())
    assert next(found).shift == "same"
    assert len(taken) == 1


# --- forgetting everything


def test_a_guard_forgets_every_session_of_every_tenant() -> None:
    pseudonyms = (
        "rule hides { tier safety  on output  when rise  then rewrite matches as pseudonym }"
    )
    guard = policy("flag", "rise", CLOSING + pseudonyms)
    told: list[Any] = []
    for tenant in ("", "a"):
        for _ in range(2):
            guard.check("rise", session="s", tenant=tenant)
        told.append(guard.check("calm", session="s", tenant=tenant).action)
        hidden = guard.check("rise", on="output", session="u", tenant=tenant).text
        assert guard.restore(hidden, session="u", tenant=tenant) == "rise"
    assert told == ["block", "block"]
    guard.forget_all()
    for tenant in ("", "a"):
        assert guard.check("calm", session="s", tenant=tenant).action == "pass"
        assert guard.restore(hidden, session="u", tenant=tenant) == hidden
