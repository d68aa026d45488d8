"""What is measured: a policy as it runs, or a module by itself, with all its rules and checks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from guardkit.guard import CATALOG, Guard, data_of, folder_of, plan_of
from guardkit.plan import Plan
from guardkit.runtime import Machine
from guardkit.semantics import Asked, Check, CheckedPolicy, Compared, Cond, Labelled, Monitor
from guardkit.types import SURFACES

if TYPE_CHECKING:
    from guardkit.packs import Installed

_DAY_MS: Final = 86_400_000


def guard_for(
    policy: CheckedPolicy,
    path: Path,
    std: Path | None = None,
    packs: Installed | None = None,
) -> Guard:
    """A guard to measure with.

    Args:
        policy: A policy, or a module: all its rules act and all its checks are asked.
        path: Its file.
        std: Where the shipped modules lie, if it is elsewhere.
        packs: The packs that were added to it.

    Raises:
        PolicyError: It has no plan, because it is too deep.
        BindError: This machine cannot run it, for all the reasons given.
    """
    plan = module_plan(policy) if policy.kind == "module" else plan_of(policy)
    machine = Machine(data_of(path.parent, std, packs), folder=folder_of(path.parent, std))
    return Guard(plan, catalog=CATALOG, machine=machine)


def module_plan(policy: CheckedPolicy) -> Plan:
    """A plan in which every check of a policy or module is asked on every surface of texts.

    A check that no rule needs has no place in a plan. A monitor gives it one, and judges nothing.
    """
    watching = [
        Monitor(f"{check.name} on {surface}", _mention(check), None, surface, "above", 1.0, _DAY_MS)
        for check in policy.checks
        for surface in SURFACES
        if surface != "conversation"
    ]
    return plan_of(replace(policy, monitors=(*policy.monitors, *watching)))


def _mention(check: Check) -> Cond:
    """Some condition on a check; which one does not matter."""
    match check.answers:
        case "answer":
            return Asked(check.name)
        case "label":
            return Labelled(check.name, (*check.labels[:1],) or ("none",))
        case _:
            return Compared(check.name, "<", 0.0)
