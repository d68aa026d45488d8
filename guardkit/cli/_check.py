"""`guardkit check`: everything that is wrong with policies, and what each of them guards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardkit.diagnostics import FORMATS, Diagnostic, Format, render, visible
from guardkit.guard import active_rules, compile_file, plan_findings
from guardkit.semantics import CheckedPolicy
from guardkit.types import SURFACES

from ._findings import exit_code, show_frames, summed_up, unique
from ._policies import FILES, OVERLAY, PACKS, PARAM, STD, Params, find_policies
from ._screen import Screen, screen
from ._verbs import verb, version

if TYPE_CHECKING:
    from guardkit.packs import Installed


@verb("check")
@FILES
@click.option("--strict", is_flag=True, help="Count warnings as findings: exit 1.")
@click.option(
    "--format",
    "format",
    type=click.Choice(FORMATS),
    default="full",
    metavar="FORMAT",
    help=f"{', '.join(FORMATS)}. `full` goes to stderr, the rest to stdout.",
)
@click.option("--fix", is_flag=True, help="Make the safe fixes, then check what is left.")
@PARAM
@PACKS
@OVERLAY
@click.option("--verbose", is_flag=True, help="Show notes in full, and the rules by name.")
@STD
def command(
    files: tuple[str, ...],
    strict: bool,
    format: Format,
    fix: bool,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    verbose: bool,
    std: Path | None,
) -> int:
    """Say everything that is wrong with policies, and what they guard.

    FILE is a policy, or a folder: every .guard file below it.

    Exits with 0 when all compile, 1 for a warning under --strict, 2 when one does not compile or
    cannot be read.
    """
    show = screen()
    paths, found = find_policies(files, is_written=fix)

    fixed: list[str] = []
    policies: list[tuple[Path, CheckedPolicy]] = []
    for path in paths:
        if fix:
            # Imported here: most runs change nothing.
            from ._apply_fixes import apply_fixes

            read = partial(_findings_of, path, params, std, packs, overlay)
            made, wrong = apply_fixes(path, read)
            found += wrong
            if made:
                fixed.append(f"{visible(path.as_posix())}: {_many(made, 'fix', 'fixes')} made")
        policy, said = _examined(path, params, std, packs, overlay)
        found += said
        if policy is not None:
            policies.append((path, policy))
    found = unique(found)
    if format == "full":
        _show(show, found, policies, fixed, verbose=verbose, strict=strict, is_fixed=fix)
    else:
        for line in fixed:
            show.say(line)
        text = render(found, format, ascii=show.out.ascii, version=version())
        if format != "concise":
            show.out.data(text)
        else:
            show.out.write(text)
            show.say(summed_up(show, found) + _fixable(found, is_fixed=fix))
    return exit_code(found, strict=strict)


def _examined(
    path: Path,
    params: Params,
    std: Path | None,
    packs: Installed | None,
    overlay: Path | None,
) -> tuple[CheckedPolicy | None, tuple[Diagnostic, ...]]:
    """A policy, if the file holds one, and everything found in it by any stage."""
    checked = compile_file(path, params=dict(params), std=std, packs=packs, overlay=overlay)
    if checked.policy is None:
        return None, checked.diagnostics
    planned = plan_findings(checked.policy)
    is_usable = not any(finding.is_error for finding in planned)
    return checked.policy if is_usable else None, (*checked.diagnostics, *planned)


def _findings_of(
    path: Path,
    params: Params,
    std: Path | None,
    packs: Installed | None,
    overlay: Path | None,
) -> tuple[Diagnostic, ...]:
    return _examined(path, params, std, packs, overlay)[1]


def _show(
    show: Screen,
    found: Sequence[Diagnostic],
    policies: Sequence[tuple[Path, CheckedPolicy]],
    fixed: Sequence[str],
    *,
    verbose: bool,
    strict: bool,
    is_fixed: bool,
) -> None:
    if show_frames(show, found, verbose=verbose):
        show.say()
    for line in fixed:
        show.say(line)
    for path, policy in policies:
        for line in _guards(show, visible(path.as_posix()), policy):
            show.say(line)
        if verbose:
            for line in _names(policy):
                show.say(line)
    warned = any(d.level == "warning" for d in found) and exit_code(found) == 0
    why = "; under --strict that is a failure" if warned and strict else ""
    show.say(summed_up(show, found) + _fixable(found, is_fixed=is_fixed) + why)


def _fixable(found: Sequence[Diagnostic], *, is_fixed: bool) -> str:
    """How many of the findings `--fix` would put right."""
    number = 0 if is_fixed else sum(d.fix is not None and d.fix.safe for d in found)
    return f"; {number} fixable with --fix" if number else ""


def _guards(show: Screen, path: str, policy: CheckedPolicy) -> list[str]:
    """`5 rules active · input 3 · output 4`, and how many rules do not act."""
    painted = f"{show.err.paint(path, 'strong')}: "
    if policy.kind == "module":
        rules, checks = len(policy.rules), len(policy.checks)
        return [
            f"{painted}a module with {_many(checks, 'check')} and {_many(rules, 'rule')} to apply"
        ]
    by_surface = active_rules(policy)
    acting = {name for names in by_surface.values() for name in names}
    parts = [f"{surface} {len(by_surface[surface])}" for surface in _ordered(by_surface)]
    for mode in ("shadow", "retired"):
        idle = sum(rule.mode == mode for rule in policy.rules)
        parts += [f"{idle} {'in shadow' if mode == 'shadow' else mode}"] if idle else []
    shared = sum(rule.share < 100 for rule in policy.rules)
    parts += [f"{shared} for a share of sessions"] if shared else []
    active = f"{_many(len(acting), 'rule')} active"
    where = " · ".join(parts)
    if len(path) + 2 + len(active) + 3 + len(where) <= show.err.width:
        return [f"{painted}{' · '.join([active, *parts])}"]
    return [painted + active, f"  {where}"]


def _names(policy: CheckedPolicy) -> list[str]:
    if policy.kind == "module":
        return []
    by_surface = active_rules(policy)
    lines = [
        f"  {surface:<12} {', '.join(by_surface[surface])}" for surface in _ordered(by_surface)
    ]
    for mode, says in (("shadow", "in shadow"), ("retired", "retired")):
        idle = [rule.name for rule in policy.rules if rule.mode == mode]
        lines += [f"  {says:<12} {', '.join(idle)}"] if idle else []
    for rule in policy.rules:
        if rule.share < 100:
            lines.append(f"  {f'for {rule.share:g}%':<12} {rule.name}")
    bare = [surface for surface in SURFACES if surface not in by_surface]
    return [*lines, f"  {'no rule on':<12} {', '.join(bare)}"] if bare else lines


def _ordered(by_surface: dict[str, tuple[str, ...]]) -> list[str]:
    return [surface for surface in SURFACES if surface in by_surface]


def _many(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
