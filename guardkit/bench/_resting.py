"""What a text rests on, where a check compares it with something: made, and never timed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Final

from guardkit.plan import Check, Field, Plan
from guardkit.types import Surface

Sources = Mapping[str, Sequence[str]]
"""Texts to compare with, by surface: what `guard.check` takes as `sources`."""

_COMPARED: Final = ("of", "in", "same_as")
"""The properties of checks that name another text."""
_GIVEN: Final = ("input", "retrieved")
"""What has to be given; the policy's own prompt is there anyway."""
_ORDER: Final = frozenset(("<", "<=", ">", ">="))
_SENTENCE: Final = re.compile(r"[^.!?\n]+[.!?\n]*\s*")
_MARK: Final = re.compile(r"[ \n]*\Z")
_KEPT: Final = 1_024
_LONGEST: Final = 4_000
"""Of a longer text the first characters are what it rests on: nobody reads a book for a reply."""


def rests_on(plan: Plan, surface: Surface) -> tuple[str, ...]:
    """The surfaces whose texts are compared with those of one; a tool call cannot be given any."""
    if surface == "tool_call":
        return ()
    asked = {
        name
        for node in plan.nodes
        if node.surface == surface and isinstance(node.what, Check)
        for name in node.what.names
    }
    found = {
        str(value)
        for row in plan.checks
        if row.name in asked
        for key, value in row.config
        if key in _COMPARED and value in _GIVEN
    }
    return tuple(sorted(found))


def sources_for(text: str, surfaces: Sequence[str]) -> Sources:
    """A document, or a question, that says what the text says, in other words.

    It ends as the text does: in white space that no model has read before.
    """
    mark = _MARK.search(text)
    body = text[: mark.start()] if mark is not None else text
    source = _restated(body[:_LONGEST]) + text[len(body) :]
    return dict.fromkeys(surfaces, (source,))


@lru_cache(maxsize=_KEPT)
def _restated(text: str) -> str:
    """The same sentences, each with its words in another order: it supports, and is no copy."""
    random = Random("restated")  # noqa: S311 - no secret
    made = []
    for sentence in _SENTENCE.findall(text):
        words = sentence.split()
        random.shuffle(words)
        made.append(" ".join(words))
    return ". ".join(made) or text


def asked_numbers(plan: Plan, surface: Surface) -> dict[str, object]:
    """Arguments for a call: a number wherever a rule asks whether one is large or small.

    Without it the rule could not be decided, and no call that a program makes is like that.
    """
    made: dict[str, object] = {}
    if surface != "tool_call":
        return made
    for node in plan.nodes:
        what = node.what
        if isinstance(what, Field) and what.root == "call" and what.relation in _ORDER:
            _put(made, what.path)
    return made


def _put(made: dict[str, object], path: Sequence[str]) -> None:
    for name in path[:-1]:
        inner = made.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        made = inner
    made.setdefault(path[-1], 1)
