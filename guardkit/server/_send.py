"""Asks upstream for one exchange: writes what was judged, reads what comes back."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from time import perf_counter
from typing import Any, Final

from guardkit.wire import EVENTS, JSON, Cut, Dialect, Event, Fault, Headers, Unreadable, read_json

from ._exchange import Exchange
from ._upstream import Answer, Unserved, Upstream

# fmt: off
FORWARDED: Final = (
    "anthropic-version", "anthropic-beta", "openai-beta", "openai-organization", "openai-project",
    "idempotency-key",
)
"""Headers of the client that go on to upstream."""
RETURNED: Final = re.compile(
    r"(?:x-request-id|request-id|retry-after|retry-after-ms|x-should-retry|openai-processing-ms"
    r"|openai-version|(?:x|anthropic)-ratelimit-[a-z0-9-]{1,60})\Z"
)
"""Headers of upstream that go back to the client."""
# fmt: on
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.,:;=/+-]{0,255}\Z")
_BARE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:,=/+-]{0,99}\Z")
"""A number, a time, an id: no header of upstream says anything to anybody."""
_PASSED: Final = frozenset({400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 503, 529})
"""What upstream may answer with and the client gets as it is."""


class Sender:
    """The way to the model, for one dialect.

    Args:
        dialect: The dialect.
        upstream: The model's server.
        key: The key to show there; None where the client's own is passed on.
    """

    def __init__(self, dialect: Dialect, upstream: Upstream, key: str | None) -> None:
        self._dialect = dialect
        self._upstream = upstream
        self._key = key

    async def __call__(self, about: Exchange, texts: dict[str, Any], rest: list[Any]) -> Any:
        """Ask; the part of the reply that is to be judged, or a stream of such parts.

        Raises:
            Unserved: There is no reply that can be judged.
        """
        body = about.translator.request(texts, rest)
        about.is_sent = True
        begun = perf_counter()
        try:
            answer = await self._upstream.ask(self._dialect.path, self._headers(about), body)
            about.headers, about.upstream_status = _returned(answer.headers), answer.status
            if answer.status != 200:
                raise await _refusal(answer, about.headers, self._key)
            if about.asked.streams:
                if answer.kind != EVENTS:
                    await answer.aclose()
                    raise Unserved("no stream", 502, "upstream_broken")
                return self._events(answer, about, begun)
            return await self._whole(answer, about)
        finally:
            _took(about, begun)

    async def _whole(self, answer: Answer, about: Exchange) -> Any:
        if answer.kind != JSON:
            await answer.aclose()
            raise Unserved("no JSON", 502, "upstream_broken")
        try:
            return about.translator.reply(await answer.body())
        except Unreadable:
            raise Unserved("unreadable reply", 502, "upstream_broken") from None

    async def _events(
        self, answer: Answer, about: Exchange, begun: float
    ) -> AsyncGenerator[Event, None]:
        translator, pieces = about.translator, answer.pieces()
        try:
            async for piece in pieces:
                for event in translator.feed(piece):
                    yield event
                if translator.has_ended:
                    return
            translator.finish()
        except Cut:
            raise Unserved("cut", 502, "upstream_broken") from None
        except Unreadable:
            raise Unserved("unreadable stream", 502, "upstream_broken") from None
        finally:
            await pieces.aclose()
            await answer.aclose()
            _took(about, begun)

    def _headers(self, about: Exchange) -> Headers:
        given = about.request.headers
        sent = [(name, given[name]) for name in FORWARDED if _PLAIN.match(given.get(name, ""))]
        anthropic = self._dialect.family == "anthropic"
        if anthropic and "anthropic-version" not in given:
            sent.append(("anthropic-version", "2023-06-01"))
        if self._key is not None:
            own = (
                ("x-api-key", self._key) if anthropic else ("authorization", f"Bearer {self._key}")
            )
            return (*sent, own)
        keys = [
            (name, given[name])
            for name in ("authorization", "x-api-key", "api-key")
            if name in given
        ]
        return (*sent, *keys)


def _took(about: Exchange, begun: float) -> None:
    about.upstream_s = perf_counter() - begun


def _returned(headers: Mapping[str, str]) -> Headers:
    return tuple(
        (name, value)
        for name, value in headers.items()
        if RETURNED.match(name) and _BARE.match(value)
    )


async def _refusal(answer: Answer, headers: Headers, key: str | None) -> Unserved:
    """What upstream answered in place of a reply.

    Args:
        answer: The answer.
        headers: Those of its headers that may go on.
        key: The operator's own key: whatever upstream says of it is not the client's to hear.
    """
    status = answer.status
    shown = f"HTTP {status}"
    if status not in _PASSED or (key is not None and status in (401, 402, 403)):
        await answer.aclose()
        return Unserved(shown, 502, "upstream_error", headers=headers)
    try:
        said = await answer.body()
        body = None if key is not None and key.encode() in said else read_json(said, what="reply")
    except (Fault, Unserved):
        body = None
    error = body.get("error") if body is not None else None
    code = error.get("code") if isinstance(error, dict) else None
    refused = Unserved(shown, status, "upstream_error", body=body, headers=headers)
    if isinstance(code, str) and code in _FILTERS:
        refused.code = code
    return refused


_FILTERS: Final = frozenset({"content_filter", "content_policy_violation"})
"""How a provider says that a filter of its own refused the request: the ledger names it."""
