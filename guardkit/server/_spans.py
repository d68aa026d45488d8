"""OpenTelemetry: one span per request, one per judgement, one per call of the model, and metrics.

Only its API is used, and only where it is installed: who wants spans starts the server in a process
whose provider and exporter they have set up. Without them all of this does nothing, at no cost.

The names for guardrails are a draft of the GenAI conventions and will change. Every name stands in
`NAMES`, under our own word for it, and nowhere else.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from guardkit.types import Verdict

from ._counters import Counters

NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Stable: HTTP.
        "method": "http.request.method",
        "route": "http.route",
        "status": "http.response.status_code",
        "error": "error.type",
        # In development: GenAI.
        "operation": "gen_ai.operation.name",
        "model": "gen_ai.request.model",
        # A draft: guardrails. What rules said and what was done about it are two things.
        "guardrail": "gen_ai.security.guardrail.name",
        "guardrail_version": "gen_ai.security.guardrail.version",
        "target": "gen_ai.security.guardrail.target.type",
        "verdict": "gen_ai.security.verdict.type",
        "action": "gen_ai.security.action.type",
        "policy": "gen_ai.security.policy.id",
        "rules": "gen_ai.security.policy.rule.id",
        "finding": "gen_ai.security.external_finding_id",
        # Ours: nobody else has a word for them.
        "shadow": "guardkit.rules.shadow",
        "exempted": "guardkit.rules.exempted",
        "unknown": "guardkit.checks.unknown",
        "findings": "guardkit.findings",
        "dialect": "guardkit.dialect",
        "tenant": "guardkit.tenant",
        "cut": "guardkit.stream.cut",
        "added": "guardkit.added_ms",
    }
)
"""Our word for each attribute, and what it is called outside."""

GUARDRAIL_SPAN: Final = "run_guardrail"
_SCOPE: Final = "guardkit"
_REQUEST_SECONDS: Final = "http.server.request.duration"
_ADDED_SECONDS: Final = "guardkit.added.duration"
_BOUNDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_MOST_NAMES: Final = 32
"""Of one list of rules or checks."""

_OPERATIONS: Final = MappingProxyType(
    {
        "chat": "chat",
        "messages": "chat",
        "responses": "chat",
        "completions": "text_completion",
        "embeddings": "embeddings",
    }
)
"""What the conventions call the call behind each route."""

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
# Words and short numbers, as in `claude-sonnet-4-5-20250929`; a key or a hash is neither.
_MODEL: Final = re.compile(
    r"(?:[a-z]{1,16}|[a-z]{1,6}[0-9]{1,2})"
    r"(?:[-._/:](?:[a-z]{1,12}|[0-9]{1,8}|[a-z]{1,3}[0-9]{1,4}[a-z]?|[0-9]{1,4}[a-z])){0,7}"
)
_MOST_DIGITS: Final = 11
"""In the name of a model: fewer than the number of a card has."""


class Parent(NamedTuple):
    """What a well-formed `traceparent` says."""

    trace: int
    span: int
    flags: int


def read_traceparent(header: str) -> Parent | None:
    """The span of the client that a request belongs to; None where the header is not well formed.

    Its companion `tracestate` is not read: it is free text of the client, and would be exported.
    """
    found = _TRACEPARENT.fullmatch(header) if len(header) <= 512 else None
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace, 16) or not int(span, 16):
        return None
    return Parent(int(trace, 16), int(span, 16), int(flags, 16))


def is_model_name(name: str) -> bool:
    """Whether a text of a client looks so much like the name of a model that it may be shown."""
    digits = sum(character.isdigit() for character in name)
    return len(name) <= 64 and digits <= _MOST_DIGITS and _MODEL.fullmatch(name) is not None


class Span:
    """One request. This one does nothing: it stands where nobody listens."""

    __slots__ = ()

    def judged(self, verdict: Verdict, *, decision: str = "", guardrail: str = "") -> None:
        """A text or a tool call was judged just now.

        Args:
            verdict: What it came to.
            decision: The id under which the audit log knows it.
            guardrail: The name of the policy, as the operator has it.
        """

    def called(
        self, route: str, *, status: int, took_s: float, model: str = "", error: str | None = None
    ) -> None:
        """The model was asked, and its answer has just ended.

        Args:
            route: Which kind of call it was.
            status: What the upstream answered with; 0 for nothing.
            took_s: How long it took.
            model: The model the client named. It is shown only where the upstream knew it, and
                where it looks like one (`is_model_name`).
            error: Why it failed: a word of the code.
        """

    def ended(
        self,
        *,
        status: int,
        action: str = "none",
        dialect: str = "none",
        decision: str = "",
        tenant: str = "",
        policy: str = "",
        upstream_s: float | None = None,
        cut: str | None = None,
        error: str | None = None,
    ) -> None:
        """The request came to its end. Called twice, the first counts."""


NO_SPAN: Final = Span()


class Spans:
    """Makes a span for each request. This one makes none.

    Use `Spans.make`; `lacks` says why the one it gave makes none although it was asked to.
    """

    __slots__ = ("lacks",)

    def __init__(self, lacks: str = "") -> None:
        self.lacks = lacks
        """What to tell the operator; empty where everything is as asked."""

    @staticmethod
    def make(enabled: bool, *, version: str = "") -> Spans:
        """What the setting asks for, or one that does nothing.

        Args:
            enabled: Whether spans are wanted.
            version: That of guardkit.
        """
        if not enabled:
            return Spans()
        try:
            api = _Api(*(import_module(f"opentelemetry.{name}") for name in _Api._fields))
        except ImportError:
            return Spans("spans need `opentelemetry-api`: install `guardkit[otel]`")
        return _Live(api, version)

    def __repr__(self) -> str:
        return f"<Spans {'on' if isinstance(self, _Live) else 'off'}>"

    def begin(self, route: str, method: str, traceparent: str = "") -> Span:
        """A request came in.

        Args:
            route: Which part of the server serves it: a word, never the path.
            method: The HTTP method.
            traceparent: The header, as it came.
        """
        return NO_SPAN

    def watch(self, counters: Counters) -> None:
        """Have everything that is counted exported too, whenever the exporter asks."""


class _Api(NamedTuple):
    """The modules of the API. `Any`: they may not be installed where types are checked."""

    trace: Any
    metrics: Any
    context: Any


class _Live(Spans):
    """Makes a span for each request."""

    __slots__ = ("_added", "_api", "_meter", "_request", "_tracer", "_version")

    def __init__(self, api: _Api, version: str) -> None:
        super().__init__(_lacks(api))
        self._api = api
        self._version = version
        self._tracer = api.trace.get_tracer(_SCOPE, version)
        self._meter = api.metrics.get_meter(_SCOPE, version)
        self._request = self._histogram(_REQUEST_SECONDS, "How long requests took")
        self._added = self._histogram(_ADDED_SECONDS, "What guardkit added to requests")

    def _histogram(self, name: str, says: str) -> Any:
        return self._meter.create_histogram(
            name, "s", says, explicit_bucket_boundaries_advisory=_BOUNDS
        )

    def begin(self, route: str, method: str, traceparent: str = "") -> Span:
        trace = self._api.trace
        method = method if method in _METHODS else "_OTHER"
        parent = read_traceparent(traceparent) if traceparent else None
        # An empty context, not the current one: a request belongs to nothing but what it names.
        context = self._api.context.Context()
        if parent is not None:
            remote = trace.SpanContext(
                parent.trace, parent.span, True, trace.TraceFlags(parent.flags & 1)
            )
            context = trace.set_span_in_context(trace.NonRecordingSpan(remote), context)
        span = self._tracer.start_span(
            f"{method} {route}",
            context=context,
            kind=trace.SpanKind.SERVER,
            attributes=_named({"method": method, "route": route}),
        )
        return _LiveSpan(self, span, route, method)

    def watch(self, counters: Counters) -> None:
        families = {family.name: family.kind for family in counters.families()}
        for name, kind in families.items():
            if kind == "histogram":
                continue  # spans record these themselves, as an exporter wants them
            observe = _observer(self._api.metrics, counters, name)
            shown = name.removesuffix("_total").replace("guardkit_", "guardkit.", 1)
            if kind == "counter":
                self._meter.create_observable_counter(shown, [observe])
            else:
                self._meter.create_observable_up_down_counter(shown, [observe])

    def record(self, whole_s: float, added_s: float, attributes: Mapping[str, Any]) -> None:
        """Count the times of one request."""
        self._request.record(whole_s, attributes)
        self._added.record(added_s, attributes)

    def child(
        self, span: Any, name: str, kind: str, took_s: float, attributes: Mapping[str, Any]
    ) -> Any:
        """A span below another that began so long ago, not ended yet."""
        trace = self._api.trace
        return self._tracer.start_span(
            name,
            context=trace.set_span_in_context(span, self._api.context.Context()),
            kind=trace.SpanKind[kind],
            attributes=attributes,
            start_time=time.time_ns() - round(max(took_s, 0.0) * 1e9),
        )

    def failed(self, span: Any, error: str) -> None:
        """Mark a span as failed."""
        span.set_attribute(NAMES["error"], error)
        span.set_status(self._api.trace.StatusCode.ERROR)

    @property
    def version(self) -> str:
        return self._version


class _LiveSpan(Span):
    """One request that somebody listens to."""

    __slots__ = ("_begun", "_is_over", "_method", "_route", "_span", "_spans")

    def __init__(self, spans: _Live, span: Any, route: str, method: str) -> None:
        self._spans = spans
        self._span = span
        self._route = route
        self._method = method
        self._begun = time.monotonic()
        self._is_over = False

    def judged(self, verdict: Verdict, *, decision: str = "", guardrail: str = "") -> None:
        if not self._span.is_recording():
            return
        child = self._spans.child(
            self._span,
            f"{GUARDRAIL_SPAN} {verdict.surface}",
            "INTERNAL",
            verdict.elapsed_us / 1e6,
            _named(
                {
                    "operation": GUARDRAIL_SPAN,
                    "guardrail": guardrail or _SCOPE,
                    "guardrail_version": self._spans.version,
                    "target": verdict.surface,
                    "verdict": _said(verdict),
                    "action": verdict.action,
                    "policy": verdict.policy,
                    "rules": verdict.fired[:_MOST_NAMES],
                    "shadow": verdict.shadow[:_MOST_NAMES],
                    "exempted": verdict.exempted[:_MOST_NAMES],
                    "unknown": verdict.unknown[:_MOST_NAMES],
                    "findings": len(verdict.findings),
                    "finding": decision,
                }
            ),
        )
        if verdict.unknown:
            self._spans.failed(child, "unknown")
        child.end()

    def called(
        self, route: str, *, status: int, took_s: float, model: str = "", error: str | None = None
    ) -> None:
        if not self._span.is_recording():
            return
        operation = _OPERATIONS.get(route, "chat")
        is_known = 200 <= status < 300 and is_model_name(model)
        facts = {"operation": operation, "model": model if is_known else "", "status": status or ""}
        name = f"{operation} {model}" if is_known else operation
        child = self._spans.child(self._span, name, "CLIENT", took_s, _named(facts))
        if error is not None or not 200 <= status < 300:
            self._spans.failed(child, error or str(status))
        child.end()

    def ended(
        self,
        *,
        status: int,
        action: str = "none",
        dialect: str = "none",
        decision: str = "",
        tenant: str = "",
        policy: str = "",
        upstream_s: float | None = None,
        cut: str | None = None,
        error: str | None = None,
    ) -> None:
        if self._is_over:
            return
        self._is_over = True
        whole_s = time.monotonic() - self._begun
        added_s = max(whole_s - (upstream_s or 0.0), 0.0)
        facts = {"method": self._method, "route": self._route, "status": status}
        self._spans.record(whole_s, added_s, _named({**facts, "action": action}))
        if self._span.is_recording():
            self._span.set_attributes(
                _named(
                    {
                        "status": status,
                        "action": action,
                        "dialect": dialect,
                        "finding": decision,
                        "tenant": tenant,
                        "policy": policy,
                        "cut": cut or "",
                        "added": round(added_s * 1000, 3),
                    }
                )
            )
            if status >= 500:  # a block is an answer, not a failure
                self._spans.failed(self._span, error or str(status))
        self._span.end()


def _named(facts: Mapping[str, object]) -> dict[str, Any]:
    """Under the names of `NAMES`; what is empty is left out."""
    return {NAMES[word]: value for word, value in facts.items() if value not in ("", ())}


def _said(verdict: Verdict) -> str:
    """What the rules said, whatever was done about it: a shadow rule says, and does nothing."""
    if verdict.fired or verdict.shadow or verdict.exempted:
        return "violation"
    return "unknown" if verdict.unknown else "clean"


def _observer(metrics: Any, counters: Counters, name: str) -> Any:
    def observe(_options: object) -> Iterable[Any]:
        for family in counters.families():
            if family.name == name:
                for value in family.values:
                    yield metrics.Observation(value.value, dict(value.labels))

    return observe


def _lacks(api: _Api) -> str:
    provider = type(api.trace.get_tracer_provider())
    if provider.__module__.startswith("opentelemetry.trace"):
        return (
            "no span leaves this process: no OpenTelemetry provider is set up;"
            " start it as `opentelemetry-instrument guardkit serve …`"
        )
    return ""
