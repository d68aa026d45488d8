"""Rows on their way to another process, and results on their way back: lines of JSON, no objects.

INVARIANT: what arrives is what was sent. A row that JSON would change is not sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from guardkit.guard import BrokenRow, Case

from ._corpus import Mark
from ._judging import Result
from ._read import Item


def travels(item: Item) -> bool:
    """Whether a row arrives as it was sent: facts of a Parquet file may be dates or bytes."""
    case = item.case
    if isinstance(case, BrokenRow) or not case.context:
        return True
    try:
        same: bool = json.loads(json.dumps(case.context)) == case.context
    except (TypeError, ValueError, RecursionError):
        return False
    return same


def spelled(items: Sequence[Item]) -> str:
    """Rows as a text."""
    return json.dumps([_plain(item) for item in items])


def read(text: str) -> list[Item]:
    """Rows from their text."""
    return [_item(*row) for row in json.loads(text)]


def spelled_results(results: Sequence[Result]) -> str:
    """Results as a text: a line each, which is JSON in plain ASCII and so without line ends."""
    return "\n".join(f"{r.action} {int(r.is_undecided)} {r.line}" for r in results)


def read_results(text: str) -> list[Result]:
    """Results from their text."""
    made = []
    for line in text.split("\n") if text else ():
        action, is_undecided, rest = line.split(" ", 2)
        made.append(Result(action, is_undecided == "1", rest))
    return made


def _plain(item: Item) -> list[object]:
    case = item.case
    if isinstance(case, BrokenRow):
        return [*item.mark, item.source, case.id, case.line, case.why]
    around = [case.text, case.on, case.context, case.session, case.tool]
    return [*item.mark, item.source, case.id, case.line, "", *around]


def _item(source: int, row: int, name: str, id: str, line: int, why: str, *around: object) -> Item:
    mark = Mark(source, row)
    if not around:
        return Item(mark, name, BrokenRow(id, line, why))
    text, on, context, session, tool = around
    return Item(mark, name, Case(id, text, on, context, session, tool, line=line))  # type: ignore[arg-type]  # as `_plain` put them
