"""One policy file, compiled and bound for a verb that judges with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from guardkit.errors import BindError
from guardkit.guard import CATALOG, Guard, ParamValue, data_of, plan_of
from guardkit.runtime import Machine

from ._compiled import checked_file
from ._screen import Screen


def bound_file(
    show: Screen, name: str, params: Mapping[str, ParamValue], std: Path | None
) -> Guard | None:
    """The guard of a policy file, or None when there is none and people have been told why."""
    policy = checked_file(show, name, params, std)
    if policy is None:
        return None
    if policy.kind == "module":
        show.complain(f"`{name}` is a module: a policy that uses it can judge, it cannot")
        return None
    machine = Machine(data_of(Path(name).parent, std))
    try:
        return Guard(plan_of(policy), catalog=CATALOG, machine=machine)
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
        return None
