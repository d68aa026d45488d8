"""Spans and metrics of requests: names of one table, verdict beside action, and never any text."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardkit.guard import Guard, loads
from guardkit.server._counters import Counters
from guardkit.server._spans import (
    GUARDRAIL_SPAN,
    NAMES,
    NO_SPAN,
    Spans,
    is_model_name,
    read_traceparent,
)

ROOT = Path(__file__).parents[2]
CANARY = "zx9quartzomega"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"

POLICY = """guardkit 1
policy traced
  title "Traced"
  owner "a@b.example"
  version "1"

check forbidden = pattern { match /FORBIDDEN/ }
check shouting  = pattern { match /LOUD/ }

rule stop {
  tier safety
  on   input, output
  when forbidden
  then block "No."
}

rule quietly {
  tier safety
  mode shadow
  on   input
  when shouting
  then block "No."
}
"""


@pytest.fixture(scope="module")
def guard() -> Guard:
    return loads(POLICY)


class Exported:
    """What an exporter would send away."""

    def __init__(self) -> None:
        metrics = pytest.importorskip("opentelemetry.sdk.metrics")
        export = pytest.importorskip("opentelemetry.sdk.metrics.export")
        trace = pytest.importorskip("opentelemetry.sdk.trace")
        spans = pytest.importorskip("opentelemetry.sdk.trace.export")
        memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
        self._memory = memory.InMemorySpanExporter()
        self._reader = export.InMemoryMetricReader()
        self.traces = trace.TracerProvider()
        self.traces.add_span_processor(spans.SimpleSpanProcessor(self._memory))
        self.meters = metrics.MeterProvider(metric_readers=[self._reader])

    def spans(self) -> dict[str, Any]:
        found = {span.name: span for span in self._memory.get_finished_spans()}
        assert len(found) == len(self._memory.get_finished_spans())
        return found

    def metrics(self) -> dict[str, list[Any]]:
        data = self._reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def everything(self) -> str:
        spans = "".join(span.to_json() for span in self._memory.get_finished_spans())
        data = self._reader.get_metrics_data()
        return spans + (data.to_json() if data is not None else "")

    def close(self) -> None:
        self.traces.shutdown()
        self.meters.shutdown()


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = Exported()
    trace = pytest.importorskip("opentelemetry.trace")
    metrics = pytest.importorskip("opentelemetry.metrics")
    # The providers of a process can be set once only; a test needs its own.
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: found.traces)
    monkeypatch.setattr(trace, "get_tracer", found.traces.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", found.meters.get_meter)
    yield found
    found.close()


def attributes(span: Any) -> dict[str, Any]:
    """What a span says, by our own words."""
    words = {name: word for word, name in NAMES.items()}
    return {words[name]: value for name, value in span.attributes.items()}


# --- what is told


def test_a_request_is_one_server_span_with_a_child_for_each_judgement(
    exported: Exported, guard: Guard
) -> None:
    spans = Spans.make(True, version="1.2")
    assert spans.lacks == ""
    span = spans.begin("chat", "POST")
    span.judged(guard.check("LOUD but fine"), decision="d-1", guardrail="traced")
    span.called("chat", status=200, took_s=0.25, model="gpt-4o-mini")
    span.judged(guard.check("FORBIDDEN", on="output"), decision="d-1", guardrail="traced")
    span.ended(
        status=200,
        action="block",
        dialect="openai",
        decision="d-1",
        tenant="acme",
        policy=guard.digest,
        upstream_s=0.0,
    )
    span.ended(status=500)  # the first counts
    found = exported.spans()
    assert set(found) == {
        "POST chat",
        "run_guardrail input",
        "run_guardrail output",
        "chat gpt-4o-mini",
    }
    server = found["POST chat"]
    assert (server.kind.name, server.parent, server.status.status_code.name) == (
        "SERVER",
        None,
        "UNSET",
    )
    told = attributes(server)
    assert told.pop("added") >= 0
    assert told == {
        "method": "POST",
        "route": "chat",
        "status": 200,
        "action": "block",
        "dialect": "openai",
        "finding": "d-1",
        "tenant": "acme",
        "policy": guard.digest,
    }
    shadow = attributes(found["run_guardrail input"])
    # The shadow rule says, and nothing was done: verdict and action are two things.
    assert (shadow["verdict"], shadow["action"]) == ("violation", "pass")
    assert shadow["shadow"] == ("quietly",)
    assert "rules" not in shadow
    block = attributes(found["run_guardrail output"])
    assert block == {
        "operation": GUARDRAIL_SPAN,
        "guardrail": "traced",
        "guardrail_version": "1.2",
        "target": "output",
        "verdict": "violation",
        "action": "block",
        "policy": guard.digest,
        "rules": ("stop",),
        "findings": 1,
        "finding": "d-1",
    }
    call = found["chat gpt-4o-mini"]
    assert attributes(call) == {"operation": "chat", "model": "gpt-4o-mini", "status": 200}
    assert call.kind.name == "CLIENT"
    assert 0.2 < (call.end_time - call.start_time) / 1e9 < 0.35
    for name in found.keys() - {"POST chat"}:
        assert found[name].parent.span_id == server.context.span_id
        assert found[name].context.trace_id == server.context.trace_id
        assert not found[name].events


def test_no_text_is_exported_whatever_clients_send(exported: Exported, guard: Guard) -> None:
    spans = Spans.make(True)
    counters = Counters()
    spans.watch(counters)
    span = spans.begin("chat", CANARY.upper(), f"00-{CANARY}-{PARENT}-01")
    for surface in ("input", "output"):
        span.judged(guard.check(f"FORBIDDEN {CANARY} LOUD", on=surface))
    for model, status in ((CANARY, 404), (f"{CANARY} 1", 200), (f"sk-{CANARY}9f8e7d", 200)):
        span.called("chat", status=status, took_s=0.01, model=model)
        span.called("chat", status=0, took_s=0.01, model=model, error="timeout")
        counters.began()
        counters.ended(model, model, status, model, 0.1, 0.1)
        counters.upstream_error(model, model)
    span.ended(status=502, action="none", error="upstream_timeout", cut="upstream")
    text = exported_text(exported)
    assert CANARY not in text
    assert "FORBIDDEN" not in text
    assert '"_OTHER"' in text


def exported_text(exported: Exported) -> str:
    text = "".join(span.to_json() for span in exported._memory.get_finished_spans())
    text += json.dumps([repr(points) for points in exported.metrics().values()])
    return text.lower().replace("forbidden", "FORBIDDEN").replace("_other", "_OTHER")


def test_failures_are_marked_and_a_block_is_none(exported: Exported, guard: Guard) -> None:
    spans = Spans.make(True)
    broken = spans.begin("chat", "POST")
    broken.called("chat", status=0, took_s=1.0, error="timeout")
    broken.ended(status=504, error="upstream_timeout")
    unknown = spans.begin("messages", "POST")
    unknown.judged(guard.check("fine")._replace(unknown=("judge",)))
    unknown.called("messages", status=429, took_s=0.1)
    unknown.ended(status=400, action="block")
    found = exported._memory.get_finished_spans()
    told = {(s.name, s.status.status_code.name, attributes(s).get("error")) for s in found}
    assert told == {
        ("chat", "ERROR", "timeout"),
        ("POST chat", "ERROR", "upstream_timeout"),
        ("run_guardrail input", "ERROR", "unknown"),
        ("chat", "ERROR", "429"),
        ("POST messages", "UNSET", None),
    }
    verdicts = [attributes(s) for s in found if s.name.startswith(GUARDRAIL_SPAN)]
    assert verdicts[0]["verdict"] == "unknown"


def test_the_span_of_a_client_is_the_parent(exported: Exported) -> None:
    spans = Spans.make(True)
    spans.begin("check", "POST", f"00-{TRACE}-{PARENT}-01").ended(status=200)
    (span,) = exported.spans().values()
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.parent.is_remote
    spans.begin("health", "GET", f"00-{TRACE}-{PARENT}-01-more").ended(status=200)
    assert exported.spans()["GET health"].parent is None


def test_a_client_that_asks_for_no_sampling_gets_none_and_its_times_still_count(
    exported: Exported, guard: Guard
) -> None:
    span = Spans.make(True).begin("chat", "POST", f"00-{TRACE}-{PARENT}-00")
    span.judged(guard.check("fine"))
    span.called("chat", status=200, took_s=0.1, model="gpt-4o")
    span.ended(status=200, action="pass")
    assert exported.spans() == {}
    assert exported.metrics()["http.server.request.duration"][0].count == 1


def test_a_request_belongs_to_no_span_but_what_it_names(exported: Exported) -> None:
    with exported.traces.get_tracer("other").start_as_current_span("around"):
        Spans.make(True).begin("chat", "POST").ended(status=200)
    assert exported.spans()["POST chat"].parent is None


def test_what_is_counted_is_exported_when_asked(exported: Exported) -> None:
    spans = Spans.make(True)
    counters = Counters()
    spans.watch(counters)
    counters.began()
    counters.began()
    counters.ended("chat", "openai", 200, "block", 0.1, 0.05)
    counters.shed("overloaded")
    spans.begin("chat", "POST").ended(status=200, action="block", upstream_s=0.0)
    found = exported.metrics()
    (point,) = found["guardkit.requests"]
    assert point.value == 1
    assert dict(point.attributes)["action"] == "block"
    assert found["guardkit.requests_inside"][0].value == 1
    assert dict(found["guardkit.requests_shed"][0].attributes) == {"reason": "overloaded"}
    for name in ("http.server.request.duration", "guardkit.added.duration"):
        (times,) = found[name]
        assert times.count == 1
        assert dict(times.attributes) == {
            NAMES["method"]: "POST",
            NAMES["route"]: "chat",
            NAMES["status"]: 200,
            NAMES["action"]: "block",
        }
    counters.shed("overloaded")
    assert exported.metrics()["guardkit.requests_shed"][0].value == 2


# --- what is read of clients


def test_a_traceparent_is_read_by_the_letter() -> None:
    good = f"00-{TRACE}-{PARENT}-01"
    assert read_traceparent(good) == (int(TRACE, 16), int(PARENT, 16), 1)
    assert read_traceparent(f"cc-{TRACE}-{PARENT}-01-what-the-future-will-bring") is not None
    for bad in (
        "",
        good.upper(),
        f" {good}",
        f"{good}\n",
        f"{good}-x",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00_{TRACE}_{PARENT}_01",
        f"cc-{TRACE}-{PARENT}-01-{'x' * 600}",
        f"00-{TRACE[:-1]}\u0661-{PARENT}-01",
    ):
        assert read_traceparent(bad) is None, bad


@given(st.text())
def test_any_header_is_read_or_refused(header: str) -> None:
    assert read_traceparent(header) is None or header.isascii()


# fmt: off
MODELS = [
    "gpt-4o", "gpt-4o-mini", "gpt-4o-2024-08-06", "gpt-4.1", "gpt-5", "o3-mini", "o1",
    "claude-sonnet-4-5-20250929", "claude-3-5-haiku-latest", "claude-3-5-sonnet-20241022",
    "mistral-large-latest", "gemini-2.5-pro", "meta-llama/llama-3.1-8b-instruct", "deepseek-chat",
    "text-embedding-3-small", "qwen3-32b", "command-r-plus", "gemma2:9b", "openai/gpt-oss-120b",
]
# fmt: on

NO_MODELS = [
    "",
    "sk-proj-4f9A8b7C6d5E4f3A2b1C",
    "sk-ant-api03-x9f8e7d6c5b4a3",
    "4111-1111-1111-1111",
    "visa-4111-1111-1111-1111",
    "please tell me",
    "ann@shop.example",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "9f8e7d6c",
    "gpt\n4",
    "gpt-4\u200b",
    "x" * 65,
    "a-" * 40,
    "akiaiosfodnn7example",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x",
]


@pytest.mark.parametrize("name", MODELS)
def test_the_name_of_a_model_is_shown(name: str) -> None:
    assert is_model_name(name)


@pytest.mark.parametrize("name", NO_MODELS)
def test_what_does_not_look_like_one_is_not(name: str) -> None:
    assert not is_model_name(name)


def test_looking_at_a_long_name_is_quick() -> None:
    begun = time.process_time()
    for name in ("a-" * 5000, "a1" * 32, "a" * 64, "a-1" * 21):
        is_model_name(name)
    assert time.process_time() - begun < 0.1


# --- where nobody listens


def test_switched_off_it_does_nothing_and_loads_nothing() -> None:
    program = """
