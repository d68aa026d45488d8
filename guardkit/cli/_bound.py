"""One policy file, compiled and bound for a verb that judges with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from guardkit.errors import BindError
from guardkit.guard import CATALOG, Guard, ParamValue, data_of, folder_of, policy_path
from guardkit.runtime import Machine

from ._compiled import planned_file
from ._screen import Screen

if TYPE_CHECKING:
    from guardkit.packs import Installed


def bound_file(
    show: Screen,
    name: str,
    params: Mapping[str, ParamValue],
    std: Path | None,
    packs: Installed | None = None,
    overlay: Path | None = None,
    *,
    device: str = "auto",
) -> Guard | None:
    """The guard of a policy file, or None when there is none and people have been told why."""
    path = policy_path(name)
    plan = planned_file(show, path.as_posix(), params, std, packs, overlay)
    if plan is None:
        return None
    try:
        machine = Machine(
            data_of(path.parent, std, packs), folder=folder_of(path.parent, std), device=device
        )
        return Guard(plan, catalog=CATALOG, machine=machine)
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
        return None
