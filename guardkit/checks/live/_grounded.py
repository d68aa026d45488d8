"""Measures how much of a reply its source supports, statement by statement."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from guardkit.catalog import UNKNOWN, Answer, Setting, Subject
from guardkit.errors import BindError

from ._models import similarities, tier

if TYPE_CHECKING:
    from guardkit.models import StaticModel

SUPPORT = 0.5
"""How near a statement has to come to a passage of the source. The windows of both may begin a few
words apart: what stands there word for word comes to 0.75 or more, another matter to about 0.2."""
LEAST_WORDS = 4
"""A shorter sentence states nothing: a greeting, a thank you, a heading."""
LEAST_SIGNS = 8
"""The same where words are not set apart by blanks."""
MOST_STATEMENTS = 1_000
"""Statements of a longer reply are judged several at a time."""

# Begun where a run of signs begins, and never given back: a text of signs alone stays linear.
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s)|[。！？]++|\n++")
_WORD = re.compile(r"\w+")
_SIGN = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_QUESTIONS = ("?", "？", "؟")
_CLOSING = "\"'”’»)] \t"


def bind(config: Mapping[str, object], setting: Setting) -> Grounded:
    """A reader that compares replies with their source.

    Raises:
        BindError: The static model cannot be opened.
    """
    from guardkit.models import StaticModel

    model = tier("static", setting)
    if not isinstance(model, StaticModel) or model.manifest.embedding is None:
        raise BindError(f"the model `{model.manifest.name}` has no embedding")
    return Grounded(model, str(config["in"]))


class Grounded:
    """Compares replies with their source; implements `Reader`.

    Args:
        model: The encoder.
        source: Which texts of the exchange are the source.
    """

    __slots__ = ("_model", "_source")

    def __init__(self, model: StaticModel, source: str) -> None:
        self._model = model
        self._source = source

    def read(self, subject: Subject) -> Answer:
        """The share of statements that some passage comes near; unknown without a source."""
        import numpy as np

        sources = subject.protected(self._source)
        if not sources or not any(source.strip() for source in sources):
            return UNKNOWN
        told = statements(subject.text)
        if not told:
            return Answer(1.0)
        passages = np.concatenate([self._model.vectors(source) for source in sources])
        parts = [self._model.vectors(statement) for statement in told]
        near = similarities(np.concatenate(parts), passages)
        # A long statement has several windows, and all of them have to be there.
        begins = np.cumsum([0, *(len(part) for part in parts[:-1])])
        supported = np.minimum.reduceat(near, begins) >= SUPPORT
        return Answer(float(supported.mean()))


def statements(text: str) -> list[str]:
    """The sentences of a text that state something: no questions, nothing of a few words."""
    found: list[str] = []
    at = 0
    for end in (*(match.end() for match in _END.finditer(text)), len(text)):
        sentence = text[at:end].strip()
        at = end
        if sentence and _states(sentence):
            found.append(sentence)
    return _together(found)


def _states(sentence: str) -> bool:
    if sentence.rstrip(_CLOSING).endswith(_QUESTIONS):
        return False
    return (
        len(_WORD.findall(sentence)) >= LEAST_WORDS or len(_SIGN.findall(sentence)) >= LEAST_SIGNS
    )


def _together(found: Sequence[str]) -> list[str]:
    size = -(-len(found) // MOST_STATEMENTS)
    if size <= 1:
        return list(found)
    return [" ".join(found[at : at + size]) for at in range(0, len(found), size)]
