"""Presidio: its recognisers as checks, and guardkit's entities as one of its recognisers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

import guardkit

from ._tools import EXAMPLES, needs

pytestmark = needs("presidio")

POLICY = """
guardkit 1
policy shop

check badge = python {
  call "guardkit.integrations.presidio:Recognised"
}

rule stop {
  tier safety
  on   input
  when badge
  then block "Not here."
}
"""
SCORED = """
guardkit 1
policy shop

check risk = python {
  call    "guardkit.integrations.presidio:Recognised"
  answers score
}

rule stop {
  tier safety
  on   input
  when risk >= 0.8
  then block "Not here."
}
"""
CARD = "4111 1111 1111 1111"


def badge(**options: Any) -> Any:
    from presidio_analyzer import Pattern, PatternRecognizer

    patterns = [
        Pattern(name="strong", regex=r"\bNB-\d{4}\b", score=0.9),
        Pattern(name="weak", regex=r"\b\d{6}\b", score=0.1),
    ]
    return PatternRecognizer(supported_entity="BADGE", patterns=patterns, **options)


def guard_of(recognizer: Any, policy: str = POLICY, **options: Any) -> guardkit.Guard:
    from guardkit.integrations.presidio import Recognised

    (name,) = re.findall(r"check (\w+)", policy)
    return guardkit.loads(policy, checks={name: Recognised(recognizer, **options)})


def says(result: Any) -> Any:
    """A recogniser that answers what it is told to."""
    from presidio_analyzer import LocalRecognizer

    class Says(LocalRecognizer):
        def load(self) -> None:
            pass

        def analyze(self, text: str, entities: Any, nlp_artifacts: Any) -> Any:
            if text == "nothing":
                return []
            if isinstance(result, Exception):
                raise result
            return result

    return Says(supported_entities=["A", "B"])


def result(entity: str, start: int, end: int, score: float) -> Any:
    from presidio_analyzer import RecognizerResult

    return RecognizerResult(entity, start, end, score)


# --- a recogniser as a check


def found(recognizer: Any, text: str, **options: Any) -> list[tuple[str, str]]:
    """What it finds, and that the guard stops just that."""
    from guardkit.integrations.presidio import Recognised

    is_found, places = Recognised(recognizer, **options).check(text)
    verdict = guard_of(recognizer, **options).check(text)
    assert verdict.action == ("block" if places else "pass")
    assert is_found is bool(places)
    return [(label, text[start:end]) for start, end, label in places]


def test_what_a_recogniser_finds_is_found() -> None:
    from presidio_analyzer.predefined_recognizers import CreditCardRecognizer

    text = "order NB-1234 of 123456, and NB-4321"
    assert found(badge(), text) == [("BADGE", "NB-1234"), ("BADGE", "NB-4321")]
    assert guard_of(badge()).check(text).message == "Not here."
    assert found(badge(), "nothing to see") == []
    cards = CreditCardRecognizer()
    assert found(cards, f"pay with {CARD}") == [("CREDIT_CARD", CARD)]
    assert found(cards, "pay with 4111 1111 1111 1112") == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_callers_get_the_same(backend: str) -> None:
    guard = guard_of(badge())
    verdict = anyio.run(lambda: guard.acheck("order NB-1234"), backend=backend)
    assert verdict.message == "Not here."


def test_streams_hold_back_what_it_may_find() -> None:
    from guardkit.integrations.presidio import Recognised

    policy = POLICY.replace("on   input", "on   output") + "\ndefaults { hold_back all }\n"
    guard = guardkit.loads(policy, checks={"badge": Recognised(badge())})
    stream = guard.stream()
    assert stream.feed("order NB-") + stream.feed("12") + stream.feed("34") == ""
    assert stream.finish() == "Not here."


def test_weak_finds_count_where_that_is_asked_for() -> None:
    assert found(badge(), "of 123456", at=0.1) == [("BADGE", "123456")]
    deny = badge(deny_list=["Ann"])
    assert found(deny, "Ann has NB-1234", at=1.0) == [("BADGE", "Ann")]


def test_a_score_is_a_score() -> None:
    guard = guard_of(says([result("A", 0, 1, 0.7), result("B", 1, 3, 0.85)]), SCORED)
    assert guard.check("abc").action == "block"  # a score check without `answers` is unknown
    guard = guard_of(badge(), SCORED, answers="score", at=0.0)
    assert guard.scores("of 123456") == {"risk": 0.1}
    assert guard.scores("of NB-1234 and 123456") == {"risk": 0.9}
    assert guard.scores("nothing") == {"risk": 0.0}
    assert guard.check("NB-1234").message == "Not here."
    assert guard.check("123456").action == "pass"


def test_only_the_entities_asked_for_count() -> None:
    both = [result("A", 0, 1, 0.9), result("B", 1, 3, 0.9), result("C", 0, 3, 0.9)]
    assert found(says(both), "abc") == [("A", "a"), ("B", "bc")]
    assert found(says(both), "abc", entities=["B"]) == [("B", "bc")]


@pytest.mark.parametrize(
    "answer",
    [None, RuntimeError("of abc"), [("A", 0, 9, 0.9)], [("A", 0, 1, 7.0)], [("A", 0, 1, None)]],
)
def test_an_answer_that_is_none_is_unknown(answer: Any) -> None:
    given = [result(*each) for each in answer] if isinstance(answer, list) else answer
    verdict = guard_of(says(given)).check("abc")
    assert verdict.unknown == ("badge",)
    assert verdict.action == "block"
    assert "abc" not in repr(verdict.as_dict())


def test_a_recogniser_that_needs_a_language_model_is_refused() -> None:
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    from guardkit.integrations.presidio import Recognised

    with pytest.raises(guardkit.UsageError) as caught:
        Recognised(SpacyRecognizer())
    assert str(caught.value) == "`SpacyRecognizer` needs a language model of Presidio's"

    class Later(type(says([]))):  # type: ignore[misc]
        """Looks only where there is something to see."""

        def analyze(self, text: str, entities: Any, nlp_artifacts: Any) -> Any:
            return [] if text == "nothing" else [nlp_artifacts.tokens]

    verdict = guard_of(Later(supported_entities=["A"])).check("abc")
    assert verdict.unknown == ("badge",)


def test_a_pattern_that_presidio_would_skip_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    from presidio_analyzer import Pattern, PatternRecognizer, pattern_recognizer

    slow = PatternRecognizer("SLOW", patterns=[Pattern("slow", r"^(a|aa|b?)+$", 0.9)])
    policy = POLICY.replace('Recognised"', 'Recognised"\n  timeout 50ms')
    verdict = guard_of(slow, policy).check("a" * 40 + "!")
    assert verdict.unknown == ("badge",)
    monkeypatch.setattr(pattern_recognizer, "REGEX_TIMEOUT_SECONDS", 5)
    with pytest.raises(guardkit.BindError, match="REGEX_TIMEOUT_SECONDS above 30"):
        guard_of(slow)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"entities": ["CARD"]}, "`PatternRecognizer` knows no `CARD`"),
        ({"entities": "BADGE"}, "`entities` may be several: put them into a list"),
        ({"at": 2}, "`at` is a score from 0 to 1"),
        ({"answers": "number"}, '`answers` is "answer" or "score"'),
    ],
)
def test_wrong_options_say_so(options: Any, said: str) -> None:
    from guardkit.integrations.presidio import Recognised

    with pytest.raises(guardkit.UsageError) as caught:
        Recognised(badge(), **options)
    assert str(caught.value) == said
    with pytest.raises(guardkit.UsageError, match="not a `str`"):
        Recognised("card")


# --- entities as a recogniser


def engine(recognizer: Any) -> Any:
    """Presidio's engine with one recogniser and a language model that knows only words."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Bare(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

    registry = RecognizerRegistry(recognizers=[recognizer], supported_languages=["en"])
    return AnalyzerEngine(registry=registry, nlp_engine=Bare(), supported_languages=["en"])


