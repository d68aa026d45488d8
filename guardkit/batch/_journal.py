"""The journal of a run: what it is about and how far it is, so that it can go on after a stop."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import NamedTuple

from guardkit.errors import UsageError

from ._corpus import START, Corpus, Mark
from ._judging import Asked, Result


class Identity(NamedTuple):
    """What every result of a run hangs on. INVARIANT: none of it can be turned back into a text."""

    guardkit: str
    policy: str
    corpus: str
    asked: str

    @classmethod
    def of(cls, policy: str, corpus: Corpus, asked: Asked) -> Identity:
        """The identity of a run.

        Args:
            policy: The digest of the plan.
            corpus: What it judges.
            asked: What is asked of the guard.
        """
        facts = json.dumps(asked.context or {}, sort_keys=True, default=repr)
        told = json.dumps([facts, asked.is_whole, asked.shows_values])
        version = str(sys.modules["guardkit"].__version__)
        return cls(version, policy, corpus.identity, hashlib.sha256(told.encode()).hexdigest())

    def refusal(self, now: Identity) -> str:
        """Why a run of this identity cannot go on as another one; empty if it can."""
        changed = [
            what
            for what, before, after in (
                ("guardkit is another version", self.guardkit, now.guardkit),
                ("the policy is another one", self.policy, now.policy),
                ("the files to judge are not what they were", self.corpus, now.corpus),
                ("something else is asked", self.asked, now.asked),
            )
            if before != after
        ]
        return " and ".join(changed)


@dataclass(frozen=True, slots=True)
class Totals:
    """What came of all rows so far."""

    actions: Mapping[str, int] = field(default_factory=dict)
    """How many have each action; those not judged under `error`."""
    undecided: int = 0

    @property
    def rows(self) -> int:
        """How many rows there were."""
        return sum(self.actions.values())

    def plus(self, results: Iterable[Result]) -> Totals:
        """With some more."""
        actions = Counter(self.actions)
        undecided = self.undecided
        for result in results:
            actions[result.action] += 1
            undecided += result.is_undecided
        return Totals(dict(actions), undecided)


@dataclass(frozen=True, slots=True)
class Journal:
    """How far a run is. What the output holds beyond it does not count."""

    identity: Identity
    mark: Mark = START
    size: int = 0
    """Bytes of the output."""
    totals: Totals = field(default_factory=Totals)
    is_over: bool = False

    def at(self, mark: Mark, size: int, totals: Totals, *, is_over: bool = False) -> Journal:
        """The same run, further on."""
        return replace(self, mark=mark, size=size, totals=totals, is_over=is_over)

    def spelled(self) -> str:
        """As text."""
        return json.dumps(asdict(self) | {"identity": self.identity._asdict()}, indent=1) + "\n"

    @classmethod
    def read(cls, text: str | bytes, shown: str) -> Journal:
        """From text.

        Raises:
            UsageError: It is none.
        """
        try:
            data = json.loads(text)
            identity, totals = data["identity"], data["totals"]
            return cls(
                Identity(*(str(identity[name]) for name in Identity._fields)),
                Mark(*map(int, data["mark"])),
                int(data["size"]),
                Totals({str(k): int(n) for k, n in totals["actions"].items()}, totals["undecided"]),
                bool(data["is_over"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"the journal of `{shown}` cannot be read") from None
