"""An attribution for people, in 80 columns: the sentence first, then the stack it is about."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from guardkit._util.shares import Share
from guardkit.diagnostics import text_width, visible

from ._screen import Screen

if TYPE_CHECKING:
    from guardkit.layers import Attribution, Effect, Evidence, Summary

_WIDTH: Final = 80
_BAR: Final = 8
_NAME: Final = 16
_COUNT: Final = 9
_STACK: Final = ("input", "context", "weights", "provider", "output", "transport")
_MOST_EVIDENCE: Final = 8
_MOST_GROUPS: Final = 25
_HOW: Final = {
    "stopped": "stopped it",
    "refused": "refused",
    "failed": "gave no reply",
    "shadow": "would have, and is in shadow",
    "exempted": "would have, and was exempted",
    "unknown": "had a check that could not answer",
    "flagged": "only flagged it",
    "rewritten": "only rewrote it",
    "lifted": "said yes, and was lifted by its exception",
    "silent": "covers the topic, and saw nothing",
}


def one_lines(show: Screen, made: Attribution) -> Iterator[str]:
    """One exchange."""
    paint = show.out.paint
    style = "bad" if made.is_finding else "warn" if made.standing == "unjudged" else "strong"
    yield from _styled(show, made.sentence, style)
    yield from _styled(show, _standing(made), "dim")
    rows = list(_stack(show, made))
    if rows:
        yield ""
        head = f"  {'taken away':<{_NAME}}{'intact':<{_BAR + _COUNT + 1}}"
        yield paint(f"{head}{'without':<{_BAR + _COUNT + 1}}{'difference':<20}", "strong").rstrip()
        yield from rows
    if made.evidence:
        yield ""
        yield paint("seen in the records", "strong")
        for one in made.evidence[:_MOST_EVIDENCE]:
            yield from wrap(_seen(one), _WIDTH, initial_indent="  ", subsequent_indent="    ")
        if len(made.evidence) > _MOST_EVIDENCE:
            yield f"  and {len(made.evidence) - _MOST_EVIDENCE} more"
    yield ""
    for note in made.notes:
        yield from wrap(f"note: {visible(note)}", _WIDTH, subsequent_indent="      ")
    runs = f"{made.runs:,} run{'s' * (made.runs != 1)}"
    calls = f"{made.model_calls:,} call{'s' * (made.model_calls != 1)} of the model"
    yield paint(f"{runs}, {calls}, {made.elapsed_s:.1f} s", "dim")


def _styled(show: Screen, text: str, style: str) -> Iterator[str]:
    for line in wrap(text, _WIDTH, break_on_hyphens=False):
        yield show.out.paint(line, style)


def _standing(made: Attribution) -> str:
    """What was expected, and how sure the finding is."""
    said: list[str] = [] if made.standing == "unjudged" else [made.judgement]
    if made.expected is not None:
        said.append(f"expected to {made.expected}")
    if made.odds and made.standing != "undetermined":
        # What is next to impossible only takes room.
        odds = [f"{layer} {_chance(chance)}" for layer, chance in made.odds if chance > 0.005]
        said.append(f"certainty: {', '.join(odds)}")
    return "; ".join(said)


def _chance(chance: float) -> str:
    if chance == 1:
        return "100 %"
    if chance > 0.995:
        return "above 99 %"
    return f"{100 * chance:.0f} %"


# --- the stack


def _stack(show: Screen, made: Attribution) -> Iterator[str]:
    """The layers from top to bottom, then what was taken away together."""
    if not made.effects and made.outcome != "answered":
        return
    singles = {one.without[0]: one for one in made.effects if len(one.without) == 1}
    for layer in _STACK:
        is_named = layer == made.layer
        effect = next((one for name, one in singles.items() if name == layer), None)
        if effect is not None:
            yield _row(show, layer, effect, is_named=is_named)
        elif is_named:
            yield show.out.paint(f"> {layer:<{_NAME}}{_instead(made)}", "strong")
    for one in made.effects:
        if len(one.without) > 1:
            yield _row(show, "+".join(one.without), one, is_named=False)


def _instead(made: Attribution) -> str:
    """What stands in the row of a layer that was not taken away."""
    if made.outcome == "answered" and made.evidence and made.layer in ("input", "output"):
        first = made.evidence[0]
        return f"in force, its rule would have stopped {first.decided} of {first.of}"
    if made.layer == "weights":
        return "nothing to compare with: give --other"
    return "cannot be taken away"


def _row(show: Screen, name: str, effect: Effect, *, is_named: bool) -> str:
    mark = ">" if is_named else " "
    counts = [f"{share.hits}/{share.of}" for share in (effect.intact, effect.left)]
    bars = [_bar(show, share) for share in (effect.intact, effect.left)]
    cells = "".join(f"{bar} {count:<{_COUNT}}" for bar, count in zip(bars, counts, strict=True))
    is_long = len(name) >= _NAME
    head = f"{mark} {name}" if is_long else f"{mark} {name:<{_NAME}}"
    line = f"{' ' * (_NAME + 2) if is_long else head}{cells}{_difference(effect)}"
    made = f"{head}\n{line}" if is_long else line
    return show.out.paint(made, "strong") if is_named else made


def _bar(show: Screen, share: Share) -> str:
    full = round(_BAR * (share.value or 0.0))
    return ("#" if show.out.ascii else "█") * full + ("." if show.out.ascii else "░") * (
        _BAR - full
    )


def _difference(effect: Effect) -> str:
    points = f"{round(100 * effect.difference):+}"
    if effect.difference == 0:
        points = "0"
    if effect.did_nothing:
        return f"{points} did nothing"
    if effect.is_exact:
        return f"{points} unchanged" if effect.intact == effect.left else f"{points} for certain"
    flips = " flips it" if effect.flips else ""
    return f"{points} ({round(100 * effect.low)} to {round(100 * effect.high)}){flips}"


def _seen(one: Evidence) -> str:
    runs = f"in {one.seen} of {one.of} run{'s' * (one.of != 1)}"
    detail = f" ({visible(one.detail)})" if one.detail else ""
    alone = ""
    if one.decided and one.how not in ("failed", "refused"):
        alone = f", alone in {one.decided}"
    return f"{one.layer}: {visible(one.by)} {_HOW[one.how]}{detail}, {runs}{alone}"


# --- many


def summary_lines(show: Screen, made: Summary) -> Iterator[str]:
    """Many exchanges: who made them what they are, the most frequent first."""
    paint = show.out.paint
    findings = f"{made.findings:,} to look at" if made.findings else "nothing to look at"
    unjudged = f", {made.unjudged:,} could not be judged" if made.unjudged else ""
    unread = ""
    if made.rows_unread:
        unread = f"; {made.rows_unread:,} row{'s' * (made.rows_unread != 1)} could not be read"
    exchanges = f"{made.exchanges:,} exchange{'s' * (made.exchanges != 1)}"
    yield paint(f"{exchanges}: {findings}{unjudged}{unread}", "strong")
    yield ""
    yield paint(f"{'layer':<10} {'by':<29} {'judgement':<16} {'':<14} {'number':>7}", "strong")
    for group in made.groups[:_MOST_GROUPS]:
        style = "bad" if group.judgement in ("over-refusal", "wrong answer") else ""
        standing = "" if group.standing in ("named", "none") else group.standing
        line = (
            f"{group.layer or '-':<10} {_fitted(group.by or '-', 29)} {group.judgement:<16}"
            f" {standing:<14} {group.exchanges:>7,}"
        )
        yield paint(line, style) if style else line
    if len(made.groups) > _MOST_GROUPS:
        yield f"and {len(made.groups) - _MOST_GROUPS} more"
    yield ""
    runs = f"{made.runs:,} run{'s' * (made.runs != 1)}"
    calls = f"{made.model_calls:,} call{'s' * (made.model_calls != 1)} of the model"
    yield paint(f"{runs}, {calls}", "dim")


def _fitted(name: str, width: int) -> str:
    shown = visible(name)
    if text_width(shown) > width:
        while text_width(shown) > width - 1:
            shown = shown[:-1]
        shown = f"{shown}…"
    return shown + " " * (width - text_width(shown))
