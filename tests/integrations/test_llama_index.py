"""LlamaIndex: a policy around a model, and before what was retrieved, with the real package."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest

import guardkit

from ._tools import EXAMPLES, POLICY, WITH_CONTEXT, WITH_MEMORY, guard_of, needs

pytestmark = needs("llama_index")

DOCUMENTS = r"""
guardkit 1
policy documents

check bad   = words   { list ["FORBIDDEN"] }
check order = pattern { match /\bNB-\d{4}\b/  label "order" }
check mood  = python  { call "builtins:len" }

rule stop {
  tier safety
  on   retrieved
  when bad
  then block "Not here."
}

rule mask {
  tier safety
  on   retrieved
  when order
  then rewrite matches as "[{label}]"
}
"""
UNSURE = (
    DOCUMENTS
    + """
rule good_mood {
  tier safety
  on   retrieved
  when mood
  then block "Not in this mood."
}
"""
)


def llm(says: Any = "fine", asked: list[Any] | None = None) -> Any:
    """A model for tests, of the package: it says a text, a message, or a stream of messages."""
    from llama_index.core.llms import ChatMessage
    from llama_index.core.llms.mock import MockFunctionCallingLLM

    def respond(messages: Any, **kwargs: Any) -> Any:
        if asked is not None:
            asked.append((messages, kwargs))
        return ChatMessage(role="assistant", content=says) if isinstance(says, str) else says()

    return MockFunctionCallingLLM(response_generator=respond, is_chat_model=True)


def user(text: str) -> list[Any]:
    from llama_index.core.llms import ChatMessage

    return [ChatMessage(role="user", content=text)]


def around(model: Any, policy: str = POLICY, **options: Any) -> Any:
    from guardkit.integrations.llama_index import guarded

    return guarded(model, guard_of(policy), **options)


def pieces(*texts: str) -> Callable[[], Iterator[Any]]:
    from llama_index.core.llms import ChatMessage

    return lambda: (ChatMessage(role="assistant", content=text) for text in texts)


def apieces(*texts: str, closed: list[str] | None = None) -> Callable[[], AsyncIterator[Any]]:
    from llama_index.core.llms import ChatMessage

    async def made() -> AsyncIterator[Any]:
        try:
            for text in texts:
                yield ChatMessage(role="assistant", content=text)
        finally:
            if closed is not None:
                closed.append("closed")

    return made


Ask = Callable[[Any, str], Any]


def asks() -> list[Any]:
    """Every way to ask, with the text that was shown."""

    def chat(model: Any, text: str) -> str:
        return str(model.chat(user(text)).message.content)

    def complete(model: Any, text: str) -> str:
        return str(model.complete(text).text)

    def stream_chat(model: Any, text: str) -> str:
        return "".join(each.delta for each in model.stream_chat(user(text)))

    def stream_complete(model: Any, text: str) -> str:
        return "".join(each.delta for each in model.stream_complete(text))

    async def achat(model: Any, text: str) -> str:
        return str((await model.achat(user(text))).message.content)

    async def acomplete(model: Any, text: str) -> str:
        return str((await model.acomplete(text)).text)

    async def astream_chat(model: Any, text: str) -> str:
        return "".join([each.delta async for each in await model.astream_chat(user(text))])

    async def astream_complete(model: Any, text: str) -> str:
        return "".join([each.delta async for each in await model.astream_complete(text)])

    later = [achat, acomplete, astream_chat, astream_complete]
    now = [chat, complete, stream_chat, stream_complete]
    return [
        *(pytest.param(ask, id=ask.__name__) for ask in now),
        *(pytest.param(_plainly(ask), id=ask.__name__) for ask in later),
    ]


def _plainly(ask: Any) -> Ask:
    return lambda model, text: anyio.run(ask, model, text)


every_way = pytest.mark.parametrize("ask", asks())


@every_way
def test_every_way_to_ask_is_judged_both_ways(ask: Ask) -> None:
    """The package's own model for tests repeats the prompt."""
    from llama_index.core.llms.mock import MockLLM

    model = around(MockLLM())
    said = ask(model, "about NB-1234")
    assert "about [ORDER]" in said
    assert "NB-1234" not in said
    with pytest.raises(guardkit.Blocked) as caught:
        ask(model, "a FORBIDDEN thing")
    assert "FORBIDDEN" not in str(caught.value) + repr(caught.value)
    said = ask(around(MockLLM(), on_block="reply"), "a FORBIDDEN thing")
    assert said == "Not here."


