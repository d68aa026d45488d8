"""What adapters share: one guard around a framework's way to ask, whole and streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

import guardkit
from guardkit.integrations._around import Around, Call, Said, is_refusal, placed, taken_back

from ._tools import WITH_CONTEXT, WITH_MEMORY, guard_of

Plain = dict[str, Any]


def completion(text: str) -> Plain:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"object": "chat.completion", "choices": [choice]}


def user(text: str) -> Plain:
    return {"role": "user", "content": text, "id": "0"}


def text_of(reply: Plain) -> str:
    said: str = reply["choices"][0]["message"]["content"]
    return said


class Model:
    """A model that says one thing, and what it was asked."""

    def __init__(self, says: str) -> None:
        self.says = says
        self.asked: list[Said] = []

    def __call__(self, said: Said) -> Plain:
        self.asked.append(said)
        return completion(self.says)

    async def later(self, said: Said) -> Plain:
        return self(said)


def test_everything_that_is_sent_was_judged_and_has_the_changes() -> None:
    model = Model("Order NB-4321 is on its way.")
    around = Around(guard_of(WITH_CONTEXT))
    tool = {"type": "function", "function": {"name": "find", "description": "as NB-1111"}}
    reply = around.ask(
        Call(model), [user("where is NB-1234?")], tools=[tool], other=[{"note": "NB-2222"}]
    )
    (said,) = model.asked
    assert said.messages[0] == {"role": "system", "content": "Be brief."}
    assert said.messages[1]["content"] == "where is [ORDER]?"
    assert said.tools[0]["function"]["description"] == "as [ORDER]"
    assert said.other == [{"note": "[ORDER]"}]
    assert text_of(reply) == "Order [ORDER] is on its way."


@pytest.mark.parametrize("place", ["messages", "tools", "documents", "other"])
def test_what_is_forbidden_never_reaches_the_model(place: str) -> None:
    guard = guardkit.loads(
        'guardkit 1\npolicy p\ncheck bad = words { list ["FORBIDDEN"] }\n'
        'rule stop { tier safety\n on input, retrieved\n when bad\n then block "Not here." }'
    )
    model = Model("hi")
    given: dict[str, Any] = {"tools": [{"d": "FORBIDDEN"}], "documents": ["FORBIDDEN"]}
    given["other"] = [{"deep": [{"er": "FORBIDDEN"}]}]
    messages = [user("FORBIDDEN" if place == "messages" else "hello")]
    keys = {} if place == "messages" else {place: given[place]}
    with pytest.raises(guardkit.Blocked):
        Around(guard).ask(Call(model), messages, **keys)
    assert model.asked == []
    assert is_refusal(Around(guard, on_block="reply").ask(Call(model), messages, **keys))


def test_plain_and_async_callers_share_what_was_judged() -> None:
    """One order number in a session is enough here, so a history counted twice would be stopped."""
    counting = WITH_MEMORY.replace("count stop", "count mask")
    around = Around(guard_of(counting), on_block="reply")
    model = Model("hello")
    history = [user("about NB-1234")]
    assert text_of(around.ask(Call(model, session="s"), history)) == "hello"
    again = anyio.run(lambda: around.aask(Call(model.later, session="s"), history))
    assert text_of(again) == "hello"
    assert model.asked[1].messages[0]["content"] == "about [ORDER]"
    more = [*history, user("and NB-1235")]
    assert text_of(around.ask(Call(model, session="s"), more)) == "Enough."


def test_a_policy_that_remembers_needs_a_session() -> None:
    with pytest.raises(guardkit.UsageError, match="session"):
        Around(guard_of(WITH_MEMORY)).ask(Call(Model("hello")), [user("hello")])


def pieces(*texts: str) -> Iterator[Plain]:
    for text in texts:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        yield {"object": "chat.completion.chunk", "choices": [choice]}


async def later(*texts: str) -> AsyncIterator[Plain]:
    for piece in pieces(*texts):
        yield piece


def shown(chunks: list[Plain]) -> str:
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)


def test_streams_hold_back_what_a_rule_may_yet_stop() -> None:
    around = Around(guard_of())
    stream = around.ask(
        Call(lambda said: pieces("Order NB-", "12", "34 and", " more")), [user("?")]
    )
    assert shown(list(stream)) == "Order [ORDER] and more"
    with pytest.raises(guardkit.Blocked):
        list(around.ask(Call(lambda said: pieces("say FOR", "BIDDEN")), [user("?")]))


def test_async_streams_do_too() -> None:
    around = Around(guard_of(), on_block="reply")

    async def main(*texts: str) -> list[Plain]:
        async def send(said: Said) -> AsyncIterator[Plain]:
            return later(*texts)

        return [chunk async for chunk in await around.aask(Call(send), [user("?")])]

    assert shown(anyio.run(main, "Order NB-", "1234")) == "Order [ORDER]"
    assert "FORB" not in shown(anyio.run(main, "say FORB", "IDDEN"))


# --- messages of a framework


class Note:
    """A framework's message."""

    def __init__(self, who: str, text: str) -> None:
        self.who, self.text = who, text


class Notes:
    """Reads and changes them."""

    def plain(self, message: Note) -> Plain:
        return {"role": message.who, "content": message.text}

    def changed(self, message: Note, given: Plain) -> Note:
        return Note(message.who, given["content"])

    def made(self, given: Plain) -> Note:
        return Note(given["role"], given["content"])


def test_only_what_a_rule_changed_is_another_object() -> None:
    notes = [Note("user", "hello"), Note("user", "about NB-1234")]
    model = Model("fine")
    Around(guard_of(WITH_CONTEXT)).ask(Call(model), placed(Notes(), notes))
    system, same, changed = taken_back(Notes(), model.asked[0].messages, notes)
    assert (system.who, system.text) == ("system", "Be brief.")
    assert same is notes[0]
    assert changed.text == "about [ORDER]"
    assert notes[1].text == "about NB-1234"
