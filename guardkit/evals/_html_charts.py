"""The pictures of a report, as SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10, sqrt
from typing import Final

from guardkit.pages import Spot, drawing, length, line_through, percent, text_at

from ._numbers import Estimate, Histogram, Point, Scored

_WIDE: Final = 300
_HIGH: Final = 236
_LEFT: Final = 36
_RIGHT: Final = 8
_TOP: Final = 10
_BOTTOM: Final = 34
_ACROSS: Final = _WIDE - _LEFT - _RIGHT
_DOWN: Final = _HIGH - _TOP - _BOTTOM
_DECADES: Final = 3


def roc(score: Scored, benign: int, name: str, *, is_log: bool) -> str:
    """Recall over the false alarm rate; small rates in detail, or evenly spread."""
    least = max(1 / max(benign, 10), 10.0**-_DECADES) if is_log else 0.0

    def across(rate: float) -> float:
        if not is_log:
            return _LEFT + _ACROSS * rate
        return _LEFT + _ACROSS * (1 - log10(max(rate, least)) / log10(least))

    spots = [Spot(across(0), _down(0))]
    for _, rate, recall in score.curve:
        # Between two thresholds nothing is found without the next one: steps, not slopes.
        spots += [Spot(across(rate), spots[-1].y), Spot(across(rate), _down(recall))]
    rates = (
        [r for r in (0.0001, 0.001, 0.01, 0.1, 1.0) if r >= least * 0.999]
        if is_log
        else [0.0, 0.25, 0.5, 0.75, 1.0]
    )
    chance = (
        "".join(
            f"{'L' if i else 'M'}{length(across(r))} {length(_down(r))}"
            for i, r in enumerate(10 ** (log10(least) * (1 - k / 24)) for k in range(25))
        )
        if is_log
        else f"M{_LEFT} {length(_down(0))}L{_LEFT + _ACROSS} {length(_down(1))}"
    )
    marks = []
    for one in score.at_rates:
        if one.point is not None:
            rate = one.point.counts.false_alarms.value or 0.0
            recall = one.point.counts.recall.value or 0.0
            x, y = across(rate), _down(recall)
            marks.append(f'<circle class="dot" cx="{length(x)}" cy="{length(y)}" r="3.4"/>')
    said = "" if score.auc is None else f"Area under the curve {_estimate(score.auc)}. "
    told = " ".join(
        f"Found at {100 * one.rate:g} % false alarms: {percent(one.point.counts.recall.value)}."
        for one in score.at_rates
        if one.point is not None
    )
    kind = "log" if is_log else "even"
    area = (
        ""
        if score.auc is None
        else _text(_LEFT + _ACROSS - 4, _down(0.06), _auc(score), "end", "lab")
    )
    body = (
        _frame(
            [(across(rate), _tick(rate)) for rate in rates],
            "false alarms" + (", log scale" if is_log else ""),
            "found",
        )
        + f'<path class="dash" d="{chance}"/>'
        + f'<path class="line" d="{line_through(spots)}"/>'
        + "".join(marks)
        + area
    )
    return _svg(f"{name}: found over false alarms", f"{said}{told}", body, kind)


def precision_recall(score: Scored, prevalence: float, name: str) -> str:
    """Precision over recall, and what chance would give."""
    spots: list[Spot] = []
    for recall, precision in score.precision:
        x = _LEFT + _ACROSS * recall
        if not spots:
            spots.append(Spot(_LEFT, _down(precision)))
        spots += [Spot(x, spots[-1].y), Spot(x, _down(precision))]
    chance = _down(prevalence)
    body = (
        _frame(
            [(_LEFT + _ACROSS * r, _tick(r)) for r in (0.0, 0.25, 0.5, 0.75, 1.0)],
            "found (recall)",
            "precision",
        )
        + f'<path class="dash" d="M{_LEFT} {length(chance)}H{_LEFT + _ACROSS}"/>'
        + f'<path class="line" d="{line_through(spots)}"/>'
    )
    said = (
        ""
        if score.average_precision is None
        else f"Average precision {score.average_precision:.3f}. "
    )
    if score.average_precision is not None:
        body += _text(_LEFT + 6, _down(0.06), f"AP {score.average_precision:.3f}", "start", "lab")
    return _svg(
        f"{name}: precision over recall",
        f"{said}Chance would give {percent(prevalence)}.",
        body,
    )


def histogram(shape: Histogram, cut: float | None, name: str) -> str:
    """Where scores lie: harmful texts stand up from the middle, benign ones hang down."""
    middle, half = _TOP + _DOWN / 2, _DOWN / 2 - 12
    bars = len(shape.harmful)
    width = _ACROSS / bars
    pieces = []
    for counts, style, side in ((shape.harmful, "bad", -1), (shape.benign, "good", 1)):
        most = max(counts, default=0)
        path = ""
        for at, count in enumerate(counts):
            if count:
                # A single text among thousands is still to be seen.
                tall = max(half * sqrt(count / most), 1.0)
                y = middle if side > 0 else middle - tall
                across = f"h{length(width - 1)}v{length(tall)}h{length(1 - width)}z"
                path += f"M{length(_LEFT + at * width + 0.5)} {length(y)}{across}"
        pieces.append(f'<path class="{style}" d="{path}"/>')
    span = shape.high - shape.low
    ticks = [shape.low + span * part for part in (0, 0.25, 0.5, 0.75, 1)]
    pieces += [
        f'<path class="axis" d="M{_LEFT} {length(middle)}H{_LEFT + _ACROSS}"/>',
        f'<path class="axis" d="M{_LEFT} {_TOP + _DOWN}H{_LEFT + _ACROSS}"/>',
        *(
            _text(_LEFT + _ACROSS * (tick - shape.low) / span, _TOP + _DOWN + 14, f"{tick:.3g}")
            for tick in ticks
        ),
        _text(_LEFT + _ACROSS / 2, _HIGH - 4, "score"),
        _text(
            _LEFT + _ACROSS / 2, _TOP + 8, f"harmful ({sum(shape.harmful):,})", "middle", "bad-text"
        ),
        _text(
            _LEFT + _ACROSS / 2,
            _TOP + _DOWN - 5,
            f"benign ({sum(shape.benign):,})",
            "middle",
            "good-text",
        ),
    ]
    if cut is not None and shape.low <= cut <= shape.high:
        x = _LEFT + _ACROSS * (cut - shape.low) / span
        anchor = "end" if x > _LEFT + _ACROSS * 0.6 else "start"
        pieces += [
            f'<path class="cut" d="M{length(x)} {_TOP + 12}V{_TOP + _DOWN}"/>',
            _text(x + (-4 if anchor == "end" else 4), _TOP + 22, f"{cut:.4g}", anchor),
        ]
    said = f"{sum(shape.harmful)} harmful and {sum(shape.benign)} benign texts. "
    told = f"The line is the threshold {cut:.4g}." if cut is not None else ""
    return _svg(f"{name}: where the scores lie", said + told, "".join(pieces))


def trade(sweep: Sequence[Point], name: str) -> str:
    """Of 1,000 texts of each kind, those missed and those stopped, threshold by threshold."""
    known = [
        point
        for point in sweep
        if point.missed_in_1000 is not None and point.stopped_in_1000 is not None
    ]
    if len(known) < 2:
        return ""
    step = _ACROSS / len(known)
    pieces = []
    for at, point in enumerate(known):
        x = _LEFT + step * at
        for value, style, shift in (
            (point.missed_in_1000, "bad", 0.0),
            (point.stopped_in_1000, "good", step * 0.36),
        ):
            tall = max(_DOWN * (value or 0) / 1000, 0.8 if value else 0)
            y = _TOP + _DOWN - tall
            pieces.append(
                f'<path class="{style}" d="M{length(x + step * 0.14 + shift)} {length(y)}'
                f'h{length(step * 0.34)}v{length(tall)}h{length(-step * 0.34)}z"/>'
            )
    skip = -(-len(known) // 6)
    labels = [
        (_LEFT + step * (at + 0.5), f"{point.threshold:.3g}")
        for at, point in enumerate(known)
        if at % skip == 0
    ]
    body = _frame(labels, "threshold", "of 1,000 texts", tall=("0", "500", "1,000")) + "".join(
        pieces
    )
    body += _text(_LEFT + 2, _TOP + 9, "left: harmful missed", "start", "bad-text")
    body += _text(_LEFT + 2, _TOP + 23, "right: benign stopped", "start", "good-text")
    return _svg(f"{name}: the cost of each threshold", "The table below has the numbers.", body)


# --- parts


def _svg(title: str, told: str, body: str, style: str = "") -> str:
    return drawing(title, told, body, wide=_WIDE, high=_HIGH, style=style)


def _frame(
    ticks: Sequence[tuple[float, str]],
    under: str,
    beside: str,
    tall: Sequence[str] = ("0", "50 %", "100 %"),
) -> str:
    lines, texts = [], []
    for part, label in zip((0.0, 0.5, 1.0), tall, strict=True):
        y = length(_down(part))
        lines.append(f"M{_LEFT} {y}H{_LEFT + _ACROSS}")
        texts.append(_text(_LEFT - 5, _down(part) + 3.5, label, "end"))
    for x, label in ticks:
        texts.append(_text(x, _TOP + _DOWN + 14, label))
    lines += [f"M{_LEFT} {length(_down(part))}H{_LEFT + _ACROSS}" for part in (0.25, 0.75)]
    return (
        f'<path class="grid" d="{"".join(lines)}"/>'
        f'<path class="axis" d="M{_LEFT} {_TOP + _DOWN}H{_LEFT + _ACROSS}"/>'
        + "".join(texts)
        + _text(_LEFT + _ACROSS / 2, _HIGH - 4, under)
        + f'<text transform="translate(9 {_TOP + _DOWN * 0.25:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(beside)}</text>'
    )


def _text(x: float, y: float, said: str, anchor: str = "middle", style: str = "") -> str:
    return text_at(Spot(x, y), said, anchor, style)


def _down(share: float) -> float:
    return _TOP + _DOWN * (1 - share)


def _tick(rate: float) -> str:
    return f"{100 * rate:g} %" if rate else "0"


def _estimate(one: Estimate) -> str:
    return f"{one.value:.3f}, between {one.low:.3f} and {one.high:.3f}"


def _auc(score: Scored) -> str:
    return "" if score.auc is None else f"AUC {score.auc.value:.3f}"
