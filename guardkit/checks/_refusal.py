"""Names how a reply refuses: not at all, in full, in part, or by changing the subject.

The answer is a label: `none`, `full` ("I can't help with that"), `partial` ("I can't …, but here
is …") or `deflect` ("let's talk about something else"). Phrases in 15 languages are looked for
where a refusal begins; what stands after them tells a full one from one that goes on to help.

Why it matters
    A refusal is seen or it is guessed at. Counted, it shows both failures: a reply to what the
    model should refuse, and the refusal of what it should answer, which users leave for.

Known misses
    A refusal in words of its own, irony, a fictional speaker who refuses, a refusal after a long
    beginning, other languages. An answer in someone else's voice about what may not be done can
    read like a refusal. What a refusal leaves out is not judged, so a partial one may be polite
    nonsense.

Example
    check refusing = refusal {
    }

Options
    None.

Cost
    About 60 µs for 1 KB, shared with nothing. Only the first 8,000 characters are read.

Data it reads
    The text. No file, no network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from guardkit.catalog import Answer, CheckSpec, Cost, Setting, Subject

from ._matches import Program, TooManyError, iter_all, prepare
from ._refusal_phrases import LATIN, OTHERS, Phrases

LABELS = ("none", "full", "partial", "deflect")

SPEC = CheckSpec(
    kind="refusal",
    summary="Names how a reply refuses: not at all, in full, in part, or by changing the subject",
    answers="label",
    cost=Cost(5.0, 60.0),
    reach="whole",
    labels=LABELS,
    surfaces=("output",),
    yes_rate=0.05,
)

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


def bind(config: Mapping[str, object], setting: Setting) -> RefusalReader:
    """A reader of refusals; it has no settings."""
    return RefusalReader()


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

    def label_of(self, text: str) -> str:
        """How a reply refuses."""
        reply = text.strip()[:READ].translate(_APOSTROPHES)
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
