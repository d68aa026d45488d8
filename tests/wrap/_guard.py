"""Two guards that say the same: one scripted, without an engine, and the real one, recorded."""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from guardkit.guard import Guard, loads
from guardkit.types import Action, Finding, Next, Surface, Verdict

POLICY = """
guardkit 1
policy wrapped
  title "What the tests of the wrapper say"
  owner "tests@northbank.example"
  version "1"

principle no_advice {
  tier guidelines
  text "Give no advice."
}

check forbidden = pattern { match /FORBIDDEN/ }
check order     = pattern { match /NB-\\d{4}/  label "order" }
check held      = pattern { match /APPROVAL/ }
check advice    = pattern { match /ADVICE/ }

rule stop {
  tier safety
  on   input, retrieved, tool_result, tool_call, output
  when forbidden
  then block "Stopped."
}

rule mask {
  tier safety
  on   input, retrieved, tool_result, tool_call, output
  when order
  then rewrite matches as "[{label}]"
}

rule wait {
  tier ethics
  on   input, output
  when held
  then hold for "ops" within 15m else block "Not approved."
}

rule advise {
  tier guidelines
  on   output
  when advice
  then revise by no_advice at most 2 else block "No advice."
}
"""

ORDER = re.compile(r"NB-\d{4}")
HELD_BACK = 8
"""One less than the longest match."""


class Scripted:
    """Satisfies `guardkit.wrap.Guarding`, and remembers what it was asked."""

    def __init__(self, system_prompt: str = "") -> None:
        self.asked: list[tuple[str, str]] = []
        self.sources: Any = None
        self.keys: list[dict[str, Any]] = []
        self.system_prompt = system_prompt
        self.pseudonyms: dict[str, str] = {}
        self.streams: list[ScriptedStream] = []

    # --- the public surface

    def check(
        self,
        text: str,
        /,
        *,
        on: Surface,
        tool: str | None = None,
        sources: Any = None,
        **keys: Any,
    ) -> Verdict:
        self.sources = sources
        self.asked.append((on, text))
        self.keys.append(keys)
        return judge(text, on)

    async def acheck(self, text: str, /, *, on: Surface, **keys: Any) -> Verdict:
        return self.check(text, on=on, **keys)

    def check_tool_call(
        self, name: str, arguments: Mapping[str, object] | str, /, **keys: Any
    ) -> Verdict:
        session = keys.get("session")
        if session is not None and not isinstance(arguments, str):
            arguments = json.loads(self.restore(json.dumps(arguments), session=session))
        written = arguments if isinstance(arguments, str) else json.dumps(arguments)
        self.asked.append((f"tool_call {name}", written))
        self.keys.append(keys)
        verdict = judge(written, "tool_call")
        if verdict.action == "rewrite":
            return verdict._replace(arguments=json.loads(verdict.text))
        return verdict if isinstance(arguments, str) else verdict._replace(arguments=arguments)

    async def acheck_tool_call(self, name: str, arguments: Any, /, **keys: Any) -> Verdict:
        return self.check_tool_call(name, arguments, **keys)

    def check_tool_result(self, name: str, text: str, /, **keys: Any) -> Verdict:
        self.asked.append((f"tool_result {name}", text))
        self.keys.append(keys)
        return judge(text, "tool_result")

    async def acheck_tool_result(self, name: str, text: str, /, **keys: Any) -> Verdict:
        return self.check_tool_result(name, text, **keys)

    def stream(self, *, on: Surface = "output", **keys: Any) -> ScriptedStream:
        session = keys.get("session") if keys.get("restores", True) else None
        self.streams.append(ScriptedStream(on, self, session))
        return self.streams[-1]

    def system_prompt_for(self, session: str, /, *, tenant: str = "") -> str:
        return f"{self.system_prompt} canary-{session}"

    def principle(self, name: str, /) -> str:
        return {"no_advice": "Give no advice."}[name]

    def restore(self, text: str, /, *, session: str, tenant: str = "") -> str:
        for name, value in self.pseudonyms.items():
            text = text.replace(name, value)
        return text

    def restorer(self, session: str, /, *, tenant: str = "") -> ScriptedRestorer:
        return ScriptedRestorer(self, session)

    def unread(self, on: Surface = "input", *, tool: str | None = None) -> Verdict:
        self.asked.append(("unread", on))
        return verdict_of("block", "Cannot be read.", on, "unread")


