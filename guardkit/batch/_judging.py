"""From rows to results: what is asked of a guard, and the one line that each row comes to.

A result travels and is stored as a line of JSON in plain ASCII: the same whichever process made
it, and writing it to a file costs nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from guardkit.guard import BrokenRow, Case, Guard, judged, judged_all
from guardkit.types import Finding, Verdict

from ._read import Item

UNJUDGED = "error"
"""The action of a row without a verdict."""


class Result(NamedTuple):
    """What came of one row."""

    action: str
    """That of the verdict, or `error`."""
    is_undecided: bool
    """Whether `on_error` of a rule in force decided, because a check could not answer."""
    line: str = ""
    """All of it as JSON."""

    @property
    def data(self) -> dict[str, object]:
        """All of it as plain data."""
        made: dict[str, object] = json.loads(self.line)
        return made

    def __repr__(self) -> str:
        return f"<Result {self.action}>"


class Judged(NamedTuple):
    """The results of a block of rows, and where the corpus stands after it."""

    items: Sequence[Item]
    results: Sequence[Result]
    position: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a guard, and how much of the answer is kept.

    Args:
        context: Facts for rows that do not say otherwise.
        is_whole: Keep all that a verdict says; else what an output file has.
        shows_values: Keep what was found and what a text becomes, too.
    """

    context: Mapping[str, object] | None = field(default=None, repr=False)
    is_whole: bool = False
    shows_values: bool = False

    def judge(self, guard: Guard, items: Sequence[Item]) -> list[Result]:
        """A result for each of some rows."""
        apart = [at for at, item in enumerate(items) if is_apart(guard, item)]
        cases = [items[at].case for at in apart]
        sound = [case for case in cases if isinstance(case, Case)]
        verdicts: dict[int, Verdict | str] = dict(
            zip(apart, judged_all(guard, sound, context=self.context), strict=True)
        )
        return [
            self._result(item, self._said(guard, item, verdicts.get(at)))
            for at, item in enumerate(items)
        ]

    def unjudged(self, item: Item, why: str) -> Result:
        """The result of a row that nobody could judge."""
        return self._result(item, why)

    def _said(self, guard: Guard, item: Item, verdict: Verdict | str | None) -> Verdict | str:
        if verdict is not None:
            return verdict
        if isinstance(item.case, BrokenRow):
            return item.case.why
        return judged(guard, item.case, context=self.context)

    def _result(self, item: Item, said: Verdict | str) -> Result:
        case = item.case
        if isinstance(case, BrokenRow) or not isinstance(said, Verdict):
            told = {"source": item.source, "action": UNJUDGED} if not self.is_whole else {}
            return Result(UNJUDGED, False, json.dumps({"id": case.id, **told, "error": str(said)}))
        # What a check could not answer was decided by `on_error`; the reader should know.
        is_undecided = bool(said.undecided) and not set(said.undecided) <= set(said.shadow)
        make = self._whole if self.is_whole else self._brief
        return Result(said.action, is_undecided, make(item, case, said))

    def _whole(self, item: Item, case: Case, verdict: Verdict) -> str:
        data = verdict.as_dict(text=self.shows_values)
        data.pop("hold", None)
        if self.shows_values:
            data["findings"] = [_with_value(found, case.text) for found in verdict.findings]
        return json.dumps({"id": case.id, **data})

    def _brief(self, item: Item, case: Case, verdict: Verdict) -> str:
        head = f'{{"id": {quoted(case.id)}, "source": {quoted(item.source)}, "action": '
        tail = f'"elapsed_us": {verdict.elapsed_us:.1f}'
        if self.shows_values:
            tail += f', "text": {quoted(verdict.text)}'
        if verdict.action == "pass" and not (verdict.findings or verdict.unknown):
            # Nearly every row is this one, and the general way costs five times as much.
            return f'{head}"pass", "fired": [], "findings": [], "unknown": [], {tail}}}'
        findings = (
            [_with_value(found, case.text) for found in verdict.findings]
            if self.shows_values
            else [found._asdict() for found in verdict.findings]
        )
        fired, unknown = json.dumps(verdict.fired), json.dumps(verdict.unknown)
        return (
            f'{head}"{verdict.action}", "fired": {fired}, "findings": {json.dumps(findings)},'
            f' "unknown": {unknown}, {tail}}}'
        )


def is_apart(guard: Guard, item: Item) -> bool:
    """Whether a row can be judged without those before it: anywhere, and in any order."""
    return isinstance(item.case, Case) and not (item.case.session and guard.needs_session)


def _with_value(found: Finding, text: str) -> dict[str, object]:
    value = {} if found.pointer else {"value": text[found.start : found.end]}
    return {**found._asdict(), **value}
