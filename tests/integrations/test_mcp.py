"""MCP: a policy inside a server, and around a client, both of the real package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest

import guardkit

from ._tools import EXAMPLES, needs

pytestmark = needs("mcp")

POLICY = r"""
guardkit 1
policy shop

check bad   = words   { list ["FORBIDDEN"] }
check order = pattern { match /\bNB-\d{4}\b/  label "order" }

rule stop {
  tier safety
  on   input, retrieved, tool_call, tool_result, output
  when bad
  then block "Not here."
}

rule mask {
  tier safety
  on   input, retrieved, tool_call, tool_result, output
  when order
  then rewrite matches as "[{label}]"
}
"""
REMEMBERS = (
    POLICY
    + """
window often { count mask last 9 turns per session }

rule enough {
  tier safety
  on   conversation
  when often >= 2
  then block "Enough." for session
}
"""
)
UNREAD_IS_FINE = POLICY + "\ndefaults { unread flag }\n"

Test = Callable[..., Awaitable[None]]
both = pytest.mark.parametrize("backend", ["asyncio", "trio"])
eras = pytest.mark.parametrize("mode", ["auto", "legacy"])


def guard_of(policy: str = POLICY) -> guardkit.Guard:
    return guardkit.loads(policy)


def shop(*, middleware: Any = None, ran: list[Any] | None = None) -> Any:
    """A server with a tool, a resource and a prompt that say what they are asked, and worse."""
    from mcp.server.mcpserver import Image, MCPServer
    from mcp.server.mcpserver.exceptions import ResourceError, ToolError
    from mcp_types import TextContent

    made = MCPServer("shop", middleware=[] if middleware is None else [middleware])
    seen: list[Any] = [] if ran is None else ran

    @made.tool()
    def echo(text: str) -> str:
        """Says it again."""
        seen.append(text)
        return f"{text}."

    @made.tool()
    def find(text: str) -> str:
        """Finds it."""
        seen.append(text)
        return {"bad": "it is FORBIDDEN", "order": "it is NB-4321"}.get(text, "nothing")

    @made.tool(structured_output=False)
    def parts() -> Any:
        """Says it in pieces."""
        return [TextContent(text="it is FORB"), TextContent(text="IDDEN")]

    @made.tool(structured_output=False)
    def draw() -> Any:
        """Draws it."""
        return Image(data=b"png", format="png")

    @made.tool()
    def fail(text: str) -> str:
        """Fails."""
        raise ToolError({"bad": "FORBIDDEN", "order": "no NB-4321"}[text])

    @made.tool(description="Obey: FORBIDDEN.")
    def poisoned() -> str:
        return "fine"

    @made.resource("shop://order")
    def order() -> str:
        return "order NB-4321"

    @made.resource("shop://bad")
    def bad() -> str:
        return "this is FORBIDDEN"

    @made.resource("shop://file", mime_type="application/pdf")
    def file() -> bytes:
        return b"%PDF"

    @made.resource("shop://broken")
    def broken() -> str:
        raise ResourceError("no FORBIDDEN here")

    @made.prompt()
    def ask(about: str) -> str:
        seen.append(about)
        return {"bad": "be FORBIDDEN"}.get(about, f"tell of {about} and NB-1234")

    return made


def text_of(result: Any) -> str:
    return "".join(part.text for part in result.content)


@contextmanager
def refusal(message: str = "Not here.") -> Iterator[Any]:
    """An error of MCP that says a rule's message, and nothing of what was guarded."""
    from mcp import MCPError

    with pytest.raises(MCPError) as caught:
        yield caught
    assert caught.value.message == message
    assert caught.value.data == {"type": "guardkit_blocked"}
    error: Any = caught.value
    while error is not None:
        for shown in (str(error), repr(error)):
            assert "FORB" not in shown
            assert "NB-" not in shown
        error = error.__context__


def run(test: Test, *args: Any, backend: str = "asyncio") -> None:
    anyio.run(test, *args, backend=backend)


# --- the server


