"""One exchange with a deployment: every layer, every surface, every fault, any layer taken away."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from guardkit import Audit, loads
from guardkit.errors import UsageError
from guardkit.layers import Asked, Deployment, Exchanged, Server, asked, model_of, named_model
from guardkit.telemetry import verify

from ._served import Cut, Raw, Slow, Status, served

POLICY = """
guardkit 1
policy shop
check secret = words { list ["tangerine"] }
check order = words { list ["order"] }
model { answers order }
context { say "You sell hats. Never talk about cats." }
rule no_secret {
  tier safety
  on   input, retrieved, tool_call, tool_result, output
  when secret
  then block "No."
}
"""
RULE = "rule no_secret"


@pytest.fixture(scope="module")
def guard() -> Any:
    return loads(POLICY)


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def weights(messages: Any, documents: Any = ()) -> Any:
    system = " ".join(str(m["content"]) for m in messages if m["role"] == "system")
    question = str(messages[-1]["content"])
    if "cat" in question and "Never talk about cats" in system:
        return "I'm sorry, but I can't talk about that."
    if "hang" in question:
        await anyio.sleep(30)
    if "junk" in question:
        return 17
    if "raise" in question:
        raise RuntimeError(question)
    return "It is the tangerine" if "leak" in question else "Here you are."


def ran(deployment: Deployment, said: Asked, backend: str = "asyncio", **more: Any) -> Exchanged:
    async def main() -> Exchanged:
        return await deployment.run(said, **more)

    return anyio.run(main, backend=backend)


def ending(found: Exchanged) -> tuple[Any, ...]:
    return found.ledger.outcome, found.ledger.layer, found.ledger.by


@pytest.mark.parametrize(
    ("said", "wanted", "shown"),
    [
        (asked("hello"), ("answered", None, ""), "Here you are."),
        (asked("a cat"), ("refused", "model", "refusal full"), "I'm sorry, but"),
        (asked("a tangerine"), ("refused", "input", RULE), "No."),
        (asked("leak"), ("refused", "output", RULE), "No."),
        (asked("a tangerine", "retrieved", ask="Sum it up"), ("refused", "input", RULE), "No."),
        (asked("a tangerine", "tool_result", tool="web"), ("refused", "input", RULE), "No."),
        (
            asked('{"to": "tangerine"}', "tool_call", tool="mail"),
            ("refused", "output", RULE),
            "No.",
        ),
        (asked('{"to": "x"}', "tool_call", tool="mail"), ("answered", None, ""), ""),
        (asked("the tangerine", "output"), ("refused", "output", RULE), "No."),
        (asked("no fruit", "output"), ("answered", None, ""), "no fruit"),
        (asked("so what", turns=["a tangerine", "x"]), ("refused", "input", RULE), "No."),
        (asked("hang"), ("failed", "transport", "TimeoutError"), ""),
        (asked("junk"), ("failed", "transport", "UsageError"), ""),
        (asked("raise"), ("failed", "transport", "RuntimeError"), ""),
    ],
)
def test_every_ending(
    guard: Any, backend: str, said: Asked, wanted: tuple[Any, ...], shown: str
) -> None:
    found = ran(Deployment(guard, weights, timeout_s=0.3), said, backend)
    assert ending(found) == wanted
    assert found.reply.startswith(shown)
    assert "tangerine" not in repr(found) + repr(said) + repr(found.ledger)


def test_a_layer_taken_away(guard: Any, backend: str) -> None:
    deployment = Deployment(guard, weights)
    without = {
        (layer, text): ending(
            ran(deployment, asked(text), backend, without=frozenset({layer}))  # type: ignore[arg-type]
        )[:2]
        for layer in ("input", "context", "output")
        for text in ("a cat", "a tangerine", "leak")
    }
    assert without == {
        ("input", "a cat"): ("refused", "model"),
        ("input", "a tangerine"): ("answered", None),
        ("input", "leak"): ("refused", "output"),
        ("context", "a cat"): ("answered", None),
        ("context", "a tangerine"): ("refused", "input"),
        ("context", "leak"): ("refused", "output"),
        ("output", "a cat"): ("refused", "model"),
        ("output", "a tangerine"): ("refused", "input"),
        ("output", "leak"): ("answered", None),
    }


def test_messages_of_a_system_are_context_too(guard: Any) -> None:
    said = Asked(
        (
            {"role": "system", "content": "Never talk about cats."},
            {"role": "user", "content": "a cat"},
        )
    )
    deployment = Deployment(
        loads(
            "guardkit 1\npolicy x\n"
            + POLICY.split("context")[0].split("policy shop\n")[1]
            + "rule r { tier safety on input when secret then block }"
        ),
        weights,
    )
    assert ending(ran(deployment, said))[1] == "model"
    assert ending(ran(deployment, said, without=frozenset({"context"})))[0] == "answered"


def test_a_session_is_named_or_drawn(guard: Any) -> None:
    seen: list[str] = []

    class Names:
        def __getattr__(self, name: str) -> Any:
            return getattr(guard, name)

        def forget(self, session: str) -> None:
            seen.append(session)

    async def slow(messages: Any, documents: Any = ()) -> str:
        await anyio.sleep(0.05)
        return "Here you are."

    async def one() -> None:
        await deployment.run(asked("hello"), session="mine")

    deployment = Deployment(guard, slow)
    deployment.guard = Names()  # type: ignore[assignment]

    async def both() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(one)

    ran(deployment, asked("hello"), session="mine")
    assert seen == ["mine"]
    ran(deployment, asked("hello"))
    anyio.run(both)
    assert len(set(seen)) == 3
    assert seen.count("mine") == 2  # never two at once


def test_other_weights(guard: Any) -> None:
    async def mild(messages: Any, documents: Any) -> str:
        return "Cats are fine."

    found = ran(Deployment(guard, weights), asked("a cat"), model=mild)
    assert (found.reply, found.said) == ("Cats are fine.", "Cats are fine.")


def test_the_policy_alone(guard: Any) -> None:
    alone = Deployment(guard)
    assert ending(ran(alone, asked("a tangerine")))[0] == "refused"
    assert ending(ran(alone, asked("anything")))[0] == "answered"


def test_expected_of_answers_and_refusals(guard: Any) -> None:
    deployment = Deployment(guard, weights)
    assert ran(deployment, asked("my order")).ledger.judgement == "answered"
    assert ran(deployment, asked("my cat order")).ledger.judgement == "over-refusal"
    assert ran(deployment, asked("a cat")).ledger.judgement == "refused"


def test_callables_of_every_kind(guard: Any) -> None:
    def sync(messages: list[Any]) -> str:
        return f"{messages[-1]['content']}!"

    def text(prompt: str) -> str:
        return f"{prompt}!"

    def typed(question: str, temperature: float = 0.0) -> str:
        return f"{question}!"

    async def stream(messages: list[Any]) -> AsyncIterator[str]:
        for word in (messages[-1]["content"], "!"):
            yield word

    def pieces(messages: list[Any]) -> Iterator[str]:
        yield from (messages[-1]["content"], "!")

    class Bot:
        async def __call__(self, messages: list[Any]) -> dict[str, Any]:
            content = f"{messages[-1]['content']}!"
            return {"choices": [{"message": {"role": "assistant", "content": content}}]}

    for function in (sync, text, typed, stream, pieces, Bot()):
        found = ran(Deployment(guard, model_of(function)), asked("hello"))
        assert (found.reply, found.said) == ("hello!", "hello!"), function
    with pytest.raises(UsageError, match="takes none"):
        model_of(lambda: "x")


def test_documents_reach_the_weights(guard: Any) -> None:
    seen: list[Any] = []

    def apart(messages: list[Any], documents: list[str]) -> str:
        seen.append((messages[-1]["content"], documents))
        return "ok"

    def inside(messages: list[Any]) -> str:
        seen.append(messages[-1]["content"])
        return "ok"

    said = asked("a page", "retrieved", ask="Sum it up")
    for function in (apart, inside):
        assert ran(Deployment(guard, model_of(function)), said).ledger.outcome == "answered"
    assert seen[0] == ("Sum it up", ["a page"])
    assert seen[1] == "<document>\na page\n</document>\n\nSum it up"


def test_a_named_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guard: Any) -> None:
    (tmp_path / "bots_for_a_test.py").write_text(
        "class B:\n    @staticmethod\n    def say(p: str):\n        return p + '?'\n"
    )
    (tmp_path / "broken_for_a_test.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    found = ran(Deployment(guard, named_model("bots_for_a_test:B.say")), asked("hello"))
    assert found.reply == "hello?"
    for name, why in (
        ("bots_for_a_test", "no `module:callable`"),
        ("bots_for_a_test:B.sing", "no callable `B.sing`"),
        ("broken_for_a_test:x", "ZeroDivisionError"),
        ("nowhere_at_all:x", "cannot be imported"),
    ):
        with pytest.raises(UsageError, match=why):
            named_model(name)


# --- servers


def answer(question: str) -> Any:
    return {
        "slow": Slow(3.0),
        "cut": Cut(),
        "busy": Status(503),
        "full": Status(429, waits="0"),
        "wrong": Status(401, {"error": {"code": "invalid_api_key"}}),
        "rejected": Status(400, {"error": {"code": "content_filter", "message": question}}),
        "filter": {"role": "assistant", "content": "", "finish_reason": "content_filter"},
        "text": Raw(b"<html>"),
        "empty": Raw(b'{"choices": []}'),
    }.get(question, "Hello from afar.")


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("hello", ("answered", None, "")),
        ("slow", ("failed", "transport", "timed out")),
        ("cut", ("failed", "transport", "unreachable (IncompleteRead)")),
        ("busy", ("failed", "transport", "HTTP 503")),
        ("full", ("failed", "transport", "HTTP 429")),
        ("wrong", ("failed", "transport", "HTTP 401")),
        ("rejected", ("refused", "provider", "error content_filter")),
        ("filter", ("refused", "provider", "finish_reason content_filter")),
        ("text", ("failed", "transport", "a reply that is not JSON")),
        ("empty", ("failed", "transport", "a reply without choices")),
    ],
)
def test_a_server(guard: Any, question: str, wanted: tuple[Any, ...]) -> None:
    with served(answer) as script:
        server = Server(script.url, "small", key="hunter2", timeout_s=0.5)
        found = ran(Deployment(guard, server), asked(question))
    assert ending(found) == wanted
    assert "hunter2" not in repr(server)
    assert set(script.keys) == {"Bearer hunter2"}
    first = script.asked[0]
    assert first["model"] == "small"
    assert [m["role"] for m in first["messages"]] == ["system", "user"]


def test_a_server_that_recovers(guard: Any) -> None:
    left = iter([Status(503), Status(429, waits="0"), "Now."])
    with served(lambda _: next(left)) as script:
        found = ran(Deployment(guard, Server(script.url)), asked("hello"))
    assert found.reply == "Now."


def test_busy_servers_say_why_and_are_asked_again(guard: Any) -> None:
    busy = Status(429, {"error": {"code": "rate_limit_exceeded"}}, waits="1")
    down = Status(503, {"error": {"type": "server_error"}})
    left = iter([busy, down, "Now."])
    with served(lambda _: next(left)) as script:
        found = ran(Deployment(guard, Server(script.url)), asked("hello"))
    assert found.reply == "Now."
    spent = Status(429, {"error": {"code": "insufficient_quota"}})
    with served(lambda _: spent) as script:
        found = ran(Deployment(guard, Server(script.url)), asked("hello"))
        assert len(script.asked) == 1
    assert ending(found)[:2] == ("failed", "transport")


def test_connections_that_the_server_ended_cost_no_try(
    guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slept(seconds: float) -> None:
        raise AssertionError(f"waited {seconds} s for another try")

    monkeypatch.setattr("time.sleep", slept)
    with served(lambda _: "Here you are.", ends=True) as script:
        server = Server(script.url)
        for _ in range(4):
            assert ran(Deployment(guard, server), asked("hello")).reply == "Here you are."
            assert script.ended.wait(5)
            script.ended.clear()
    assert len(script.asked) == 4


def test_no_server(guard: Any) -> None:
    with served(answer) as script:
        url = script.url
    found = ran(Deployment(guard, Server(url)), asked("hello"))
    assert ending(found) == ("failed", "transport", "unreachable (ConnectionRefusedError)")
    for wrong in ("ftp://x.example", "x.example/v1", "http://", "http://x.example:abc/v1"):
        with pytest.raises(UsageError, match="no http or https address"):
            Server(wrong)
    for wrong in ("http://me:hunter2@x.example/v1", "ftp://hunter2@x.example:abc"):
        with pytest.raises(UsageError, match="names no user") as raised:
            Server(wrong)
        assert "hunter2" not in str(raised.value)


def test_experiments_are_no_traffic(tmp_path: Path) -> None:
    with Audit(tmp_path / "audit.db") as audit:
        guard = loads(POLICY, audit=audit, alarms=[])
        deployment = Deployment(guard, weights)
        for layer in ((), ("input",), ("output",)):
            ran(deployment, asked("a tangerine"), without=frozenset(layer))
        assert guard.listens
        assert guard.monitors is not None
        before = guard.monitors.metrics()
        guard.check("a tangerine")
        assert guard.monitors.metrics() != before
    assert verify(tmp_path / "audit.db").count == 1  # the one that was no experiment
