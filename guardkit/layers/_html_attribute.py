"""Attributions as one HTML file that needs nothing else: which layer made it so, and how surely."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from guardkit.pages import (
    NONE,
    Key,
    Part,
    counted,
    document,
    headed,
    keys,
    safe,
    share_key,
    so_many,
    spelled,
)

from ._attribution import Attribution
from ._html_exchange import exchange
from ._html_exchanges import exchanges
from ._html_words import chance_of, layer_name, spelled_duration
from ._summary import Summary

_MOST_FILES: Final = 8
_EXPECTED: Final = {"answer": "an answer was expected", "refuse": "a refusal was expected"}
_STANDS: Final = {
    "named": "",
    "overdetermined": "and others would have done it too",
    "undetermined": "the likeliest; not settled",
    "unjudged": "nothing to judge",
    "none": "nothing to explain",
}


def attribution_html(
    made: Sequence[Attribution],
    day: date | None = None,
    *,
    summary: Summary | None = None,
    policy: str = "",
    files: Sequence[str] = (),
    repeats: int | None = None,
    seed: int | None = None,
) -> str:
    """The report as an HTML document of less than `guardkit.pages.MOST_BYTES`.

    It holds names of layers and rules and ids of exchanges, and never a text.

    Args:
        made: The attributions; of many the findings first.
        day: The day they were made, to be shown.
        summary: The counts of all of them, where `made` is only some; counted when left out.
        policy: What the policy is called.
        files: Where the exchanges are from.
        repeats: How many runs each form of the stack was given.
        seed: The seed of the run.
    """
    counts = Summary.of(made) if summary is None else summary
    is_one = len(made) == 1 and counts.exchanges == 1 and not counts.unread
    parts = _one(made[0], day, policy) if is_one else _many(made, counts, day, policy, files)
    title = f"{policy}: attribution" if policy else "attribution"
    return document(title, parts, _foot(policy, repeats, seed))


# --- one exchange


def _one(made: Attribution, day: date | None, policy: str) -> Iterator[Part]:
    head, _, rest = made.sentence.partition(": ")
    of = f" · exchange {made.id}" if made.id else ""
    lead = f"{safe(_started(rest))}. " if rest else ""
    yield Part(headed(f"Attribution{of}", _started(head), f"{lead}{_judged(made)}", day))
    yield Part(_keys(made))
    for piece in exchange(made):
        yield Part(piece, is_optional=len(piece) > 40_000)


def _started(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _judged(made: Attribution) -> str:
    expected = _EXPECTED.get(made.expected or "")
    if expected is None:
        return "Nothing says what was expected."
    return f"{_started(expected)}: {_article(made.judgement)}."


def _article(judgement: str) -> str:
    match judgement:
        case "over-refusal":
            return "<b>this is an over-refusal</b>"
        case "wrong answer":
            return "<b>this is a wrong answer</b>"
        case "correct refusal":
            return "this is a correct refusal"
        case "fault":
            return "there was neither"
        case _:
            return "there was one"


def _keys(made: Attribution) -> str:
    where = layer_name(made.layer) if made.layer else NONE
    is_sure = made.certainty is not None and made.standing != "unjudged"
    sure = f"{chance_of(made.certainty or 0.0)} probable" if is_sure else ""
    about = (sure, spelled(made.by), _STANDS[made.standing])
    cells = [
        Key("Outcome", made.outcome, "", f"judged as: {made.judgement}"),
        Key("Layer", where, "", "<br>".join(one for one in about if one)),
    ]
    if made.intact.of:
        cells.append(
            share_key(f"{_started(made.outcome)}, everything in place", made.intact, "runs")
        )
    took = spelled_duration(1e6 * made.elapsed_s)
    calls = f"{so_many(made.model_calls, 'call')} of a model<br>{took}"
    cells.append(Key("Cost", counted(made.runs), "run" if made.runs == 1 else "runs", calls))
    return keys(cells, "The interval is of 95 %.")


# --- many


def _many(
    made: Sequence[Attribution],
    counts: Summary,
    day: date | None,
    policy: str,
    files: Sequence[str],
) -> Iterator[Part]:
    names = ", ".join(f"<code>{spelled(name)}</code>" for name in files[:_MOST_FILES])
    of = f" of {names}" if names else ""
    wrong = [
        f"{so_many(count, judgement)}"
        for judgement in ("over-refusal", "wrong answer")
        if (count := sum(one.exchanges for one in counts.groups if one.judgement == judgement))
    ]
    found = " and ".join(wrong) or "no over-refusal and no wrong answer"
    lead = f"<b>{_started(found)}</b> among {so_many(counts.exchanges, 'exchange')}{of}."
    yield Part(headed("Attribution", policy or "Exchanges", lead, day))
    yield from exchanges(made, counts)


# --- the foot


def _foot(policy: str, repeats: int | None, seed: int | None) -> str:
    settings = []
    if policy:
        settings.append(f"Policy <code>{spelled(policy)}</code>")
    if repeats is not None:
        settings.append(f"At most {so_many(repeats, 'run')} of each form of the stack")
    if seed is not None:
        settings.append(f"Seed <code>{seed}</code>")
    last = f"<p>{'<br>'.join(settings)}</p>" if settings else ""
    return (
        "<h3>How to read this</h3>"
        "<p>A deployment is a stack: the <b>input check</b> of the policy, the <b>context</b> (the "
        "system prompt), the <b>weights</b> of the model, the <b>provider filter</b>, the "
        "<b>output check</b>. To learn which of them made an exchange come out as it did, the same "
        "exchange is run with one of them taken away. If the outcome goes with a layer, the layer "
        "made it. Weights are not taken away but exchanged for others. <b>Model</b> is context and "
        "weights, where nobody has told them apart.</p>"
        "<p>What goes with a layer is how often the outcome came with everything in place, less "
        "how often without the layer. Its interval of 95 % is Miettinen's and Nurminen's. "
        "<b>Certain</b> is what follows from the rules that judged, where no chance is involved. "
        "Where several layers would have done the same, taking away one changes nothing, and they "
        "are taken away together.</p>"
        f"{last}"
    )
