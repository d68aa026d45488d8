"""What a session remembers: outcomes, never text, and all of it for a limited time."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from cachetools import TLRUCache

from guardkit._util.forks import renewed_after_fork
from guardkit.plan import Plan
from guardkit.types import Truth

MOST_SESSIONS = 100_000
"""Sessions kept at once; beyond them the one that was idle longest is forgotten."""
MOST_KEPT_CHARS = 1 << 20
"""How much text of a session is kept for checks that compare with it, where there are any."""

Key = tuple[str, str]
"""(tenant, session)."""


@dataclass(slots=True, repr=False)
class State:
    """One session. INVARIANT: changed only under the lock of its `Sessions`."""

    turn: int = 0
    """0 before the first input; every input begins the next one."""
    fired: dict[tuple[int, str], int] = field(default_factory=dict)
    """How often a rule fired in a turn."""
    firsts: dict[tuple[int, str], Truth] = field(default_factory=dict)
    """The strongest sign in a turn that the first event of a sequence happened."""
    closed_by: tuple[str, ...] = ()
    closed_message: str = ""
    canary: str | None = None
    texts: dict[str, list[str]] = field(default_factory=dict)
    """Texts by surface, for checks that compare with them."""

    def count(self, rules: Iterable[str], turns: int) -> int:
        """How often these rules fired in the last turns, this one included."""
        wanted = frozenset(rules)
        since = self.turn - turns
        return sum(
            times for (turn, rule), times in self.fired.items() if turn > since and rule in wanted
        )

    def was_first(self, sequence: str, turns: int) -> Truth:
        """Whether a sequence began within reach."""
        since = self.turn - turns
        seen = [
            truth
            for (turn, name), truth in self.firsts.items()
            if name == sequence and turn > since
        ]
        return reduce(or_, seen, Truth.NO)


class Sessions:
    """The sessions of one guard, by tenant and name.

    Args:
        plan: Says how far back windows and sequences look, and how long a session lives.
        clock: Seconds that never go back.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float]) -> None:
        reach = [*(row.turns for row in plan.windows), *(row.turns for row in plan.sequences), 1]
        self._reach = max(reach)
        self._ttl = plan.limits.session_ttl_ms / 1000
        self._states: TLRUCache[Key, State] = TLRUCache(
            MOST_SESSIONS, ttu=lambda key, state, now: now + self._ttl, timer=clock
        )
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self.lock = threading.RLock()

    def state(self, key: Key) -> State:
        """The session's state; its time to live begins anew. Call it under the lock."""
        state = self._states.get(key)
        if state is None:
            state = State()
        self._states[key] = state
        return state

    def forget(self, key: Key) -> None:
        """The session is over; its next event begins a new one."""
        with self.lock:
            self._states.pop(key, None)

    def forget_all(self) -> None:
        """Every session is over."""
        with self.lock:
            self._states.clear()

    def canary(self, key: Key) -> str:
        """The session's canary, made when it is first asked for."""
        with self.lock:
            state = self.state(key)
            if state.canary is None:
                state.canary = new_canary()
            return state.canary

    def begin_turn(self, state: State) -> None:
        """An input begins the next turn; what no window or sequence can reach is dropped."""
        state.turn += 1
        since = state.turn - self._reach
        if state.fired and next(iter(state.fired))[0] <= since:
            state.fired = {key: n for key, n in state.fired.items() if key[0] > since}
        if state.firsts and next(iter(state.firsts))[0] <= since:
            state.firsts = {key: t for key, t in state.firsts.items() if key[0] > since}

    @staticmethod
    def note_fired(state: State, rules: Iterable[str]) -> None:
        for rule in rules:
            key = (state.turn, rule)
            state.fired[key] = state.fired.get(key, 0) + 1

    @staticmethod
    def note_firsts(state: State, firsts: Iterable[tuple[str, Truth]]) -> None:
        for sequence, truth in firsts:
            key = (state.turn, sequence)
            state.firsts[key] = state.firsts.get(key, Truth.NO) | truth

    @staticmethod
    def keep_text(state: State, surface: str, text: str) -> None:
        """Keep a text for later comparison; an input replaces the last one."""
        if surface == "input":
            state.texts = {}
        kept = state.texts.setdefault(surface, [])
        if sum(map(len, kept)) + len(text) <= MOST_KEPT_CHARS:
            kept.append(text)


def new_canary() -> str:
    """A mark nobody can guess and no text holds by chance."""
    return f"gk-{secrets.token_hex(8)}"


def texts_of(state: State | None, surface: str) -> Sequence[str]:
    return () if state is None else state.texts.get(surface, ())
