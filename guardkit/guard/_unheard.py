"""A guard that nobody listens to: for experiments, which are no traffic."""

from __future__ import annotations

from copy import copy

from ._guard import Guard


def unheard(guard: Guard) -> Guard:
    """The same guard, sessions and all, with no audit log and no monitors told of anything."""
    if not guard.listens:
        return guard
    quiet = copy(guard)
    quiet.monitors = None
    quiet._hearing = None
    return quiet
