"""One exchange is attributed: by what its records show, and by taking layers away."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import anyio
import pytest

from guardkit import Guard
from guardkit.errors import UsageError
from guardkit.guard import loads
from guardkit.layers import (
    Asked,
    Attribution,
    Deployment,
    Model,
    Server,
    aattribute,
    asked,
    attribute,
    most_runs,
    says,
)

from ._planted import ANSWERS, FORBIDS, HEAD, IDLE, REFUSES, guard_of, rule, scripted
from ._served import Cut, Raw, Status, served

BOAT = asked("how do I caulk a dinghy")
CANARY = "canary-7531"


def counted(model: Model) -> tuple[Model, list[int]]:
    """A model, and how often it was asked."""
    calls: list[int] = []

    async def ask(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        calls.append(1)
        return await model(messages, documents)

    return ask, calls


def found(policy: str, model: Model | None, said: Asked = BOAT, **options: Any) -> Attribution:
    return attribute(Deployment(guard_of(policy), model), said, **options)


# --- evidence, without a model


def test_a_rule_that_stops_what_goes_in_is_named_without_any_model() -> None:
    made = found(IDLE + rule("no_boats", "input", "boat"), None, expect="answer")
    assert (made.standing, made.layer, made.by) == ("named", "input", "rule no_boats")
    assert made.judgement == "over-refusal"
    assert made.certainty == 1
    assert (made.runs, made.model_calls) == (1, 0)
    assert made.effects == (), "nobody knows what would stand behind it"


def test_what_no_rule_stops_is_not_judged_without_a_model() -> None:
    for expect in (None, "answer", "refuse"):
        made = found(IDLE, None, expect=expect)
        assert (made.standing, made.layer) == ("unjudged", None)
        assert "model" in made.notes[0]


def test_a_rule_in_shadow_on_what_goes_in_is_named_without_a_model() -> None:
    policy = IDLE + rule("no_boats", "input", "boat", more="mode shadow")
    made = found(policy, None, expect="refuse")
    assert (made.standing, made.layer, made.by) == ("named", "input", "rule no_boats")
    assert made.judgement == "wrong answer"
    assert made.evidence[0].how == "shadow"


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_reply_that_was_seen_is_read_without_a_model(is_whole: bool) -> None:
    message = {"role": "assistant", "content": ANSWERS}
    reply = {"choices": [{"message": message, "finish_reason": "stop"}]} if is_whole else ANSWERS
    said = replace(BOAT, reply=reply)
    made = found(IDLE + rule("no_birds", "output", "bird"), None, said, expect="answer")
    assert (made.layer, made.by) == ("output", "rule no_birds")
    effect = made.effect("output")
    assert effect is not None
    assert effect.is_exact
    assert effect.flips
    assert effect.left.hits == 0


def test_of_a_seen_refusal_context_and_weights_are_told_apart_only_by_a_model() -> None:
    said = replace(BOAT, reply=REFUSES)
    alone = found(IDLE + FORBIDS, None, said, expect="answer")
    assert (alone.standing, alone.layer) == ("undetermined", "model")
    told = found(IDLE + FORBIDS, scripted(1, obeys=0.9), said, expect="answer")
    assert (told.standing, told.layer) == ("named", "context")
    bare = found(IDLE, None, said, expect="answer")
    assert (bare.standing, bare.layer) == ("named", "weights"), "there is no context to blame"


def test_a_seen_refusal_that_does_not_come_back_is_not_settled() -> None:
    said = replace(BOAT, reply=REFUSES)
    made = found(IDLE + FORBIDS, scripted(1), said, expect="answer")
    assert (made.standing, made.layer) == ("undetermined", "model")
    assert any("did not come back in 20 runs" in note for note in made.notes)


def test_a_text_on_output_is_the_reply() -> None:
    made = found(IDLE + rule("no_birds", "output", "bird"), None, asked(ANSWERS, "output"))
    assert (made.outcome, made.layer, made.by) == ("refused", "output", "rule no_birds")


@pytest.mark.parametrize(
    ("on", "layer"), [("retrieved", "input"), ("tool_result", "input"), ("tool_call", "output")]
)
def test_rules_on_every_surface_are_named(on: Any, layer: str) -> None:
    text = json.dumps({"q": "plover"}) if on == "tool_call" else "a plover"
    made = found(IDLE + rule("no_birds", on, "bird"), None, asked(text, on, tool="find"))
    assert (made.layer, made.by) == (layer, "rule no_birds")


def test_a_rule_by_itself_and_one_of_two_are_told_apart() -> None:
    policy = IDLE + rule("a", "input", "boat") + rule("b", "input", "boat")
    made = found(policy, scripted(1), expect="answer")
    assert made.layer == "input"
    assert [one.decided for one in made.evidence] == [0, 0]
    assert any("rule a, rule b" in note for note in made.notes)
    alone = found(IDLE + rule("a", "input", "boat"), scripted(1), expect="answer")
    assert [one.decided for one in alone.evidence] == [1]


def test_a_check_that_cannot_answer_is_told_where_it_blocks() -> None:
    async def mute(text: str, *rest: object) -> float:
        raise ValueError(CANARY)

    policy = (
        'check rude = judge { call "m:rude"  rubric "Is it rude?"  timeout 1s }\n'
        "rule no_rude { tier safety on input when cascade "
        "{ no if bird  yes if rude >= 0.5  else no } then block }\n"
    )
    guard = loads(HEAD + policy, checks={"rude": mute})
    made = attribute(Deployment(guard, scripted(1)), BOAT, expect="answer")
    assert (made.layer, made.by) == ("input", "rule no_rude")
    assert made.evidence[0].how == "unknown"
    assert made.evidence[0].detail == "check rude raised ValueError"
    assert "check rude raised ValueError: `on_error` decided" in made.notes
    assert CANARY not in f"{made!r} {made.as_dict()}"


# --- layers taken away


def test_the_numbers_of_the_finding_are_those_of_the_runs() -> None:
    model, calls = counted(scripted(1, obeys=1))
    made = found(IDLE + FORBIDS, model, expect="answer")
    effect = made.effect("context")
    assert effect is not None
    assert (effect.intact, effect.left) == ((8, 8), (0, 8)), "eight that agree are enough"
    assert effect.flips
    assert (made.runs, made.model_calls, len(calls)) == (16, 16, 16)
    assert "without it 0 of 8 were refused (intact 8 of 8; difference 100 points" in made.sentence


def test_runs_that_do_not_agree_are_had_to_the_end() -> None:
    model, calls = counted(scripted(3, obeys=0.7))
    made = found(IDLE + FORBIDS, model, expect="answer", repeats=30)
    effect = made.effect("context")
    assert effect is not None
    assert (effect.intact.of, effect.left.of) == (30, 30)
    assert len(calls) == 60


def test_a_refusal_now_and_then_is_found_and_explained() -> None:
    made = found(IDLE + FORBIDS, scripted(4, obeys=0.15), expect="answer", repeats=60)
    assert made.outcome == "refused"
    assert made.layer == "context"
    assert made.intact.of == 60


def test_an_answer_that_nobody_minds_needs_no_explanation() -> None:
    for expect in (None, "answer"):
        made = found(IDLE + FORBIDS, scripted(1), expect=expect)
        assert (made.standing, made.outcome, made.layer) == ("none", "answered", None)
        assert not made.is_finding


def test_a_refusal_that_was_expected_is_explained_and_no_finding() -> None:
    made = found(IDLE + rule("no_boats", "input", "boat"), scripted(1), expect="refuse")
    assert (made.judgement, made.layer) == ("correct refusal", "input")
    assert not made.is_finding


def test_the_policy_says_what_is_expected_where_nobody_does() -> None:
    over = found(IDLE + "model { answers boat }\n", scripted(1, refuses=1))
    assert (over.expected, over.judgement, over.layer) == ("answer", "over-refusal", "weights")
    wrong = found(IDLE + "model { refuses boat }\n", scripted(1))
    assert (wrong.expected, wrong.judgement, wrong.layer) == ("refuse", "wrong answer", "weights")
    assert any("no rule asks" in note for note in wrong.notes)


def test_a_rule_that_covers_the_topic_and_saw_nothing_is_told() -> None:
    policy = IDLE + "model { refuses boat }\n" + rule("no_boats", "output", "boat")
    made = found(policy, scripted(1))
    assert made.layer == "weights"
    assert ("rule no_boats", "silent") in [(one.by, one.how) for one in made.evidence]


@pytest.mark.parametrize("then", ["flag", 'rewrite matches as "[bird]"'])
@pytest.mark.parametrize("about", ["", "bird", "boat"])
def test_who_acts_without_stopping_is_to_blame_only_on_its_topic(then: str, about: str) -> None:
    policy = IDLE + (f"model {{ refuses {about} }}\n" if about else "")
    made = found(policy + rule("birds", "output", "bird", then), scripted(1), expect="refuse")
    seen = next(one for one in made.evidence if one.by == "rule birds")
    assert (seen.how, seen.seen) == ("flagged" if then == "flag" else "rewritten", 8)
    assert (made.layer, seen.decided) == (("output", 8) if about == "bird" else ("weights", 0))


def test_a_rule_whose_condition_is_not_met_was_not_lifted() -> None:
    policy = IDLE + rule("both", "output", "bird and never")
    made = found(policy, scripted(1), expect="refuse")
    assert made.layer == "weights"
    assert "lifted" not in {one.how for one in made.evidence}


def test_other_weights_show_that_context_and_weights_each_would_do() -> None:
    made = found(
        IDLE + FORBIDS, scripted(1, refuses=1), expect="answer", other=scripted(2, obeys=1)
    )
    assert (made.standing, made.layer, made.also) == ("overdetermined", "weights", ("context",))
    both = made.effect("context", "weights")
    assert both is not None
    assert both.flips
    assert made.runs <= most_runs(20)


def test_what_stands_behind_a_rule_is_named_beside_it() -> None:
    policy = IDLE + FORBIDS + rule("no_boats", "input", "boat") + rule("no_birds", "output", "bird")
    made = found(policy, scripted(1, refuses=1), expect="answer")
    assert (made.standing, made.layer) == ("overdetermined", "input")
    assert made.also == ("weights",)
    assert "the weights would have done it too" in made.sentence


def test_three_that_would_each_have_done_it_are_named_in_their_order() -> None:
    policy = IDLE + FORBIDS + rule("no_boats", "input", "boat") + rule("no_birds", "output", "bird")
    made = found(policy, scripted(1, obeys=1), expect="answer")
    assert (made.standing, made.layer) == ("overdetermined", "input")
    assert made.also == ("context", "output")
    bare = made.effect("input", "context", "output")
    assert bare is not None
    assert bare.flips
    assert made.runs <= most_runs(20)


def test_a_layer_that_did_nothing_costs_no_run() -> None:
    model, calls = counted(scripted(1, refuses=1))
    made = found(IDLE, model, expect="answer")
    assert made.layer == "weights"
    for side in ("input", "output"):
        effect = made.effect(side)
        assert effect is not None
        assert (effect.did_nothing, effect.difference) == (True, 0)
        # It may act in a run that was not had: nobody knows what else the model says.
        assert (effect.is_exact, effect.low) == (False, 0)
        assert 0.3 < effect.high < 0.5
    assert len(calls) == 8
    sure = found(IDLE + rule("no_boats", "input", "boat"), None, replace(BOAT, reply=ANSWERS))
    idle = sure.effect("output")
    assert idle is not None
    assert (idle.did_nothing, idle.is_exact, idle.low, idle.high) == (True, True, 0, 0)


def test_figures_that_do_not_separate_name_nobody_for_sure() -> None:
    made = found(IDLE + FORBIDS, scripted(5, refuses=0.5, obeys=0.5), expect="answer", repeats=9)
    assert made.standing in ("undetermined", "named")
    assert made.certainty is not None
    assert (made.certainty < 0.95) == (made.standing == "undetermined")
    assert ("not settled" in made.sentence) == (made.standing == "undetermined")
    assert sum(chance for _, chance in made.odds) == pytest.approx(1, abs=0.01)


def test_a_refusal_or_two_without_the_layer_make_nobody_redundant() -> None:
    policy = IDLE + rule("no_birds", "output", "bird")
    for seed in range(12):
        made = found(policy, scripted(seed, refuses=0.2), expect="answer", repeats=5)
        if made.layer == "output":
            assert (made.standing, made.also) != ("overdetermined", ("weights",))


def test_half_and_half_is_undetermined() -> None:
    undetermined = sum(
        found(
            IDLE + FORBIDS, scripted(seed, refuses=0.45, obeys=0.82), expect="answer", repeats=20
        ).standing
        == "undetermined"
        for seed in range(12)
    )
    assert undetermined >= 9


# --- what goes wrong


@pytest.mark.parametrize("reply", [None, 7, b"bytes", "", {}, {"choices": []}, object()])
def test_junk_is_not_judged(reply: Any) -> None:
    made = found(IDLE + FORBIDS, says(reply), expect="answer")
    assert (made.standing, made.layer) == ("unjudged", "transport")
    assert made.runs == 3, "more of the same would not help"
    assert made.sentence.startswith("could not be judged")


def test_a_model_that_raises_or_hangs_is_not_judged() -> None:
    async def raises(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        raise ConnectionError(CANARY)

    async def hangs(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        await anyio.sleep_forever()

    for model, by in ((raises, "ConnectionError"), (hangs, "TimeoutError")):
        made = attribute(Deployment(guard_of(IDLE), model, timeout_s=0.1), BOAT, expect="answer")
        assert (made.standing, made.layer, made.by) == ("unjudged", "transport", by)
        assert made.outcome == "failed"
        assert CANARY not in f"{made.as_dict()}"


def test_runs_that_fail_now_and_then_are_told_and_in_no_figure() -> None:
    inner, number = scripted(1, obeys=1), count(1)

    async def flaky(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        if next(number) % 4 == 0:
            raise ConnectionError
        return await inner(messages, documents)

    made = found(IDLE + FORBIDS, flaky, expect="answer")
    assert (made.standing, made.layer) == ("named", "context")
    effect = made.effect("context")
    assert effect is not None
    assert effect.failed + effect.left.of == 20
    assert any("gave no reply" in note for note in made.notes)


def test_a_provider_that_refuses_by_an_error_is_named() -> None:
    class RefusedError(Exception):
        code = "content_filter"

    async def model(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        raise RefusedError(CANARY)

    made = found(IDLE + FORBIDS, model, expect="answer")
    assert (made.layer, made.by) == ("provider", "error content_filter")


@pytest.mark.parametrize(
    "options", [{"repeats": 0}, {"repeats": 1001}, {"at_once": 0}, {"rate": 0.0}, {"rate": -1.0}]
)
def test_numbers_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        found(IDLE, scripted(1), **options)


# --- a server


def over_http(answer: Callable[[str], Any], policy: str = IDLE + FORBIDS) -> Attribution:
    with served(answer) as script:
        deployment = Deployment(guard_of(policy), Server(script.url, timeout_s=10))
        return attribute(deployment, BOAT, expect="answer", at_once=4)


def test_a_server_is_asked_like_any_model() -> None:
    made = over_http(lambda question: REFUSES)
    assert (made.standing, made.layer, made.model_calls) == ("named", "weights", 16)


def test_a_server_that_filters_is_a_provider() -> None:
    refused = Status(400, {"error": {"code": "content_filter", "message": CANARY}})
    made = over_http(lambda question: refused)
    assert (made.layer, made.by) == ("provider", "error content_filter")
    assert CANARY not in f"{made.as_dict()}"


@pytest.mark.parametrize("said", [Cut(), Raw(b"{}"), Raw(b"<html>"), Status(401)])
def test_a_server_that_gives_no_reply_is_not_judged(said: Any) -> None:
    made = over_http(lambda question: said)
    assert (made.standing, made.layer, made.runs) == ("unjudged", "transport", 3)


# --- the same every time, on every loop


def test_the_same_seed_gives_the_same_finding() -> None:
    def plain(made: Attribution) -> dict[str, object]:
        return {**made.as_dict(), "elapsed_s": 0}

    runs = [
        found(IDLE + FORBIDS, scripted(9, obeys=0.7), expect="answer", seed=4, at_once=1)
        for _ in range(2)
    ]
    assert plain(runs[0]) == plain(runs[1])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asyncio_and_trio_agree(backend: str) -> None:
    guard: Guard = guard_of(IDLE + FORBIDS)

    async def run() -> Attribution:
        return await aattribute(
            Deployment(guard, scripted(9, obeys=1)), BOAT, expect="answer", rate=2_000
        )

    made = anyio.run(run, backend=backend)
    assert (made.layer, made.runs, made.intact) == ("context", 16, (8, 8))


def test_no_more_run_at_once_and_per_second_than_was_said() -> None:
    now = most = 0

    async def slow(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await anyio.sleep(0.005)
        now -= 1
        return REFUSES

    found(IDLE + FORBIDS, slow, expect="answer", at_once=3)
    assert most == 3
    made = found(IDLE, slow, expect="answer", rate=100)
    assert made.runs == 8
    assert made.elapsed_s >= 0.07
