"""`guardkit packs add`: a pack comes into a store, in shadow."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from guardkit.diagnostics import visible
from guardkit.errors import PolicyError
from guardkit.guard import compile_file, means_of, plan_findings, policy_path
from guardkit.packs import Installed, Store, read_bytes, rules_of
from guardkit.testing import run_tests

from ._bundles import ending, life_of, setup_lines, told
from ._compiled import planned_file
from ._exits import CLEAN, WRONG
from ._policies import PARAM, STD, Params
from ._screen import screen
from ._verbs import member


@member("add")
@click.argument("folder", type=click.Path(path_type=Path), metavar="STORE")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--policy",
    metavar="FILE",
    help="The policy of the deployment: the pack has to compile with it.",
)
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@PARAM
@STD
def command(
    folder: Path,
    file: Path,
    policy: str | None,
    dry_run: bool,
    params: Params,
    std: Path | None,
) -> int:
    """Add a pack to STORE, in shadow.

    FILE is refused unless it is whole, signed by a key that STORE trusts, in date, newer than every
    version there ever was, and all its tests pass here. What is refused changes nothing. A version
    that is in force stays in force while a newer one is tried beside it; only one that cannot be
    used any more, past its date say, gives its place up.

    What it would do to recorded traffic: `guardkit scan POLICY DATA --packs STORE` lists its rules
    as in shadow, and `guardkit diff POLICY POLICY --packs STORE --data DATA` counts the verdicts
    that change once everything in shadow is in force.

    Exits with 1 when it is refused, 2 when a file, the policy or STORE is wrong.
    """
    show = screen()
    today = date.today()

    def fits(acting: Installed) -> None:
        if policy is None:
            return
        checked = compile_file(policy_path(policy), params=dict(params), std=std, packs=acting)
        found = [*checked.diagnostics]
        if checked.policy is not None:
            found += plan_findings(checked.policy)
        if any(one.is_error for one in found):
            raise PolicyError(found)

    def run() -> int:
        if policy is not None:
            # What is wrong without the pack is not the pack's fault.
            alone = planned_file(show, policy_path(policy).as_posix(), dict(params), std)
            if alone is None:
                return WRONG
        with told(show):
            raw = read_bytes(file)
            bundle, setup = Store(folder).add(
                raw, means_of(run_tests, std=std), today=today, fits=fits, is_trial=dry_run
            )
        many = len(rules_of(bundle))
        show.say(f"{visible(bundle.manifest.title) or bundle.shown}")
        show.say(f"{life_of(bundle.manifest, today)}; {many} rule{'s'[: many != 1]}")
        if policy is None:
            note = show.err.paint("note", "info")
            show.say(f"{note}: --policy FILE would show whether it compiles with the policy")
        for line in setup_lines(bundle.manifest.name, setup):
            show.out.line(line)
        if dry_run:
            show.say("nothing was changed")
        else:
            name = bundle.manifest.name
            show.say(f"next: guardkit packs enforce {visible(folder.as_posix())} {name}")
        return CLEAN

    return ending(run)