@both
@eras
def test_calls_are_judged_before_and_results_after(backend: str, mode: str) -> None:
    from mcp import Client

    from guardkit.integrations.mcp import middleware

    ran: list[Any] = []
    told: list[guardkit.Verdict] = []

    async def main() -> None:
        server = shop(middleware=middleware(guard_of(), watch=told.append), ran=ran)
        async with Client(server, mode=mode) as client:
            result = await client.call_tool("echo", {"text": "where is NB-1234?"})
            assert ran == ["where is [ORDER]?"]
            assert text_of(result) == "where is [ORDER]?."
            result = await client.call_tool("echo", {"text": "a FORBIDDEN thing"})
            assert (result.is_error, text_of(result)) == (True, "Not here.")
            assert len(ran) == 1
            result = await client.call_tool("find", {"text": "order"})
            assert text_of(result) == "it is [ORDER]"
            assert result.structured_content == {"result": "it is [ORDER]"}
            result = await client.call_tool("find", {"text": "bad"})
            assert (result.is_error, text_of(result)) == (True, "Not here.")
            assert result.structured_content is None
            result = await client.call_tool("parts")
            assert (result.is_error, text_of(result)) == (True, "Not here.")

    run(main, backend=backend)
    # The client lists the tools by itself, to know what they give.
    noted = [(verdict.action, verdict.surface) for verdict in told if verdict.surface != "input"]
    assert noted == [
        ("rewrite", "tool_call"),
        ("block", "tool_call"),
        ("rewrite", "tool_result"),
        ("block", "tool_result"),
        ("block", "tool_result"),
    ]


@eras
def test_a_blocked_call_may_be_an_error_of_the_protocol(mode: str) -> None:
    from mcp import Client

    from guardkit.integrations.mcp import middleware

    async def main() -> None:
        server = shop(middleware=middleware(guard_of(), on_block="raise"))
        async with Client(server, mode=mode) as client:
            with refusal():
                await client.call_tool("echo", {"text": "a FORBIDDEN thing"})
            with refusal():
                await client.call_tool("find", {"text": "bad"})

    run(main)


@both
@eras
def test_resources_and_prompts_are_judged(backend: str, mode: str) -> None:
    from mcp import Client

    from guardkit.integrations.mcp import middleware

    ran: list[Any] = []

    async def main() -> None:
        server = shop(middleware=middleware(guard_of()), ran=ran)
        async with Client(server, mode=mode) as client:
            found = await client.read_resource("shop://order")
            assert found.contents[0].text == "order [ORDER]"
            prompt = await client.get_prompt("ask", {"about": "NB-4321"})
            assert prompt.messages[0].content.text == "tell of [ORDER] and [ORDER]"
            assert ran == ["[ORDER]"]
            for uri in ("shop://bad", "shop://file", "shop://FORBIDDEN"):
                said = "This could not be checked." if "file" in uri else "Not here."
                with refusal(said):
                    await client.read_resource(uri)
            for about in ("bad", "FORBIDDEN"):
                with refusal():
                    await client.get_prompt("ask", {"about": about})
            assert ran == ["[ORDER]", "bad"]

    run(main, backend=backend)


@eras
def test_what_a_handler_raises_is_judged_too(mode: str) -> None:
    from mcp import Client, MCPError
    from mcp.server.lowlevel import Server

    from guardkit.integrations.mcp import middleware

    async def main() -> None:
        async with Client(shop(middleware=middleware(guard_of())), mode=mode) as client:
            result = await client.call_tool("fail", {"text": "order"})
            assert result.is_error
            assert "no [ORDER]" in text_of(result)
            result = await client.call_tool("fail", {"text": "bad"})
            assert (result.is_error, text_of(result)) == (True, "Not here.")

        async def read(ctx: Any, params: Any) -> Any:
            raise MCPError(code=-32002, message=f"no {params.uri}: NB-4321", data=["FORB"])

        server = Server("plain", on_read_resource=read)
        server.middleware.append(middleware(guard_of()))
        async with Client(server, mode=mode) as client:
            with pytest.raises(MCPError) as caught:
                await client.read_resource("shop://x")
            assert caught.value.code == -32002
            assert caught.value.message == "no shop://x: [ORDER]"
            assert caught.value.data == ["FORB"]

    run(main)


