"""One exchange in the playground: judged in memory, explained, and fed through a stream.

Nobody is told: no audit log, no monitor, no queue of held texts. A session belongs to the console
and is no session of any client.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeVar

from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.runtime import Bridge, Event, Explanation, Job, Stream, Told, drive
from guardkit.types import SURFACES, Surface, Verdict
from guardkit.wire import Fault

MOST_CHARS: Final = 20_000
MOST_STREAMED: Final = 4_000
MOST_CHUNK: Final = 400
_MOST_VIEW: Final = 2_000
_PATIENCE_S: Final = 8.0
_LOOK: Final = 16
"""A stream looks whenever so many characters came together."""
_TENANT: Final = f"console {secrets.token_hex(8)}"
"""No client's sessions have this name before them."""
_STOPS: Final = frozenset({"block", "hold", "revise"})

T = TypeVar("T")


class Question(NamedTuple):
    """What is judged."""

    on: Surface
    text: str
    tool: str | None = None
    context: Mapping[str, object] = {}
    session: str | None = None

    def event(self, session: str | None) -> Event:
        """The same, as the engine takes it.

        Raises:
            Fault: The arguments of a tool call are none.
        """
        around = (dict(self.context), session, _TENANT)
        if self.on != "tool_call":
            return Event(self.on, self.text, self.tool, None, *around)
        try:
            arguments = json.loads(self.text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise Fault(422, "no_arguments", "the text of a tool call is a JSON object")
        return Event("tool_call", "", self.tool or "", arguments, *around)


def _refuse(spelled: str) -> object:
    raise ValueError("not a number")


def surface_named(name: str) -> Surface:
    """The surface of this name.

    Raises:
        Fault: There is none that a text can be found on.
    """
    for surface in SURFACES:
        if surface == name and surface != "conversation":
            return surface
    raise Fault(400, "no_such_surface", "`on` is no surface that a text can be found on")


# --- a text at once


def tried(guard: Guard, question: Question) -> dict[str, Any]:
    """The verdict, the views that were read, and the decision tree.

    Raises:
        Fault: It makes no sense.
    """
    return _in_session(guard, question, lambda event: _tried(guard, event))


def _tried(guard: Guard, event: Event) -> dict[str, Any]:
    told: Explanation = _driven(guard.bound.engine.explain(event))
    asked = {name for rule in guard.plan.rules for name in rule.asks}
    return {
        "verdict": told.verdict.as_dict(text=True),
        "rules": [_told(rule, told.verdict) for rule in told.rules],
        "views": _views(guard, event, told.views),
        "answers": dict(told.answers),
        "lacking": sorted(guard.bound.lacking & asked),
        "kinds": {row.name: row.kind for row in guard.plan.checks},
    }


def _told(told: Told, verdict: Verdict) -> dict[str, Any]:
    shown = told.as_dict()
    name = told.title.removeprefix("rule ")
    for fate in ("fired", "exempted", "shadow", "undecided"):
        if name in getattr(verdict, fate):
            shown["fate"] = fate
    return shown


def _views(guard: Guard, event: Event, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The views that were read, with what stands in them."""
    texts = {"raw": event.text}
    lane = guard.bound.engine.lanes[event.surface]
    if lane.scanner is not None and event.surface != "tool_call":
        for view in lane.scanner.look(event.text).views:
            texts.setdefault(view.name, view.text)
    return [
        {
            "name": name,
            "text": texts.get(name, "")[:_MOST_VIEW],
            "cut": len(texts.get(name, "")) > _MOST_VIEW,
        }
        for name in names
    ]


# --- a text in pieces


def streamed(guard: Guard, question: Question, chunk: int) -> dict[str, Any]:
    """What a stream held back and gave out while a text came in pieces of this size.

    Returns:
        `frames`: after each piece, and last after the end, how many characters came and how many
        went out, both in those of the text; `redacted`: stretches, each with what went out for it;
        the verdict; and the dearest and the usual piece in microseconds.

    Raises:
        Fault: It makes no sense.
    """
    if question.on == "tool_call":
        raise Fault(422, "not_streamed", "a tool call is judged whole")
    return _in_session(guard, question, lambda event: _streamed(guard, event, chunk))


def _streamed(guard: Guard, event: Event, chunk: int) -> dict[str, Any]:
    bound, text = guard.bound, event.text
    judge = _judge(guard)

    async def ajudge(event: Event) -> Verdict:
        return judge(event)

    stream = Stream(
        bound.engine,
        replace(event, text=""),
        bound.vault,
        judge,
        ajudge,
        says=False,
        restores=False,
    )
    frames: list[tuple[int, int]] = []
    took: list[float] = []
    way = _Way(guard, event)
    for start in range(0, len(text), chunk):
        begun = perf_counter()
        out = stream.feed(text[start : start + chunk])
        took.append((perf_counter() - begun) * 1e6)
        fed = min(start + chunk, len(text))
        frames.append((fed, way.forward(out, fed)))
        if stream.closed:
            break
    fed = frames[-1][0] if frames else 0
    begun = perf_counter()
    rest = stream.finish()
    finish_us = (perf_counter() - begun) * 1e6
    verdict = stream.verdict
    assert verdict is not None  # it is finished
    if verdict.action not in _STOPS:
        way.end(verdict)
    frames.append((fed, way.released))
    took.sort()
    return {
        "frames": frames,
        "redacted": [list(stretch) for stretch in way.redacted],
        "stopped": verdict.action in _STOPS,
        "rest": len(rest),
        "verdict": verdict.as_dict(text=True),
        "hold_back": guard.plan.limits.hold_back,
        "feed_us": round(took[len(took) // 2], 1) if took else None,
        "feed_most_us": round(took[-1], 1) if took else None,
        "finish_us": round(finish_us, 1),
    }


class _Way:
    """How far a stream is in the characters of its text, told from what came out of it."""

    def __init__(self, guard: Guard, event: Event) -> None:
        self._guard = guard
        self._event = event
        self.released = 0
        self.redacted: list[tuple[int, int, str | None]] = []

    def forward(self, out: str, fed: int) -> int:
        """Take what came out after `fed` characters; how many of those are out now."""
        text = self._event.text
        if out and not self._is_plain(out):
            # A replacement is among it. What it stands for is what a peek at the text so far says,
            # as it was at one of the places where the stream looked.
            for at in (fed, *range(fed // _LOOK * _LOOK, self.released, -_LOOK)):
                if self._goes_on(out, at):
                    return self.released
        self.released = min(self.released + len(out), len(text))
        return self.released

    def _is_plain(self, out: str) -> bool:
        return self._event.text.startswith(out, self.released)

    def _goes_on(self, out: str, at: int) -> bool:
        peeked = self._guard.bound.engine.peek(replace(self._event, text=self._event.text[:at]))
        if peeked is None:
            return False
        text, here, stretches = self._event.text, self.released, []
        for piece in peeked[1]:
            if piece.start < here:
                continue
            between = text[here : piece.start]
            if len(out) <= len(between):
                break
            if not out.startswith(between + piece.text):
                return False
            out = out[len(between) + len(piece.text) :]
            stretches.append((piece.start, piece.end, piece.text))
            here = piece.end
        if not text.startswith(out, here):
            return False
        self.released = here + len(out)
        self.redacted += stretches
        return True

    def end(self, verdict: Verdict) -> None:
        """The whole text went out, as the verdict has it."""
        text = self._event.text
        peeked = self._guard.bound.engine.peek(self._event)
        if verdict.action == "rewrite" and peeked is not None and peeked[1]:
            self.redacted = [(piece.start, piece.end, piece.text) for piece in peeked[1]]
        elif verdict.action == "rewrite":
            known = {start: instead for start, _, instead in self.redacted}
            self.redacted = [
                (start, end, known.get(start)) for start, end in _rewritten(self._guard, verdict)
            ] or [(0, len(text), verdict.text)]
        self.released = len(text)


def _rewritten(guard: Guard, verdict: Verdict) -> list[tuple[int, int]]:
    """The stretches that rewriting rules cover, overlapping ones as one."""
    verbs = {rule.name: rule.action.verb for rule in guard.plan.rules}
    found = {(f.start, f.end) for f in verdict.findings if verbs.get(f.rule) == "rewrite"}
    made: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if made and start < made[-1][1]:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((start, end))
    return made


# --- the engine, with nobody listening


def _in_session(guard: Guard, question: Question, ask: Callable[[Event], T]) -> T:
    """Ask in the session that was named, else in one that is forgotten at once."""
    session = question.session
    if session is None and guard.needs_session:
        session = secrets.token_hex(8)
    try:
        return ask(question.event(session))
    except UsageError as error:
        raise Fault(422, "cannot_judge", str(error)) from None
    finally:
        if session is not None and question.session is None:
            guard.forget(session, tenant=_TENANT)


def _judge(guard: Guard) -> Callable[[Event], Verdict]:
    def judge(event: Event) -> Verdict:
        verdict: Verdict = _driven(guard.bound.engine.judge(event))
        return verdict

    return judge


# Any: what a judgement is sent and gives is known to the engine.
def _driven(judgement: Any) -> Any:
    try:
        jobs: tuple[Job, ...] = next(judgement)
    except StopIteration as ended:
        return ended.value
    return Bridge.run(drive, judgement, jobs, perf_counter() + _PATIENCE_S)
