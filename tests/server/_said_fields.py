"""Replies, whole and as events, that use every field their dialect has."""

from __future__ import annotations

import json
from typing import Any

from ._fields import BEYOND, Body

_CITED: Body = {
    "type": "url_citation",
    "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1},
}
_FIGURES: Body = {
    "prompt_tokens": 3,
    "completion_tokens": 4,
    "total_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 0},
}
_ODDS: Body = {
    "content": [{"token": "Wait", "logprob": -0.5, "bytes": [87], "top_logprobs": []}],
    "refusal": None,
}
_CALLS: list[Body] = [
    {
        "id": "call_1",
        "type": "function",
        "function": {"name": "find", "arguments": '{"id": "A-1"}', "hint": "h"},
        "extra_content": {"google": {"thought_signature": "c2lnbmVk", "note": "n"}},
    },
    {
        "id": "call_2",
        "type": "custom",
        "custom": {"name": "note", "input": "a plain note", "hint": "h"},
        "beside": "b",
    },
]
_MESSAGE: Body = {
    "role": "assistant",
    "content": "Wait.",
    "refusal": "Not that.",
    "reasoning": "They ask.",
    "reasoning_content": "They ask.",
    "reasoning_details": [{"type": "reasoning.text", "text": "Think.", "format": "plain"}],
    "annotations": [_CITED],
    "audio": {"id": "audio_1", "expires_at": 1, "data": "c291bmQ=", "transcript": "aloud"},
    "tool_calls": _CALLS,
    "vendor": BEYOND,
}
CHAT: Body = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "system_fingerprint": "fp",
    "service_tier": "default",
    "choices": [
        {
            "index": 0,
            "message": _MESSAGE,
            "finish_reason": "stop",
            "logprobs": _ODDS,
            "stop_reason": "END",
            "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}},
        },
        {
            "index": 1,
            "finish_reason": "function_call",
            "message": {
                "role": "assistant",
                "content": [{"type": "text", "text": "In parts."}],
                "function_call": {"name": "old", "arguments": '{"x": "y"}', "hint": "h"},
            },
        },
    ],
    "usage": _FIGURES,
    "citations": ["https://a.example"],
    "prompt_filter_results": [{"prompt_index": 0, "text": "t"}],
    "vendor": {**BEYOND, "object": "response", "logprobs": ["o"]},
}
COMPLETIONS: Body = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "text": "there was",
            "finish_reason": "length",
            "logprobs": {"tokens": ["there"], "token_logprobs": [-1.0], "text_offset": [0]},
            "vendor": BEYOND,
        },
        {"index": 1, "text": "a king", "finish_reason": "stop", "logprobs": None},
    ],
    "usage": _FIGURES,
    "vendor": BEYOND,
}
EMBEDDINGS: Body = {
    "object": "list",
    "model": "m",
    "data": [
        {"object": "embedding", "index": 0, "embedding": [0.5, -0.5], "vendor": BEYOND},
        {"object": "embedding", "index": 1, "embedding": "AAAAAA=="},
    ],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
    "vendor": BEYOND,
}
_TOKENS: list[Body] = [{"token": "Wait", "logprob": -0.5, "bytes": [87], "top_logprobs": []}]
_ITEMS: list[Body] = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "They ask."}],
        "content": [{"type": "reasoning_text", "text": "Think."}],
        "encrypted_content": "c2VhbGVk",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [
            {
                "type": "output_text",
                "text": "Wait.",
                "annotations": [
                    {"type": "file_citation", "file_id": "file_1", "filename": "a.txt", "index": 0}
                ],
                "logprobs": _TOKENS,
            },
            {"type": "refusal", "refusal": "Not that."},
        ],
        "vendor": BEYOND,
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "find",
        "arguments": '{"id": "A-1"}',
        "status": "completed",
        "caller": {"type": "direct", "hint": "h"},
    },
    {
        "type": "custom_tool_call",
        "id": "ctc_1",
        "call_id": "call_2",
        "name": "note",
        "input": "a plain note",
        "namespace": "n",
    },
    {
        "type": "local_shell_call",
        "id": "lsh_1",
        "call_id": "call_3",
        "status": "completed",
        "action": {"type": "exec", "command": ["ls", "-l"], "env": {"LANG": "C"}},
    },
    {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "parcels", "sources": [{"url": "https://b"}]},
    },
    {
        "type": "mcp_call",
        "id": "mcp_1",
        "name": "look",
        "server_label": "s",
        "arguments": '{"q": "p"}',
        "output": "found",
        "error": None,
    },
    {"type": "unheard_of", "hint": BEYOND},
]
RESPONSES: Body = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "m",
    "output": _ITEMS,
    "error": None,
    "incomplete_details": None,
    "instructions": "Be short.",
    "metadata": {"team": "parcels"},
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "temperature": 1.0,
    "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
    "vendor": BEYOND,
}
_BLOCKS: list[Body] = [
    {"type": "thinking", "thinking": "They ask.", "signature": "c2lnbmVk"},
    {
        "type": "text",
        "text": "Wait.",
        "citations": [{"type": "char_location", "cited_text": "so it is", "document_title": "A"}],
    },
    {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "find",
        "input": {"id": "A-1", "more": [{"why": "to know"}]},
        "caller": {"type": "direct", "hint": "h"},
    },
    {"type": "server_tool_use", "id": "srv_1", "name": "search", "input": {"q": "parcels"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srv_1",
        "content": [{"type": "web_search_result", "title": "A", "url": "https://a.example"}],
    },
    {"type": "unheard_of", "hint": BEYOND},
]
MESSAGES: Body = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": _BLOCKS,
    "stop_reason": "end_turn",
    "stop_sequence": "END",
    "stop_details": {"type": "refusal", "category": "c", "explanation": "because"},
    "container": {"id": "c_1", "expires_at": "2030-01-01"},
    "usage": {"input_tokens": 3, "output_tokens": 4, "service_tier": "standard"},
    "vendor": BEYOND,
}
REPLIES: dict[str, Body] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/messages": MESSAGES,
}