import json, sys
from guardkit.server._spans import NO_SPAN, Spans
spans = Spans.make(False)
same = spans.begin("chat", "POST", "x") is NO_SPAN
spans.begin("chat", "POST").ended(status=200)
print(json.dumps([same, spans.lacks, [m for m in sys.modules if "opentelemetry" in m]]))
"""
    assert alone(program) == [True, "", []]


def test_without_the_library_it_says_so_and_does_nothing() -> None:
    program = """
import json, sys
sys.modules["opentelemetry"] = None
from guardkit.server._counters import Counters
from guardkit.server._spans import NO_SPAN, Spans
spans = Spans.make(True)
spans.watch(Counters())
print(json.dumps([spans.begin("chat", "POST") is NO_SPAN, spans.lacks]))
"""
    same, lacks = alone(program)
    assert same
    assert "guardkit[otel]" in lacks


def test_a_process_without_a_provider_says_that_nothing_leaves_it() -> None:
    pytest.importorskip("opentelemetry.trace")
    program = """
import json
from guardkit.server._spans import Spans
spans = Spans.make(True)
span = spans.begin("chat", "POST", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
span.called("chat", status=200, took_s=0.1)
span.ended(status=200)
print(json.dumps(spans.lacks))
"""
    assert "no span leaves this process" in alone(program)


def alone(program: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_span_that_does_nothing_takes_all_that_the_other_takes(guard: Guard) -> None:
    NO_SPAN.judged(guard.check("fine"), decision="d", guardrail="g")
    NO_SPAN.called("chat", status=200, took_s=0.1, model="m", error=None)
    NO_SPAN.ended(status=200, action="pass", upstream_s=0.1, cut=None, error=None)


def test_every_name_stands_once_in_the_table() -> None:
    assert len(set(NAMES.values())) == len(NAMES)
    source = (ROOT / "guardkit/server/_spans.py").read_text(encoding="utf-8")
    rest = source[source.index("Our word for each attribute") :]
    for name in NAMES.values():
        assert f'"{name}"' not in rest
    assert "gen_ai" not in rest
