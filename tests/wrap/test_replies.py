"""Replies in the shapes people get: read whole, changed on a copy, and never let out unread."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest

from guardkit.errors import Blocked, UsageError
from guardkit.wrap import Lens, wrap

from ._guard import Scripted


class Answer(pydantic.BaseModel):
    answer: str
    sources: list[str] = []
    score: float = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    text: str
    tags: tuple[str, ...] = ()


class Odd:
    """Says its text in an attribute, and carries what nobody can read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.raw = object()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Odd) and other.text == self.text

    __hash__ = None  # type: ignore[assignment]  # not needed


class Message(pydantic.BaseModel):
    """Like LangChain's."""

    type: str = "ai"
    content: Any
    tool_calls: list[dict[str, Any]] = []
    response_metadata: dict[str, Any] = {}


def completion(*texts: str, **message: Any) -> dict[str, Any]:
    choices = [
        {
            "index": i,
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": text}]},
            "message": {"role": "assistant", "content": text, **message},
        }
        for i, text in enumerate(texts)
    ]
    return {"id": "x", "object": "chat.completion", "model": "m-1", "choices": choices}


def as_objects(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{key: as_objects(inner) for key, inner in value.items()})
    return [as_objects(inner) for inner in value] if isinstance(value, list) else value


def anthropic(*texts: str) -> dict[str, Any]:
    content = [{"type": "text", "text": text} for text in texts]
    return {"type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn"}


def response(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "m", "role": "assistant", "content": [part]}
    return {"object": "response", "instructions": "FORBIDDEN here", "output": [item]}


SHAPES: dict[str, Callable[[str], Any]] = {
    "text": lambda text: text,
    "completion": lambda text: completion("fine", text),
    "completion objects": lambda text: as_objects(completion("fine", text)),
    "reasoning": lambda text: completion("fine", reasoning_content=text),
    "anthropic": lambda text: anthropic(text),
    "anthropic objects": lambda text: as_objects(anthropic(text)),
    "thinking": lambda text: {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": text}],
    },
    "response": response,
    "langchain": lambda text: Message(content=text),
    "langchain parts": lambda text: Message(content=["a ", {"type": "text", "text": text}]),
    "model": lambda text: Answer(answer=text),
    "inner": lambda text: Answer(answer="fine", sources=["s", text]),
    "dataclass": lambda text: Note("fine", (text,)),
    "attribute": Odd,
    "dict": lambda text: {"answer": text, "n": 1},
    "list": lambda text: ["fine", {"text": text}],
}


def give(guard: Scripted, made: Any, **options: Any) -> Any:
    return wrap(guard, lambda prompt: made, **options)("hi")


def without_logprobs(value: Any) -> Any:
    for choice in value["choices"] if isinstance(value, dict) and "choices" in value else ():
        choice["logprobs"] = None
    for choice in getattr(value, "choices", ()):
        choice.logprobs = None
    return value


@pytest.mark.parametrize("shape", SHAPES)
def test_a_reply_passes_is_rewritten_or_blocked(guard: Scripted, shape: str) -> None:
    make = SHAPES[shape]
    assert give(guard, make("hello")) == make("hello")
    reply = make("for NB-1234.")
    before = copy.deepcopy(reply)
    assert give(guard, reply) == without_logprobs(make("for [ORDER]."))
    assert reply == before
    with pytest.raises(Blocked):
        give(guard, make("a FORBIDDEN b"))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_block_as_a_reply_says_the_message_and_nothing_else(guard: Scripted, shape: str) -> None:
    made = give(guard, SHAPES[shape]("a FORBIDDEN b"), on_block="reply")
    assert type(made) is type(SHAPES[shape]("x"))
    if shape == "response":
        made.pop("instructions")
    if shape != "attribute":
        shown = repr(made)
        assert "Stopped." in shown
        assert "FORBIDDEN" not in shown
        assert "fine" not in shown
    else:
        assert made.text == "Stopped."


def test_a_blocked_reply_says_so_in_its_dialect(guard: Scripted) -> None:
    reply = completion("FORBIDDEN", tool_calls=[call("f", "{}")])
    (choice,) = give(guard, reply, on_block="reply")["choices"]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"] == {"role": "assistant", "content": "Stopped.", "tool_calls": None}
    assert give(guard, anthropic("FORBIDDEN"), on_block="reply")["stop_reason"] == "refusal"


def call(name: str, arguments: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}


