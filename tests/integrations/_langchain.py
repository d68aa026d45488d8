"""A model for tests of the LangChain adapters: their own fake one, which streams calls too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


def scripted(*says: Any, step: int = 3, asked: list[Any] | None = None) -> Any:
    """A chat model that gives these replies: texts, messages, or errors to raise.

    Args:
        says: Its replies, in order.
        step: How many characters a chunk of a stream has.
        asked: Told the messages and keywords of every question.
    """
    return _kind()(messages=iter(says), step=step, asked=[] if asked is None else asked)


def calling(name: str, call: str = "c1", **arguments: Any) -> Any:
    """A reply that calls a tool."""
    from langchain_core.messages import AIMessage

    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": call}])


@cache
def _kind() -> Any:
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
    from langchain_core.utils.function_calling import convert_to_openai_tool

    class Scripted(GenericFakeChatModel):
        step: int = 3
        asked: Any = None
        closed: int = 0

        def __init__(self, **fields: Any) -> None:
            super().__init__(**fields)
            self.asked = fields["asked"]  # the very list: fields are copied

        def _generate(
            self, messages: Any, stop: Any = None, run_manager: Any = None, **keywords: Any
        ) -> Any:
            self.asked.append((messages, keywords))
            said = next(self.messages)
            if isinstance(said, BaseException):
                raise said
            message = AIMessage(said) if isinstance(said, str) else said
            generation = ChatGeneration(message=message, generation_info={"finish_reason": "stop"})
            return ChatResult(generations=[generation], llm_output={"model_name": "scripted"})

        def _stream(
            self, messages: Any, stop: Any = None, run_manager: Any = None, **keywords: Any
        ) -> Iterator[Any]:
            made = self._generate(messages, stop, None, **keywords).generations[0].message
            try:
                for content in self._pieces(made.content):
                    yield _chunk(content=content)
                for index, call in enumerate(made.tool_calls):
                    begun = {"name": call["name"], "args": "", "id": call["id"], "index": index}
                    yield _chunk(content="", tool_call_chunks=[begun])
                    for piece in self._pieces(json.dumps(call["args"])):
                        more = {"name": None, "args": piece, "id": None, "index": index}
                        yield _chunk(content="", tool_call_chunks=[more])
                yield ChatGenerationChunk(
                    message=AIMessageChunk(
                        content="", id="m", usage_metadata=USAGE, chunk_position="last"
                    ),
                    generation_info={"finish_reason": "stop"},
                )
            finally:
                self.closed += 1

        def _pieces(self, content: Any) -> list[Any]:
            if isinstance(content, str):
                return [content[at : at + self.step] for at in range(0, len(content), self.step)]
            return [[block] for block in content]

        def _combine_llm_outputs(self, outputs: Any) -> Any:
            return outputs[0] or {}

        def bind_tools(self, tools: Any, **keywords: Any) -> Any:
            keywords.pop("tool_choice", None)
            return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **keywords)

    def _chunk(**fields: Any) -> Any:
        return ChatGenerationChunk(message=AIMessageChunk(id="m", **fields))

    return Scripted


def text_of(chunks: list[Any]) -> str:
    """What a reader of a stream sees."""
    return "".join(str(chunk.text) for chunk in chunks)


def summed(chunks: list[Any]) -> Any:
    """The message that chunks make."""
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole
