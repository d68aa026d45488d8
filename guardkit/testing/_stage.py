"""A policy bound for its own tests and probes: nothing is mocked, nothing is hurried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from guardkit.catalog import Catalog
from guardkit.guard import CATALOG, Guard, folder_of, plan_of
from guardkit.runtime import Machine
from guardkit.semantics import CheckedPolicy, ComparedAtRate, Cond, atoms_of

MIDDLE = 0.5
"""The threshold of a rate that nobody calibrated, for tests that say how a check answers."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A policy and the guard that plays its tests and its probes. Make one with `stage`."""

    policy: CheckedPolicy
    guard: Guard
    uncalibrated: frozenset[str]
    """Checks that can answer, and are asked for a rate that nobody calibrated."""
    problems: tuple[str, ...] = ()
    """Why this machine cannot run the whole policy."""

    def why_not(self, check: str) -> str:
        """Why a check cannot be rated here, in a few words."""
        said = [problem for problem in self.problems if f"check `{check}`" in problem]
        return said[0] if said else f"check `{check}` could not answer"


def stage(
    policy: CheckedPolicy,
    read: Callable[[str], bytes],
    *,
    today: date | None = None,
    catalog: Catalog = CATALOG,
    checks: Mapping[str, object] | None = None,
    folder: Callable[[str], Path] | None = None,
) -> Stage:
    """Bind a policy as far as this machine can, for `run_tests` and `run_probes`.

    A check that cannot be bound never answers. Budgets are not kept: whether one is, is a matter
    of the machine and of `bench`, and the same policy has to give the same results everywhere.

    Args:
        policy: A checked policy or module.
        read: Gives the bytes of a data file by the name the policy's checks have for it.
        today: The day against which exemptions end.
        catalog: The check kinds.
        checks: The program's own objects, by check name.
        folder: Gives the folders of the policy, where models lie, by the same kind of name.
    """
    day = today or date.today()
    plan = plan_of(policy, catalog)
    plan = replace(plan, limits=replace(plan.limits, budgets=()))
    machine = Machine(
        read,
        checks or {},
        today=lambda: day,
        may_lack=True,
        folder=folder or folder_of(None),
    )
    guard = Guard(plan, catalog=catalog, machine=machine)
    wanted = {(atom.check, atom.measure, atom.rate) for atom in _rated(policy)}
    missing = wanted - guard.bound.thresholds.keys()
    if not missing:
        return Stage(policy, guard, frozenset(), guard.bound.problems)
    machine = replace(machine, thresholds=dict.fromkeys(missing, MIDDLE))
    guessed = Guard(plan, catalog=catalog, machine=machine)
    asked = missing & guessed.bound.thresholds.keys()
    uncalibrated = frozenset(name for name, _, _ in asked) - guard.lacking
    return Stage(policy, guessed, uncalibrated, guard.bound.problems)


def conditions_of(policy: CheckedPolicy) -> Iterator[Cond]:
    """Every condition of a policy that decides something."""
    yield from (rule.condition for rule in policy.rules)
    yield from (e.condition for e in policy.exemptions if e.condition is not None)
    events = [e for s in policy.sequences for e in (s.first, s.then)]
    yield from (e.where for e in events if e.where is not None)


def _rated(policy: CheckedPolicy) -> Iterator[ComparedAtRate]:
    for condition in conditions_of(policy):
        yield from (atom for atom in atoms_of(condition) if isinstance(atom, ComparedAtRate))