CALLS: dict[str, Callable[[str], Any]] = {
    "openai": lambda text: completion("", tool_calls=[call("mail.send", f'{{"to": "{text}"}}')]),
    "legacy": lambda text: completion(
        "", function_call={"name": "mail.send", "arguments": f'{{"to": "{text}"}}'}
    ),
    "anthropic": lambda text: {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "t", "name": "mail.send", "input": {"to": text}}],
    },
    "response": lambda text: {
        "object": "response",
        "output": [
            {
                "type": "function_call",
                "call_id": "c",
                "name": "mail.send",
                "arguments": f'{{"to": "{text}"}}',
            }
        ],
    },
    "langchain": lambda text: Message(
        content="", tool_calls=[{"name": "mail.send", "args": {"to": text}, "id": "1"}]
    ),
}


@pytest.mark.parametrize("shape", CALLS)
def test_calls_are_judged_with_their_arguments(guard: Scripted, shape: str) -> None:
    make = CALLS[shape]
    assert give(guard, make("ann")) == make("ann")
    assert ("tool_call mail.send", '{"to": "ann"}') in guard.asked
    assert give(guard, make("NB-1234")) == without_logprobs(make("[ORDER]"))
    with pytest.raises(Blocked):
        give(guard, make("FORBIDDEN"))
    assert "mail.send" not in repr(give(guard, make("FORBIDDEN"), on_block="reply"))


@pytest.mark.parametrize(
    "written", ["{", "[1]", '"x"', '{"a": 1, "a": 2}', '{"a": NaN}', "1", '{"a":' * 5000]
)
def test_arguments_that_are_no_object_never_pass(guard: Scripted, written: str) -> None:
    with pytest.raises(Blocked):
        give(guard, completion("", tool_calls=[call("f", written)]))
    assert ("tool_call f", written) in guard.asked


@pytest.mark.parametrize(
    ("kind", "key", "said"),
    [
        ("shell_call", "action", {"commands": ["rm NB-1234"]}),
        ("local_shell_call", "action", {"command": ["rm", "NB-1234"], "type": "exec"}),
        ("apply_patch_call", "operation", {"type": "update_file", "path": "a", "diff": "NB-1234"}),
        ("computer_call", "action", {"type": "type", "text": "NB-1234"}),
    ],
)
def test_calls_of_tools_that_a_dialect_has_of_its_own(
    guard: Scripted, kind: str, key: str, said: dict[str, Any]
) -> None:
    """What a shell, an editor or a screen is told to do is a call of it, not a text."""

    def reply(arguments: dict[str, Any]) -> dict[str, Any]:
        item = {"type": kind, "id": "i", "call_id": "c", "status": "completed", key: arguments}
        return {"object": "response", "output": [item]}

    wrapped = wrap(guard, lambda prompt: reply(said))
    assert "NB-1234" not in str(wrapped("go"))
    assert [ask for ask, _ in guard.asked if ask == f"tool_call {kind.removesuffix('_call')}"]
    with pytest.raises(Blocked):
        wrap(guard, lambda prompt: reply({**said, "more": "FORBIDDEN"}))("go")


def test_no_arguments_are_an_empty_object(guard: Scripted) -> None:
    reply = completion("", tool_calls=[call("f", ""), call("g", None)])
    assert give(guard, reply) == reply
    assert [asked for asked in guard.asked if "tool" in asked[0]] == [
        ("tool_call f", "{}"),
        ("tool_call g", "{}"),
    ]


@pytest.mark.parametrize(
    "reply",
    [
        anthropic("FORB", "IDDEN"),
        completion("IDDEN", reasoning_content=None) | {},
        {"role": "assistant", "reasoning_content": "FORB", "content": "IDDEN"},
        anthropic("my NB-1", "234"),
    ],
)
def test_a_match_across_texts_that_are_shown_as_one(guard: Scripted, reply: Any) -> None:
    if "choices" in reply:
        reply["choices"][0]["message"] = {"reasoning_content": "FORB", "content": "IDDEN"}
    with pytest.raises(Blocked):
        give(guard, reply)


def test_an_image_in_a_reply_asks_the_policy(guard: Scripted) -> None:
    with pytest.raises(Blocked):
        give(guard, {"role": "assistant", "content": [{"type": "image", "data": "AA"}]})


