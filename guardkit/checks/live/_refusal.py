"""Tells from its phrases how a reply refuses, or asks a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from guardkit.catalog import Answer, Setting, Subject
from guardkit.errors import BindError
from guardkit.types import Refusal

from .._refusal import LABELS
from ._matches import Program, TooManyError, iter_all, prepare
from ._refusal_phrases import LATIN, OTHERS, Phrases

if TYPE_CHECKING:
    from ._classifier import OnnxClassifier, StaticClassifier

REFUSING = 2_000
"""Refusals are looked for up to here."""
BEGINNING = 320
"""A reply that refuses says so within these characters."""
SHORT = 400
"""A turn of the subject in a longer reply is a part of an answer."""
LONG = 1_000
"""After so much more a reply has gone on to something."""
READ = 8_000
"""A reply is known by its first characters."""

_QUOTES = frozenset('"“„«»「')
_APOSTROPHES = str.maketrans("’‘ʼ´", "''''")


HEAD = "refusal_kind"
"""The head of a tier that says what the phrases say."""


def bind(
    config: Mapping[str, object], setting: Setting
) -> RefusalReader | StaticClassifier | OnnxClassifier:
    """A reader of phrases, or what asks the model that is named.

    Raises:
        BindError: The model cannot be opened, or does not tell refusals apart.
    """
    if "model" not in config:
        return RefusalReader()
    from ._classifier import Asked, classifier
    from ._models import head_of, model_of

    model = model_of(config, setting, "mini")
    head = head_of(model.manifest, HEAD)
    if sorted(head.labels) != sorted(LABELS):
        raise BindError(f"the head `{HEAD}` of the model `{model.manifest.name}` has other labels")
    return classifier(model, Asked(head, None))


class Programs(NamedTuple):
    """The phrases of some languages, ready to be searched for."""

    refuses: Program
    helps: Program
    turns: Program

    @classmethod
    def of(cls, languages: Sequence[Phrases]) -> Programs:
        """All phrases of a kind as one pattern."""
        return cls(
            _any_of(phrase for language in languages for phrase in language.refuses),
            _any_of(phrase for language in languages for phrase in language.helps),
            _any_of(phrase for language in languages for phrase in language.turns),
        )


def _any_of(phrases: Iterable[str]) -> Program:
    return prepare(f"(?i)(?:{'|'.join(phrases)})")


class RefusalReader:
    """Names how a reply refuses; implements `Reader`."""

    __slots__ = ("_ascii", "_other")

    def __init__(self) -> None:
        self._ascii = Programs.of(LATIN)
        self._other = Programs.of((*LATIN, *OTHERS))

    def read(self, subject: Subject) -> Answer:
        """One of `LABELS`."""
        return Answer(self.label_of(subject.text))

    def label_of(self, text: str) -> Refusal:
        """How a reply refuses."""
        reply = text.strip()[:READ]
        if not reply.isascii():
            reply = reply.translate(_APOSTROPHES)
        programs = self._ascii if reply.isascii() else self._other
        refusals = [
            (start, end)
            for start, end in _places(programs.refuses, reply[:REFUSING])
            if not start or reply[start - 1] not in _QUOTES  # somebody else's words
        ]
        if not refusals or refusals[0][0] > BEGINNING:
            turned = len(reply) <= SHORT and _places(programs.turns, reply)
            return "deflect" if turned else "none"
        begin, end = refusals[0]
        rest = len(reply) - refusals[-1][1]
        if "```" in reply[end:] or rest > LONG or _places(programs.helps, reply[begin:]):
            return "partial"
        return "full"


def _places(program: Program, text: str) -> list[tuple[int, int]]:
    try:
        return list(iter_all(program, text))
    except TooManyError:
        return [(0, len(text))]


@cache
def _reader() -> RefusalReader:
    return RefusalReader()


def read_by_phrases(reply: str) -> Refusal:
    """How a reply refuses; see `RefusalReader`."""
    return _reader().label_of(reply)
