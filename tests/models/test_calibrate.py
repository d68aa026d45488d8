"""A head of a real model is fitted to labelled texts, and the model that is opened next has it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from guardkit.errors import CheckError, UsageError
from guardkit.models import (
    Labelled,
    Manifest,
    Reading,
    Seen,
    calibrate,
    digest_of,
    fit,
    opened,
    read_manifest,
    verify,
)

from ._made import WORDS, Weights, classifier_onnx, head, model_dir, tagger_onnx

WEIGHTS: Weights = {
    word: [weight, -weight, weight / 2]
    for word, weight in {
        "ignore": 4.0,
        "secret": 2.5,
        "attack": 1.5,
        "bomb": 1.0,
        "bad": 0.5,
    }.items()
}
PLAIN = [word for word in WORDS[:24] if word.isalpha()]


def texts(count: int, seed: int = 0) -> list[Labelled]:
    """Short and long texts; a long benign one has more chances to hold a suspicious word."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        words = [chance.choice(PLAIN) for _ in range(chance.choice((6, 30)))]
        for word in ("bomb", "bad", "attack"):
            if chance.random() < 0.004 * len(words):
                words[chance.randrange(len(words))] = word
        is_harmful = chance.random() < 0.3
        if is_harmful:
            words[chance.randrange(len(words))] = chance.choice(("ignore", "secret", "attack"))
        found.append(Labelled(" ".join(words), is_harmful))
    return found


class Fake:
    """A model that says what it is told, without being asynchronous."""

    def __init__(self, manifest: Manifest, z: Any) -> None:
        self.manifest = manifest
        self.z = z

    def read(self, text: str, surface: str) -> Reading:
        evidence = self.z(text, surface)
        return Reading(1, {}, None, {}, (), evidence)


def three_heads(folder: Path) -> Path:
    model = classifier_onnx(WEIGHTS, classes=3, bias=[-2.0, 2.0, 0.0])
    heads = [
        head("injection", ["injection"]),
        head("refusal", ["full", "none", "part"], kind="softmax", rest="none"),
        head("mood", ["good", "bad"], kind="softmax", at=1),
    ]
    return model_dir(folder, model, heads=heads)


def test_a_real_model_is_calibrated(tmp_path: Path) -> None:
    folder = three_heads(tmp_path / "m")
    before = digest_of(folder)
    model = opened(folder)
    count = []
    made = calibrate(model, folder, texts(400), head="injection", told=count.append)
    assert made.digest == digest_of(folder) != before
    assert verify(folder, made.digest) == ()
    assert count == list(range(1, 401))
    assert (made.unread, made.label) == (0, "injection")
    assert made.fitted.benign + made.fitted.harmful == 400
    assert made.fitted.auc > 0.9
    assert [one.start for one in made.fitted.classes] == [1, 3]
    manifest = read_manifest(folder)[0]
    assert manifest.heads == (made.fitted.head, *model.manifest.heads[1:])
    card = manifest.card["calibration"]
    assert isinstance(card, dict)
    assert set(card) == {"injection"}
    again = opened(folder)
    assert again is not model
    assert again.manifest == manifest


def test_a_head_with_rest_is_fitted_to_all_its_other_labels(tmp_path: Path) -> None:
    folder = three_heads(tmp_path / "m")
    manifest = read_manifest(folder)[0]
    rows = texts(300)
    said = {row.text: (i % 7 - 3.0, 9.0, i % 5 - 2.0) for i, row in enumerate(rows)}
    model = Fake(manifest, lambda text, _: {"refusal": said[text]})
    rows = [row._replace(is_harmful=max(said[row.text][::2]) > 1) for row in rows]
    made = calibrate(model, folder, rows, head="refusal")
    assert made.label == "not none"
    seen = [Seen(max(said[row.text][::2]), 1, row.is_harmful) for row in rows]
    assert made.fitted == fit(manifest.heads[1], seen)


def test_the_surface_of_a_row_is_what_the_model_is_told(tmp_path: Path) -> None:
    folder = three_heads(tmp_path / "m")
    model = Fake(read_manifest(folder)[0], lambda _, on: {"mood": (0.0, float(on == "output"))})
    rows = [Labelled("a", i % 2 == 0, "output" if i % 2 == 0 else "input") for i in range(60)]
    made = calibrate(model, folder, rows, head="mood", label="bad")
    assert (made.label, made.fitted.auc) == ("bad", 1.0)


def test_texts_that_cannot_be_read_count_for_nothing(tmp_path: Path) -> None:
    folder = three_heads(tmp_path / "m")

    def z(text: str, _: str) -> dict[str, tuple[float, ...]]:
        if text == "broken":
            raise CheckError("the model gave a number that is not finite")
        return {"injection": (float("nan") if text == "odd" else float(len(text)),)}

    rows = [Labelled("x" * (i % 9 + 5 * (i % 2)), i % 2 == 1) for i in range(100)]
    model = Fake(read_manifest(folder)[0], z)
    made = calibrate(
        model, folder, [*rows, Labelled("broken", True), Labelled("odd", False)], head="injection"
    )
    assert made.unread == 2
    assert made.fitted.benign == made.fitted.harmful == 50


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "which head"),
        ({"head": "injektion"}, "did you mean `injection`"),
        ({"head": "nothing at all"}, "it has injection, refusal, mood"),
        ({"head": "mood"}, "which label"),
        ({"head": "mood", "label": "god"}, "did you mean `good`"),
    ],
)
def test_a_head_and_a_label_are_needed(tmp_path: Path, asked: dict[str, str], says: str) -> None:
    folder = three_heads(tmp_path / "m")
    before = digest_of(folder)
    model = Fake(read_manifest(folder)[0], lambda *_: {})
    with pytest.raises(UsageError, match=says):
        calibrate(model, folder, [], **asked)
    assert digest_of(folder) == before


def test_a_model_without_heads_is_not_calibrated(tmp_path: Path) -> None:
    tags = {"output": "logits", "labels": ["O", "B-PER", "I-PER"]}
    folder = model_dir(tmp_path / "m", tagger_onnx({"alice": 1}, labels=3), tokens=tags)
    with pytest.raises(UsageError, match="no heads"):
        calibrate(Fake(read_manifest(folder)[0], None), folder, [])
