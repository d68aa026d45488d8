"""A guard and labelled texts become figures: for the policy, each rule and each check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from guardkit.guard import Guard
from guardkit.plan import Check, Compare, Plan
from guardkit.types import ACTIONS, Action, Surface

from ._answers import AT_ONCE, Answers, Column, Kind, Names, Table, Unjudged, answered
from ._cases import Case
from ._numbers import Counts, Point, Prices, Scored, scored

_MOST_LINES: Final = 200
_MOST_WORST: Final = 10
_FEW: Final = 100
"""Texts of a kind under which one of them moves a share by more than a percent."""
_EVEN: Final = 0.5
_MOST_AWAY: Final = 6


class Line(NamedTuple):
    """What came of one source, one kind of text or one label."""

    name: str
    counts: Counts
    auc: float | None = None
    """None where the texts are all of one kind, or there is no score."""


class Confusion(NamedTuple):
    """How often each label of the data met each label of a check."""

    truths: tuple[str, ...]
    """Labels of the data; `0` and `1` where they are no names."""
    said: tuple[str, ...]
    """Labels that the check gave."""
    table: tuple[tuple[int, ...], ...]
    """A row for each truth; the last column counts texts without an answer."""
    lines: tuple[Line, ...]
    """Each label that both know, against all others."""


class Subject(NamedTuple):
    """The figures of the policy, of one rule or of one check."""

    kind: Kind
    name: str
    answers: Answers
    mode: str
    """Of a rule: `enforce` or `shadow`."""
    texts: int
    """Texts on the surfaces it is asked on."""
    unknown: int
    """Of them, those it had no answer for. They are in no other figure."""
    counts: Counts | None
    """At `threshold`, where it gives a score; None for labels, and where no threshold is known."""
    threshold: float | None
    score: Scored | None
    confusion: Confusion | None
    sources: tuple[Line, ...]
    groups: tuple[Line, ...]
    categories: tuple[Line, ...]
    missed: tuple[str, ...]
    """Ids of harmful texts that were not found; by score, the lowest first."""
    alarms: tuple[str, ...]
    """Ids of benign texts that were stopped; by score, the highest first."""
    notes: tuple[str, ...]


class Evaluation(NamedTuple):
    """What a guard makes of labelled texts. It holds no text."""

    policy: str
    digest: str
    files: tuple[str, ...]
    texts: int
    harmful: int
    benign: int
    unjudged: int
    """Texts that could not be judged at all; they are in no figure."""
    why_unjudged: tuple[Unjudged, ...]
    """The first of them."""
    undecided: int
    """Texts on which a check could not answer and `on_error` decided."""
    surfaces: tuple[tuple[str, int], ...]
    actions: tuple[tuple[Action, int, int], ...]
    """How many harmful and how many benign texts met each action."""
    weakest: Action
    """The weakest action that counts as stopping a text."""
    prices: Prices | None
    subjects: tuple[Subject, ...]
    notes: tuple[str, ...]

    def of(self, kind: Kind) -> tuple[Subject, ...]:
        """The subjects of one kind."""
        return tuple(subject for subject in self.subjects if subject.kind == kind)

    @property
    def headline(self) -> Subject | None:
        """What is told first: the policy; of a module without rules its best check."""
        policy = self.of("policy")
        if policy:
            return policy[0]
        for answers in ("score", "answer", "number"):
            found = [s for s in self.subjects if s.answers == answers and s.counts is not None]
            if found:
                return max(found, key=_worth)
        return None


def _worth(subject: Subject) -> float:
    """How much a check tells by itself."""
    if subject.score is not None:
        return 0.0 if subject.score.auc is None else subject.score.auc.value
    f1 = None if subject.counts is None else subject.counts.f1
    return 0.0 if f1 is None else f1.value


def evaluate(
    guard: Guard,
    cases: Iterable[Case],
    *,
    files: Sequence[str] = (),
    weakest: Action = "rewrite",
    prices: Prices | None = None,
    context: Mapping[str, object] | None = None,
    told: Callable[[int], None] | None = None,
    at_once: int = AT_ONCE,
    notes: Sequence[str] = (),
) -> Evaluation:
    """Judge labelled texts and say what came of it.

    Every check of a text's surface is asked, needed for the verdict or not, and no budget of the
    policy cuts one short. The order of the texts does not matter.

    Args:
        guard: The guard; of a module, one made of `module_plan`.
        cases: The texts. They are taken a few hundred at a time, and none is kept.
        files: Where they are from, for reports.
        weakest: The weakest action that counts as stopping a text.
        prices: What mistakes cost: picks the cheapest threshold of each score.
        context: Facts of every text that does not say otherwise.
        told: Called with the number of texts judged so far.
        at_once: How many are judged at a time.
        notes: What else readers should know, such as how the texts were chosen.

    Example:
        >>> made = evaluate(guard, CaseFiles([Path("held.jsonl")]))  # doctest: +SKIP
        >>> made.headline.counts.recall.value  # doctest: +SKIP
        0.93
    """
    table = answered(guard, cases, weakest, context or {}, told, at_once)
    return _Sums(table, guard, prices).evaluation(files, weakest, notes)


class _Sums:
    """A table of answers becomes figures."""

    def __init__(self, table: Table, guard: Guard, prices: Prices | None) -> None:
        import numpy as np

        self._table = table
        self._guard = guard
        self._prices = prices
        self._bad = np.frombuffer(bytes(table.harmful), dtype=np.uint8).astype(bool)
        self._used = _bounds(guard.plan)
        for (check, _, _), score in guard.bound.thresholds.items():
            self._used.setdefault(check, set()).add(score)

    def evaluation(self, files: Sequence[str], weakest: Action, notes: Sequence[str]) -> Evaluation:
        table, harmful = self._table, int(self._bad.sum())
        columns = [table.policy, *table.rules.values(), *table.checks.values()]
        subjects = [s for s in map(self._subject, columns) if s is not None]
        return Evaluation(
            policy=self._guard.plan.policy,
            digest=self._guard.digest,
            files=tuple(files),
            texts=len(table),
            harmful=harmful,
            benign=len(table) - harmful,
            unjudged=table.unjudged_count,
            why_unjudged=tuple(table.unjudged),
            undecided=table.undecided,
            surfaces=tuple(sorted(table.surfaces.items(), key=lambda one: (-one[1], one[0]))),
            actions=tuple(
                (action, table.actions[action, True], table.actions[action, False])
                for action in reversed(ACTIONS)
                if table.actions[action, True] or table.actions[action, False]
            ),
            weakest=weakest,
            prices=self._prices,
            subjects=tuple(subjects),
            notes=(
                *notes,
                *_shortage(harmful, len(table) - harmful),
                *_elsewhere(self._guard.plan, {*table.surfaces}),
            ),
        )

    def _subject(self, column: Column) -> Subject | None:
        import numpy as np

        values = np.array(column.values, dtype=np.float64)
        asked = ~np.isneginf(values)
        if not asked.any():
            return None
        known = asked & ~np.isnan(values)
        missing = asked & ~known
        unknown = (int((missing & self._bad).sum()), int((missing & ~self._bad).sum()))
        made = Subject(
            column.kind,
            column.name,
            column.answers,
            column.mode,
            texts=int(asked.sum()),
            unknown=sum(unknown),
            counts=None,
            threshold=None,
            score=None,
            confusion=None,
            sources=(),
            groups=(),
            categories=(),
            missed=(),
            alarms=(),
            notes=(),
        )
        if column.answers == "label":
            return made._replace(confusion=self._confusion(column, values, asked))
        if column.answers == "answer":
            return self._counted(made, values, values > _EVEN, asked, known)
        is_share = column.answers == "score"
        bad, used = self._bad[known], self._used.get(column.name, ())
        figures = scored(values[known], bad, is_share=is_share, used=used, prices=self._prices)
        point = _chosen(figures)
        made = made._replace(
            score=figures, threshold=point and point.threshold, notes=_remarks(figures)
        )
        if point is None:
            return made
        return self._counted(made, values, values >= point.threshold, asked, known)

    # --- counts

    def _counted(self, made: Subject, values: Any, over: Any, asked: Any, known: Any) -> Subject:
        """A subject with its counts, in all and for each source, kind of text and label."""
        is_scored = made.score is not None
        table = self._table

        def lines(names: Names) -> tuple[Line, ...]:
            return tuple(self._lines(names, values, over, asked, known, is_scored=is_scored))

        return made._replace(
            counts=self._counts(over, asked, known),
            sources=lines(table.sources),
            groups=lines(table.groups),
            categories=lines(table.categories),
            missed=self._worst(values, known & self._bad & ~over),
            alarms=self._worst(-values, known & ~self._bad & over),
        )

    def _counts(self, over: Any, asked: Any, known: Any) -> Counts:
        bad = self._bad
        masks = (
            known & bad & over,
            known & bad & ~over,
            known & ~bad & over,
            known & ~bad & ~over,
            asked & ~known & bad,
            asked & ~known & ~bad,
        )
        return Counts(*(int(mask.sum()) for mask in masks))

    def _lines(
        self, names: Names, values: Any, over: Any, asked: Any, known: Any, *, is_scored: bool
    ) -> Iterator[Line]:
        """A line for each name, those with the most texts first; none where all have one name."""
        import numpy as np

        from guardkit.models import auc_of

        if len(names.numbers) < 2:
            return
        places = np.array(names.values, dtype=np.int64)
        order = np.argsort(places, kind="stable")
        starts = np.searchsorted(places[order], np.arange(len(names.numbers) + 1))
        found = []
        for name, number in names.numbers.items():
            mine = np.zeros(len(places), dtype=bool)
            mine[order[starts[number] : starts[number + 1]]] = True
            if not (mine & asked).any():
                continue
            at = mine & known
            bad = self._bad[at]
            area = auc_of(values[at], bad) if is_scored and 0 < bad.sum() < len(bad) else None
            counts = self._counts(over, asked & mine, at)
            found.append(Line(name, counts, None if area is None else float(area)))
        yield from sorted(found, key=lambda line: (-line.counts.texts, line.name))[:_MOST_LINES]

    def _worst(self, values: Any, which: Any) -> tuple[str, ...]:
        import numpy as np

        ids = self._table.ids
        ranked = sorted(np.flatnonzero(which), key=lambda at: (values[at], ids[at]))
        return tuple(ids[at] for at in ranked[:_MOST_WORST])

    # --- labels

    def _confusion(self, column: Column, values: Any, asked: Any) -> Confusion:
        import numpy as np

        names = list(self._table.categories.numbers)
        is_named = any(names)
        truth = (
            np.array(self._table.categories.values, dtype=np.int64)
            if is_named
            else self._bad.astype(np.int64)
        )
        truths = names if is_named else ["0", "1"]
        said = list(column.labels)
        table = np.zeros((len(truths), len(said) + 1), dtype=np.int64)
        answer = np.where(np.isnan(values), len(said), values)[asked].astype(np.int64)
        np.add.at(table, (truth[asked], answer), 1)
        rows = [at for at in np.argsort(-table.sum(axis=1), kind="stable") if table[at].any()]
        rows.sort(key=lambda at: (-int(table[at].sum()), truths[at]))
        columns = sorted(range(len(said)), key=lambda at: (-int(table[:, at].sum()), said[at]))
        lines = []
        for at in rows:
            if truths[at] in column.labels:
                own = column.labels[truths[at]]
                known = table[:, : len(said)]
                hit = int(table[at, own])
                others = int(known[:, own].sum()) - hit
                missed = int(known[at].sum()) - hit
                rest = int(known.sum()) - hit - others - missed
                lines.append(Line(truths[at], Counts(hit, missed, others, rest)))
        return Confusion(
            tuple(truths[at] for at in rows),
            tuple(said[at] for at in columns),
            tuple(
                (*(int(table[at, c]) for c in columns), int(table[at, len(said)])) for at in rows
            ),
            tuple(lines),
        )


def _bounds(plan: Plan) -> dict[str, set[float]]:
    """What the policy compares each score with."""
    found: dict[str, set[float]] = {}
    for node in plan.nodes:
        what = node.what
        if isinstance(what, Compare) and what.relation in (">=", ">"):
            asked = plan.nodes[node.inputs[0]].what
            for name in asked.names if isinstance(asked, Check) else ():
                found.setdefault(name, set()).add(what.bound)
    return found


def _chosen(figures: Scored) -> Point | None:
    """The threshold at which a score is told: 1 % false alarms, else what comes next to it."""
    by_rate = {one.rate: one.point for one in figures.at_rates}
    points = [by_rate.get(rate) for rate in (0.01, 0.05, 0.001)]
    points += [figures.cheapest, *(one for one in figures.sweep if "policy" in one.why)]
    points += figures.sweep
    return next((point for point in points if point is not None), None)


def _remarks(figures: Scored) -> tuple[str, ...]:
    made = []
    if figures.distinct == 1:
        made.append("it gives every text the same score")
    if figures.auc is not None and figures.auc.high < _EVEN:
        made.append("harmful texts score lower than benign ones: read it the other way round")
    return tuple(made)


def _elsewhere(plan: Plan, surfaces: set[Surface]) -> Iterator[str]:
    """Rules that none of the texts could reach, and texts that no rule looks at."""
    acting = {on for rule in plan.rules if rule.mode == "enforce" for on in rule.surfaces}
    if acting and (unseen := sorted(surfaces - acting)):
        yield f"no rule looks at texts on {', '.join(unseen)}: they pass"
    away = [
        f"`{rule.name}` ({', '.join(rule.surfaces)})"
        for rule in plan.rules
        if rule.mode != "retired" and not surfaces.intersection(rule.surfaces)
    ]
    if surfaces and away:
        more = f" and {len(away) - _MOST_AWAY} more" if len(away) > _MOST_AWAY else ""
        yield f"no text is on a surface of {', '.join(away[:_MOST_AWAY])}{more}"


def _shortage(harmful: int, benign: int) -> Iterator[str]:
    """What the labels cannot show."""
    if not harmful + benign:
        return
    if not benign:
        yield "all texts are harmful: nothing can be said about false alarms"
    elif not harmful:
        yield "all texts are benign: nothing can be said about what is found"
    for count, what in ((harmful, "harmful"), (benign, "benign")):
        if 0 < count < _FEW:
            texts = "text is" if count == 1 else "texts are"
            yield f"{count} {what} {texts} few: mind the intervals"