def test_names_are_judged_too(guard: Scripted) -> None:
    assert give(guard, {"FORBIDDEN": "x"}, on_block="reply") == "Stopped."
    made = give(guard, {"text": "a", "extra": {"FORBIDDEN": "x"}}, on_block="reply")
    assert made == {"text": "Stopped.", "extra": {}}
    with pytest.raises(UsageError, match="name of a field"):
        give(guard, {"NB-1234": "x"})


# --- shapes that only the caller knows


class Box:
    def __init__(self, inside: str) -> None:
        self.inside = inside


def test_a_lens_reads_a_reply_of_any_shape(guard: Scripted) -> None:
    lens = Lens(lambda box: box.inside, lambda box, texts: Box(texts[0]))
    assert give(guard, Box("NB-1234"), reply=lens).inside == "[ORDER]"
    assert give(guard, Box("FORBIDDEN"), reply=lens, on_block="reply").inside == "Stopped."
    with pytest.raises(UsageError, match="cannot put it back"):
        give(guard, Box("NB-1234"), reply=Lens(lens.get))
    with pytest.raises(UsageError, match="`Box`, which cannot be read: say how with `reply=`"):
        give(guard, Box("x"))


# --- a block before there is a reply


class ChatCompletion(pydantic.BaseModel):
    id: str
    choices: list[dict[str, Any]]


class AIMessage(pydantic.BaseModel):
    content: str


def test_a_reply_is_made_where_its_shape_is_known(guard: Scripted) -> None:
    def ask(kind: Any, **options: Any) -> Any:
        def function(prompt: str) -> Any:
            return None

        function.__annotations__["return"] = kind
        return wrap(guard, function, on_block="reply", **options)("FORBIDDEN")

    assert ask(str) == ask(Any) == "Stopped."
    assert ask(AIMessage) == AIMessage(content="Stopped.")
    assert ask(ChatCompletion).choices[0]["message"]["content"] == "Stopped."
    assert ask(Answer) == Answer(answer="Stopped.")
    with pytest.raises(UsageError, match="give `refusal=`"):
        ask(dict[str, str])
    assert ask(dict[str, str], refusal=lambda text: {"said": text}) == {"said": "Stopped."}


# --- revision


def replies(*texts: str) -> Any:
    given: list[Any] = []
    left = list(texts)

    def ask(prompt: Any) -> str:
        given.append(prompt)
        return left.pop(0)

    ask.given = given  # type: ignore[attr-defined]  # for the test to look at
    return ask


def test_a_revision_is_asked_for_and_judged(guard: Scripted) -> None:
    ask = replies("ADVICE one", "ADVICE two", "fine NB-1234")
    assert wrap(guard, ask)("what?") == "fine [ORDER]"
    assert len(ask.given) == 3
    assert ask.given[1].startswith("what?\n\n")
    assert "Give no advice." in ask.given[1]
    assert "ADVICE one" in ask.given[1]
    assert "ADVICE two" in ask.given[2]


def test_revisions_end_in_the_else(guard: Scripted) -> None:
    ask = replies("ADVICE 1", "ADVICE 2", "ADVICE 3", "never asked")
    with pytest.raises(Blocked) as caught:
        wrap(guard, ask)("what?")
    verdict = caught.value.verdict
    assert (verdict.action, verdict.text) == ("revise", "No advice.")
    assert [record.by for record in verdict.ledger if record.layer == "model"] == [
        "revision 1 by no_advice",
        "revision 2 by no_advice",
    ]
    ask = replies("ADVICE 1", "ADVICE 2", "ADVICE 3")
    assert wrap(guard, ask, on_block="reply")("what?") == "No advice."
    ask = replies("ADVICE 1", "never asked")
    assert wrap(guard, ask, on_block="reply", within=0)("what?") == "No advice."


def test_a_revision_that_is_blocked_blocks(guard: Scripted) -> None:
    ask = replies("ADVICE 1", "FORBIDDEN", "never asked")
    assert wrap(guard, ask, on_block="reply")("what?") == "Stopped."
    assert len(ask.given) == 2


def test_a_revision_of_messages_adds_one(guard: Scripted) -> None:
    ask = replies("ADVICE 1", "fine")
    messages = [{"role": "user", "content": "what?", "name": "ann"}]
    assert wrap(guard, ask, text="prompt")(messages) == "fine"
    assert ask.given[1][0] == messages[0]
    assert ask.given[1][1]["role"] == "user"
    assert len(messages) == 1
