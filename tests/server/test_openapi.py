"""The description of the server: it is sound, and what the server reads and says is just that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from guardkit.server._http import Request
from guardkit.server._openapi import document
from guardkit.server._settings import Settings
from guardkit.wire import DIALECTS

from ._decide import BATCH, CHECK, LITELLM, POLICY, Deciding, deciding
from ._served import ADMIN, served

PATHS = (CHECK, BATCH, LITELLM)
OPEN = Settings(policy="chat")
FULL = Settings(policy="chat", keys="keys.toml", upstream="https://models.example")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Deciding:
    return deciding(tmp_path_factory.mktemp("openapi"))


def _validator(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": whole["components"]})


def _operations(whole: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        path: operation
        for path, methods in whole["paths"].items()
        for operation in methods.values()
    }


# --- the document


@pytest.mark.parametrize("chosen", [OPEN, FULL, Settings(policy="chat", strict=True)])
def test_every_shape_in_it_is_a_schema_and_every_reference_leads_somewhere(
    chosen: Settings,
) -> None:
    whole = document(chosen)
    assert whole["openapi"].startswith("3.1.")
    shapes = whole["components"]["schemas"]
    for schema in shapes.values():
        Draft202012Validator.check_schema(schema)
    text = json.dumps(whole)
    for name in shapes:
        assert f'"#/components/schemas/{name}"' in text, f"{name} is used nowhere"
    for found in text.split('"#/components/schemas/')[1:]:
        assert found.partition('"')[0] in shapes
    names = [each["operationId"] for each in _operations(whole).values()]
    assert len(set(names)) == len(names)


def test_it_describes_what_is_served_and_nothing_else() -> None:
    own = {*PATHS, "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/policy/reload"}
    assert set(_operations(document(OPEN))) == own
    assert set(_operations(document(FULL))) == own | {dialect.path for dialect in DIALECTS}


def test_it_says_where_a_key_is_needed() -> None:
    with_keys, without = _operations(document(FULL)), _operations(document(OPEN))
    for path in (*PATHS, *(dialect.path for dialect in DIALECTS)):
        assert with_keys[path]["security"] == [{"key": []}, {"header": []}]
    for path in PATHS:
        assert without[path]["security"] == []
        assert "401" in with_keys[path]["responses"]
        assert "401" not in without[path]["responses"]
    for each in (with_keys, without):
        assert each["/v1/policy/reload"]["security"] == [{"admin": []}]
        assert each["/healthz"]["security"] == []


def test_what_we_read_is_closed() -> None:
    shapes = document(OPEN)["components"]["schemas"]
    for name, schema in shapes.items():
        if name.startswith("Check") and schema.get("type") == "object":
            assert schema["additionalProperties"] is False, name
    strict = document(Settings(policy="chat", strict=True))["components"]["schemas"]
    assert strict["LiteLlmAsks"]["additionalProperties"] is False


def test_it_is_served(api: Deciding) -> None:
    async def read() -> bytes:
        return b""

    request = Request("GET", "/openapi.json", {}, {}, "127.0.0.1", "decision-1", read)
    reply = asyncio.run(api.api.openapi(request))
    assert reply.status == 200
    assert json.loads(reply.body) == document(api.settings)


def test_a_server_answers_at_every_path_of_its_own_description() -> None:
    bodies = {
        CHECK: {"text": "so FORBIDDEN"},
        BATCH: {"items": [{"text": "NB-1234"}, {}]},
        LITELLM: {"input_type": "response", "texts": ["NB-1234"]},
        "/v1/policy/reload": {},
    }
    with served(POLICY) as server, httpx2.Client(base_url=server.url, trust_env=False) as client:
        whole = client.get("/openapi.json").json()
        for path, methods in whole["paths"].items():
            for method, operation in methods.items():
                headers = {"authorization": f"Bearer {ADMIN}"} if "reload" in path else {}
                sent = {"json": bodies[path]} if path in bodies else {}
                reply = client.request(method.upper(), path, headers=headers, **sent)
                described = operation["responses"][str(reply.status_code)]
                assert reply.status_code == 200, (path, reply.text)
                assert reply.headers["x-guardkit-decision"]
                [(kind, shape)] = described["content"].items()
                assert reply.headers["content-type"].partition(";")[0] == kind
                if kind == "application/json":
                    _validator(shape["schema"], whole).validate(reply.json())
                for name, header in described["headers"].items():
                    assert name in reply.headers or not header.get("required", False)


# --- what is sent and said is what it describes

_NAMES = st.text("abcdefgh_", max_size=8)
_TEXTS = st.one_of(st.text(max_size=30), st.sampled_from(["NB-1234", "so FORBIDDEN", "odd word"]))
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXTS,
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=3)
    ),
    max_leaves=6,
)
_OBJECTS = st.dictionaries(_NAMES, _JSON, max_size=4)
_PARTS = st.fixed_dictionaries({"type": st.just("text"), "text": _TEXTS})
_MESSAGES = st.one_of(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "system", "assistant", "tool"]),
            "content": st.one_of(_TEXTS, st.lists(_PARTS, max_size=3)),
        }
    ),
    _OBJECTS,
)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "text": _TEXTS,
    "messages": st.lists(_MESSAGES, max_size=4),
    "tool": _TEXTS,
    "arguments": st.one_of(_OBJECTS, st.sampled_from(['{"a": "NB-1234"}', "none"])),
    "on": st.sampled_from(["input", "output", "tool_call", "tool_result", "retrieved", "where"]),
    "context": _OBJECTS,
    "session": st.one_of(st.text(max_size=5), st.just("session-1")),
    "sources": st.dictionaries(
        st.sampled_from(["input", "retrieved", "x"]), st.lists(_TEXTS, max_size=2), max_size=2
    ),
    "explain": st.booleans(),
    "offsets": st.lists(st.sampled_from(["utf8", "utf16", "bytes"]), max_size=2),
    "tenant": _TEXTS,
}
_KINDS = (
    {"text", "on", "context", "session", "sources", "explain", "offsets", "tool"},
    {"messages", "on", "context", "session", "sources"},
    {"tool", "arguments", "on", "context", "session", "sources", "explain"},
    set(_FIELDS),
)


@st.composite
def _checks(draw: st.DrawFn) -> Any:
    """Requests near and across the border of what makes sense."""
    names = draw(st.sampled_from(_KINDS))
    body = {}
    for name in sorted(names):
        is_needed = name in ("text", "messages", "arguments", "tool") and len(names) < 9
        if draw(st.integers(0, 9)) < (9 if is_needed and name != "tool" else 4):
            body[name] = draw(
                st.one_of(_FIELDS[name], st.none(), _SCALARS)
                if draw(st.integers(0, 9)) == 0
                else _FIELDS[name]
            )
    return body


_LITELLM = st.fixed_dictionaries(
    {"input_type": st.sampled_from(["request", "response"])},
    optional={
        "texts": st.one_of(st.none(), st.lists(_TEXTS, max_size=3)),
        "structured_messages": st.one_of(st.none(), st.lists(_MESSAGES, max_size=3)),
        "images": st.one_of(st.none(), st.lists(_TEXTS, max_size=1)),
        "tools": st.one_of(st.none(), st.lists(_OBJECTS, max_size=2)),
        "tool_calls": st.lists(_OBJECTS, max_size=2),
        "model": st.one_of(_TEXTS, st.integers()),
        "litellm_trace_id": _TEXTS,
        "request_data": st.one_of(_OBJECTS, _TEXTS),
        "new": _JSON,
    },
)
_BODIES = st.one_of(
    st.tuples(st.just(CHECK), _checks()),
    st.tuples(st.just(BATCH), st.fixed_dictionaries({"items": st.lists(_checks(), max_size=4)})),
    st.tuples(st.just(LITELLM), _LITELLM),
)


def _holds(api: Deciding, path: str, body: Any) -> int:
    """Ask, and hold the question and the answer against the document; the status."""
    whole = document(api.settings)
    operation = _operations(whole)[path]
    asked = operation["requestBody"]["content"]["application/json"]["schema"]
    is_described = _validator(asked, whole).is_valid(body)
    status, said, headers = api.ask(path, body)
    assert str(status) in operation["responses"]
    described = operation["responses"][str(status)]
    if status == 200:
        schema = described["content"]["application/json"]["schema"]
        _validator(schema, whole).validate(said)
        assert headers.keys() <= described["headers"].keys()
        assert is_described, "it was served, and is not described"
    else:
        assert status == 400
        # What cannot be told from the shape: text within text, an unreadable message.
        assert not is_described or said["code"] == "unreadable_request", said
    return status


@given(_BODIES)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_served_is_described_and_what_is_refused_is_not(
    api: Deciding, asked: tuple[str, Any]
) -> None:
    path, body = asked
    _holds(api, path, body)


@pytest.mark.full
@given(_BODIES)
@settings(
    max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.timeout(900)
def test_the_same_of_a_great_many(api: Deciding, asked: tuple[str, Any]) -> None:
    _holds(api, *asked)


KNOWN: list[tuple[str, Any, int]] = [
    (CHECK, {"text": "NB-1234", "offsets": ["utf8", "utf16"], "explain": True}, 200),
    (CHECK, {"text": "x", "on": "tool_result", "tool": "f", "session": "s"}, 200),
    (CHECK, {"tool": "f", "arguments": {"a": ["NB-1234"]}, "explain": True}, 200),
    (CHECK, {"messages": [{"role": "user", "content": "FORBIDDEN"}]}, 200),
    (CHECK, {"messages": [{"role": "user", "content": "odd word"}], "on": "output"}, 200),
    (CHECK, {"text": "x", "on": None, "context": None, "session": None}, 200),
    (CHECK, {"text": "x", "on": "tool_result", "tool": None}, 200),
    (CHECK, {"text": "x", "tool": None}, 400),
    (CHECK, {"text": "x", "session": "\x7f"}, 400),
    (BATCH, {"items": [{"text": "x"}, {}, None, {"messages": [{"x": "y"}]}]}, 200),
    (BATCH, {"items": []}, 400),
    (LITELLM, {"input_type": "response", "texts": ["NB-1234 " * 9]}, 200),
    (LITELLM, {"input_type": "request", "texts": ["FORBIDDEN"], "new": [1]}, 200),
    (LITELLM, {}, 400),
]


@pytest.mark.parametrize(("path", "body", "status"), KNOWN)
def test_known_requests(api: Deciding, path: str, body: Any, status: int) -> None:
    assert _holds(api, path, body) == status


def test_holds_and_revisions_are_described(tmp_path: Path) -> None:
    from .test_checks import ACTING

    api = deciding(tmp_path, ACTING)
    for body in (
        {"text": "WAIT"},
        {"text": "BLUNT", "on": "output"},
        {"messages": [{"role": "assistant", "content": "BLUNT"}], "on": "output"},
    ):
        assert _holds(api, CHECK, body) == 200
