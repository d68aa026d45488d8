"""A block as a reply: a message of the model that says what the rule says, and nothing else."""

from __future__ import annotations

import secrets
from typing import Any

from .._third_party import third_party
from ._agents import EXTRA


def _types() -> Any:
    return third_party("openai.types.responses", EXTRA)


def message_of(text: str, status: str = "completed") -> Any:
    """A message of the model."""
    types = _types()
    part = types.ResponseOutputText(type="output_text", text=text, annotations=[], logprobs=[])
    return types.ResponseOutputMessage(
        id=f"msg_{secrets.token_hex(12)}",
        type="message",
        role="assistant",
        status=status,
        content=[part],
    )


class Ending:
    """Sees what a stream shows, and ends it where a rule stops it.

    The runner takes `response.incomplete` for a fault of the model, so it ends as a complete
    response, whose only item is the message.
    """

    def __init__(self) -> None:
        self._response: Any = None
        self._item: Any = None
        self._part: dict[str, Any] | None = None
        self._said = ""
        self._place = -1
        self._number = -1

    def see(self, event: Any) -> None:
        """This was shown."""
        self._number = max(self._number, getattr(event, "sequence_number", None) or 0)
        match getattr(event, "type", ""):
            case "response.created" | "response.in_progress":
                self._response = event.response
            case "response.output_item.added":
                self._item, self._part = event.item, None
                self._place = max(self._place, event.output_index)
            case "response.output_item.done":
                self._item, self._part = None, None
                self._place = max(self._place, event.output_index)
            case "response.content_part.added" if event.part.type == "output_text":
                self._said = ""
                self._part = {
                    "item_id": event.item_id,
                    "output_index": event.output_index,
                    "content_index": event.content_index,
                }
            case "response.content_part.done":
                self._part = None
            case "response.output_text.delta":
                self._said += event.delta

    def events(self, text: str, previous_response_id: str | None) -> list[Any]:
        """The events that close what is open, say a message and end the stream."""
        types, made = _types(), []

        def say(kind: str, **fields: Any) -> None:
            self._number += 1
            made.append(getattr(types, kind)(**fields, sequence_number=self._number))

        def end_part(at: dict[str, Any], part: Any) -> None:
            say(
                "ResponseTextDoneEvent",
                type="response.output_text.done",
                text=part.text,
                logprobs=[],
                **at,
            )
            say("ResponseContentPartDoneEvent", type="response.content_part.done", part=part, **at)

        def item(state: str, place: int, item: Any) -> None:
            kind = f"ResponseOutputItem{state.title()}Event"
            say(kind, type=f"response.output_item.{state}", output_index=place, item=item)

        if self._response is None:
            for state in ("created", "in_progress"):
                kind = "".join(word.title() for word in state.split("_"))
                response = _response(None, None, previous_response_id)
                say(f"Response{kind}Event", type=f"response.{state}", response=response)
        if self._part is not None:
            end_part(self._part, message_of(self._said).content[0])
        if (opened := self._item) is not None:
            changes: dict[str, Any] = {"status": "incomplete"}
            if opened.type == "message":
                changes["content"] = message_of(self._said).content if self._said else []
            item("done", self._place, opened.model_copy(update=changes))
        place = self._place + 1
        message = message_of(text)
        part = message.content[0]
        at = {"item_id": message.id, "output_index": place, "content_index": 0}
        bare = message.model_copy(update={"content": [], "status": "in_progress"})
        item("added", place, bare)
        empty = part.model_copy(update={"text": ""})
        say("ResponseContentPartAddedEvent", type="response.content_part.added", part=empty, **at)
        say(
            "ResponseTextDeltaEvent",
            type="response.output_text.delta",
            delta=text,
            logprobs=[],
            **at,
        )
        end_part(at, part)
        item("done", place, message)
        response = _response(self._response, message, previous_response_id)
        say("ResponseCompletedEvent", type="response.completed", response=response)
        return made


def _response(response: Any, message: Any, previous_response_id: str | None) -> Any:
    """A response that says the message alone; without one, the beginning of a response.

    Its id is that of the response before: a conversation that the provider keeps goes on from
    there, and what was stopped is no part of it.
    """
    if response is None:
        response = _types().Response(
            id="",
            created_at=0,
            model="",
            object="response",
            output=[],
            parallel_tool_calls=False,
            tool_choice="none",
            tools=[],
            status="in_progress",
        )
    if message is None:
        return response.model_copy(update={"id": previous_response_id or ""})
    done = {"id": previous_response_id or "", "output": [message], "status": "completed"}
    return response.model_copy(update=done)
