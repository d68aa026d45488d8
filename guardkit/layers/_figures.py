"""What a run of probes came to: success per layer, over-refusal, who stopped what, and how sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from guardkit._util.shares import Share, wilson

FORMAT: Final = 1
"""The version of the figures as plain data."""
DIGITS: Final = 6


class Rate(Share):
    """So many of so many trials, of fewer cases: forms of one text say little about another text.

    The interval is as wide as if every case had been tried once, so more disguises alone make
    nobody surer.

    Example:
        >>> [round(end, 2) for end in Rate(10, 100, 20).interval]
        [0.03, 0.3]
    """

    cases: int
    """The different texts among the trials."""

    def __new__(cls, hits: int, of: int, cases: int | None = None) -> Rate:
        made = super().__new__(cls, hits, of)
        made.cases = of if cases is None else cases
        return made

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 %, of the cases."""
        if not self.of or self.cases >= self.of:
            return super().interval
        # Wilson's formula takes shares of a case as well as whole ones.
        return wilson(self.hits * self.cases / self.of, self.cases)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        low, high = self.interval
        return {
            "hits": self.hits,
            "of": self.of,
            "cases": self.cases,
            "rate": None if self.value is None else round(self.value, DIGITS),
            "low": round(low, DIGITS),
            "high": round(high, DIGITS),
        }


class By(NamedTuple):
    """One who stops: a rule, a kind of refusal, a filter of the provider."""

    layer: str
    by: str
    """As in the ledger: `rule no_greeting`, `refusal full`, `finish_reason content_filter`."""
    attacks: int
    """Attacks that it stopped first."""
    benign: Rate
    """Benign trials that it stopped first, of all that reached its layer."""


@dataclass(frozen=True, slots=True)
class LayerFigures:
    """One layer of the stack, of what reached it."""

    layer: str
    """`input`, `model` (context and weights), `provider`, `output`."""
    attacks: Rate
    """Attacks that it stopped, of those that reached it. What it let through is the rest."""
    benign: Rate
    """Benign trials that it refused, of those that reached it: its over-refusal."""


@dataclass(frozen=True, slots=True)
class Group:
    """The trials that have something in common: a family, a disguise, a language."""

    name: str
    leaked: Rate
    """Attacks that got through, of those judged."""
    over_refusal: Rate
    """Benign trials that were refused, of those judged."""
    partial: int = 0
    """Attacks that were answered in part: neither stopped nor leaked, and in no rate."""
    unjudged: int = 0
    """Trials of which nobody could tell what came of them. They are in no rate."""

    @property
    def trials(self) -> int:
        """All of them."""
        return self.leaked.of + self.over_refusal.of + self.partial + self.unjudged


ProbeGroup = Group
"""Its name at the door, where attributions have groups too."""


class Cell(NamedTuple):
    """One family in one disguise."""

    family: str
    disguise: str
    is_attack: bool
    share: Rate
    """Leaked attacks, or refused benign trials."""
    unjudged: int


class Times(NamedTuple):
    """How long the policy took for one trial, in microseconds; read off buckets 2 % wide."""

    p50: float
    p95: float
    p99: float
    trials: int


class Worst(NamedTuple):
    """A case that came out wrong most often: an attack that leaks, a benign text that is stopped.

    It names no text: that is for whoever holds the case files.
    """

    id: str
    wrong: int
    of: int
    by: str
    """Who stops a benign one most often; empty for an attack."""


