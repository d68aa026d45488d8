"""Judges the parts of a request or a reply, and says what has to change before they may go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from guardkit.errors import UsageError
from guardkit.types import Next, Verdict

from ._guarding import Sources
from ._parts import Part
from ._steps import Ask, Steps
from ._tool_arguments import write_arguments
from ._values import Path

GOES = frozenset({"pass", "flag"})
UNREADABLE = "A tool call could not be read and was stopped."


class Judged(NamedTuple):
    """What became of some parts."""

    changes: Mapping[Path, Any]
    """What has to be put in place of what."""
    stop: Verdict | None = None
    """The verdict that stops the exchange."""
    revise: Verdict | None = None
    """The verdict that asks for a revision; `changes` and `fallback` say what is without one."""
    fallback: Verdict | None = None
    """The verdict that stops the exchange unless a revision passes."""

    part: Part | None = None
    """The part that was stopped."""

    @property
    def ends(self) -> Verdict | None:
        """The verdict that stops the exchange where nothing is revised."""
        return self.fallback if self.stop is None else self.stop

    @property
    def action(self) -> str:
        """What became of all parts together."""
        if self.stop is not None:
            return self.stop.action
        if self.revise is not None:
            return "revise"
        return "rewrite" if self.changes else "pass"


class Turn:
    """What begins a turn of the session: of all that goes in with one call, the first `input`.

    Args:
        is_begun: Nothing of this call begins one, because its user said nothing new.
    """

    __slots__ = ("is_begun",)

    def __init__(self, *, is_begun: bool = False) -> None:
        self.is_begun = is_begun

    def keys(self, keys: Mapping[str, Any], surface: str) -> Mapping[str, Any]:
        """What to ask the guard with, for the next text."""
        if surface != "input" or keys.get("session") is None:
            return keys
        if self.is_begun:
            return {**keys, "same_turn": True}
        self.is_begun = True
        return keys


class Outcome(NamedTuple):
    """What one verdict means for one text."""

    goes: bool
    text: str | None = None
    """What to put in its place."""
    arguments: Mapping[str, object] | None = None


def outcome_of(verdict: Verdict) -> Outcome:
    """A hold that nobody waits for is a block; a revision that nobody makes is its `else`."""
    action = verdict.action
    if action in GOES:
        # A guard gives the arguments as they are to be used: with the real values put back.
        return Outcome(True, None, verdict.arguments)
    if action == "rewrite":
        return Outcome(True, verdict.text, verdict.arguments)
    if action == "revise" and verdict.otherwise is not None:
        return _outcome_of_next(verdict.otherwise)
    return Outcome(False)


def _outcome_of_next(then: Next) -> Outcome:
    if then.action in GOES:
        return Outcome(True, None, then.arguments)
    if then.action == "rewrite":
        return Outcome(True, then.text, then.arguments)
    return Outcome(False)


def judge(
    parts: Sequence[Part],
    keys: Mapping[str, Any],
    *,
    sources: Sources | None = None,
    turn: Turn | None = None,
    waits: bool = False,
    first: Verdict | None = None,
    again: bool = False,
) -> Steps[Judged]:
    """Judge parts in order; the first block ends it.

    Args:
        parts: What was read.
        keys: Context, session and tenant, as the guard takes them.
        sources: What a reply may be compared with.
        turn: The turn that the call belongs to.
        waits: Whether to wait for the approval of what is held.
        first: The verdict on the first part, where it is known already.
        again: The session knows these parts: they are judged and not counted.
    """
    text_keys = {**keys, "sources": sources} if sources else keys
    turn = Turn() if turn is None else turn
    changes: dict[Path, Any] = {}
    revise: Verdict | None = None
    fallback: Verdict | None = None
    fired: set[str] = set()
    for part in parts:
        if again:
            verdict = yield _ask_again(part, text_keys)
        elif first is None:
            verdict = yield _ask(part, keys, turn.keys(text_keys, part.surface))
        else:
            verdict, first = first, None
            turn.is_begun = True
        fired.update(verdict.fired)
        if verdict.action == "hold" and waits and verdict.hold is not None:
            verdict = yield Ask("await_hold", (verdict.hold,), {})
        if part.kind == "call" and part.arguments is None:
            verdict = _unreadable(verdict)
        elif verdict.action in GOES and part.kind != "call":
            continue
        outcome = outcome_of(verdict)
        if verdict.action == "revise":
            revise = verdict if revise is None else revise
            if not outcome.goes and fallback is None:
                fallback = verdict
        elif not outcome.goes:
            return Judged({}, verdict, part=part)
        if outcome.goes and part.kind != "unread":
            _change(changes, part, outcome)
    known = None if again else fired
    stop = yield from _judge_groups(parts, changes, text_keys, known, waits=waits)
    return Judged(changes, stop, revise, fallback)


def _ask(part: Part, keys: Mapping[str, Any], text_keys: Mapping[str, Any]) -> Ask:
    if part.kind == "call":
        said = part.text if part.arguments is None else part.arguments
        return Ask("check_tool_call", (part.tool or "", said), keys)
    if part.kind == "unread":
        return Ask("unread", (part.surface,), _whose(keys))
    if part.surface == "tool_result" and part.tool:
        return Ask("check_tool_result", (part.tool, part.text), keys)
    return Ask("check", (part.text,), {"on": part.surface, **text_keys})


def _ask_again(part: Part, text_keys: Mapping[str, Any]) -> Ask:
    """The same for a part that the session has counted."""
    if part.kind != "text":  # nothing was counted of what cannot be read
        return _ask(part, text_keys, text_keys)
    tool = {"tool": part.tool} if part.surface == "tool_result" and part.tool else {}
    return Ask("check", (part.text,), {"on": part.surface, **text_keys, **tool, "again": True})


def _whose(keys: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: keys[name] for name in ("session", "tenant") if keys.get(name)}


def _again(keys: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**keys, "again": True}


def counted(
    verdict: Verdict, fired: AbstractSet[str], text: str, keys: Mapping[str, Any]
) -> Steps[Verdict]:
    """A verdict on a joined text, counted only where a rule fired that no text of it fired alone.

    A hold is not asked for twice: somebody would have to decide twice.
    """
    if keys.get("session") is None or verdict.action == "hold" or fired >= set(verdict.fired):
        return verdict
    new: Verdict = yield Ask("count", (text,), keys)
    return new


def _unreadable(verdict: Verdict) -> Verdict:
    """Arguments that are no JSON object: judged as text, and stopped whatever was said."""
    if verdict.action == "block":
        return verdict
    return verdict._replace(action="block", text=UNREADABLE, message=UNREADABLE, arguments=None)


def _change(changes: dict[Path, Any], part: Part, outcome: Outcome) -> None:
    if part.kind == "call":
        if outcome.arguments is not None and outcome.arguments != part.arguments:
            arguments = outcome.arguments
            if part.is_plain:
                changes[part.path] = arguments["input"]
            else:
                changes[part.path] = write_arguments(arguments) if part.text else dict(arguments)
        return
    if outcome.text is None or outcome.text == part.text:
        return
    if part.is_fixed:
        raise UsageError("a rule rewrites the name of a field, and names cannot be changed")
    changes[part.path] = outcome.text


def _judge_groups(
    parts: Sequence[Part],
    changes: Mapping[Path, Any],
    keys: Mapping[str, Any],
    fired: AbstractSet[str] | None,
    *,
    waits: bool,
) -> Steps[Verdict | None]:
    """Texts that are shown as one are judged as one too: a match may lie across them.

    `fired` are the rules that the session counted for them; None where it counted them before.
    """
    groups: dict[tuple[Path, str], list[str]] = {}
    for part in parts:
        if part.kind == "text" and part.group is not None and not part.is_fixed:
            text = changes.get(part.path, part.text)
            groups.setdefault((part.group, part.surface), []).append(text)
    for (_, surface), texts in groups.items():
        if len(texts) > 1:
            text, joined = "".join(texts), {"on": surface, **keys}
            verdict = yield Ask("check", (text,), _again(joined))
            if fired is not None:
                begun = {"same_turn": True} if surface == "input" else {}
                verdict = yield from counted(verdict, fired, text, {**joined, **begun})
            if verdict.action == "hold" and waits and verdict.hold is not None:
                verdict = yield Ask("await_hold", (verdict.hold,), {})
            # What lies across two texts has no place to be rewritten in.
            if verdict.action not in GOES:
                return verdict if verdict.action == "block" else stopped(verdict)
    return None


STOPPED = "This reply was stopped by a safety rule."


def stopped(verdict: Verdict) -> Verdict:
    """A verdict that could not be carried out, as the block that it has to be."""
    if verdict.action in ("hold", "revise"):
        return verdict  # its text is safe to deliver
    return verdict._replace(action="block", text=STOPPED, message=STOPPED, arguments=None)
