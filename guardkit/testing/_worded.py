"""What came of a test in words: one finding, and lines of detail below it.

A terminal, a report and a run of pytest say the same of a test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import ceil, floor
from typing import NamedTuple

from guardkit.diagnostics import Code, Diagnostic, Label, Place, Source, Span, render, visible
from guardkit.semantics import Expected, Probe

from ._probes import MissedCase, ProbeResult, Rate
from ._runner import CaseResult, Miss

_LONGEST = 400
_WIDEST_NAME = 10
_MOST_MISSED = 5
_MOST_WORN = 3
_NOWHERE = Place(Source("", ""), Span(0, 0))


class Worded(NamedTuple):
    """A test that did not pass, in words."""

    finding: Diagnostic
    """Where it stands, and what is wrong with it."""
    summary: str
    """The same in one short line, without the place."""
    details: tuple[tuple[str, str], ...]
    """What was expected, what came, what was given, what helps: a name and a text each."""

    @property
    def is_undecided(self) -> bool:
        """Whether nothing is wrong as far as anybody can tell here."""
        return self.finding.code.id == "undecided"

    def shown(self, *, color: bool = False, width: int = 80, ascii: bool = False) -> str:
        """A frame of the policy with the details below it; no line break at the end."""
        frame = render([self.finding], "full", color=color, width=width, ascii=ascii)
        dim, off = ("\x1b[2m", "\x1b[0m") if color else ("", "")
        column = max([_WIDEST_NAME, *(len(name) for name, _ in self.details)])
        lines = [f"  {dim}{name:<{column}}{off} {text}" for name, text in self.details]
        # The last block of a frame counts findings: whoever runs many tests counts for himself.
        return "\n".join([frame.rpartition("\n\n")[0], *([""] if lines else []), *lines])


def worded(result: CaseResult) -> Worded | None:
    """What there is to say of a test; None when it passed."""
    if result.status == "passed":
        return None
    miss = result.miss
    if result.status == "undecided":
        code = Code("undecided", "test-undecided", "warning", "a test could not be decided")
        summary = note = _why(result)
    else:
        code = Code("failed", "test-failed", "error", "a test failed")
        summary, note = _failure(miss)
    place = (miss.expected.place if miss else None) or result.place or _NOWHERE
    labels = (Label(miss.event, "for this"),) if miss and miss.event else ()
    title = json.dumps(result.name, ensure_ascii=False)
    finding = Diagnostic(code, place, title, note, labels, level=code.level)
    return Worded(finding, summary, tuple(_details(result)))


def worded_probe(result: ProbeResult) -> Worded | None:
    """What there is to say of a probe; None when it passed. No text of a case is in it."""
    if result.status == "passed":
        return None
    if result.status == "undecided":
        code = Code("undecided", "probe-undecided", "warning", "a probe could not be decided")
    elif result.status == "broken":
        code = Code("broken", "probe-broken", "error", "a probe has no cases to judge")
    else:
        code = Code("failed", "probe-failed", "error", "a probe failed")
    summary = result.why or f"expected {_asked(result.probe)}, came to {_rated(result.rate)}"
    note = result.why or f"came to {_rated(result.rate)}"
    place = result.probe.place or _NOWHERE
    finding = Diagnostic(code, place, f"probe {result.name}", note, level=code.level)
    return Worded(finding, summary, tuple(_probe_details(result)))


def _probe_details(result: ProbeResult) -> Iterator[tuple[str, str]]:
    if result.status == "broken":
        return
    probe = result.probe
    yield "expected", _asked(probe)
    if result.rate.of:
        yield "actual", _rated(result.rate) + _sure(result)
    if probe.disguises:
        for rate in result.rates:
            yield (rate.disguise or "plain"), _rated(rate)
    alike = _alike(result.missed)
    for missed, worn in alike[:_MOST_MISSED]:
        by = f" by {', '.join(missed.fired)}" if missed.fired else ""
        mute = f", no answer: {', '.join(missed.unknown)}" if missed.unknown else ""
        yield "missed", f"{visible(missed.id)}{worn}: {missed.action}{by}{mute}"
    if len(alike) > _MOST_MISSED:
        yield "", f"and {len(alike) - _MOST_MISSED:,} more"
    if result.needed is not None:
        yield "help", f"{result.needed:,} more cases without a miss would make it sure"
    elif result.status == "undecided" and not result.unanswered:
        yield "help", "no number of cases makes this sure: leave out `confidence`, or ask for less"


def _alike(missed: Sequence[MissedCase]) -> list[tuple[MissedCase, str]]:
    """Each case that came out the same in several disguises once, with what it wore."""
    worn: dict[tuple[object, ...], list[str]] = {}
    first: dict[tuple[object, ...], MissedCase] = {}
    for one in missed:
        key = (one.line, one.action, one.fired, one.unknown)
        first.setdefault(key, one)
        worn.setdefault(key, []).append(one.disguise or "")
    return [(one, _wearing(worn[key])) for key, one in first.items()]


def _wearing(disguises: Sequence[str]) -> str:
    named = [name for name in disguises if name]
    also = "also " if len(named) < len(disguises) else ""
    shown = ", ".join(named[:_MOST_WORN])
    more = f" and {len(named) - _MOST_WORN} more" if len(named) > _MOST_WORN else ""
    return f" ({also}in {shown}{more})" if named else ""


def _sure(result: ProbeResult) -> str:
    """Where the rate lies as far as the cases can tell: on the side that the probe asks about."""
    probe, (low, high) = result.probe, result.bounds
    if probe.confidence is None:
        return ""
    # Rounded away from the rate: what is said has to hold.
    least, most = floor(1000 * low) / 10, ceil(1000 * high) / 10
    side = f"at most {most:.1f}%" if probe.bound == "most" else f"at least {least:.1f}%"
    return f"; {side} with confidence {probe.confidence * 100:g}%"


def _asked(probe: Probe) -> str:
    sure = "" if probe.confidence is None else f" confidence {probe.confidence * 100:g}%"
    return f"{probe.outcome} at {probe.bound} {probe.rate * 100:g}%{sure}"


def _rated(rate: Rate) -> str:
    unknown = f", {rate.unknown:,} unknown" if rate.unknown else ""
    return f"{rate.hits:,} of {rate.of:,} ({rate.value:.1%}{unknown})"


def _failure(miss: Miss | None) -> tuple[str, str]:
    """In one line, and as the note under what was expected."""
    if miss is None:
        return "failed", ""
    if _is_about_text(miss):
        return "became another text", "became another text"
    came = _came(miss)
    return f"expected {_wanted(miss.expected)}, came to {came}", f"came to {came}"


def _details(result: CaseResult) -> Iterator[tuple[str, str]]:
    miss = result.miss
    if miss is not None and result.status == "failed":
        if _is_about_text(miss):
            yield "expected", _quoted(miss.expected.becomes or "")
            yield "actual", _quoted(miss.text)
        else:
            yield "expected", _wanted(miss.expected)
            yield "actual", _came(miss)
        if miss.exempted:
            yield "exempted", ", ".join(miss.exempted)
        if miss.shadow:
            yield "in shadow", ", ".join(miss.shadow)
    if miss is not None and miss.given:
        yield "given", "; ".join(_assignment(name, value) for name, value in miss.given)
    for rate, score in miss.thresholds if miss is not None else ():
        yield "threshold", f"{rate} is {score:.4g}"
    if result.unanswered:
        yield "help", f"say what it answers: `given {result.unanswered[0]} = …` before the event"
    elif result.placeless:
        yield "help", "leave out `becomes`, or give it a text in which the check finds something"


def _why(result: CaseResult) -> str:
    """Why a test is undecided."""
    if result.unanswered:
        return f"depends on {', '.join(f'`{name}`' for name in result.unanswered)}"
    if result.placeless:
        return f"nobody said where {', '.join(f'`{name}`' for name in result.placeless)} holds"
    return "there are too many ways it could turn out"


def _is_about_text(miss: Miss) -> bool:
    """Whether the verdict is the one expected, and only what it makes of the text is not."""
    expected = miss.expected
    wanted = {(name, expected.action) for name in expected.by}
    is_met = miss.action == expected.action and wanted <= set(miss.fired)
    return is_met and expected.becomes is not None


def _assignment(name: str, value: str) -> str:
    return f"{name} fails" if value == "fails" else f"{name} = {visible(value)}"


def _wanted(expected: Expected) -> str:
    by = f" by {', '.join(expected.by)}" if expected.by else ""
    return f"{expected.action}{by}"


def _came(miss: Miss) -> str:
    own = [name for name, verb in miss.fired if verb == miss.action]
    others = [f"{name} would {verb}" for name, verb in miss.fired if verb != miss.action]
    by = f" by {', '.join(own)}" if own else ""
    return f"{miss.action}{by}" + (f" ({', '.join(others)})" if others else "")


def _quoted(text: str) -> str:
    shown = json.dumps(text, ensure_ascii=False)
    return visible(shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "…")
