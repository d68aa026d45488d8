"""The description of the server for programs: OpenAPI 3.1, as plain data."""

from __future__ import annotations

import sys
from typing import Any, Final

from guardkit.wire import DIALECTS, EVENTS, JSON

from ._question import MOST_ITEMS
from ._schemas import SCHEMAS, STRICT, Schema, ref
from ._settings import Settings

_DECISION: Final[Schema] = {
    "x-guardkit-decision": {
        "description": "The id under which the audit log knows this request.",
        "required": True,
        "schema": {"type": "string"},
    }
}
_JUDGED: Final[Schema] = {
    **_DECISION,
    "x-guardkit-action": {
        "description": "The strongest action that was taken.",
        "schema": {"type": "string"},
    },
    "x-guardkit-policy": {
        "description": "The digest of the policy that judged.",
        "schema": {"type": "string"},
    },
}
_RETRY: Final[Schema] = {
    "retry-after": {
        "description": "Seconds after which it may be tried again.",
        "schema": {"type": "string"},
    }
}
_FAULTS: Final = {
    400: "The request is malformed, or makes no sense.",
    401: "Nobody's key.",
    403: "A page of another site asked, or one that is too old.",
    405: "There is another method for this path.",
    408: "The body came too slowly.",
    413: "There is too much of it.",
    415: "It is not plain JSON in UTF-8.",
    429: "The quota of the key is used up, or too many of its requests were blocked.",
    500: "A bug: the request was not served.",
    503: "The server cannot judge it now: it has too much to do, or is stopping.",
}
_OF_BODIES: Final = (400, 405, 408, 413, 415, 500, 503)


def document(settings: Settings) -> dict[str, Any]:
    """The description of a server.

    Args:
        settings: What its operator chose: what it proxies, and whether it asks for keys.
    """
    paths = {**_decisions(settings), **_operations(settings)}
    if settings.upstream is not None or settings.upstream_anthropic is not None:
        paths |= _proxied(settings)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "guardkit",
            "version": str(sys.modules["guardkit"].__version__),
            "description": "Judges what a deployment of a model reads and says, by one policy.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **(STRICT if settings.strict else {})},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of this server, where it has a file of keys.",
                },
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "admin": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The admin token; for figures alone, that of the scraper.",
                },
            },
        },
    }


def _decisions(settings: Settings) -> dict[str, Any]:
    secured = _secured(settings)
    return {
        "/v1/guardrails/check": {
            "post": {
                "operationId": "check",
                "summary": "Judge a text, messages or a tool call",
                "description": "A block is an answer, not an error: look at `action`.",
                **secured,
                "requestBody": _body("Check"),
                "responses": _responses(settings, "The verdict.", "Checked"),
            }
        },
        "/v1/guardrails/check/batch": {
            "post": {
                "operationId": "checkBatch",
                "summary": f"Judge up to {MOST_ITEMS} things, each by itself",
                "description": "Answers stand in the order of the items; those of one session"
                " are judged in that order. An item that makes no sense gets its own error.",
                **secured,
                "requestBody": _body("CheckBatch"),
                "responses": _responses(settings, "A verdict or an error each.", "CheckedBatch"),
            }
        },
        "/beta/litellm_basic_guardrail_api": {
            "post": {
                "operationId": "litellm",
                "summary": "LiteLLM's generic guardrail API",
                **secured,
                "requestBody": _body("LiteLlmAsks"),
                "responses": _responses(settings, "What the gateway is to do.", "LiteLlmAnswer"),
            }
        },
    }


