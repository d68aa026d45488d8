"""Judges plain data outside any conversation: every string of it, and the changes put back.

For adapters that see a tool call, what a tool gave or what was found, and no exchange with a model.
`guardkit.judging` is for what a model is asked and says, message by message; here is no message.
The walk is written as steps, so that plain and async callers share it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, Literal, NamedTuple

from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.types import Surface, Verdict

from ._target import guard_of

STOPPED: Final = "This was stopped by a safety rule."
DEEPEST: Final = 60

_GOES = frozenset({"pass", "flag"})
_SEALED: Final = ("data", "blob")
"""Where a part has bytes that cannot be read."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_=\s-]*\Z")


class Ask(NamedTuple):
    """A question to the guard."""

    name: str
    args: tuple[Any, ...]
    keys: Mapping[str, Any]


class Judged(NamedTuple):
    """What became of a value."""

    value: Any
    """As it may be used: the very same object where no rule changed anything."""
    stop: Verdict | None = None
    """The verdict that stops it."""


Steps = Generator[Ask, Verdict, Judged]


class Judge:
    """A guard that judges plain data.

    Args:
        policy: A path, the name of a policy that ships, or a guard.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        watch: Told of every verdict that is more than a pass.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it.
    """

    def __init__(
        self,
        policy: str | Guard | None,
        *,
        on_hold: Literal["block", "wait"] = "block",
        watch: Callable[[Verdict], object] | None = None,
    ) -> None:
        self.guard = guard_of(policy)
        self._waits = on_hold == "wait"
        self._watch = watch

    def need_session(self, session: object) -> None:
        """Say at once that a policy which remembers something was given no session.

        Raises:
            UsageError: It was not.
        """
        if session is None and self.guard.needs_session:
            raise UsageError("the policy remembers something: say whose this is with `session=`")

    def data(
        self,
        value: Any,
        on: Surface,
        keys: Mapping[str, Any],
        *,
        tool: str | None = None,
        as_one: Callable[[Any], str] | None = None,
    ) -> Steps:
        """Judge every string of a value, names of fields included, each alone and then as shown.

        Args:
            value: Mappings, lists, strings and numbers.
            on: The surface.
            keys: Context and session, as the guard takes them.
            tool: The tool, on a tool surface.
            as_one: What is shown of it in one piece, once its changes are made.
        """
        walk = _Walk(self, on, keys, tool)
        try:
            made = yield from walk.value(value, 0)
            if as_one is not None:
                yield from walk.joined(as_one(made))
        except _Stopped as stopped:
            return Judged(value, stopped.verdict)
        return Judged(made)

    def call(self, name: str, arguments: Mapping[str, Any], keys: Mapping[str, Any]) -> Steps:
        """Judge a tool call; the value are the arguments to use."""
        verdict = yield Ask("check_tool_call", (name, arguments), keys)
        verdict = yield from self.decided(verdict)
        given = _arguments_of(verdict)
        if isinstance(given, Verdict):
            return Judged(arguments, given)
        return Judged(arguments if given is None or given == arguments else dict(given))

    def decided(self, verdict: Verdict) -> Generator[Ask, Verdict, Verdict]:
        """A verdict that somebody was told of, and approved where that is waited for."""
        if verdict.action != "pass" and self._watch is not None:
            self._watch(verdict)
        if verdict.action == "hold" and self._waits and verdict.hold is not None:
            verdict = yield Ask("await_hold", (verdict.hold,), {})
        return verdict

    def run(self, steps: Steps) -> Judged:
        """Take the steps."""
        try:
            ask = next(steps)
            while True:
                ask = steps.send(getattr(self.guard, ask.name)(*ask.args, **ask.keys))
        except StopIteration as ended:
            made: Judged = ended.value
            return made

    async def arun(self, steps: Steps) -> Judged:
        """Take the steps, awaiting the checks that call out."""
        try:
            ask = next(steps)
            while True:
                ask = steps.send(await getattr(self.guard, f"a{ask.name}")(*ask.args, **ask.keys))
        except StopIteration as ended:
            made: Judged = ended.value
            return made


def said(verdict: Verdict) -> str:
    """What whoever asked may be told of a verdict that stopped it."""
    return verdict.message or STOPPED


class _Stopped(Exception):  # noqa: N818 - it only carries a verdict out of the walk
    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict


