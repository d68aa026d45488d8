"""presidio: an analyzer with one recogniser, and the anonymizer. It runs in its own environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from _worker import TRIVIAL, StoppedError, serve
from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer, RecognizerRegistry
from presidio_analyzer.nlp_engine import NoOpNlpEngine
from presidio_anonymizer import AnonymizerEngine
from presidio_anonymizer.entities import OperatorConfig

NO_MODEL = [{"lang_code": "en", "model_name": "none"}]


def _finds(patterns: Sequence[str], each: bool) -> Callable[[str], Any]:
    """All matches of the patterns: `each` its own recogniser, or all in one."""
    made = [Pattern(f"p{i}", pattern, 0.9) for i, pattern in enumerate(patterns)]
    parts = [(f"P{i}", [one]) for i, one in enumerate(made)] if each else [("P", made)]
    registry = RecognizerRegistry(
        recognizers=[
            PatternRecognizer(name, name=name, patterns=some, global_regex_flags=0)
            for name, some in parts
        ],
        global_regex_flags=0,
    )
    analyzer = AnalyzerEngine(registry, NoOpNlpEngine(NO_MODEL), supported_languages=["en"])
    return partial(analyzer.analyze, language="en", entities=[name for name, _ in parts])


def scan(patterns: Sequence[str], each: bool = False) -> Callable[[str], bool]:
    finds = _finds(patterns, each)
    return lambda text: bool(finds(text))


def redact(patterns: Sequence[str]) -> Callable[[str], str]:
    finds, anonymize = _finds(patterns, False), AnonymizerEngine().anonymize
    put = {"DEFAULT": OperatorConfig("replace", {"new_value": "[X]"})}
    return lambda text: str(anonymize(text, finds(text), put).text)


def wrap(function: Callable[[str], Awaitable[str]]) -> Callable[[str], Awaitable[str]]:
    finds = _finds([TRIVIAL], False)

    async def call(prompt: str) -> str:
        if finds(prompt):
            raise StoppedError
        answer = await function(prompt)
        if finds(answer):
            raise StoppedError
        return answer

    return call


if __name__ == "__main__":
    serve(
        ("presidio-analyzer", "presidio-anonymizer"),
        scan={
            "`AnalyzerEngine`, one `PatternRecognizer` of all, no NLP engine": scan,
            "`AnalyzerEngine`, a `PatternRecognizer` each, no NLP engine": partial(scan, each=True),
        },
        redact={"`AnalyzerEngine` as above, then `AnonymizerEngine`": redact},
        wrap={"`AnalyzerEngine.analyze` before and after the call": wrap},
    )
