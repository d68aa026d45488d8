"""Which models a plan asks, and their digests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from guardkit.errors import BindError
from guardkit.models import TIERS, digest_of, shipped
from guardkit.plan import Pass, Plan


def digests_of(plan: Plan, folder: Callable[[str], Path]) -> tuple[tuple[str, str], ...]:
    """The models of a plan by name, each with its digest; without one it cannot be read.

    Args:
        plan: The plan.
        folder: Gives a folder of the policy by the name the plan has for it.
    """
    names = {node.what.encoder for node in plan.nodes if isinstance(node.what, Pass)}
    return tuple((name, _digest(name, folder)) for name in sorted(names))


def _digest(name: str, folder: Callable[[str], Path]) -> str:
    try:
        return digest_of(shipped(name) if name in TIERS else folder(name))
    except BindError:
        return ""
