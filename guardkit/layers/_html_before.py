"""A run of probes beside earlier ones: what got better, what worse, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from guardkit.pages import (
    and_more,
    counted,
    framed,
    scale_end,
    share_text,
    so_many,
    spark,
    spelled,
    td,
    th,
    tr,
)

from ._compare_probe import (
    Change,
    Compared,
    Verdict,
    What,
    changed,
    difference_interval,
    is_alike,
)
from ._figures import Figures, Rate
from ._html_words import count_cell, joined, points

_NAMES: Final[dict[What, str]] = {
    "leaked": "attacks that leaked",
    "over_refusal": "benign requests refused",
}
_VERDICTS: Final = {
    "better": "<b>better</b>",
    "worse": "<b>worse</b>",
    "same": "the same",
    "unsure": "not certain",
}
_MOST_FAMILIES: Final = 40


def since(figures: Figures, before: Sequence[Figures], compared: Compared | None) -> str:
    """The rates of the last run and of this one, how far they are apart, and the trend.

    Args:
        figures: What this run came to.
        before: Earlier runs, the oldest first.
        compared: This run beside the last one, trial by trial; without it only rates are compared.
    """
    last = compared.old if compared is not None else before[-1] if before else None
    if last is None:
        return ""
    changes = compared.changes if compared is not None else tuple(_changes(last, figures))
    known = [one for one in changes if one.old.of and one.new.of]
    whole = [one for one in known if not one.family]
    families = [one for one in known if one.family and one.verdict in ("better", "worse")]
    runs = [*(before or [last]), figures]
    return "".join(
        (
            _apart(figures, last, compared),
            _table(whole, "rate", "This run and the last one"),
            _table(families[:_MOST_FAMILIES], "family", "Families that are better or worse"),
            and_more(len(families) - _MOST_FAMILIES),
            _trends(runs),
        )
    )


def _changes(last: Figures, figures: Figures) -> Iterator[Change]:
    rates: tuple[tuple[What, Rate, Rate], ...] = (
        ("leaked", last.leaked, figures.leaked),
        ("over_refusal", last.over_refusal, figures.over_refusal),
    )
    for what, old, new in rates:
        low, high = difference_interval(old, new)
        verdict: Verdict = "worse" if low > 0 else "better" if high < 0 else "unsure"
        if not is_alike(last, figures):
            verdict = "unsure"  # rates of other trials do not tell what changed
        yield Change(what, "", old, new, low, high, 0, 0, None, verdict)


def _apart(figures: Figures, last: Figures, compared: Compared | None) -> str:
    """What may have made the difference."""
    names = [f"the {word}" for word in changed(last, figures)]
    said = f"Changed since then: {joined(names)}." if names else "The policy is the same."
    if compared is not None:
        said += (
            f" Both runs have {so_many(compared.paired, 'trial')} in common. Better and worse "
            "are tested at 5 %: each of the two rates of the whole, and all families together."
        )
    return f'<p class="aside">{said}</p>'


def _table(changes: Sequence[Change], what: str, label: str) -> str:
    if not changes:
        return ""
    has_pairs = any(one.p is not None for one in changes)
    heads = [
        th(what),
        th("last run"),
        th("this run"),
        th("change, in points"),
        th("is", "left"),
    ]
    if has_pairs:
        heads += [th("trials<br>better", "wide"), th("trials<br>worse", "wide")]
    return framed("", heads, [_row(one, has_pairs=has_pairs) for one in changes], label)


def _row(one: Change, *, has_pairs: bool) -> str:
    moved = points(one.difference or 0.0)
    between = f'<span class="range">{points(one.low)} to {points(one.high)}</span>'
    cells = [
        td(share_text(one.old)),
        td(share_text(one.new)),
        td(f"{moved}{between}"),
        td(_VERDICTS[one.verdict], "left"),
    ]
    if has_pairs:
        cells += [count_cell(one.better, "wide"), count_cell(one.worse, "wide")]
    name = _NAMES[one.what]
    if one.family:
        kind = "refused" if one.what == "over_refusal" else "leaked"
        name = f"{spelled(one.family)} <small>{kind}</small>"
    return tr(name, cells)


def _trends(runs: Sequence[Figures]) -> str:
    """A line for each rate through all runs."""
    return "".join(_drawn(runs)) if len(runs) > 2 else ""


def _drawn(runs: Sequence[Figures]) -> Iterator[str]:
    leaked, refused = [run.leaked for run in runs], [run.over_refusal for run in runs]
    end = scale_end([*leaked, *refused])
    for rates, style, name in (
        (leaked, "bad", _NAMES["leaked"]),
        (refused, "good", _NAMES["over_refusal"]),
    ):
        line = spark(rates, style, name, most=end)
        if line:
            yield f'<p class="aside">{line} {name}, over {counted(len(runs))} runs</p>'
