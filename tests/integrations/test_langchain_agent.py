"""A policy as middleware of an agent of LangChain."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

import guardkit
from guardkit.types import Ledger, Verdict

from ._langchain import calling, scripted
from ._tools import POLICY, WITH_CONTEXT, WITH_MEMORY, guard_of, needs

pytestmark = [
    needs("langchain"),
    pytest.mark.filterwarnings("ignore:.*(in beta|experimental)"),
]

WAYS = ["invoke", "ainvoke"]
RAN: list[str] = []


def send(to: str) -> str:
    """Send something to somebody."""
    RAN.append(to)
    return f"sent to {to}"


def agent_of(*says: Any, tools: Any = (send,), policy: Any = POLICY, **options: Any) -> Any:
    """An agent of a model that says this, with a guard as its only middleware."""
    around = options.pop("around", [])
    behind = options.pop("behind", [])
    more = options.pop("more", {})
    asked = options.pop("asked", None)
    from langchain.agents import create_agent

    from guardkit.integrations.langchain import middleware

    RAN.clear()
    guard = guard_of(policy) if isinstance(policy, str) else policy
    listed = [*around, middleware(guard, **options), *behind]
    return create_agent(scripted(*says, asked=asked), list(tools), middleware=listed, **more)


def ask(agent: Any, way: str, said: Any = "hi", config: Any = None, **keywords: Any) -> list[Any]:
    """The messages that a run ends with."""
    given = {"messages": said}
    if way == "invoke":
        state = agent.invoke(given, config, **keywords)
    else:
        state = anyio.run(lambda: agent.ainvoke(given, config, **keywords))
    messages: list[Any] = state["messages"]
    return messages


def told(messages: list[Any]) -> list[tuple[str, Any]]:
    return [(message.type, message.content) for message in messages]


# --- calls, and what they give


@pytest.mark.parametrize("way", WAYS)
def test_calls_are_judged_before_and_results_after(way: str) -> None:
    agent = agent_of(calling("send", to="NB-1234"), "done, NB-4321")
    assert told(ask(agent, way)) == [
        ("human", "hi"),
        ("ai", ""),
        ("tool", "sent to [ORDER]"),
        ("ai", "done, [ORDER]"),
    ]
    assert RAN == ["[ORDER]"]


@pytest.mark.parametrize("way", WAYS)
def test_a_block_of_the_question_never_asks_the_model(way: str) -> None:
    asked: list[Any] = []
    (_, said) = ask(agent_of("hello", asked=asked), way, "FORBIDDEN")
    assert said.content == "Not here."
    assert said.response_metadata["guardkit"]["surface"] == "input"
    assert asked == []
    with pytest.raises(guardkit.Blocked) as caught:
        ask(agent_of("hello", asked=asked, on_block="raise"), way, "FORBIDDEN")
    assert caught.value.verdict.fired == ("stop",)
    assert asked == []


@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_is_forbidden_never_runs(way: str) -> None:
    agent = agent_of(calling("send", to="FORBIDDEN"), "done")
    assert told(ask(agent, way))[1:] == [("ai", "Not here.")]
    assert RAN == []
    with pytest.raises(guardkit.Blocked):
        ask(agent_of(calling("send", to="FORBIDDEN"), on_block="raise"), way)


@pytest.mark.parametrize("way", WAYS)
def test_a_result_that_is_forbidden_is_not_read(way: str) -> None:
    def look(where: str) -> str:
        """Look somewhere."""
        return "FORBIDDEN"

    asked: list[Any] = []
    agent = agent_of(calling("look", where="x"), "done", tools=[look], asked=asked)
    result = ask(agent, way)[2]
    assert (result.content, result.status, result.name) == ("Not here.", "error", "look")
    assert result.tool_call_id == "c1"
    assert "FORBIDDEN" not in str(asked)
    with pytest.raises(guardkit.Blocked):
        ask(agent_of(calling("look", where="x"), tools=[look], on_block="raise"), way)


@pytest.mark.parametrize("way", WAYS)
def test_the_name_of_the_tool_is_told(way: str) -> None:
    def look(where: str) -> str:
        """Look somewhere."""
        return "FORBIDDEN"

    verdicts: list[Verdict] = []
    agent = agent_of(calling("look", where="x"), "done", tools=[look], watch=verdicts.append)
    ask(agent, way)
    assert [(each.surface, each.tool) for each in verdicts] == [("tool_result", "look")]


@pytest.mark.parametrize("way", WAYS)
def test_results_of_several_parts_and_commands_are_judged(way: str) -> None:
    from langchain.agents import AgentState
    from langchain.tools import ToolRuntime
    from langchain_core.messages import ToolMessage
    from langgraph.types import Command

    class State(AgentState):  # type: ignore[misc]  # known only where it is installed
        seen: str

    picture = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}
    contents: dict[str, Any] = {
        "clean": [{"type": "text", "text": "clean"}],
        "bad": [{"type": "text", "text": "a"}, {"type": "text", "text": "FORBIDDEN"}],
        "picture": [{"type": "text", "text": "see"}, picture],
        "odd": [{"type": "text", "text": "see"}, {"type": "poem", "lines": ["FORBIDDEN"]}],
    }

    def look(what: str, runtime: ToolRuntime) -> Command:
        """Look for something."""
        message = ToolMessage(contents[what], tool_call_id=runtime.tool_call_id, name="look")
        return Command(update={"messages": [message], "seen": what})

    look.__annotations__ = {"what": str, "runtime": ToolRuntime, "return": Command}
    for what, is_refused in (("clean", False), ("bad", True), ("picture", True), ("odd", True)):
        says = (calling("look", what=what), "done")
        agent = agent_of(*says, tools=[look], more={"state_schema": State})
        result = ask(agent, way)[2]
        assert ("guardkit" in result.response_metadata) is is_refused, what
        assert ("AAAA" in str(result)) is False


@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_was_changed_after_the_model_is_judged_again(way: str) -> None:
    from langchain.agents.middleware import AgentMiddleware

    class Edits(AgentMiddleware):  # type: ignore[misc]  # known only where it is installed
        def wrap_tool_call(self, request: Any, handler: Any) -> Any:
            return handler(self._edited(request))

        async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
            return await handler(self._edited(request))

        def _edited(self, request: Any) -> Any:
            return request.override(tool_call={**request.tool_call, "args": {"to": "FORBIDDEN"}})

    agent = agent_of(calling("send", to="bob"), "done", around=[Edits()])
    assert ask(agent, way)[2].content == "Not here."
    assert RAN == []


@pytest.mark.parametrize("way", WAYS)
def test_a_call_is_counted_once(way: str) -> None:
    """Two forbidden numbers in a session are enough here; the one of a call is one."""
    counting = WITH_MEMORY.replace("count stop", "count mask").replace("often >= 2", "often >= 3")
    verdicts: list[Verdict] = []
    says = (calling("send", to="NB-1234"), "done")
    agent = agent_of(*says, policy=counting, session="s", watch=verdicts.append)
    assert told(ask(agent, way))[-1] == ("ai", "done")
    calls = [each for each in verdicts if each.surface == "tool_call"]
    assert len(calls) == 1


def test_what_a_tool_is_held_for_is_waited_for_once() -> None:
    import threading

    guard = guard_of()
    approved: list[str] = []

    def approve() -> None:
        while not approved:
            for hold in guard.holds.list(state="waiting"):
                approved.append(hold.id)
                guard.holds.approve(hold.id, "ops")

    thread = threading.Thread(target=approve, daemon=True)
    thread.start()
    agent = agent_of(calling("send", to="refund"), "done", policy=guard, on_hold="wait")
    assert told(ask(agent, "invoke"))[-1] == ("ai", "done")
    thread.join(10)
    assert RAN == ["refund"]
    assert len(approved) == 1
    assert not list(guard.holds.list(state="waiting"))


# --- what is sent


@pytest.mark.parametrize("way", WAYS)
def test_what_is_sent_has_the_changes_and_the_state_stays(way: str) -> None:
    asked: list[Any] = []

    def find(number: str) -> str:
        """Find an order such as NB-1111."""
        return number

    agent = agent_of(
        "fine",
        tools=[find],
        policy=WITH_CONTEXT,
        asked=asked,
        more={"system_prompt": "Serve NB-2222."},
    )
    (question, _) = ask(agent, way, "where is NB-1234?")
    [(sent, keywords)] = asked
    assert sent[0].content == "Be brief.\n\nServe [ORDER]."
    assert sent[1].content == "where is [ORDER]?"
    description = keywords["tools"][0]["function"]["description"]
    assert description == "Find an order such as [ORDER]."
    assert question.content == "where is NB-1234?"


# --- streams


def modes(agent: Any, mode: str, is_async: bool) -> list[Any]:
    given = {"messages": "hi"}
    if not is_async:
        return list(agent.stream(given, stream_mode=mode))

    async def later() -> list[Any]:
        return [each async for each in agent.astream(given, stream_mode=mode)]

    return anyio.run(later)


@pytest.mark.parametrize("is_async", [False, True])
def test_tokens_are_judged_before_anybody_sees_them(is_async: bool) -> None:
    says = (
        calling("send", to="NB-1234"),
        "it went to NB-1234, as you said it would, and it is there by now",
    )
    shown = modes(agent_of(*says, policy=POLICY.split("rule wait")[0]), "messages", is_async)
    assert "NB-" not in str(shown)
    texts = [chunk.text for chunk, about in shown if about["langgraph_node"] == "model"]
    assert "".join(texts) == "it went to [ORDER], as you said it would, and it is there by now"
    assert len([text for text in texts if text]) > 3
    shown = modes(agent_of("so this is FORBIDDEN by the rule"), "messages", is_async)
    assert "FORB" not in str(shown)
    assert "Not here." in str(shown)
    for mode in ("updates", "values", "debug"):
        assert "NB-" not in str(modes(agent_of(*says), mode, is_async))


def test_events_of_tools_are_judged_before_anybody_sees_them() -> None:
    from langchain.tools import ToolRuntime

    def look(what: str, runtime: ToolRuntime) -> str:
        """Look for something."""
        for piece in ("all of this is fine and well, then ", f"{what[:5]}", f"{what[5:]}", " end"):
            runtime.emit_output_delta(piece)
        runtime.emit_output_delta({"note": what})
        return f"found {what}"

    look.__annotations__ = {"what": str, "runtime": ToolRuntime, "return": str}
    # The call itself passes: what the tool finds is another matter.
    policy = POLICY.replace("input, tool_call, tool_result, output", "tool_result", 1)

    def events(what: str, is_async: bool, **options: Any) -> tuple[str, list[Any], str]:
        says = (calling("look", what=what), "done")
        agent = agent_of(*says, tools=[look], policy=policy, **options)
        config = {"configurable": {"thread_id": "t"}}

        async def later() -> list[Any]:
            run = await agent.astream_events({"messages": "hi"}, config, version="v3")
            return [event async for event in run]

        if is_async:
            seen = anyio.run(later)
        else:
            seen = list(agent.stream_events({"messages": "hi"}, config, version="v3"))
        data = [each["params"]["data"] for each in seen if each["method"] == "tools"]
        deltas = [each["delta"] for each in data if each["event"] == "tool-output-delta"]
        (output,) = [each["output"] for each in data if each["event"] == "tool-finished"]
        return "".join(each for each in deltas if isinstance(each, str)), deltas, output.content

    for is_async in (False, True):
        text, deltas, output = events("a treasure", is_async)
        assert text == "all of this is fine and well, then a treasure end"
        assert {"note": "a treasure"} in deltas
        assert output == "found a treasure"
        text, deltas, output = events("FORBIDDEN", is_async)
        assert "all of this" in text
        assert "FORB" not in str(deltas) + output
        assert output == "Not here."


FLAGS = """
guardkit 1
policy counts
check money = words { list ["refund"] }
rule noted { tier ethics on tool_result when money then flag }
window often { count noted last 9 turns per session }
rule enough { tier safety on conversation when often >= 3 then block "Enough." for session }
"""


def test_events_of_a_tool_count_nothing() -> None:
    """A flag counts where the tool ends and where the model reads it: a third would be too many."""

    def look(what: str) -> str:
        """Look for something."""
        return "a refund"

    agent = agent_of(calling("look", what="x"), "done", tools=[look], policy=FLAGS)
    config = {"configurable": {"thread_id": "t"}}
    run = agent.stream_events({"messages": "hi"}, config, version="v3")
    assert run.output["messages"][-1].text == "done"


def test_calls_as_a_run_shows_them_are_judged() -> None:
    def look(what: str) -> str:
        """Look for something."""
        return "FORBIDDEN"

    agent = agent_of(calling("look", what="x"), "done", tools=[look])
    run = agent.stream_events({"messages": "hi"}, version="v3")
    calls = list(run.tool_calls)
    assert [(call.tool_name, call.output) for call in calls] == [("look", "Not here.")]


def test_errors_of_a_tool_are_judged_before_they_are_shown() -> None:
    def look(what: str) -> str:
        """Look for something."""
        raise ValueError(f"no FORBIDDEN {what}")

    policy = POLICY.replace("input, tool_call, tool_result, output", "tool_result", 1)
    agent = agent_of(calling("look", what="x"), "done", tools=[look], policy=policy)
    seen: list[Any] = []
    run = agent.stream_events({"messages": "hi"}, version="v3")
    with pytest.raises(ValueError, match="FORBIDDEN"):
        seen.extend(run)
    (shown,) = [
        each["params"]["data"]["message"]
        for each in seen
        if each["method"] == "tools" and each["params"]["data"]["event"] == "tool-error"
    ]
    assert shown == "Not here."


# --- beside other middleware


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("on_block", ["raise", "reply"])
def test_a_block_is_not_asked_for_again(way: str, on_block: str) -> None:
    from langchain.agents.middleware import ModelRetryMiddleware

    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0, on_failure="error")
    asked: list[Any] = []
    agent = agent_of("FORBIDDEN", "hello", behind=[retry], on_block=on_block, asked=asked)
    if on_block == "raise":
        with pytest.raises(guardkit.Blocked):
            ask(agent, way)
    else:
        assert told(ask(agent, way))[-1] == ("ai", "Not here.")
    assert len(asked) == 1


@pytest.mark.parametrize("way", WAYS)
def test_retries_count_a_question_once(way: str) -> None:
    from langchain.agents.middleware import ModelRetryMiddleware

    counting = WITH_MEMORY.replace("count stop", "count mask")
    for place in ("around", "behind"):
        retry = ModelRetryMiddleware(max_retries=3, initial_delay=0, on_failure="error")
        says = [*[ConnectionError("gone")] * 3, "fine"]
        agent = agent_of(*says, policy=counting, session="s", **{place: [retry]})
        assert told(ask(agent, way, "about NB-1234"))[-1] == ("ai", "fine")


@pytest.mark.parametrize("way", WAYS)
def test_another_model_in_place_of_the_guarded_one_is_an_error(way: str) -> None:
    from langchain.agents.middleware import ModelFallbackMiddleware

    agent = agent_of(ConnectionError("gone"), behind=[ModelFallbackMiddleware(scripted("hello"))])
    with pytest.raises(guardkit.UsageError, match="put the guard last"):
        ask(agent, way)
    agent = agent_of(
        ConnectionError("gone"), around=[ModelFallbackMiddleware(scripted("to NB-1234"))]
    )
    assert told(ask(agent, way))[-1] == ("ai", "to [ORDER]")


@pytest.mark.parametrize("way", WAYS)
def test_several_policies_judge_one_after_another(way: str) -> None:
    from guardkit.integrations.langchain import middleware

    other = guard_of(POLICY.replace('"FORBIDDEN"', '"SECRET"').replace("Not here.", "Nor this."))
    for said, refused in (("FORBIDDEN", "Not here."), ("SECRET", "Nor this.")):
        agent = agent_of("hello", behind=[middleware(other)])
        assert told(ask(agent, way, said))[-1] == ("ai", refused)
        agent = agent_of(f"it is {said}", behind=[middleware(other)])
        assert told(ask(agent, way))[-1] == ("ai", refused)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("strategy", ["ToolStrategy", "ProviderStrategy"])
def test_a_refusal_is_no_reply_of_the_form_that_was_asked_for(way: str, strategy: str) -> None:
    import langchain.agents.structured_output as structured
    from pydantic import BaseModel

    class Order(BaseModel):
        """An order."""

        number: str

    form = getattr(structured, strategy)(Order)
    is_tool = strategy == "ToolStrategy"
    says = calling("Order", number="NB-1234") if is_tool else '{"number": "NB-1234"}'
    agent = agent_of(says, more={"response_format": form})
    state = agent.invoke({"messages": "hi"})
    assert state["structured_response"] == Order(number="[ORDER]")
    bad = calling("Order", number="FORBIDDEN") if is_tool else '{"number": "FORBIDDEN"}'
    agent = agent_of(bad, more={"response_format": form})
    assert told(ask(agent, way))[-1] == ("ai", "Not here.")
    with pytest.raises(guardkit.Blocked):
        ask(agent_of(bad, on_block="raise", more={"response_format": form}), way)


# --- whose it is


@pytest.mark.parametrize("way", WAYS)
def test_the_thread_is_the_session(way: str) -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    counting = WITH_MEMORY.replace("count stop", "count mask")
    says = ("one", "two", "three", "four")
    agent = agent_of(*says, policy=counting, more={"checkpointer": InMemorySaver()})
    first, second = ({"configurable": {"thread_id": name}} for name in ("a", "b"))
    assert told(ask(agent, way, "NB-1234", first))[-1] == ("ai", "one")
    assert told(ask(agent, way, "NB-1235", second))[-1] == ("ai", "two")
    assert told(ask(agent, way, "hello", first))[-1] == ("ai", "three")
    assert told(ask(agent, way, "NB-1236", first))[-1] == ("ai", "Enough.")


def test_a_policy_that_remembers_needs_a_session() -> None:
    with pytest.raises(guardkit.UsageError, match="session"):
        ask(agent_of("hello", policy=WITH_MEMORY), "invoke")


@pytest.mark.parametrize("way", WAYS)
def test_sessions_and_facts_may_come_from_the_runtime(way: str) -> None:
    from dataclasses import dataclass

    @dataclass
    class Who:
        name: str

    policy = POLICY.replace("when bad", 'when bad and context.user != "ops"', 1)
    seen: list[str] = []

    def session(runtime: Any) -> str:
        seen.append(runtime.context.name)
        return f"of {runtime.context.name}"

    options: dict[str, Any] = {
        "policy": policy,
        "session": session,
        "context": lambda runtime: {"user": runtime.context.name},
        "more": {"context_schema": Who},
    }
    for name, end in (("ann", "Not here."), ("ops", "FORBIDDEN")):
        agent = agent_of(calling("send", to="bob"), "FORBIDDEN", **options)
        assert told(ask(agent, way, context=Who(name)))[-1] == ("ai", end)
        assert set(seen) == {name}
        assert len(seen) == 3  # two of the model, one of the tool
        seen.clear()


def test_every_call_of_the_model_has_a_ledger() -> None:
    ledgers: list[Ledger] = []
    verdicts: list[Verdict] = []
    agent = agent_of(
        calling("send", to="bob"), "FORBIDDEN", ledger=ledgers.append, watch=verdicts.append
    )
    ask(agent, "invoke")
    assert [(each.outcome, each.layer) for each in ledgers] == [
        ("answered", None),
        ("refused", "output"),
    ]
    assert [each.action for each in verdicts] == ["block"]


def test_a_guard_that_listens_hears_of_no_exchange_but_the_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends: list[Ledger] = []
    guard = guard_of()
    # An audit log and monitors make a guard that listens; these two names are what they add.
    monkeypatch.setattr(type(guard), "listens", True)
    monkeypatch.setattr(type(guard), "ended", lambda self, ledger, **whose: ends.append(ledger))
    agent = agent_of(calling("send", to="bob"), "done", policy=guard)
    ask(agent, "invoke")
    assert [end.outcome for end in ends] == ["answered", "answered"]


def test_a_cancelled_run_stays_cancelled() -> None:
    async def main() -> None:
        model = scripted()

        async def waits(*args: Any, **keywords: Any) -> Any:
            await anyio.sleep(60)

        object.__setattr__(model, "_agenerate", waits)
        from langchain.agents import create_agent

        from guardkit.integrations.langchain import middleware

        agent = create_agent(model, [], middleware=[middleware(guard_of())])
        with anyio.move_on_after(0.1) as scope:
            await agent.ainvoke({"messages": "hi"})
        assert scope.cancelled_caught

    anyio.run(main)
