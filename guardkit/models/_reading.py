"""What a model says of one text, whichever kind of model it is.

How a reading is made, by every kind of model:

- `evidence`: of each label of each head, the greatest z of any window. z is the logit of a label of
  a `sigmoid` head, and its log-odds (the logit less the logsumexp of the others) in a `softmax`
  head. Nothing is calibrated here: `models calibrate` fits to it.
- `scores`: the same after the head's calibration for so many windows: `scores_of`.
- `first`: the scores of the first window alone, as a text of one window.

`_calibration.py` holds the arithmetic; nobody else computes a z or a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

_NONE: Mapping[str, tuple[float, ...]] = MappingProxyType({})


class Span(NamedTuple):
    """A place that token classification found: code points of the text that was read."""

    start: int
    end: int
    label: str
    score: float


class Reading(NamedTuple):
    """What one model says of one text."""

    windows: int
    """How many windows the text was read in; none was skipped."""
    scores: Mapping[str, tuple[float, ...]]
    """The calibrated score of each label, head by head: the worst window counts."""
    vectors: Any  # numpy is loaded late, and its types would load it here
    """The embedding of each window: float32, of unit length; None where the model gives none."""
    first: Mapping[str, tuple[float, ...]]
    """The scores of the first window alone."""
    spans: tuple[Span, ...] = ()
    """What token classification found, by place; overlapping windows are united."""
    evidence: Mapping[str, tuple[float, ...]] = _NONE
    """The greatest z of each label, head by head, before calibration."""
