"""What tools say while they run, judged before those who follow the run's events see it."""

from __future__ import annotations

import functools
import json
from typing import Any

from guardkit.errors import Blocked, UsageError
from guardkit.wrap import Streaming

from ._gate import Gate
from ._messages import tool_refusal
from ._packages import taken
from ._tools import Tools, changed, tool_messages
from ._whose import Whose

_ENDS = ("tool-finished", "tool-error")
GONE = "This cannot be judged here, and is not shown."


def transformer_of(tools: Tools) -> Any:
    """What makes a transformer for each run, as `AgentMiddleware.transformers` wants it."""
    return functools.partial(_class(), tools=tools)


@functools.cache
def _class() -> Any:
    base = taken("langgraph.stream", "StreamTransformer.before_builtins")

    class GuardTransformer(base):  # type: ignore[misc,valid-type]  # known only where it is installed
        """Judges the `tools` events of a run. Words of the model were judged where it is asked."""

        before_builtins = True
        supports_sync = True
        required_stream_modes = ("tools",)

        def __init__(self, scope: tuple[str, ...] = (), *, tools: Tools) -> None:
            super().__init__(scope)
            self._events = _Events(tools)
            self._mux: Any = None
            self._own: Any = None
            """The event that is pushed from here, and was judged."""

        def init(self) -> dict[str, Any]:
            return {}

        def _on_register(self, mux: Any) -> None:
            self._mux = mux

        def process(self, event: Any) -> bool:
            if event["method"] == "tools" and event is not self._own:
                data = event["params"].get("data")
                if tail := self._events.tail(data):
                    self._mux.push(self._with(event, tail))
                event["params"]["data"] = self._events.judged(data)
            return True

        async def aprocess(self, event: Any) -> bool:
            if event["method"] == "tools" and event is not self._own:
                data = event["params"].get("data")
                if tail := await self._events.atail(data):
                    await self._mux.apush(self._with(event, tail))
                event["params"]["data"] = await self._events.ajudged(data)
            return True

        def _with(self, event: Any, tail: Any) -> Any:
            """An event that comes before another: what was held until there."""
            kept = {name: each for name, each in event.items() if name not in ("event_id", "seq")}
            self._own = {**kept, "params": {**event["params"], "data": tail}}
            return self._own

    return GuardTransformer


class _Events:
    """The tools of one run.

    The session counts a result where the agent gets it, so nothing is counted here.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools, self._guard = tools, tools.guard
        self._gate = Gate(tools.guard, again=True)
        self._streams: dict[str, Streaming] = {}

    def judged(self, data: Any) -> Any:
        """An event as it may be seen."""
        kind, call = _kind(data)
        if kind == "tool-output-delta":
            return {**data, "delta": self._delta(data.get("delta"), call)}
        if kind == "tool-finished":
            return {**data, "output": self._output(data.get("output"), call)}
        if kind == "tool-error":
            return {**data, "message": self._text(str(data.get("message", "")), call)}
        return data

    async def ajudged(self, data: Any) -> Any:
        """`judged`, for checks that wait."""
        kind, call = _kind(data)
        if kind == "tool-output-delta":
            return {**data, "delta": await self._adelta(data.get("delta"), call)}
        if kind == "tool-finished":
            return {**data, "output": await self._aoutput(data.get("output"), call)}
        if kind == "tool-error":
            return {**data, "message": await self._atext(str(data.get("message", "")), call)}
        return data

    # --- what comes piece by piece

    def tail(self, data: Any) -> Any:
        """What was held of a tool's words, as an event, now that it has ended; None for nothing."""
        kind, call = _kind(data)
        stream = self._streams.pop(call, None) if kind in _ENDS else None
        return None if stream is None else _tail(call, stream.finish())

    async def atail(self, data: Any) -> Any:
        """`tail`, for checks that wait."""
        kind, call = _kind(data)
        stream = self._streams.pop(call, None) if kind in _ENDS else None
        return None if stream is None else _tail(call, await stream.afinish())

    def _delta(self, delta: Any, call: str) -> Any:
        if not isinstance(delta, str):
            return delta if self._text(written := _written(delta), call) == written else None
        stream = self._stream(call)
        return "" if stream is None or stream.closed else stream.feed(delta)

    async def _adelta(self, delta: Any, call: str) -> Any:
        if not isinstance(delta, str):
            written = _written(delta)
            return delta if await self._atext(written, call) == written else None
        stream = self._stream(call)
        return "" if stream is None or stream.closed else await stream.afeed(delta)

    def _stream(self, call: str) -> Streaming | None:
        if call not in self._streams:
            of = self._of(call)
            if of is None:
                return None
            self._streams[call] = self._guard.stream(
                on="tool_result", says=False, again=True, restores=False, **of.keys
            )
        return self._streams[call]

    # --- what comes whole

    def _text(self, text: str, call: str) -> str:
        if (of := self._of(call)) is None:
            return GONE
        return self._guard.check(text, on="tool_result", again=True, **of.keys).text

    async def _atext(self, text: str, call: str) -> str:
        if (of := self._of(call)) is None:
            return GONE
        return (await self._guard.acheck(text, on="tool_result", again=True, **of.keys)).text

    def _output(self, output: Any, call: str) -> Any:
        if (of := self._of(call)) is None:
            return GONE
        found = tool_messages(output)
        try:
            if not found:
                return self._gate.read(_as_result(output), of)["content"]
            return changed(output, {id(each): self._gate.read(each, of) for each in found})
        except (Blocked, UsageError) as error:
            return _instead(found, error)

    async def _aoutput(self, output: Any, call: str) -> Any:
        if (of := self._of(call)) is None:
            return GONE
        found = tool_messages(output)
        try:
            if not found:
                return (await self._gate.aread(_as_result(output), of))["content"]
            changes = {id(each): await self._gate.aread(each, of) for each in found}
            return changed(output, changes)
        except (Blocked, UsageError) as error:
            return _instead(found, error)

    def _of(self, call: str) -> Whose | None:
        """Whose a call is; None where only its session could be told, and nobody knows it."""
        of = self._tools.running.get(call)
        if of is None and not self._guard.needs_session:
            return Whose(None, None)
        return of


def _kind(data: Any) -> tuple[str, str]:
    if not isinstance(data, dict):
        return "", ""
    return str(data.get("event", "")), str(data.get("tool_call_id") or "")


def _tail(call: str, text: str) -> dict[str, Any] | None:
    made = {"event": "tool-output-delta", "tool_call_id": call, "delta": text}
    return made if text else None


def _instead(found: list[Any], error: Blocked | UsageError) -> Any:
    """What is shown in place of a result that a rule stopped, or that cannot be read."""
    if isinstance(error, UsageError):
        return GONE
    if not found:
        return error.verdict.text
    one = found[0]
    return tool_refusal(error.verdict, one.tool_call_id, one.name or "", id=one.id)


def _as_result(output: Any) -> dict[str, Any]:
    return {"role": "tool", "content": output}


def _written(delta: Any) -> str:
    return json.dumps(delta, ensure_ascii=False, default=str)