# --- the same as events


def _chunk(*choices: Body, **more: Any) -> Body:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "system_fingerprint": "fp", "choices": list(choices), **more}


def _delta(index: int = 0, /, *, beside: Body | None = None, **delta: Any) -> Body:
    choice = {"index": index, "delta": delta, "finish_reason": None, "logprobs": None}
    return _chunk({**choice, **(beside or {})})


def _called(index: int, **call: Any) -> Body:
    return _delta(tool_calls=[{"index": index, **call}])


_ENDED: Body = {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}
CHAT_EVENTS: list[Body] = [
    _delta(role="assistant", content=""),
    _delta(reasoning_content="They "),
    _delta(reasoning="ask.", provider="p"),
    _delta(reasoning_details=[{"type": "reasoning.text", "text": "Think.", "format": "plain"}]),
    _delta(content="Wait.", beside={"logprobs": _ODDS}),
    _delta(content=" More.", beside={"vendor": BEYOND}),
    _delta(content=[{"type": "text", "text": "In parts."}]),
    _delta(refusal="Not that."),
    _delta(annotations=[_CITED]),
    _delta(audio={"id": "audio_1", "data": "c291bmQ=", "transcript": "aloud"}),
    _called(
        0,
        id="call_1",
        type="function",
        function={"name": "find", "arguments": "", "hint": "h"},
        extra_content={"google": {"thought_signature": "c2lnbmVk", "note": "n"}},
    ),
    _called(0, function={"arguments": '{"id": "A-1"}'}, hint="h"),
    _delta(function_call={"name": "old", "arguments": '{"x": "y"}', "hint": "h"}),
    _delta(1, role="assistant", content="Another."),
    _chunk({"index": 1, "delta": {}, "finish_reason": "stop"}, vendor=BEYOND, type="t"),
    _chunk(_ENDED, service_tier="default", citations=["https://a.example"]),
    _chunk(usage=_FIGURES),
]
COMPLETIONS_EVENTS: list[Body] = [
    {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": None, **more}],
        "vendor": BEYOND,
    }
    for text, finish, more in (
        ("there was", None, {"note": "n"}),
        (" a king", None, {}),
        ("", "stop", {"stop_reason": "END"}),
    )
]


def _numbered(*events: Body) -> list[Body]:
    return [{**event, "sequence_number": place} for place, event in enumerate(events)]