@eras
def test_a_poisoned_tool_is_not_listed(mode: str) -> None:
    from mcp import Client

    from guardkit.integrations.mcp import middleware

    told: list[guardkit.Verdict] = []

    async def main() -> None:
        server = shop(middleware=middleware(guard_of(), watch=told.append))
        async with Client(server, mode=mode) as client:
            listed = await client.list_tools()
            assert [tool.name for tool in listed.tools] == ["echo", "find", "parts", "draw", "fail"]

    run(main)
    assert [(verdict.action, verdict.surface) for verdict in told] == [("block", "input")]


@eras
def test_what_cannot_be_read_is_unknown(mode: str) -> None:
    from mcp import Client

    from guardkit.integrations.mcp import middleware

    told: list[guardkit.Verdict] = []

    async def main(policy: str) -> Any:
        told.clear()
        server = shop(middleware=middleware(guard_of(policy), watch=told.append))
        async with Client(server, mode=mode) as client:
            return await client.session.call_tool("draw")

    blocked = anyio.run(main, POLICY)
    assert blocked.is_error
    assert [part.type for part in blocked.content] == ["text"]
    assert [verdict.action for verdict in told if verdict.surface == "tool_result"] == ["block"]
    shown = anyio.run(main, UNREAD_IS_FINE)
    assert [part.type for part in shown.content] == ["image"]
    assert [verdict.action for verdict in told if verdict.surface == "tool_result"] == ["flag"]


def test_words_in_place_of_an_image_are_read() -> None:
    """`data` that is no base64 is a text, whatever its part says that it is."""
    from guardkit.integrations._judged import Judge

    judge = Judge(guard_of(UNREAD_IS_FINE))
    part = {"type": "image", "data": "this, of all, is FORBIDDEN"}
    assert judge.run(judge.data(part, "tool_result", {})).stop is not None
    deep: Any = "fine"
    for _ in range(70):
        deep = [deep]
    assert judge.run(judge.data(deep, "tool_result", {})).stop is not None
    names = {"properties": {"NB-1234": {}}}
    assert judge.run(judge.data(names, "tool_result", {})).stop is not None


def test_a_policy_that_remembers_needs_a_session() -> None:
    from mcp import Client

    from guardkit.integrations.mcp import guarded, middleware

    async def main() -> None:
        guard = guard_of(REMEMBERS)
        async with Client(shop(middleware=middleware(guard)), mode="legacy") as client:
            with pytest.raises(Exception, match="session"):
                await client.call_tool("find", {"text": "x"})
        with pytest.raises(guardkit.UsageError, match="session"):
            guarded(Client(shop()), guard)
        whose = middleware(guard, session=lambda ctx: f"tool {(ctx.params or {}).get('name')}")
        async with Client(shop(middleware=whose)) as client:
            assert text_of(await client.call_tool("find", {"text": "order"})) == "it is [ORDER]"
            assert text_of(await client.call_tool("echo", {"text": "hello"})) == "hello."
            assert text_of(await client.call_tool("find", {"text": "order"})) == "Enough."
            assert text_of(await client.call_tool("echo", {"text": "hello"})) == "hello."

    run(main)


def test_over_http_the_transports_session_is_the_default() -> None:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    from guardkit.integrations.mcp import middleware

    async def main() -> None:
        server = shop(middleware=middleware(guard_of(REMEMBERS)))
        app = server.streamable_http_app()

        async def said(times: int) -> list[str]:
            http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app))
            where = streamable_http_client("http://127.0.0.1:8000/mcp", http_client=http)
            async with http, Client(where, mode="legacy") as client:
                results = [await client.call_tool("find", {"text": "order"}) for _ in range(times)]
            return [text_of(result) for result in results]

        async with server.session_manager.run():
            assert await said(2) == ["it is [ORDER]", "Enough."]
            assert await said(1) == ["it is [ORDER]"]

    run(main)


@both
def test_a_cancelled_call_stays_cancelled(backend: str) -> None:
    from mcp import Client
    from mcp.server.mcpserver import MCPServer

    from guardkit.integrations.mcp import guarded, middleware

    ended: list[str] = []

    async def main() -> None:
        server = MCPServer("slow", middleware=[middleware(guard_of())])

        @server.tool()
        async def wait() -> str:
            try:
                await anyio.sleep_forever()
            finally:
                ended.append("closed")

        async with guarded(Client(server), guard_of()) as client:
            with anyio.move_on_after(0.2) as scope:
                await client.call_tool("wait")
            assert scope.cancelled_caught

    run(main, backend=backend)
    assert ended == ["closed"]


