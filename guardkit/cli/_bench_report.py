"""What `bench` found, for people: a line per surface, then tables with small pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

from guardkit.bench import (
    Comparison,
    Group,
    Part,
    Quantile,
    Ratio,
    Report,
    Spread,
    Streamed,
    SurfaceSeen,
)
from guardkit.diagnostics import visible
from guardkit.plan import spell_us

from ._screen import Stream

_BLOCKS = " ▁▂▃▄▅▆▇█"
_SIGNS = " .,:;+*#@"
"""The same where a terminal knows no blocks."""
_NAME = 20
_WORD = 9
_TIME = 8
_SHARE_BAR = 10
_MOST_ROWS = 24
_MOST_NAMED = 6
_UNIT = re.compile(r"(?<=\d) (?=(?:µs|ms|s|KB|MB)\b)")
"""What stands between a number and its unit: no line ends there."""
_WIDEST = 100
_PICTURES = (
    "pictures: each call stands where its time lies, on a scale that grows by the same factor from "
    "sign to sign; intervals of all figures are in --html and --json"
)


def tables(out: Stream, report: Report) -> Iterator[str]:
    """The whole report, line by line."""
    width = min(out.width, _WIDEST)
    yield out.paint(visible(report.policy), "strong") + f": {_machine(report)}"
    yield ""
    for surface in report.surfaces:
        yield from _verdict(out, report, surface)
    if len(report.surfaces) > 1:
        yield ""
        yield from _wrapped(_exchange(report), width, "  ")
    for surface in report.surfaces:
        yield ""
        yield from _surface(out, surface, width)
    yield ""
    yield from _wrapped(_loading(report), width)
    yield from _wrapped(_memory(report), width)
    yield from _wrapped(_digests(report), width)
    yield from _wrapped(f"texts: {report.texts}", width)
    yield from _wrapped(_PICTURES, width)
    for note in report.notes:
        yield from _wrapped(f"note: {note}", width)


def summed_up(err: Stream, report: Report, comparison: Comparison | None) -> Iterator[str]:
    """The last words: what is over, what is slower, what one should not believe."""
    machine = report.machine
    if machine.is_busy:
        advice = "" if report.clock == "cpu" else " (`--clock cpu` leaves out what others do)"
        said = f"the machine was busy: {machine.why_busy}{advice}"
        yield from (err.paint(line, "warn") for line in _wrapped(said, min(err.width, _WIDEST)))
    if report.unjudged:
        said = f"checks could not do their work: {', '.join(report.unjudged)}"
        yield err.paint(said, "warn")
    if report.over:
        yield err.paint(f"over budget: {', '.join(report.over)}", "bad")
    elif any(surface.budget is not None for surface in report.surfaces) and not report.unjudged:
        yield err.paint("within budget", "good")
    if comparison is not None:
        if comparison.slower:
            count = len(comparison.slower)
            yield err.paint(f"slower than before: {count} of {len(comparison.ratios)}", "bad")
        else:
            yield err.paint("nothing is slower than before", "good")


# --- one line a surface


def _verdict(out: Stream, report: Report, surface: SurfaceSeen) -> Iterator[str]:
    name = f"{surface.surface:<12}"
    budget = surface.budget
    if budget is None:
        group = max(surface.groups, key=lambda one: one.spread.at(report.quantile).us)
        found = group.spread.at(report.quantile)
        said, style, by = "no budget", "dim", group.name
        facts = f"{report.quantile} {spell_us(found.us)}{_interval(found.low, found.high)}"
    else:
        said, style = ("over", "bad") if budget.is_over else ("within", "good")
        if surface.surface in report.unjudged:
            said, style = "unsure", "warn"
        by = budget.by
        facts = f"{budget.quantile} {spell_us(budget.us)}{_interval(budget.low, budget.high)}"
        facts += f" of {spell_us(budget.limit_us)}"
    yield f"  {name}{out.paint(said, style)}{' ' * (_WORD + 1 - len(said))}{facts:<37} {by}"
    if budget is not None and 0 < budget.rounds_over < budget.rounds:
        were = "was" if budget.rounds_over == 1 else "were"
        over = f"{budget.rounds_over} of {budget.rounds} rounds {were} over the budget"
        yield " " * (15 + _WORD) + out.paint(over, "dim")
    if surface.undecided.hits:
        said = f"a check could not answer in {_percent(surface.undecided.value or 0)} of the calls"
        yield " " * (15 + _WORD) + out.paint(said, "dim")
        names = ", ".join(map(visible, surface.undecided_by[:_MOST_NAMED]))
        yield from _wrapped(f"undecided: {names}", 80, " " * (15 + _WORD))
    if surface.lacking:
        yield from _wrapped(
            f"without {', '.join(map(visible, surface.lacking))}", 80, " " * (15 + _WORD)
        )


def _exchange(report: Report) -> str:
    """What all layers take together."""
    found = report.exchange
    layers = " + ".join(f"{name} {spell_us(us)}" for name, us in found.layers)
    whole = f"{spell_us(found.us)}{_interval(found.low, found.high)}"
    return f"all layers, one text each (p50): {layers} = {whole}; {found.texts}"


def _interval(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f" (> {spell_us(low or 0)})"
    if low is None:
        return f" (< {spell_us(high)})"
    first, last = spell_us(low), spell_us(high)
    # `1.1 ms-1.4 ms` says its unit once.
    if first.rpartition(" ")[2] == last.rpartition(" ")[2]:
        first = first.rpartition(" ")[0]
    return f" ({first} to {last})"


# --- one surface


def _surface(out: Stream, surface: SurfaceSeen, width: int) -> Iterator[str]:
    yield out.paint(surface.surface, "strong")
    yield from _groups(out, surface, width)
    if surface.parts:
        yield ""
        yield from _parts(out, surface.parts)
    if surface.rules:
        yield ""
        yield out.paint(_row("  rules alone", "", *_HEAD), "dim")
        yield from _cut_off(
            [_row(f"  {visible(r.name)}", "", *_times(r.alone)) for r in surface.rules], "rules"
        )
    yield ""
    yield out.paint(f"{_row('  at once', 'calls/s', *_HEAD)}{'calls':>9}", "dim")
    for one in surface.at_once:
        per_s = f"{one.per_s:,.0f}" if one.per_s >= 9.5 else f"{one.per_s:.1f}"
        row = _row(f"  {one.at_once}", per_s, *_times(one.spread))
        yield f"{row}{one.spread.calls:>9,}"
    yield ""
    if surface.not_at_once:
        levels = " and ".join(map(str, surface.not_at_once))
        yield out.paint(f"  {levels} at once: no time (--seconds, --at-once)", "dim")
    if surface.left_out:
        what = "one was" if surface.left_out == 1 else f"{surface.left_out} were"
        yield out.paint(
            f"  {what} not measured alone, for want of time (--seconds) or answers", "dim"
        )
    if surface.dear:
        yield from _wrapped(_spared(surface), width, "  ")
    yield from _wrapped(_one_call(surface), width, "  ")
    if surface.stream is not None:
        for line in _stream(surface.stream):
            yield from _wrapped(line, width, "  ")


def _one_call(surface: SurfaceSeen) -> str:
    made = surface.allocated
    pieces = f"{made.verdict_blocks:,} block{'' if made.verdict_blocks == 1 else 's'}"
    left = f"{made.left_blocks:.0f} blocks stay" if made.left_blocks >= 0.5 else "nothing stays"
    return (
        f"first call {spell_us(surface.first_us)}; a call allocates {_bytes(made.peak_bytes)} at "
        f"most, its verdict keeps {_bytes(made.verdict_bytes)} in {pieces}; {left} after it"
    )


_HEAD = ("p50", "p95", "p99")


def _row(name: str, number: str, *times: str) -> str:
    cells = "".join(f"{time:>{_TIME}}" for time in times)
    return f"{_clipped(name, _NAME + 2):<{_NAME + 2}}{number:>8}{cells}"


def _clipped(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"


def _times(spread: Spread) -> tuple[str, str, str]:
    return spell_us(spread.p50.us), spell_us(spread.p95.us), spell_us(spread.p99.us)


def _groups(out: Stream, surface: SurfaceSeen, width: int) -> Iterator[str]:
    bins = len(surface.bounds)
    low = surface.bounds[0] ** 2 / surface.bounds[1] if bins > 1 else surface.bounds[0]
    first, last = spell_us(low), spell_us(surface.bounds[-1])
    line = ("-" if out.ascii else "─") * max(bins - len(first) - len(last) - 2, 1)
    scale = f"{first} {line} {last}"
    yield out.paint(f"{_row('  texts', 'calls', *_HEAD)}  {scale}".rstrip(), "dim")
    for group in surface.groups:
        row = _row(f"  {group.name}", f"{group.spread.calls:,}", *_times(group.spread))
        yield f"{row}  {out.paint(_picture(group, ascii=out.ascii), 'info')}".rstrip()


def _picture(group: Group, *, ascii: bool) -> str:
    """The calls of a group by the time they took: the tallest sign for the fullest bin."""
    signs = _SIGNS if ascii else _BLOCKS
    most = max(group.bins)
    steps = len(signs) - 1
    # Nothing that was measured is left blank.
    return "".join(signs[max(round(steps * n / most), 1) if n else 0] for n in group.bins)


def _parts(out: Stream, parts: Sequence[Part]) -> Iterator[str]:
    shared = [part for part in parts if part.share is not None]
    yield out.paint(f"{_row('  where it goes', 'asked', *_HEAD)}   share", "dim")
    rows = []
    for part in shared:
        asked = "" if part.asked is None else _percent(part.asked)
        times = _times(part.alone) if part.alone is not None else ("", "", "")
        full = round(_SHARE_BAR * (part.share or 0))
        bar = ("#" if out.ascii else "█") * full
        name = visible(part.name)
        share = f"{_percent(part.share or 0):>7}  {out.paint(bar, 'info')}".rstrip()
        rows.append(f"{_row(f'  {name}', asked, *times)} {share}")
    yield from _cut_off(rows, "checks")
    single = [part for part in parts if part.share is None and part.alone is not None]
    if single:
        yield out.paint(_row("  in the scan, alone", "", *_HEAD), "dim")
        yield from _cut_off(
            [_row(f"  {visible(p.name)}", "", *_times(p.alone)) for p in single if p.alone],
            "checks",
        )


def _cut_off(rows: Sequence[str], what: str) -> Iterator[str]:
    yield from rows[:_MOST_ROWS]
    if len(rows) > _MOST_ROWS:
        yield f"  and {len(rows) - _MOST_ROWS} more {what}: --json lists them all"


def _percent(share: float) -> str:
    if share <= 0:
        return "0 %"
    if share < 0.005:
        return "< 1 %"
    return f"{share:.0%}".replace("%", " %")


def _spared(surface: SurfaceSeen) -> str:
    low, high = surface.spared.interval
    value = surface.spared.value or 0.0
    names = ", ".join(map(visible, surface.dear))
    return f"decided without {names}: {value:.1%} of the calls ({low:.1%} to {high:.1%})"


def _stream(stream: Streamed) -> Iterator[str]:
    yield (
        f"streams of {stream.texts}: {spell_us(stream.per_token)} a token in all; "
        f"a token {_short(stream.feed.p50)}, p99 {_short(stream.feed.p99)}; "
        f"the end {_short(stream.finish.p50)}, p99 {_short(stream.finish.p99)}"
    )
    if not stream.passed:
        yield "none of the streams passed: nothing is known of what is held back"
    elif stream.held_mean is not None and stream.delay_mean is not None:
        whole = f"; {stream.whole} of {stream.passed} whole" if stream.whole else ""
        yield (
            f"held back: {stream.held_mean:.0f} characters on average, {stream.held_most} at most"
            f"{whole}; a character comes {stream.delay_mean:.0f} characters late"
        )


def _short(found: Quantile) -> str:
    return spell_us(found.us)


# --- about all of it


def _machine(report: Report) -> str:
    machine = report.machine
    cores = f"{machine.usable} core{'' if machine.usable == 1 else 's'}"
    on = f" of {machine.cpu}" if machine.cpu else ""
    by = ", processor time" if report.clock == "cpu" else ""
    return f"measured on {cores}{on}, {machine.python}{by}"


def _loading(report: Report) -> str:
    machine = report.machine
    load = "" if machine.load_before is None else f", load {machine.load_before:.1f} before"
    engines = ", ".join(f"{name} {version}" for name, version in machine.engines)
    said = f"measured in {report.rounds} rounds{load}; {machine.system}; {engines}"
    if report.loading is None:
        return said
    one = report.loading
    return (
        f"loaded in {spell_us(one.compile_us + one.bind_us)}: compiled {spell_us(one.compile_us)}, "
        f"bound {spell_us(one.bind_us)}, again {spell_us(one.again_us)} with models and libraries "
        f"there; {said}"
    )


def _digests(report: Report) -> str:
    """The beginnings of the digests: enough to tell two policies or two models apart."""
    known = [("policy", report.digest), *report.models]
    shown = (f"{visible(name)} {digest.removeprefix('sha256:')[:12]}" for name, digest in known)
    return f"digests: {', '.join(shown)}"


def _memory(report: Report) -> str:
    memory = report.memory
    if memory.loaded is None or memory.grown is None:
        return "memory: this system does not say"
    grown = max(memory.grown, 0)
    calls = f"{memory.calls:,} calls"
    return (
        f"memory: {_bytes(memory.loaded)} with the guard loaded, {_bytes(grown)} more after {calls}"
    )


def _bytes(count: int) -> str:
    if count < 1_000:
        return f"{count} bytes"
    if count < 1_000_000:
        return f"{count / 1_000:.0f} KB"
    return f"{count / 1_000_000:.1f} MB"


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    lines = wrap(
        _UNIT.sub("\0", text),
        width,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in lines]


# --- two reports


def compared(out: Stream, found: Comparison) -> Iterator[str]:
    """The figures of two reports side by side."""
    yield ""
    yield out.paint(f"compared with before, {found.tolerance:.0%} slower tolerated", "strong")
    surface = ""
    for one in found.ratios:
        if one.surface != surface:
            surface = one.surface
            head = f"  {surface:<{_NAME + 5}}{'before':>9}{'now':>9}  ratio"
            yield out.paint(head, "dim")
        yield _ratio(out, one)
    for names, when in ((found.only_old, "then"), (found.only_new, "now")):
        if names:
            yield from _wrapped(f"measured only {when}: {'; '.join(map(visible, names))}", 80, "  ")
    for note in found.notes:
        yield from _wrapped(f"note: {note}", 80, "  ")


_STYLES = {"slower": "bad", "faster": "good", "same": "dim", "unsure": "dim"}


def _ratio(out: Stream, one: Ratio) -> str:
    if one.high is None or not one.low:
        interval = "too few calls"
    else:
        interval = f"{one.low:.2f} to {one.high:.2f}"
    what = _clipped(visible(one.what), _NAME)
    row = (
        f"  {what:<{_NAME + 1}}{one.quantile:<4}{spell_us(one.old.us):>9}{spell_us(one.new.us):>9}"
    )
    word = out.paint(one.change, _STYLES[one.change])
    return f"{row}  {one.ratio:>5.2f}  {interval:<16}{word}"
