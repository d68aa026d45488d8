"""`guardkit diff`: which verdicts change between two policies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from guardkit.errors import UsageError
from guardkit.guard import case_file, policy_path
from guardkit.semantics import Change, Comparison, as_test, compare, render_comparison
from guardkit.types import Surface

from ._compiled import checked_file
from ._exits import CLEAN, FINDINGS, NOTHING, UNJUDGED, WRONG
from ._policies import CONTEXT, OVERLAY, PACKS, PARAM, STD, Params, facts_of, on_option
from ._screen import Screen, screen
from ._verbs import verb

if TYPE_CHECKING:
    # What compares only loads no engine.
    from guardkit.packs import Installed

    from ._diff_data import Tally

Format = Literal["text", "json", "markdown"]
_MOST = 5


@verb("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.argument("more", nargs=-1, metavar="[DATA]...")
@click.option(
    "--data",
    "data",
    multiple=True,
    metavar="DATA",
    help="Replay recorded traffic: a file of texts, as `scan` reads it. Repeat for more.",
)
@click.option("--only-data", is_flag=True, help="Only the replay.")
@on_option("recorded texts that name none")
@click.option(
    "--most",
    type=click.IntRange(0, 1000),
    default=_MOST,
    metavar="N",
    help=f"How many examples of each change, {_MOST} when left out.",
)
@click.option("--show-values", is_flag=True, help="Show the texts of the examples.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    metavar="FORMAT",
    help="text, json or markdown.",
)
@click.option("--json", "format", flag_value="json", help="The same as --format json.")
@CONTEXT
@PARAM
@PACKS
@OVERLAY
@click.option(
    "--old-overlay",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What OLD is deployed with, where --overlay is about NEW.",
)
@STD
def command(
    old: str,
    new: str,
    more: tuple[str, ...],
    data: tuple[str, ...],
    only_data: bool,
    on: Surface,
    most: int,
    show_values: bool,
    format: Format,
    facts: Params,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    old_overlay: Path | None,
    std: Path | None,
) -> int:
    """Show which verdicts change from OLD to NEW, each with an example.

    Both policies are compared over everything their checks could answer. An example is a `test`
    block: add it to the policy to keep what it shows.

    With --data, both judge recorded traffic as well, and what became of the verdicts is counted.
    Each policy has sessions of its own. Examples are named by id or line; no text is shown.

    With --packs, OLD has the packs of STORE as they act now, NEW as if the newest of each were in
    force for all: with one policy given twice, what putting them in force would change.

    --overlay is about NEW alone: with one policy given twice, what the overlay changes. OLD has one
    of its own with --old-overlay.

    --format markdown is a comment for a review: what is weaker stands first, and all of it is under
    60,000 characters.

    Exits with 1 when NEW is weaker anywhere, 2 when a policy or a file is wrong, 3 when something
    could not be compared or judged and nothing weaker was found, 5 when there is no recorded text.
    """
    show = screen()
    files = _files(data, more)
    if only_data and not files:
        raise click.UsageError("--only-data needs --data.")
    context = facts_of(facts)
    names = policy_path(old).as_posix(), policy_path(new).as_posix()
    stores, overlays = (packs, packs and packs.in_force()), (old_overlay, overlay)
    sides = tuple(zip(names, stores, overlays, strict=True))
    codes = set[int]()
    comparison: Comparison | None = None
    if not only_data:
        before, after = (
            checked_file(show, name, dict(params), std, added, rolled)
            for name, added, rolled in sides
        )
        if before is None or after is None:
            return WRONG
        comparison = compare(before, after, today=date.today())
        codes.add(_code(comparison))
    tally: Tally | None = None
    if files:
        from ._bound import bound_file
        from ._diff_data import Tally, tally_of

        first, second = (
            bound_file(show, name, dict(params), std, added, rolled)
            for name, added, rolled in sides
        )
        if first is None or second is None:
            return WRONG
        tally = Tally(most, shows_texts=show_values)
        try:
            tally_of(show, (first, second), files, on, context, tally)
        except UsageError as error:
            show.complain(str(error))
            codes.add(WRONG)
        codes.add(_code_of(tally))
    _tell(show, format, comparison, tally)
    return next(code for code in (WRONG, FINDINGS, UNJUDGED, NOTHING, CLEAN) if code in codes)


def _files(data: Sequence[str], more: Sequence[str]) -> list[Path]:
    """`--data logs/*.jsonl` leaves all but the first file to stand by themselves."""
    if more and not data:
        raise click.UsageError(f"Got an extra argument `{more[0]}`: recorded texts need --data.")
    try:
        return [case_file(name) for name in (*data, *more)]
    except UsageError as error:
        raise click.UsageError(f"{error}.") from None


def _code(comparison: Comparison) -> int:
    if comparison.is_weaker:
        return FINDINGS
    return CLEAN if comparison.is_exact else UNJUDGED


def _code_of(tally: Tally) -> int:
    if tally.weaker:
        return FINDINGS
    if not tally.is_whole:
        return UNJUDGED
    return CLEAN if tally.texts else NOTHING


def _tell(show: Screen, format: Format, comparison: Comparison | None, tally: Tally | None) -> None:
    if format == "json":
        said = {} if comparison is None else _data(comparison)
        if tally is not None:
            from ._diff_report import as_data

            said["replay"] = as_data(tally)
        show.out.write(json.dumps(said, indent=2) + "\n")
    elif format == "markdown":
        from ._diff_markdown import markdown

        show.out.data(markdown(comparison, tally, command="guardkit diff --json"))
    else:
        if comparison is not None:
            show.out.write(render_comparison(comparison, show.out.width))
        if tally is not None:
            from ._diff_report import write_text

            show.out.write("" if comparison is None else "\n")
            write_text(show.out, tally)
    if tally is not None and not tally.texts:
        show.say(show.err.paint("there is no recorded text", "warn"))
    if tally is None and comparison is not None and comparison.has_changed_check:
        show.say("a changed check may find less: that is not compared, only its tests tell")


def _data(comparison: Comparison) -> dict[str, object]:
    return {
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