def _item_events(place: int, item: Body) -> list[Body]:
    begun = {**item, **{key: "" for key in ("arguments", "input") if key in item}}
    if item["type"] in ("message", "reasoning"):
        begun |= {"content": []}
    at: Body = {"output_index": place}
    inner: list[Body] = []
    within = {**at, "item_id": item.get("id", "x_1"), "content_index": 0}
    if item["type"] == "message":
        part = item["content"][0]
        told = {**within, "vendor": "v"}
        inner = [
            {"type": "response.content_part.added", **told, "part": {**part, "text": ""}},
            {
                "type": "response.output_text.delta",
                **told,
                "delta": "Wait.",
                "logprobs": _TOKENS,
                "obfuscation": "xx",
            },
            {
                "type": "response.output_text.annotation.added",
                **told,
                "annotation_index": 0,
                "annotation": part["annotations"][0],
            },
            {"type": "response.output_text.done", **told, "text": "Wait.", "logprobs": _TOKENS},
            {"type": "response.content_part.done", **told, "part": part},
            {"type": "response.refusal.delta", **within, "content_index": 1, "delta": "Not that."},
            {"type": "response.refusal.done", **within, "content_index": 1, "refusal": "Not that."},
        ]
    elif item["type"] == "function_call":
        inner = [
            {"type": "response.function_call_arguments.delta", **at, "delta": '{"id": "A-1"}'},
            {"type": "response.function_call_arguments.done", **at, "arguments": '{"id": "A-1"}'},
        ]
    elif item["type"] == "reasoning":
        inner = [{"type": "response.reasoning_text.delta", **within, "delta": "Think."}]
    added = {"type": "response.output_item.added", **at, "item": begun}
    return [added, *inner, {"type": "response.output_item.done", **at, "item": item}]


_BEGUN: Body = {**RESPONSES, "status": "in_progress", "output": [], "usage": None}
RESPONSES_EVENTS: list[Body] = _numbered(
    {"type": "response.created", "response": _BEGUN},
    {"type": "response.in_progress", "response": _BEGUN},
    *(event for place, item in enumerate(_ITEMS) for event in _item_events(place, item)),
    {"type": "response.completed", "response": RESPONSES},
)


def _block_events(place: int, block: Body) -> list[Body]:
    at: Body = {"index": place, "vendor": "v"}
    kind = block["type"]
    begun, deltas = dict(block), []
    if kind == "text":
        deltas = [{"type": "text_delta", "text": "Wait.", "beside": "b"}]
        deltas += [{"type": "citations_delta", "citation": block["citations"][0]}]
        begun["text"] = "At first. "
    elif kind == "thinking":
        begun |= {"thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": "They ask.", "beside": "b"}]
        deltas += [{"type": "signature_delta", "signature": "c2lnbmVk"}]
    elif kind.endswith("tool_use"):
        begun["input"] = {}
        written = json.dumps(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": written, "beside": "b"}]
    return [
        {"type": "content_block_start", **at, "content_block": begun},
        *({"type": "content_block_delta", **at, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", **at},
    ]


_WHY: Body = {key: MESSAGES[key] for key in ("stop_reason", "stop_sequence", "stop_details")}
MESSAGES_EVENTS: list[Body] = [
    {"type": "message_start", "message": {**MESSAGES, "content": [], "stop_reason": None}},
    {"type": "ping", "vendor": "v"},
    *(event for place, block in enumerate(_BLOCKS) for event in _block_events(place, block)),
    {"type": "message_delta", "delta": _WHY, "usage": {"output_tokens": 4}, "vendor": "v"},
    {"type": "message_stop", "vendor": "v"},
]
EVENTS: dict[str, list[Body]] = {
    "/v1/chat/completions": CHAT_EVENTS,
    "/v1/responses": RESPONSES_EVENTS,
    "/v1/completions": COMPLETIONS_EVENTS,
    "/v1/messages": MESSAGES_EVENTS,
}


def written(path: str, events: list[Body]) -> bytes:
    """Events as the wire has them."""
    named = path in ("/v1/responses", "/v1/messages")
    lines = [
        (f"event: {event.get('type', 'none')}\n" if named else "")
        + f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
        for event in events
    ]
    return "".join([*lines, "" if named else "data: [DONE]\n\n"]).encode()