# --- the client


@both
@eras
def test_a_client_is_shown_only_what_was_judged(backend: str, mode: str) -> None:
    from mcp import Client

    from guardkit.integrations.mcp import guarded

    ran: list[Any] = []

    async def main() -> None:
        async with guarded(Client(shop(ran=ran), mode=mode), guard_of()) as client:
            assert isinstance(client, Client)
            result = await client.call_tool("echo", {"text": "where is NB-1234?"})
            assert ran == ["where is [ORDER]?"]
            assert text_of(result) == "where is [ORDER]?."
            result = await client.call_tool("find", {"text": "order"})
            assert text_of(result) == "it is [ORDER]"
            assert result.structured_content == {"result": "it is [ORDER]"}
            for name, text in (("echo", "FORBIDDEN"), ("find", "bad"), ("fail", "bad")):
                with refusal() as caught:
                    await client.call_tool(name, {"text": text})
                assert isinstance(caught.value, guardkit.Blocked)
                assert caught.value.verdict.action == "block"
            for name in ("parts", "draw"):
                with pytest.raises(guardkit.Blocked):
                    await client.call_tool(name)
            assert "FORBIDDEN" not in ran
            listed = await client.list_tools()
            assert "poisoned" not in [tool.name for tool in listed.tools]
            found = await client.read_resource("shop://order")
            assert found.contents[0].text == "order [ORDER]"
            for uri in ("shop://bad", "shop://broken"):
                with refusal():
                    await client.read_resource(uri)
            with refusal("This could not be checked."):
                await client.read_resource("shop://file")
            with refusal():
                await client.get_prompt("ask", {"about": "bad"})

    run(main, backend=backend)


@eras
def test_what_no_rule_changed_is_the_same_result(mode: str) -> None:
    from mcp import Client

    from guardkit.integrations.mcp import guarded

    async def main() -> None:
        async with guarded(Client(shop(), mode=mode), guard_of()) as client:
            plain: list[Any] = []
            inner = client.session.send_request.args[0]

            async def noted(*args: Any, **keys: Any) -> Any:
                plain.append(await inner(*args, **keys))
                return plain[-1]

            client.session.send_request = type(client.session.send_request)(
                client.session.send_request.func, noted
            )
            result = await client.call_tool("echo", {"text": "hello"})
            assert any(each is result for each in plain)

    run(main)


@eras
def test_a_blocked_result_may_be_an_error_that_a_model_reads(mode: str) -> None:
    from mcp import Client

    from guardkit.integrations.mcp import guarded

    async def main() -> None:
        async with guarded(Client(shop(), mode=mode), guard_of(), on_block="reply") as client:
            for name, text in (("echo", "FORBIDDEN"), ("find", "bad"), ("fail", "bad")):
                result = await client.call_tool(name, {"text": text})
                assert (result.is_error, text_of(result)) == (True, "Not here.")
            with pytest.raises(guardkit.Blocked):
                await client.read_resource("shop://bad")

    run(main)


@eras
def test_what_a_server_says_of_itself_is_judged_when_connecting(mode: str) -> None:
    from mcp import Client
    from mcp.server.mcpserver import MCPServer

    from guardkit.integrations.mcp import guarded

    async def main() -> None:
        server = MCPServer("a", instructions="mind NB-1234")
        async with guarded(Client(server, mode=mode), guard_of()) as client:
            assert client.instructions == "mind [ORDER]"
        for server in (MCPServer("a", instructions="FORBIDDEN"), MCPServer("FORBIDDEN")):
            with pytest.raises(guardkit.Blocked):
                async with guarded(Client(server, mode=mode), guard_of()):
                    raise AssertionError

    run(main)


