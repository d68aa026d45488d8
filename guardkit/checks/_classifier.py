"""Gives the score of one label of a trained model, or names the likeliest of several labels.

The model is a shipped tier, or a model directory inside the policy's folder: what `guardkit models
import` makes of an ONNX export, and `guardkit train` of labelled texts. With `label` the answer is
a score from 0 to 1. With `labels` the answer is one of them, for conditions such as `refusal.kind
== "full"`. A long text is read in overlapping windows and none is skipped. Beside the text itself
its views are read, such as what stands in it in base64; the worst one counts.

Why it matters
    Some things have no shape and no fixed wording: abuse, an injected instruction, personal advice.
    A trained model is the last, dearest and best step of a cascade for them.

Known misses
    Text unlike its training data, above all other languages and new disguises. A harmful text
    spread thinly over many windows. A score is no probability until it is calibrated. With `window
    first` nothing after the first window counts.

Example
    check advice = classifier {
      model  "models/advice"
      digest "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
      label  "personal_recommendation"
    }
    check attack = classifier {
      model mini
      head  "injection"
    }

Options
    model: static or mini (when left out), or the path of a model directory
    head: which head of the model: "injection", "toxicity" …; may be left out if it has only one
    digest: the sha256 digest of the model directory; a directory needs one
    label: the label whose score is the answer; may be left out if the head has only one
    labels: the labels it may answer with, all that the head has; makes the answer a label
    window: worst (the highest score of any window, when left out) or first
    calibration: a table of thresholds and error rates, needed for `at fpr` with your own model: its
    `guardkit.json` after `guardkit models calibrate`, or `{"fpr": [[0.005, 0.91], …]}`

    At least one of `model` and `head` is needed.

Cost
    Shares `mini`: about 13 ms for 1 KB, once per text for all heads. With `model static` it shares
    `static`: about 0.1 ms for 1 KB. A directory of your own is a pass of its own, priced as a
    6-layer encoder: measure a larger one with `guardkit bench`. Each view that differs from the
    text costs as much again; ordinary text has none.

    On a stream, text goes out once a window around it is cleared, some hundred characters later. A
    static model clears it at once. Where only a dearer one could say no, the rest waits for the end
    of the text.

Data it reads
    The text; its calibration, when the policy is compiled; its model, at bind. No network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, PropertySpec

from ._properties import DIGEST
from ._shared_costs import ANY_OTHER, OWN_MODEL, mini_cost, static_cost

SPEC = CheckSpec(
    kind="classifier",
    summary="Gives the score of one label of a trained model, or names the likeliest of several"
    " labels",
    answers="score",
    cost=mini_cost(20.0),
    properties=(
        PropertySpec(
            "model", "model", "a shipped tier or a model directory", choices=("static", "mini")
        ),
        PropertySpec("head", "text", "which head of a shipped tier"),
        DIGEST,
        PropertySpec("label", "text", "the label whose score is the answer"),
        PropertySpec("labels", "texts", "the labels it may answer with"),
        PropertySpec(
            "window",
            "word",
            "which window of a long text counts; worst when left out",
            choices=("worst", "first"),
        ),
        PropertySpec("calibration", "file", "a table of thresholds and error rates"),
    ),
    reach="window",
    one_of=("model", "head"),
    answers_with=(("labels", "label"),),
    costs=(
        ("model", "mini", mini_cost(20.0)),
        ("model", "static", static_cost(5.0)),
        ("model", ANY_OTHER, OWN_MODEL),
    ),
)
