"""The decision API: texts, messages and tool calls are judged, and nothing is forwarded.

It is asked by the operator's own programs, so it answers with findings: rules, places and scores.
What a finding matched is never among them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from time import perf_counter
from typing import Any, Final

import anyio
import anyio.to_thread

from guardkit.errors import AuditError, CheckError, UsageError
from guardkit.judging import (
    NOT_JUDGED,
    UNREADABLE,
    Asking,
    Whose,
    judge_reply,
    judge_request,
)
from guardkit.shared import Busy
from guardkit.types import Finding, Verdict, strongest
from guardkit.wire import JSON, Fault, UnknownField, fault_body, write_json

from ._http import Handler, Reply, Request
from ._litellm import LiteLlm
from ._openapi import document
from ._policies import Live, Policies
from ._question import MOST_ITEMS, Question
from ._settings import Settings
from ._tally import Tally
from ._told import Tell, judged_headers, read_body, told

AT_ONCE: Final = 8
"""So many items of a batch are judged at the same time."""


class CheckApi:
    """Answers at `/v1/guardrails/check`, alone and in batches.

    Args:
        policies: The policies in force.
        settings: What the operator chose.
        tell: Told of every request at its end.
    """

    def __init__(self, policies: Policies, settings: Settings, tell: Tell) -> None:
        self._policies = policies
        self._settings = settings
        self._tell = tell

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        """Paths, each with the name of its route and what answers a POST there."""
        litellm = LiteLlm(self._policies, self._settings, self._tell)
        return (
            ("/v1/guardrails/check", "check", self._check),
            ("/v1/guardrails/check/batch", "check", self._batch),
            ("/beta/litellm_basic_guardrail_api", "litellm", litellm),
        )

    async def openapi(self, request: Request) -> Reply:
        """The description of the whole server."""
        return Reply(200, write_json(document(self._settings)))

    async def _check(self, request: Request) -> Reply:
        return await told(request, "check", self._tell, self._one)

    async def _batch(self, request: Request) -> Reply:
        return await told(request, "check", self._tell, self._many)

    async def _one(self, request: Request, tally: Tally) -> Reply:
        body = await read_body(request)
        live = self._policies.of(request.tenant)
        tally.policy = live.guard.digest
        shown = await self._judged(Question.of(body), request, live, tally)
        tally.ended()
        return Reply(200, write_json(shown), JSON, judged_headers(tally))

    async def _many(self, request: Request, tally: Tally) -> Reply:
        body = await read_body(request)
        for name in body:
            if name != "items":
                raise UnknownField("the request holds a field that is not known", name)
        items = body.get("items")
        if type(items) is not list or not 1 <= len(items) <= MOST_ITEMS:
            message = f"`items` has to be a list of 1 to {MOST_ITEMS:,} things to check"
            raise Fault(400, "wrong_type", message)
        # INVARIANT: all of a batch is judged by this one, whatever is loaded meanwhile.
        live = self._policies.of(request.tenant)
        tally.policy = live.guard.digest
        shown: list[dict[str, Any]] = [{} for _ in items]
        limiter = anyio.CapacityLimiter(AT_ONCE)

        async def work(places: list[int]) -> None:
            async with limiter:
                for place in places:
                    shown[place] = await self._item(items[place], request, live, tally)

        async with anyio.create_task_group() as group:
            for places in _chains(items):
                group.start_soon(work, places)
        # INVARIANT: a batch in which something could not be judged is never told of as passed.
        tally.ended(is_stopped=any("error" in each for each in shown))
        body = {"decision": request.decision, "action": tally.action, "items": shown}
        return Reply(200, write_json(body), JSON, judged_headers(tally))

    async def _item(
        self, item: object, request: Request, live: Live, tally: Tally
    ) -> dict[str, Any]:
        """What one item of a batch came to: a fault of its own is its own affair."""
        try:
            if type(item) is not dict:
                raise Fault(400, "wrong_type", "each of `items` has to be an object")
            return await self._judged(Question.of(item), request, live, tally)
        except Fault as raised:
            fault = raised
        except Busy:
            fault = Fault(429, "session_busy", "another request of this session is under way")
        except (AuditError, CheckError):
            fault = Fault(503, "not_available", NOT_JUDGED)
        return fault_body("openai", fault, request.decision)

    async def _judged(
        self, question: Question, request: Request, live: Live, tally: Tally
    ) -> dict[str, Any]:
        whose = question.whose(request, live)
        try:
            async with self._policies.turn(live, whose.session, request.tenant.name):
                if question.messages is not None:
                    shown = await _of_messages(question, whose, live, tally)
                else:
                    shown = await _of_text(question, whose, live, tally)
        except UsageError:
            raise Fault(400, "unreadable_request", UNREADABLE) from None
        return {"decision": request.decision, **shown}


def _chains(items: list[Any]) -> list[list[int]]:
    """The places of items; those of one session stand together, for they are judged in order."""
    chains: dict[object, list[int]] = {}
    for place, item in enumerate(items):
        session = item.get("session") if type(item) is dict else None
        chains.setdefault(session if type(session) is str else place, []).append(place)
    return list(chains.values())


# --- what is answered


async def _of_text(question: Question, whose: Whose, live: Live, tally: Tally) -> dict[str, Any]:
    guard, facts = live.guard, whose.facts
    if question.arguments is not None:
        verdict = await guard.acheck_tool_call(
            question.tool or "",
            question.arguments,
            context=facts,
            session=whose.session,
            tenant=whose.tenant,
        )
    else:
        verdict = await guard.acheck(
            question.text or "",
            on=question.on,
            context=facts,
            session=whose.session,
            tenant=whose.tenant,
            tool=question.tool,
            sources=whose.sources,
        )
    tally.saw(verdict)
    tally.keep(verdict.ledger)
    shown = shown_verdict(verdict, text=True)
    if question.offsets:
        shown["findings"] = _counted_in(verdict.findings, question.text or "", question.offsets)
    if question.explain:
        text = question.text
        if text is None:
            said = question.arguments
            text = said if isinstance(said, str) else write_json(said).decode()
        explain = partial(guard.explain, text, on=question.on, context=facts, tool=question.tool)
        # A decision tree is worked out at once, checks that call out included: not in the loop.
        made = await anyio.to_thread.run_sync(explain)
        shown["explanation"] = {
            "rules": [rule.as_dict() for rule in made.rules],
            "views": list(made.views),
            "answers": dict(made.answers),
        }
    return shown


async def _of_messages(
    question: Question, whose: Whose, live: Live, tally: Tally
) -> dict[str, Any]:
    begun = perf_counter()
    messages = question.messages or []
    asking = Asking(live.guard, whose, tally, live.known)
    stopped: Verdict | None = None
    gone: list[Any] = []
    if question.on == "input":
        stopped, texts = await judge_request(asking, messages)
        gone = list(texts[0]) if texts else []
    for place, message in enumerate(messages if question.on == "output" else ()):
        asking.place = place
        stopped, texts = await judge_reply(asking, [message])
        if stopped is not None:
            break
        gone += texts[0]
    return {
        "action": _action(asking, stopped),
        "policy": live.guard.digest,
        "message": None if stopped is None else stopped.message or stopped.text,
        "messages": gone if stopped is None else None,
        "verdicts": [
            {"index": noted.place, **shown_verdict(noted.verdict)} for noted in asking.noted
        ],
        "elapsed_us": round((perf_counter() - begun) * 1e6, 1),
    }


def _action(asking: Asking, stopped: Verdict | None) -> str:
    """The strongest action on messages; what stopped them may be stronger than what was said."""
    verdicts = [noted.verdict for noted in asking.noted]
    return strongest([each.action for each in (*verdicts, stopped) if each is not None])


def shown_verdict(verdict: Verdict, *, text: bool = False) -> dict[str, Any]:
    """A verdict for a program: what it may deliver is among it where it asked about one text."""
    shown: dict[str, Any] = verdict.as_dict(text=text)
    if verdict.action == "revise" and verdict.otherwise is not None:
        shown["rounds"] = verdict.rounds
        shown["otherwise"] = {"action": verdict.otherwise.action}
    return shown


def _counted_in(
    findings: Iterable[Finding], text: str, units: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Findings with their offsets in other units too."""
    findings = list(findings)
    places = sorted({place for found in findings for place in (found.start, found.end)})
    shown = [found._asdict() for found in findings]
    for unit in units:
        encoding, size = ("utf-8", 1) if unit == "utf8" else ("utf-16-le", 2)
        at, last, units_at = 0, 0, {}
        for place in places:
            at += len(text[last:place].encode(encoding)) // size
            last = place
            units_at[place] = at
        for found in shown:
            found[unit] = [units_at[found["start"]], units_at[found["end"]]]
    return shown
