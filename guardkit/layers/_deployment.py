"""One exchange with a whole deployment, or with one from which layers are taken away."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import anyio
from anyio.lowlevel import checkpoint

from guardkit.errors import Blocked
from guardkit.guard import Guard, unheard
from guardkit.types import Layer, Ledger, Surface
from guardkit.wrap import Guarding, chunk_text, reply_text, wrap

from ._less import Less
from ._models import Message, Model, says

REMOVABLE: Final[tuple[Layer, ...]] = ("input", "context", "output")
"""What can be taken away; weights are not taken away but exchanged for others."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is said to a deployment. Its repr shows none of it."""

    messages: tuple[Message, ...] = field(repr=False)
    """In the chat format: `role` and `content`."""
    documents: tuple[str, ...] = field(default=(), repr=False)
    """What was retrieved for the question."""
    reply: object | None = field(default=None, repr=False)
    """A reply to be judged in place of what the weights would say."""
    facts: Mapping[str, object] | None = field(default=None, repr=False)
    """For `context.…` in the policy."""

    @property
    def question(self) -> str:
        """The last text of the user."""
        for message in reversed(self.messages):
            content = message.get("content")
            if message.get("role") == "user" and isinstance(content, str):
                return content
        return ""


def asked(
    text: str = "",
    on: Surface = "input",
    *,
    ask: str = "",
    tool: str = "",
    turns: Sequence[str] = (),
    facts: Mapping[str, object] | None = None,
) -> Asked:
    """An exchange in which a text stands on a surface.

    Args:
        text: The text; of a `tool_call` its arguments as JSON.
        on: Where it stands.
        ask: What the user says, where the text is not the user's.
        tool: The tool, on a tool surface.
        turns: What the user said before, turn by turn.
        facts: For `context.…` in the policy.
    """
    before = [_user(turn) for turn in turns]
    asking = _user(ask or "What does this say?")
    call = {"id": "call_1", "type": "function", "function": {"name": tool or "tool"}}
    match on:
        case "input":
            return Asked((*before, _user(text)), facts=facts)
        case "retrieved":
            return Asked((*before, asking), (text,), facts=facts)
        case "tool_result":
            called = {**call, "function": {"name": tool or "tool", "arguments": "{}"}}
            calls = {"role": "assistant", "content": None, "tool_calls": [called]}
            result = {"role": "tool", "tool_call_id": "call_1", "content": text}
            return Asked((*before, asking, calls, result), facts=facts)
        case "tool_call":
            said = {**call, "function": {"name": tool or "tool", "arguments": text}}
            message = {"role": "assistant", "content": None, "tool_calls": [said]}
            return Asked((*before, asking), reply=_completion(message), facts=facts)
        case _:
            message = {"role": "assistant", "content": text}
            return Asked((*before, asking), reply=_completion(message), facts=facts)


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _completion(message: Mapping[str, object]) -> dict[str, object]:
    choice = {"index": 0, "message": dict(message), "finish_reason": "stop"}
    return {"object": "chat.completion", "model": "", "choices": [choice]}


_OVER: Final = object()


class Exchanged(NamedTuple):
    """What came of an exchange."""

    ledger: Ledger
    reply: str
    """What the user was shown; empty where nothing was."""
    said: str
    """What the weights said; empty where they were not asked."""

    def __repr__(self) -> str:
        return f"<Exchanged {self.ledger.outcome} {self.ledger.layer} {self.ledger.by}>"


class Deployment:
    """A guard around weights. Without weights the policy is played alone.

    Args:
        guard: The guard. An audit log and monitors that it has are told of nothing.
        model: The weights.
        timeout_s: How long one reply may take; a later one is a fault of the transport.
    """

    def __init__(self, guard: Guard, model: Model | None = None, *, timeout_s: float = 60) -> None:
        self.guard = unheard(guard)
        self.model = model
        self.timeout_s = timeout_s
        self._open: set[str] = set()
        """The sessions under way."""

    async def run(
        self,
        said: Asked,
        *,
        without: frozenset[Layer] = frozenset(),
        model: Model | None = None,
        session: str | None = None,
    ) -> Exchanged:
        """Have one exchange.

        Every exchange is a session of its own, which is forgotten after. Nothing is raised for
        what a model or a rule does: that is what the ledger is for.

        Args:
            said: What is said.
            without: The layers that are taken away: `input`, `context`, `output`.
            model: Other weights.
            session: The name of the session. Rules for a share of the sessions go by it, so that
                the same names fall to the same rules again; drawn by chance where it is left out.
        """
        weights = says(said.reply) if said.reply is not None else model or self.model or _silent
        heard: list[str] = []
        ledgers: list[Ledger] = []

        async def answer(messages: list[Message], documents: list[str]) -> Any:
            with anyio.fail_after(self.timeout_s):
                reply = await weights(messages, documents)
            if hasattr(type(reply), "__aiter__"):
                return _listened(reply, heard, self.timeout_s)
            heard.append(reply_text(reply))
            return reply

        if session is None or session in self._open:  # two that share one would see each other
            session = f"{session or 'exchange'} {secrets.token_hex(8)}"
        self._open.add(session)
        guard: Guarding = Less(self.guard, without) if without else self.guard
        guarded = wrap(
            guard,
            answer,
            session=session,
            context=said.facts,
            inject="context" not in without and bool(said.messages),
            ledger=ledgers.append,
        )
        messages: list[Message] = [dict(message) for message in said.messages]
        if "context" in without:
            messages = [m for m in messages if m.get("role") not in ("system", "developer")]
        shown: list[str] = []
        try:
            await _show(await guarded(messages, list(said.documents)), shown)
        except Blocked as blocked:
            shown.append(blocked.verdict.text)
            if blocked.verdict.hold is not None:
                # Nobody will approve it, and a queue that filled up would block.
                self.guard.holds.deny(blocked.verdict.hold, "a probe")
        except Exception:  # noqa: BLE001, S110 - whatever a model does is told by the ledger
            pass
        finally:
            self.guard.forget(session)
            self._open.discard(session)
        await checkpoint()
        ledger = ledgers[-1]
        if ledger.expected is None and ledger.outcome == "answered":
            ledger = ledger._replace(expected=await self.guard.aexpected(said.question))
        return Exchanged(ledger, "".join(shown), "".join(heard))


async def _silent(messages: Sequence[Message], documents: Sequence[str]) -> str:
    """The weights of a policy that is played alone."""
    return ""


async def _listened(stream: Any, heard: list[str], timeout_s: float) -> AsyncIterator[Any]:
    until = anyio.current_time() + timeout_s
    chunks = aiter(stream)
    while True:
        # Around each chunk, never around a `yield`: what is cancelled there is somebody else.
        with anyio.fail_after(until - anyio.current_time()):
            chunk = await anext(chunks, _OVER)
        if chunk is _OVER:
            return
        heard.append(chunk_text(chunk))
        yield chunk


async def _show(reply: Any, shown: list[str]) -> None:
    """Collect what the user reads; of a stream that breaks off, what came until then."""
    if not hasattr(type(reply), "__aiter__"):
        shown.append(reply_text(reply))
        return
    async for chunk in reply:
        shown.append(chunk_text(chunk))  # noqa: PERF401 - what was read stays read
