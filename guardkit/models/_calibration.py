"""From the outputs of a model to evidence and scores: the arithmetic that all kinds share.

Plain Python for one number, numpy for a batch; both forms agree. `models calibrate` fits what is
applied here, so nobody else computes a z or a score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from guardkit.errors import CheckError

if TYPE_CHECKING:
    from ._manifest import Head

_TINY = 1e-300
"""Keeps the logarithm of a column that is overwritten from being one of nothing."""


def score_of(head: Head, z: float, windows: int) -> float:
    """The calibrated score of evidence from the worst of so many windows."""
    return head.score(z, windows)


def scores_of(head: Head, evidence: Sequence[float], windows: int) -> tuple[float, ...]:
    """The calibrated score of each label of a head."""
    return tuple(head.score(z, windows) for z in evidence)


def z_of(head: Head, logits: Any) -> Any:  # numpy in, numpy out: [windows, columns of the output]
    """The evidence of each label in each window: float64 [windows, labels].

    Raises:
        CheckError: The output has too few columns, or a number in it is not finite.
    """
    import numpy as np

    end = head.at + len(head.labels)
    if logits.ndim != 2 or not len(logits) or logits.shape[1] < end:
        raise CheckError("the model gave an output of another shape than its head needs")
    z = np.asarray(logits[:, head.at : end], dtype=np.float64)
    if not np.isfinite(z).all():
        raise CheckError("the model gave a number that is not finite")
    if head.kind == "sigmoid":
        return z
    # The logsumexp of the others: of all without one's own, which would cancel where one's own is
    # nearly all there is. So the greatest of each row is left out and not subtracted.
    rows, best = np.arange(len(z)), z.argmax(axis=1)
    parts = np.exp(z - z[rows, best][:, None])
    others = z[rows, best][:, None] + np.log(parts.sum(axis=1, keepdims=True) - parts + _TINY)
    rest = z.copy()
    rest[rows, best] = -np.inf
    top = rest.max(axis=1)
    others[rows, best] = top + np.log(np.exp(rest - top[:, None]).sum(axis=1))
    return z - others


def evidence_of(head: Head, logits: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The greatest z of each label over all windows, and the z of the first window."""
    z = z_of(head, logits)
    return tuple(z.max(axis=0).tolist()), tuple(z[0].tolist())


def read_heads(
    heads: Sequence[Head], outputs: Mapping[str, Any]
) -> tuple[
    dict[str, tuple[float, ...]], dict[str, tuple[float, ...]], dict[str, tuple[float, ...]]
]:
    """`scores`, `first` and `evidence` of a Reading, from each output [windows, columns]."""
    scores, first, evidence = {}, {}, {}
    for head in heads:
        logits = outputs[head.output]
        worst, beginning = evidence_of(head, logits)
        evidence[head.name] = worst
        scores[head.name] = scores_of(head, worst, len(logits))
        first[head.name] = scores_of(head, beginning, 1)
    return scores, first, evidence


class HeadsRead(NamedTuple):
    """All heads of one text, worked out when they are asked for."""

    scores: Mapping[str, tuple[float, ...]]
    first: Mapping[str, tuple[float, ...]]
    evidence: Mapping[str, tuple[float, ...]]


class _Late(Mapping[str, tuple[float, ...]]):
    """One number for each label of each head: made on the first look, then kept."""

    __slots__ = ("_heads", "_made", "_make")

    def __init__(
        self, heads: Mapping[str, Head], make: Callable[[Head], tuple[float, ...]]
    ) -> None:
        self._heads = heads
        self._make = make
        self._made: dict[str, tuple[float, ...]] = {}

    def __getitem__(self, name: str) -> tuple[float, ...]:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._make(self._heads[name])
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._heads)

    def __len__(self) -> int:
        return len(self._heads)


def read_late(heads: Mapping[str, Head], logits: Any) -> HeadsRead:
    """What `read_heads` gives for heads of one output, for those heads that are asked for.

    Raises:
        CheckError: A number in the output is not finite.
    """
    if not isfinite(float(logits.sum())):
        raise CheckError("the model gave a number that is not finite")
    windows = len(logits)
    worst, beginning = logits.max(axis=0).tolist(), logits[0].tolist()

    def evidence(head: Head) -> tuple[float, ...]:
        if head.kind == "sigmoid":
            return tuple(worst[head.at : head.at + len(head.labels)])
        return evidence_of(head, logits)[0]

    def first(head: Head) -> tuple[float, ...]:
        if head.kind == "sigmoid":
            own = tuple(beginning[head.at : head.at + len(head.labels)])
        else:
            own = evidence_of(head, logits)[1]
        return scores_of(head, own, 1)

    found = _Late(heads, evidence)
    scores = _Late(heads, lambda head: scores_of(head, found[head.name], windows))
    return HeadsRead(scores, _Late(heads, first), found)
