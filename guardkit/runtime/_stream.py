"""Judges a text while it passes. No I/O, no clock; what comes out never depends on how it was cut.

The text is looked at whenever another `STEP` characters of it are there, at positions that belong
to the text and not to the chunks. What no match can reach any more goes out. The last word is a
judgement of the whole text, the same that `check` gives.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace

from guardkit.errors import UsageError
from guardkit.plan import PENDING, Answer, Join, Node, Pending, Plan, Rule
from guardkit.types import Truth, Verdict

from ._acts import BLOCKED
from ._engine import Engine
from ._event import MAX_CHARS, Event
from ._moment import Moment
from ._rewriting import Piece
from ._vault import Vault

STEP = 16
"""How many characters come together before they are looked at."""
MARGIN = 8
"""A match that ends so close to the end of what is there may still turn into something else."""
CONTEXT = 64
"""How much before the held text is looked at again, for words that belong to a match."""
BORDER = 8 * STEP
"""How often checks of the whole text so far are asked, at first; later at every eighth more."""

AHEAD = 8_192
"""How much may be held where somebody asks what its end would be."""

REACH = 1_200
"""How much of a text is read to clear its end: the widest window of a model, about."""

_SHORT_VIEWS = frozenset({"raw", "cleaned", "folded"})
"""Views that follow the text closely. Any other one makes the stream wait for the end."""
_STOPS = frozenset({"block", "hold", "revise"})


_Hits = frozenset[tuple[int, int, int]]
"""Matches as (check, start, end)."""


class Stream:
    """One text that arrives in pieces.

    Args:
        engine: The engine.
        event: What the text belongs to; its own text is empty.
        vault: Gives real values back for the session's pseudonyms.
        judge: Judges the whole text at the end.
        ajudge: The same, awaiting checks that call out.
        hear: Told of the verdict before the rest of the text goes out; gives the one that counts.
        ahear: The same, awaiting whoever is told.
        says: Whether the message of a block is part of what comes out.
        restores: Whether the session's pseudonyms are undone in what comes out.
    """

    def __init__(
        self,
        engine: Engine,
        event: Event,
        vault: Vault,
        judge: Callable[[Event], Verdict],
        ajudge: Callable[[Event], Awaitable[Verdict]],
        *,
        hear: Callable[[Verdict], Verdict] | None = None,
        ahear: Callable[[Verdict], Awaitable[Verdict]] | None = None,
        says: bool = True,
        restores: bool = True,
    ) -> None:
        if engine.shares and event.session is None:
            # Its text is not known yet, and what it comes to must not depend on how it is cut.
            event = replace(event, stream=secrets.token_hex(16))
        self._engine = engine
        self._event = event
        self._judge = judge
        self._ajudge = ajudge
        self._hear = hear
        self._ahear = ahear
        self._says = says
        self._restorer = (
            vault.restorer(event.tenant, event.session)
            if restores and event.session is not None
            else None
        )
        plan = engine.plan
        self._lane = engine.lanes[event.surface]
        join = plan.join(event.surface)
        reach = join.what if join is not None else Join()
        assert isinstance(reach, Join)
        self._width = min(reach.look_behind, self._lane.width) + MARGIN
        self._spaced = min(self._lane.spaced, reach.look_behind) + MARGIN
        self._is_whole = (
            reach.reach == "whole"
            or (plan.limits.hold_back is None and join is not None)
            or engine.is_closed(event)
        )
        self._limit = max(plan.limits.hold_limit, self._width)
        self._stoppers = _stoppers(engine, event)
        rows = {row.name: row for row in plan.checks}
        row_of = {node: rows[self._lane.names[node][0]] for node in self._lane.readers}
        self._near = [node for node, row in row_of.items() if row.spans]
        self._far = [
            node for node, row in row_of.items() if not row.spans and row.answers == "answer"
        ]
        judging = self._lane.callers.keys() | row_of.keys() - {*self._near, *self._far}
        self._doubted = _doubted(plan, self._stoppers, judging)
        step = (plan.limits.hold_back or 0) // STEP * STEP
        self._step = max(step, STEP)
        """How much text comes together before a model reads it: as much as may be held back."""
        self._cleared = 0
        """How far those rules have nothing to say that only a model could have said."""
        self._text = ""
        self._is_too_long = False
        self._emitted: list[str] = []
        self._ready = 0
        """How much of the text went out, in its own characters."""
        self._at = 0
        """How far it was looked at."""
        self._border = BORDER
        self._yes: set[int] = set()
        """Checks that said yes for good."""
        self._pieces: tuple[Piece, ...] = ()
        self._seen: tuple[_Hits, _Hits] | None = None
        """The matches last decided on, and those of them that are certain."""
        self._blocked_at: int | None = None
        """Where the first match stands that waits for a decision."""
        self._stopped: Verdict | None = None
        self._verdict: Verdict | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What was decided; None while nothing is."""
        return self._stopped if self._verdict is None else self._verdict

    @property
    def closed(self) -> bool:
        """Whether nothing more will come out: read no further, and say so upstream."""
        return self._stopped is not None or self._verdict is not None

    def feed(self, chunk: str) -> str:
        """Take the next piece; what is given back may be shown."""
        self._take(chunk)
        out: list[str] = []
        while not self._is_whole and self._stopped is None and len(self._text) - self._at >= STEP:
            self._at += STEP
            out.append(self._look())
        return self._out("".join(out))

    async def afeed(self, chunk: str) -> str:
        """The same as `feed`: nothing is awaited before the end."""
        return self.feed(chunk)

    @property
    def held(self) -> str:
        """What has not gone out, as it was written."""
        return self._text[self._ready :]

    @property
    def behind(self) -> int:
        """How many characters before a text may belong to a match in it."""
        return MAX_CHARS if self._is_whole else 2 * self._width + CONTEXT

    def ahead(self) -> str | None:
        """What `finish` would probably give if the text were over now, pseudonyms and all.

        Nothing is remembered and nobody is told: only the end of the text is judged.

        Returns:
            None where that cannot be told: where much is held, where a check would have to be
            called, or where the end would not go out.
        """
        begin = max(0, self._ready - CONTEXT)
        if self.closed or len(self._text) - begin > AHEAD:
            return None
        if self._ready == len(self._text):
            return ""
        peeked = self._engine.peek(replace(self._event, text=self._text[begin:]))
        if peeked is None or peeked[0].action in _STOPS:
            return None
        parts: list[str] = []
        at = self._ready
        for start, end, instead in peeked[1]:
            if begin + start >= at:
                parts += (self._text[at : begin + start], instead)
                at = begin + end
        return "".join((*parts, self._text[at:]))

    def finish(self) -> str:
        """The text is over: the rest of what may be shown."""
        if self._verdict is not None:
            return ""
        verdict = self._decided(self._judge(self._whole()))
        return self._end(verdict if self._hear is None else self._hear(verdict))

    async def afinish(self) -> str:
        """The text is over: the rest of what may be shown."""
        if self._verdict is not None:
            return ""
        verdict = self._decided(await self._ajudge(self._whole()))
        return self._end(verdict if self._ahear is None else await self._ahear(verdict))

    # --- taking and giving

    def _take(self, chunk: str) -> None:
        if not isinstance(chunk, str):
            raise UsageError(f"a stream takes str, not {type(chunk).__name__}")
        if self._verdict is not None:
            raise UsageError("the stream is finished: make a new one for the next text")
        if len(self._text) + len(chunk) > MAX_CHARS:
            self._is_too_long = True
        if self._is_too_long:
            raise UsageError(
                f"the text of the stream is over the limit of {MAX_CHARS:,} characters"
            )
        # With no other name the text grows in place: else each chunk would copy all of it.
        text, self._text = self._text, ""
        text += chunk
        self._text = text

    def _out(self, text: str) -> str:
        if text:
            self._emitted.append(text)
        return self._restorer.feed(text) if self._restorer is not None else text

    def _whole(self) -> Event:
        if self._is_too_long:
            raise UsageError(
                f"the text of the stream is over the limit of {MAX_CHARS:,} characters"
            )
        return replace(self._event, text=self._text)

    def _decided(self, verdict: Verdict) -> Verdict:
        """The verdict on the stream, after that on its whole text."""
        if verdict.action in _STOPS:
            return verdict
        if self._stopped is not None:
            # It was stopped for good, whatever else the rest of the text may be.
            return self._stopped
        if not verdict.text.startswith("".join(self._emitted)):
            # INVARIANT: what went out is the beginning of what may be delivered. Should it ever
            # not be, nothing more goes out, and the verdict says so.
            return verdict._replace(action="block", text=BLOCKED, message=BLOCKED)
        return verdict

    def _end(self, verdict: Verdict) -> str:
        self._verdict = verdict
        if self._stopped is not None:
            return self._rest("")
        if verdict.action in _STOPS:
            return self._rest(self._said(verdict))
        return self._rest(verdict.text[len("".join(self._emitted)) :])

    def _rest(self, text: str) -> str:
        out = self._out(text)
        return out + self._restorer.finish() if self._restorer is not None else out

    def _said(self, verdict: Verdict) -> str:
        if not self._says:
            return ""
        said = (
            verdict.otherwise.text
            if verdict.action == "revise" and verdict.otherwise
            else verdict.text
        )
        return f"\n\n{said}" if self._emitted else said

    # --- looking

    def _look(self) -> str:
        """Look at what is there up to `_at`; what may go out now."""
        begin = max(0, self._ready - CONTEXT)
        window = self._text[begin : self._at]
        hits, safe = self._sight(window, begin)
        if self._is_whole:
            return ""
        is_first = self._seen is None
        borders = self._at >= self._border
        if hits or is_first or (borders and self._far):
            if borders:
                self._border = max(self._at + BORDER, self._at + self._at // 8)
                self._ask_far()
            self._decide(hits)
        if self._is_whole or self._stopped is not None:
            return self._said(self._stopped) if self._stopped is not None else ""
        if self._at - self._ready > self._limit:
            self._is_whole = True
            return ""
        until = min(begin + self._reach(window), safe)
        if self._doubted:
            until = min(until, self._clear())
        return self._emit(until if self._blocked_at is None else min(until, self._blocked_at))

    def _clear(self) -> int:
        """Up to where no rule objects that asks for scores or labels.

        They may change with every word, so a yes decides nothing before the end: it holds the rest,
        and so does a check that would have to be called.
        """
        if self._at - self._cleared >= self._step:
            moment = self._moment(self._text[max(0, self._at - REACH) : self._at])
            run = self._lane.settler.start(self._event.tool, moment.leaf)
            truths = (
                run.ask(node)
                for tools, node, _, _ in self._doubted
                if not tools or self._event.tool in tools
            )
            if any(truth is not Truth.NO for truth in truths):
                self._is_whole = True
            else:
                self._cleared = self._at
        return self._cleared

    def _reach(self, window: str) -> int:
        """Up to where no match can reach that is not certain yet.

        Most matches longer than a few words have no blank in them, so a longer stretch is held only
        while one long word lasts.
        """
        length = len(window)
        word = window.rfind(" ", 0, max(length - MARGIN, 0)) + 1
        return max(0, min(length - self._spaced, word), length - self._width)

    def _sight(self, window: str, begin: int) -> tuple[_Hits, int]:
        """Matches in the window as (check, start, end), and how far every view is settled."""
        lane = self._lane
        hits: set[tuple[int, int, int]] = set()
        safe = self._at
        if lane.scanner is not None:
            sighting = lane.scanner.look(window)
            if not sighting.is_complete or any(
                view.name not in _SHORT_VIEWS for view in sighting.views
            ):
                self._is_whole = True
            for view in sighting.views[1:]:
                if view.name in _SHORT_VIEWS:
                    back = view.back(self._reach(view.text), len(view.text))[0]
                    settled = getattr(view, "stable", 0)
                    safe = min(safe, begin + back, begin + settled)
            for node, found in sighting.found.items():
                hits |= {(node, begin + hit.start, begin + hit.end) for hit in found}
        for node in self._near:
            hits |= {(node, begin + s, begin + e) for s, e in self._near_hits(node, window)}
        return frozenset(hits), safe

    def _near_hits(self, node: int, window: str) -> list[tuple[int, int]]:
        """What a reader that finds stretches finds in the window."""
        moment = self._moment(window)
        said = moment.of(node)
        if said is None or said.value is None:
            self._is_whole = True
            return []
        return [(hit.start, hit.end) for hit in said.hits] if said.value is True else []

    def _ask_far(self) -> None:
        """Readers of the whole text so far; a yes of theirs is for good."""
        moment = self._moment(self._text[: self._at])
        for node in self._far:
            said = moment.of(node)
            if said is not None and said.value is True:
                self._yes.add(node)

    def _moment(self, text: str) -> Moment:
        return self._engine.moment(replace(self._event, text=text))

    def _decide(self, hits: _Hits) -> None:
        """Which rules are certain by now, and what that means for what is held."""
        sure = frozenset(hit for hit in hits if hit[2] <= self._at - MARGIN)
        if (hits, sure) == self._seen and not self._far:
            return
        self._seen = (hits, sure)
        self._yes |= {node for node, _, _ in sure}
        moment = self._moment("")
        yes = self._yes

        def leaf(node: Node) -> Answer | Pending:
            if node.op == "check":
                return True if node.id in yes else PENDING
            return moment.leaf(node)

        run = self._lane.settler.start(self._event.tool, leaf)
        stops = rewrites = False
        for tools, node, matches, verb in self._stoppers:
            if tools and self._event.tool not in tools:
                continue
            truth = run.ask(node)
            if truth is Truth.NO:
                continue
            if isinstance(truth, Pending):
                # A match of a rule that may yet fire must not leave before the end.
                self._is_whole |= bool(matches & yes)
                continue
            stops |= verb in _STOPS or truth is Truth.UNKNOWN
            rewrites |= verb == "rewrite"
        self._blocked_at = None
        if not (stops or rewrites) or (self._is_whole and not stops):
            return
        if sure != hits:
            # A match at the very end may be none, and its rule would speak in the verdict. Wait.
            self._blocked_at = min(start for _, start, _ in hits)
            return
        self._judge_prefix(is_sure=stops)

    def _judge_prefix(self, *, is_sure: bool) -> None:
        """A rule is certain: judge what is there as if it were all.

        Args:
            is_sure: Whether a rule that stops the text is among the certain ones.
        """
        peeked = self._engine.peek(replace(self._event, text=self._text[: self._at]))
        if peeked is None:
            self._is_whole = True
            return
        verdict, pieces = peeked
        if verdict.action not in _STOPS:
            self._pieces = pieces
        elif is_sure:
            self._stopped = verdict
        else:
            self._is_whole = True

    def _emit(self, until: int) -> str:
        """What stands before `until` goes out, with its replacements; never half of one."""
        for piece in self._pieces:
            # One that ends near the end of what is there may still grow or be joined by another.
            if piece.start < until and piece.end > min(until, self._at - MARGIN):
                until = min(until, piece.start)
        if until <= self._ready:
            return ""
        parts: list[str] = []
        at = self._ready
        for start, end, instead in self._pieces:
            if start >= at and end <= until:
                parts += (self._text[at:start], instead)
                at = end
        parts.append(self._text[at:until])
        self._ready = until
        return "".join(parts)


_Stopper = tuple[frozenset[str], int, frozenset[int], str]
"""(tools, node, the checks whose matches it covers, what it does)."""


def _stoppers(engine: Engine, event: Event) -> Sequence[_Stopper]:
    """The rules in force on an event that keep anything from going out as it is."""
    plan = engine.plan
    lane = engine.lanes[event.surface]
    join = plan.join(event.surface)
    rows = {row.name: row for row in plan.rules}
    found: list[_Stopper] = []
    for i in join.inputs if join is not None else ():
        what = plan.nodes[i].what
        assert isinstance(what, Rule)
        row = rows[what.name]
        is_mild = row.action.verb in ("flag", "pass") and row.on_error in ("flag", "pass")
        if is_mild or not engine.enforces(row, event):
            continue
        matches = frozenset(lane.node_of[name] for name in row.matches if name in lane.node_of)
        found.append((frozenset(what.tools), i, matches, row.action.verb))
    return found


def _doubted(
    plan: Plan, stoppers: Sequence[_Stopper], judging: Collection[int]
) -> Sequence[_Stopper]:
    """Those of the rules that ask one of these checks."""
    found: list[_Stopper] = []
    for stopper in stoppers:
        waiting, seen = [stopper[1]], set[int]()
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += plan.nodes[node].inputs
        if seen & set(judging):
            found.append(stopper)
    return found
