"""Counts what trials come to, and makes figures of the counts. No trial is kept."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import exp, log
from typing import Any, Final, NamedTuple

from guardkit._util.shares import Share

from ._ended import Ended
from ._figures import Adaptive, By, Cell, Figures, Group, LayerFigures, Rate, Times, Worst
from ._trials import PLAIN

STACK: Final = ("input", "model", "provider", "output")
"""The layers that can stop something, in the order in which an exchange passes them."""
ALONE: Final = "policy"
"""The target of a run without weights."""
_SAME: Final = {"context": "model", "weights": "model"}
_MOST_WORST: Final = 20
_MOST_WHY: Final = 20
_STEP: Final = log(1.02)
_NOT_SAID: Final = "not said"


class Head(NamedTuple):
    """What a run is of: two runs with the same head can be joined."""

    policy: str
    digest: str
    """Of the plan."""
    target: str
    suites: str
    """A digest of all cases."""
    seed: int
    choice: Mapping[str, Any]
    """Which trials are made, as `Choice.as_dict` says."""
    planned: int
    adaptive: int = 0
    """The most queries a case that are spent on a search; 0: there is none."""

    @property
    def has_weights(self) -> bool:
        """Whether anything is asked besides the policy."""
        return self.target != ALONE


class _Count:
    """Hits and trials, and of how many cases."""

    __slots__ = ("hits", "of", "seen")

    def __init__(self) -> None:
        self.hits = 0
        self.of = 0
        self.seen = bytearray()

    def add(self, case: int, *, is_hit: bool) -> None:
        self.hits += is_hit
        self.of += 1
        at, bit = divmod(case, 8)
        if at >= len(self.seen):
            self.seen.extend(bytes(at + 1 - len(self.seen)))
        self.seen[at] |= 1 << bit

    @property
    def rate(self) -> Rate:
        return Rate(self.hits, self.of, int.from_bytes(self.seen, "little").bit_count())


class _Grouped:
    """The counts of one group."""

    __slots__ = ("leaked", "partial", "refused", "unjudged")

    def __init__(self) -> None:
        self.leaked = _Count()
        self.refused = _Count()
        self.partial = 0
        self.unjudged = 0

    def add(self, ended: Ended, case: int) -> None:
        if ended.outcome == "unjudged":
            self.unjudged += 1
        elif not ended.is_attack:
            self.refused.add(case, is_hit=ended.outcome == "refused")
        elif ended.outcome == "partial":
            self.partial += 1
        else:
            self.leaked.add(case, is_hit=ended.outcome == "leaked")

    def group(self, name: str) -> Group:
        return Group(name, self.leaked.rate, self.refused.rate, self.partial, self.unjudged)


class Tally:
    """What the trials of a run came to, as numbers.

    Args:
        has_weights: Whether anything is asked besides the policy.
    """

    def __init__(self, *, has_weights: bool) -> None:
        self._has_weights = has_weights
        self.trials = 0
        self._all = _Grouped()
        self._benign_partial = 0
        self._why: Counter[str] = Counter()
        self._groups: dict[str, dict[str, _Grouped]] = {
            kind: {} for kind in ("family", "disguise", "split", "category", "lang")
        }
        self._cells: dict[tuple[str, str, bool], tuple[_Count, list[int]]] = {}
        self._layers = {layer: (_Count(), _Count()) for layer in STACK}
        self._by: dict[tuple[str, str], list[int]] = {}
        self._times: Counter[int] = Counter()
        self._cases: dict[str, int] = {}
        self._attacks = bytearray()
        """Per case whether it is an attack."""
        self._tried, self._wrong = array("I"), array("I")
        self._refused_by: dict[int, Counter[str]] = {}

    def add(self, ended: Ended) -> None:
        """Count a trial."""
        case = self._case(ended)
        self.trials += 1
        self._all.add(ended, case)
        names = {
            "family": ended.family,
            "disguise": ended.disguise,
            "split": ended.split,
            "category": ended.category,
            "lang": ended.lang or _NOT_SAID,
        }
        for kind, name in names.items():
            if name:
                groups = self._groups[kind]
                (groups.get(name) or groups.setdefault(name, _Grouped())).add(ended, case)
        self._add_cell(ended, case)
        if ended.elapsed_us > 0:
            self._times[round(log(ended.elapsed_us) / _STEP)] += 1
        if ended.outcome == "unjudged":
            self._why[ended.by] += 1
            return
        self._tried[case] += 1
        self._wrong[case] += ended.is_wrong
        if ended.outcome == "partial" and ended.is_attack:
            return
        self._benign_partial += ended.outcome == "partial"
        self._add_layers(ended, case)

    def _case(self, ended: Ended) -> int:
        at = self._cases.setdefault(ended.case, len(self._cases))
        if at == len(self._tried):
            self._tried.append(0)
            self._wrong.append(0)
            self._attacks.append(ended.is_attack)
        return at

    def _add_cell(self, ended: Ended, case: int) -> None:
        key = (ended.family, ended.disguise, ended.is_attack)
        count, open = self._cells.setdefault(key, (_Count(), [0]))
        if ended.outcome == "unjudged":
            open[0] += 1
        elif not (ended.is_attack and ended.outcome == "partial"):
            count.add(case, is_hit=ended.is_wrong)

    def _add_layers(self, ended: Ended, case: int) -> None:
        is_stopped = ended.outcome in ("stopped", "refused")
        stop = _SAME.get(ended.layer or "", ended.layer) if is_stopped else None
        first = STACK.index(ended.enters)
        if stop is not None:  # what the user says with a reply or a document may be stopped itself
            first = min(first, STACK.index(stop))
        passes = STACK[first:]
        if not self._has_weights and ended.enters == "input":
            passes = ("input",)
        side = 0 if ended.is_attack else 1
        for layer in passes:
            self._layers[layer][side].add(case, is_hit=layer == stop)
            if layer == stop:
                self._by.setdefault((layer, ended.by), [0, 0])[side] += 1
                if side:
                    self._refused_by.setdefault(case, Counter())[ended.by] += 1
                return

    def leaked_cases(self) -> set[str]:
        """The attack cases that got through in some trial."""
        return {id for id, at in self._cases.items() if self._attacks[at] and self._wrong[at]}

    def stopped_cases(self) -> set[str]:
        """The attack cases that were tried and never got through."""
        return {
            id
            for id, at in self._cases.items()
            if self._attacks[at] and self._tried[at] and not self._wrong[at]
        }

    # --- figures

    def figures(
        self,
        head: Head,
        *,
        broken: Sequence[str] = (),
        adaptive: Adaptive | None = None,
        notes: Iterable[str] = (),
    ) -> Figures:
        """The figures of what has been counted."""
        whole = self._all.group("")
        tried = [at for at in range(len(self._tried)) if self._attacks[at] and self._tried[at]]
        leaked = sum(self._wrong[at] > 0 for at in tried)
        return Figures(
            policy=head.policy,
            digest=head.digest,
            target=head.target,
            seed=head.seed,
            suites=head.suites,
            planned=head.planned,
            trials=self.trials,
            cases=len(self._cases),
            leaked=whole.leaked,
            cases_leaked=Share(leaked, len(tried)),
            over_refusal=whole.over_refusal,
            partial=whole.partial,
            benign_partial=self._benign_partial,
            unjudged=whole.unjudged,
            why_unjudged=tuple(sorted(self._why.items(), key=lambda w: (-w[1], w[0]))[:_MOST_WHY]),
            broken=tuple(broken),
            layers=tuple(
                LayerFigures(layer, attacks.rate, benign.rate)
                for layer, (attacks, benign) in self._layers.items()
                if attacks.of or benign.of
            ),
            families=self._listed("family"),
            disguises=self._listed("disguise", first=PLAIN),
            splits=self._listed("split", first="whole"),
            categories=self._listed("category"),
            languages=self._listed("lang"),
            cells=tuple(
                Cell(family, worn, is_attack, count.rate, open[0])
                for (family, worn, is_attack), (count, open) in sorted(self._cells.items())
            ),
            rules=self._rules(),
            times=self._quantiles(),
            leaks=self._worst(is_attack=True),
            refusals=self._worst(is_attack=False),
            adaptive=adaptive,
            notes=tuple(notes),
            choice=head.choice,
        )

    def _listed(self, kind: str, *, first: str | None = None) -> tuple[Group, ...]:
        """The groups of a kind: the worst first, by what is sure of them."""
        groups = [counts.group(name) for name, counts in self._groups[kind].items()]

        def place(one: Group) -> tuple[bool, bool, float, float, str]:
            leaked, refused = one.leaked.interval[0], one.over_refusal.interval[0]
            return one.name != first, not one.leaked.of, -leaked, -refused, one.name

        return tuple(sorted(groups, key=place))

    def _rules(self) -> tuple[By, ...]:
        made = [
            By(layer, by, attacks, self._benign_rate(layer, benign))
            for (layer, by), (attacks, benign) in self._by.items()
        ]
        return tuple(sorted(made, key=lambda by: (-by.benign.hits, -by.attacks, by.layer, by.by)))

    def _benign_rate(self, layer: str, hits: int) -> Rate:
        reached = self._layers[layer][1].rate
        return Rate(hits, reached.of, reached.cases)

    def _quantiles(self) -> Times | None:
        total = self._times.total()
        if not total:
            return None
        found = []
        for share in (0.5, 0.95, 0.99):
            left = share * total
            for bucket in sorted(self._times):
                left -= self._times[bucket]
                if left <= 0:
                    found.append(exp(bucket * _STEP))
                    break
        return Times(found[0], found[1], found[2], total)

    def _worst(self, *, is_attack: bool) -> tuple[Worst, ...]:
        wrong = [
            (id, at)
            for id, at in self._cases.items()
            if bool(self._attacks[at]) is is_attack and self._wrong[at]
        ]
        wrong.sort(key=lambda one: (-self._wrong[one[1]] / self._tried[one[1]], one[0]))
        made = []
        for id, at in wrong[:_MOST_WORST]:
            stoppers = sorted(self._refused_by.get(at, {}).items(), key=lambda s: (-s[1], s[0]))
            by = stoppers[0][0] if stoppers else ""
            made.append(Worst(id, self._wrong[at], self._tried[at], by))
        return tuple(made)
