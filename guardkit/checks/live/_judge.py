"""Asks a model of the program's own for a score."""

from __future__ import annotations

from collections.abc import Mapping

from guardkit.catalog import UNKNOWN, Answer, Setting, Subject
from guardkit.errors import BindError

from ._called import Called, as_score, called, made


def bind(config: Mapping[str, object], setting: Setting) -> Judge:
    """A caller that asks the judge of one check.

    Raises:
        BindError: The callable is not there, or it is none.
    """
    target = made(called(config, setting), f"the judge of `{setting.name}`")
    if not callable(target):
        raise BindError(f"the judge of `{setting.name}` cannot be called")
    return Judge(Called(target, setting.in_thread), str(config.get("rubric", "")))


class Judge:
    """Asks a model of the program's own; implements `Caller`.

    Args:
        ask: The judge.
        rubric: The question it is to answer.
    """

    __slots__ = ("_ask", "_rubric")

    def __init__(self, ask: Called, rubric: str) -> None:
        self._ask = ask
        self._rubric = rubric

    async def call(self, subject: Subject) -> Answer:
        """The score, or unknown for anything that is none."""
        score = as_score(await self._ask(subject.text, self._rubric))
        return UNKNOWN if score is None else Answer(score)
