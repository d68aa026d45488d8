"""The finding of an attribution as one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from guardkit._util.shares import Share
from guardkit.diagnostics import visible
from guardkit.types import Layer

from ._attribution import Attribution, Effect, Evidence

_LEAKED = {
    "shadow": "is in shadow",
    "exempted": "was exempted",
    "unknown": "could not tell and let it pass",
    "lifted": "was lifted by its own exception",
    "flagged": "only flags",
    "rewritten": "only rewrites",
}
_SURE = 0.995


def sentence(made: Attribution) -> str:
    """The finding. It holds names and numbers, and none of the text."""
    if made.standing == "none":
        return f"answered in {_of(made.intact)} runs: there is nothing to explain"
    if made.layer is None:
        return "could not be judged"
    if made.outcome == "failed":
        return f"could not be judged: no reply came ({visible(made.by)})"
    head = f"{made.outcome} {_whose(made)}"
    if made.standing == "undetermined":
        if made.layer == "model":
            return f"{head}: context or weights, that is not known"
        odds = ", ".join(f"{layer} {_percent(chance)}" for layer, chance in made.odds[:3])
        return f"not settled; likeliest {head} ({odds})"
    more = _proof(made)
    return f"{head}: {more}" if more else head


def _whose(made: Attribution) -> str:
    is_name = made.layer in ("input", "provider", "output") and made.by
    by = f" ({visible(made.by)})" if is_name else ""
    if made.outcome == "refused":
        return f"by the {made.layer}{by}"
    if made.layer in ("input", "output"):
        return f"because of the {made.layer} rules{by}"
    return f"because of the {made.layer}"


def _proof(made: Attribution) -> str:
    assert made.layer is not None
    if made.outcome == "answered":
        leak = next((one for one in made.evidence if _is_leak(one, made)), None)
        if leak is not None:
            return f"it {_LEAKED[leak.how]}, in {leak.decided} of {leak.of} runs"
    told = []
    if (effect := made.effect(made.layer)) is not None:
        said = "with other weights" if made.layer == "weights" else "without it"
        told.append(f"{said} {_left(effect, made.outcome)}")
    elif made.layer == "weights" and (effect := made.effect("context")) is not None:
        told.append(f"without the context {_left(effect, made.outcome)}")
    if made.also:
        told.append(f"{listed(made.also)} would have done it too")
    return "; ".join(told)


def _is_leak(one: Evidence, made: Attribution) -> bool:
    return one.by == made.by and one.layer == made.layer and one.how in _LEAKED


def _left(effect: Effect, outcome: str) -> str:
    if effect.is_exact:
        still = "still" if effect.left.hits else "not"
        return f"the exchange is {still} {outcome}, and that is certain"
    low, high = round(100 * effect.low), round(100 * effect.high)
    return (
        f"{_of(effect.left)} were {outcome} (intact {_of(effect.intact)}; difference "
        f"{round(100 * effect.difference)} points, {low} to {high})"
    )


def _of(share: Share) -> str:
    return f"{share.hits} of {share.of}"


def _percent(chance: float) -> str:
    if chance > _SURE:
        return "100 %" if chance == 1 else "above 99 %"
    return f"{100 * chance:.0f} %"


def listed(layers: Sequence[Layer]) -> str:
    """`the context and the output`."""
    return " and ".join(f"the {layer}" for layer in layers)
