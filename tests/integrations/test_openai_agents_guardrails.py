"""A policy as guardrails of agents and tools of the OpenAI Agents SDK."""

from __future__ import annotations

from typing import Any

import pytest

from guardkit.integrations.openai_agents import guardrails, tool_guardrails

from ._openai_agents import PLACES, agent_of, asked, calls, model_of, says
from ._tools import POLICY, WITH_CONTEXT, WITH_MEMORY, found, guard_of, needs


@pytest.fixture(autouse=True)
def _silent() -> None:
    """Else the SDK sends what it traces to its house."""
    if found()["openai_agents"] is not None:
        import agents

        agents.set_tracing_disabled(True)


@needs("openai_agents")
def test_guardrails_stop_what_they_cannot_change() -> None:
    from agents import InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered

    heard: list[Any] = []
    for said, action in (("FORBIDDEN", "block"), ("about NB-1234", "rewrite")):
        model = model_of(says("hi"))
        agent = agent_of(model, **guardrails(guard_of(), watch=heard.append))
        with pytest.raises(InputGuardrailTripwireTriggered) as raised:
            asked(agent, said)
        assert raised.value.guardrail_result.output.output_info["action"] == action
        assert model.calls == ()
        agent = agent_of(model_of(says(said)), **guardrails(guard_of()))
        with pytest.raises(OutputGuardrailTripwireTriggered) as stopped:
            asked(agent, "hello")
        assert stopped.value.guardrail_result.output.output_info["action"] == action
        assert said not in repr(stopped.value.guardrail_result.output)
    assert [verdict.action for verdict in heard] == ["block", "rewrite"]
    agent = agent_of(model_of(says("hi")), **guardrails(guard_of()))
    result = asked(agent, "hello")
    assert result.final_output == "hi"
    assert result.input_guardrail_results[0].output.output_info == {"action": "pass"}


@needs("openai_agents")
def test_guardrails_read_every_part_and_any_output() -> None:
    from agents import InputGuardrailTripwireTriggered, OutputGuardrailTripwireTriggered
    from pydantic import BaseModel

    class Reply(BaseModel):
        lines: list[str]
        count: int

    for place in PLACES.values():
        with pytest.raises(InputGuardrailTripwireTriggered):
            asked(agent_of(model_of(says("hi")), **guardrails(guard_of())), place)
    image = {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"}
    with pytest.raises(InputGuardrailTripwireTriggered):
        asked(
            agent_of(model_of(says("hi")), **guardrails(guard_of())),
            [{"role": "user", "content": [image]}],
        )
    for text, is_stopped in (("FORBIDDEN", True), ("fine", False)):
        reply = Reply(lines=["a", text], count=3)
        model = model_of(says(reply.model_dump_json()))
        agent = agent_of(model, output_type=Reply, **guardrails(guard_of(WITH_CONTEXT)))
        if is_stopped:
            with pytest.raises(OutputGuardrailTripwireTriggered):
                asked(agent, "hello")
        else:
            assert asked(agent, "hello").final_output == reply
    numbers = agent_of(model_of(says('{"response": 3}')), output_type=int, **guardrails(guard_of()))
    assert asked(numbers, "hello").final_output == 3


@needs("openai_agents")
def test_the_context_layer_is_nothing_for_a_guardrail_to_stop() -> None:
    said = [{"role": "developer", "content": "be kind"}, {"role": "user", "content": "hello"}]
    agent = agent_of(model_of(says("hi")), **guardrails(guard_of(WITH_CONTEXT)))
    assert asked(agent, said).final_output == "hi"


@needs("openai_agents")
def test_guardrails_of_a_session_count_it_once() -> None:
    from agents import InputGuardrailTripwireTriggered

    seen = "rule seen { tier safety\n on input\n when order\n then flag }\n\nrule wait"
    policy = WITH_MEMORY.replace("count stop", "count seen").replace("rule wait", seen)
    guard = guard_of(policy.replace("on   input, tool_call, output", "on   tool_call, output"))
    rails = guardrails(guard, session=lambda run: run.context)
    agent = agent_of(model_of(says("a"), says("b")), **rails)
    first = [{"role": "user", "content": "about NB-1234"}]
    assert asked(agent, first, context="ann").final_output == "a"
    more = [*first, {"role": "assistant", "content": "a"}, {"role": "user", "content": "NB-1235"}]
    with pytest.raises(InputGuardrailTripwireTriggered):
        asked(agent, more, context="ann")
    assert asked(agent, first, context="bob").final_output == "b"


# --- guardrails of tools


def tool_agent(written: Any, gives: Any, made: list[Any], **options: Any) -> tuple[Any, Any]:
    from agents import function_tool

    @function_tool(**tool_guardrails(guard_of(), **options))
    def find(order: str) -> Any:
        """Find."""
        made.append(order)
        return gives

    model = model_of(calls("find", order=written), says("done"))
    return agent_of(model, tools=[find]), model


@needs("openai_agents")
@pytest.mark.parametrize(
    ("written", "gives", "told", "count"),
    [
        ("ok", "blue", "blue", 1),
        ("FORBIDDEN", "blue", "This call was stopped: Not here.", 0),
        ("NB-1234", "blue", "This call was stopped: rewritten by rule mask", 0),
        ("ok", "so FORBIDDEN", "Not here.", 1),
        ("ok", ["a", "FORBIDDEN"], "Not here.", 1),
    ],
)
def test_a_tool_is_judged_both_ways(written: str, gives: Any, told: str, count: int) -> None:
    made: list[Any] = []
    agent, model = tool_agent(written, gives, made)
    asked(agent, "hello")
    assert model.calls[1].input[-1]["output"] == told
    assert len(made) == count


@needs("openai_agents")
def test_a_result_is_rewritten_and_a_file_in_it_is_unknown() -> None:
    from agents import ToolOutputImage, ToolOutputText, function_tool

    guard = guard_of(POLICY.replace("on   input, tool_call, output", "on   input, tool_result"))
    text = ToolOutputText(text="it is NB-1234")
    image = ToolOutputImage(image_url="https://example.com/a.png")
    for gives, told in (
        ("it is NB-1234", "it is [ORDER]"),
        ([text], "it is [ORDER]"),
        ([text, image], "This text could not be checked and was stopped."),
    ):

        @function_tool(**tool_guardrails(guard))
        def find(gives: Any = gives) -> Any:
            """Find."""
            return gives

        find.on_invoke_tool = given_back(gives)
        model = model_of(calls("find"), says("done"))
        asked(agent_of(model, tools=[find]), "hello")
        given = model.calls[1].input[-1]["output"]
        assert given == told or gives[-1] is image
        assert "NB-1234" not in str(given)
        assert "example.com" not in str(given)


def given_back(value: Any) -> Any:
    async def invoke(context: Any, arguments: str) -> Any:
        return value

    return invoke


@needs("openai_agents")
def test_a_stopped_tool_may_end_the_run() -> None:
    from agents import ToolInputGuardrailTripwireTriggered, ToolOutputGuardrailTripwireTriggered

    agent, _ = tool_agent("FORBIDDEN", "blue", [], on_block="raise")
    with pytest.raises(ToolInputGuardrailTripwireTriggered) as before:
        asked(agent, "hello")
    assert before.value.output.output_info["fired"] == ["stop"]
    assert "FORBIDDEN" not in repr(before.value.output)
    agent, _ = tool_agent("ok", "FORBIDDEN", [], on_block="raise")
    with pytest.raises(ToolOutputGuardrailTripwireTriggered):
        asked(agent, "hello")
