"""A policy in Inspect's words: decisions, scores, and a model that is asked through it."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardkit.integrations._decision import decide
from guardkit.types import Verdict

from ._tools import EXAMPLES, ROOT, WITH_CONTEXT, WITH_MEMORY, guard_of, needs

# --- always: a verdict as a decision

SAID = {"to": "NB-1234"}


def verdict_of(**fields: Any) -> Verdict:
    made = guard_of().check_tool_call("send", SAID)
    assert made.action == "rewrite"
    return made._replace(**fields)


@pytest.mark.parametrize(
    ("fields", "choice", "explanation", "arguments"),
    [
        ({"action": "pass", "arguments": SAID}, "approve", None, None),
        ({"action": "flag", "arguments": SAID}, "approve", None, None),
        ({"action": "pass", "arguments": None}, "approve", None, None),
        ({}, "modify", "rewritten by rule mask", {"to": "[ORDER]"}),
        # Pseudonyms are undone in a call that no rule touched.
        (
            {"action": "pass", "arguments": {"to": "ann"}, "fired": ()},
            "modify",
            "rewritten by the policy",
            {"to": "ann"},
        ),
        ({"action": "block", "message": "Not here."}, "reject", "Not here.", None),
        ({"action": "block", "message": None}, "reject", "block by rule mask", None),
        ({"action": "revise", "message": None}, "reject", "revise by rule mask", None),
        ({"action": "hold", "message": None}, "escalate", "hold by rule mask", None),
        (
            {"action": "block", "message": "Enough.", "session_closed": True},
            "terminate",
            "Enough.",
            None,
        ),
        (
            {"action": "block", "message": None, "fired": (), "undecided": ("mask",)},
            "reject",
            "block by rule mask",
            None,
        ),
    ],
)
def test_a_verdict_is_one_decision(
    fields: dict[str, Any], choice: str, explanation: str | None, arguments: Any
) -> None:
    decision = decide(verdict_of(**fields), SAID)
    assert decision == (choice, explanation, arguments)


def test_a_decision_quotes_no_argument() -> None:
    said = {"to": "FORBIDDEN"}
    decision = decide(guard_of().check_tool_call("send", said), said)
    assert decision == ("reject", "Not here.", None)


# --- with Inspect


def with_inspect(test: Any) -> Any:
    """For tests that run Inspect, which leaves streams open and uses what is deprecated."""
    for name in (
        "DeprecationWarning",
        "ResourceWarning",
        "pytest.PytestUnraisableExceptionWarning",
    ):
        test = pytest.mark.filterwarnings(f"ignore::{name}")(test)
    return needs("inspect_ai")(test)


@pytest.fixture(scope="module")
def replies() -> Callable[..., Any]:
    """Inspect's stand-in for a model, saying what a function makes of the last message."""
    from inspect_ai.model import ModelOutput, ModelUsage

    def make(said: Callable[[Any], Any], asked: list[Any] | None = None) -> Callable[..., Any]:
        def model(messages: Any, tools: Any, tool_choice: Any, config: Any) -> Any:
            if asked is not None:
                asked.append(list(messages))
            made = said(messages[-1])
            output = made if not isinstance(made, str) else ModelOutput.from_content("m", made)
            # Counted here, since Inspect would fetch a tokenizer.
            output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
            return output

        return model

    return make


def run(tmp_path: Path, task: Any, model: Any, **options: Any) -> Any:
    from inspect_ai import eval

    (log,) = eval(task, model=model, display="none", log_dir=str(tmp_path), **options)
    gc.collect()  # what it left open warns here, not at the end of all tests
    assert log.status == "success", log.error
    return log


def tool_of(ran: list[str]) -> Any:
    from inspect_ai.tool import tool

    @tool
    def send() -> Any:
        async def execute(to: str) -> str:
            """Send a message.

            Args:
                to: To whom.
            """
            ran.append(to)
            return f"sent, {to}"

        return execute

    return send()


def calling(to: str) -> Callable[[Any], Any]:
    from inspect_ai.model import ModelOutput

    def said(message: Any) -> Any:
        if message.role == "tool":
            return f"done: {message.error.message if message.error else message.text}"
        return ModelOutput.for_tool_call("m", "send", {"to": to})

    return said


