"""Words everyone shares: actions, surfaces, severities, answers; no logic but their order."""

from __future__ import annotations

from enum import Enum
from typing import Literal

Action = Literal["pass", "flag", "rewrite", "revise", "hold", "block"]
Surface = Literal["input", "retrieved", "tool_call", "tool_result", "output", "conversation"]
Severity = Literal["critical", "high", "medium", "low", "info"]

ACTIONS: tuple[Action, ...] = ("pass", "flag", "rewrite", "revise", "hold", "block")
"""Weakest first: the verdict is the strongest action of all rules that fired."""

SURFACES: tuple[Surface, ...] = (
    "input",
    "retrieved",
    "tool_call",
    "tool_result",
    "output",
    "conversation",
)

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""Gravest first."""

STRENGTH: dict[str, int] = {action: rank for rank, action in enumerate(ACTIONS)}


def strongest(actions: list[Action]) -> Action:
    """The join of actions: order and repetition never matter; nothing joins to `pass`."""
    return max(actions, key=STRENGTH.__getitem__, default="pass")


class Truth(Enum):
    """What a check or a condition answers. `UNKNOWN` is never silently `NO`."""

    NO = 0
    UNKNOWN = 1
    YES = 2

    def __and__(self, other: Truth) -> Truth:
        return self if self.value <= other.value else other

    def __or__(self, other: Truth) -> Truth:
        return self if self.value >= other.value else other

    def __invert__(self) -> Truth:
        return Truth(2 - self.value)
