"""Compares texts with examples, by the vectors of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guardkit.catalog import UNKNOWN, Answer, Setting, Subject
from guardkit.errors import BindError, CheckError

from ._files import text_of
from ._models import EMBEDDED_AT, as_share, run_now, similarities, texts_of, tier

if TYPE_CHECKING:
    from guardkit.models import OnnxModel, StaticModel


def bind(config: Mapping[str, object], setting: Setting) -> StaticSimilarity | OnnxSimilarity:
    """A reader for the static encoder, a caller for the other. Examples are embedded here, once.

    Raises:
        BindError: There is no example, or the encoder cannot be opened.
    """
    from guardkit.models import StaticModel

    examples = _examples(config, setting)
    model = tier(str(config.get("encoder", "static")), setting)
    if model.manifest.embedding is None:
        raise BindError(f"the model `{model.manifest.name}` has no embedding")
    try:
        if isinstance(model, StaticModel):
            return StaticSimilarity(model, _stacked([model.vectors(text) for text in examples]))
        return OnnxSimilarity(model, _stacked(run_now(lambda: _embedded(model, examples))))
    except (CheckError, TimeoutError) as error:
        raise BindError(
            f"the examples cannot be embedded: {error or 'it takes too long'}"
        ) from error


def _examples(config: Mapping[str, object], setting: Setting) -> list[str]:
    listed = config.get("examples")
    examples = [str(entry) for entry in listed] if isinstance(listed, tuple) else []
    if config.get("file") is not None:
        examples += text_of(setting, config["file"]).splitlines()
    kept = [*dict.fromkeys(stripped for entry in examples if (stripped := entry.strip()))]
    if not kept:
        raise BindError("there is no example: the list is empty, or the file has blank lines only")
    return kept


async def _embedded(model: OnnxModel, examples: Sequence[str]) -> list[Any]:
    return [(await model.read(text, EMBEDDED_AT)).vectors for text in examples]


def _stacked(vectors: Sequence[Any]) -> Any:
    import numpy as np

    every = np.concatenate(vectors)
    has_length = (every * every).sum(axis=1) > 0
    if not has_length.any():
        raise BindError("the encoder knows no word of the examples")
    return np.ascontiguousarray(every[has_length])


class StaticSimilarity:
    """Compares with the static encoder; implements `Reader`.

    Args:
        model: The encoder.
        examples: Their vectors, of unit length.
    """

    __slots__ = ("_examples", "_model")

    def __init__(self, model: StaticModel, examples: Any) -> None:
        self._model = model
        self._examples = examples

    def read(self, subject: Subject) -> Answer:
        """How near the nearest window of any view comes to an example."""
        return _nearest(
            [self._model.vectors(t) for t in texts_of(subject)], self._examples, subject
        )


class OnnxSimilarity:
    """Compares with an ONNX encoder, off the event loop; implements `Caller`.

    Args:
        model: The encoder.
        examples: Their vectors, of unit length.
    """

    __slots__ = ("_examples", "_model")

    def __init__(self, model: OnnxModel, examples: Any) -> None:
        self._model = model
        self._examples = examples

    async def call(self, subject: Subject) -> Answer:
        """How near the nearest window of any view comes to an example."""
        readings = [await self._model.read(text, subject.surface) for text in texts_of(subject)]
        return _nearest([reading.vectors for reading in readings], self._examples, subject)


def _nearest(vectors: Sequence[Any], examples: Any, subject: Subject) -> Answer:
    if not subject.is_complete:
        return UNKNOWN
    return Answer(as_share(max(similarities(each, examples).max() for each in vectors)))