def test_an_engine_finds_what_the_check_finds() -> None:
    from guardkit.integrations.presidio import EntitiesRecognizer

    made = engine(EntitiesRecognizer(["card", "email", "de_tax_id"]))
    text = f"ann@example.com paid with {CARD}, tax number 86095742719"
    results = made.analyze(text, language="en")
    shown = sorted((text[each.start : each.end], each.entity_type, each.score) for each in results)
    assert shown == [
        (CARD, "CREDIT_CARD", 0.85),
        ("86095742719", "DE_TAX_ID", 0.85),
        ("ann@example.com", "EMAIL_ADDRESS", 0.85),
    ]
    only = made.analyze(text, language="en", entities=["CREDIT_CARD"])
    assert [each.entity_type for each in only] == ["CREDIT_CARD"]
    assert made.analyze("pay with 4111 1111 1111 1112", language="en") == []


def test_places_count_code_points() -> None:
    from guardkit.integrations.presidio import EntitiesRecognizer

    recognizer = EntitiesRecognizer(["email"], score=0.5, names={"email": "MAIL"})
    assert recognizer.get_supported_entities() == ["MAIL"]
    text = "héllo 😀 ann@example.com"
    (result,) = recognizer.analyze(text, [])
    assert (text[result.start : result.end], result.entity_type) == ("ann@example.com", "MAIL")
    assert result.score == 0.5