@every_way
def test_a_block_before_the_model_is_asked_asks_nobody(ask: Ask) -> None:
    from llama_index.core.llms import CompletionResponse
    from llama_index.core.llms.mock import MockLLM

    asked: list[str] = []

    class Noting(MockLLM):
        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            asked.append(prompt)
            return CompletionResponse(text="fine")

        def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            asked.append(prompt)
            return iter([CompletionResponse(text="fine", delta="fine")])

    ask(around(Noting(), on_block="reply"), "a FORBIDDEN thing")
    assert asked == []


def test_the_given_model_and_its_class_stay_as_they_are() -> None:
    from llama_index.core.llms.function_calling import FunctionCallingLLM

    plain = llm("it is NB-4321")
    model = around(plain)
    assert isinstance(model, FunctionCallingLLM)
    assert isinstance(model, type(plain))
    assert model.metadata == plain.metadata
    assert plain.chat(user("FORBIDDEN")).message.content == "it is NB-4321"
    assert copy.deepcopy(model).chat(user("?")).message.content == "it is [ORDER]"


def test_what_no_rule_changed_is_the_same_object() -> None:
    from llama_index.core.llms import ChatMessage

    answer = ChatMessage(role="assistant", content="hello")
    asked: list[Any] = []
    messages = [*user("hi"), *user("about NB-1234")]
    shown = around(llm(lambda: answer, asked)).chat(messages)
    assert shown.message is answer
    assert shown.raw == {"content": "hello"}
    ((sent, _),) = asked
    assert sent[0] is messages[0]
    assert sent[1].content == "about [ORDER]"
    assert messages[1].content == "about NB-1234"


def test_a_changed_reply_drops_what_quotes_it() -> None:
    shown = around(llm("it is NB-4321")).chat(user("?"))
    assert shown.message.content == "it is [ORDER]"
    assert "NB-" not in repr(shown)


def test_streams_hold_back_what_a_rule_may_yet_stop() -> None:
    from llama_index.core.llms import ChatResponse

    model = around(llm(pieces("Order NB-", "12", "34 and", " more")))
    shown = list(model.stream_chat(user("?")))
    assert all(isinstance(each, ChatResponse) for each in shown)
    assert "".join(each.delta for each in shown) == "Order [ORDER] and more"
    assert shown[-1].message.content == "Order [ORDER] and more"
    assert "NB-" not in repr(shown)
    seen: list[str] = []
    stream = around(llm(pieces("say FOR", "BIDDEN"))).stream_chat(user("?"))
    with pytest.raises(guardkit.Blocked):
        seen.extend(each.delta for each in stream)
    assert "FOR" not in "".join(seen)
    model = around(llm(pieces("say FOR", "BIDDEN")), on_block="reply")
    assert "".join(each.delta for each in model.stream_chat(user("?"))).endswith("Not here.")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_streams_do_too(backend: str) -> None:
    async def main() -> None:
        model = around(llm(apieces("Order NB-", "12", "34 and", " more")))
        shown = [each async for each in await model.astream_chat(user("?"))]
        assert "".join(each.delta for each in shown) == "Order [ORDER] and more"
        with pytest.raises(guardkit.Blocked):
            async for _ in await around(llm(apieces("FOR", "BIDDEN"))).astream_chat(user("?")):
                pass

    anyio.run(main, backend=backend)


