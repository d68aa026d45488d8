"""A policy that scores what a deployment says."""

from __future__ import annotations

from typing import Any

from guardkit.guard import Guard
from guardkit.types import Surface

from .._target import guard_of
from .._third_party import third_party


def policy_scorer(policy: str | Guard | None = None, on: Surface = "output") -> Any:
    """Whether a policy lets the completion pass as it stands.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on: The surface on which it is judged.

    Returns:
        A `Scorer`: 1 for pass and flag, 0 for anything that stops or changes the text. A text that
        only a check without an answer stopped is left out of the figures, and says so. The
        metadata are the verdict, how the reply refuses, and the ledger of the exchange where
        `guarded` made one; none of the text.
    """
    made_of = third_party("inspect_ai.scorer", "inspect").Score
    guard = guard_of(policy)

    async def score(state: Any, target: Any) -> Any:
        text = state.output.completion
        # By itself: a scorer must not depend on the samples before it.
        verdict = (await guard.ameasure(text, on=on, sources=_sources(state))).verdict
        exchange = (state.output.metadata or {}).get("guardkit")
        metadata = {
            "guardkit": verdict.as_dict(),
            "refusal": guard.refusal_of(text),
            "exchange": exchange,
        }
        is_stopped = verdict.action not in ("pass", "flag")
        if is_stopped and verdict.undecided and not _certain(verdict.fired, verdict.undecided):
            unknown = ", ".join(verdict.unknown)
            return made_of.unscored(
                reason="scoring_failed", explanation=f"no answer: {unknown}", metadata=metadata
            )
        rules = f" by {', '.join(verdict.fired)}" if verdict.fired else ""
        return made_of(
            value=0 if is_stopped else 1,
            explanation=f"{verdict.action}{rules}",
            metadata=metadata,
        )

    return score


def _sources(state: Any) -> dict[str, list[str]]:
    """What went in, for checks that compare."""
    said: dict[str, list[str]] = {}
    for message in state.messages:
        if message.role == "tool":
            said.setdefault("tool_result", []).append(message.text)
        elif message.role != "assistant":
            said.setdefault("input", []).append(message.text)
    return said


def _certain(fired: tuple[str, ...], undecided: tuple[str, ...]) -> bool:
    return any(rule not in undecided for rule in fired)
