"""A policy around a model: every way to ask it is one exchange."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, Literal

from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict
from guardkit.wrap import reply_text

from .._around import Around, Call, Plain, is_refusal, placed, taken_back
from .._around import Said as Sent
from ._messages import MESSAGES, data_of
from ._package import package
from ._streams import Kind, Said, Shown


def guarded(
    llm: Any,
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "raise",
    on_hold: Literal["block", "wait"] = "block",
    session: str | Callable[[Mapping[str, Any]], str | None] | None = None,
    context: Mapping[str, object]
    | Callable[[Mapping[str, Any]], Mapping[str, object]]
    | None = None,
    watch: Callable[[Verdict], object] | None = None,
    ledger: Callable[[Ledger], object] | None = None,
) -> Any:
    """A model with a policy around it: what goes in and what comes out is judged at every call.

    Args:
        llm: Any `LLM` of LlamaIndex.
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: Raise `guardkit.Blocked`, or give back a reply that says the rule's message.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the call's keyword arguments that gives it.
        context: Facts for `context.…`, or a function of the keyword arguments that gives them.
        watch: Told of every verdict that is more than a pass.
        ledger: Told at the end of every exchange what it came to.

    Returns:
        A model of the same class, whose `chat`, `complete`, their streams and async twins, and all
        that is made of them (tools, structured output, agents, engines), are guarded. The given
        one stays as it is.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or LlamaIndex is missing or too old.
        UsageError: It is no model, or the policy needs a session.

    Example:
        >>> Settings.llm = guarded(OpenAI("gpt-4o"), "chat")  # doctest: +SKIP
    """
    kind: Any = package("llms").LLM
    if not isinstance(llm, kind):
        raise UsageError(f"a model is an `LLM`, not a `{type(llm).__name__}`")
    around = Around(policy, on_block=on_block, on_hold=on_hold, watch=watch, ledger=ledger)
    if session is None and around.guard.needs_session:
        raise UsageError("the policy remembers something: say whose model it is with `session=`")
    post = _Post(llm, around, session, context)
    made = llm.model_copy()
    own: Any = type(llm)
    # The copy has all that makes up the model, settings and private clients too; only its class,
    # which says how it is asked, is another one.
    object.__setattr__(made, "__class__", _guarded_class(own))
    private = getattr(made, "__pydantic_private__", None) or {}
    object.__setattr__(made, "__pydantic_private__", {**private, "_guardkit_post": post})
    return made


@functools.cache
def _guarded_class(kind: Any) -> Any:
    from pydantic import PrivateAttr

    class Guarded(kind):  # type: ignore[misc]  # the package is not typed here
        """A model with a policy around it."""

        _guardkit_post: Any = PrivateAttr(default=None)

        def chat(self, messages: Any, **kwargs: Any) -> Any:
            return self._guardkit_post.chat(messages, kwargs)

        async def achat(self, messages: Any, **kwargs: Any) -> Any:
            return await self._guardkit_post.achat(messages, kwargs)

        def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
            return self._guardkit_post.stream_chat(messages, kwargs)

        async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
            return await self._guardkit_post.astream_chat(messages, kwargs)

        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            return self._guardkit_post.complete(prompt, {"formatted": formatted, **kwargs})

        async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            return await self._guardkit_post.acomplete(prompt, {"formatted": formatted, **kwargs})

        def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            return self._guardkit_post.stream_complete(prompt, {"formatted": formatted, **kwargs})

        async def astream_complete(
            self, prompt: str, formatted: bool = False, **kwargs: Any
        ) -> Any:
            return await self._guardkit_post.astream_complete(
                prompt, {"formatted": formatted, **kwargs}
            )

    Guarded.__name__ = Guarded.__qualname__ = f"Guarded{kind.__name__}"
    return Guarded


class _Post:
    """Stands between the callers of a model and the model."""

    def __init__(self, llm: Any, around: Around, session: Any, context: Any) -> None:
        self._llm, self._around = llm, around
        self._session, self._context = session, context

    def __repr__(self) -> str:
        return f"<guarded by {self._around.guard!r}>"

    def __deepcopy__(self, memo: Any) -> _Post:
        return self  # a guard has locks, and what it remembers is one

    # --- whole replies

    def chat(self, messages: Any, keys: Mapping[str, Any]) -> Any:
        asked = _Asked("chat", messages, keys)
        return asked.shown(self._ask(asked, lambda sent: asked.reply(self._llm.chat(**sent))))

    async def achat(self, messages: Any, keys: Mapping[str, Any]) -> Any:
        asked = _Asked("chat", messages, keys)

        async def send(sent: Any) -> Plain:
            return asked.reply(await self._llm.achat(**sent))

        return asked.shown(await self._aask(asked, send))

    def complete(self, prompt: str, keys: Mapping[str, Any]) -> Any:
        asked = _Asked("completion", prompt, keys)
        return asked.shown(self._ask(asked, lambda sent: asked.reply(self._llm.complete(**sent))))

    async def acomplete(self, prompt: str, keys: Mapping[str, Any]) -> Any:
        asked = _Asked("completion", prompt, keys)

        async def send(sent: Any) -> Plain:
            return asked.reply(await self._llm.acomplete(**sent))

        return asked.shown(await self._aask(asked, send))

    # --- streams

    def stream_chat(self, messages: Any, keys: Mapping[str, Any]) -> Iterator[Any]:
        asked = _Asked("chat", messages, keys)
        stream = self._ask(asked, lambda sent: asked.chunks(self._llm.stream_chat(**sent)))
        return asked.responses(stream)

    async def astream_chat(self, messages: Any, keys: Mapping[str, Any]) -> AsyncIterator[Any]:
        asked = _Asked("chat", messages, keys)

        async def send(sent: Any) -> Any:
            return asked.achunks(await self._llm.astream_chat(**sent))

        return asked.aresponses(await self._aask(asked, send))

    def stream_complete(self, prompt: str, keys: Mapping[str, Any]) -> Iterator[Any]:
        asked = _Asked("completion", prompt, keys)
        stream = self._ask(asked, lambda sent: asked.chunks(self._llm.stream_complete(**sent)))
        return asked.responses(stream)

    async def astream_complete(self, prompt: str, keys: Mapping[str, Any]) -> AsyncIterator[Any]:
        asked = _Asked("completion", prompt, keys)

        async def send(sent: Any) -> Any:
            return asked.achunks(await self._llm.astream_complete(**sent))

        return asked.aresponses(await self._aask(asked, send))

    # --- both

    def _ask(self, asked: _Asked, send: Callable[[Any], Any]) -> Any:
        call = self._call(asked, send)
        return self._around.ask(call, asked.plain, tools=asked.tools, other=asked.other)

    async def _aask(self, asked: _Asked, send: Callable[[Any], Any]) -> Any:
        call = self._call(asked, send)
        return await self._around.aask(call, asked.plain, tools=asked.tools, other=asked.other)

    def _call(self, asked: _Asked, send: Callable[[Any], Any]) -> Call:
        session = self._session(asked.keys) if callable(self._session) else self._session
        context = self._context(asked.keys) if callable(self._context) else self._context
        return Call(lambda sent: send(asked.sent(sent)), session, context)


class _Asked:
    """One question: what is judged of it, what is sent, and what came back."""

    def __init__(self, kind: Kind, said: Any, keys: Mapping[str, Any]) -> None:
        self.keys = keys
        self._kind: Kind = kind
        self._said = said
        self._response: Any = None
        if kind == "chat":
            self.plain = placed(MESSAGES, said)
        else:
            self.plain = [{"role": "user", "content": said, "id": "0"}]
        self._tools: Sequence[Any] = keys.get("tools") or ()
        self.tools = [_tool(each) for each in self._tools]
        options = {key: value for key, value in keys.items() if key != "tools" and _is_data(value)}
        self.other = [options] if options else []

    def sent(self, sent: Sent) -> dict[str, Any]:
        """What the model may be asked with."""
        keys = {**self.keys, **(sent.other[0] if sent.other else {})}
        if self._tools:
            keys["tools"] = [
                _tool_back(given, plain, tool)
                for given, plain, tool in zip(sent.tools, self.tools, self._tools, strict=True)
            ]
        if self._kind == "chat":
            return {"messages": taken_back(MESSAGES, sent.messages, self._said), **keys}
        # The context layer goes in front: a prompt has no other place for it.
        return {"prompt": "\n\n".join(each["content"] for each in sent.messages), **keys}

    def reply(self, response: Any) -> Plain:
        """A whole response in the chat format."""
        self._response = response
        if self._kind == "chat":
            message = {**MESSAGES.plain(response.message), "role": "assistant"}
        else:
            message = {"role": "assistant", "content": response.text}
        choice: Plain = {"index": 0, "finish_reason": "stop", "message": message}
        if beside := data_of(response.additional_kwargs):
            choice["additional_kwargs"] = beside
        return {"object": "chat.completion", "choices": [choice]}

    def shown(self, reply: Plain) -> Any:
        """The response that may be shown; the very same where no rule changed it."""
        if is_refusal(reply):
            return _response(self._kind, reply_text(reply))
        response = self._response
        sent, given = self.reply(response)["choices"][0], reply["choices"][0]
        if given == sent:
            return response
        # What the client got, and its tokens one by one, hold the reply as the model wrote it.
        update: dict[str, Any] = {"raw": None, "logprobs": None, "delta": None}
        update["additional_kwargs"] = given.get("additional_kwargs") or {}
        if self._kind == "chat":
            message = {**given["message"], "role": MESSAGES.plain(response.message)["role"]}
            update["message"] = MESSAGES.changed(response.message, message)
        else:
            update["text"] = given["message"]["content"]
        return response.model_copy(update=update)

    # --- streams

    def chunks(self, responses: Any) -> Iterator[Plain]:
        """A stream of responses in the chat format."""
        said = self._response = Said(self._kind)
        with closing(responses):
            for response in responses:
                yield from said.feed(response)
            yield from said.finish()

    async def achunks(self, responses: Any) -> AsyncIterator[Plain]:
        said = self._response = Said(self._kind)
        async with aclosing(responses):
            async for response in responses:
                for chunk in said.feed(response):
                    yield chunk
            for chunk in said.finish():
                yield chunk

    def responses(self, stream: Any) -> Iterator[Any]:
        """What may be shown of a stream."""
        if isinstance(stream, dict):  # blocked before the model was asked
            yield _response(self._kind, reply_text(stream))
            return
        shown: Shown | None = None
        with closing(stream):
            for chunk in stream:
                shown = Shown(self._kind, self._response) if shown is None else shown
                yield from shown.feed(chunk)

    async def aresponses(self, stream: Any) -> AsyncIterator[Any]:
        if isinstance(stream, dict):
            yield _response(self._kind, reply_text(stream))
            return
        shown: Shown | None = None
        async with aclosing(stream):
            async for chunk in stream:
                shown = Shown(self._kind, self._response) if shown is None else shown
                for response in shown.feed(chunk):
                    yield response


def _response(kind: Kind, text: str) -> Any:
    llms = package("llms")
    if kind == "completion":
        return llms.CompletionResponse(text=text, delta=text)
    message = llms.ChatMessage(role="assistant", content=text)
    return llms.ChatResponse(message=message, delta=text)


def _is_data(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_data(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(_is_data(inner) for inner in value)
    return isinstance(value, str | int | float | None)


def _tool(tool: Any) -> Plain:
    if isinstance(tool, Mapping):
        return dict(tool)
    made: Plain = tool.metadata.to_openai_tool(skip_length_check=True)
    return made


def _tool_back(given: Plain, plain: Plain, tool: Any) -> Any:
    if given == plain:
        return tool
    if isinstance(tool, Mapping):
        return given
    raise UsageError("a rule rewrites the definition of a tool, which cannot be changed here")
