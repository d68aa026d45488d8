"""The policies in force: loaded, replaced as a whole, never in part."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

import anyio
import anyio.to_thread

from guardkit.errors import BindError, PolicyError, UsageError
from guardkit.guard import Guard, policy_path
from guardkit.shared import MemorySessions, Turn, Turns
from guardkit.types import Surface
from guardkit.wire import DIALECTS, Fault, Refused, Send, awaited
from guardkit.wrap import Judgements

from ._exchange import ended, facts_of, saw, session_of, tenant_of
from ._settings import Settings
from ._tenant import Tenant

MOST_RELOADS: Final = 100
_FREE: Final = MemorySessions()


class Probe(NamedTuple):
    """A text that the policy is known to stop: what a server that is ready must be able to do."""

    text: str
    surface: Surface
    tool: str | None


class Loaded(NamedTuple):
    """A policy that compiles, runs here and passes its own tests."""

    guard: Guard
    probe: Probe | None
    """None where no test of the policy says that something is stopped."""


Load = Callable[[Path], Loaded]
"""Compiles, binds and examines a policy; raises what is wrong with it."""


class Reload(NamedTuple):
    """One attempt to put a policy in force."""

    at: float
    """Seconds since 1970."""
    policy: str
    """Its name among the server's policies."""
    outcome: str
    """`ok`, `unchanged` or `refused`."""
    digest: str
    """Of the policy that is in force afterwards."""
    problems: tuple[str, ...] = ()
    """What is wrong with one that was refused."""


class Live:
    """One policy in force.

    Args:
        name: What the server calls it; empty for the server's own.
        loaded: The guard, and what shows that it works.
        sends: Who asks upstream, by dialect.
        known: The messages of sessions that were judged before.
        settings: What the operator chose.
    """

    def __init__(
        self,
        name: str,
        loaded: Loaded,
        sends: Mapping[str, Send],
        known: Judgements,
        settings: Settings,
    ) -> None:
        self.name = name
        self.guard, self.probe = guard, _ = loaded
        self.known = known
        self.calls: dict[str, Callable[..., Any]] = {}
        for dialect in DIALECTS:
            send = sends.get(dialect.name)
            if send is None:
                continue
            is_error = settings.on_block == "error" or not dialect.can_refuse
            self.calls[dialect.name] = guard(
                awaited(dialect.call(send)),
                text=dialect.text,
                on_block="raise" if is_error else "reply",
                on_hold=settings.on_hold,
                session=session_of,
                tenant=tenant_of,
                context=facts_of,
                refusal=Refused,
                inject=dialect.context == "messages",
                watch=saw,
                ledger=ended,
                known=known,
            )

    def prompt(self, session: str | None, tenant: str) -> str:
        """The context layer for a session."""
        if session is None or not self.guard.system_prompt:
            return self.guard.system_prompt
        return self.guard.system_prompt_for(session, tenant=tenant)


class Policies:
    """What is in force, for the server and for tenants with policies of their own.

    Args:
        settings: What the operator chose.
        load: Makes a guard of a policy file.
        sends: Who asks upstream, by dialect.
        turns: Where sessions are kept.
    """

    def __init__(
        self,
        settings: Settings,
        load: Load,
        sends: Mapping[str, Send],
        turns: Turns,
    ) -> None:
        self._settings = settings
        self._load = load
        self._sends = sends
        self._turns = turns
        self._known = Judgements()
        self._live: dict[str, Live] = {}
        self._paths: dict[str, Path] = {}
        self._one_at_a_time = anyio.Lock()
        self.reloads: deque[Reload] = deque(maxlen=MOST_RELOADS)

    def open(self, own: Mapping[str, Path]) -> None:
        """Load everything.

        Args:
            own: The policies of tenants that have one, by the name of the tenant.

        Raises:
            PolicyError: A policy does not compile.
            BindError: This machine cannot run it.
        """
        self._paths = {"": policy_path(self._settings.policy), **own}
        made: dict[Path, Loaded] = {}
        for name, path in self._paths.items():
            if path not in made:
                made[path] = self._load(path)
            self._put(name, made[path])
            self._note(name, "ok", made[path].guard)

    def of(self, tenant: Tenant) -> Live:
        """What is in force for a tenant.

        Raises:
            Fault: Its own policy is not: it never loaded.
        """
        live = self._live.get(tenant.name if tenant.policy is not None else "")
        if live is None:
            raise Fault(503, "no_policy", "the policy of this tenant could not be loaded")
        return live

    @property
    def live(self) -> Mapping[str, Live]:
        """Everything in force, by name."""
        return dict(self._live)

    def folders(self) -> tuple[Path, ...]:
        """Where the files of the policies lie, and what else the operator named beside them."""
        chosen = (self._settings.overlay, self._settings.packs)
        beside = [Path(one) for one in chosen if one is not None]
        found = [one if one.is_dir() else one.parent for one in (*self._paths.values(), *beside)]
        return tuple(dict.fromkeys(found))

    async def reload(self, own: Mapping[str, Path]) -> tuple[Reload, ...]:
        """Load every policy again; one that is wrong leaves what is in force in force.

        Args:
            own: The policies of tenants that have one, by the name of the tenant.
        """
        async with self._one_at_a_time:
            paths = {"": self._paths[""], **own}
            made: dict[Path, Loaded | tuple[str, ...]] = {}
            for path in dict.fromkeys(paths.values()):
                made[path] = await anyio.to_thread.run_sync(self._tried, path)
            self._paths = paths
            return tuple(self._replace(name, made[path]) for name, path in paths.items())

    def turn(
        self, live: Live, session: str | None, tenant: str
    ) -> AbstractAsyncContextManager[Turn]:
        """A session is this server's until the turn is over."""
        is_shared = session is not None and live.guard.needs_session
        turns = self._turns if is_shared else _FREE
        return turns.turn(live.guard, live.known, session or "", tenant)

    def _tried(self, path: Path) -> Loaded | tuple[str, ...]:
        try:
            return self._load(path)
        except PolicyError as error:
            return tuple(str(error).splitlines())
        except BindError as error:
            return error.problems
        except (UsageError, OSError) as error:
            return (str(error),)

    def _replace(self, name: str, made: Loaded | tuple[str, ...]) -> Reload:
        live = self._live.get(name)
        old = None if live is None else live.guard
        if not isinstance(made, Loaded):
            return self._note(name, "refused", old, made)
        if old is not None and made.guard.digest == old.digest:
            return self._note(name, "unchanged", old)
        if old is not None:
            made.guard.follow(old)
        self._put(name, made)
        return self._note(name, "ok", made.guard)

    def _put(self, name: str, loaded: Loaded) -> None:
        # One assignment: a request sees the policy before it or the one after it.
        self._live[name] = Live(name, loaded, self._sends, self._known, self._settings)

    def _note(
        self, name: str, outcome: str, guard: Guard | None, problems: tuple[str, ...] = ()
    ) -> Reload:
        digest = "" if guard is None else guard.digest
        self.reloads.append(Reload(time.time(), name, outcome, digest, problems))
        return self.reloads[-1]
