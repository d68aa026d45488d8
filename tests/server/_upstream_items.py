"""The dialects whose reply is a list of items: responses and messages, whole and as events."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from ._upstream_wire import (
    DIALECTS,
    MADE_AT,
    MODEL,
    Body,
    Dialect,
    Say,
    event,
    made_id,
    openai_error,
    within,
    words_in,
    words_said,
)

# --- responses


def _response(says: Sequence[Say], body: Body, output: list[Body], status: str) -> Body:
    ended = status in ("completed", "incomplete")
    asked, spoken = words_in(body.get("input", "")), words_said(says)
    reason = next((say.finish for say in says if say.finish), "")
    usage = {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": spoken,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked + spoken,
    }
    return {
        "id": made_id("resp_", says),
        "object": "response",
        "created_at": MADE_AT,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": None,
        "metadata": {},
        "model": body.get("model", MODEL),
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": body.get("tools", []),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if ended else None,
    }


class _Item:
    """One item of a response's output, in each state it goes through."""

    def __init__(self, kind: str, at: int, say: Say, text: str, name: str = "") -> None:
        self.id = made_id(f"{kind}_", at, name)
        self.at = at
        self.say = say
        self.text = text
        self.name = name

    def part(self, text: str) -> Body:
        """The content part that holds the text."""
        raise NotImplementedError

    def state(self, status: str) -> Body:
        """The item, empty while it is in progress."""
        raise NotImplementedError

    def middle(self) -> list[Body]:
        """The events between `added` and `done`."""
        raise NotImplementedError

    def events(self) -> list[Body]:
        """All its events; the numbers come when the order is known."""
        return [
            {"type": "response.output_item.added", "output_index": self.at}
            | {"item": self.state("in_progress")},
            *self.middle(),
            {"type": "response.output_item.done", "output_index": self.at}
            | {"item": self.state("completed")},
        ]

    def _parted(self, opened: str, delta: str, done: str, where: str, field: str) -> list[Body]:
        """The events of one part: added, its deltas, its text whole, done."""
        place = {"item_id": self.id, "output_index": self.at, where: 0}
        logged: Body = {"logprobs": []} if delta == "response.output_text.delta" else {}
        return [
            {"type": opened} | place | {"part": self.part("")},
            *(
                {"type": delta} | place | {"delta": piece} | logged
                for piece in self.say.pieces(self.text)
            ),
            {"type": done} | place | {field: self.text} | logged,
            {"type": opened.replace(".added", ".done")} | place | {"part": self.part(self.text)},
        ]


class _Message(_Item):
    def __init__(self, at: int, say: Say, refuses: bool) -> None:
        super().__init__("msg", at, say, say.refusal if refuses else say.text)
        self.refuses = refuses

    def part(self, text: str) -> Body:
        if self.refuses:
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}

    def state(self, status: str) -> Body:
        content = [] if status == "in_progress" else [self.part(self.text)]
        item = {"id": self.id, "type": "message", "status": status, "role": "assistant"}
        return item | {"content": content}

    def middle(self) -> list[Body]:
        kind, field = ("refusal", "refusal") if self.refuses else ("output_text", "text")
        return self._parted(
            "response.content_part.added",
            f"response.{kind}.delta",
            f"response.{kind}.done",
            "content_index",
            field,
        )


class _Reasoning(_Item):
    def __init__(self, at: int, say: Say) -> None:
        super().__init__("rs", at, say, say.reasoning)
        self.summary = say.reasoning_as in ("", "summary")

    def part(self, text: str) -> Body:
        return {"type": "summary_text" if self.summary else "reasoning_text", "text": text}

    def state(self, status: str) -> Body:
        parts = [] if status == "in_progress" else [self.part(self.text)]
        item: Body = {"id": self.id, "type": "reasoning", "summary": parts if self.summary else []}
        return item if self.summary else item | {"content": parts}

    def middle(self) -> list[Body]:
        if not self.summary:
            delta, done = "response.reasoning_text.delta", "response.reasoning_text.done"
            return self._parted("response.content_part.added", delta, done, "content_index", "text")
        name = "response.reasoning_summary_text"
        opened = "response.reasoning_summary_part.added"
        return self._parted(opened, f"{name}.delta", f"{name}.done", "summary_index", "text")


class _Call(_Item):
    def __init__(self, at: int, say: Say, name: str, given: str) -> None:
        super().__init__("fc", at, say, given, name)

    def state(self, status: str) -> Body:
        given = "" if status == "in_progress" else self.text
        item = {"id": self.id, "type": "function_call", "status": status, "name": self.name}
        return item | {"arguments": given, "call_id": made_id("call_", self.at, self.name)}

    def middle(self) -> list[Body]:
        name = "response.function_call_arguments"
        place = {"item_id": self.id, "output_index": self.at}
        return [
            *(
                {"type": f"{name}.delta"} | place | {"delta": piece}
                for piece in self.say.pieces(self.text)
            ),
            {"type": f"{name}.done"} | place | {"arguments": self.text, "name": self.name},
        ]


