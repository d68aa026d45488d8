"""Requests that use every field their dialect has, and a walk over each place a text may stand in.

The shapes are those that the `openai` and `anthropic` clients are typed against, with fields that
nobody knows beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Body = dict[str, Any]
Path = tuple[Any, ...]

CANARY = "zq canary 7 zq"
"""What a rule blocks. With its blanks it has the shape of no id and of no word of a dialect."""
POLICY = """\
guardkit 1
policy canary
  title   "Stops one text wherever it stands"
  owner   "tests@example.com"
  version "1"
{defaults}
check canary = pattern {{ match /zq canary 7 zq/ }}

rule stop {{
  tier safety
  on   input, retrieved, tool_result, tool_call, output
  when canary
  then block "Stopped by a rule."
}}
"""
STRICT = POLICY.format(defaults="")
UNREAD = POLICY.format(defaults="defaults { unread flag }\n")
"""The same, where what cannot be read goes on."""

SCHEMA: Body = {
    "type": "object",
    "title": "An order",
    "description": "What is known of one order",
    "properties": {
        "number": {"type": "string", "description": "Its number", "pattern": "[A-Z]+"},
        "state": {"type": "string", "enum": ["open", "sent"], "default": "open"},
        "lines": {
            "type": "array",
            "items": {"anyOf": [{"const": "a"}, {"$ref": "#/$defs/line"}]},
            "examples": [["one", "two"]],
        },
    },
    "required": ["number"],
    "$defs": {"line": {"type": "object", "properties": {"what": {"title": "What it is"}}}},
    "additionalProperties": False,
}
BEYOND: Body = {"vendor_hint": "as usual", "deep": [{"note": {"text": "a note"}}, "loose"]}
"""A field that no dialect has."""
FORMAT: Body = {"name": "order", "description": "The reply", "schema": SCHEMA, "strict": True}
_CALL: Body = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "find", "arguments": '{"id": "A-1"}'},
    "hint": "unknown",
}
_CUSTOM: Body = {
    "id": "call_2",
    "type": "custom",
    "custom": {"name": "note", "input": "a plain note"},
}

CHAT: Body = {
    "model": "m",
    "messages": [
        {"role": "developer", "content": "Be short.", "name": "house"},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {
            "role": "user",
            "name": "ada",
            "content": [
                {"type": "text", "text": "Where is it?", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "And why?", "extra": {"why": "to know"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "Wait."}, {"type": "refusal", "refusal": "No."}],
            "refusal": "Not that.",
            "reasoning_content": "They ask.",
            "reasoning_details": [{"type": "reasoning.text", "text": "Think."}],
            "annotations": [
                {
                    "type": "url_citation",
                    "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0},
                }
            ],
            "tool_calls": [_CALL, _CUSTOM],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "sent"}]},
        {"role": "tool", "tool_call_id": "call_2", "content": "noted", "name": "note"},
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "old", "arguments": '{"x": "y"}'},
        },
        {"role": "function", "name": "old", "content": "an old result"},
        {"role": "user", "content": "Thanks.", "unknown_part": BEYOND},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "find",
                "description": "Finds an order",
                "parameters": SCHEMA,
                "strict": True,
            },
        },
        {
            "type": "custom",
            "custom": {
                "name": "note",
                "description": "Notes",
                "format": {
                    "type": "grammar",
                    "grammar": {"syntax": "lark", "definition": 'start: "a"'},
                },
            },
        },
    ],
    "functions": [{"name": "old", "description": "An old one", "parameters": SCHEMA}],
    "tool_choice": {"type": "function", "function": {"name": "find"}},
    "function_call": {"name": "old"},
    "response_format": {"type": "json_schema", "json_schema": FORMAT},
    "prediction": {"type": "content", "content": [{"type": "text", "text": "Probably this."}]},
    "metadata": {"team": "parcels", "purpose": "a test"},
    "stop": ["END", "halt"],
    "user": "ada",
    "safety_identifier": "s1",
    "prompt_cache_key": "k1",
    "modalities": ["text"],
    "reasoning_effort": "low",
    "service_tier": "auto",
    "verbosity": "low",
    "logit_bias": {"50256": -100},
    "stream_options": {"include_usage": True},
    "seed": 7,
    "temperature": 0.5,
    "vendor": BEYOND,
}
_RESPONSE_CALL: Body = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "find",
    "arguments": '{"id": "A-1"}',
    "status": "completed",
}
RESPONSES: Body = {
    "model": "m",
    "instructions": "Be short.",
    "input": [
        {"role": "developer", "content": "Be kind."},
        {
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_text", "text": "Where is it?"}],
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [
                {
                    "type": "output_text",
                    "text": "Wait.",
                    "annotations": [
                        {"type": "url_citation", "url": "https://a.example", "title": "A"},
                        {"type": "file_citation", "file_id": "file_1", "filename": "a.txt"},
                    ],
                    "logprobs": [{"token": "Wait", "logprob": -0.5, "bytes": [87], "x": "y"}],
                },
                {"type": "refusal", "refusal": "Not that."},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "They ask."}],
            "content": [{"type": "reasoning_text", "text": "Think."}],
            "encrypted_content": "c2VhbGVk",
        },
        _RESPONSE_CALL,
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_text", "text": "sent"}],
        },
        {"type": "custom_tool_call", "call_id": "call_2", "name": "note", "input": "plain"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "noted"},
        {
            "type": "local_shell_call",
            "id": "lsh_1",
            "call_id": "call_3",
            "status": "completed",
            "action": {
                "type": "exec",
                "command": ["ls", "-l"],
                "env": {"LANG": "C"},
                "working_directory": "/srv",
            },
        },
        {"type": "local_shell_call_output", "id": "lsh_2", "output": "a.txt"},
        {
            "type": "shell_call_output",
            "call_id": "call_4",
            "output": [{"stdout": "a", "stderr": "b", "outcome": {"type": "exit"}}],
        },
        {
            "type": "web_search_call",
            "id": "ws_1",
            "status": "completed",
            "action": {"type": "search", "query": "parcels", "sources": [{"url": "https://b"}]},
        },
        {
            "type": "apply_patch_call",
            "call_id": "call_5",
            "status": "completed",
            "operation": {"type": "create_file", "path": "a.txt", "diff": "+a"},
        },
        {"type": "unheard_of", "hint": BEYOND},
    ],
    "tools": [
        {"type": "function", "name": "find", "description": "Finds", "parameters": SCHEMA},
        {
            "type": "custom",
            "name": "note",
            "description": "Notes",
            "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'},
        },
    ],
    "tool_choice": {"type": "function", "name": "find"},
    "text": {"format": {"type": "json_schema", **FORMAT}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "metadata": {"team": "parcels"},
    "include": ["reasoning.encrypted_content"],
    "previous_response_id": "resp_0",
    "user": "ada",
    "safety_identifier": "s1",
    "prompt_cache_key": "k1",
    "truncation": "auto",
    "service_tier": "auto",
    "store": False,
    "vendor": BEYOND,
}
COMPLETIONS: Body = {
    "model": "m",
    "prompt": ["Once upon", "a time"],
    "suffix": "the end",
    "stop": ["END"],
    "user": "ada",
    "max_tokens": 20,
    "logit_bias": {"50256": -100},
    "vendor": BEYOND,
}
EMBEDDINGS: Body = {
    "model": "m",
    "input": ["one text", "another"],
    "user": "ada",
    "encoding_format": "float",
    "vendor": BEYOND,
}
MESSAGES: Body = {
    "model": "m",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "Where is it?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "They ask.", "signature": "c2lnbmVk"},
                {"type": "redacted_thinking", "data": "c2VhbGVk"},
                {"type": "text", "text": "Wait.", "citations": [{"type": "page_location"}]},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "find",
                    "input": {"id": "A-1", "more": [{"why": "to know"}]},
                },
                {"type": "server_tool_use", "id": "srv_1", "name": "search", "input": {"q": "p"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "srv_1",
                    "content": [
                        {
                            "type": "web_search_result",
                            "title": "A",
                            "url": "https://a.example",
                            "encrypted_content": "c2VhbGVk",
                            "page_age": "a day",
                        }
                    ],
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "sent"}],
                    "is_error": False,
                },
                {
                    "type": "document",
                    "title": "A paper",
                    "context": "from the archive",
                    "source": {"type": "text", "media_type": "text/plain", "data": "its text"},
                    "citations": {"enabled": True},
                },
                {
                    "type": "document",
                    "source": {"type": "content", "content": [{"type": "text", "text": "part"}]},
                },
                {
                    "type": "search_result",
                    "source": "https://b.example",
                    "title": "B",
                    "content": [{"type": "text", "text": "found"}],
                },
                {"type": "text", "text": "And why?"},
            ],
            "unknown_part": BEYOND,
        },
    ],
    "tools": [
        {
            "name": "find",
            "description": "Finds an order",
            "input_schema": SCHEMA,
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "bash_20250124", "name": "bash"},
    ],
    "tool_choice": {"type": "tool", "name": "find"},
    "metadata": {"user_id": "u1"},
    "stop_sequences": ["END"],
    "thinking": {"type": "disabled"},
    "container": "c_1",
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "service_tier": "auto",
    "vendor": BEYOND,
}

REQUESTS: dict[str, Body] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/messages": MESSAGES,
}
STREAMED = tuple(path for path in REQUESTS if path != "/v1/embeddings")


def texts(value: Any, path: Path = ()) -> Iterator[Path]:
    """The way to every text of a value."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from texts(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from texts(inner, (*path, place))


