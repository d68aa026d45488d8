"""What a remote model's server writes: the reply a test asks for, in the shape of each dialect.

Shapes and the order of events are those the `openai` and `anthropic` clients are typed against.
Nothing here knows a socket: a dialect makes one whole reply, or the list of its events.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

MADE_AT = 1_700_000_000
MODEL = "double-1"

Body = dict[str, Any]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Say:
    """One answer of the model, whatever the dialect.

    Args:
        text: Its text; empty for none.
        calls: Tool calls: name and arguments as JSON text.
        reasoning: Text of the model's reasoning.
        refusal: A refusal in the field the dialect has for it.
        n: How many choices; None for as many as the request asked.
        chunk: Characters in one delta.
        delay: Seconds between two events.
        finish: The dialect's own word for why it ended; empty for the usual one.
        reasoning_as: Chat: `reasoning_content` or `reasoning`; responses: `summary` or `content`.
            Empty for the first of the two.
        legacy: Chat: the first call as `function_call`, as before there were `tool_calls`.
        logprobs: Write log probabilities though the request asked for none.
    """

    text: str = ""
    calls: Sequence[tuple[str, str]] = ()
    reasoning: str = ""
    refusal: str = ""
    n: int | None = None
    chunk: int = 4
    delay: float = 0.0
    finish: str = ""
    reasoning_as: str = ""
    legacy: bool = False
    logprobs: bool = False

    def pieces(self, text: str) -> list[str]:
        """A text as the deltas that carry it."""
        return [text[at : at + self.chunk] for at in range(0, len(text), self.chunk)]


@dataclass(frozen=True, slots=True)
class Choices:
    """Several answers in one reply; a stream mixes their deltas at random.

    Chat and completions write one choice for each; the other dialects know no choices, so one
    message gets the blocks of all. Within an answer, text, reasoning and calls are mixed too.
    """

    says: Sequence[Say]
    seed: int = 0
    delay: float = 0.0


class Dialect(NamedTuple):
    """One endpoint: its whole reply, its events and its error body."""

    whole: Callable[[Sequence[Say], Body], Body]
    events: Callable[[Sequence[Say], Body, random.Random | None], list[bytes]] | None
    error: Callable[[int, str], Body]
    broken: Callable[[str], bytes] | None
    """The event of an error in the middle of a stream."""


# --- shared


def written(value: object) -> bytes:
    """JSON as a model's server writes it: no spaces, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(value: object, kind: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {kind}\n".encode() if kind else b""
    return head + b"data: " + written(value) + b"\n\n"


def mixed(lanes: Sequence[Sequence[Item]], chance: random.Random | None) -> list[Item]:
    """Lanes merged into one, each in its own order: by chance, or in turn where there is none."""
    left = [list(lane)[::-1] for lane in lanes if lane]
    out: list[Item] = []
    turn = 0
    while left:
        at = turn % len(left) if chance is None else chance.randrange(len(left))
        out.append(left[at].pop())
        if left[at]:
            turn = at + 1
        else:
            left.pop(at)
            turn = at
    return out


def within(lanes: Sequence[Sequence[Item]], chance: random.Random | None) -> list[Item]:
    """What belongs to one answer: one lane after the other, unless there is chance."""
    return mixed(lanes, chance) if chance else [item for lane in lanes for item in lane]


def _tokens(text: str) -> int:
    return len(text.split())


def words_said(says: Sequence[Say]) -> int:
    return sum(
        _tokens(say.text) + _tokens(say.reasoning) + sum(_tokens(given) for _, given in say.calls)
        for say in says
    )


def words_in(value: object) -> int:
    """Roughly how many tokens the strings of a value are."""
    if isinstance(value, str):
        return _tokens(value)
    if isinstance(value, Mapping):
        return sum(map(words_in, value.values()))
    return sum(map(words_in, value)) if isinstance(value, list) else 0


def made_id(kind: str, *of: object) -> str:
    return kind + hashlib.sha256(repr(of).encode()).hexdigest()[:24]