def test_a_consumer_that_leaves_closes_the_source() -> None:
    closed: list[str] = []

    async def main() -> None:
        model = around(llm(apieces("one ", "two ", "three", closed=closed)))
        stream = await model.astream_chat(user("?"))
        async for _ in stream:
            break
        await stream.aclose()

    anyio.run(main)
    assert closed == ["closed"]


def test_a_cancelled_call_stays_cancelled() -> None:
    from llama_index.core.llms.mock import MockLLM

    ended: list[str] = []

    class Slow(MockLLM):
        async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            try:
                await anyio.sleep_forever()
            finally:
                ended.append("ended")

    async def main() -> None:
        with anyio.move_on_after(0.05) as scope:
            await around(Slow()).acomplete("hello")
        assert scope.cancelled_caught

    anyio.run(main)
    assert ended == ["ended"]


# --- tools


def calling(*arguments: Any) -> Callable[[], Any]:
    from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock

    blocks = [
        ToolCallBlock(tool_call_id=f"c{place}", tool_name="write", tool_kwargs=each)
        for place, each in enumerate(arguments)
    ]
    return lambda: ChatMessage(role="assistant", blocks=blocks)


def write(text: str) -> str:
    """Writes it, as NB-1111 was."""
    return text


@pytest.mark.parametrize("arguments", [{"text": "as NB-4321"}, '{"text": "as NB-4321"}'])
def test_calls_are_judged_and_rewritten(arguments: Any) -> None:
    from llama_index.core.tools import FunctionTool

    plain_tool = FunctionTool.from_defaults(write, description="Writes it.")
    model = around(llm(calling(arguments, {"text": "hello"})))
    said = model.chat_with_tools([plain_tool], user_msg="write it")
    made = model.get_tool_calls_from_response(said)
    assert [each.tool_kwargs for each in made] == [{"text": "as [ORDER]"}, {"text": "hello"}]
    bad = around(llm(calling({"text": "FORBIDDEN"})))
    with pytest.raises(guardkit.Blocked):
        bad.chat_with_tools([plain_tool], user_msg="write it")


@pytest.mark.parametrize("arguments", [{"text": "as NB-4321"}, '{"text": "as NB-4321"}'])
def test_calls_of_a_stream_come_whole(arguments: Any) -> None:
    model = around(llm(lambda: iter([calling(arguments)()])))
    shown = list(model.stream_chat(user("write it")))
    (made,) = model.get_tool_calls_from_response(shown[-1])
    assert made.tool_kwargs == {"text": "as [ORDER]"}
    assert made.tool_id == "c0"
    assert "NB-" not in repr(shown)
    with pytest.raises(guardkit.Blocked):
        list(
            around(llm(lambda: iter([calling({"text": "FORBIDDEN"})()]))).stream_chat(user("write"))
        )


def test_calls_among_the_keyword_arguments_are_calls_too() -> None:
    """Clients of providers leave them there in their own words."""
    from llama_index.core.llms import ChatMessage

    def said() -> Any:
        function = {"name": "write", "arguments": '{"text": "as NB-4321"}'}
        call = {"id": "c1", "type": "function", "function": function}
        return ChatMessage(role="assistant", additional_kwargs={"tool_calls": [call]})

    (call,) = around(llm(said)).chat(user("?")).message.additional_kwargs["tool_calls"]
    assert call["function"]["arguments"] == '{"text": "as [ORDER]"}'
    (last,) = around(llm(lambda: iter([said()]))).stream_chat(user("?"))
    assert last.message.additional_kwargs["tool_calls"] == [call]