class Recorded:
    """The real guard of `POLICY`, and what it was asked."""

    def __init__(self) -> None:
        self.guard = bound()
        self.asked: list[tuple[str, str]] = []
        self.sources: Any = None
        self.keys: list[dict[str, Any]] = []
        self.system_prompt = self.guard.system_prompt
        self.needs_session = self.guard.needs_session
        for name in ("system_prompt_for", "principle", "restore", "restorer", "stream"):
            setattr(self, name, getattr(self.guard, name))

    def _note(self, on: str, text: object, keys: dict[str, Any]) -> None:
        if "sources" in keys:
            self.sources = keys["sources"]
        self.asked.append((on, text if isinstance(text, str) else json.dumps(text)))
        known = ("context", "session", "tenant", "same_turn", "again")
        self.keys.append({key: keys[key] for key in known if key in keys})

    def check(self, text: str, /, *, on: Surface, **keys: Any) -> Verdict:
        self._note(on, text, keys)
        return self.guard.check(text, on=on, **keys)

    async def acheck(self, text: str, /, *, on: Surface, **keys: Any) -> Verdict:
        self._note(on, text, keys)
        return await self.guard.acheck(text, on=on, **keys)

    def check_tool_call(self, name: str, arguments: Any, /, **keys: Any) -> Verdict:
        self._note(f"tool_call {name}", arguments, keys)
        return self.guard.check_tool_call(name, arguments, **keys)

    async def acheck_tool_call(self, name: str, arguments: Any, /, **keys: Any) -> Verdict:
        self._note(f"tool_call {name}", arguments, keys)
        return await self.guard.acheck_tool_call(name, arguments, **keys)

    def check_tool_result(self, name: str, text: str, /, **keys: Any) -> Verdict:
        self._note(f"tool_result {name}", text, keys)
        return self.guard.check_tool_result(name, text, **keys)

    async def acheck_tool_result(self, name: str, text: str, /, **keys: Any) -> Verdict:
        self._note(f"tool_result {name}", text, keys)
        return await self.guard.acheck_tool_result(name, text, **keys)

    def unread(self, on: Surface = "input", *, tool: str | None = None) -> Verdict:
        self._note("unread", on, {})
        return self.guard.unread(on, tool=tool)


@functools.cache
def bound() -> Guard:
    return loads(POLICY)


def lies_across(texts: Sequence[str]) -> bool:
    """Whether a match lies across two or three pieces of texts, wherever they are cut."""
    for number in (2, 3):
        for some in itertools.product(texts, repeat=number):
            if some[0] is some[1] or some[-1] is some[-2]:
                continue
            ends = {some[0][max(0, i - HELD_BACK) : i] for i in range(len(some[0]) + 1)}
            for text in some[1:-1]:
                inner = {text[i:j] for i in range(len(text)) for j in range(i + 1, i + HELD_BACK)}
                ends = {(end + part)[-HELD_BACK:] for end in ends for part in inner}
            begins = {some[-1][i : i + HELD_BACK] for i in range(len(some[-1]) + 1)}
            for near in (end + begin for end in ends for begin in begins):
                if "FORBIDDEN" in near or ORDER.search(near):
                    return True
    return False


class ScriptedStream:
    """Holds back the last characters, always: crude, and leaks nothing."""

    def __init__(self, on: Surface, guard: Scripted, session: str | None) -> None:
        self._on = on
        self._guard, self._session = guard, session
        self._held = ""
        self.verdict: Verdict | None = None
        self.closed = False

    def feed(self, chunk: str, /) -> str:
        return "" if self.closed else self._cut(self._held + chunk, HELD_BACK)

    @property
    def held(self) -> str:
        return self._held

    def ahead(self) -> str | None:
        return None if self.closed else self._held

    def finish(self) -> str:
        if self.closed:
            return ""
        text = self._cut(self._held, 0)
        if self.verdict is None:
            self.verdict = verdict_of("pass", text, self._on)
        self.closed = True
        return text

    async def afeed(self, chunk: str, /) -> str:
        return self.feed(chunk)

    async def afinish(self) -> str:
        return self.finish()

    def _cut(self, text: str, keep: int) -> str:
        for word in ("FORBIDDEN", "APPROVAL", "ADVICE"):
            verdict = judge(text, self._on)
            if word in text and verdict.action in ("block", "hold", "revise"):
                self.verdict, self.closed, self._held = verdict, True, ""
                return self._given(ORDER.sub("[ORDER]", text[: text.index(word)]))
        found = ORDER.sub("[ORDER]", text)
        if found != text:
            self.verdict = verdict_of("rewrite", "", self._on, "mask")
        # Nothing of a match that is complete may be cut in two.
        end = max(len(found) - keep, 0)
        self._held = found[end:]
        return self._given(found[:end])

    def _given(self, text: str) -> str:
        session = self._session
        return text if session is None else self._guard.restore(text, session=session)


class ScriptedRestorer:
    """Holds back an open bracket and what follows."""

    def __init__(self, guard: Scripted, session: str) -> None:
        self._guard, self._session = guard, session
        self._held = ""

    def feed(self, chunk: str, /) -> str:
        text = self._held + chunk
        at = text.rfind("[")
        end = at if at >= 0 and "]" not in text[at:] else len(text)
        self._held = text[end:]
        return self._guard.restore(text[:end], session=self._session)

    def finish(self) -> str:
        rest, self._held = self._held, ""
        return rest


def judge(text: str, on: Surface) -> Verdict:
    """The verdict of `POLICY` on a text."""
    if "FORBIDDEN" in text:
        at = text.index("FORBIDDEN")
        found = (Finding("stop", "forbidden", "FORBIDDEN", at, at + 9),)
        return verdict_of("block", "Stopped.", on, "stop")._replace(findings=found)
    if "APPROVAL" in text and on in ("input", "output"):
        return verdict_of("hold", "Waits for approval.", on, "wait")._replace(hold="h1")
    if "ADVICE" in text and on == "output":
        otherwise = Next("block", "No advice.")
        return verdict_of("revise", "No advice.", on, "advise")._replace(
            principle="no_advice", rounds=2, otherwise=otherwise
        )
    if ORDER.search(text):
        return verdict_of("rewrite", ORDER.sub("[ORDER]", text), on, "mask")
    return verdict_of("pass", text, on)


def verdict_of(action: Action, text: str, on: Surface, rule: str = "") -> Verdict:
    message = text if action == "block" else None
    return Verdict(action, text, on, "", 1.0, message, (rule,) if rule else ())
