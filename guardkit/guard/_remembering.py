"""What a guard tells the model, what it remembers of sessions, and how another goes on with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardkit.errors import UsageError
from guardkit.plan import Plan
from guardkit.runtime import Bound, Engine, Restorer

from ._context import principle_of, prompt_of

_VERSION = 1
"""Of what `memory_of` gives. Another shape gets another number."""


class Remembering:
    """The part of a guard that deals with sessions, prompts and pseudonyms."""

    _plan: Plan
    _bound: Bound
    _engine: Engine

    @property
    def system_prompt(self) -> str:
        """The compiled context layer: what to tell the model before anything else."""
        return prompt_of(self._plan, self._bound.canary)

    def system_prompt_for(self, session: str, *, tenant: str = "") -> str:
        """The system prompt with this session's own canary, where the policy asks for one."""
        if self._bound.canary is None:
            return prompt_of(self._plan, None)
        return prompt_of(self._plan, self._engine.sessions.canary((tenant, session)))

    def principle(self, name: str) -> str:
        """The text of a principle."""
        return principle_of(self._plan, name)

    def restore(self, text: str, *, session: str, tenant: str = "") -> str:
        """Put the real values back for this session's pseudonyms."""
        return self._bound.vault.restore(tenant, session, text)

    def restorer(self, session: str, *, tenant: str = "") -> Restorer:
        """Puts the real values back in a text that arrives in pieces: `feed`, `finish`."""
        return self._bound.vault.restorer(tenant, session)

    def forget(self, session: str, *, tenant: str = "") -> None:
        """The session is over: its counts, its pseudonyms and its canary are dropped."""
        self._engine.sessions.forget((tenant, session))
        self._bound.vault.forget(tenant, session)

    def forget_all(self) -> None:
        """Every session of every tenant is over: between tests, or when all users are gone."""
        self._engine.sessions.forget_all()
        self._bound.vault.forget_all()

    # --- another guard, another process

    def follow(self, old: Remembering) -> None:
        """Go on with the sessions of a guard that this one replaces: a policy was loaded anew.

        Both have one memory from now on, so what the old guard still finishes is counted for both:
        turns, windows, sequences, closed sessions, canaries, kept texts, pseudonyms and the key of
        hashes. What only the old policy asks for is never asked for again. How long a session
        lives is up to the guard that used it last.

        Call it before this guard judges anything: what it remembers by itself is dropped.

        Raises:
            UsageError: That is no guard.

        Example:
            >>> new.follow(guard)  # doctest: +SKIP
        """
        if not isinstance(old, Remembering):
            raise UsageError(f"a guard follows a guard, not a `{type(old).__name__}`")
        self._engine.sessions.follow(old._engine.sessions)
        self._bound.vault.follow(old._bound.vault)

    def hash_by(self, key: bytes) -> None:
        """Make the hashes of `as hash` with this key: replicas that have it give the same ones.

        Args:
            key: 16 to 64 secret bytes. Without it, a guard draws its own by lot.

        Raises:
            UsageError: It is too short or too long.
        """
        self._bound.vault.hash_key = key

    def memory_of(self, session: str, *, tenant: str = "") -> dict[str, Any]:
        """All that is remembered of a session, as data that JSON can hold, for another process.

        It holds guarded text: the real values of pseudonyms, and texts that checks compare with.
        """
        return {
            "v": _VERSION,
            "session": self._engine.sessions.memory_of((tenant, session)),
            "vault": self._bound.vault.memory_of(tenant, session),
        }

    def remember(self, session: str, memory: Mapping[str, Any], *, tenant: str = "") -> None:
        """Have a session be just what `memory_of` gave, in this process or another one.

        What was known of the session here is dropped. Its time to live begins anew.

        Raises:
            UsageError: It gave no such thing, or it is of another version.
        """
        if not isinstance(memory, Mapping) or memory.get("v") != _VERSION:
            raise UsageError(f"this is no memory of a session of version {_VERSION}")
        self._engine.sessions.remember((tenant, session), memory.get("session"))
        self._bound.vault.remember(tenant, session, memory.get("vault"))
