"""What a run is made on, as plain data: each process binds a guard and opens a model of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import anyio

from guardkit.diagnostics import visible
from guardkit.errors import BindError, PolicyError, UsageError
from guardkit.guard import (
    CATALOG,
    Guard,
    ParamValue,
    compile_file,
    data_of,
    folder_of,
    installed,
    plan_of,
    policy_path,
)
from guardkit.plan import Plan
from guardkit.runtime import Machine

from ._ended import Target
from ._models import Message, Model, Server, named_model
from ._tally import ALONE

AT_ONCE: Final = 16
"""Trials under way in one process where a model is asked, which is mostly waited for."""
AT_ONCE_ALONE: Final = 2
"""The same for a policy alone: enough to keep its models busy, few enough for none to wait."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A policy and the weights behind it, by name.

    Args:
        policy: A policy file, or the name of one that ships.
        params: Values for its parameters.
        model: `module:callable`.
        base_url: A server that speaks the chat format.
        model_name: The name of its model.
        key_env: The variable of the environment that holds the key.
        rate: The most calls of the model a second.
        timeout_s: How long one reply may take.
        std: Where the shipped modules lie, if it is elsewhere.
        packs: A pack store.
        overlay: What a deployment makes of its rules.
    """

    policy: str
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    model: str | None = None
    base_url: str | None = None
    model_name: str = "default"
    key_env: str | None = None
    rate: float | None = None
    timeout_s: float = 60.0
    std: Path | None = None
    packs: Path | None = None
    overlay: Path | None = None

    @property
    def target(self) -> str:
        """What is asked besides the policy, for reports; nothing of an address but its host."""
        if self.base_url is not None:
            host = urlsplit(self.base_url).hostname or "server"
            return f"{self.model_name} at {host}"
        return self.model or ALONE

    @property
    def at_once(self) -> int:
        """How many trials are under way at a time in one process."""
        return AT_ONCE_ALONE if self.target == ALONE else AT_ONCE

    def plan(self) -> Plan:
        """The plan of the policy.

        Raises:
            PolicyError: It does not compile.
            UsageError: It is a module.
        """
        added = None if self.packs is None else installed(self.packs)
        path = policy_path(self.policy)
        checked = compile_file(
            path, params=self.params, std=self.std, packs=added, overlay=self.overlay
        )
        if checked.policy is None or any(found.is_error for found in checked.diagnostics):
            raise PolicyError(checked.diagnostics)
        if checked.policy.kind == "module":
            raise UsageError(
                f"`{visible(self.policy)}` is a module: a policy that uses it can be probed"
            )
        return plan_of(checked.policy)

    def guard(self, plan: Plan | None = None) -> Guard:
        """The guard. Budgets are not kept: what a policy finds is no matter of the machine.

        Raises:
            PolicyError: The policy does not compile.
            BindError: This machine cannot run it.
        """
        made = plan or self.plan()
        made = replace(made, limits=replace(made.limits, budgets=()))
        folder = policy_path(self.policy).parent
        added = None if self.packs is None else installed(self.packs)
        machine = Machine(data_of(folder, self.std, added), folder=folder_of(folder, self.std))
        return Guard(made, catalog=CATALOG, machine=machine)

    def weights(self) -> Model | None:
        """The model; None where the policy is played alone.

        Raises:
            UsageError: There is no such model, or no key in the environment.
        """
        if self.model is not None and self.base_url is not None:
            raise UsageError("a deployment has one model: a callable or a server")
        if self.model is not None:
            return self._paced(named_model(self.model))
        if self.base_url is None:
            return None
        key = os.environ.get(self.key_env, "") if self.key_env else ""
        if self.key_env and not key:
            raise UsageError(f"the environment has no `{self.key_env}`")
        return self._paced(Server(self.base_url, self.model_name, key, self.timeout_s))

    def opened(self, guard: Guard | None = None) -> Target:
        """The target of trials; see `guard` and `weights` for what may go wrong."""
        weights = self.weights()
        made = guard or self.guard()
        waits = self.at_once / self.rate if self.rate else 0.0
        return Target(made, weights, timeout_s=self.timeout_s + waits)

    def _paced(self, model: Model) -> Model:
        return model if self.rate is None else paced(model, self.rate, self.timeout_s)

    def each_of(self, workers: int) -> Setting:
        """The setting of one of several processes: together they keep the rate."""
        return self if self.rate is None else replace(self, rate=self.rate / workers)


def paced(model: Model, rate: float, timeout_s: float) -> Model:
    """A model that is called at most so often a second. Waiting for its turn is not timed."""
    free_at = 0.0

    async def call(messages: Sequence[Message], documents: Sequence[str]) -> Any:
        nonlocal free_at
        now = anyio.current_time()
        turn = max(now, free_at)
        free_at = turn + 1 / rate
        await anyio.sleep(turn - now)
        with anyio.fail_after(timeout_s):
            return await model(messages, documents)

    return call


def why_not(error: PolicyError | BindError | UsageError) -> str:
    """Why something could not be opened, in one line."""
    if isinstance(error, BindError):
        return "; ".join(error.problems)
    return str(error).splitlines()[0]