def _operations(settings: Settings) -> dict[str, Any]:
    admin: Schema = {"security": [{"admin": []}]}
    figures = admin if settings.keys is not None else {"security": []}
    shown = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "/healthz": {
            "get": {
                "operationId": "healthz",
                "summary": "Whether the process answers",
                "security": [],
                "responses": {"200": _reply("It does.", "Alive"), **_faults(405, 500)},
            }
        },
        "/readyz": {
            "get": {
                "operationId": "readyz",
                "summary": "Whether the policies stop what they are known to stop",
                "security": [],
                "responses": {
                    "200": _reply("They do.", "Ready"),
                    "503": _reply("They do not, or the server is stopping.", "Ready"),
                    **_faults(405, 500),
                },
            }
        },
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Figures for Prometheus",
                **figures,
                "responses": {
                    "200": {"description": "The figures.", "headers": _DECISION, "content": shown},
                    **_faults(401, 405, 500),
                },
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This description",
                "security": [],
                "responses": {
                    "200": {
                        "description": "This description.",
                        "headers": _DECISION,
                        "content": {JSON: {"schema": {"type": "object"}}},
                    },
                    **_faults(405, 500),
                },
            }
        },
        "/v1/policy/reload": {
            "post": {
                "operationId": "reload",
                "summary": "Load the policies again",
                **admin,
                "responses": {
                    "200": _reply("Every policy is in force as its file has it.", "Reloaded"),
                    "422": _reply("One is wrong: the one before it stays.", "Reloaded"),
                    **_faults(400, 401, 403, 405, 500, 503),
                },
            }
        },
    }


_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_PARTS: Schema = {"type": "array", "items": {"type": ["string", "object"]}}
_MESSAGES: Schema = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {"content": {"anyOf": [_TEXT, _PARTS, {"type": "null"}]}},
    },
}


def _asks(name: str, shape: Schema, **more: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["model", name],
        "properties": {"model": _TEXT, name: shape, **more},
    }


_STREAM: Schema = {"type": ["boolean", "null"]}
_ASKED: dict[str, Schema] = {
    "chat": _asks("messages", _MESSAGES, stream=_STREAM),
    "responses": _asks("input", {"anyOf": [_TEXT, _MESSAGES]}, stream=_STREAM),
    "completions": _asks("prompt", _TEXTS, stream=_STREAM),
    "embeddings": _asks("input", _TEXTS),
    "messages": _asks("messages", _MESSAGES, stream=_STREAM),
}


def _proxied(settings: Settings) -> dict[str, Any]:
    """The endpoints whose shapes are those of the dialects, which are described elsewhere.

    Of a request it is said what is asked of it here: without that it is refused.
    """
    whole: Schema = {"schema": {"type": "object"}}
    made = {}
    for dialect in DIALECTS:
        said: Schema = {
            "description": "In the dialect of the request; where it asks for a stream, events.",
            "headers": _JUDGED,
            "content": {JSON: whole, EVENTS: {"schema": {}}},
        }
        refused = {"description": "An error in the shape of the dialect.", "content": {JSON: whole}}
        made[dialect.path] = {
            "post": {
                "operationId": dialect.name,
                "summary": f"`{dialect.path}` of the model's server, guarded",
                **_secured(settings),
                "requestBody": {
                    "required": True,
                    "content": {JSON: {"schema": _ASKED[dialect.name]}},
                },
                "responses": {"200": said, "default": {**refused, "headers": _DECISION}},
            }
        }
    return made


def _secured(settings: Settings) -> Schema:
    if settings.keys is None:
        return {"security": []}
    return {"security": [{"key": []}, {"header": []}]}


def _body(name: str) -> Schema:
    return {"required": True, "content": {JSON: {"schema": ref(name)}}}


def _responses(settings: Settings, description: str, name: str) -> Schema:
    keyed = (401,) if settings.keys is not None else ()
    judged = _reply(description, name)
    return {"200": {**judged, "headers": _JUDGED}, **_faults(*keyed, *_OF_BODIES, 429)}


def _reply(description: str, name: str) -> Schema:
    content = {JSON: {"schema": ref(name)}}
    return {"description": description, "headers": _DECISION, "content": content}


def _faults(*statuses: int) -> Schema:
    made = {}
    for status in sorted(statuses):
        reply = _reply(_FAULTS[status], "Error")
        if status in (429, 503):
            reply["headers"] = {**_DECISION, **_RETRY}
        made[str(status)] = reply
    return made
