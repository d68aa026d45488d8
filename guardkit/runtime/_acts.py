"""What rules want done: on an error, instead of a hold or a revision, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from guardkit.plan import RuleRow
from guardkit.semantics import Act
from guardkit.types import Action

BLOCKED = "This was blocked by a policy."
"""Said where the rule that blocks brings no message."""
HELD = "This is waiting for approval."
UNREADABLE = "This could not be checked."

BLOCK = Act("block")


class Wish(NamedTuple):
    """A rule that fired, and one thing it wants done."""

    row: RuleRow
    act: Act


def rewrites_matches(act: Act) -> bool:
    """Whether an action, or what it falls back on, rewrites the matches."""
    if act.otherwise is not None and rewrites_matches(act.otherwise):
        return True
    return act.verb == "rewrite" and not act.whole


def on_error(row: RuleRow) -> tuple[Act, ...]:
    """What a rule does when it cannot tell: it closes no session and knows no matches."""
    act = row.action
    if row.on_error == "pass":
        return ()
    if row.on_error == "hold":
        if act.verb != "hold":
            return (Act("hold", otherwise=BLOCK),)
        is_safe = act.otherwise is not None and not rewrites_matches(act.otherwise)
        return (act if is_safe else replace(act, otherwise=BLOCK),)
    return (Act(row.on_error, text=act.text if act.verb == row.on_error else None),)


def fallen_back(wishes: Sequence[Wish], *verbs: Action) -> list[Wish]:
    """The same wishes, with the `else` in place of every action of these verbs."""
    return [
        Wish(row, act.otherwise or BLOCK) if act.verb in verbs else Wish(row, act)
        for row, act in wishes
    ]
