"""What LangChain sends and gets, beside the messages that `wrap` reads as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from guardkit.errors import UsageError
from guardkit.types import Verdict

from ._packages import messages, taken

_WIRE_CALLS: Final = frozenset({
    "tool_use", "input_json_delta", "function_call", "tool_call", "tool_call_chunk",
})  # fmt: skip
"""Blocks of a chunk's content that say once more, in a provider's words, what its calls say."""
_CALLS_BESIDE: Final = frozenset({"tool_calls", "function_call"})
"""The same beside the content."""
_READ: Final = frozenset({"text", "thinking", "reasoning"})
"""Blocks that hold text and nothing else."""
_QUIET: Final = frozenset({"model_provider"})
"""What every chunk may repeat in its metadata without changing the sum."""


# --- what goes with a question


def readable(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a call that may hold text, tools aside, in a form that can be read."""
    return {
        name: _schema(value)
        for name, value in keywords.items()
        if name != "tools" and value is not None and not isinstance(value, bool | int | float)
    }


def definitions(tools: Sequence[Any]) -> list[dict[str, Any]]:
    """Tools as they are sent: those that are no plain data yet, in the form most models take."""
    convert = taken("langchain_core.utils.function_calling", "convert_to_openai_tool")
    return [tool if isinstance(tool, dict) else convert(tool) for tool in tools]


def put_back(keywords: Mapping[str, Any], tools: Sequence[Any], other: Any) -> dict[str, Any]:
    """The keywords with the changes that rules made; the very same objects where there are none.

    Args:
        keywords: Those of the call.
        tools: Its tools, as judged.
        other: Its other keywords, as judged.
    """
    sent = dict(keywords)
    if (given := keywords.get("tools")) is not None:
        pairs = zip(given, definitions(given), tools, strict=True)
        sent["tools"] = [tool if new == was else new for tool, was, new in pairs]
    was = readable(keywords)
    sent |= {name: new for name, new in other.items() if new != was.get(name)}
    return sent


def _schema(value: Any) -> Any:
    # A class given as the form of the reply: its docstring and descriptions are sent.
    make = getattr(value, "model_json_schema", None)
    return make() if isinstance(value, type) and make is not None else value


# --- what comes back


def heard(generation: Any) -> Any:
    """The message of a generation, with what the generation says about itself."""
    told = generation.generation_info
    if not told:
        return generation.message
    metadata = {**told, **generation.message.response_metadata}
    return generation.message.model_copy(update={"response_metadata": metadata})


def pieces(generation: Any) -> Iterator[Any]:
    """What a chunk holds, each kind alone, in the form in which `wrap` reads that kind.

    One chunk may come out as several, or late; usage and reasons to stop would count twice if they
    stood in each. Blocks are given as whole messages: pictures and calls that a provider ran are
    judged as they come, and of text it makes no difference.
    """
    chunk = heard(generation)
    metadata = chunk.response_metadata
    tells = chunk.usage_metadata or chunk.chunk_position or metadata.keys() - _QUIET
    is_plain = isinstance(chunk.content, str) and not chunk.additional_kwargs
    if is_plain and not (tells and (chunk.content or chunk.tool_call_chunks)):
        yield chunk
        return
    made, whole = type(chunk), messages("AIMessage")
    same = {"id": chunk.id, "response_metadata": {k: metadata[k] for k in _QUIET & metadata.keys()}}
    if isinstance(chunk.content, list):
        for blocks in _runs(chunk.content, has_calls=bool(chunk.tool_call_chunks)):
            yield whole(content=blocks, **same)
    elif chunk.content:
        yield made(content=chunk.content, **same)
    if extra := {k: v for k, v in chunk.additional_kwargs.items() if k not in _CALLS_BESIDE}:
        yield whole(content="", additional_kwargs=extra, **same)
    if chunk.tool_call_chunks:
        yield made(content="", tool_call_chunks=chunk.tool_call_chunks, **same)
    if tells:
        silent = {"content": "", "additional_kwargs": {}, "tool_call_chunks": []}
        yield chunk.model_copy(update={**silent, "tool_calls": [], "invalid_tool_calls": []})


def _runs(content: list[Any], *, has_calls: bool) -> Iterator[list[Any]]:
    """Blocks of a chunk: those that can be read together, each of the others by itself."""
    run: list[Any] = []
    for block in content:
        kind = block.get("type") if isinstance(block, dict) else "text"
        if kind in _READ:
            run.append(block)
            continue
        if run:
            yield run
            run = []
        if not (has_calls and kind in _WIRE_CALLS):
            yield [block]
    if run:
        yield run


def chunk_of(message: Any) -> Any:
    """A whole message as one chunk of a stream."""
    made = messages("AIMessageChunk")
    if isinstance(message, made):
        return message
    fields = {name: getattr(message, name) for name in type(message).model_fields}
    fields.pop("type")
    return made(**fields)


# --- blocks


def refusal(verdict: Verdict, **fields: Any) -> Any:
    """A message of the model that says a verdict's message, as a filter of a provider would."""
    return messages("AIMessage")(content=verdict.text, response_metadata=_why(verdict), **fields)


def refusal_chunk(verdict: Verdict, **fields: Any) -> Any:
    """`refusal`, as the last chunk of a stream."""
    made = messages("AIMessageChunk")
    why = _why(verdict)
    return made(content=verdict.text, response_metadata=why, chunk_position="last", **fields)


def tool_refusal(verdict: Verdict, call_id: str, name: str, **fields: Any) -> Any:
    """What the model reads in place of what a tool gave, or would have."""
    return messages("ToolMessage")(
        content=verdict.text,
        name=name,
        tool_call_id=call_id,
        status="error",
        response_metadata={"guardkit": verdict.as_dict()},
        **fields,
    )


def _why(verdict: Verdict) -> dict[str, Any]:
    return {"finish_reason": "content_filter", "guardkit": verdict.as_dict()}


def is_refusal(message: Any) -> bool:
    """Whether a message is one that a block made."""
    return "guardkit" in (getattr(message, "response_metadata", None) or {})


def refuse_kind(model: Any) -> UsageError:
    """The error for what is no chat model."""
    return UsageError(
        f"a guard goes around a chat model, one with tools bound to it, or its name, "
        f"not a `{type(model).__qualname__}`: put `guarded(...)` where the chain asks its model"
    )
