"""From a policy file to a guard that may serve: compiled, bound, its own tests passed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guardkit.errors import BindError
from guardkit.guard import ParamValue, compile_file, data_of, folder_of, installed, load
from guardkit.runtime import Event, Explanation
from guardkit.semantics import CheckedPolicy
from guardkit.server import Loaded, Probe
from guardkit.testing import run_tests


class Loader:
    """Loads policies for a server, again and again.

    Args:
        params: Parameters of the policies, by name.
        packs: A pack store.
        overlay: An overlay file.
    """

    def __init__(
        self, params: Mapping[str, ParamValue], packs: str | None, overlay: Path | None
    ) -> None:
        self._params = params
        self._packs = packs
        self._overlay = overlay

    def __call__(self, path: Path, **machine: Any) -> Loaded:
        """The guard, and a text that it stops.

        Raises:
            PolicyError: The policy does not compile.
            BindError: A test of it fails, or this machine cannot run it.
        """
        if self._overlay is not None:
            machine["overlay"] = self._overlay
        guard = load(path, params=self._params, packs=self._packs, **machine)
        added = None if self._packs is None else installed(self._packs)
        checked = compile_file(path, params=self._params, packs=added).policy
        if checked is None or not checked.tests:
            return Loaded(guard, None)
        stopped: list[Event] = []
        _examine(path, checked, added, stopped)
        # A probe is judged by the very guard that serves, and only one that it stops is one.
        for event in stopped:
            told = guard.explain(event.text, on=event.surface, tool=event.tool)
            if not told.verdict.is_allowed:
                return Loaded(guard, Probe(event.text, event.surface, event.tool))
        return Loaded(guard, None)


def _examine(path: Path, policy: CheckedPolicy, added: Any, stopped: list[Event]) -> None:
    def see(event: Event, told: Explanation) -> None:
        is_plain = event.arguments is None and not event.given and not event.context
        if not told.verdict.is_allowed and is_plain:
            stopped.append(event)

    read = data_of(path.parent, packs=added)
    results = run_tests(policy, read, folder=folder_of(path.parent), watch=see)
    failed = [result.name for result in results if result.status == "failed"]
    if failed:
        raise BindError(*(f"the policy's own test `{name}` fails" for name in failed))