def test_definitions_and_results_of_tools_are_judged() -> None:
    from llama_index.core.llms import ChatMessage
    from llama_index.core.tools import FunctionTool

    asked: list[Any] = []
    model = around(llm("fine", asked))
    bad = FunctionTool.from_defaults(write, description="Be FORBIDDEN.")
    with pytest.raises(guardkit.Blocked):
        model.chat_with_tools([bad], user_msg="write it")
    model.chat(user("?"), tools=[{"type": "function", "function": {"description": "NB-1234"}}])
    assert asked[-1][1]["tools"] == [{"type": "function", "function": {"description": "[ORDER]"}}]
    with pytest.raises(guardkit.UsageError, match="definition of a tool"):
        model.chat_with_tools([FunctionTool.from_defaults(write)], user_msg="write it")
    history = [
        *user("write it"),
        calling({"text": "hello"})(),
        ChatMessage(
            role="tool", content="FORBIDDEN", additional_kwargs={"tool_call_id": "c0", "name": "w"}
        ),
    ]
    told: list[guardkit.Verdict] = []
    with pytest.raises(guardkit.Blocked):
        around(llm(), watch=told.append).chat(history)
    assert [(verdict.surface, verdict.tool) for verdict in told] == [("tool_result", "w")]


@pytest.mark.filterwarnings(  # its workflows look at every attribute of an agent
    "ignore:The `__fields(_set)?__` attribute:pydantic.warnings.PydanticDeprecatedSince20:inspect$",
    "ignore:Accessing the 'model_(computed_)?fields' attribute on the instance"
    ":pydantic.warnings.PydanticDeprecatedSince211:inspect$",
)
def test_an_agent_runs_on_a_guarded_model() -> None:
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
    from llama_index.core.llms.mock import MockFunctionCallingLLM

    wrote: list[str] = []

    def note(text: str) -> str:
        """Writes it."""
        wrote.append(text)
        return "written"

    def respond(messages: Any, **kwargs: Any) -> Any:
        async def stream() -> AsyncIterator[Any]:
            if any(message.role == "tool" for message in messages):
                yield ChatMessage(role="assistant", content="done, as NB-4321")
                return
            call = ToolCallBlock(
                tool_call_id="c1", tool_name="note", tool_kwargs={"text": "as NB-1234"}
            )
            yield ChatMessage(role="assistant", blocks=[call])

        return stream()

    async def main() -> str:
        model = around(MockFunctionCallingLLM(response_generator=respond, is_chat_model=True))
        agent = FunctionAgent(tools=[note], llm=model)
        return str(await agent.run("note it"))

    assert anyio.run(main) == "done, as [ORDER]"
    assert wrote == ["as [ORDER]"]


# --- parts


def test_parts_that_cannot_be_read_are_unknown() -> None:
    from llama_index.core.llms import AudioBlock, ChatMessage, DocumentBlock, ImageBlock, TextBlock

    asked: list[Any] = []
    for part in (
        ImageBlock(image=b"png"),
        AudioBlock(audio=b"wav"),
        DocumentBlock(data=b"pdf", title="a"),
    ):
        message = ChatMessage(role="user", blocks=[TextBlock(text="look"), part])
        with pytest.raises(guardkit.Blocked) as caught:
            around(llm("fine", asked)).chat([message])
        assert caught.value.verdict.message == "This could not be checked."
    assert asked == []
    fine = POLICY + "\ndefaults { unread flag }\n"
    around(llm("fine", asked), fine).chat([message])
    assert asked[-1][0][0] is message
    masked = message.model_copy(update={"blocks": [TextBlock(text="look: NB-1234"), part]})
    around(llm("fine", asked), fine).chat([masked])
    text, same = asked[-1][0][0].blocks
    assert text.text == "look: [ORDER]"
    assert same is part


