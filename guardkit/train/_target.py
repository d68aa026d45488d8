"""A head to be trained: its columns, how truth is read for it, and what training makes small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ._rows import Row


class Target(NamedTuple):
    """One head to be trained: columns of the output and how truth is read."""

    name: str
    at: int
    labels: tuple[str, ...]
    kind: str = "sigmoid"
    weight: float = 1.0
    only_if: str = ""
    """A truth that must be known for a missing one to mean none of the labels."""


def truth_of(rows: Sequence[Row], targets: Sequence[Target]) -> Any:
    """What is known of each row, by column of the output; NaN where nothing is."""
    import numpy as np

    columns = max(target.at + len(target.labels) for target in targets)
    truth = np.full((len(rows), columns), np.nan, np.float32)
    for target in targets:
        end = target.at + len(target.labels)
        for at, row in enumerate(rows):
            value = row.truth.get(target.name)
            if len(target.labels) == 1:
                if value is not None:
                    truth[at, target.at] = value
            elif value is not None:
                truth[at, target.at : end] = 0
                if value >= 0:
                    truth[at, target.at + value] = 1
            elif target.only_if and row.truth.get(target.only_if) == 0:
                truth[at, target.at : end] = 0
    return truth


def loss_of(
    targets: Sequence[Target],
    logits: Any,
    truth: Any,
    *,
    sure: tuple[float, float],
    least: int,
    weights: Any = None,
) -> Any:
    """The mean over the rows of which a head's truth is known, summed over heads by their weight.

    Args:
        targets: The heads.
        logits: [rows, columns]
        truth: [rows, columns]; NaN where nothing is known.
        sure: What no and yes are taken for: labels are wrong now and then.
        least: A head counts as if it had so many rows, so that few do not shout.
        weights: What each row counts; all the same, if nothing is given.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    low, high = sure
    total = logits.sum() * 0
    for target in targets:
        end = target.at + len(target.labels)
        wanted, given = truth[:, target.at : end], logits[:, target.at : end]
        known = ~torch.isnan(wanted[:, 0])
        if not known.any():
            continue
        wanted, given = wanted[known], given[known]
        if target.kind == "softmax":
            each = cross_entropy(given, wanted.argmax(1), reduction="none")
        else:
            soft = low + wanted * (high - low)
            # The sum, not the mean: one yes among thirteen columns would hardly be heard.
            each = binary_cross_entropy_with_logits(given, soft, reduction="none").sum(1)
        if weights is not None:
            each = each * weights[known]
        total = total + target.weight * each.sum() / max(least, len(each))
    return total
