"""One event being judged: the answers of its checks, each worked out at most once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import NamedTuple

from guardkit.catalog import Answer as CheckAnswer
from guardkit.catalog import Viewed
from guardkit.plan import PENDING, Answer, Node, Pending
from guardkit.text import Views, signals_of, views_of
from guardkit.types import Truth

from ._event import Event, Part, parts_of
from ._lane import Lane
from ._scan import Located, Sighting, located
from ._sessions import State, texts_of


class Said(NamedTuple):
    """What a check said about the whole event."""

    value: bool | float | str | None
    hits: tuple[Located, ...] = ()
    elapsed_us: float = 0.0
    why: str = ""
    """Why there is no answer. Never any of the text."""
    is_placeless: bool = False
    """Something was found where nothing can be rewritten: in the name of an argument."""


SILENT = Said(False)


class Subject:
    """One text of an event as checks see it (`guardkit.catalog.Subject`)."""

    __slots__ = ("_canary", "_moment", "_views", "pointer", "surface", "text")

    def __init__(self, moment: Moment, part: Part) -> None:
        self._moment = moment
        self.text = part.text
        self.pointer = part.pointer
        self.surface: str = moment.event.surface
        self._views: Views | Sighting | None = None
        self._canary: str | None = None

    @property
    def canary(self) -> str | None:
        return self._moment.canary

    def views(self) -> tuple[Viewed, ...]:
        made = self._seen()
        return made.all if isinstance(made, Views) else made.views

    @property
    def is_complete(self) -> bool:
        return self._seen().is_complete

    def _seen(self) -> Views | Sighting:
        if self._views is None:
            self._views = self._moment.sightings.get(id(self))
        if self._views is None:
            scanner = self._moment.lane.scanner
            # A scan that found no sign of a disguise need not be repeated.
            was_scanned = scanner is not None and scanner.reads_views
            self._views = views_of(self.text, () if was_scanned else signals_of(self.text))
        return self._views

    def protected(self, source: str) -> tuple[str, ...] | None:
        return self._moment.protected(source)


class Moment:
    """One event being judged."""

    __slots__ = (
        "canary",
        "event",
        "is_quiet",
        "lane",
        "prompt",
        "said",
        "sightings",
        "state",
        "subjects",
        "thens",
    )

    def __init__(
        self,
        event: Event,
        lane: Lane,
        state: State | None,
        canary: str | None,
        prompt: tuple[str, ...],
        thens: Mapping[str, Truth] | None = None,
    ) -> None:
        self.event = event
        self.lane = lane
        self.state = state
        self.canary = canary
        self.prompt = prompt
        self.thens = thens
        self.said: dict[int, Said] = {}
        self.subjects = [Subject(self, part) for part in parts_of(event)]
        self.sightings: dict[int, Sighting] = {}
        if event.given:
            self._take(event)
        self.is_quiet = self._scan()

    def _take(self, event: Event) -> None:
        """Answers that a test lays down; one that points outside its text is none."""
        length = {subject.pointer: len(subject.text) for subject in self.subjects}
        for name, given in event.given.items():
            node = self.lane.node_of.get(name)
            if node is None:
                continue
            fits = all(0 <= h.start < h.end <= length.get(h.pointer, 0) for h in given.hits)
            value = given.value if fits else None
            why = "fails, as the test says" if value is None else ""
            self.said[node] = Said(value, given.hits if fits else (), 0.0, why)

    def _scan(self) -> bool:
        """Look at every text; whether no finder has anything to say."""
        lane = self.lane
        scanner = lane.scanner
        if scanner is None:
            return not self.said.keys() & lane.finders
        found: dict[int, list[Located]] = {}
        placeless: set[int] = set()
        blind: dict[int, str] = {}
        glance = self.event.glance
        for subject in self.subjects:
            sighting = scanner.look(subject.text) if glance is None else glance.sighting
            if sighting.views:
                self.sightings[id(subject)] = sighting
            for node, hits in sighting.found.items():
                if subject.pointer is None:
                    placeless.add(node)
                    found.setdefault(node, [])
                elif subject.pointer:
                    placed = [hit._replace(pointer=subject.pointer) for hit in hits]
                    found.setdefault(node, []).extend(placed)
                else:
                    found.setdefault(node, []).extend(hits)
            blind.update(scanner.blind(sighting))
        for node, every in found.items():
            if node not in self.said:
                self.said[node] = Said(True, tuple(every), is_placeless=node in placeless)
        for node, why in blind.items():
            if node not in self.said:
                self.said[node] = Said(None, why=why)
        return not (found or blind or self.said.keys() & lane.finders)

    def protected(self, source: str) -> tuple[str, ...] | None:
        if source == "context":
            return self.prompt or None
        given = self.event.sources.get(source)
        if given is not None:
            return tuple(given)
        return tuple(texts_of(self.state, source)) or None

    # --- what the settler asks

    def leaf(self, node: Node) -> Answer | Pending:
        """The answer of a leaf of the plan, for `Settler`."""
        at = node.id
        said = self.said.get(at)
        if said is not None:
            return said.value
        lane = self.lane
        if at in lane.finders:
            return False
        if at in lane.readers:
            return self._read(at).value
        if at in lane.callers:
            return PENDING
        field = lane.fields.get(at)
        if field is not None:
            root, test = field
            return test(self.event.context if root == "context" else self.event.arguments)
        window = lane.windows.get(at)
        if window is not None:
            return self.state.count(*window) if self.state is not None else None
        sequence = lane.sequences.get(at)
        if sequence is not None:
            if self.state is None:
                return Truth.UNKNOWN
            seen = self.state.was_first(*sequence)
            # On `conversation` the leaf answers for the second event too.
            return seen if self.thens is None else seen & self.thens.get(sequence[0], Truth.NO)
        said = self.of(at) if at in lane.missing else None
        return None if said is None else said.value

    def of(self, node: int) -> Said | None:
        """What a check said; None while somebody has to be called for it."""
        said = self.said.get(node)
        if said is not None:
            return said
        if node in self.lane.finders:
            return SILENT
        if node in self.lane.readers:
            return self._read(node)
        if node in self.lane.callers:
            return None
        why = f"no code is bound for it on {self.lane.surface}"
        self.said[node] = Said(None, why=why)
        return self.said[node]

    def _read(self, node: int) -> Said:
        reader = self.lane.readers[node]
        begun = perf_counter()
        answers: list[tuple[Subject, CheckAnswer]] = []
        why = ""
        for subject in self.subjects:
            try:
                answers.append((subject, reader.read(subject)))
            except Exception as error:  # noqa: BLE001 - a check that breaks is an unknown, by rule
                answers.append((subject, CheckAnswer(None)))
                why = f"raised {type(error).__name__}"
        made = joined(answers)
        elapsed_us = (perf_counter() - begun) * 1e6
        said = made._replace(elapsed_us=elapsed_us, why=why or made.why)
        self.said[node] = said
        return said


def joined(answers: Sequence[tuple[Subject, CheckAnswer]]) -> Said:
    """One answer for all texts of an event: the worst of them, and unknown rather than no."""
    if not answers:
        return SILENT
    hits: list[Located] = []
    is_placeless = False
    values = [answer.value for _, answer in answers]
    for subject, answer in answers:
        if not _fits(answer, subject):
            return Said(None, why="points outside the text")
        if subject.pointer is None:
            is_placeless |= answer.value is True
        else:
            hits += located(answer.hits, subject.pointer)
    if True in [value for value in values if isinstance(value, bool)]:
        return Said(True, tuple(hits), is_placeless=is_placeless)
    if any(value is None for value in values):
        return Said(None, why="gave no answer")
    first = values[0]
    if isinstance(first, bool):
        return Said(False)
    if isinstance(first, str):
        same = all(value == first for value in values)
        return Said(first) if same else Said(None, why="gave different labels")
    numbers = [value for value in values if isinstance(value, int | float)]
    if not all(math.isfinite(value) for value in numbers):
        return Said(None, why="gave no finite number")
    return Said(max(numbers), tuple(hits))


def _fits(answer: CheckAnswer, subject: Subject) -> bool:
    return all(0 <= hit.start < hit.end <= len(subject.text) for hit in answer.hits)


def usable(said: Said | None, answers: str, labels: Sequence[str]) -> bool:
    """Whether an answer is one that its kind may give."""
    value = None if said is None else said.value
    if answers == "answer":
        return isinstance(value, bool)
    if answers == "label":
        return isinstance(value, str) and (not labels or value in labels)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return False
    return answers == "number" or 0 <= value <= 1
