"""A policy around the tools of a LangGraph graph, and as a node of one."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import anyio
import pytest

import guardkit
from guardkit.types import Ledger, Verdict

from ._langchain import calling, scripted
from ._tools import POLICY, WITH_CONTEXT, WITH_MEMORY, guard_of, needs

pytestmark = needs("langchain")

WAYS = ["invoke", "ainvoke"]
RAN: list[str] = []


def send(to: str) -> str:
    """Send something to somebody."""
    RAN.append(to)
    return "FORBIDDEN" if to == "liar" else f"sent to {to}"


def run(graph: Any, way: str, messages: Any, config: Any = None) -> list[Any]:
    given = {"messages": messages}
    if way == "invoke":
        state = graph.invoke(given, config)
    else:
        state = anyio.run(lambda: graph.ainvoke(given, config))
    return list(state["messages"])


def tools_of(policy: Any = POLICY, **options: Any) -> Any:
    """A graph of nothing but tools."""
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode

    from guardkit.integrations.langgraph import atool_call, tool_call

    RAN.clear()
    guard = guard_of(policy)
    nodes = ToolNode(
        [send],
        wrap_tool_call=tool_call(guard, **options),
        awrap_tool_call=atool_call(guard, **options),
    )
    graph = StateGraph(MessagesState)
    graph.add_node("tools", nodes)
    graph.add_edge(START, "tools")
    return graph.compile()


# --- tools


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("to", "ran", "said"),
    [
        ("bob", ["bob"], "sent to bob"),
        ("NB-1234", ["[ORDER]"], "sent to [ORDER]"),
        ("FORBIDDEN", [], "Not here."),
        ("liar", ["liar"], "Not here."),
    ],
)
def test_tools_are_judged(way: str, to: str, ran: list[str], said: str) -> None:
    verdicts: list[Verdict] = []
    result = run(tools_of(watch=verdicts.append), way, [calling("send", to=to)])[-1]
    assert (result.type, result.content, result.tool_call_id) == ("tool", said, "c1")
    assert ran == RAN
    assert (result.status == "error") is (said == "Not here.")
    assert len(verdicts) == (to != "bob")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("to", ["FORBIDDEN", "liar"])
def test_a_block_may_be_raised(way: str, to: str) -> None:
    with pytest.raises(guardkit.Blocked) as caught:
        run(tools_of(on_block="raise"), way, [calling("send", to=to)])
    assert "FORBIDDEN" not in f"{caught.value!r} {caught.value}"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("way", WAYS)
def test_calls_of_one_message_are_judged_each(way: str) -> None:
    from langchain_core.messages import AIMessage

    names = ["bob", "FORBIDDEN", "NB-1234"]
    calls = [{"name": "send", "args": {"to": each}, "id": each} for each in names]
    results = run(tools_of(), way, [AIMessage("", tool_calls=calls)])[1:]
    assert [each.content for each in results] == ["sent to bob", "Not here.", "sent to [ORDER]"]
    assert [each.tool_call_id for each in results] == names


@pytest.mark.parametrize("way", WAYS)
def test_the_thread_is_the_session_of_a_tool(way: str) -> None:
    """Two forbidden calls of a session close it."""
    graph = tools_of(WITH_MEMORY)
    first, second = ({"configurable": {"thread_id": name}} for name in ("a", "b"))
    bad, good = [calling("send", to="FORBIDDEN")], [calling("send", to="bob")]
    said = [run(graph, way, bad, first)[-1].content for _ in range(2)]
    assert said[0] == "Not here."
    assert run(graph, way, good, first)[-1].content == "Enough."
    assert run(graph, way, good, second)[-1].content == "sent to bob"
    with pytest.raises(guardkit.UsageError, match="session"):
        run(graph, way, good)


def test_what_is_held_is_refused() -> None:
    result = run(tools_of(), "invoke", [calling("send", to="refund")])[-1]
    assert "approval" in result.content
    assert RAN == []


# --- a node


def judged(*says: Any, policy: Any = POLICY, asked: Any = None, **options: Any) -> Any:
    """A model with a guard before and after it."""
    from langgraph.graph import END, START, MessagesState, StateGraph

    from guardkit.integrations.langgraph import node, stopped

    model = scripted(*says, asked=asked)
    guard = guard_of(policy)
    graph = StateGraph(MessagesState)
    graph.add_node("before", node(guard, **options))
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("after", node(guard, **options))
    graph.add_edge(START, "before")
    graph.add_conditional_edges("before", stopped, {True: END, False: "model"})
    graph.add_edge("model", "after")
    return graph.compile()


@pytest.mark.parametrize("way", WAYS)
def test_a_node_judges_what_goes_in_and_comes_out(way: str) -> None:
    asked: list[Any] = []
    messages = run(judged("about NB-4321", asked=asked), way, "on NB-1234")
    assert [each.content for each in messages] == ["on [ORDER]", "about [ORDER]"]
    assert asked[0][0][0].content == "on [ORDER]"
    messages = run(judged("fine", asked=(more := [])), way, "FORBIDDEN")
    assert [each.content for each in messages] == ["FORBIDDEN", "Not here."]
    assert more == []
    messages = run(judged("so FORBIDDEN"), way, "hi")
    assert [each.content for each in messages] == ["hi", "Not here."]
    messages = run(judged(calling("send", to="FORBIDDEN")), way, "hi")
    assert [(each.content, getattr(each, "tool_calls", [])) for each in messages[1:]] == [
        ("Not here.", [])
    ]


@pytest.mark.parametrize("way", WAYS)
def test_what_no_rule_touches_stays_the_very_same(way: str) -> None:
    from langchain_core.messages import AIMessage, HumanMessage

    from guardkit.integrations.langgraph import node

    made = node(guard_of())
    for messages in ([HumanMessage("hi")], [HumanMessage("hi"), AIMessage("yes", id="2")]):
        ask = made.invoke if way == "invoke" else partial(anyio.run, made.ainvoke)
        assert ask({"messages": messages}) == {"messages": []}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("says", "asks"), [("hello", "FORBIDDEN"), ("FORBIDDEN", "hello")])
def test_a_node_may_raise(way: str, says: str, asks: str) -> None:
    with pytest.raises(guardkit.Blocked):
        run(judged(says, on_block="raise"), way, asks)


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_in_the_state_cannot_be_judged(way: str) -> None:
    picture = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}
    asked: list[Any] = []
    (_, said) = run(judged("hi", asked=asked), way, [("human", [picture])])
    assert said.response_metadata["guardkit"]["action"] == "block"
    assert asked == []


@pytest.mark.parametrize("way", WAYS)
def test_a_node_has_the_thread_for_its_session(way: str) -> None:
    counting = WITH_MEMORY.replace("count stop", "count mask")
    graph = judged("one", "two", "three", policy=counting)
    first = {"configurable": {"thread_id": "a"}}
    assert run(graph, way, "NB-1234", first)[-1].content == "one"
    assert run(graph, way, "NB-1235", first)[-1].content == "Enough."
    with pytest.raises(guardkit.UsageError, match="session"):
        run(graph, way, "hello")


def test_a_node_tells_of_replies() -> None:
    ledgers: list[Ledger] = []
    run(judged("so FORBIDDEN", ledger=ledgers.append), "invoke", "hi")
    assert [(each.outcome, each.by) for each in ledgers] == [("refused", "rule stop")]


def test_a_guarded_model_may_be_a_node() -> None:
    from langgraph.graph import START, MessagesState, StateGraph

    from guardkit.integrations.langchain import guarded

    model = guarded(scripted("it is NB-1234", "it is NB-1234"), guard_of(WITH_MEMORY))
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_edge(START, "model")
    compiled = graph.compile()
    thread = {"configurable": {"thread_id": "a"}}
    assert run(compiled, "invoke", "hi", thread)[-1].content == "it is [ORDER]"
    shown = list(compiled.stream({"messages": "hi"}, thread, stream_mode="messages"))
    assert "NB-" not in str(shown)


def test_what_cannot_be_is_said() -> None:
    from langchain_core.messages import HumanMessage

    from guardkit.integrations.langgraph import node, tool_call

    with pytest.raises(guardkit.UsageError, match="a node has no place for it"):
        node(guard_of(WITH_CONTEXT))
    for make in (node, tool_call):
        with pytest.raises(guardkit.UsageError, match='`on_block` is "raise" or "reply"'):
            make(guard_of(), on_block="end")
    made = node(guard_of())
    with pytest.raises(guardkit.UsageError, match="no list of `messages`"):
        made.invoke({"said": "hi"})
    with pytest.raises(guardkit.UsageError, match="a message without an id"):
        made.invoke({"messages": [HumanMessage("on NB-1234")]})


def test_a_langgraph_that_is_too_old_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardkit.integrations.langgraph import tool_call

    monkeypatch.delattr(importlib.import_module("langgraph.prebuilt.tool_node"), "ToolCallRequest")
    with pytest.raises(guardkit.BindError, match="the installed `langgraph` is too old"):
        tool_call(guard_of())
