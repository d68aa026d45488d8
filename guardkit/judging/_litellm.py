"""LiteLLM's questions before and after a model, and what its gateway is told.

The gateway can put back texts and nothing else: what would have to be changed anywhere else is
blocked. It sends no session, but its trace, which is that of the conversation where the client
names one and that of a single call elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final, NamedTuple

from cachetools import LRUCache

from guardkit.guard import Guard
from guardkit.plan import Join
from guardkit.types import Verdict
from guardkit.wire import Fault, UnknownField
from guardkit.wrap import Judgements

from ._judging import Asking, Gone, Whose, judge_reply, judge_request
from ._tally import Tally

# fmt: off
TEXTS: Final = ("texts", "structured_messages", "images", "tools", "tool_calls", "model")
"""What the gateway forwards."""
OTHERS: Final = (
    "input_type", "litellm_call_id", "litellm_trace_id", "litellm_version", "request_data",
    "request_headers", "additional_provider_specific_params",
)
"""What it says about itself and its client: none of it reaches the model."""
# fmt: on
PHASES: Final = ("request", "response")
MARGIN: Final = 24
"""A match may begin so far before where it is known to; a stream of ours looks every 16."""
MOST_REPLIES: Final = 10_000
"""Replies under way of which it is known what their sessions counted."""
PSEUDONYM: Final = 128
"""No pseudonym is longer, and half of one is not to be shown."""
UNCHANGEABLE: Final = "a rule rewrites a part of the request that cannot be given back"
NOT_JUDGED: Final = "the request could not be judged"
UNREADABLE: Final = "the request holds something that cannot be read, and so cannot be judged"
_SHORT_VIEWS: Final = frozenset({"raw", "cleaned", "folded"})
_TRACE: Final = re.compile(r"[\x21-\x7e]{1,200}\Z")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")


class Answer(NamedTuple):
    """What the gateway is told."""

    action: str
    """`NONE`, `BLOCKED` or `GUARDRAIL_INTERVENED`."""
    reason: str | None = None
    texts: list[str] | None = None
    """All texts, in the order and number they came in, where one of them is another now."""
    held: list[int] | None = None
    """Characters at the end of each text that a stream must not show before more is judged."""
    verdict: Verdict | None = None
    """The verdict that blocks; it is not told."""

    def as_dict(self) -> dict[str, Any]:
        """The answer as the gateway reads it."""
        named = {"blocked_reason": self.reason, "texts": self.texts}
        shown = {"action": self.action, **named, "stream_holdback_chars": self.held}
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """What the gateway asks. Its repr shows nothing of it."""

    is_reply: bool
    texts: list[str]
    messages: list[dict[str, Any]]
    images: list[str]
    tools: list[dict[str, Any]]
    calls: list[dict[str, Any]]
    model: list[str]
    """The model's name, if any: it is forwarded as the client wrote it."""
    unknown: list[dict[str, Any]]
    """Fields that nobody knows, if any."""
    call: str | None
    trace: str | None
    client: str
    """The gateway's name for the key of its client: sessions of two clients are never one."""

    @classmethod
    def of(cls, body: Mapping[str, Any], *, strict: bool) -> Asked:
        """What stands in a request.

        Args:
            body: The request.
            strict: Whether a field that is not known is refused; else it is judged.

        Raises:
            Fault: It is malformed.
        """
        unknown = {name: body[name] for name in body if name not in (*TEXTS, *OTHERS)}
        if unknown and strict:
            raise UnknownField("the request holds a field that is not known", next(iter(unknown)))
        if body.get("input_type") not in PHASES:
            raise Fault(400, "wrong_type", "`input_type` has to be `request` or `response`")
        data = _field(body, "request_data", dict) or {}
        _field(body, "request_headers", dict)
        _field(body, "additional_provider_specific_params", dict)
        _field(body, "litellm_version", str)
        model = _field(body, "model", str)
        return cls(
            body["input_type"] == "response",
            _many(body, "texts", str),
            _many(body, "structured_messages", dict),
            _many(body, "images", str),
            _many(body, "tools", dict),
            _many(body, "tool_calls", dict),
            [] if model is None else [model],
            [unknown] if unknown else [],
            _field(body, "litellm_call_id", str),
            _field(body, "litellm_trace_id", str),
            _client(data.get("user_api_key_hash")),
        )

    def whose(self, guard: Guard, tenant: str = "") -> Whose:
        """What stands around it; a session only where the policy remembers one.

        Raises:
            Fault: The policy needs a session, and the gateway sent no trace.
        """
        session: str | None = None
        if guard.needs_session:
            if self.trace is None or _TRACE.match(self.trace) is None:
                message = "this policy remembers a conversation: send `litellm_trace_id`"
                raise Fault(400, "session_required", message)
            session = f"{self.client}/{self.trace}"
        return Whose(tenant, session, {"tenant": tenant, "dialect": "litellm"})


def _client(key: object) -> str:
    return key if isinstance(key, str) and _KEY.match(key) else ""


# Any: a field of the kind that was asked for.
def _field(body: Mapping[str, Any], name: str, kind: type) -> Any:
    value = body.get(name)
    if value is not None and type(value) is not kind:
        raise Fault(400, "wrong_type", f"`{name}` is of a wrong type")
    return value


def _many(body: Mapping[str, Any], name: str, kind: type) -> list[Any]:
    listed: list[Any] = _field(body, name, list) or []
    if any(type(each) is not kind for each in listed):
        raise Fault(400, "wrong_type", f"`{name}` holds something of a wrong type")
    return listed


# --- judging