@with_inspect
@pytest.mark.parametrize(
    ("to", "ran", "end"),
    [
        ("bob", ["bob"], "done: sent, bob"),
        ("NB-1234", ["[ORDER]"], "done: sent, [ORDER]"),
        ("FORBIDDEN", [], "done: Not here."),
        ("refund", [], "done: No approval granted for tool send"),
    ],
)
def test_the_policy_approves_calls(
    tmp_path: Path, replies: Any, to: str, ran: list[str], end: str
) -> None:
    from inspect_ai import Task
    from inspect_ai.approval import ApprovalPolicy
    from inspect_ai.model import get_model
    from inspect_ai.solver import generate, use_tools

    from guardkit.integrations.inspect_ai import approver

    guard, called = guard_of(), []
    task = Task(solver=[use_tools(tool_of(called)), generate()])
    model = get_model("mockllm/model", custom_outputs=replies(calling(to)))
    log = run(tmp_path, task, model, approval=[ApprovalPolicy(approver(guard), "*")])
    (sample,) = log.samples
    assert called == ran
    assert sample.output.completion == end
    (first, *_) = [event for event in sample.events if event.event == "approval"]
    told = first.metadata["guardkit"]
    assert told["surface"] == "tool_call"
    assert to not in json.dumps(told)
    assert not list(guard.holds.list(state="waiting"))


@with_inspect
def test_a_hold_is_the_next_approvers(tmp_path: Path, replies: Any) -> None:
    from inspect_ai import Task
    from inspect_ai.approval import ApprovalPolicy, auto_approver
    from inspect_ai.model import get_model
    from inspect_ai.solver import generate, use_tools

    from guardkit.integrations.inspect_ai import approver

    called: list[str] = []
    task = Task(solver=[use_tools(tool_of(called)), generate()])
    model = get_model("mockllm/model", custom_outputs=replies(calling("refund")))
    approval = [ApprovalPolicy(approver(guard_of()), "*"), ApprovalPolicy(auto_approver(), "*")]
    run(tmp_path, task, model, approval=approval)
    assert called == ["refund"]


@with_inspect
def test_what_is_over_for_the_session_ends_the_sample(tmp_path: Path, replies: Any) -> None:
    from inspect_ai import Task
    from inspect_ai.approval import ApprovalPolicy
    from inspect_ai.dataset import Sample
    from inspect_ai.model import get_model
    from inspect_ai.solver import generate, use_tools

    from guardkit.integrations.inspect_ai import approver

    asked: list[Any] = []
    task = Task(
        dataset=[Sample("one"), Sample("two")],
        solver=[use_tools(tool_of([])), generate()],
    )
    closes = WITH_MEMORY.replace(
        "rule wait {",
        'rule ends {\n  tier safety\n  on tool_call\n  when bad\n  then block "Enough." '
        "for session\n}\n\nrule wait {",
    )
    model = get_model("mockllm/model", custom_outputs=replies(calling("FORBIDDEN"), asked))
    approval = [ApprovalPolicy(approver(guard_of(closes)), "*")]
    log = run(tmp_path, task, model, approval=approval)
    # Each sample is a session of its own, and neither gets to a second call.
    assert len(asked) == 2
    for sample in log.samples:
        (event,) = [each for each in sample.events if each.event == "approval"]
        assert (event.decision, event.explanation) == ("terminate", "Enough.")


@with_inspect
@pytest.mark.parametrize(
    ("said", "value", "why"),
    [
        ("hello", 1, "pass"),
        ("it is NB-1234", 0, "rewrite by mask"),
        ("FORBIDDEN", 0, "block by stop"),
        ("your refund", 0, "hold by wait"),
    ],
)
def test_the_policy_scores_a_reply(
    tmp_path: Path, replies: Any, said: str, value: int, why: str
) -> None:
    from inspect_ai import Task
    from inspect_ai.model import get_model

    from guardkit.integrations.inspect_ai import passes

    guard = guard_of()
    model = get_model("mockllm/model", custom_outputs=replies(lambda message: said))
    log = run(tmp_path, Task(scorer=passes(guard)), model)
    (sample,) = log.samples
    (score,) = sample.scores.values()
    assert (score.value, score.explanation) == (value, why)
    assert said not in json.dumps(score.metadata)
    assert not list(guard.holds.list(state="waiting"))
    (made,) = log.results.scores
    assert made.metrics["mean"].value == value


@with_inspect
def test_a_reply_that_could_not_be_judged_is_no_figure(tmp_path: Path, replies: Any) -> None:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample
    from inspect_ai.model import get_model

    import guardkit
    from guardkit.integrations.inspect_ai import passes

    def bad(text: str) -> float:
        if "odd" in text:
            raise RuntimeError(text)
        return 0.0

    policy = """
guardkit 1
policy judged
defaults { hold_back all }
check bad = python { call "judges:bad"  answers score  timeout 5s }
rule stop { tier safety on output when bad >= 0.5 then block "Not here." }
"""
    guard = guardkit.loads(policy, checks={"bad": bad})
    task = Task(dataset=[Sample("even"), Sample("odd")], scorer=passes(guard))
    model = get_model("mockllm/model", custom_outputs=replies(lambda m: m.text))
    log = run(tmp_path, task, model)
    (made,) = log.results.scores
    assert (made.metrics["mean"].value, made.scored_samples, made.unscored_samples) == (1, 1, 1)
    scores = [sample.scores["passes"] for sample in log.samples]
    assert [score.reason for score in scores] == [None, "scoring_failed"]
    assert scores[1].explanation == "no answer: bad"


