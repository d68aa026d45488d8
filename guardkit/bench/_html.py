"""A measurement as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from guardkit.pages import (
    Key,
    Part,
    counted,
    document,
    headed,
    keys,
    notes,
    safe,
    sentence,
    so_many,
    spelled,
)
from guardkit.plan import spell_us

from ._compare import Comparison
from ._html_tables import comparison as compared
from ._html_tables import layers, surface_parts
from ._html_words import interval, sized, split_us
from ._report import Report, SurfaceSeen


def as_html(report: Report, comparison: Comparison | None = None, day: date | None = None) -> str:
    """The report as an HTML document of less than `guardkit.pages.MOST_BYTES`.

    It holds names of rules, checks and files, and never a text.

    Args:
        report: What was measured.
        comparison: The same beside an older report.
        day: The day it was made, to be shown.
    """
    return document(f"{report.policy}: benchmark", _parts(report, comparison, day), _foot(report))


def _parts(report: Report, comparison: Comparison | None, day: date | None) -> Iterator[Part]:
    yield Part(headed("Benchmark", report.policy, _lead(report), day))
    yield Part(keys([_key(report, one) for one in report.surfaces], _about(report)))
    yield Part(notes(_notes(report, comparison)))
    yield Part(layers(report))
    if comparison is not None:
        yield Part(compared(comparison))
    for surface in report.surfaces:
        yield from surface_parts(surface)
    yield Part(_machine(report))


# --- the head


def _lead(report: Report) -> str:
    machine = report.machine
    cores = so_many(machine.usable, "core")
    on = f" of {safe(machine.cpu)}" if machine.cpu else ""
    by = "processor time" if report.clock == "cpu" else "time of the wall clock"
    return (
        f"Measured on {cores}{on} with {safe(machine.python)}, in "
        f"{so_many(report.rounds, 'round')}: {by}."
    )


def _key(report: Report, surface: SurfaceSeen) -> Key:
    held = surface.budget
    if held is None:
        slowest = max(surface.groups, key=lambda one: one.spread.at(report.quantile).us)
        found = slowest.spread.at(report.quantile)
        us, bounds, said = found.us, interval(found.low, found.high), "no budget"
    else:
        us, bounds = held.us, interval(held.low, held.high)
        word = "<b>over</b>" if held.is_over else "within"
        if surface.surface in report.unjudged:
            word = "unsure of"
        per = " per chunk" if held.per_chunk else ""
        said = f"{word} {spell_us(held.limit_us)}{per}"
    number, unit = split_us(us)
    return Key(f"<code>{surface.surface}</code>", number, unit, f"{bounds}<br>{said}")


def _about(report: Report) -> str:
    return (
        f"{report.quantile} of the slowest texts of each surface, with its interval of 95 %, and "
        "the budget it is held against."
    )


def _notes(report: Report, comparison: Comparison | None) -> Sequence[str]:
    said = []
    for surface in report.surfaces:
        name = f"<code>{surface.surface}</code>"
        if surface.budget is not None and surface.budget.is_over:
            said.append(f"{name} is over its budget.")
        if surface.lacking:
            lost = ", ".join(f"<code>{spelled(one)}</code>" for one in surface.lacking)
            said.append(f"{name} was measured without {lost}.")
        if surface.undecided.hits:
            rules = ", ".join(f"<code>{spelled(one)}</code>" for one in surface.undecided_by[:6])
            said.append(
                f"On {name} a check could not answer in {counted(surface.undecided.hits)} of "
                f"{counted(surface.undecided.of)} calls: {rules}."
            )
    if report.machine.is_busy:
        said.append(f"The machine was busy: {safe(report.machine.why_busy)}.")
    if comparison is not None:
        slower = len(comparison.slower)
        many = counted(len(comparison.ratios))
        said.append(
            f"Slower than before: {counted(slower)} of {many} figures."
            if slower
            else "Nothing is slower than before."
        )
        said += [sentence(note) for note in comparison.notes]
    return [*said, *(sentence(note) for note in report.notes)]


# --- the end


def _machine(report: Report) -> str:
    machine = report.machine
    load = [machine.load_before, machine.load_after]
    rows = [
        ("Processor", f"{safe(machine.cpu)}, {machine.usable} of {so_many(machine.cores, 'core')}"),
        ("System", safe(machine.system)),
        ("Load before, after", ", ".join("–" if x is None else f"{x:.1f}" for x in load)),
        (
            "A fixed loop",
            f"best {spell_us(machine.tick_best_us)}, usually {spell_us(machine.tick_usual_us)}",
        ),
        ("Libraries", ", ".join(f"{safe(name)} {safe(at)}" for name, at in machine.engines)),
        ("guardkit", f"{safe(report.version)}; models on {safe(report.device)}"),
        ("Policy digest", f"<code>{safe(report.digest)}</code>"),
        *(
            (f"Model {spelled(name)}", f"<code>{safe(digest)}</code>")
            for name, digest in report.models
        ),
        ("Texts", safe(report.texts)),
    ]
    rows += _loaded(report)
    said = "".join(f"<p>{name}: {value}</p>" for name, value in rows)
    return f'<h2>What it was measured on</h2><div class="aside">{said}</div>'


def _loaded(report: Report) -> Iterator[tuple[str, str]]:
    one = report.loading
    if one is not None:
        yield (
            "Loading",
            f"compiled in {spell_us(one.compile_us)}, bound in {spell_us(one.bind_us)}; again in "
            f"{spell_us(one.again_us)}",
        )
    memory = report.memory
    if memory.loaded is not None:
        grown = "" if memory.grown is None else f", {sized(max(memory.grown, 0))} more after "
        grown += f"{counted(memory.calls)} calls" if grown else ""
        yield "Memory", f"{sized(memory.loaded)} with the guard loaded{grown}"


def _foot(report: Report) -> str:
    again = f"guardkit bench FILE --seconds {report.seconds:g} --rounds {report.rounds}"
    return (
        "<h3>How to read this</h3><p>Each call judged a text that had not been judged before. p50 "
        "is what half of the calls keep to, p99 what 99 of 100 do. Below a figure stands its "
        "interval of 95 %, from order statistics, which ask nothing of how times are spread; "
        "&gt; and &lt; say that too few calls were made to know the other bound. A picture shows "
        "how many calls took how long, from fast to slow, on a logarithmic scale: blue for "
        "ordinary texts, red for near hits, which an attacker would send. What is measured "
        "<i>alone</i> is a policy with that one check or rule in it, so these do not add up.</p>"
        f"<p>To have it again: <code>{again}</code>.</p>"
    )