@eras
def test_what_a_server_asks_of_a_model_or_a_user_is_judged(mode: str) -> None:
    from mcp import Client
    from mcp.server.lowlevel import Server
    from mcp_types import (
        CallToolResult,
        ElicitRequest,
        ElicitRequestFormParams,
        ElicitResult,
        InputRequiredResult,
        ListToolsResult,
        TextContent,
    )

    from guardkit.integrations.mcp import guarded

    questions: list[str] = []

    async def asked(ctx: Any, params: Any) -> Any:
        questions.append(params.message)
        return ElicitResult(action="accept", content={"who": "NB-1111"})

    async def call(ctx: Any, params: Any) -> Any:
        """As a server asks: in a result today, by a request of its own before."""
        form = ElicitRequestFormParams(
            message=params.name, requested_schema={"type": "object", "properties": {}}
        )
        if ctx.protocol_version < "2026":
            answer = await ctx.session.elicit_form(form.message, form.requested_schema)
        elif params.input_responses is None:
            return InputRequiredResult(input_requests={"q": ElicitRequest(params=form)})
        else:
            answer = params.input_responses["q"]
        return CallToolResult(content=[TextContent(text=str(answer.content["who"]))])

    async def main() -> None:
        async def tools(ctx: Any, params: Any) -> Any:
            return ListToolsResult(tools=[])

        server = Server("asks", on_call_tool=call, on_list_tools=tools)
        client = Client(server, mode=mode, elicitation_callback=asked)
        async with guarded(client, guard_of()) as client:
            result = await client.session.call_tool("about NB-1234", allow_input_required=True)
            if mode == "auto":
                (question,) = result.input_requests.values()
                assert question.params.message == "about NB-1234"[:6] + "[ORDER]"
            with refusal() as caught:
                await client.call_tool("a FORBIDDEN question")
            # Before, the server is refused, and says so.
            assert isinstance(caught.value, guardkit.Blocked) == (mode == "auto")

    run(main)
    assert "FORBIDDEN" not in " ".join(questions)


def test_a_session_is_guarded_itself() -> None:
    from mcp import ClientSession
    from mcp.shared.memory import create_client_server_memory_streams

    from guardkit.integrations.mcp import guarded

    async def main() -> None:
        server = shop()._lowlevel_server
        async with (
            create_client_server_memory_streams() as (near, far),
            anyio.create_task_group() as group,
        ):
            group.start_soon(server.run, *far, server.create_initialization_options())
            bare = ClientSession(*near)
            session = guarded(bare, guard_of())
            assert session is bare
            async with session:
                await session.initialize()
                assert text_of(await session.call_tool("find", {"text": "order"})) == (
                    "it is [ORDER]"
                )
                with pytest.raises(guardkit.Blocked):
                    await session.call_tool("find", {"text": "bad"})
            group.cancel_scope.cancel()

    run(main)


def test_only_a_client_that_is_not_connected_can_be_guarded() -> None:
    from mcp import Client

    from guardkit.integrations.mcp import guarded

    async def main() -> None:
        async with Client(shop()) as client:
            with pytest.raises(guardkit.UsageError, match="before it is connected"):
                guarded(client, guard_of())
        with pytest.raises(guardkit.UsageError, match="not a `str`"):
            guarded("http://shop.example", guard_of())

    run(main)


# --- the package


def test_a_package_that_is_too_old_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardkit.integrations.mcp import _package, middleware

    _package.package.cache_clear()
    monkeypatch.setattr(_package, "version", lambda name: "2.2.9")
    with pytest.raises(guardkit.BindError) as caught:
        middleware(guard_of())
    said = "this integration needs `mcp` 2.3 or newer: pip install 'guardkit[mcp]'"
    assert str(caught.value) == said


@pytest.mark.parametrize("call", ["middleware('chat')", "guarded(None, 'chat')"])
def test_a_missing_package_is_named_with_its_extra(call: str) -> None:
    name = call.partition("(")[0]
    program = (
        f"import sys\nfrom guardkit.integrations.mcp import {name}\n"
        f"assert 'mcp' not in sys.modules\nsys.modules['mcp'] = None\n{call}"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert ran.stderr.splitlines()[-1] == (
        "guardkit.errors.BindError: this integration needs `mcp`: pip install 'guardkit[mcp]'"
    )


def test_the_example_runs() -> None:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / "mcp_app.py")],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        "asked for: order [ORDER]",
        "tools: find, refund",
        "find: order [ORDER] is on its way to [MAIL]",
        "stopped: I keep to my rules.",
        "read: order [ORDER], for [MAIL]",
    ]
