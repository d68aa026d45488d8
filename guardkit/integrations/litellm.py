"""A policy as a guardrail of LiteLLM, in its own process.

from guardkit.integrations.litellm import guardrail

litellm.callbacks = [guardrail("policy.guard")]

In the configuration of its proxy: `guardrail: guardkit.integrations.litellm.Guardrail`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from cachetools import LRUCache

from guardkit.errors import AuditError, BindError, CheckError, UsageError
from guardkit.guard import Guard
from guardkit.judging import NOT_JUDGED, UNREADABLE, Answer, Asked, Replies, Tally
from guardkit.types import Verdict
from guardkit.wire import Fault
from guardkit.wrap import Judgements

from ._target import guard_of
from ._third_party import third_party

EVENTS: Final = ("pre_call", "post_call")
"""Before the model and after it. Beside it (`during_call`) nothing could be rewritten."""
_ASKS: Final = ("completion", "acompletion")
_RETRIES: Final = ("num_retries", "retry_policy", "context_window_fallback_dict")
_STREAMED: Final = "/chat/completions"
MOST_CALLS: Final = 10_000
_BUCKETS: Final = ("litellm_metadata", "metadata")
_DISCARDS: Final = ("run_in_parallel", "scan_raw_request")
Session = str | Callable[[Mapping[str, Any]], str | None] | None
Facts = Mapping[str, object] | Callable[[Mapping[str, Any]], Mapping[str, object]] | None


def guardrail(
    policy: str | Guard | None = None,
    *,
    name: str = "guardkit",
    session: Session = None,
    context: Facts = None,
    watch: Callable[[Verdict], object] | None = None,
) -> Any:
    """A guardrail for `litellm.callbacks`: asked before and after the model, on every request.

    A block is LiteLLM's own `GuardrailRaisedException`, a 400 that is not asked again, with the
    verdict as `.verdict`.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        name: Its name among LiteLLM's guardrails.
        session: The session, or a function of the request's data; else LiteLLM's trace.
        context: What rules may ask about as `context.…`, or such a function.
        watch: Told of every verdict that is more than a pass.

    Raises:
        PolicyError: The policy is wrong.
        BindError: LiteLLM is missing or too old, or this machine cannot run the policy.
    """
    return _guardrail()(
        guardrail_name=name,
        event_hook=list(EVENTS),
        default_on=True,
        policy=policy,
        session=session,
        context=context,
        watch=watch,
    )


class _Told(Tally):
    """A tally, and somebody who is told."""

    __slots__ = ("_last", "_watch")

    def __init__(self, watch: Callable[[Verdict], object] | None) -> None:
        super().__init__()
        self._watch = watch
        self._last: Verdict | None = None

    def saw(self, verdict: Verdict) -> None:
        super().saw(verdict)
        # The verdict that ends it comes once more.
        if self._watch is not None and verdict.action != "pass" and verdict is not self._last:
            self._last = verdict
            self._watch(verdict)


class _Asks:
    """A policy, and what LiteLLM asks of it."""

    def __init__(
        self,
        policy: str | Guard | None,
        session: Session,
        context: Facts,
        watch: Callable[[Verdict], object] | None,
    ) -> None:
        self.guard = guard_of(policy)
        self._session, self._context, self._watch = session, context, watch
        self._known, self._replies = Judgements(), Replies()
        self._calls: LRUCache[str, tuple[bytes, Answer | None]] = LRUCache(MOST_CALLS)
        """What calls asked, as a digest, and what stopped them: LiteLLM tries again whatever an
        error says, and what was stopped is neither judged nor sent once more."""

    async def answer(
        self, inputs: Mapping[str, Any], data: Mapping[str, Any], phase: str, log: Any
    ) -> Answer:
        """What the policy says of a request or a reply.

        Raises:
            Fault: It is malformed.
        """
        asked = Asked.of(
            {
                **{name: _plain(value) for name, value in inputs.items()},
                "input_type": phase,
                "litellm_call_id": _text(log, "litellm_call_id") or _text(data, "litellm_call_id"),
                "litellm_trace_id": self._trace(data, log),
                "request_data": {"user_api_key_hash": _stamped(data, "user_api_key_hash")},
            },
            strict=False,
        )
        call = asked.call or ""
        digest, stopped = self._calls.get(call, (b"", None))
        if not asked.is_reply:
            said = json.dumps([asked.texts, asked.messages, asked.calls, asked.tools], default=str)
            same, digest = digest, hashlib.sha256(said.encode()).digest()
            if stopped is not None and same == digest:
                return stopped
        answer = await self._judged(asked, data)
        if call:
            self._calls[call] = digest, answer if answer.action == "BLOCKED" else None
        return answer

    async def _judged(self, asked: Asked, data: Mapping[str, Any]) -> Answer:
        whose = asked.whose(self.guard)
        chosen = self._context
        facts = (chosen(data) if callable(chosen) else chosen) or {}
        whose = whose._replace(facts={**facts, **whose.facts})
        tally = _Told(self._watch)
        try:
            return await self._replies.answer(asked, self.guard, whose, tally, self._known)
        except UsageError:
            return Answer("BLOCKED", UNREADABLE)
        except (AuditError, CheckError):
            raise Fault(503, "not_available", NOT_JUDGED) from None

    def _trace(self, data: Mapping[str, Any], log: Any) -> str | None:
        chosen = self._session
        if chosen is not None:
            return chosen(data) if callable(chosen) else chosen
        for holder in (log, data):
            for name in ("litellm_session_id", "litellm_trace_id"):
                if found := _text(holder, name):
                    return found
        return _stamped(data, "session_id")


@cache
def _guardrail() -> Any:
    """The class, made of LiteLLM's."""
    module = third_party("litellm.integrations.custom_guardrail", "litellm")
    base: Any = module.CustomGuardrail
    raised: Any = third_party("litellm.exceptions", "litellm").GuardrailRaisedException
    if not hasattr(base, "uses_apply_guardrail_interface"):
        raise BindError("this version of `litellm` is too old: pip install -U 'guardkit[litellm]'")

    # Whatever is no `ImportError` is tried again by LiteLLM where `num_retries` says so, and then
    # past every guardrail: what was stopped would be sent.
    class Blocked(raised, ImportError):  # type: ignore[misc]  # noqa: N818 - as its neighbours are
        """A rule stopped it: the verdict is `.verdict`."""

        def __init__(self, name: str, message: str, verdict: Verdict | None, status: int) -> None:
            raised.__init__(
                self,
                guardrail_name=name,
                message=message,
                should_wrap_with_default_message=False,
                status_code=status,
                blocked_content=verdict is not None,
            )
            self.verdict = verdict

    class Guardrail(base):  # type: ignore[misc]  # known at run time
        """A policy, asked by LiteLLM before and after a model.

        Args:
            policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
            session: The session, or a function of the request's data; else LiteLLM's trace.
            context: What rules may ask about, or such a function.
            watch: Told of every verdict that is more than a pass.
            litellm: LiteLLM's own parameters of a guardrail.
        """

        # What a rule rewrites is shown rewritten, and nothing before it was judged.
        streaming_transform_mode = "incremental_diff"
        streaming_buffer_until_moderated = True
        streaming_buffer_release_on_scan = True

        def __init__(
            self,
            policy: str | Guard | None = None,
            session: Session = None,
            context: Facts = None,
            watch: Callable[[Verdict], object] | None = None,
            **litellm: Any,
        ) -> None:
            if wrong := [name for name in _DISCARDS if litellm.get(name)]:
                raise UsageError(f"with `{wrong[0]}` LiteLLM drops what a rule rewrites")
            hooks = module.GuardrailEventHooks
            litellm["supported_event_hooks"] = [hooks(name) for name in EVENTS]
            super().__init__(**litellm)
            self._asks = _Asks(policy, session, context, watch)

        async def apply_guardrail(
            self, inputs: Any, request_data: Any, input_type: str, logging_obj: Any = None
        ) -> Any:
            """What may go on of a request or a reply.

            Raises:
                GuardrailRaisedException: A rule stopped it, or it could not be judged.
            """
            name = self.guardrail_name or "guardkit"
            data = request_data or {}
            if _is_unguarded_stream(data, input_type):
                message = "a stream of this kind cannot be guarded: ask for a whole reply"
                raise Blocked(name, message, None, 400)
            try:
                log = logging_obj or data.get("litellm_logging_obj")
                answer = await self._asks.answer(inputs, data, input_type, log)
            except Fault as fault:
                raise Blocked(name, fault.message, None, fault.status) from None
            if answer.action == "BLOCKED":
                raise Blocked(name, answer.reason or UNREADABLE, answer.verdict, 400)
            kept = {key: inputs[key] for key in ("images", "tools") if inputs.get(key)}
            texts = answer.texts if answer.texts is not None else inputs.get("texts", [])
            held = {} if answer.held is None else {"stream_holdback_chars": answer.held}
            return {**kept, "texts": texts, **held}

        # Outside its proxy LiteLLM asks only the guardrails that a call names: one that was put in
        # and is not named would be silent.

        async def async_pre_call_deployment_hook(self, kwargs: Any, call_type: Any) -> Any:
            """Judge a request that does not come through the proxy.

            Raises:
                GuardrailRaisedException: A rule stopped it, or it is of a kind that nobody judges.
            """
            if self.default_on and not _is_proxied(kwargs):
                if getattr(call_type, "value", None) not in _ASKS:
                    message = "a call of this kind cannot be guarded here: ask with `acompletion`"
                    raise Blocked(self.guardrail_name or "guardkit", message, None, 400)
                if "messages" not in kwargs:
                    # LiteLLM shows its hooks what a call names, and nothing else.
                    message = "the messages cannot be seen: give them by name, as `messages=`"
                    raise Blocked(self.guardrail_name or "guardkit", message, None, 400)
                if not _is_routed(kwargs) and (
                    third_party("litellm", "litellm").num_retries or any(map(kwargs.get, _RETRIES))
                ):
                    message = "LiteLLM tries again past its guardrails: leave that to a `Router`"
                    raise Blocked(self.guardrail_name or "guardkit", message, None, 400)
                named = kwargs.get("guardrails")
                named = named if isinstance(named, list) else []
                kwargs = {**kwargs, "guardrails": [*named, self.guardrail_name]}
            return await super().async_pre_call_deployment_hook(kwargs, call_type)

    return Guardrail