def test_other_parts_are_judged_as_what_they_are() -> None:
    from llama_index.core.base.llms.types import CitableBlock, ThinkingBlock
    from llama_index.core.llms import ChatMessage, TextBlock

    found = CitableBlock(title="a", source="b", content=[TextBlock(text="FORBIDDEN")])
    told: list[guardkit.Verdict] = []
    with pytest.raises(guardkit.Blocked):
        around(llm(), DOCUMENTS, watch=told.append).chat([ChatMessage(blocks=[found])])
    assert [verdict.surface for verdict in told] == ["retrieved"]

    def thinks() -> Any:
        thought = ThinkingBlock(content="of NB-4321", additional_information={"signature": "abc="})
        return ChatMessage(role="assistant", blocks=[thought, TextBlock(text="hello")])

    shown = around(llm(thinks)).chat(user("?")).message.blocks
    assert shown[0].content == "of [ORDER]"
    assert shown[0].additional_information == {}
    (shown, *rest) = around(llm(lambda: iter([thinks()]))).stream_chat(user("?"))
    whole = [shown, *rest][-1].message
    assert whole.blocks[0].content == "of [ORDER]"
    assert whole.content == "hello"
    beside = ChatMessage(content="hi", additional_kwargs={"note": "FORBIDDEN"})
    with pytest.raises(guardkit.Blocked):
        around(llm()).chat([beside])
    across = ChatMessage(blocks=[TextBlock(text="FORB"), TextBlock(text="IDDEN")])
    with pytest.raises(guardkit.Blocked):
        around(llm()).chat([across])


def test_the_context_layer_goes_in_front() -> None:
    from llama_index.core.llms.mock import MockLLM

    asked: list[Any] = []
    around(llm("fine", asked), WITH_CONTEXT).chat(user("hello"))
    system, same = asked[0][0]
    assert (system.role.value, system.content) == ("system", "Be brief.")
    assert same.content == "hello"
    assert around(MockLLM(), WITH_CONTEXT).complete("hello").text == "Be brief.\n\nhello"


def test_a_policy_that_remembers_needs_a_session() -> None:
    from guardkit.integrations.llama_index import Screen, guarded

    with pytest.raises(guardkit.UsageError, match="session"):
        guarded(llm(), guard_of(WITH_MEMORY))
    with pytest.raises(guardkit.UsageError, match="session"):
        Screen(guard_of(WITH_MEMORY))
    options = {"session": lambda keys: keys["user"], "on_block": "reply"}
    model = around(llm(), WITH_MEMORY, **options)

    def said(text: str, who: str) -> Any:
        return model.chat(user(text), user=who).message.content

    assert said("FORBIDDEN", "a") == "Not here."
    assert said("more FORBIDDEN", "a") == "Enough."
    assert said("hello", "a") == "Enough."
    assert said("hello", "b") == "fine"


def test_the_ledger_is_told_once_an_exchange() -> None:
    ledgers: list[guardkit.Ledger] = []
    from llama_index.core.llms.mock import MockLLM

    model = around(MockLLM(), ledger=ledgers.append, on_block="reply")
    model.chat(user("hello"))  # asks for a completion, inside
    model.chat(user("FORBIDDEN"))
    assert [ledger.outcome for ledger in ledgers] == ["answered", "refused"]


# --- what was retrieved


def node(text: str, **metadata: Any) -> Any:
    from llama_index.core.schema import NodeWithScore, TextNode

    return NodeWithScore(node=TextNode(text=text, metadata=metadata), score=0.5)


def screen(policy: str = DOCUMENTS, **options: Any) -> Any:
    from guardkit.integrations.llama_index import Screen

    return Screen(guard_of(policy), **options)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_node_that_a_rule_stops_is_dropped(is_async: bool) -> None:
    told: list[guardkit.Verdict] = []
    sieve = screen(watch=told.append)
    nodes = [
        node("fine", page="1"),
        node("now be FORBIDDEN"),
        node("of order NB-1234", about="NB-4321", score=3),
        node("fine", note="FORBIDDEN"),
        node("FORB", place="IDDEN"),
    ]
    if is_async:
        kept = anyio.run(lambda: sieve.apostprocess_nodes(nodes, query_str="?"))
    else:
        kept = sieve.postprocess_nodes(nodes, query_str="?")
    assert kept[0] is nodes[0]
    assert kept[1].text == "of order [ORDER]"
    assert kept[1].metadata == {"about": "[ORDER]", "score": 3}
    assert kept[1].score == 0.5
    assert nodes[2].text == "of order NB-1234"
    assert kept[2] is nodes[4]  # its metadata stand before its text, in a line of their own
    assert len(kept) == 3
    assert sieve.dropped == 2
    actions = [verdict.action for verdict in told]
    assert actions == ["block", "rewrite", "rewrite", "block"]
    assert {verdict.surface for verdict in told} == {"retrieved"}


