"""The shapes of what the server reads and says, as JSON schemas for its description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from guardkit.judging import PHASES
from guardkit.types import ACTIONS, SURFACES

from ._question import MOST_ITEMS, SURFACES_OF, UNITS

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Schema] = {"type": "number", "minimum": 0}
_DIGEST: Final[Schema] = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_ACTION: Final[Schema] = {"enum": list(ACTIONS)}


def ref(name: str) -> Schema:
    """A shape by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(items: Schema, least: int = 0, most: int | None = None) -> Schema:
    made: Schema = {"type": "array", "items": items}
    if least:
        made["minItems"] = least
    return made if most is None else {**made, "maxItems": most}


def _closed(properties: Mapping[str, Schema], *required: str) -> Schema:
    """An object that has these fields and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _full(properties: Mapping[str, Schema]) -> Schema:
    """An object that has all of these fields and no others."""
    return _closed(properties, *properties)


# --- what is sent

_JSON: Final[Schema] = {
    "description": "Any JSON whose whole numbers fit in 64 bits.",
    "anyOf": [
        {"type": ["null", "boolean", "string"]},
        {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        {"type": "number"},
        {"type": "array", "items": ref("Json")},
        {"type": "object", "additionalProperties": ref("Json")},
    ],
}
_ANY_OBJECT: Final[Schema] = {"type": "object", "additionalProperties": ref("Json")}
_MESSAGE: Final[Schema] = {
    "description": "A message as one of the proxied dialects has it.",
    **_ANY_OBJECT,
}
_SESSION: Final[Schema] = {
    "description": "The conversation. A policy that remembers one cannot do without.",
    "type": "string",
    "pattern": "^[\\x21-\\x7e]{1,200}$",
}
_SOURCES: Final[Schema] = {
    "description": "Texts of the exchange to compare with, by surface.",
    **_closed(dict.fromkeys(SURFACES, _TEXTS)),
}
_AROUND: Final[Mapping[str, Schema]] = {
    "context": _or_null(_ANY_OBJECT),
    "session": _or_null(_SESSION),
    "sources": _or_null(_SOURCES),
}
_EXPLAIN: Final = _or_null({"type": "boolean"})
_ABOUT_TEXT: Final[Mapping[str, Schema]] = {
    "text": _TEXT,
    **_AROUND,
    "explain": _EXPLAIN,
    "offsets": _or_null(_list({"enum": list(UNITS)})),
}
_TOOL: Final = "tool_result"
_PLAIN: Final = [each for each in SURFACES_OF["text"] if each != _TOOL]

_ASKED: Final[Mapping[str, Schema]] = {
    "CheckText": _closed({**_ABOUT_TEXT, "on": {"enum": [None, *_PLAIN]}}, "text"),
    "CheckToolResult": _closed(
        {**_ABOUT_TEXT, "on": {"const": _TOOL}, "tool": _or_null(_TEXT)}, "text", "on"
    ),
    "CheckToolCall": _closed(
        {
            "tool": _TEXT,
            "arguments": {
                "description": "An object, or the JSON text of one, as the model wrote it.",
                "anyOf": [_ANY_OBJECT, _TEXT],
            },
            "on": {"enum": [None, *SURFACES_OF["arguments"]]},
            **_AROUND,
            "explain": _EXPLAIN,
        },
        "tool",
        "arguments",
    ),
    "CheckMessages": _closed(
        {
            "messages": _list(_MESSAGE, 1),
            "on": {
                "description": "`input` for what a model is to read, `output` for what it said.",
                "enum": [None, *SURFACES_OF["messages"]],
            },
            **_AROUND,
        },
        "messages",
    ),
}

_ITEM: Final[Schema] = {
    "description": "A `Check`. Anything else gets an error of its own in its place.",
    "anyOf": [ref("Check"), ref("Json")],
}

_LITELLM_ASKS: Final[Schema] = {
    # LiteLLM adds fields from version to version: they are judged, or refused by `--strict`.
    "type": "object",
    "properties": {
        "input_type": {"enum": list(PHASES)},
        **{name: _or_null(_TEXTS) for name in ("texts", "images")},
        **{
            name: _or_null(_list(_MESSAGE))
            for name in ("structured_messages", "tools", "tool_calls")
        },
        **{
            name: _or_null(_TEXT)
            for name in ("model", "litellm_call_id", "litellm_trace_id", "litellm_version")
        },
        **{
            name: _or_null(_ANY_OBJECT)
            for name in ("request_data", "request_headers", "additional_provider_specific_params")
        },
    },
    "required": ["input_type"],
    "additionalProperties": ref("Json"),
}

# --- what comes back

_FOUND: Final[Mapping[str, Schema]] = {
    "rule": _TEXT,
    "check": _TEXT,
    "label": _TEXT,
    "start": _COUNT,
    "end": _COUNT,
    "score": _or_null({"type": "number"}),
    "view": _TEXT,
    "pointer": _TEXT,
}
_VERDICT: Final[Mapping[str, Schema]] = {
    "action": _ACTION,
    "surface": {"enum": list(SURFACES)},
    "policy": _DIGEST,
    "message": _or_null(_TEXT),
    "fired": _TEXTS,
    "exempted": _TEXTS,
    "shadow": _TEXTS,
    "findings": _list(ref("Finding")),
    "unknown": _TEXTS,
    "undecided": _TEXTS,
    "ledger": _list(ref("Record")),
    "elapsed_us": _NUMBER,
}
_AT_TIMES: Final[Mapping[str, Schema]] = {
    "tool": _TEXT,
    "hold": _TEXT,
    "principle": _TEXT,
    "session_closed": {"const": True},
    "rounds": _COUNT,
    "otherwise": _full({"action": _ACTION}),
}
_EXPLANATION: Final = _full(
    {
        "rules": _list(ref("Tree")),
        "views": _TEXTS,
        "answers": {
            "type": "object",
            "additionalProperties": {"type": ["boolean", "number", "string", "null"]},
        },
    }
)

_ANSWERED: Final[Mapping[str, Schema]] = {
    "Finding": _closed(
        {**_FOUND, **{unit: _list(_COUNT, 2, 2) for unit in UNITS}},
        *_FOUND,
    ),
    "Record": _full(
        {
            "layer": _TEXT,
            "by": _TEXT,
            "outcome": _TEXT,
            "elapsed_us": _NUMBER,
            "score": _or_null({"type": "number"}),
            "detail": _TEXT,
        }
    ),
    "Tree": _full(
        {
            "title": _TEXT,
            "answer": {"enum": ["yes", "no", "unknown", "not asked"]},
            "detail": _TEXT,
            "below": _list(ref("Tree")),
        }
    ),
    "Verdict": _closed(
        {
            "decision": _TEXT,
            "text": {"description": "What may be delivered.", "type": "string"},
            **_VERDICT,
            **_AT_TIMES,
            "arguments": _ANY_OBJECT,
            "explanation": _EXPLANATION,
        },
        *("decision", "text", *_VERDICT),
    ),
    "MessagesVerdict": _full(
        {
            "decision": _TEXT,
            "action": _ACTION,
            "policy": _DIGEST,
            "message": _or_null(_TEXT),
            "messages": {
                "description": "As they may go on; null where they may not.",
                **_or_null(_list(_MESSAGE)),
            },
            "verdicts": _list(
                _closed({"index": _COUNT, **_VERDICT, **_AT_TIMES}, "index", *_VERDICT)
            ),
            "elapsed_us": _NUMBER,
        }
    ),
    "CheckedBatch": _full(
        {
            "decision": _TEXT,
            "action": _ACTION,
            "items": _list({"anyOf": [ref("Verdict"), ref("MessagesVerdict"), ref("Error")]}),
        }
    ),
    "LiteLlmAnswer": _closed(
        {
            "action": {"enum": ["NONE", "BLOCKED", "GUARDRAIL_INTERVENED"]},
            "blocked_reason": _TEXT,
            "texts": _TEXTS,
            "stream_holdback_chars": _list(_COUNT),
        },
        "action",
    ),
    "Ready": {
        "type": "object",
        "properties": {
            "status": {"enum": ["ready", "degraded", "not ready"]},
            "lacks": _TEXTS,
            "policies": _list({"type": "object"}),
        },
        "required": ["status"],
    },
    "Error": _full(
        {
            "error": _full(
                {"message": _TEXT, "type": _TEXT, "param": {"type": "null"}, "code": _TEXT}
            )
        }
    ),
}

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Json": _JSON,
    **_ASKED,
    "Check": {"oneOf": [ref(name) for name in _ASKED]},
    "CheckBatch": _closed({"items": _list(_ITEM, 1, MOST_ITEMS)}, "items"),
    "LiteLlmAsks": _LITELLM_ASKS,
    **_ANSWERED,
    "Checked": {"anyOf": [ref("Verdict"), ref("MessagesVerdict")]},
    "Alive": _full({"status": {"const": "ok"}}),
    "Reloaded": _full({"policies": _list({"type": "object"})}),
}
STRICT: Final[Mapping[str, Schema]] = {
    "LiteLlmAsks": {**_LITELLM_ASKS, "additionalProperties": False},
}
"""What is narrower where fields that are not known are refused."""