def test_a_text_that_cannot_be_read_whole_is_an_error() -> None:
    from guardkit.integrations.presidio import EntitiesRecognizer

    with pytest.raises(guardkit.UsageError, match="the limit is"):
        EntitiesRecognizer(["email"]).analyze("a" * 5_000_000, [])
    recognizer = EntitiesRecognizer(["email"])
    whole = recognizer._guard.check("hello")
    recognizer._guard = SimpleNamespace(check=lambda text: whole._replace(unknown=("found",)))
    with pytest.raises(guardkit.CheckError, match="could not be read whole"):
        recognizer.analyze("hello", [])


def test_wrong_kinds_say_so() -> None:
    from guardkit.integrations.presidio import EntitiesRecognizer

    for kinds, said in (
        (["cards"], "no kind `cards`"),
        ([], "say which"),
        ("card", "may be several"),
    ):
        with pytest.raises(guardkit.UsageError, match=said):
            EntitiesRecognizer(kinds)
    with pytest.raises(guardkit.BindError, match="`person` needs a model"):
        EntitiesRecognizer(["person"])


def test_the_names_are_those_of_presidio() -> None:
    """Every name is one of an entity that this very version finds, or explains."""
    import presidio_analyzer

    from guardkit.integrations.presidio import NAMES

    folder = Path(presidio_analyzer.__file__).parent / "predefined_recognizers"
    code = "\n".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    assert [name for name in NAMES.values() if f'"{name}"' not in code] == []


# --- the package


@pytest.mark.parametrize("call", ["Recognised(None)", "EntitiesRecognizer(['card'])"])
def test_a_missing_package_is_named_with_its_extra(call: str) -> None:
    name = call.partition("(")[0]
    program = (
        "import sys\nsys.modules['presidio_analyzer'] = None\n"
        f"from guardkit.integrations.presidio import {name}\n{call}"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert ran.stderr.splitlines()[-1] == (
        "guardkit.errors.BindError: this integration needs `presidio_analyzer`: "
        "pip install 'guardkit[presidio]'"
    )


def test_the_example_runs() -> None:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / "presidio_app.py")],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        "guardkit: Leave your numbers out of it.",
        "presidio: CREDIT_CARD 24-43",
    ]