def _is_proxied(data: Mapping[str, Any]) -> bool:
    return "proxy_server_request" in data


def _is_routed(data: Mapping[str, Any]) -> bool:
    """Whether a router asks: its attempts go by the guardrails, those of a bare call do not."""
    return any("model_group" in (data.get(bucket) or {}) for bucket in _BUCKETS)


def _is_unguarded_stream(data: Mapping[str, Any], phase: str) -> bool:
    """Whether it is a stream of which LiteLLM shows what was not judged, or drops a change.

    It puts back changes in streams of chat completions through its proxy, and nowhere else.
    """
    if not data.get("stream"):
        return False
    route = _stamped(data, "user_api_key_request_route") or ""
    return not route.rstrip("/").endswith(_STREAMED)


def _plain(value: Any) -> Any:
    """Plain data of what may hold LiteLLM's own types."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    dump = getattr(value, "model_dump", None)
    return value if dump is None else dump(exclude_none=True)


def _text(holder: Any, name: str) -> str | None:
    found = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
    return found if isinstance(found, str) and found else None


def _stamped(data: Mapping[str, Any], name: str) -> str | None:
    """What LiteLLM wrote beside the request."""
    for bucket in _BUCKETS:
        if isinstance(given := data.get(bucket), Mapping) and (found := _text(given, name)):
            return found
    return None


def __getattr__(name: str) -> Any:
    if name == "Guardrail":
        return _guardrail()
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