def openai_error(status: int, message: str) -> Body:
    kind = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}.get(
        status, "invalid_request_error" if status < 500 else "server_error"
    )
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _openai_broken(message: str) -> bytes:
    return event(openai_error(500, message))


# --- chat completions


def _chat_usage(says: Sequence[Say], body: Body) -> Body:
    asked, spoken = words_in(body.get("messages", body.get("prompt", ""))), words_said(says)
    return {
        "prompt_tokens": asked,
        "completion_tokens": spoken,
        "total_tokens": asked + spoken,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _logprobs(say: Say, body: Body, pieces: Sequence[str]) -> Body | None:
    if not (say.logprobs or body.get("logprobs")):
        return None
    rows = [
        {"token": piece, "logprob": -0.25, "bytes": list(piece.encode()), "top_logprobs": []}
        for piece in pieces
    ]
    return {"content": rows, "refusal": None}


def _chat_finish(say: Say) -> str:
    if say.calls:
        return say.finish or ("function_call" if say.legacy else "tool_calls")
    return say.finish or "stop"


def _chat_calls(say: Say) -> list[Body]:
    return [
        {
            "id": made_id("call_", at, name),
            "type": "function",
            "function": {"name": name, "arguments": given},
        }
        for at, (name, given) in enumerate(say.calls)
    ]


def _chat_choice(at: int, say: Say, body: Body) -> Body:
    message: Body = {
        "role": "assistant",
        "content": say.text or None,
        "refusal": say.refusal or None,
    }
    message["annotations"] = []
    if say.reasoning:
        message[say.reasoning_as or "reasoning_content"] = say.reasoning
    if say.calls:
        calls = _chat_calls(say)
        message |= {"function_call": calls[0]["function"]} if say.legacy else {"tool_calls": calls}
    probabilities = _logprobs(say, body, say.pieces(say.text))
    finish = _chat_finish(say)
    return {"index": at, "message": message, "logprobs": probabilities, "finish_reason": finish}


def chat(says: Sequence[Say], body: Body) -> Body:
    """A chat completion."""
    return {
        "id": made_id("chatcmpl-", says),
        "object": "chat.completion",
        "created": MADE_AT,
        "model": body.get("model", MODEL),
        "choices": [_chat_choice(at, say, body) for at, say in enumerate(says)],
        "usage": _chat_usage(says, body),
        "service_tier": "default",
        "system_fingerprint": "fp_double",
    }


def _chat_lanes(say: Say, body: Body) -> Iterator[list[tuple[Body, Body | None]]]:
    """The deltas of one answer with their log probabilities: a lane for each field and call."""
    key = say.reasoning_as or "reasoning_content"
    yield [({key: piece}, None) for piece in say.pieces(say.reasoning)]
    yield [({"content": piece}, _logprobs(say, body, [piece])) for piece in say.pieces(say.text)]
    yield [({"refusal": piece}, None) for piece in say.pieces(say.refusal)]
    for at, call in enumerate(_chat_calls(say)):
        function = call["function"]
        given = [{"arguments": piece} for piece in say.pieces(function["arguments"])]
        opened: Body = {"name": function["name"], "arguments": ""}
        if say.legacy:
            yield [({"function_call": part}, None) for part in (opened, *given)]
            return
        first = {"index": at, "id": call["id"], "type": "function", "function": opened}
        parts = [first, *({"index": at, "function": part} for part in given)]
        yield [({"tool_calls": [part]}, None) for part in parts]


def chat_events(says: Sequence[Say], body: Body, chance: random.Random | None) -> list[bytes]:
    """The chunks of a chat completion: the role first, why it ended last, then `[DONE]`."""
    counted = bool((body.get("stream_options") or {}).get("include_usage"))
    frame = {
        "id": made_id("chatcmpl-", says),
        "object": "chat.completion.chunk",
        "created": MADE_AT,
        "model": body.get("model", MODEL),
        "service_tier": "default",
        "system_fingerprint": "fp_double",
    }
    choices: list[list[Body]] = []
    for at, say in enumerate(says):
        opened: Body = {"role": "assistant", "content": None if say.calls else "", "refusal": None}
        deltas = [(opened, None), *within(list(_chat_lanes(say, body)), chance)]
        lane: list[Body] = [
            {"index": at, "delta": delta, "logprobs": probabilities, "finish_reason": None}
            for delta, probabilities in deltas
        ]
        ended = {"index": at, "delta": {}, "logprobs": None, "finish_reason": _chat_finish(say)}
        choices.append([*lane, ended])
    usage: Body = {"usage": None} if counted else {}
    out = [event(frame | {"choices": [choice]} | usage) for choice in mixed(choices, chance)]
    if counted:
        out.append(event(frame | {"choices": [], "usage": _chat_usage(says, body)}))
    return [*out, b"data: [DONE]\n\n"]


# --- completions and embeddings


def _completion(says: Sequence[Say], body: Body, choices: list[Body]) -> Body:
    return {
        "id": made_id("cmpl-", says),
        "object": "text_completion",
        "created": MADE_AT,
        "model": body.get("model", MODEL),
        "choices": choices,
    }


def _text_choice(at: int, text: str, finish: str | None) -> Body:
    return {"text": text, "index": at, "logprobs": None, "finish_reason": finish}


def completion(says: Sequence[Say], body: Body) -> Body:
    """A text completion."""
    choices = [_text_choice(at, say.text, say.finish or "stop") for at, say in enumerate(says)]
    return _completion(says, body, choices) | {"usage": _chat_usage(says, body)}


def completion_events(says: Sequence[Say], body: Body, chance: random.Random | None) -> list[bytes]:
    """The chunks of a text completion, which look like the whole."""
    lanes = [
        [
            *(_text_choice(at, piece, None) for piece in say.pieces(say.text)),
            _text_choice(at, "", say.finish or "stop"),
        ]
        for at, say in enumerate(says)
    ]
    frame = _completion(says, body, [])
    out = [event(frame | {"choices": [choice]}) for choice in mixed(lanes, chance)]
    if (body.get("stream_options") or {}).get("include_usage"):
        out.append(event(frame | {"usage": _chat_usage(says, body)}))
    return [*out, b"data: [DONE]\n\n"]


def vector(text: str, size: int = 8) -> list[float]:
    """The embedding of a text: any text has one, and always the same."""
    raw = hashlib.shake_256(text.encode()).digest(size)
    return [(byte - 127.5) / 128 for byte in raw]


def embeddings(_says: Sequence[Say], body: Body) -> Body:
    """Embeddings, in the encoding that was asked for: the client's own default is base64."""
    given = body.get("input", "")
    texts = [given] if isinstance(given, str) else list(given)
    size = body.get("dimensions", 8)
    rows: list[Body] = []
    for at, text in enumerate(texts):
        values: object = vector(str(text), size)
        if body.get("encoding_format") == "base64":
            packed = struct.pack(f"<{size}f", *vector(str(text), size))
            values = base64.b64encode(packed).decode()
        rows.append({"object": "embedding", "index": at, "embedding": values})
    asked = sum(map(words_in, texts))
    usage = {"prompt_tokens": asked, "total_tokens": asked}
    return {"object": "list", "data": rows, "model": body.get("model", MODEL), "usage": usage}


DIALECTS: dict[str, Dialect] = {
    "/v1/chat/completions": Dialect(chat, chat_events, openai_error, _openai_broken),
    "/v1/completions": Dialect(completion, completion_events, openai_error, _openai_broken),
    "/v1/embeddings": Dialect(embeddings, None, openai_error, None),
}


def answers(said: Say | Choices, path: str, body: Body) -> list[Say]:
    """What each choice says: as many as the request asks for, where the script leaves it open."""
    if isinstance(said, Choices):
        return list(said.says)
    if path not in ("/v1/chat/completions", "/v1/completions"):
        return [replace(said, n=1)]
    prompts = body.get("prompt")
    many = len(prompts) if isinstance(prompts, list) else 1
    return [said] * ((said.n or body.get("n") or 1) * many)
