"""`guardkit diff`: which verdicts change between two policies."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from guardkit.semantics import Change, Comparison, as_test, compare, render_comparison

from ._compiled import checked_file
from ._exits import CLEAN, FINDINGS, UNJUDGED, WRONG
from ._policies import PARAM, STD, Params
from ._screen import screen
from ._verbs import verb


@verb("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--json", "as_json", is_flag=True, help="The changes as JSON.")
@PARAM
@STD
def command(
    old: str,
    new: str,
    as_json: bool,
    params: Params,
    std: Path | None,
) -> int:
    """Show which verdicts change from OLD to NEW, each with an example.

    Both policies are compared over everything their checks could answer. An example is a `test`
    block: add it to the policy to keep what it shows.

    Exits with 1 when NEW is weaker anywhere, 2 when a policy does not compile, 3 when there was
    too much to compare and nothing weaker was found in what could be.
    """
    show = screen()
    before = checked_file(show, old, dict(params), std)
    after = checked_file(show, new, dict(params), std)
    if before is None or after is None:
        return WRONG
    comparison = compare(before, after, today=date.today())
    if as_json:
        show.out.write(_json(comparison))
    else:
        show.out.write(render_comparison(comparison, show.out.width))
    if any(setting.kind == "check" and setting.how == "changed" for setting in comparison.settings):
        show.say("a changed check may find less: that is not compared, only its tests tell")
    if comparison.is_weaker:
        return FINDINGS
    return CLEAN if comparison.is_exact else UNJUDGED


def _json(comparison: Comparison) -> str:
    data = {
        "old": comparison.old,
        "new": comparison.new,
        "is_weaker": comparison.is_weaker,
        "is_exact": comparison.is_exact,
        "changes": [_change(number, c) for number, c in enumerate(comparison.changes, 1)],
        "settings": [
            {
                "kind": setting.kind,
                "name": setting.name,
                "how": setting.how,
                "field": setting.field,
                "before": setting.before,
                "after": setting.after,
                "is_weaker": setting.is_weaker,
            }
            for setting in comparison.settings
        ],
    }
    return json.dumps(data, indent=2) + "\n"


def _change(number: int, change: Change) -> dict[str, object]:
    return {
        "surface": change.surface,
        "tools": list(change.tools),
        "before": change.before,
        "after": change.after,
        "old_rules": list(change.old_rules),
        "new_rules": list(change.new_rules),
        "is_weaker": change.is_weaker,
        "test": as_test(change, f"change {number}"),
    }