def test_what_is_shown_as_one_is_judged_as_one() -> None:
    sieve = screen()
    split = node("BIDDEN", a="FOR")
    split.node.text_template = "{metadata_str}{content}"
    split.node.metadata_template = "{value}"
    assert sieve.postprocess_nodes([split]) == []


def test_nodes_that_cannot_be_judged_are_dropped() -> None:
    from llama_index.core.schema import ImageNode, MediaResource, Node, NodeWithScore

    sieve = screen(UNSURE)  # a length is no yes or no
    assert sieve.postprocess_nodes([node("fine")]) == []
    image = ImageNode(text="a picture", image="aGVsbG8=")
    media = Node(
        text_resource=MediaResource(text="a picture"),
        image_resource=MediaResource(data=b"png"),
    )
    assert screen().postprocess_nodes([NodeWithScore(node=image), NodeWithScore(node=media)]) == []
    shown = screen(DOCUMENTS + "\ndefaults { unread flag }\n")
    assert len(shown.postprocess_nodes([NodeWithScore(node=image), NodeWithScore(node=media)])) == 2
    text = Node(text_resource=MediaResource(text="of NB-1234"))
    (kept,) = shown.postprocess_nodes([NodeWithScore(node=text)])
    assert kept.node.get_content() == "of [ORDER]"
    assert text.get_content() == "of NB-1234"


def test_a_query_engine_never_sees_what_was_dropped() -> None:
    from llama_index.core import Document, SummaryIndex

    asked: list[Any] = []
    texts = ["the shop opens at nine", "ignore that: FORBIDDEN", "order NB-1234 is there"]
    index = SummaryIndex.from_documents([Document(text=text) for text in texts])
    engine = index.as_query_engine(
        llm=around(llm("at nine", asked)), node_postprocessors=[screen()]
    )
    assert str(engine.query("when?")) == "at nine"
    sent = repr(asked)
    assert "opens at nine" in sent
    assert "order [ORDER] is there" in sent
    assert "ignore" not in sent


# --- the package


def test_a_package_that_is_too_old_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardkit.integrations.llama_index import _package, guarded

    model = llm()
    _package.package.cache_clear()
    monkeypatch.setattr(_package, "version", lambda name: "0.13.9")
    with pytest.raises(guardkit.BindError) as caught:
        guarded(model, guard_of())
    assert str(caught.value) == (
        "this integration needs `llama-index-core` 0.14 or newer: "
        "pip install 'guardkit[llama-index]'"
    )


@pytest.mark.parametrize("name", ["guarded", "Screen"])
def test_a_missing_package_is_named_with_its_extra(name: str) -> None:
    program = (
        "import sys\nsys.modules['llama_index'] = None\n"
        f"from guardkit.integrations.llama_index import {name}\n{name}(None, 'chat')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert ran.stderr.splitlines()[-1] == (
        "guardkit.errors.BindError: this integration needs `llama_index`: "
        "pip install 'guardkit[llama-index]'"
    )


def test_what_is_no_model_is_refused() -> None:
    from guardkit.integrations.llama_index import guarded

    with pytest.raises(guardkit.UsageError, match="not a `str`"):
        guarded("gpt", guard_of())


def test_the_example_runs() -> None:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / "llama_index_app.py")],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        "dropped: 1",
        "answer: Order [ORDER] is on its way.",
        "stopped: I keep to my rules.",
    ]
