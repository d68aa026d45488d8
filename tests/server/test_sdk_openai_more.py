"""The real `openai` client on responses, completions and embeddings, through `guardkit serve`."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from ._parcels import CALLS, FULL, LEAK, TEXT
from ._served import MESSAGE
from ._upstream_double import Choices, Say, Upstream, vector


def _known(reply: Any) -> Any:
    """A reply as plain data; `logprobs: null` says no more than no `logprobs`."""
    known = reply.to_dict()
    for choice in known["choices"]:
        if choice.get("logprobs") is None:
            choice.pop("logprobs", None)
    return known


def _no_part(of: str, text: str) -> bool:
    """Whether no beginning of a match, of three characters or more, stands in a text."""
    return of[:3] not in text


# --- responses


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_clean_response(
    up: Upstream, client: openai.OpenAI, direct: openai.OpenAI, seed: int | None
) -> None:
    say = Say(TEXT, CALLS, "Because.", chunk=3)
    up.say(say if seed is None else Choices([say], seed))
    sent: Any = {"model": "m", "input": "Where is it?"}
    assert client.responses.create(**sent).to_dict() == direct.responses.create(**sent).to_dict()
    assert up.asked[0].body == up.asked[1].body
    with client.responses.stream(**sent) as stream:
        events: list[Any] = list(stream)
        got = stream.get_final_response()
    numbers = [event.sequence_number for event in events if hasattr(event, "sequence_number")]
    assert numbers == sorted(set(numbers))
    assert got.output_text == TEXT
    assert [item.type for item in got.output][-2:] == ["function_call", "function_call"]
    calls: list[Any] = [item for item in got.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        (name, json.loads(given)) for name, given in CALLS
    ]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == TEXT


def test_a_blocked_response(up: Upstream, client: openai.OpenAI) -> None:
    up.say(FULL)
    got = client.responses.create(model="m", input="the FORBIDDEN one")
    with client.responses.stream(model="m", input="the FORBIDDEN one") as stream:
        events = list(stream)
    assert up.asked == []
    last: Any = events[-1]
    assert last.type == "response.incomplete"
    for one in (got, last.response):
        assert (one.output_text, one.status) == (MESSAGE, "incomplete")
        assert one.incomplete_details is not None
        assert one.incomplete_details.reason == "content_filter"


@pytest.mark.parametrize("chunk", [1, 1000])
def test_a_response_that_is_blocked_midway(up: Upstream, client: openai.OpenAI, chunk: int) -> None:
    up.say(Say(LEAK, CALLS, chunk=chunk))
    whole = client.responses.create(model="m", input="x")
    assert (whole.output_text, whole.status) == (MESSAGE, "incomplete")
    with client.responses.stream(model="m", input="x") as stream:
        events: list[Any] = list(stream)
    shown = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert shown in ("All is fine so far. " + MESSAGE, MESSAGE)
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "content_filter"
    assert all(_no_part("FORBIDDEN", event.to_json(warnings=False)) for event in events)
    assert not any("function_call" in event.type for event in events)


def test_a_response_is_rewritten(up: Upstream, client: openai.OpenAI) -> None:
    up.say(Say("It is NB-1234.", [("look_up", '{"order": "NB-1234"}')], chunk=2))
    whole = client.responses.create(model="m", input="x")
    with client.responses.stream(model="m", input="x") as stream:
        events: list[Any] = list(stream)
        final = stream.get_final_response()
    for got in (whole, final):
        assert got.output_text == "It is [ORDER]."
        assert json.loads(got.output[1].arguments) == {"order": "[ORDER]"}  # type: ignore[union-attr]
    assert all("1234" not in event.to_json(warnings=False) for event in events)


# --- completions, embeddings


def test_completions(up: Upstream, client: openai.OpenAI, direct: openai.OpenAI) -> None:
    up.say(Say(TEXT))
    sent: Any = {"model": "m", "prompt": ["one", "two"]}
    assert _known(client.completions.create(**sent)) == _known(direct.completions.create(**sent))
    stream = client.completions.create(model="m", prompt="one", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == TEXT
    up.say(Say(LEAK))
    blocked = client.completions.create(model="m", prompt="one").choices[0]
    assert (blocked.text, blocked.finish_reason) == (MESSAGE, "content_filter")
    stream = client.completions.create(model="m", prompt="one", stream=True)
    chunks = [chunk.choices[0] for chunk in stream]
    assert "".join(chunk.text for chunk in chunks).endswith(MESSAGE)
    assert _no_part("FORBIDDEN", "".join(chunk.text for chunk in chunks))
    assert chunks[-1].finish_reason == "content_filter"
    up.say(FULL)
    refused = client.completions.create(model="m", prompt=["good", "FORBIDDEN"])
    assert {choice.text for choice in refused.choices} == {MESSAGE}
    assert up.asked == []


def test_embeddings(up: Upstream, client: openai.OpenAI) -> None:
    up.say(FULL)
    got = client.embeddings.create(model="m", input=["a", "of NB-1234"])
    assert [row.embedding for row in got.data] == [vector("a"), vector("of [ORDER]")]
    with pytest.raises(openai.BadRequestError) as error:
        client.embeddings.create(model="m", input=["a", "FORBIDDEN"])
    assert error.value.code == "guardkit_blocked"
    assert len(up.asked) == 1
