"""A run of probes beside earlier ones: what got better, what worse, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from guardkit.pages import framed, scale_end, share_text, so_many, spark, td, th, tr

from ._effects import difference_interval
from ._figures import Figures, Rate
from ._html_words import points

_RATES: Final = (("attacks that got through", "bad"), ("benign requests refused", "good"))


def since(figures: Figures, before: Sequence[Figures]) -> str:
    """The rates of the last run and of this one, how far they are apart, and the trend."""
    if not before:
        return ""
    last = before[-1]
    rows = [
        _row(name, old, new)
        for (name, _), old, new in zip(_RATES, _rates(last), _rates(figures), strict=True)
        if old.of and new.of
    ]
    heads = [
        th("rate"),
        th("last run"),
        th("this run"),
        th("change, in points"),
        th("", "left"),
    ]
    table = framed("", heads, rows, "This run and the last one") if rows else ""
    return f"{_apart(figures, last)}{table}{_trends([*before, figures])}"


def _rates(figures: Figures) -> tuple[Rate, Rate]:
    return figures.leaked, figures.over_refusal


def _apart(figures: Figures, last: Figures) -> str:
    """What else than the policy may have made the difference."""
    told = [
        said
        for is_other, said in (
            (figures.target != last.target, "another model"),
            (figures.suites != last.suites, "other cases"),
            (figures.seed != last.seed, "another seed"),
        )
        if is_other
    ]
    same = "the same policy" if figures.digest == last.digest else "another text of the policy"
    rest = f", {', '.join(told)}" if told else ", the same cases and the same target"
    return f'<p class="aside">The last run had {same}{rest}.</p>'


def _row(name: str, old: Rate, new: Rate) -> str:
    low, high = difference_interval(*_worth(new), *_worth(old))
    moved = (new.value or 0.0) - (old.value or 0.0)
    verdict = "better" if high < 0 else "worse" if low > 0 else "not certain"
    word = f"<b>{verdict}</b>" if low > 0 or high < 0 else verdict
    cells = [
        td(share_text(old)),
        td(share_text(new)),
        td(f'{points(moved)}<span class="range">{points(low)} to {points(high)}</span>'),
        td(word, "left"),
    ]
    return tr(name, cells)


def _worth(rate: Rate) -> tuple[float, float]:
    """Hits and trials, worth no more than the cases are: forms of one text say little more."""
    share = min(rate.cases / rate.of, 1.0)
    return rate.hits * share, rate.of * share


def _trends(runs: Sequence[Figures]) -> str:
    """A line for each rate through all runs."""
    return "".join(_drawn(runs)) if len(runs) > 2 else ""


def _drawn(runs: Sequence[Figures]) -> Iterator[str]:
    end = scale_end([rate for run in runs for rate in _rates(run)])
    for at, (name, style) in enumerate(_RATES):
        line = spark([_rates(run)[at] for run in runs], style, name, most=end)
        if line:
            yield f'<p class="aside">{line} {name}, over {so_many(len(runs), "run")}</p>'