def keys(value: Any, path: Path = ()) -> Iterator[Path]:
    """The way to every key of every object of a value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (*path, key)
            yield from keys(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from keys(inner, (*path, place))


def at(value: Any, path: Path) -> Any:
    """What stands there."""
    for step in path:
        value = value[step]
    return value


def planted(value: Any, path: Path, text: object = CANARY) -> Any:
    """A copy with another text in one place."""
    if not path:
        return text
    first, *rest = path
    if isinstance(value, list):
        return [planted(v, tuple(rest), text) if i == first else v for i, v in enumerate(value)]
    return {k: planted(v, tuple(rest), text) if k == first else v for k, v in value.items()}


def renamed(value: Any, path: Path, name: str = CANARY) -> Any:
    """A copy with another name for one key, in its place."""
    *before, last = path
    found = at(value, tuple(before))
    return planted(value, tuple(before), {name if k == last else k: v for k, v in found.items()})


def shown(path: Path) -> str:
    """A way, for the message of a failure."""
    return ".".join(map(str, path))


def is_in(text: str, value: Any) -> bool:
    """Whether a text stands anywhere in a value, in its keys too."""
    if isinstance(value, str):
        return text in value
    if isinstance(value, Mapping):
        return any(text in key or is_in(text, inner) for key, inner in value.items())
    return isinstance(value, list) and any(is_in(text, inner) for inner in value)