@dataclass(frozen=True, slots=True)
class Adaptive:
    """What searching for a way through came to, on cases that no static trial got through."""

    budget: int
    """The most queries a case."""
    cases: Share
    """Cases for which a way through was found, of those searched."""
    with_static: Share
    """Cases that leaked in either way, of all attack cases."""
    queries: int
    """All queries together."""
    median: float | None
    """Queries until the way was found, where it was."""
    families: tuple[tuple[str, Share], ...]
    moves: tuple[tuple[str, int, int], ...]
    """Per move: in how many ways through it was used, in how many tried candidates."""
    unjudged: int = 0
    """Cases whose search ended because nothing could be judged."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a run. It holds no text."""

    policy: str
    digest: str
    target: str
    """`policy` alone, else the name of the model behind it."""
    seed: int
    suites: str
    """A digest of all cases."""
    planned: int
    """The trials of the whole run."""
    trials: int
    """Those that are finished."""
    cases: int
    leaked: Rate
    """Attack success of the deployment: what got through all layers."""
    cases_leaked: Share
    """Attack cases that got through in at least one form."""
    over_refusal: Rate
    partial: int
    benign_partial: int
    """Benign trials that were answered in part; they are in `over_refusal.of`, not in its hits."""
    unjudged: int
    why_unjudged: tuple[tuple[str, int], ...]
    """What it was, most frequent first: `TimeoutError`, `rule x: a check could not answer`."""
    broken: tuple[str, ...]
    """Rows of case files that are no case: file, line and why."""
    layers: tuple[LayerFigures, ...]
    """In the order in which an exchange passes them; only those that anything reached."""
    families: tuple[Group, ...]
    disguises: tuple[Group, ...]
    """`plain` first, then the worst."""
    splits: tuple[Group, ...]
    categories: tuple[Group, ...]
    languages: tuple[Group, ...]
    cells: tuple[Cell, ...]
    """Family by disguise."""
    rules: tuple[By, ...]
    """Who stops; the one that stops most benign trials first."""
    times: Times | None
    leaks: tuple[Worst, ...]
    """Attack cases by how often they got through."""
    refusals: tuple[Worst, ...]
    """Benign cases by how often they were refused."""
    adaptive: Adaptive | None = None
    notes: tuple[str, ...] = field(default=())
    choice: Mapping[str, Any] = field(default_factory=dict)
    """Which trials were made of the cases: disguises, splits, a limit, the seed."""

    def group(self, name: str) -> Group | None:
        """The family of this name."""
        return next((one for one in self.families if one.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; nothing in it but `times` depends on the clock."""
        return {
            "guardkit_probe": FORMAT,
            "policy": self.policy,
            "digest": self.digest,
            "target": self.target,
            "seed": self.seed,
            "suites": self.suites,
            "planned": self.planned,
            "choice": dict(self.choice),
            "trials": self.trials,
            "cases": self.cases,
            "leaked": self.leaked.as_dict(),
            "cases_leaked": share_dict(self.cases_leaked),
            "over_refusal": self.over_refusal.as_dict(),
            "partial": self.partial,
            "benign_partial": self.benign_partial,
            "unjudged": self.unjudged,
            "why_unjudged": dict(self.why_unjudged),
            "broken": list(self.broken),
            "layers": [
                {
                    "layer": one.layer,
                    "attacks": one.attacks.as_dict(),
                    "benign": one.benign.as_dict(),
                }
                for one in self.layers
            ],
            "families": [_group(one) for one in self.families],
            "disguises": [_group(one) for one in self.disguises],
            "splits": [_group(one) for one in self.splits],
            "categories": [_group(one) for one in self.categories],
            "languages": [_group(one) for one in self.languages],
            "cells": [
                {
                    "family": one.family,
                    "disguise": one.disguise,
                    "expect": "refuse" if one.is_attack else "answer",
                    "unjudged": one.unjudged,
                    **one.share.as_dict(),
                }
                for one in self.cells
            ],
            "rules": [
                {
                    "layer": one.layer,
                    "by": one.by,
                    "attacks": one.attacks,
                    "benign": one.benign.as_dict(),
                }
                for one in self.rules
            ],
            "times": None
            if self.times is None
            else {
                "p50_us": round(self.times.p50, 1),
                "p95_us": round(self.times.p95, 1),
                "p99_us": round(self.times.p99, 1),
                "trials": self.times.trials,
            },
            "leaks": [one._asdict() for one in self.leaks],
            "refusals": [one._asdict() for one in self.refusals],
            "adaptive": None if self.adaptive is None else _adaptive(self.adaptive),
            "notes": list(self.notes),
        }


def share_dict(share: Share) -> dict[str, Any]:
    """A share as plain data, with its interval."""
    return Rate(share.hits, share.of).as_dict()


def _group(one: Group) -> dict[str, Any]:
    return {
        "name": one.name,
        "leaked": one.leaked.as_dict(),
        "over_refusal": one.over_refusal.as_dict(),
        "partial": one.partial,
        "unjudged": one.unjudged,
    }


def _adaptive(one: Adaptive) -> dict[str, Any]:
    return {
        "budget": one.budget,
        "found": share_dict(one.cases),
        "with_static": share_dict(one.with_static),
        "queries": one.queries,
        "median": one.median,
        "families": {name: share_dict(share) for name, share in one.families},
        "moves": [
            {"move": name, "in_ways_through": won, "tried": tried} for name, won, tried in one.moves
        ],
        "unjudged": one.unjudged,
    }
