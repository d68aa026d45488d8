"""What a forked process has to make anew: threads do not survive a fork, and locks stay locked."""

from __future__ import annotations

import os
from typing import Any, Protocol
from weakref import WeakSet


class _Renewable(Protocol):
    def _renew(self) -> None: ...


_renewables: WeakSet[Any] = WeakSet()


def renewed_after_fork(thing: _Renewable) -> None:
    """Have `thing._renew()` called in every process forked from this one, before anything else."""
    _renewables.add(thing)


def _renew_all() -> None:
    for thing in list(_renewables):
        thing._renew()


if hasattr(os, "register_at_fork"):  # where there is no fork, there is nothing to renew
    os.register_at_fork(after_in_child=_renew_all)