@with_inspect
def test_a_guarded_model_is_judged_at_every_call(tmp_path: Path, replies: Any) -> None:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample

    from guardkit.integrations.inspect_ai import guarded, passes

    asked: list[Any] = []
    said = {"a": "hello", "b": "FORBIDDEN words", "c": "it is NB-1234", "d": "your refund"}
    guard = guard_of(WITH_CONTEXT)
    task = Task(
        dataset=[*(Sample(each) for each in said), Sample("FORBIDDEN"), Sample("my NB-1234")],
        scorer=passes(guard),
    )
    outputs = replies(lambda message: said.get(message.text, message.text), asked)
    model = guarded("mockllm/model", guard, custom_outputs=outputs)
    log = run(tmp_path, task, model)
    assert log.eval.model == "guardkit/mockllm/model"
    ended = [
        (
            sample.output.completion,
            sample.output.stop_reason,
            sample.output.metadata["guardkit"]["layer"],
            sample.output.metadata["guardkit"]["by"],
        )
        for sample in log.samples
    ]
    assert ended == [
        ("hello", "stop", None, ""),
        ("Not here.", "content_filter", "output", "rule stop"),
        ("it is [ORDER]", "stop", None, ""),
        ("This is waiting for approval.", "content_filter", "output", "rule wait"),
        ("Not here.", "content_filter", "input", "rule stop"),
        ("my [ORDER]", "stop", None, ""),
    ]
    assert [message.text for message in asked[-1]] == ["Be brief.", "my [ORDER]"]
    assert len(asked) == 5  # one question was stopped before the model
    assert not list(guard.holds.list(state="waiting"))
    # What the model said and nobody was shown stands nowhere in the log.
    assert "FORBIDDEN words" not in log.model_dump_json()
    assert "it is NB-1234" not in log.model_dump_json()
    exchange = log.samples[1].scores["passes"].metadata["exchange"]
    assert exchange["judgement"] == "refused"


@with_inspect
def test_a_guarded_model_is_found_by_name(tmp_path: Path) -> None:
    from inspect_ai.model import get_model

    from guardkit.integrations.inspect_ai import guarded

    policy = str(EXAMPLES / "shop.guard")
    assert str(guarded("mockllm/model", policy)) == "guardkit/mockllm/model"
    assert str(get_model("guardkit/mockllm/model", policy=policy)) == "guardkit/mockllm/model"


ENTRY = """
from importlib.metadata import EntryPoint
from inspect_ai.approval import approver
from inspect_ai.model import get_model

EntryPoint("guardkit", "guardkit.integrations.inspect_ai:approver", "inspect_ai").load()
print(get_model("guardkit/mockllm/model", policy="starter"))
"""


@with_inspect
def test_loading_the_entry_point_registers_everything() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ENTRY],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=50,
        check=False,
    )
    assert (ran.stdout, ran.returncode) == ("guardkit/mockllm/model\n", 0), ran.stderr


@with_inspect
@pytest.mark.parametrize("is_given", [True, False], ids=["given", "raised"])
def test_a_fault_of_the_model_is_inspects(tmp_path: Path, replies: Any, is_given: bool) -> None:
    from inspect_ai import Task, eval

    from guardkit.integrations.inspect_ai import guarded

    class Fault(Exception):  # noqa: N818 - what a provider gives back in place of a reply
        completion = ""

    def broken(message: Any) -> Any:
        if is_given:
            return Fault("a fault of the model")
        raise Fault("a fault of the model")

    model = guarded("mockllm/model", guard_of(), custom_outputs=replies(broken))
    (log,) = eval(Task(), model=model, display="none", log_dir=str(tmp_path))
    gc.collect()
    assert log.status == "error"
    assert "a fault of the model" in log.error.message


@with_inspect
def test_a_sample_is_one_session_of_a_guarded_model(tmp_path: Path, replies: Any) -> None:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ChatMessageUser
    from inspect_ai.solver import solver

    from guardkit.integrations.inspect_ai import guarded

    @solver
    def insist() -> Any:
        async def solve(state: Any, generate: Any) -> Any:
            for said in ("FORBIDDEN", "FORBIDDEN, I say", "hello"):
                state.messages.append(ChatMessageUser(content=said))
                state = await generate(state)
            return state

        return solve

    model = guarded("mockllm/model", guard_of(WITH_MEMORY), custom_outputs=replies(lambda m: "ok"))
    task = Task(dataset=[Sample("hello"), Sample("good day")], solver=insist())
    log = run(tmp_path, task, model)
    for sample in log.samples:
        said = [message.text for message in sample.messages if message.role == "assistant"]
        assert said[0] == "Not here."
        assert said[-1] == "Enough."


