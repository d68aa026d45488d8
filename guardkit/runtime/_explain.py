"""Why a verdict is what it is: every rule of the surface as a tree of conditions and answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from guardkit.plan import Check, CheckRow, Node, Pending, Plan, Rule, Run, title_of
from guardkit.types import Truth, Verdict

from ._moment import SILENT, Moment, Said, usable

Answered = Literal["yes", "no", "unknown", "not asked"]

_WORDS: dict[Truth, Answered] = {
    Truth.YES: "yes",
    Truth.NO: "no",
    Truth.UNKNOWN: "unknown",
}


class Told(NamedTuple):
    """One condition of a rule: what it says, what came of it, and what it was made of."""

    title: str
    answer: Answered
    detail: str
    below: tuple[Told, ...] = ()

    # Any: the dictionary holds itself, some levels deep.
    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, with all that stands below it."""
        below = [each.as_dict() for each in self.below]
        return {**self._asdict(), "below": below}


class Memory(NamedTuple):
    """What a session remembered when an event was judged, that event included."""

    counts: Mapping[str, int]
    """How often the rules of each window had fired."""
    begun: tuple[str, ...]
    """The sequences of which this event was the first."""
    completed: Mapping[str, Truth]
    """Of the sequences that this event may end, whether it does."""


NO_MEMORY = Memory({}, (), {})


class Explanation(NamedTuple):
    """A verdict and the decision tree behind it, one `Told` for every rule of the surface."""

    verdict: Verdict
    rules: tuple[Told, ...]
    views: tuple[str, ...]
    """The views of the text that were read."""
    answers: Mapping[str, bool | float | str | None] = {}
    """What each check said that was asked, by its name; None for one without a usable answer."""
    memory: Memory | None = None
    """None where nothing was judged: a rule had closed the session."""


def explained(
    plan: Plan, verdict: Verdict, moment: Moment, memory: Memory | None = NO_MEMORY
) -> Explanation:
    """The tree of a finished judgement, from the answers that it left behind."""
    lane = moment.lane
    run = lane.settler.start(moment.event.tool, moment.leaf)
    join = plan.join(lane.surface)
    rules: list[Told] = []
    for i in join.inputs if join is not None else ():
        what = plan.nodes[i].what
        assert isinstance(what, Rule)
        if what.tools and moment.event.tool not in what.tools:
            continue
        row = plan.rule(what.name)
        truth = _answer(run, plan.nodes[i])
        facts = f"{row.tier}, {row.severity}: {row.action.verb}"
        mode = "" if row.mode == "enforce" else f", {row.mode}"
        if row.share < 100:
            mode = f", for {row.share:g}% of sessions"
        below = tuple(_below(plan, run, moment, plan.nodes[i]))
        rules.append(Told(f"rule {row.name}", truth, f"{facts}{mode}", below))
    names = [view.name for seen in moment.sightings.values() for view in seen.views]
    views = tuple(dict.fromkeys(["raw", *names]))
    return Explanation(
        verdict,
        tuple(rules),
        views,
        answers_of({row.name: row for row in plan.checks}, moment),
        memory,
    )


def answers_of(
    rows: Mapping[str, CheckRow], moment: Moment
) -> dict[str, bool | float | str | None]:
    """What each check of a surface said that was asked; None for what is no answer of its kind."""
    found: dict[str, bool | float | str | None] = {}
    for node, names in moment.lane.names.items():
        silent = SILENT if node in moment.lane.finders else None
        said = moment.said.get(node, silent)
        for name in names if said is not None else ():
            row = rows[name]
            is_usable = usable(said, row.answers, row.labels)
            found[name] = said.value if said is not None and is_usable else None
    return dict(sorted(found.items()))


def _below(plan: Plan, run: Run, moment: Moment, node: Node) -> Iterator[Told]:
    for i in node.inputs:
        inner = plan.nodes[i]
        if inner.op in ("view", "scan", "pass"):
            continue
        asked = plan.nodes[inner.inputs[0]] if inner.op == "compare" else inner
        is_leaf = inner.op in ("check", "compare", "field", "window")
        below = () if is_leaf else tuple(_below(plan, run, moment, inner))
        detail = _detail(moment, asked)
        yield Told(title_of(plan, inner), _answer(run, inner), detail, below)


def _answer(run: Run, node: Node) -> Answered:
    truth = run.ask(node.id)
    run.pending.clear()
    return "not asked" if isinstance(truth, Pending) else _WORDS[truth]


def _detail(moment: Moment, node: Node) -> str:
    """What a check said beyond yes or no: a score, where, in which view, how long it took."""
    if not isinstance(node.what, Check):
        return ""
    said = moment.said.get(node.id)
    if said is None:
        return ""
    return ", ".join(filter(None, (_value(said), _places(said), _took(said), said.why)))


def _value(said: Said) -> str:
    if isinstance(said.value, bool) or said.value is None:
        return ""
    return said.value if isinstance(said.value, str) else f"{said.value:.4g}"


def _places(said: Said) -> str:
    shown = [
        f"{hit.pointer or 'characters'} {hit.start}-{hit.end}"
        + ("" if hit.view == "raw" else f" ({hit.view})")
        for hit in said.hits[:3]
    ]
    more = len(said.hits) - len(shown)
    return "; ".join(shown) + (f" and {more} more" if more else "")


def _took(said: Said) -> str:
    if said.elapsed_us >= 1000:
        return f"{said.elapsed_us / 1000:.1f} ms"
    return f"{said.elapsed_us:.0f} µs" if said.elapsed_us >= 1 else ""
