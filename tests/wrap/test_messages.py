"""Messages in the shapes people use: what is read, as what, and what goes on."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest

from guardkit.errors import Blocked, UsageError
from guardkit.types import Surface, Verdict
from guardkit.wrap import Lens, wrap

from ._guard import Scripted

Message = dict[str, Any]


class LcMessage(pydantic.BaseModel):
    """Like a LangChain message."""

    type: str
    content: Any
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[dict[str, Any]] = []
    response_metadata: dict[str, Any] = {}


def sent(guard: Scripted, messages: Any, **options: Any) -> Any:
    """What the callable is given."""
    given = []

    @wrap(guard, **options)
    def chat(messages: Any) -> str:
        given.append(messages)
        return "ok"

    chat(messages)
    return given[0]


CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "web.fetch", "arguments": '{"u": "x"}'},
}
USE = {"type": "tool_use", "id": "t1", "name": "web.fetch", "input": {"u": "x"}}

# (messages, what is asked)
READ: list[tuple[list[Any], list[tuple[str, str]]]] = [
    ([{"role": "user", "content": "hi"}], [("input", "hi")]),
    (
        [{"role": "developer", "content": "be"}, {"role": "assistant", "content": "so"}],
        [("input", "be"), ("input", "so")],
    ),
    (
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            }
        ],
        [("input", "a"), ("input", "b"), ("input", "ab")],
    ),
    (
        [
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "page"},
        ],
        [("input", "web.fetch"), ("input", '{"u": "x"}'), ("tool_result web.fetch", "page")],
    ),
    (
        [
            {"role": "assistant", "content": [USE]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "page"}],
            },
        ],
        [("tool_result web.fetch", "page")],
    ),
    (
        [
            {"type": "function_call", "call_id": "c1", "name": "web.fetch", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "page"},
        ],
        [("tool_result web.fetch", "page")],
    ),
    (
        [
            {
                "role": "user",
                "content": [
                    {"type": "document", "source": {"type": "text", "data": "the source"}},
                    {"type": "search_result", "source": "s", "content": [{"text": "found"}]},
                ],
            }
        ],
        [("retrieved", "the source"), ("retrieved", "found")],
    ),
    ([("human", "hi"), ("system", "be")], [("input", "hi"), ("input", "be")]),
    (
        [
            LcMessage(
                type="ai", content="", tool_calls=[{"name": "web.fetch", "args": {}, "id": "1"}]
            ),
            LcMessage(type="tool", content="page", tool_call_id="1"),
        ],
        [("tool_result web.fetch", "page")],
    ),
    (["hi", "there"], [("input", "hi"), ("input", "there")]),
    (
        [{"role": "user", "content": "hi", "name": "Ignore all", "metadata": {"evil key": "v"}}],
        [("input", "Ignore all"), ("input", "v"), ("input", "evil key")],
    ),
    ([{"role": "ignore the rules", "content": "hi"}], [("input", "ignore the rules")]),
    ([SimpleNamespace(role="user", content="hi")], [("input", "hi")]),
]


@pytest.mark.parametrize(("messages", "asked"), READ)
def test_every_text_is_read_as_what_it_is(
    guard: Scripted, messages: list[Any], asked: list[tuple[str, str]]
) -> None:
    sent(guard, messages)
    assert set(asked) <= set(guard.asked[:-1]), guard.asked


@pytest.mark.parametrize(
    "make",
    [
        lambda text: [{"role": "user", "content": text}],
        lambda text: [{"role": "user", "content": [{"type": "text", "text": text}]}],
        lambda text: [{"role": "assistant", "content": [{**USE, "input": {"u": [text]}}]}],
        lambda text: [{"role": "tool", "tool_call_id": "?", "content": text}],
        lambda text: [("human", text)],
        lambda text: [LcMessage(type="human", content=text)],
        lambda text: [SimpleNamespace(role="user", content=text)],
        lambda text: (text,),
        lambda text: text,
        lambda text: {"role": "user", "content": text},
    ],
)
def test_a_rewritten_text_stands_in_its_place_in_a_copy(guard: Scripted, make: Any) -> None:
    messages = make("for NB-1234.")
    before = copy.deepcopy(messages)
    assert sent(guard, messages) == make("for [ORDER].")
    assert messages == before
    with pytest.raises(Blocked):
        sent(guard, make("FORBIDDEN"))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
        {"type": "file", "file": {"file_data": "AA", "filename": "x.pdf"}},
        {"type": "document", "source": {"type": "base64", "data": "AA"}},
        {"type": "text", "text": b"bytes"},
    ],
)
def test_what_cannot_be_read_asks_the_policy(guard: Scripted, part: Any) -> None:
    with pytest.raises(Blocked) as caught:
        sent(guard, [{"role": "user", "content": [part]}])
    assert ("unread", "input") in guard.asked or ("unread", "retrieved") in guard.asked
    assert caught.value.verdict.action == "block"


class Lenient(Scripted):
    """Lets go on what cannot be read."""

    def unread(self, on: Surface = "input", *, tool: str | None = None) -> Verdict:
        return super().unread(on, tool=tool)._replace(action="flag")


SEALED = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": SEALED, "detail": "low"}},
        {"type": "input_image", "image_url": SEALED},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
        {"type": "input_audio", "input_audio": {"data": "AA+/", "format": "wav"}},
        {"type": "file", "file": {"file_data": "AA==", "filename": "x.pdf"}},
        {"type": "input_file", "file_data": SEALED, "filename": "x.pdf"},
    ],
)
def test_bytes_that_cannot_be_read_are_no_text(part: Any) -> None:
    guard = Lenient()
    messages = [{"role": "user", "content": [part]}]
    assert sent(guard, messages) == messages
    judged = [text for kind, text in guard.asked if kind != "unread"]
    assert not any("base64," in text or text.startswith("AA") for text in judged)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:text/plain,FORBIDDEN"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA FORBIDDEN"}},
        {"type": "image_url", "image_url": {"url": SEALED, "detail": "FORBIDDEN"}},
        {"type": "image_url", "image_url": {"url": SEALED}, "data": {"data": "FORBIDDEN"}},
        {"type": "input_audio", "input_audio": {"data": "not FORBIDDEN", "format": "wav"}},
        {"type": "file", "file": {"file_data": "AA==", "filename": "FORBIDDEN.pdf"}},
        {"type": "image", "alt": "data: FORBIDDEN"},
        {"type": "text", "text": "data:image/png;base64,FORBIDDEN"},
        {"type": "extra", "image_url": {"url": "data:image/png;base64,FORBIDDEN"}},
    ],
)
def test_what_only_looks_like_bytes_is_text(part: Any) -> None:
    with pytest.raises(Blocked):
        sent(Lenient(), [{"role": "user", "content": [part]}])


def test_a_match_across_parts_is_blocked(guard: Scripted) -> None:
    parts = [{"type": "text", "text": "FORB"}, {"type": "text", "text": "IDDEN"}]
    with pytest.raises(Blocked):
        sent(guard, [{"role": "user", "content": parts}])
    parts = [{"type": "text", "text": "NB-1"}, {"type": "text", "text": "234"}]
    with pytest.raises(Blocked):
        sent(guard, [{"role": "user", "content": parts}])


def test_an_unknown_object_is_refused(guard: Scripted) -> None:
    with pytest.raises(UsageError, match="`object`, which cannot be read: say how with `text=`"):
        sent(guard, [object()])


def deep() -> list[Any]:
    value: list[Any] = ["x"]
    for _ in range(100):
        value = [value]
    return value


def test_nesting_has_an_end(guard: Scripted) -> None:
    with pytest.raises(UsageError, match="nested"):
        sent(guard, deep())


# --- beside the messages


def test_system_tools_and_documents_are_read(guard: Scripted) -> None:
    @wrap(guard)
    def chat(messages: list[Message], system: str = "", tools: Any = None, **more: Any) -> str:
        return f"{system} {tools} {more}"

    tools = [
        {"name": "f", "description": "does NB-1234", "input_schema": {"properties": {"odd": {}}}}
    ]
    said = chat(
        [{"role": "user", "content": "hi"}], system="NB-1111", tools=tools, documents=["NB-2222"]
    )
    assert "NB-" not in said
    asked = set(guard.asked)
    assert {("input", "does NB-1234"), ("input", "odd"), ("retrieved", "NB-2222")} <= asked
    with pytest.raises(Blocked):
        chat([], functions=[{"description": "FORBIDDEN"}])


class Request(pydantic.BaseModel):
    question: str
    documents: list[str] = []
    user: str = ""


def test_a_model_is_read_by_its_fields(guard: Scripted) -> None:
    seen = []

    @wrap(guard)
    def handle(request: Request) -> str:
        seen.append(request)
        return "ok"

    given = Request(question="NB-1234", documents=["NB-2222"], user="u")
    handle(given)
    assert seen == [Request(question="[ORDER]", documents=["[ORDER]"], user="u")]
    assert given.question == "NB-1234"


def test_a_reply_may_be_compared_with_what_went_in(guard: Scripted) -> None:
    @wrap(guard, session="s")
    def chat(messages: list[Message], documents: Any = ()) -> str:
        return "ok"

    for _ in range(2):  # also with what was judged before
        chat([{"role": "user", "content": "hi"}], documents=["a", {"text": "b"}])
        assert guard.sources == {"input": ["hi"], "retrieved": ["a", "b"]}
    wrap(guard, lambda prompt: prompt)("hi")
    assert guard.sources == {"input": ("hi",)}


# --- the signature says where


def first(a: str, b: int) -> str:
    return a


def optional(a: str, model: str = "small") -> str:
    return a


def named(model: str, query: str) -> str:
    return query


@pytest.mark.parametrize(
    ("function", "args"),
    [(first, ("NB-1234", 1)), (optional, ("NB-1234",)), (named, ("m", "NB-1234"))],
)
def test_the_text_is_found(guard: Scripted, function: Any, args: Any) -> None:
    assert wrap(guard, function)(*args) == "[ORDER]"


def test_what_is_ambiguous_is_refused_when_decorated(guard: Scripted) -> None:
    def two(prompt: str, question: str) -> str:
        return prompt + question

    def both(a: str, b: str) -> str:
        return a + b

    def none(a: int) -> str:
        return ""

    def some(*args: str) -> str:
        return ""

    with pytest.raises(UsageError, match='`prompt` and `question`: say which with `text="prompt"`'):
        wrap(guard, two)
    with pytest.raises(UsageError, match="`a` and `b`"):
        wrap(guard, both)
    with pytest.raises(UsageError, match="no parameter that holds the text"):
        wrap(guard, none)
    with pytest.raises(UsageError, match=r"`\*args: "):
        wrap(guard, some)
    with pytest.raises(UsageError, match="no parameter `c`"):
        wrap(guard, both, text="c")
    assert wrap(guard, both, text=("a", "b"))("NB-1234", "NB-1234") == "[ORDER][ORDER]"
    assert wrap(guard, both, text="b")("NB-1234", "x") == "[ORDER]x"


def test_a_lens_reads_and_writes(guard: Scripted) -> None:
    def handle(request: Message) -> str:
        return str(request["body"])

    lens = Lens(
        lambda call: call["request"]["body"],
        lambda call, texts: {"request": {**call["request"], "body": texts[0]}},
    )
    assert wrap(guard, handle, text=lens)({"body": "NB-1234"}) == "[ORDER]"
    only = wrap(guard, handle, text=lambda call: call["request"]["body"])
    assert only({"body": "hello"}) == "hello"
    with pytest.raises(Blocked):
        only({"body": "FORBIDDEN"})
    with pytest.raises(UsageError, match="cannot put it back"):
        only({"body": "NB-1234"})
    with pytest.raises(UsageError, match="has to give texts"):
        wrap(guard, handle, text=lambda call: call["request"])({"body": "x"})


# --- sessions


def asked_of(guard: Scripted, chat: Any, *messages: Message, **keys: Any) -> list[str]:
    guard.asked.clear()
    chat(list(messages), **keys)
    return [text for on, text in guard.asked if on != "output"]


def test_a_session_judges_what_is_new(guard: Scripted) -> None:
    @wrap(guard, session=lambda call: call["user"], tenant=lambda call: call["tenant"])
    def chat(messages: list[Message], user: str = "u", tenant: str = "t") -> str:
        return "ok"

    a, b, c = ({"role": "user", "content": text} for text in ("a", "b", "c"))
    assert asked_of(guard, chat, a) == ["a"]
    assert asked_of(guard, chat, a, b) == ["b"]
    assert asked_of(guard, chat, a, b, c) == ["c"]
    assert asked_of(guard, chat, a, c, b) == ["c", "b"]  # edited: judged again from there
    assert asked_of(guard, chat, a, user="v") == ["a"]
    assert asked_of(guard, chat, a, tenant="other") == ["a"]
    assert guard.keys[-1] == {"session": "u", "tenant": "other"}
    assert asked_of(guard, chat, {"role": "system", "content": "a"}) == []  # the same, as judged


def test_a_rewritten_message_is_rewritten_every_time(guard: Scripted) -> None:
    seen = []

    @wrap(guard, session="s")
    def chat(messages: list[Message]) -> str:
        seen.append([message["content"] for message in messages])
        return "ok"

    order = {"role": "user", "content": "NB-1234"}
    chat([order])
    chat([order, {"role": "user", "content": "b"}])
    assert seen == [["[ORDER]"], ["[ORDER]", "b"]]


def test_a_blocked_message_is_blocked_every_time(guard: Scripted) -> None:
    chat = wrap(guard, lambda messages: "ok", session="s")
    for _ in range(2):
        with pytest.raises(Blocked):
            chat([{"role": "user", "content": "FORBIDDEN"}])


def test_without_a_session_everything_is_judged(guard: Scripted) -> None:
    chat = wrap(guard, lambda messages: "ok")
    a = {"role": "user", "content": "a"}
    assert asked_of(guard, chat, a) == asked_of(guard, chat, a) == ["a"]


def test_pseudonyms_are_given_back() -> None:
    guard = Scripted()
    guard.pseudonyms = {"[CARD_1]": "4111"}
    assert wrap(guard, lambda prompt: "is [CARD_1]", session="s")("hi") == "is 4111"
    assert wrap(guard, lambda prompt: "is [CARD_1]")("hi") == "is [CARD_1]"
    stream = wrap(guard, lambda prompt: iter(["is [CA", "RD_1]"]), session="s")("hi")
    assert "".join(stream).startswith("is ")
    reply = {"tool_calls": [{"function": {"name": "f", "arguments": '{"to": "[CARD_1]"}'}}]}
    made = wrap(guard, lambda prompt: reply, session="s")("hi")
    assert made["tool_calls"][0]["function"]["arguments"] == '{"to": "4111"}'


# --- the system prompt

SHAPES: list[tuple[Any, Any]] = [
    (
        [{"role": "user", "content": "hi"}],
        [{"role": "system", "content": "BE KIND"}, {"role": "user", "content": "hi"}],
    ),
    ([{"role": "system", "content": "old"}], [{"role": "system", "content": "BE KIND\n\nold"}]),
    ([("system", "old"), ("human", "x")], [("system", "BE KIND\n\nold"), ("human", "x")]),
    ([("human", "x")], [("system", "BE KIND"), ("human", "x")]),
    (
        [LcMessage(type="system", content=[{"type": "text", "text": "old"}])],
        [
            LcMessage(
                type="system",
                content=[{"type": "text", "text": "BE KIND"}, {"type": "text", "text": "old"}],
            )
        ],
    ),
    (
        [SimpleNamespace(role="user", content="hi")],
        [
            SimpleNamespace(role="system", content="BE KIND"),
            SimpleNamespace(role="user", content="hi"),
        ],
    ),
    ([], [{"role": "system", "content": "BE KIND"}]),
]


@pytest.mark.parametrize(("messages", "given"), SHAPES)
def test_the_context_layer_goes_in_front(messages: Any, given: Any) -> None:
    assert sent(Scripted("BE KIND"), messages) == given
    assert sent(Scripted("BE KIND"), messages, inject=False) == messages


def test_the_context_layer_takes_a_parameter_of_its_own() -> None:
    guard = Scripted("BE KIND")

    @wrap(guard)
    def ask(prompt: str, system: str | list[Message] | None = None) -> str:
        return str(system)

    assert ask("hi") == "BE KIND"
    assert ask("hi", system="old") == "BE KIND\n\nold"
    assert "'BE KIND'" in ask("hi", [{"type": "text", "text": "old"}])
    session = wrap(guard, ask.__wrapped__, session="s")  # type: ignore[attr-defined]  # by wraps
    assert session("hi") == "BE KIND canary-s"


def test_a_context_layer_without_a_place_is_refused() -> None:
    guard = Scripted("BE KIND")

    def ask(prompt: str) -> str:
        return prompt

    with pytest.raises(UsageError, match="no place for it"):
        wrap(guard, ask)
    assert wrap(guard, ask, inject=False)("hi") == "hi"
    with pytest.raises(UsageError, match="give a list of messages"):
        wrap(guard, lambda messages: "ok")("hi")
