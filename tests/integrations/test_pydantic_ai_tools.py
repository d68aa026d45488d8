"""Tools and outputs of an agent of Pydantic AI behind a policy."""

from __future__ import annotations

from typing import Any

import pytest

import guardkit
from guardkit.integrations.pydantic_ai import guardrail

from ._pydantic_ai import Model, agent_of, asked, call
from ._tools import POLICY, guard_of, needs

ON_ALL = POLICY.replace(
    "on   input, tool_call, output", "on   input, tool_call, tool_result, output"
)


def tool_agent(gives: Any, policy: str = ON_ALL, **how: Any) -> tuple[Any, Model, list[Any]]:
    model = Model(call("find", order="ok"), "done")
    agent, made = agent_of("capability", model, policy, **how), []

    @agent.tool_plain
    def find(order: str) -> Any:
        made.append(order)
        return gives

    return agent, model, made


@needs("pydantic_ai")
def test_a_result_is_judged_before_it_is_kept() -> None:
    from pydantic_ai import ToolReturn

    for gives, kept in (
        ("it is NB-1234", "it is [ORDER]"),
        ({"order": "NB-1234", "count": 2}, {"order": "[ORDER]", "count": 2}),
        (["NB-1234", 3], ["[ORDER]", 3]),
        (ToolReturn("NB-1234", content="as NB-1235"), "[ORDER]"),
    ):
        agent, model, _ = tool_agent(gives)
        result = asked(agent, "hello")
        part = result.all_messages()[2].parts[0]
        assert part.content == kept
        assert "NB-12" not in repr(result.all_messages())
        assert model.prompts(1)[2] == kept


@needs("pydantic_ai")
def test_a_stopped_result_ends_the_run_or_is_told_to_the_model() -> None:
    from pydantic_ai import BinaryContent

    image = BinaryContent(b"x", media_type="image/png")
    for gives in ("FORBIDDEN", {"deep": ["FORBIDDEN"]}, image):
        agent, _, _ = tool_agent(gives)
        with pytest.raises(guardkit.Blocked) as raised:
            asked(agent, "hello")
        assert raised.value.verdict.surface == "tool_result"
        agent, model, _ = tool_agent(gives, on_block="reply")
        assert asked(agent, "hello").output == "done"
        told = model.prompts(1)[2]
        assert told == "Not here." or gives is image
        assert model.asked[1][0][2].parts[0].outcome == "failed"


@needs("pydantic_ai")
def test_a_call_is_judged_as_the_tool_gets_it() -> None:
    """Approvals and other capabilities may give a tool other arguments than the model wrote."""
    from pydantic_ai import Agent
    from pydantic_ai.capabilities import AbstractCapability

    class Other(AbstractCapability[Any]):
        def __init__(self, order: str) -> None:
            super().__init__()
            self.order = order

        async def after_tool_validate(self, ctx: Any, **given: Any) -> Any:
            return {"order": self.order}

    made: list[str] = []
    for order in ("NB-1234", "FORBIDDEN"):
        model = Model(call("find", order="ok"), "done")
        rail = guardrail(guard_of(), on_block="reply")
        agent = Agent(model.model, capabilities=[rail, Other(order)])

        @agent.tool_plain
        def find(order: str) -> str:
            made.append(order)
            return "blue"

        asked(agent, "hello")
    assert made == ["[ORDER]"]
    assert model.prompts(1)[2] == "Not here."


@needs("pydantic_ai")
def test_what_a_function_makes_of_the_output_is_judged() -> None:
    from pydantic_ai.exceptions import AgentRunError

    def as_order(number: str) -> str:
        return f"FORBIDDEN {number}" if number == "1" else f"NB-{number}"

    for number, is_stopped in (("1234", False), ("1", True)):
        model = Model(call("final_result", number=number))
        agent = agent_of("capability", model, agent={"output_type": as_order})
        if is_stopped:
            with pytest.raises(guardkit.Blocked) as raised:
                asked(agent, "hello")
            assert isinstance(raised.value, AgentRunError)
            assert len(model.asked) == 1
        else:
            assert asked(agent, "hello").output == "[ORDER]"


@needs("pydantic_ai")
def test_what_cannot_be_rewritten_is_an_error() -> None:
    from dataclasses import dataclass

    from pydantic_ai import Tool

    @dataclass
    class Found:
        order: str

    agent, _, _ = tool_agent(Found("NB-1234"))
    with pytest.raises(guardkit.UsageError, match="a rule rewrites a `Found`") as raised:
        asked(agent, "hello")
    assert "NB-1234" not in str(raised.value)

    def find() -> str:
        return ""

    model = Model("hi")
    tools = [Tool(find, name="NB-1234")]
    with pytest.raises(guardkit.UsageError, match="name of a tool"):
        asked(agent_of("model", model, agent={"tools": tools}), "hello")
    assert model.asked == []
