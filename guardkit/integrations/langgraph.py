"""LangGraph: a policy around the tools of a `ToolNode`, and as a node of a graph."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from guardkit.errors import Blocked, UsageError
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict

from ._around import Around, Call
from .langchain._gate import Gate
from .langchain._messages import is_refusal, refusal
from .langchain._packages import messages, taken
from .langchain._tools import Tools
from .langchain._whose import Facts, Session, Whose, whose

__all__ = ["atool_call", "node", "stopped", "tool_call"]


def tool_call(
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "reply",
    on_hold: Literal["block", "wait"] = "block",
    session: Session = None,
    context: Facts = None,
    watch: Callable[[Verdict], object] | None = None,
) -> Callable[[Any, Callable[[Any], Any]], Any]:
    """A policy around tools: `ToolNode(tools, wrap_tool_call=tool_call("shop.guard"))`.

    A graph that runs async needs `awrap_tool_call=atool_call(…)` beside it.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: Give the model the rule's message in place of the result, or raise `Blocked`.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the tool's runtime; else the run's `thread_id`.
        context: What rules may ask about as `context.…`, or such a function.
        watch: Told of every verdict that is more than a pass.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or LangGraph is missing or too old.
    """
    return _tools(policy, on_block, on_hold, session, context, watch).run


def atool_call(
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "reply",
    on_hold: Literal["block", "wait"] = "block",
    session: Session = None,
    context: Facts = None,
    watch: Callable[[Verdict], object] | None = None,
) -> Callable[[Any, Callable[[Any], Awaitable[Any]]], Awaitable[Any]]:
    """`tool_call`, for graphs that run async."""
    return _tools(policy, on_block, on_hold, session, context, watch).arun


def _tools(
    policy: Any, on_block: Any, on_hold: Any, session: Any, context: Any, watch: Any
) -> Tools:
    taken("langgraph.prebuilt.tool_node", "ToolCallRequest.override")
    return Tools(
        policy, on_block=on_block, on_hold=on_hold, session=session, context=context, watch=watch
    )


# --- a node


def node(
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "reply",
    on_hold: Literal["block", "wait"] = "block",
    session: Session = None,
    context: Facts = None,
    watch: Callable[[Verdict], object] | None = None,
    ledger: Callable[[Ledger], object] | None = None,
) -> Any:
    """A node that judges the `messages` of the state, before a model or after it.

    Where the last one is the model's, it is judged as a reply to those before; else all are judged
    as what goes in. What a rule rewrites is replaced, by its id; a block puts the rule's message
    in place of the reply, or behind the question, and `stopped` tells the way from there:

        graph.add_node("ask", node(guard))
        graph.add_conditional_edges("ask", stopped, {True: END, False: "model"})

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: Put the rule's message into the state, or raise `Blocked`.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the config; else the run's `thread_id`.
        context: What rules may ask about as `context.…`, or such a function.
        watch: Told of every verdict that is more than a pass.
        ledger: Told of every reply that was judged what it came to.

    Returns:
        A runnable for `add_node`, plain and async.

    Raises:
        UsageError: The policy has a context layer: only around the model is a place for it.
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or LangGraph is missing.
    """
    made = _Node(policy, on_block, on_hold, session, context, watch, ledger)
    taken("langgraph.graph", "StateGraph.add_conditional_edges")
    return taken("langchain_core.runnables", "RunnableLambda")(made.run, made.arun, name="guard")


def stopped(state: Any) -> bool:
    """Whether the last message of a state is one that a block made: for a conditional edge."""
    given = _messages(state)
    return bool(given) and is_refusal(given[-1])


class _Node:
    def __init__(
        self,
        policy: str | Guard | None,
        on_block: str,
        on_hold: Literal["block", "wait"],
        session: Session,
        context: Facts,
        watch: Callable[[Verdict], object] | None,
        ledger: Callable[[Ledger], object] | None,
    ) -> None:
        if on_block not in ("raise", "reply"):
            raise UsageError('`on_block` is "raise" or "reply"')
        self._around = Around(policy, on_hold=on_hold, watch=watch, ledger=ledger)
        guard = self._around.guard
        if guard.system_prompt:
            raise UsageError(
                "the policy has a context layer, and a node has no place for it: "
                "put `guardkit.integrations.langchain.guarded` around the model"
            )
        self._gate = Gate(guard, on_hold=on_hold, watch=watch)
        self._on_block, self._session, self._context = on_block, session, context

    def run(self, state: Any, config: Any) -> dict[str, Any]:
        given = messages("convert_to_messages")(_messages(state))
        of = whose(self._session, self._context, config, config)
        try:
            if not _is_reply(given):
                return _changes(given, self._gate.read(given, of))
            shown = self._around.ask(_call(lambda said: given[-1], of), given[:-1])
        except Blocked as blocked:
            return self._refused(given, blocked)
        return _changes(given[-1:], [shown])

    async def arun(self, state: Any, config: Any) -> dict[str, Any]:
        given = messages("convert_to_messages")(_messages(state))
        of = whose(self._session, self._context, config, config)

        async def reply(said: Any) -> Any:
            return given[-1]

        try:
            if not _is_reply(given):
                return _changes(given, await self._gate.aread(given, of))
            shown = await self._around.aask(_call(reply, of), given[:-1])
        except Blocked as blocked:
            return self._refused(given, blocked)
        return _changes(given[-1:], [shown])

    def _refused(self, given: list[Any], blocked: Blocked) -> dict[str, Any]:
        if self._on_block == "raise":
            raise blocked from None
        same = {"id": given[-1].id} if _is_reply(given) else {}
        return {"messages": [refusal(blocked.verdict, **same)]}


def _call(send: Callable[[Any], Any], of: Whose) -> Call:
    return Call(send, session=of.session, context=of.context)


def _messages(state: Any) -> list[Any]:
    found = state.get("messages") if isinstance(state, dict) else getattr(state, "messages", None)
    if not isinstance(found, list):
        raise UsageError("the state has no list of `messages` to judge")
    return found


def _is_reply(given: list[Any]) -> bool:
    return bool(given) and isinstance(given[-1], messages("AIMessage"))


def _changes(given: list[Any], judged: list[Any]) -> dict[str, Any]:
    """An update of the state: only what a rule rewrote."""
    new = [each for each, was in zip(judged, given, strict=True) if each is not was]
    if any(each.id is None for each in new):
        raise UsageError(
            "a rule rewrites a message without an id, and the state cannot replace it: "
            "reduce `messages` with `add_messages`"
        )
    return {"messages": new}