class _Walk:
    """One walk through one value. The same text is asked about once."""

    def __init__(
        self, judge: Judge, on: Surface, keys: Mapping[str, Any], tool: str | None
    ) -> None:
        self._judge, self._on, self._tool = judge, on, tool
        self._keys: dict[str, Any] = {"on": on, **keys}
        if tool is not None and on == "tool_result":
            self._keys["tool"] = tool
        if on == "input" and keys.get("session") is not None:
            self._keys["same_turn"] = True  # no user spoke
        self._known: dict[str, tuple[str, Verdict]] = {}
        self._fired: set[str] = set()

    def value(self, value: Any, depth: int) -> Generator[Ask, Verdict, Any]:
        if isinstance(value, str):
            return (yield from self._text(value)) if value else value
        if depth > DEEPEST or isinstance(value, bytes | bytearray | memoryview):
            verdict = yield from self._unread()
            if depth > DEEPEST:  # whatever the policy says of what cannot be read, this was not
                raise _Stopped(_blocked(verdict))
            return value
        if isinstance(value, Mapping):
            return (yield from self._mapping(value, depth))
        if isinstance(value, list | tuple):
            items: list[Any] = []
            for item in value:
                made = yield from self.value(item, depth + 1)
                items.append(made)
            is_same = all(a is b for a, b in zip(items, value, strict=True))
            return value if is_same else items
        return value

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Generator[Ask, Verdict, Any]:
        made: dict[Any, Any] = {}
        for key, inner in value.items():
            if isinstance(key, str) and key:
                yield from self._text(key, is_fixed=True)
            if key in _SEALED and isinstance(inner, str) and _is_sealed(value):
                yield from self._unread()
                if _BASE64.match(inner):
                    made[key] = inner
                    continue
            made[key] = yield from self.value(inner, depth + 1)
        return value if all(made[key] is inner for key, inner in value.items()) else made

    def joined(self, text: str) -> Generator[Ask, Verdict, None]:
        """What is shown as one is judged as one: a match may lie across its texts."""
        if text in self._known or not text:
            return
        verdict = yield Ask("check", (text,), {**self._keys, "again": True})
        if self._keys.get("session") is not None and not self._fired >= set(verdict.fired):
            verdict = yield Ask("check", (text,), self._keys)
        verdict = yield from self._judge.decided(verdict)
        if verdict.action not in _GOES:
            raise _Stopped(verdict if verdict.action == "hold" else _blocked(verdict))

    def _text(self, text: str, *, is_fixed: bool = False) -> Generator[Ask, Verdict, str]:
        known = self._known.get(text)
        if known is None:
            verdict = yield from self._judge.decided((yield Ask("check", (text,), self._keys)))
            self._fired.update(verdict.fired)
            made = _text_of(verdict, text)
            if isinstance(made, Verdict):
                raise _Stopped(made)
            known = self._known[text] = made, verdict
        if is_fixed and known[0] != text:  # a field's name has no other form
            raise _Stopped(_blocked(known[1]))
        return known[0]

    def _unread(self) -> Generator[Ask, Verdict, Verdict]:
        whose: dict[str, Any] = {
            name: self._keys[name] for name in ("session", "tool") if name in self._keys
        }
        verdict = yield from self._judge.decided((yield Ask("unread", (self._on,), whose)))
        if verdict.action not in _GOES:
            raise _Stopped(_blocked(verdict))
        return verdict


def _is_sealed(value: Mapping[Any, Any]) -> bool:
    return "blob" in value or value.get("type") in ("image", "audio")


def _text_of(verdict: Verdict, text: str) -> str | Verdict:
    """What may stand in place of a text, or the verdict that stops it."""
    if verdict.action in _GOES:
        return text
    if verdict.action == "rewrite":
        return verdict.text
    then = verdict.otherwise  # nobody revises what no model wrote
    if verdict.action == "revise" and then is not None and then.action in (*_GOES, "rewrite"):
        return text if then.action in _GOES else then.text
    return _blocked(verdict)


def _arguments_of(verdict: Verdict) -> Mapping[str, Any] | Verdict | None:
    if verdict.is_allowed:
        return verdict.arguments
    then = verdict.otherwise
    if verdict.action == "revise" and then is not None and then.action in (*_GOES, "rewrite"):
        return then.arguments
    return _blocked(verdict)


def _blocked(verdict: Verdict) -> Verdict:
    """A verdict that could not be carried out, as the block that it has to be."""
    if verdict.action in ("block", "hold"):
        return verdict
    return verdict._replace(action="block", text=STOPPED, message=STOPPED, arguments=None)
