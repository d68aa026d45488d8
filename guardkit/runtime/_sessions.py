"""What a session remembers: outcomes, and texts only where a check compares with them; all of it
for a limited time."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from cachetools import TLRUCache

from guardkit._util.forks import renewed_after_fork
from guardkit.errors import UsageError
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
    """One session. INVARIANT: changed only under the lock of its `States`."""

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
    ttl_s: float = 0.0
    """How long it is kept after its last use, as the policy says that used it last."""

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

    def written(self) -> dict[str, Any]:
        """All of it as plain data that JSON can hold."""
        return {
            "turn": self.turn,
            "fired": [[*key, times] for key, times in self.fired.items()],
            "firsts": [[*key, truth.name] for key, truth in self.firsts.items()],
            "closed_by": list(self.closed_by),
            "closed_message": self.closed_message,
            "canary": self.canary,
            "texts": {surface: list(texts) for surface, texts in self.texts.items()},
        }

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> State:
        """What `written` gave. Raises what reading of anything else raises."""
        canary = data["canary"]
        return cls(
            int(data["turn"]),
            {(int(turn), str(rule)): int(times) for turn, rule, times in data["fired"]},
            {(int(turn), str(name)): Truth[truth] for turn, name, truth in data["firsts"]},
            tuple(map(str, data["closed_by"])),
            str(data["closed_message"]),
            None if canary is None else str(canary),
            {str(on): list(map(str, texts)) for on, texts in data["texts"].items()},
        )


class States:
    """The states of all sessions, and the one lock over them. Several guards may share it.

    Args:
        clock: Seconds that never go back.
        reach: How many turns a window or a sequence looks back.
    """

    def __init__(self, clock: Callable[[], float], reach: int) -> None:
        self.reach = reach
        self.kept: TLRUCache[Key, State] = TLRUCache(
            MOST_SESSIONS, ttu=lambda key, state, now: now + state.ttl_s, timer=clock
        )
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self.lock = threading.RLock()


class Sessions:
    """The sessions of one guard, by tenant and name.

    Args:
        plan: Says how far back windows and sequences look, and how long a session lives.
        clock: Seconds that never go back.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float]) -> None:
        reach = [*(row.turns for row in plan.windows), *(row.turns for row in plan.sequences), 1]
        self._ttl_s = plan.limits.session_ttl_ms / 1000
        self._states = States(clock, max(reach))

    @property
    def lock(self) -> threading.RLock:
        """Hold it while a state is read or changed."""
        return self._states.lock

    def follow(self, old: Sessions) -> None:
        """Go on with the sessions of a guard that this one replaces, and that still finishes what
        it began: from now on each state is one for both."""
        states = old._states
        with states.lock:
            # What either of them looks back at is kept: a turn that the old one begins drops none.
            states.reach = max(states.reach, self._states.reach)
        self._states = states

    def state(self, key: Key) -> State:
        """The session's state; its time to live begins anew. Call it under the lock."""
        kept = self._states.kept
        state = kept.get(key)
        if state is None:
            state = State()
        state.ttl_s = self._ttl_s
        kept[key] = state
        return state

    def forget(self, key: Key) -> None:
        """The session is over; its next event begins a new one."""
        with self.lock:
            self._states.kept.pop(key, None)

    def forget_all(self) -> None:
        """Every session is over."""
        with self.lock:
            self._states.kept.clear()

    def memory_of(self, key: Key) -> dict[str, Any] | None:
        """What is known of a session, as data that JSON can hold; None where it is nothing."""
        with self.lock:
            state = self._states.kept.get(key)
            return None if state is None else state.written()

    def remember(self, key: Key, memory: Mapping[str, Any] | None) -> None:
        """Have a session be just what `memory_of` gave, here or elsewhere.

        Raises:
            UsageError: It gave no such thing.
        """
        if memory is None:
            self.forget(key)
            return
        try:
            state = State.read(memory)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise UsageError("this is no memory of a session") from None
        state.ttl_s = self._ttl_s
        with self.lock:
            self._states.kept[key] = state

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
        since = state.turn - self._states.reach
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
