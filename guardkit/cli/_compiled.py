"""One policy file, compiled for a verb that works on its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guardkit.diagnostics import Diagnostic, visible
from guardkit.errors import PolicyError
from guardkit.guard import ParamValue, compile_file, plan_of, policy_path
from guardkit.plan import Plan
from guardkit.semantics import CheckedPolicy

from ._findings import show_frames, summed_up
from ._screen import Screen

if TYPE_CHECKING:
    from guardkit.packs import Installed


def checked_file(
    show: Screen,
    name: str,
    params: Mapping[str, ParamValue],
    std: Path | None,
    packs: Installed | None = None,
    overlay: Path | None = None,
) -> CheckedPolicy | None:
    """The policy of a file, or None when it does not compile and people have been told why."""
    path = policy_path(name)
    checked = compile_file(path, params=params, std=std, packs=packs, overlay=overlay)
    if checked.policy is not None:
        return checked.policy
    _show(show, checked.diagnostics)
    return None


def _show(show: Screen, found: Sequence[Diagnostic]) -> None:
    show_frames(show, found)
    show.say()
    show.say(summed_up(show, found))


def planned_file(
    show: Screen,
    name: str,
    params: Mapping[str, ParamValue],
    std: Path | None,
    packs: Installed | None = None,
    overlay: Path | None = None,
) -> Plan | None:
    """The plan of a file, or None when it has none and people have been told why."""
    policy = checked_file(show, name, params, std, packs, overlay)
    if policy is None:
        return None
    if policy.kind == "module":
        show.complain(
            f"`{visible(name)}` is a module: a policy that uses it has a plan, it has none"
        )
        return None
    try:
        return plan_of(policy)
    except PolicyError as error:
        _show(show, error.diagnostics)
        return None
