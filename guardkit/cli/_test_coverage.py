"""What the tests of policies have seen of their outcomes, as a table and as a list of the rest."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from guardkit._util.shares import Share
from guardkit.diagnostics import visible
from guardkit.testing import KINDS, Kind, Seen

from ._screen import Screen
from ._test_report import Suite

_HEADS: Final[dict[Kind, str]] = {
    "rule": "rules",
    "step": "steps",
    "member": "members",
    "exemption": "exempt.",
    "sequence": "sequen.",
    "window": "windows",
}
_COLUMN: Final = 9
_NARROWEST: Final = 12


def total(suites: Sequence[Suite], kind: Kind = "rule") -> Share:
    """How many outcomes of a kind were seen, over all files."""
    shares = [suite.covered.of(kind) for suite in suites if suite.covered is not None]
    return Share(sum(share.hits for share in shares), sum(share.of for share in shares))


def percent(share: Share) -> float:
    """A share in percent; of none, all were seen."""
    return 100.0 * share.hits / share.of if share.of else 100.0


def is_under(suites: Sequence[Suite], fail_under: float | None) -> bool:
    """Whether the tests have seen less of the rules' outcomes than they have to."""
    return fail_under is not None and percent(total(suites)) < fail_under


def show_coverage(show: Screen, suites: Sequence[Suite], fail_under: float | None) -> None:
    """The table, and below it everything that was never seen."""
    look = show.err
    covered = [suite for suite in suites if suite.covered is not None]
    kinds = [kind for kind in KINDS if kind == "rule" or total(covered, kind).of]
    room = max(look.width - _COLUMN * (len(kinds) + 1), _NARROWEST)
    names = [_fitted(visible(suite.path), room) for suite in covered]
    widest = max(map(len, [*names, "outcomes seen", "in all"]))
    heads = "".join(f"{_HEADS[kind]:>{_COLUMN}}" for kind in kinds)
    look.line(look.paint(f"{'outcomes seen':<{widest}}{heads}", "dim"))
    for name, suite in zip(names, covered, strict=True):
        _row(show, f"{name:<{widest}}", kinds, [suite])
    if len(covered) > 1:
        _row(show, f"{'in all':<{widest}}", kinds, covered)
    missing = [one for suite in covered if suite.covered for one in suite.covered.missing]
    if missing:
        look.line()
        look.line(look.paint("never seen", "warn"))
        _never(show, missing)
    if is_under(suites, fail_under):
        seen = f"{_floored(percent(total(suites)))} % of the rules' outcomes were seen"
        look.line()
        look.line(look.paint(f"{seen}, and {fail_under:g} % have to be", "bad"))


def _row(show: Screen, name: str, kinds: Sequence[Kind], suites: Sequence[Suite]) -> None:
    cells = []
    for kind in kinds:
        share = total(suites, kind)
        text = f"{share.hits}/{share.of}" if share.of else "-"
        style = "dim" if not share.of else "good" if share.hits == share.of else "warn"
        cells.append(" " * (_COLUMN - len(text)) + show.err.paint(text, style))
    share = total(suites)
    text = f"{_floored(percent(share))} %" if share.of else "-"
    style = "good" if share.hits == share.of else "warn"
    cells.append(" " * max(1, _COLUMN - len(text)) + show.err.paint(text, style))
    show.err.line(name + "".join(cells))


def _floored(value: float) -> str:
    """A percentage that says 100 only where it is."""
    return f"{int(value * 10) / 10:g}"


def _fitted(name: str, room: int) -> str:
    """A path, its beginning cut off where it is too long."""
    return name if len(name) <= room else "…" + name[-(room - 1) :]


def _never(show: Screen, missing: Sequence[Seen]) -> None:
    """By file, with the line of each part of a policy and what never came of it."""
    files: dict[str, dict[tuple[int, str], list[str]]] = {}
    for one in missing:
        path = "" if one.place is None else one.place.source.path
        line = 0 if one.place is None else one.place.start.line
        parts = files.setdefault(path, {})
        parts.setdefault((line, one.title), []).append(one.what)
    for path, parts in files.items():
        show.err.line(f"  {visible(path)}")
        for (line, title), what in parts.items():
            text = f"{visible(title)}: {', '.join(what)}"
            first, *more = textwrap.wrap(text, show.err.width - 9, break_on_hyphens=False)
            show.err.line(f"{show.err.paint(f'{line:>7}', 'dim')}  {first}")
            for piece in more:
                show.err.line(" " * 9 + piece)
