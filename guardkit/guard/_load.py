"""From a policy's text to a guard that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from guardkit.catalog import Catalog
from guardkit.errors import PolicyError, UsageError
from guardkit.runtime import HoldQueue, Machine, Thresholds
from guardkit.semantics import Checked

from ._compile import (
    CATALOG,
    ParamValue,
    compile_file,
    compile_text,
    data_of,
    folder_of,
    installed,
    plan_of,
    policy_path,
)
from ._guard import Guard


def load(
    policy: str | Path,
    *,
    params: Mapping[str, ParamValue] | None = None,
    checks: Mapping[str, object] | None = None,
    holds: HoldQueue | None = None,
    catalog: Catalog = CATALOG,
    thresholds: Thresholds | None = None,
    device: str = "auto",
    today: Callable[[], date] = date.today,
    packs: str | Path | None = None,
) -> Guard:
    """Compile and bind a policy.

    Args:
        policy: The path of a `.guard` file, or the name of a policy that ships: `"chat"`.
        params: Values for the policy's `param`s.
        checks: The program's own objects for `judge`, `python` and `schema` checks, by check name.
        holds: Where held texts wait for approval; in memory when left out.
        catalog: The check kinds; with more than the shipped ones for extensions.
        thresholds: Calibration for `at fpr …`: (check, measure, rate) to score. It goes before
            what the models themselves say.
        device: Where models run: `auto`, `cpu` or `gpu`.
        today: The day against which exemptions end and packs expire.
        packs: A pack store; what is installed there acts as if the policy had it.

    Raises:
        PolicyError: The text is wrong. It carries every diagnostic.
        BindError: This machine cannot run it, for all the reasons given.

    Example:
        >>> guard = load("policies/starter/starter.guard")  # doctest: +SKIP
    """
    path = policy_path(policy)
    added = None if packs is None else installed(packs, today())
    checked = compile_file(path, params=params, catalog=catalog, packs=added)
    machine = Machine(
        data_of(path.parent, packs=added),
        checks or {},
        thresholds or {},
        today,
        folder=folder_of(path.parent),
        device=device,
    )
    return _bound(checked, catalog, machine, holds)


def loads(
    text: str,
    *,
    root: str | Path | None = None,
    params: Mapping[str, ParamValue] | None = None,
    checks: Mapping[str, object] | None = None,
    holds: HoldQueue | None = None,
    catalog: Catalog = CATALOG,
    thresholds: Thresholds | None = None,
    device: str = "auto",
    today: Callable[[], date] = date.today,
    packs: str | Path | None = None,
) -> Guard:
    """Compile and bind policy text; see `load`.

    Args:
        text: The policy.
        root: The folder its own files lie in; without it the policy can use none.

    Raises:
        PolicyError: The text is wrong. It carries every diagnostic.
        BindError: This machine cannot run it, for all the reasons given.
    """
    if not isinstance(text, str):
        raise UsageError(f"a policy is text, not {type(text).__name__}")
    added = None if packs is None else installed(packs, today())
    checked = compile_text(text, root=root, params=params, catalog=catalog, packs=added)
    own = None if root is None else Path(root)
    machine = Machine(
        data_of(own or Path("/nonexistent"), packs=added),
        checks or {},
        thresholds or {},
        today,
        folder=folder_of(own),
        device=device,
    )
    return _bound(checked, catalog, machine, holds)


def _bound(checked: Checked, catalog: Catalog, machine: Machine, holds: HoldQueue | None) -> Guard:
    policy = checked.policy
    if policy is None or any(found.is_error for found in checked.diagnostics):
        raise PolicyError(checked.diagnostics)
    if policy.kind == "module":
        raise UsageError(f"`{policy.name}` is a module: a policy has to `use` it")
    return Guard(plan_of(policy, catalog), catalog=catalog, machine=machine, holds=holds)
