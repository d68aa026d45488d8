"""A run of probes for people, in 80 columns: the stack first, then families, disguises, rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

from guardkit._util.shares import Share
from guardkit.diagnostics import text_width, visible
from guardkit.layers import Adaptive, Compared, Figures, LayerFigures, ProbeGroup, Suite

from ._screen import Screen, quoted

_WIDTH: Final = 80
_SHARE: Final = 19
_MOST_GROUPS: Final = 25
_MOST_WORST: Final = 8
_LEAST_TRIALS: Final = 5
_MOST_RULES: Final = 10
_MOST_IDS: Final = 12
_MOST_MOVES: Final = 6
_MOST_TEXT: Final = 70
_TESTED: Final = "tested at 5 %: each rate of the whole, and all families together"


def report_lines(
    show: Screen, made: Figures, compared: Compared | None = None, suite: Suite | None = None
) -> Iterator[str]:
    """The report, line by line.

    Args:
        show: The screen.
        made: The figures.
        compared: What changed since an earlier run.
        suite: The cases, for people who want to see texts.
    """
    yield from _head(show, made)
    yield from _stack(show, made)
    for title, groups in (
        ("family", made.families),
        ("category", made.categories),
        ("language", _most_tried(made.languages)),
        ("split", made.splits),
    ):
        if len(groups) > 1:
            yield from _table(show, title, groups)
    yield from _disguises(show, made)
    yield from _rules(show, made)
    yield from _worst(show, made, suite)
    if made.adaptive is not None:
        yield from _adaptive(show, made.adaptive)
    if compared is not None:
        yield from _compared(show, compared)
    yield ""
    for note in made.notes:
        yield from wrap(f"note: {note}", _WIDTH, subsequent_indent="      ")


# --- the head


def _head(show: Screen, made: Figures) -> Iterator[str]:
    paint = show.out.paint
    behind = "the policy alone" if made.target == "policy" else f"with {visible(made.target)}"
    yield f"{paint(visible(made.policy), 'strong')}, {behind}"
    done = f"{made.trials:,}" + (f" of {made.planned:,}" if made.trials < made.planned else "")
    trials = "trial" if done == "1" else "trials"
    cases = "case" if made.cases == 1 else "cases"
    yield f"{done} {trials} of {made.cases:,} {cases}, seed {made.seed}"
    yield ""
    rows = (
        ("leaked", made.leaked, "attacks got through", "bad"),
        ("cases leaked", made.cases_leaked, "attack cases, in some form", "bad"),
        ("over-refusal", made.over_refusal, "benign trials were refused", "warn"),
    )
    for name, share, said, style in rows:
        if share.of:
            counts = f"{share.hits:,} of {share.of:,}"
            shown = paint(f"{share.shown:>{_SHARE}}", style if share.hits else "good")
            yield f"{name:<16}{shown}  {counts} {said}"
    if made.partial or made.benign_partial:
        apart = f"{made.partial:,} attacks, {made.benign_partial:,} benign trials"
        yield f"{'answered in part':<16}{'':>{_SHARE}}  {apart}"
    if made.unjudged:
        yield paint(f"could not judge {made.unjudged:,} trials; they are in no rate:", "warn")
        for why, count in made.why_unjudged[:5]:
            yield from wrap(f"{count:,} {visible(why)}", _WIDTH, initial_indent="  ")
    if made.times is not None:
        times = made.times
        spelled = "  ".join(
            f"{name} {_time(us)}"
            for name, us in (("p50", times.p50), ("p95", times.p95), ("p99", times.p99))
        )
        yield f"{'policy time':<16}{spelled}, many trials at once"


def _time(us: float) -> str:
    if us < 1000:
        return f"{us:.0f} µs"
    return f"{us / 1000:.1f} ms" if us < 100_000 else f"{us / 1e6:.2f} s"


# --- the stack


def _stack(show: Screen, made: Figures) -> Iterator[str]:
    paint = show.out.paint
    yield ""
    attacks, benign = "attacks: stopped of those that came", "benign: refused"
    yield paint(f"{'layer':<8} {attacks:<37} {benign}", "strong")
    for one in made.layers:
        yield _layer(show, one)
    if made.leaked.of:
        bar = _bar(show, made.leaked, 10, "bad")
        rest = paint("got through all of it", "dim")
        yield f"{'leaked':<8} {bar} {made.leaked.shown:>{_SHARE}} {made.leaked.of:>6,} {rest}"


def _layer(show: Screen, one: LayerFigures) -> str:
    sides = []
    for share, width, style in ((one.attacks, 10, "good"), (one.benign, 6, "warn")):
        if share.of:
            bar = _bar(show, share, width, style)
            sides.append(f"{bar} {share.shown:>{_SHARE}} {share.of:>6,}")
        else:
            sides.append(f"{'':<{width}} {'-':>{_SHARE}} {0:>6}")
    return f"{one.layer:<8} {sides[0]} {sides[1]}".rstrip()


def _bar(show: Screen, share: Share, width: int, style: str) -> str:
    full = round(width * (share.value or 0.0))
    if share.hits and not full:
        full = 1  # few are not none
    return show.out.paint("#" * full, style) + show.out.paint("." * (width - full), "dim")


# --- tables


def _table(show: Screen, title: str, groups: Sequence[ProbeGroup]) -> Iterator[str]:
    yield ""
    rates = f"{'leaked':>{_SHARE}} {'over-refusal':>{_SHARE}}"
    unjudged = "?" if any(one.unjudged for one in groups) else ""
    yield show.out.paint(f"{title:<24} {'trials':>7} {rates} {unjudged:>5}".rstrip(), "strong")
    for one in groups[:_MOST_GROUPS]:
        yield (
            f"{_fitted(one.name, 24)} {one.trials:>7,} {one.leaked.shown or '-':>{_SHARE}}"
            f" {one.over_refusal.shown or '-':>{_SHARE}} {one.unjudged or '':>5}"
        ).rstrip()
    yield from _more(len(groups) - _MOST_GROUPS, "more")


def _most_tried(groups: Sequence[ProbeGroup]) -> Sequence[ProbeGroup]:
    """Those of which enough was tried to say something, the most first."""
    told = [one for one in groups if one.trials >= _LEAST_TRIALS]
    return sorted(told, key=lambda one: (-one.trials, one.name))[:_MOST_WORST]


def _more(count: int, said: str) -> Iterator[str]:
    if count > 0:
        yield f"  and {count} {said}: `--json` and `--html` have them"


def _disguises(show: Screen, made: Figures) -> Iterator[str]:
    tried = [one for one in made.disguises if one.leaked.of]
    if len(tried) < 2:
        return
    yield ""
    yield show.out.paint(f"{'disguise':<24} {'trials':>7} {'leaked':>30}", "strong")
    for one in tried[: _MOST_WORST + 1]:
        bar = _bar(show, one.leaked, 10, "bad")
        yield f"{_fitted(one.name, 24)} {one.leaked.of:>7,} {bar} {one.leaked.shown:>{_SHARE}}"
    yield from _more(len(tried) - _MOST_WORST - 1, "that leak less")


def _rules(show: Screen, made: Figures) -> Iterator[str]:
    over = [one for one in made.rules if one.benign.hits]
    if not over:
        return
    yield ""
    yield show.out.paint(
        f"{'who refuses benign cases':<36} {'layer':<8} {'refused':>{_SHARE}} {'attacks':>7}",
        "strong",
    )
    for one in over[:_MOST_RULES]:
        yield (
            f"{_fitted(one.by, 36)} {one.layer:<8} {one.benign.shown:>{_SHARE}} {one.attacks:>7,}"
        )
    yield from _more(len(over) - _MOST_RULES, "more")


def _worst(show: Screen, made: Figures, suite: Suite | None) -> Iterator[str]:
    texts = {} if suite is None else {case.id: case.text for case in suite.cases}
    for title, cases in (("leak most often", made.leaks), ("refused wrongly", made.refusals)):
        if not cases:
            continue
        yield ""
        yield show.out.paint(title, "strong")
        if suite is None:
            ids = ", ".join(visible(one.id) for one in cases[:_MOST_IDS])
            yield from wrap(
                ids,
                _WIDTH,
                initial_indent="  ",
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            continue
        for one in cases[:_MOST_IDS]:
            yield f"  {visible(one.id)}  {one.wrong:,} of {one.of:,}  {visible(one.by)}".rstrip()
            text = " ".join(texts.get(one.id, "").split())
            yield f"    {_cut(quoted(text[:_MOST_TEXT]))}"


# --- searches


def _adaptive(show: Screen, made: Adaptive) -> Iterator[str]:
    yield ""
    yield show.out.paint(
        f"searching a way through, at most {made.budget:,} queries a case", "strong"
    )
    counts = f"{made.cases.hits:,} of {made.cases.of:,} cases that no trial got through"
    yield f"{'found':<16}{made.cases.shown or '-':>{_SHARE}}  {counts}"
    whole = made.with_static
    counts = f"{whole.hits:,} of {whole.of:,} in either way"
    yield f"{'cases leaked':<16}{whole.shown or '-':>{_SHARE}}  {counts}"
    if made.median is not None:
        yield f"{'queries':<16}{made.median:>{_SHARE}g}  the median of those found"
    won = [move for move in made.moves if move[1]][:_MOST_MOVES]
    if won:
        said = ", ".join(f"{name} {used}" for name, used, _ in won)
        yield from wrap(f"moves in the ways found: {said}", _WIDTH, subsequent_indent="  ")
    if made.unjudged:
        yield show.out.paint(f"{made.unjudged:,} searches could not be judged", "warn")


# --- an earlier run


def _compared(show: Screen, made: Compared) -> Iterator[str]:
    paint = show.out.paint
    styles = {"better": "good", "worse": "bad", "same": "dim", "unsure": "dim"}
    yield ""
    yield paint(
        f"{f'since then ({made.paired:,} same trials)':<36} {'then':>7} {'now':>7}"
        f" {'difference':>18}  is",
        "strong",
    )
    for one in made.changes:
        if one.family and one.verdict not in ("better", "worse"):
            continue
        name = f"{one.family} {one.what}" if one.family else one.what
        old, new = one.old.value, one.new.value
        span = "-"
        if old is not None and new is not None:
            span = f"{100 * (new - old):+.1f} ({100 * one.low:+.1f}, {100 * one.high:+.1f})"
        yield (
            f"{_fitted(name.replace('_', '-'), 36)} {_percent(old):>7} {_percent(new):>7}"
            f" {span:>18}  {paint(one.verdict, styles[one.verdict])}"
        )
        if one.p is not None and (one.better or one.worse):
            yield f"  of the same trials {one.better:,} better, {one.worse:,} worse (p {one.p:.2g})"
    for note in (*made.notes, _TESTED):
        yield f"  {note}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _cut(text: str) -> str:
    """A text in quotes, at most as wide as the page."""
    while text_width(text) > _MOST_TEXT:
        text = text[:-2] + text[-1]
    return text


def _fitted(name: str, width: int) -> str:
    shown = visible(name)
    if text_width(shown) > width:
        # The end of a dotted name tells more than its beginning.
        while text_width(shown) > width - 1:
            shown = shown[1:]
        shown = f"…{shown}"
    return shown + " " * (width - text_width(shown))
