"""Tools of an agent: calls are judged before they run, what they give before it is read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal

from guardkit.errors import Blocked, UsageError
from guardkit.guard import Guard
from guardkit.types import Verdict

from .._decision import decide
from .._target import guard_of
from ._gate import Gate
from ._messages import tool_refusal
from ._packages import messages
from ._whose import Facts, Session, Whose, whose

MOST_CALLS = 4096
"""How many calls are remembered of those that were judged and not run yet."""


class Tools:
    """A policy around the tools of a graph, in the words of `wrap_tool_call`.

    Args:
        policy: A path, the name of a policy that ships, or a guard.
        on_block: Give the model the rule's message in place of a result, or raise `Blocked`.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the tool's runtime; else the thread's id.
        context: What rules may ask about, or such a function.
        watch: Told of every verdict that is more than a pass.
    """

    def __init__(
        self,
        policy: str | Guard | None,
        *,
        on_block: Literal["raise", "reply"],
        on_hold: Literal["block", "wait"],
        session: Session,
        context: Facts,
        watch: Callable[[Verdict], object] | None,
    ) -> None:
        if on_block not in ("raise", "reply"):
            raise UsageError('`on_block` is "raise" or "reply"')
        self.guard = guard_of(policy)
        self._on_block, self._waits, self._watch = on_block, on_hold == "wait", watch
        self._session, self._context = session, context
        self._gate = Gate(self.guard, on_hold=on_hold, watch=watch)
        self._judged: OrderedDict[str, None] = OrderedDict()
        self.running: OrderedDict[str, Whose] = OrderedDict()
        """Whose the calls are that run, for whoever reads what they say meanwhile."""

    def has_judged(self, calls: Iterable[Any], of: Whose) -> None:
        """Note calls that were judged as part of a reply: they are not counted a second time."""
        for call in calls:
            _note(self._judged, _key(call, of), None)

    # --- a call

    def run(self, request: Any, execute: Callable[[Any], Any]) -> Any:
        """What the tool gave, as it may be read, or why it did not run.

        Raises:
            Blocked: A rule stopped it, and `on_block` says to raise.
        """
        of = self._of(request)
        try:
            if _key(request.tool_call, of) not in self._judged:
                call = request.tool_call
                verdict = self.guard.check_tool_call(call["name"], call["args"], **of.keys)
                if verdict.hold is not None and self._waits:
                    verdict = self.guard.await_hold(verdict.hold)
                request = self._allowed(request, verdict)
            given = execute(request)
            changes = {id(each): self._read(each, of) for each in tool_messages(given)}
        except Blocked as blocked:
            return self._refused(request, blocked)
        return changed(given, changes)

    async def arun(self, request: Any, execute: Callable[[Any], Awaitable[Any]]) -> Any:
        """`run`, awaited."""
        of = self._of(request)
        try:
            if _key(request.tool_call, of) not in self._judged:
                call = request.tool_call
                verdict = await self.guard.acheck_tool_call(call["name"], call["args"], **of.keys)
                if verdict.hold is not None and self._waits:
                    verdict = await self.guard.aawait_hold(verdict.hold)
                request = self._allowed(request, verdict)
            given = await execute(request)
            changes = {id(each): await self._aread(each, of) for each in tool_messages(given)}
        except Blocked as blocked:
            return self._refused(request, blocked)
        return changed(given, changes)

    def _of(self, request: Any) -> Whose:
        runtime = request.runtime
        config = getattr(runtime, "config", None)
        of = whose(self._session, self._context, runtime, config)
        _note(self.running, request.tool_call["id"] or "", of)
        return of

    def _allowed(self, request: Any, verdict: Verdict) -> Any:
        """The request as it may be carried out.

        Raises:
            Blocked: It may not.
        """
        if self._watch is not None and verdict.action != "pass":
            self._watch(verdict)
        decision = decide(verdict, request.tool_call["args"])
        if decision.choice not in ("approve", "modify"):
            raise Blocked(verdict)
        if decision.arguments is None:
            return request
        call = {**request.tool_call, "args": dict(decision.arguments)}
        return request.override(tool_call=call)

    # --- a result

    def _read(self, message: Any, of: Whose) -> Any:
        try:
            return self._gate.read(message, of)
        except Blocked as blocked:
            return self._instead(message, blocked)

    async def _aread(self, message: Any, of: Whose) -> Any:
        try:
            return await self._gate.aread(message, of)
        except Blocked as blocked:
            return self._instead(message, blocked)

    def _instead(self, message: Any, blocked: Blocked) -> Any:
        if self._on_block == "raise":
            raise blocked from None
        return tool_refusal(
            blocked.verdict, message.tool_call_id, message.name or "", id=message.id
        )

    def _refused(self, request: Any, blocked: Blocked) -> Any:
        if self._on_block == "raise":
            raise blocked from None
        call = request.tool_call
        return tool_refusal(blocked.verdict, call["id"] or "", call["name"])


def _key(call: Any, of: Whose) -> str:
    said = [of.session, of.context, call["id"], call["name"], call["args"]]
    written = json.dumps(said, sort_keys=True, default=repr)
    return hashlib.blake2b(written.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _note(known: OrderedDict[str, Any], key: str, value: Any) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > MOST_CALLS:
        known.popitem(last=False)


# --- what a tool gives: a message, a command with messages among its update, or several of both


def tool_messages(given: Any) -> list[Any]:
    """The messages of tools in what one of them gave."""
    kind = messages("ToolMessage")
    if isinstance(given, kind):
        return [given]
    if isinstance(given, list | tuple):
        return [found for each in given for found in tool_messages(each)]
    update = getattr(given, "update", None)
    if isinstance(update, dict):
        return [found for each in update.values() for found in tool_messages(each)]
    return []


def changed(given: Any, changes: dict[int, Any]) -> Any:
    """The same with other messages, by the id of the object."""
    if id(given) in changes:
        return changes[id(given)]
    if isinstance(given, list | tuple):
        listed = [changed(each, changes) for each in given]
        return listed if isinstance(given, list) else tuple(listed)
    update = getattr(given, "update", None)
    if isinstance(update, dict):
        made = {name: changed(each, changes) for name, each in update.items()}
        return dataclasses.replace(given, update=made)
    return given
