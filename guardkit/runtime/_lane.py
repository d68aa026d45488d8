"""One surface of a plan, bound to live checks: everything a call needs, prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from guardkit.catalog import Caller, Finder, Live, Reader
from guardkit.plan import Check, CheckRow, Field, Plan, Root, RuleRow, Sequence, Settler, Window
from guardkit.types import Surface, Truth

from ._breaker import Breaker
from ._expect import topics_of
from ._fields import FieldTest, field_test
from ._scan import Scanner, Sought

DEFAULT_TIMEOUT_S = {"judge": 10.0, "python": 1.0}
"""How long a check that calls out may take where the policy does not say."""


ALL_VIEWS = frozenset({"all"})


class Calling(NamedTuple):
    """A check that calls out, its own deadline and its breaker."""

    name: str
    caller: Caller
    timeout_s: float
    breaker: Breaker


class Cover(NamedTuple):
    """The checks whose matches a rule shows, as nodes."""

    found: frozenset[int]
    """Those that the scan answers: silent unless it saw something."""
    asked: tuple[int, ...]
    """Those that have to be asked."""
    names: Mapping[int, tuple[str, ...]]
    """Their names in the rule."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One surface, ready to judge."""

    surface: Surface
    settler: Settler
    quiet: Settler
    """The same, where no finder found anything."""
    is_silent: bool
    """Whether a text in which nothing is found passes, with nothing left to ask or remember."""
    scanner: Scanner | None
    finders: frozenset[int]
    readers: Mapping[int, Reader]
    callers: Mapping[int, Calling]
    missing: Mapping[int, str]
    """Checks that nobody can answer here, by node; bound only for tests that give answers."""
    fields: Mapping[int, tuple[str, FieldTest]]
    windows: Mapping[int, tuple[tuple[str, ...], int]]
    sequences: Mapping[int, tuple[str, int]]
    silent: list[object]
    """What a run begins with where no finder found anything: for `Settler.start_with`."""
    node_of: Mapping[str, int]
    """The check node behind each name."""
    covers: Mapping[str, Cover]
    """Whose matches each rule of the surface shows."""
    stops: frozenset[int]
    """The finders that speak for rules in force that keep a text from going out as it is."""
    names: Mapping[int, tuple[str, ...]]
    firsts: tuple[Root, ...]
    thens: Mapping[str, int]
    width: int
    """The longest match, in characters of its view, of any check on this surface."""
    spaced: int
    """The longest one that may have a blank in it."""
    exemptions: Mapping[str, int]
    """The condition of each exemption that has one, by the exemption's name."""
    watches: tuple[Root, ...]
    """The conditions that monitors watch, where somebody listens."""


