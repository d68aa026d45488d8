"""Replaces matches: which stretches go, who decides what stands there, and what that is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from guardkit.plan import RuleRow
from guardkit.semantics import Act

Token = Callable[[str, str, str], str]
"""(form, label, text) -> the hash or pseudonym that stands for the text."""

_PLACEHOLDER = re.compile(r"\{(label|rule)\}")


class Mark(NamedTuple):
    """A stretch of a text that a rule wants replaced. `rank` is the rule's tier and severity."""

    start: int
    end: int
    label: str
    row: RuleRow
    act: Act
    rank: tuple[int, int]

    def keeps(self, position: int) -> bool:
        """Whether a mask leaves this character. A match no longer than `keep` leaves none."""
        is_mask = self.act.form == "mask" and self.end - self.start > self.act.keep
        return is_mask and position >= self.end - self.act.keep


class Piece(NamedTuple):
    """A stretch of the original and what stands for it."""

    start: int
    end: int
    text: str


def fill(text: str, label: str, rule: str) -> str:
    """A message with its placeholders filled in."""
    if "{" not in text:
        return text
    if "{rule}" not in text:
        return text.replace("{label}", label)
    return _PLACEHOLDER.sub(lambda found: label if found[1] == "label" else rule, text)


def pieces_of(text: str, marks: Iterable[Mark], token: Token) -> tuple[Piece, ...]:
    """What stands for each group of overlapping marks, in order.

    INVARIANT: nothing of any match stays, but what every mask over it would keep.
    """
    done: list[Piece] = []
    group: list[Mark] = []
    end = 0
    for mark in sorted(marks, key=lambda mark: (mark.start, mark.end)):
        if group and not (mark.start < end or mark.start == group[0].start):
            done.append(_piece(text, end, group, token))
            group = []
        group.append(mark)
        end = max(end, mark.end) if len(group) > 1 else mark.end
    if group:
        done.append(_piece(text, end, group, token))
    return tuple(done)


def spliced(text: str, pieces: Sequence[Piece]) -> str:
    """The text with its pieces put in."""
    parts: list[str] = []
    at = 0
    for start, end, instead in pieces:
        parts += (text[at:start], instead)
        at = end
    parts.append(text[at:])
    return "".join(parts)


def _piece(text: str, end: int, group: Sequence[Mark], token: Token) -> Piece:
    start = group[0].start
    winner = group[0] if len(group) == 1 else min(group, key=_authority)
    match winner.act.form:
        case "mask":
            instead = "".join(
                text[i]
                if all(mark.keeps(i) for mark in group if mark.start <= i < mark.end)
                else "*"
                for i in range(start, end)
            )
        case "hash" | "pseudonym" as form:
            instead = token(form, winner.label, text[start:end])
        case _:
            instead = fill(winner.act.text or "", winner.label, winner.row.name)
    return Piece(start, end, instead)


def _authority(mark: Mark) -> tuple[object, ...]:
    """Tier, severity, earlier start, rule name; the rest only makes the choice unique."""
    return mark.rank, mark.start, mark.row.name, -mark.end, mark.label
