"""Asks a head of a model for a score or a label."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from guardkit.catalog import UNKNOWN, Answer, Setting, Subject
from guardkit.diagnostics import nearest, visible
from guardkit.errors import BindError

from ._files import content_of
from ._models import head_of, model_of, texts_of, worst

if TYPE_CHECKING:
    from guardkit.models import Head, Manifest, OnnxModel, Reading, StaticModel

    from ._models import Model


def bind(config: Mapping[str, object], setting: Setting) -> StaticClassifier | OnnxClassifier:
    """A reader for a static model, a caller for any other.

    Raises:
        BindError: The model cannot be opened, or has no such head or label.
    """
    model = model_of(config, setting, "mini")
    head = head_of(model.manifest, config.get("head"))
    labels = config.get("labels")
    column = None
    if isinstance(labels, tuple):
        _same_labels(head, [str(label) for label in labels])
    else:
        column = _column(head, config.get("label"))
    table = _calibration(config, setting, model, head)
    asked = Asked(head, column, is_first=config.get("window") == "first", table=table)
    return classifier(model, asked)


def classifier(model: Model, asked: Asked) -> StaticClassifier | OnnxClassifier:
    """What asks this of a model, in the way the model is read."""
    from guardkit.models import StaticModel

    if isinstance(model, StaticModel):
        return StaticClassifier(model, asked)
    return OnnxClassifier(model, asked)


class Asked:
    """What is asked of every reading of a text.

    Args:
        head: Which head.
        column: The label whose score is the answer; None where the answer is a label.
        is_first: Whether only the beginning of a text counts.
        table: The head whose thresholds count, if somebody measured them.
    """

    __slots__ = ("_column", "_head", "_is_first", "_table")

    def __init__(
        self, head: Head, column: int | None, *, is_first: bool = False, table: Head | None = None
    ) -> None:
        self._head = head
        self._column = column
        self._is_first = is_first
        self._table = table

    def answer(self, readings: Sequence[Reading], *, is_complete: bool) -> Answer:
        """The highest score in any view, or the label that speaks loudest; unknown where some view
        could not be made."""
        if not is_complete:
            return UNKNOWN
        name = self._head.name
        scores = worst([(r.first if self._is_first else r.scores)[name] for r in readings])
        if self._column is None:
            return Answer(self._head.answer(scores))
        return Answer(scores[self._column])

    def threshold(self, measure: str, rate: float) -> float | None:
        """The score at which so many benign texts are taken for something else."""
        if measure != "fpr" or self._table is None:
            return None
        return self._table.threshold(rate)


class _Classifier:
    __slots__ = ("_asked",)
    _asked: Asked

    def threshold(self, measure: str, rate: float) -> float | None:
        """See `Asked.threshold`."""
        return self._asked.threshold(measure, rate)


class StaticClassifier(_Classifier):
    """Asks a static model; implements `Reader`."""

    __slots__ = ("_model",)

    def __init__(self, model: StaticModel, asked: Asked) -> None:
        self._model = model
        self._asked = asked

    def read(self, subject: Subject) -> Answer:
        """The score or label of the worst view."""
        texts = texts_of(subject)
        readings = [self._model.read(text, subject.surface) for text in texts]
        return self._asked.answer(readings, is_complete=subject.is_complete)


class OnnxClassifier(_Classifier):
    """Asks an ONNX model, off the event loop; implements `Caller`."""

    __slots__ = ("_model",)

    def __init__(self, model: OnnxModel, asked: Asked) -> None:
        self._model = model
        self._asked = asked

    async def call(self, subject: Subject) -> Answer:
        """The score or label of the worst view."""
        texts = texts_of(subject)
        readings = [await self._model.read(text, subject.surface) for text in texts]
        return self._asked.answer(readings, is_complete=subject.is_complete)


# --- labels


def _column(head: Head, label: object) -> int:
    own = [name for name in head.labels if name != head.rest]
    if label is None and len(own) == 1:
        return head.labels.index(own[0])
    if label is None:
        raise BindError(f"`label` is needed: the head `{head.name}` has {_listed(own)}")
    if label not in head.labels:
        raise BindError(_no_label(head, str(label)))
    return head.labels.index(str(label))


def _same_labels(head: Head, labels: Sequence[str]) -> None:
    """A head says any of its labels: one that a policy does not list would be unknown to it."""
    strangers = [label for label in labels if label not in head.labels]
    if strangers:
        raise BindError(_no_label(head, strangers[0]))
    missing = [label for label in head.labels if label not in labels]
    if missing:
        raise BindError(
            f"`labels` has to list all that the head `{head.name}` may say;"
            f" missing are {_listed(missing)}"
        )


def _no_label(head: Head, label: str) -> str:
    near = nearest(label, head.labels)
    advice = f"did you mean `{near}`?" if near else f"it has {_listed(head.labels)}"
    return f"the head `{head.name}` has no label `{visible(label)[:64]}`; {advice}"


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(f"`{label}`" for label in labels[:16])
    return shown if len(labels) <= 16 else f"{shown} and {len(labels) - 16} more"


# --- calibration


def _calibration(
    config: Mapping[str, object], setting: Setting, model: Model, head: Head
) -> Head | None:
    """Whose thresholds count: those of the file, where there is one, or the head's own."""
    file = config.get("calibration")
    if file is None:
        return head if _is_calibrated_for(model.manifest, head, config.get("label")) else None
    assert isinstance(file, tuple)
    name = str(file[0])
    content = content_of(setting, file)
    try:
        given = json.loads(content)
    except (ValueError, RecursionError):
        raise BindError(f"the calibration `{visible(name)}` is not JSON") from None
    if not isinstance(given, dict):
        raise BindError(f"the calibration `{visible(name)}` is not an object")
    return _of_manifest(name, content, head) if "files" in given else _of_table(name, given)


def _of_manifest(name: str, content: bytes, head: Head) -> Head:
    """The same head in a manifest. Other numbers behind a score would make its thresholds wrong."""
    from guardkit.models import manifest_of

    found = manifest_of(content).head(head.name)
    same = ("labels", "kind", "rest", "scale", "shifts")
    if found is None or any(getattr(found, part) != getattr(head, part) for part in same):
        raise BindError(
            f"the calibration `{visible(name)}` is of another model: its head `{head.name}`"
            " gives other scores"
        )
    return found


def _of_table(name: str, given: dict[str, object]) -> Head:
    """`{"fpr": [[0.005, 0.91], …]}`, read as strictly as a manifest."""
    from guardkit.models import Head

    strangers = given.keys() - {"fpr"}
    rows = given.get("fpr")
    try:
        if strangers or not isinstance(rows, list):
            raise ValueError
        return Head(
            name="table",
            output="table",
            labels=("table",),
            kind="sigmoid",
            fpr=tuple(tuple(map(float, row)) for row in rows),  # type: ignore[misc]  # checked there
        )
    except (TypeError, ValueError):
        raise BindError(
            f"the calibration `{visible(name)}` has to be a manifest or"
            ' `{"fpr": [[rate, score], …]}`, rates rising and scores falling'
        ) from None


def _is_calibrated_for(manifest: Manifest, head: Head, label: object) -> bool:
    """Whether a head of many labels was measured for this one, as far as its card says."""
    known = manifest.card.get("calibration")
    facts = known.get(head.name) if isinstance(known, dict) else None
    measured = facts.get("label") if isinstance(facts, dict) else None
    return label is None or measured is None or len(head.labels) == 1 or measured == label
