"""guardrails-ai: one validator of all patterns. It runs in its own environment."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any

os.environ["GUARDRAILS_RUN_SYNC"] = "true"  # no thread for each validator

from _worker import TRIVIAL, serve
from guardrails import AsyncGuard, Guard, OnFailAction
from guardrails.errors import ValidationError
from guardrails.settings import settings
from guardrails.validators import (
    ErrorSpan,
    FailResult,
    PassResult,
    ValidationResult,
    Validator,
    register_validator,
)


@register_validator(name="bench/patterns", data_type="string")
class Patterns(Validator):
    """Every pattern that is found; the validators of its hub take an account."""

    def __init__(self, patterns: Sequence[str], on_fail: Any = None) -> None:
        super().__init__(on_fail=on_fail, patterns=list(patterns))
        self._programs = [re.compile(pattern) for pattern in patterns]

    def _validate(self, value: Any, metadata: dict[str, Any]) -> ValidationResult:
        hits = [program for program in self._programs if program.search(value)]
        if not hits:
            return PassResult()
        fixed = value
        for program in hits:
            fixed = program.sub("[X]", fixed)
        spans = [
            ErrorSpan(start=match.start(), end=match.end(), reason="pattern")
            for program in hits
            for match in program.finditer(value)
        ]
        return FailResult(error_message="found", fix_value=fixed, error_spans=spans)


def _guard(patterns: Sequence[str], on_fail: Any, kind: Any = Guard) -> Any:
    guard = kind().use(Patterns(patterns, on_fail=on_fail))
    guard.configure(num_reasks=0)
    return guard


def scan(patterns: Sequence[str]) -> Callable[[str], bool]:
    validate = _guard(patterns, OnFailAction.NOOP).validate
    return lambda text: not validate(text).validation_passed


def redact(patterns: Sequence[str]) -> Callable[[str], str]:
    validate = _guard(patterns, OnFailAction.FIX).validate
    return lambda text: str(validate(text).validated_output)


def wrap(function: Callable[[str], Awaitable[str]]) -> Callable[[str], Awaitable[str]]:
    validate = _guard([TRIVIAL], OnFailAction.EXCEPTION, AsyncGuard).validate

    async def call(prompt: str) -> str:
        await validate(prompt)
        answer = await function(prompt)
        await validate(answer)
        return answer

    return call


def stream(patterns: Sequence[str], on_fail: Any) -> Callable[[Sequence[str]], str]:
    """`Guard` around a function that streams, as its documentation shows it."""
    guard = _guard(patterns, on_fail)

    def ask(tokens: Sequence[str]) -> str:
        def model(*args: Any, **kwargs: Any) -> Iterator[str]:
            yield from tokens

        shown: list[str] = []
        try:
            messages = [{"role": "user", "content": "hello"}]
            parts = guard(model, messages=messages, stream=True)
            shown.extend(part.validated_output or "" for part in parts)
        except ValidationError:
            pass
        return "".join(shown)

    return ask


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    settings.disable_tracing = True
    serve(
        ("guardrails-ai",),
        scan={"`Guard.validate`, one validator of all `re` patterns, run in line": scan},
        redact={"`Guard.validate`, the same validator, `FIX`": redact},
        wrap={"`AsyncGuard.validate` before and after the call": wrap},
        stream={
            "`Guard(stream=True)`, sentences, `FIX`": partial(stream, on_fail=OnFailAction.FIX),
            "`Guard(stream=True)`, sentences, `EXCEPTION`": partial(
                stream, on_fail=OnFailAction.EXCEPTION
            ),
        },
    )