@with_inspect
def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import inspect_task
    from inspect_ai.model import get_model

    log = run(tmp_path, inspect_task.shop(), None)
    said = [sample.output.completion for sample in log.samples]
    assert said == [
        "You said: Are you open on Sundays?",
        "I keep to my rules.",
        "I can't show that.",
        "Done.",
        "This is waiting for approval.",
    ]
    assert log.results.scores[0].metrics["mean"].value == 1
    bare = get_model("mockllm/model", custom_outputs=inspect_task.model)
    log = run(tmp_path, inspect_task.shop(is_guarded=False), bare)
    assert log.results.scores[0].metrics["mean"].value == 0.8


# --- messages, out and back


@with_inspect
def test_every_kind_of_message_comes_back_as_it_was() -> None:
    from inspect_ai.model import (
        ChatMessageAssistant,
        ChatMessageSystem,
        ChatMessageTool,
        ChatMessageUser,
        ContentDocument,
        ContentImage,
        ContentReasoning,
        ContentText,
        ContentToolUse,
    )
    from inspect_ai.tool import ToolCall, ToolCallError

    from guardkit.integrations.inspect_ai._messages import messages_of, plain_messages

    used = ContentToolUse(
        tool_type="web_search", id="1", name="search", arguments="cats", result="a page"
    )
    messages = [
        ChatMessageSystem(content=[ContentText(text="Be kind."), ContentText(text="Be kind.")]),
        ChatMessageUser(
            content=[
                ContentText(text="see"),
                ContentImage(image="data:image/png;base64,AAAA"),
                ContentDocument(document="report.pdf"),
            ]
        ),
        ChatMessageAssistant(
            content=[
                ContentReasoning(reasoning="hm", signature="seal"),
                ContentReasoning(reasoning="c2VhbA==", summary="short", redacted=True),
                used,
                used,
            ],
            tool_calls=[ToolCall(id="2", function="send", arguments={"to": "bob"})],
        ),
        ChatMessageTool(
            content="",
            tool_call_id="2",
            function="send",
            error=ToolCallError("timeout", "too late"),
        ),
    ]
    sent = plain_messages(messages)
    assert all(a is b for a, b in zip(messages_of(sent, messages), messages, strict=True))
    everything = json.dumps(sent)
    for said in ("Be kind.", "see", "report.pdf", "hm", "short", "cats", "a page", "too late"):
        assert said in everything
    assert "AAAA" not in everything


@with_inspect
def test_what_was_changed_goes_back_where_it_came_from() -> None:
    from inspect_ai.model import (
        ChatMessageAssistant,
        ChatMessageSystem,
        ChatMessageUser,
        ContentImage,
        ContentReasoning,
        ContentText,
    )
    from inspect_ai.tool import ToolCall

    from guardkit.errors import UsageError
    from guardkit.integrations.inspect_ai._messages import messages_of, plain_messages

    image = ContentImage(image="data:image/png;base64,AAAA")
    messages = [
        ChatMessageSystem(content=[ContentText(text="Be kind.")]),
        ChatMessageUser(content=[image, ContentText(text="NB-1234")]),
        ChatMessageAssistant(
            content=[ContentReasoning(reasoning="NB-1234", signature="seal")],
            tool_calls=[ToolCall(id="2", function="send", arguments={"to": "NB-1234"})],
        ),
    ]
    given = plain_messages(messages)
    given[0]["content"].insert(0, {"type": "text", "text": "Be brief."})
    given[1]["content"][1]["text"] = "[ORDER]"
    given[2]["content"][0]["thinking"] = "[ORDER]"
    given[2]["tool_calls"][0]["function"]["arguments"] = {"to": "[ORDER]"}
    system, user, assistant = messages_of(given, messages)
    assert [part.text for part in system.content] == ["Be brief.", "Be kind."]
    assert user.content[0] is image
    assert user.content[1].text == "[ORDER]"
    assert (assistant.content[0].reasoning, assistant.content[0].signature) == ("[ORDER]", None)
    assert assistant.tool_calls[0].arguments == {"to": "[ORDER]"}
    assert messages[1].content[1].text == "NB-1234"
    given[1]["content"][0]["type"] = "text"
    with pytest.raises(UsageError, match="a part of type `image`, which cannot be changed"):
        messages_of(given, messages)
