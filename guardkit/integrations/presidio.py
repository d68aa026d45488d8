"""Presidio: one of its recognisers as a check, and guardkit's entities as a recogniser of its own.

Presidio's context words, which raise the score of weak patterns, need its language models and do
not work here; see `at`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from guardkit.checks import ENTITIES
from guardkit.errors import BindError, CheckError, UsageError
from guardkit.guard import Guard, loads

from ._third_party import third_party

__all__ = ["NAMES", "EntitiesRecognizer", "Recognised"]

if TYPE_CHECKING:
    EntitiesRecognizer: Any

LONGEST_WAIT_S: Final = 30
"""The longest time-out of a check."""

NAMES: Mapping[str, str] = MappingProxyType({
    "card": "CREDIT_CARD",
    "crypto_wallet": "CRYPTO",
    "de_plate": "DE_KFZ",
    "de_svnr": "DE_SOCIAL_SECURITY",
    "email": "EMAIL_ADDRESS",
    "es_dni": "ES_NIF",
    "fi_hetu": "FI_PERSONAL_IDENTITY_CODE",
    "iban": "IBAN_CODE",
    "ip": "IP_ADDRESS",
    "it_codice_fiscale": "IT_FISCAL_CODE",
    "mac": "MAC_ADDRESS",
    "phone": "PHONE_NUMBER",
    "sg_nric": "SG_NRIC_FIN",
    "th_id": "TH_TNIN",
    "tr_tckn": "TR_NATIONAL_ID",
    "uk_plate": "UK_VEHICLE_REGISTRATION",
    "us_aba": "ABA_ROUTING_NUMBER",
    "us_dea": "MEDICAL_LICENSE",
    "za_id": "ZA_ID_NUMBER",
})  # fmt: skip
"""What Presidio calls a kind, where that is not the kind in capitals."""


# --- a recogniser as a check


class Recognised:
    """One of Presidio's recognisers as a `python` check, handed to `guardkit.load(checks={…})`.

    In the policy: `check card = python { call "guardkit.integrations.presidio:Recognised" }`.

    Args:
        recognizer: A `PatternRecognizer`, or any `EntityRecognizer` that needs nothing of a
            language model.
        entities: Which of its entities count; all when left out.
        at: The least score of a find. Presidio gives patterns that need context words less.
        answers: `answer` for yes or no, or `score` for the highest score; say the same in the
            policy.

    Raises:
        BindError: Presidio is missing, or gives up on a pattern before the check would.
        UsageError: It is no recogniser, needs a language model, or does not know an entity.

    Example:
        >>> load("shop.guard", checks={"card": Recognised(CreditCardRecognizer())})
        ... # doctest: +SKIP
    """

    __slots__ = ("_answers", "_at", "_entities", "_recognizer")

    def __init__(
        self,
        recognizer: Any,
        *,
        entities: Iterable[str] | None = None,
        at: float = 0.5,
        answers: Literal["answer", "score"] = "answer",
    ) -> None:
        presidio = third_party("presidio_analyzer", "presidio")
        kind = type(recognizer).__name__
        if not isinstance(recognizer, presidio.EntityRecognizer):
            raise UsageError(f"a recogniser is an `EntityRecognizer`, not a `{kind}`")
        known = list(recognizer.get_supported_entities())
        if isinstance(entities, str):
            raise UsageError("`entities` may be several: put them into a list")
        self._entities = known if entities is None else list(entities)
        if strange := sorted(set(self._entities) - set(known)):
            raise UsageError(f"`{kind}` knows no `{strange[0]}`")
        if not (isinstance(at, int | float) and 0 <= at <= 1):
            raise UsageError("`at` is a score from 0 to 1")
        if answers not in ("answer", "score"):
            raise UsageError('`answers` is "answer" or "score"')
        self._recognizer, self._at, self._answers = recognizer, at, answers
        _need_patience(third_party("presidio_analyzer.pattern_recognizer", "presidio"))
        if isinstance(recognizer, presidio.LocalRecognizer):
            try:
                self.check("nothing")
            except _LanguageModelError:
                raise UsageError(f"`{kind}` needs a language model of Presidio's") from None

    def __repr__(self) -> str:
        return f"<Recognised {type(self._recognizer).__name__} {', '.join(self._entities)}>"

    def check(self, text: str) -> tuple[bool | float, list[tuple[int, int, str]]]:
        """What a `python` check answers: yes or no, or a score, and the places.

        Raises:
            CheckError: It answered what no recogniser answers.
        """
        results = self._recognizer.analyze(text, list(self._entities), _NoArtifacts())
        if not isinstance(results, list):
            raise CheckError("the recogniser gave no list of results")
        if any(not _is_score(result.score) for result in results):
            raise CheckError("the recogniser gave a score that is none")
        found = [
            result
            for result in results
            if result.score >= self._at and result.score > 0
            if result.entity_type in self._entities
        ]
        places = [(result.start, result.end, str(result.entity_type)) for result in found]
        if self._answers == "score":
            return max((float(result.score) for result in found), default=0.0), places
        return bool(found), places


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1


def _need_patience(patterns: Any) -> None:
    """Presidio skips a pattern that takes too long, as if it had found nothing.

    The check's own time-out has to come first: after that the answer is unknown.
    """
    if patterns.REGEX_TIMEOUT_SECONDS <= LONGEST_WAIT_S:
        raise BindError(
            f"Presidio skips patterns after {patterns.REGEX_TIMEOUT_SECONDS} seconds: "
            f"set REGEX_TIMEOUT_SECONDS above {LONGEST_WAIT_S}, so that a check gives up first"
        )


class _LanguageModelError(CheckError):
    """A recogniser asked for what only a language model gives."""


class _NoArtifacts:
    """In place of a language model's findings: a recogniser that looks at them says so.

    Given none, those of Presidio would find nothing and be content with it.
    """

    def __bool__(self) -> bool:
        raise _LanguageModelError("the recogniser needs a language model of Presidio's")

    def __getattr__(self, name: str) -> Any:
        raise _LanguageModelError("the recogniser needs a language model of Presidio's")


# --- entities as a recogniser


def _finder(kinds: Iterable[str]) -> Guard:
    if isinstance(kinds, str):
        raise UsageError("`kinds` may be several: put them into a list")
    named = sorted(set(kinds))
    if not named:
        raise UsageError("say which `kinds` to find")
    for kind in named:
        if kind not in ENTITIES:
            raise UsageError(f"there is no kind `{kind}`")
    return loads(
        "guardkit 1\npolicy recognizer\n"
        f"check found = entities {{ kinds [{', '.join(named)}] }}\n"
        "rule shown {\n  tier helpfulness\n  on input\n"
        "  when found\n  then flag\n  on_error flag\n}\n"
    )


def _recognizer_class() -> Any:
    presidio = third_party("presidio_analyzer", "presidio")
    local: Any = presidio.LocalRecognizer

    class EntitiesRecognizer(local):  # type: ignore[misc]  # the package is not typed here
        """Finds what the check `entities` finds, for `AnalyzerEngine.registry.add_recognizer`.

        Args:
            kinds: The kinds to find, as the check names them: `card`, `de_tax_id`.
            score: The score of every find: they stand their checksums, and need no context words.
            names: What to call a kind; else as in `NAMES`, or the kind in capitals.
            supported_language: The language under which Presidio asks it.

        Raises:
            BindError: A kind needs a model, or Presidio is missing.
            UsageError: There is no such kind.

        Example:
            >>> engine.registry.add_recognizer(EntitiesRecognizer(["card"]))  # doctest: +SKIP
        """

        def __init__(
            self,
            kinds: Iterable[str],
            *,
            score: float = 0.85,
            names: Mapping[str, str] | None = None,
            supported_language: str = "en",
        ) -> None:
            self._score = score
            kinds = kinds if isinstance(kinds, str) else tuple(kinds)
            self._guard = _finder(kinds)
            called = {**NAMES, **(names or {})}
            self._names = {kind.upper(): called.get(kind, kind.upper()) for kind in kinds}
            super().__init__(
                supported_entities=sorted(set(self._names.values())),
                name="EntitiesRecognizer",
                supported_language=supported_language,
            )

        def load(self) -> None:
            """Nothing: all is there once it is made."""

        def analyze(self, text: str, entities: Any, nlp_artifacts: Any = None) -> list[Any]:
            """What was found, as Presidio's results.

            Raises:
                CheckError: The text could not be read whole.
            """
            verdict = self._guard.check(text)
            if verdict.unknown or verdict.action not in ("pass", "flag"):
                raise CheckError("the text could not be read whole")
            about = {presidio.RecognizerResult.RECOGNIZER_NAME_KEY: self.name}
            about[presidio.RecognizerResult.RECOGNIZER_IDENTIFIER_KEY] = self.id
            found = [(self._names[each.label], each.start, each.end) for each in verdict.findings]
            return [
                presidio.RecognizerResult(
                    name, start, end, self._score, recognition_metadata=dict(about)
                )
                for name, start, end in found
                if not entities or name in entities
            ]

    EntitiesRecognizer.__qualname__ = "EntitiesRecognizer"
    return EntitiesRecognizer


def __getattr__(name: str) -> Any:
    if name != "EntitiesRecognizer":
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`", name=name)
    made = globals()["EntitiesRecognizer"] = _recognizer_class()
    return made