def _items(says: Sequence[Say]) -> list[_Item]:
    out: list[_Item] = []
    for say in says:
        if say.reasoning:
            out.append(_Reasoning(len(out), say))
        if say.text:
            out.append(_Message(len(out), say, refuses=False))
        if say.refusal:
            out.append(_Message(len(out), say, refuses=True))
        for name, given in say.calls:
            out.append(_Call(len(out), say, name, given))
    return out


def _status(says: Sequence[Say]) -> str:
    return "incomplete" if any(say.finish for say in says) else "completed"


def response(says: Sequence[Say], body: Body) -> Body:
    """A response. A `finish` makes it incomplete, for that reason."""
    return _response(says, body, [item.state("completed") for item in _items(says)], _status(says))


def response_events(says: Sequence[Say], body: Body, chance: random.Random | None) -> list[bytes]:
    """The events of a response, numbered."""
    opened, ended = _response(says, body, [], "in_progress"), _status(says)
    events: list[Body] = [
        {"type": "response.created", "response": opened},
        {"type": "response.in_progress", "response": opened},
        *within([item.events() for item in _items(says)], chance),
        {"type": f"response.{ended}", "response": response(says, body)},
    ]
    return [
        event({"type": one["type"], "sequence_number": at} | one, one["type"])
        for at, one in enumerate(events)
    ]


def _response_broken(message: str) -> bytes:
    broken = {"type": "error", "code": "server_error", "message": message, "param": None}
    return event(broken | {"sequence_number": 1000}, "error")


# --- messages


def _blocks(says: Sequence[Say]) -> list[tuple[Say, Body]]:
    out: list[tuple[Say, Body]] = []
    for say in says:
        if say.reasoning:
            thinking = {"type": "thinking", "thinking": say.reasoning, "signature": "c2lnbmVk"}
            out.append((say, thinking))
        if text := say.text or say.refusal:
            out.append((say, {"type": "text", "text": text, "citations": None}))
        for name, given in say.calls:
            block = {"type": "tool_use", "id": made_id("toolu_", len(out), name), "name": name}
            out.append((say, block | {"input": json.loads(given), "_written": given}))
    return out


def _stopped(says: Sequence[Say]) -> Body:
    reason = "tool_use" if any(say.calls for say in says) else "end_turn"
    details: Body | None = None
    if any(say.refusal for say in says):
        reason, details = "refusal", {"type": "refusal", "category": None, "explanation": None}
    reason = next((say.finish for say in says if say.finish), reason)
    return {"stop_reason": reason, "stop_sequence": None, "stop_details": details}


def message(says: Sequence[Say], body: Body) -> Body:
    """A message. A block's own writing of its arguments is not part of it."""
    content = [
        {key: value for key, value in block.items() if key != "_written"}
        for _, block in _blocks(says)
    ]
    return {
        "id": made_id("msg_", says),
        "type": "message",
        "role": "assistant",
        "model": body.get("model", MODEL),
        "content": content,
        **_stopped(says),
        "usage": {
            "input_tokens": words_in(body.get("messages", "")),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": words_said(says),
            "service_tier": "standard",
        },
    }


_EMPTY: dict[str, Body] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


def _block_events(at: int, say: Say, block: Body) -> list[Body]:
    kind = block["type"]
    opened = {key: value for key, value in block.items() if key != "_written"} | _EMPTY[kind]
    deltas: list[Body] = []
    if kind == "text":
        deltas = [{"type": "text_delta", "text": piece} for piece in say.pieces(block["text"])]
    elif kind == "thinking":
        pieces = say.pieces(block["thinking"])
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    else:
        pieces = ["", *say.pieces(block["_written"])]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return [
        {"type": "content_block_start", "index": at, "content_block": opened},
        *({"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": at},
    ]


def message_events(says: Sequence[Say], body: Body, chance: random.Random | None) -> list[bytes]:
    """The events of a message, with a `ping` after the first block has begun."""
    whole = message(says, body)
    unended = {"content": [], "stop_reason": None, "stop_details": None}
    begun = whole | unended | {"usage": whole["usage"] | {"output_tokens": 1}}
    lanes = [_block_events(at, say, block) for at, (say, block) in enumerate(_blocks(says))]
    # Mixed, all begin in their order before any goes on: the client counts blocks as they begin.
    first = [lane.pop(0) for lane in lanes] if chance else []
    middle = [*first, *within(lanes, chance)]
    usage = {"output_tokens": whole["usage"]["output_tokens"]}
    events: list[Body] = [
        {"type": "message_start", "message": begun},
        *middle[:1],
        {"type": "ping"},
        *middle[1:],
        {"type": "message_delta", "delta": _stopped(says), "usage": usage},
        {"type": "message_stop"},
    ]
    return [event(one, one["type"]) for one in events]


def _message_error(status: int, text: str) -> Body:
    kinds = {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        529: "overloaded_error",
    }
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_double"}


def _message_broken(text: str) -> bytes:
    return event(_message_error(529, text), "error")


ALL: dict[str, Dialect] = {
    **DIALECTS,
    "/v1/responses": Dialect(response, response_events, openai_error, _response_broken),
    "/v1/messages": Dialect(message, message_events, _message_error, _message_broken),
}
"""Every endpoint the double answers."""
