"""From a policy's text to a guard that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
from ._hearing import Auditing, OnAuditError

if TYPE_CHECKING:
    from guardkit.telemetry import Sink


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
    overlay: str | Path | None = None,
    audit: Auditing | None = None,
    on_audit_error: OnAuditError = "block",
    alarms: Iterable[Sink] | None = None,
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
        overlay: A TOML file of this deployment that says how far it has come: its table `[rules]`
            puts rules into shadow, in force for a share of the sessions, or out of use.
        audit: The log that keeps every verdict, such as `guardkit.Audit("audit.db")`.
        on_audit_error: What becomes of a verdict that could not be kept: it is a block, or it
            stands (`continue`).
        alarms: Who is told when a `monitor` of the policy rings. Given, even empty, everything is
            counted: `guard.monitors` has the numbers.

    Raises:
        PolicyError: The text is wrong. It carries every diagnostic.
        BindError: This machine cannot run it, for all the reasons given.

    Example:
        >>> guard = load("policies/starter/starter.guard")  # doctest: +SKIP
    """
    path = policy_path(policy)
    added = None if packs is None else installed(packs, today())
    checked = compile_file(path, params=params, catalog=catalog, packs=added, overlay=overlay)
    machine = Machine(
        data_of(path.parent, packs=added),
        checks or {},
        thresholds or {},
        today,
        folder=folder_of(path.parent),
        device=device,
        watches=alarms is not None,
    )
    heard = _Heard(audit, on_audit_error, alarms)
    return _bound(checked, catalog, machine, holds, heard)


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
    overlay: str | Path | None = None,
    audit: Auditing | None = None,
    on_audit_error: OnAuditError = "block",
    alarms: Iterable[Sink] | None = None,
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
    checked = compile_text(
        text, root=root, params=params, catalog=catalog, packs=added, overlay=overlay
    )
    own = None if root is None else Path(root)
    machine = Machine(
        data_of(own or Path("/nonexistent"), packs=added),
        checks or {},
        thresholds or {},
        today,
        folder=folder_of(own),
        device=device,
        watches=alarms is not None,
    )
    heard = _Heard(audit, on_audit_error, alarms)
    return _bound(checked, catalog, machine, holds, heard)


class _Heard(NamedTuple):
    """Who is told of every verdict."""

    audit: Auditing | None
    on_audit_error: OnAuditError
    alarms: Iterable[Sink] | None


def _bound(
    checked: Checked, catalog: Catalog, machine: Machine, holds: HoldQueue | None, heard: _Heard
) -> Guard:
    policy = checked.policy
    if policy is None or any(found.is_error for found in checked.diagnostics):
        raise PolicyError(checked.diagnostics)
    if policy.kind == "module":
        raise UsageError(f"`{policy.name}` is a module: a policy has to `use` it")
    if heard.on_audit_error not in ("block", "continue"):
        raise UsageError('`on_audit_error` is "block" or "continue"')
    if heard.audit is not None and not hasattr(heard.audit, "record"):
        raise UsageError('`audit` is a log: `guardkit.Audit("audit.db")`')
    if callable(heard.alarms) or isinstance(heard.alarms, str):
        raise UsageError("`alarms` may be several: put them into a list")
    plan = plan_of(policy, catalog)
    monitors = None
    if heard.alarms is not None:
        from guardkit.telemetry import Monitors

        monitors = Monitors(plan, alarms=heard.alarms)
    return Guard(
        plan,
        catalog=catalog,
        machine=machine,
        holds=holds,
        audit=heard.audit,
        on_audit_error=heard.on_audit_error,
        monitors=monitors,
    )