class Replies:
    """What sessions counted of replies under way.

    A stream is asked about every few chunks, each time from its beginning.
    """

    def __init__(self) -> None:
        self._heard: LRUCache[tuple[str, str, str], set[str]] = LRUCache(MOST_REPLIES)

    async def answer(
        self, asked: Asked, guard: Guard, whose: Whose, tally: Tally, known: Judgements
    ) -> Answer:
        """What the policy says to what is asked.

        Args:
            asked: The question.
            guard: Who is asked.
            whose: What stands around it.
            tally: Told of every verdict.
            known: The messages of sessions that were judged before.

        Raises:
            UsageError: Something in it cannot be read.
            CheckError, AuditError: It could not be judged.
        """
        reply = self._reply(asked, guard, whose)
        counted = None if reply is None else self._heard.get(reply)
        answer = await _answer(asked, guard, Asking(guard, whose, tally, known, counted))
        if reply is not None:
            self._heard[reply] = {*(counted or ()), *tally.rules}
        return answer

    def _reply(self, asked: Asked, guard: Guard, whose: Whose) -> tuple[str, str, str] | None:
        """What stands for a reply that is asked about more than once; None where all counts."""
        if not asked.is_reply or whose.session is None or asked.call is None:
            return None
        if any(row.first_surface == "output" for row in guard.plan.sequences):
            return None  # whether a sequence has begun shows in no rule: better twice than never
        return whose.tenant, whose.session, asked.call


async def _answer(asked: Asked, guard: Guard, asking: Asking) -> Answer:
    if asked.is_reply:
        return await _of_reply(asked, guard, asking)
    said = {text for message in asked.messages for text in _texts_of(message)}
    # What stands in a message is judged there, as what its role makes of it.
    own = [text for text in dict.fromkeys(asked.texts) if text not in said]
    rest = [*_unseen(asked.images), *asked.calls, *asked.model, *asked.unknown]
    gone = await judge_request(asking, asked.messages, own, rest, asked.tools or None)
    if gone.stopped is not None:
        return _blocked(gone)
    messages, texts, others, tools = gone.texts
    if others != rest or tools != (asked.tools or None):
        return Answer("BLOCKED", UNCHANGEABLE)
    changed = dict(zip(own, texts, strict=True))
    for before, after in zip(asked.messages, messages, strict=True):
        if _with_texts(after, _texts_of(before)) != before:
            return Answer("BLOCKED", UNCHANGEABLE)
        for old, new in zip(_texts_of(before), _texts_of(after), strict=True):
            if old != new and (old not in asked.texts or changed.setdefault(old, new) != new):
                return Answer("BLOCKED", UNCHANGEABLE)
    return _given(asked, [changed.get(text, text) for text in asked.texts])


async def _of_reply(asked: Asked, guard: Guard, asking: Asking) -> Answer:
    others = [asked.calls, asked.messages, _unseen(asked.images), asked.unknown]
    gone = await judge_reply(asking, [asked.texts, others])
    if gone.stopped is not None:
        return _blocked(gone)
    texts, rest = gone.texts[0]
    if rest != others:
        return Answer("BLOCKED", UNCHANGEABLE)
    held = [
        held_back(guard, asking.whose, before, after)
        for before, after in zip(asked.texts, texts, strict=True)
    ]
    return _given(asked, list(texts))._replace(held=held)


def _given(asked: Asked, texts: list[str]) -> Answer:
    if texts == asked.texts:
        return Answer("NONE")
    return Answer("GUARDRAIL_INTERVENED", texts=texts)


def _blocked(gone: Gone) -> Answer:
    verdict = gone.stopped
    assert verdict is not None
    return Answer("BLOCKED", verdict.message or verdict.text, verdict=verdict)


def _unseen(images: Sequence[str]) -> list[dict[str, Any]]:
    """Pictures are parts that cannot be read; where they lie is text."""
    return [{"type": "image_url", "image_url": {"url": each}} for each in images]


def _texts_of(message: Mapping[str, Any]) -> Iterator[str]:
    """The texts that the gateway takes out of a message, and puts back into it."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


def _with_texts(message: Mapping[str, Any], texts: Iterator[str]) -> dict[str, Any]:
    """A message with other texts in these places."""
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": next(texts)}
    if not isinstance(content, list):
        return dict(message)
    parts = [
        {**part, "text": next(texts)}
        if isinstance(part, dict) and isinstance(part.get("text"), str)
        else part
        for part in content
    ]
    return {**message, "content": parts}


# --- streams


def held_back(guard: Guard, whose: Whose, before: str, after: str) -> int:
    """How much of the end of a reply so far must not be shown: all that a rule may still change.

    Everything, where only the whole reply settles that: the policy holds it back, a rule reads
    more than its matches, or something stands in the text that is read decoded.

    Args:
        guard: The policy.
        whose: Whose reply it is.
        before: The text as the model said it so far.
        after: The text as it may be shown.
    """
    width = _width(guard, before)
    if width is None:
        return len(after)
    width += MARGIN if whose.session is None else max(MARGIN, PSEUDONYM)
    settled = len(before) - width
    if settled <= 0:
        return len(after)
    if before[:settled] == after[:settled]:
        return len(after) - settled
    # Something was changed before that place: what has not changed since is counted from the end.
    if before[settled:] == after[-width:]:
        return width
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))
    return len(after) - sum(1 for _ in alike)


def _width(guard: Guard, text: str) -> int | None:
    """The longest match that may still be growing; None where no length bounds it."""
    lane = guard.bound.engine.lanes["output"]
    join = guard.plan.join("output")
    if join is None:
        return 0
    reach = join.what
    assert isinstance(reach, Join)
    if reach.reach != "match" or guard.plan.limits.hold_back is None:
        return None
    if lane.scanner is not None:
        views = lane.scanner.look(text).views
        if any(view.name not in _SHORT_VIEWS for view in views):
            return None
    return min(reach.look_behind, lane.width)
