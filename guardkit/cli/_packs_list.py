"""`guardkit packs list`: what is installed, how it acts, and for how long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from guardkit.diagnostics import visible
from guardkit.packs import Listed, Placed, Store, rules_of

from ._bundles import ending, life_of, told
from ._exits import CLEAN, FINDINGS, NOTHING
from ._screen import Screen, screen
from ._verbs import FORMAT, member

_SOON_DAYS = 14


@member("list")
@click.argument("folder", type=click.Path(path_type=Path), metavar="STORE")
@FORMAT
def command(folder: Path, format: str) -> int:
    """Show the packs of STORE: versions, modes, dates.

    Every bundle is verified again, as a load does.

    Exits with 1 when a pack cannot be used, with 5 when none is installed.
    """
    show = screen()
    today = date.today()

    def run() -> int:
        with told(show):
            store = Store(folder)
            keys = store.trusted()
            found = store.listed(today)
        if format == "json":
            data = {
                "trusted": [key.id for key in keys],
                "packs": [_json(one, today) for one in found],
            }
            show.out.write(json.dumps(data, indent=2) + "\n")
        else:
            for one in found:
                for line in _lines(show, one, today):
                    show.out.line(line)
            show.say(f"{len(keys)} trusted key{'s'[: len(keys) != 1]}")
        if any(one.problems for one in found):
            return FINDINGS
        if all(one.setup.newest is None for one in found):
            show.say("no pack is installed")
            return NOTHING
        return CLEAN

    return ending(run)


def _lines(show: Screen, one: Listed, today: date) -> Iterator[str]:
    out = show.out
    if one.setup.newest is None:
        said = f"removed; only a version after {one.floor} can be added"
        yield f"{out.paint(one.name, 'strong')}  {said}"
        return
    for placed in (one.setup.main, one.setup.trial):
        if placed is None:
            continue
        trial = ", on trial" if placed is one.setup.trial else ""
        mode = out.paint(placed.shown, "good" if placed.acts_for_all else "warn")
        yield f"{out.paint(f'{one.name} {placed.version}', 'strong')}  {mode}{trial}"
        bundle = one.bundles.get(placed.version)
        if bundle is None:
            continue
        life = life_of(bundle.manifest, today)
        expires = bundle.manifest.expires
        is_soon = expires is not None and (expires - today).days < _SOON_DAYS
        yield f"  {out.paint(life, 'warn') if is_soon else life}"
        if bundle.manifest.title:
            yield from (f"  {line}" for line in wrap(visible(bundle.manifest.title), out.width - 2))
    for problem in one.problems:
        head = "  wrong: "
        pieces = wrap(problem, out.width - len(head), break_on_hyphens=False)
        yield f"  {out.paint('wrong', 'bad')}: {pieces[0]}"
        yield from (" " * len(head) + piece for piece in pieces[1:])


def _json(one: Listed, today: date) -> dict[str, Any]:
    def placed_data(placed: Placed | None) -> dict[str, Any] | None:
        if placed is None:
            return None
        bundle = one.bundles.get(placed.version)
        found: dict[str, Any] = {
            "version": placed.version,
            "mode": placed.mode,
            "percent": placed.percent,
            "usable": bundle is not None,
        }
        if bundle is not None:
            manifest = bundle.manifest
            expires = manifest.expires
            found["title"] = manifest.title
            found["issued"] = manifest.issued.isoformat()
            found["expires"] = None if expires is None else expires.isoformat()
            found["days_left"] = None if expires is None else (expires - today).days
            found["rules"] = list(rules_of(bundle))
        return found

    return {
        "name": one.name,
        "installed": placed_data(one.setup.main),
        "trial": placed_data(one.setup.trial),
        "newest_ever": one.floor,
        "steps_back": one.steps,
        "problems": list(one.problems),
    }
