"""One exchange with a deployment, however its model is written and named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import guardkit
from guardkit.integrations import Target

from ._tools import EXAMPLES, POLICY, WITH_CONTEXT, WITH_MEMORY, chat_of, guard_of


async def a_chat(messages: list[dict[str, Any]]) -> str:
    return f"You said: {messages[-1]['content']}"


def a_prompt(prompt: str) -> str:
    return f"You said: {prompt}"


def a_stream(messages: list[dict[str, Any]]) -> Iterator[str]:
    yield from ("You said: ", messages[-1]["content"])


async def an_async_stream(messages: list[dict[str, Any]]) -> AsyncIterator[str]:
    for piece in ("You said: ", messages[-1]["content"]):
        yield piece


class Bot:
    async def __call__(self, messages: list[dict[str, Any]]) -> str:
        return f"You said: {messages[-1]['content']}"

    def plain(self, messages: list[dict[str, Any]]) -> str:
        return f"You said: {messages[-1]['content']}"


MODELS = [a_chat, a_prompt, a_stream, an_async_stream, Bot(), Bot().plain]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: getattr(m, "__name__", "object"))
def test_every_kind_of_callable_is_asked(model: Any) -> None:
    target = Target(guard_of(), model)
    answer = target.ask("NB-1234?")
    assert answer.text == "You said: [ORDER]?"
    assert answer.ledger.outcome == "answered"
    assert not answer.is_stopped
    stopped = target.ask("FORBIDDEN")
    assert (stopped.text, stopped.is_stopped) == ("Not here.", True)
    assert (stopped.ledger.layer, stopped.ledger.by) == ("input", "rule stop")


def test_a_blocked_question_never_reaches_the_model() -> None:
    asked: list[Any] = []
    target = Target(guard_of(), chat_of(lambda said: said, asked))
    target.ask("FORBIDDEN")
    assert asked == []


def test_a_blocked_reply_is_told_of_its_layer() -> None:
    answer = Target(guard_of(), chat_of(lambda said: "FORBIDDEN")).ask("hello")
    assert (answer.text, answer.ledger.layer, answer.ledger.by) == (
        "Not here.",
        "output",
        "rule stop",
    )


def test_a_model_that_refuses_was_stopped_by_nobody() -> None:
    answer = Target(guard_of(), chat_of(lambda said: "I can't help with that.")).ask("hello")
    assert (answer.ledger.outcome, answer.ledger.layer) == ("refused", "model")
    assert not answer.is_stopped


def test_a_filter_of_the_provider_stopped_it() -> None:
    reply = {
        "choices": [
            {
                "index": 0,
                "finish_reason": "content_filter",
                "message": {"role": "assistant", "content": ""},
            }
        ]
    }
    answer = Target(guard_of(), chat_of(lambda said: reply)).ask("hello")
    assert (answer.ledger.layer, answer.is_stopped) == ("provider", True)


def test_what_is_held_waits_for_nobody() -> None:
    guard = guard_of()
    answer = Target(guard, chat_of(lambda said: "Your refund.")).ask("hello")
    assert (answer.is_stopped, answer.ledger.by) == (True, "rule wait")
    assert not list(guard.holds.list(state="waiting"))


def test_every_exchange_is_a_session_of_its_own() -> None:
    target = Target(guard_of(WITH_MEMORY), chat_of(lambda said: said))
    assert [target.ask("FORBIDDEN").text for _ in range(4)] == ["Not here."] * 4
    assert target.ask("hello").text == "hello"


def test_the_context_layer_reaches_the_model() -> None:
    asked: list[Any] = []
    Target(guard_of(WITH_CONTEXT), chat_of(lambda said: said, asked)).ask("hello")
    assert asked == [
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    ]


def test_a_model_without_a_place_for_the_context_layer_is_refused_at_once() -> None:
    with pytest.raises(guardkit.UsageError, match="no place for it"):
        Target(guard_of(WITH_CONTEXT), a_prompt)


def test_a_conversation_goes_to_the_model_whole() -> None:
    asked: list[Any] = []
    said = [
        {"role": "user", "content": "NB-1234"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "where is it?"},
    ]
    Target(guard_of(), chat_of(lambda text: text, asked)).ask(said)
    assert [message["content"] for message in asked[0]] == ["[ORDER]", "Yes?", "where is it?"]


def test_a_conversation_is_not_cut_down_to_one_text() -> None:
    target = Target(guard_of(), a_prompt)
    assert target.ask([{"role": "user", "content": "hello"}]).text == "You said: hello"
    with pytest.raises(guardkit.UsageError, match="this is a conversation"):
        target.ask([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
        {"input_tokens": 5, "output_tokens": 4},
    ],
)
def test_the_tokens_that_a_model_counts_are_told(usage: dict[str, int]) -> None:
    reply = {"role": "assistant", "content": "FORBIDDEN", "usage": usage}
    answer = Target(guard_of(), chat_of(lambda said: reply)).ask("hello")
    assert answer.is_stopped
    assert answer.usage == {"prompt": 5, "completion": 4, "total": 9}


def test_a_fault_of_the_model_comes_out_as_it_is() -> None:
    def broken(messages: list[dict[str, Any]]) -> str:
        raise TimeoutError("late")

    target = Target(guard_of(), broken)
    with pytest.raises(TimeoutError, match="late"):
        target.ask("hello")
    assert not target.has_answered


def test_the_repr_shows_no_text() -> None:
    answer = Target(guard_of(), chat_of(lambda said: said)).ask("a private matter")
    assert repr(answer) == "<Answer answered None >"
    assert "private" not in repr(answer.ledger)


# --- by name


def test_a_target_is_found_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardkit.integrations import garak

    monkeypatch.chdir(EXAMPLES)
    monkeypatch.setenv("GUARDKIT_POLICY", "shop.guard")
    monkeypatch.setenv("GUARDKIT_MODEL", "bot:reply")
    assert garak.respond("Hello.") == ["You said: Hello."]


@pytest.mark.parametrize(
    ("policy", "model", "says"),
    [
        (None, "bot:reply", "which policy\\? give `policy`, or set GUARDKIT_POLICY"),
        ("shop.guard", None, "which model\\? give `model`, or set GUARDKIT_MODEL"),
        ("shop.guard", "bot", "`bot` is no `module:callable`"),
        ("shop.guard", "no_such_bot:reply", "`no_such_bot` cannot be imported"),
        ("shop.guard", "bot:no_such", "`bot` has no callable `no_such`"),
    ],
)
def test_a_target_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, policy: str | None, model: str | None, says: str
) -> None:
    from guardkit.integrations import garak

    monkeypatch.chdir(EXAMPLES)
    monkeypatch.delenv("GUARDKIT_POLICY", raising=False)
    monkeypatch.delenv("GUARDKIT_MODEL", raising=False)
    with pytest.raises(guardkit.UsageError, match=says):
        garak.respond("Hello.", policy=policy, model=model)


def test_a_policy_that_does_not_compile_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from guardkit.integrations import garak

    monkeypatch.chdir(EXAMPLES)
    broken = tmp_path / "broken.guard"
    broken.write_text(POLICY.replace("when bad", "when bda", 1))
    with pytest.raises(guardkit.PolicyError, match="bda"):
        garak.respond("Hello.", policy=str(broken), model="bot:reply")