def lane_of(
    plan: Plan,
    surface: Surface,
    live: Mapping[str, Live],
    thresholds: Mapping[int, float],
    breaker: Callable[[str], Breaker],
    *,
    remembers: bool,
    watches: bool = False,
) -> Lane:
    """Prepare one surface.

    Args:
        plan: The plan.
        surface: One of the surfaces.
        live: The bound checks by name; a check without one cannot answer.
        thresholds: Per node that compares `at` a rate, the score that rate stands for.
        breaker: Gives the breaker of a check, by name.
        remembers: Whether something is kept of every text.
        watches: Whether somebody wants to know what monitors watch.
    """
    watched = plan.asked("watch", surface) if watches else ()
    sought: list[Sought] = []
    readers: dict[int, Reader] = {}
    callers: dict[int, Calling] = {}
    missing: dict[int, str] = {}
    fields: dict[int, tuple[str, FieldTest]] = {}
    windows: dict[int, tuple[tuple[str, ...], int]] = {}
    sequences: dict[int, tuple[str, int]] = {}
    names: dict[int, tuple[str, ...]] = {}
    rows = {row.name: row for row in plan.checks}
    turns = {row.name: (row.counts, row.turns) for row in plan.windows}
    reach = {row.name: row.turns for row in plan.sequences}
    for node in plan.nodes:
        if node.surface != surface:
            continue
        match node.what:
            case Check():
                names[node.id] = node.what.names
            case Field(root):
                fields[node.id] = (root, field_test(node.what))
            case Window(name):
                windows[node.id] = turns[name]
            case Sequence(name):
                sequences[node.id] = (name, reach[name])
            case _:
                pass
    names.update(_left_out(plan, surface, names))
    for at, (name, *_) in names.items():
        bound = live.get(name)
        row = rows[name]
        if bound is None:
            missing[at] = name
        elif isinstance(bound, Finder):
            sought.append(Sought(at, bound, _views(row)))
        elif isinstance(bound, Reader):
            readers[at] = bound
        else:
            callers[at] = Calling(name, bound, _timeout_s(row), breaker(name))
    settler = Settler(plan, surface, thresholds)
    finders = frozenset(one.node for one in sought)
    quiet = settler.assuming_no(finders)
    firsts = plan.asked("first", surface)
    compared = any(
        value == surface
        for row in plan.checks
        for key, value in row.config
        if key in ("of", "in", "same_as")
    )
    is_stateful = bool(
        remembers
        or compared
        or plan.windows
        or plan.sequences
        or any(row.action.for_session and row.mode == "enforce" for row in plan.rules)
    )
    is_silent = (
        not quiet.rules
        and all(truth is Truth.NO for truth in quiet.known_truths.values())
        and not is_stateful
        and not watched
        and "conversation" not in plan.surfaces
    )
    node_of = {name: node for node, group in names.items() for name in group}
    covers = {
        row.name: _cover(row, node_of, finders) for row in plan.rules if surface in row.surfaces
    }
    stopping = [
        covers[row.name].found
        for row in plan.rules
        if row.name in covers and row.mode == "enforce" and row.action.verb != "flag"
    ]
    return Lane(
        surface=surface,
        settler=settler,
        quiet=quiet,
        is_silent=is_silent,
        scanner=Scanner(sought) if sought else None,
        finders=finders,
        readers=readers,
        callers=callers,
        missing=missing,
        fields=fields,
        windows=windows,
        sequences=sequences,
        silent=settler.where_silent([node for node in finders if node >= 0]),
        node_of=node_of,
        covers=covers,
        stops=frozenset[int]().union(*stopping),
        names=names,
        firsts=firsts,
        thens={root.name: root.node for root in plan.asked("then", surface)},
        width=max((_width(rows[group[0]]) for group in names.values()), default=0),
        spaced=max(
            (_spaced(rows[group[0]], live.get(group[0])) for group in names.values()),
            default=0,
        ),
        exemptions={root.name: root.node for root in plan.asked("exempt", surface)},
        watches=watched,
    )


def _left_out(
    plan: Plan, surface: Surface, names: Mapping[int, tuple[str, ...]]
) -> dict[int, tuple[str, ...]]:
    """Checks that no condition of the surface needs, and somebody asks: they get ids of their own.

    `a or (a and b)` is `a`; the matches of `b` still belong to the rule. And the `model` block
    names checks that no rule has to ask.
    """
    placed = {name for group in names.values() for name in group}
    wanted: dict[str, None] = {}
    if surface == "input":  # what tells whether a question is one to answer
        wanted.update(dict.fromkeys(name for name in topics_of(plan) if name not in placed))
    for row in plan.rules:
        if surface in row.surfaces and row.mode != "retired":
            wanted.update(dict.fromkeys(name for name in row.speaks if name not in placed))
    return {-1 - i: (name,) for i, name in enumerate(wanted)}


def _cover(row: RuleRow, node_of: Mapping[str, int], finders: frozenset[int]) -> Cover:
    names: dict[int, tuple[str, ...]] = {}
    for name in row.matches:
        if name in node_of:
            names[node_of[name]] = (*names.get(node_of[name], ()), name)
    return Cover(
        finders.intersection(names), tuple(node for node in names if node not in finders), names
    )


def _width(row: CheckRow) -> int:
    width = dict(row.config).get("width")
    return width if row.spans and isinstance(width, int) else 0


def _spaced(row: CheckRow, bound: Live | None) -> int:
    width = _width(row)
    spaced: int = getattr(bound, "spaced", width)
    return min(spaced, width)


def _views(row: CheckRow) -> frozenset[str]:
    chosen = dict(row.config).get("views")
    return frozenset(map(str, chosen)) if isinstance(chosen, tuple) and chosen else ALL_VIEWS


def _timeout_s(row: CheckRow) -> float:
    timeout_ms = dict(row.config).get("timeout")
    if isinstance(timeout_ms, int | float):
        return timeout_ms / 1000
    return DEFAULT_TIMEOUT_S.get(row.kind, 10.0)
