"""The tables of a report: layers, texts, checks, rules, calls at once, streams, two reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from guardkit.pages import (
    NONE,
    Part,
    and_more,
    counted,
    framed,
    safe,
    so_many,
    spelled,
    td,
    th,
    tr,
)
from guardkit.plan import spell_us

from ._compare import Comparison, Ratio
from ._html_charts import figures, part_bar, ratio_line
from ._html_words import HEADS, share, sized, time_cells
from ._report import Budgeted, Exchange, Group, Report, SurfaceSeen
from ._report import Part as CallPart
from ._streams import Streamed

_MOST_ROWS: Final = 60


def layers(report: Report) -> str:
    """One text on every surface: what each of them takes, and its part of all."""
    whole = report.exchange
    rows = []
    for surface in report.surfaces:
        spread = surface.usual.spread
        part = spread.p50.us / whole.us if whole.us else 0.0
        cells = [
            *time_cells(spread),
            td(f"{share(part)}{part_bar(part)}", "bar"),
            td(spell_us(surface.first_us), "wide"),
            td(_budget(surface.budget), "left wide"),
        ]
        rows.append(tr(f"<code>{surface.surface}</code>", cells))
    heads = [th("surface"), *map(th, HEADS), th("share of p50"), th("first call", "wide")]
    heads.append(th("budget", "left wide"))
    table = framed(_together(whole), heads, rows, "What each surface takes")
    return f"<h2>Layer by layer</h2>{table}"


def _together(whole: Exchange) -> str:
    if len(whole.layers) < 2:
        return f"Texts: {safe(whole.texts)}."
    return (
        f"Texts: {safe(whole.texts)}. One on each surface takes {spell_us(whole.us)}, "
        "the medians added up."
    )


def _budget(held: Budgeted | None) -> str:
    if held is None:
        return "none"
    said = "over" if held.is_over else "within"
    per = " per chunk" if held.per_chunk else ""
    word = f'<span class="tag">{said}</span>' if held.is_over else said
    return f"{word} {spell_us(held.limit_us)}{per}"


# --- one surface


def surface_parts(surface: SurfaceSeen) -> Iterator[Part]:
    """Everything about a surface; pictures and long tables are left out where there is no room."""
    yield Part(f"<h2><code>{surface.surface}</code></h2>{_facts(surface)}")
    yield Part(f'<div class="figures">{"".join(figures(surface))}</div>', is_optional=True)
    yield Part(_texts(surface))
    yield Part(_at_once(surface))
    if surface.stream is not None:
        yield Part(_stream(surface.stream))
    if surface.parts:
        yield Part(_where(surface), is_optional=True)
    if any(part.share is None for part in surface.parts):
        yield Part(_scanned(surface), is_optional=True)
    if surface.rules:
        yield Part(_rules(surface), is_optional=True)


def _facts(surface: SurfaceSeen) -> str:
    made = surface.allocated
    said = []
    held = surface.budget
    if held is not None:
        verdict = "over" if held.is_over else "within"
        said.append(
            f"The budget of {spell_us(held.limit_us)} is held against {held.quantile} of the "
            f"slowest, {safe(held.by)}: {spell_us(held.us)}, {verdict}. Of "
            f"{so_many(held.rounds, 'round')} {held.rounds_over or 'none'} "
            f"{'was' if held.rounds_over == 1 else 'were'} over it."
        )
    said.append(f"The very first call took {spell_us(surface.first_us)}.")
    left = (
        f"{made.left_blocks:.0f} blocks of memory stay after a call"
        if made.left_blocks >= 0.5
        else "nothing stays after a call"
    )
    said.append(
        f"A call allocates {sized(made.peak_bytes)} at most; its verdict keeps "
        f"{sized(made.verdict_bytes)} in {so_many(made.verdict_blocks, 'block')}; {left}."
    )
    if surface.dear:
        low, high = surface.spared.interval
        names = ", ".join(f"<code>{spelled(name)}</code>" for name in surface.dear)
        said.append(
            f"{100 * (surface.spared.value or 0.0):.1f} % of the calls ({100 * low:.1f} to "
            f"{100 * high:.1f}) were decided without {names}."
        )
    return f"<p>{' '.join(said)}</p>"


def _texts(surface: SurfaceSeen) -> str:
    rows = [
        tr(
            safe(group.name),
            [
                td(counted(group.spread.calls)),
                *time_cells(group.spread),
                td(_verdicts(group), "wide"),
            ],
        )
        for group in surface.groups
    ]
    heads = [th("texts"), th("calls"), *map(th, HEADS), th("verdicts", "wide")]
    return _titled("Whole calls", framed("", heads, rows, f"Whole calls on {surface.surface}"))


def _verdicts(group: Group) -> str:
    said = (f"{name} {counted(count)}" for name, count in sorted(group.actions.items()))
    return "<br>".join(said)


def _at_once(surface: SurfaceSeen) -> str:
    rows = [
        tr(
            counted(one.at_once),
            [
                td(f"{one.per_s:,.0f}" if one.per_s >= 9.5 else f"{one.per_s:.1f}"),
                td(counted(one.spread.calls)),
                *time_cells(one.spread),
            ],
        )
        for one in surface.at_once
    ]
    heads = [th("at once"), th("calls/s"), th("calls"), *map(th, HEADS)]
    table = framed(
        "On one event loop; the wait for a turn counts.",
        heads,
        rows,
        f"Calls at once on {surface.surface}",
    )
    missing = ""
    if surface.not_at_once:
        levels = " and ".join(map(str, surface.not_at_once))
        missing = f'<p class="aside">There was no time for {levels} at once.</p>'
    return _titled("Many at once", table + missing)


def _stream(found: Streamed) -> str:
    rows = [
        tr("a token", [td(counted(found.feed.calls)), *time_cells(found.feed)]),
        tr("the end", [td(counted(found.finish.calls)), *time_cells(found.finish)]),
    ]
    heads = [th("step"), th("steps"), *map(th, HEADS)]
    if not found.passed or found.held_mean is None or found.delay_mean is None:
        held = "None of the streams passed, so nothing is known of what is held back."
    else:
        whole = f" {found.whole} of {found.passed} came out whole at their end." * bool(found.whole)
        held = (
            f"Held back: {found.held_mean:.0f} characters on average, {found.held_most} at most; a "
            f"character comes {found.delay_mean:.0f} characters late.{whole}"
        )
    caption = (
        f"{so_many(found.streams, 'stream')} of {safe(found.texts)}, "
        f"{spell_us(found.per_token)} a token with the end shared out."
    )
    table = framed(caption, heads, rows, "Streams")
    return _titled("Streams", f'{table}<p class="aside">{held}</p>')


def _where(surface: SurfaceSeen) -> str:
    rows = [_part(part) for part in surface.parts if part.share is not None]
    heads = [
        th("part"),
        th("asked", "wide"),
        th("share of a call"),
        *(th(f"{q} alone") for q in HEADS),
    ]
    table = framed("", heads, rows[:_MOST_ROWS], f"Where the time goes on {surface.surface}")
    table += and_more(len(rows) - _MOST_ROWS)
    return _titled("Where it goes, check by check", table + _not_alone(surface))


def _not_alone(surface: SurfaceSeen) -> str:
    if not surface.left_out:
        return ""
    were = "one was" if surface.left_out == 1 else f"{counted(surface.left_out)} were"
    return (
        f'<p class="aside">Of checks and rules {were} not measured alone, for want of time or '
        "answers.</p>"
    )


def _part(part: CallPart) -> str:
    asked = td(NONE, "none wide") if part.asked is None else td(share(part.asked), "wide")
    of = part.share or 0.0
    bar = td(f"{share(of)}{part_bar(of)}", "bar")
    return tr(spelled(part.name), [asked, bar, *time_cells(part.alone)])


def _scanned(surface: SurfaceSeen) -> str:
    single = [(part.name, part.alone) for part in surface.parts if part.share is None]
    rows = [
        tr(spelled(name), [td(counted(one.calls)), *time_cells(one)]) for name, one in single if one
    ]
    return _alone("Checks that one scan answers, each alone", "check", rows, surface)


def _rules(surface: SurfaceSeen) -> str:
    rows = [
        tr(spelled(rule.name), [td(counted(rule.alone.calls)), *time_cells(rule.alone)])
        for rule in surface.rules
    ]
    return _alone("Rules, each alone", "rule", rows, surface)


def _alone(title: str, what: str, rows: Sequence[str], surface: SurfaceSeen) -> str:
    heads = [th(what), th("calls"), *map(th, HEADS)]
    label = f"{title}, on {surface.surface}"
    table = framed("", heads, rows[:_MOST_ROWS], label) + and_more(len(rows) - _MOST_ROWS)
    return _titled(title, table)


def _titled(title: str, body: str) -> str:
    return f"<h3>{title}</h3>{body}"


# --- two reports


def comparison(found: Comparison) -> str:
    """Every figure of both reports, the surely slower ones first."""
    ratios = sorted(found.ratios, key=lambda one: one.change != "slower")
    rows = [_ratio(one, found.tolerance) for one in ratios[:_MOST_ROWS]]
    heads = [
        th("figure"),
        th("before"),
        th("now"),
        th("ratio"),
        th('<span class="over">¼ to 4 times</span>', "plot"),
        th("change", "left"),
    ]
    caption = (
        f"{found.tolerance:.0%} slower is tolerated: the upright mark. A figure is slower, or "
        "faster, only where its whole interval is."
    )
    table = framed(caption, heads, rows, "Compared with before") + and_more(
        len(ratios) - _MOST_ROWS
    )
    lost = "".join(
        f'<p class="aside">Measured only {when}: {safe("; ".join(names))}.</p>'
        for names, when in ((found.only_old, "then"), (found.only_new, "now"))
        if names
    )
    return f"<h2>Compared with before</h2>{table}{lost}"


def _ratio(one: Ratio, tolerance: float) -> str:
    if one.high is None or not one.low:
        bounds = "too few calls"
    else:
        bounds = f"{one.low:.2f}–{one.high:.2f}"
    word = f'<span class="tag">{one.change}</span>' if one.change == "slower" else one.change
    name = f"<code>{safe(one.surface)}</code> {spelled(one.what)}, {one.quantile}"
    cells = [
        td(spell_us(one.old.us)),
        td(spell_us(one.new.us)),
        td(f'{one.ratio:.2f}<span class="of">{bounds}</span>'),
        td(ratio_line(one, tolerance), "plot"),
        td(word, "left"),
    ]
    return tr(name, cells)
