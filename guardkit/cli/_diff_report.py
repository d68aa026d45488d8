"""A replay told to people: lines for a terminal, Markdown for a review, data for a program."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from guardkit.diagnostics import visible

from ._diff_data import MOST_CHARS, Counted, Example, Step, Tally, Turn
from ._screen import Stream, quoted

_ARROW = "→"
_LONGEST_ID = 60
_INDENT = " " * 5
_REPLACES = {True: "replaces less of the text", False: "replaces more of the text"}


def summed_up(tally: Tally) -> str:
    """`1,204 texts: 37 weaker, 12 stronger, 1,155 the same`."""
    parts = [
        f"{count:,} {word}"
        for count, word in (
            (tally.weaker, "weaker"),
            (tally.stronger, "stronger"),
            (tally.same, "the same"),
            (tally.unjudged, "not judged"),
        )
        if count
    ]
    return f"{_texts(tally.texts)}: {', '.join(parts)}"


def _texts(count: int) -> str:
    return f"{count:,} {'text' if count == 1 else 'texts'}"


def _silence(side: str, counted: Counted) -> str:
    return f"{side}: a check could not answer, `on_error` decided for {_texts(counted.texts)}"


# --- text


def write_text(out: Stream, tally: Tally) -> None:
    """The replay as a person reads it, as wide as the stream."""
    out.line(f"Replay of {summed_up(tally)}")
    for title, style, is_weaker in (
        ("Weaker verdicts", "bad", True),
        ("Stronger verdicts", "good", False),
    ):
        steps = tally.steps_of(weaker=is_weaker)
        if steps:
            out.write(f"\n{out.paint(title, style)}\n\n")
        for step, counted in steps:
            more = f"  {_REPLACES[is_weaker]}" if step.before == step.after else ""
            out.line(
                f"{counted.texts:>9,}  {step.before:>7} {_ARROW} {step.after:<7}{more}".rstrip()
            )
            _write_examples(out, counted)
    if tally.turns:
        out.write(f"\n{out.paint('Rules', 'strong')}\n")
    for word, is_new in (("fires no longer", False), ("fires newly", True)):
        turns = [pair for pair in tally.turns_of() if pair[0].is_new == is_new]
        if turns:
            out.line()
        for turn, counted in turns:
            out.line(f"{counted.texts:>9,}  {turn.rule}  {word}")
            _write_examples(out, counted)
    if not tally.is_whole:
        out.write(f"\n{out.paint('Without an answer', 'warn')}\n\n")
    for side, counted in sorted(tally.silent.items(), reverse=True):
        _wrap(out, _silence(side, counted), _INDENT)
        _write_examples(out, counted)
    for id, why in tally.unread:
        _wrap(out, f"{_id(id)}: {why}", _INDENT)
    if tally.unjudged > len(tally.unread):
        out.line(f"{_INDENT}and {tally.unjudged - len(tally.unread):,} more that are not judged")


def _write_examples(out: Stream, counted: Counted) -> None:
    indent = " " * 11
    if any(example.text is not None for example in counted.examples):
        for example in counted.examples:
            _wrap(out, f"{_id(example.id)}  {_text(example)}", indent)
        if counted.more:
            out.line(f"{indent}and {counted.more:,} more")
    elif counted.examples:
        more = f", and {counted.more:,} more" if counted.more else ""
        _wrap(out, ", ".join(_id(example.id) for example in counted.examples) + more, indent)


def _wrap(out: Stream, text: str, indent: str) -> None:
    for line in textwrap.wrap(
        text,
        out.width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    ):
        out.line(line)


def _id(id: str) -> str:
    shown = visible(id)
    return shown if len(shown) <= _LONGEST_ID else f"{shown[: _LONGEST_ID - 1]}…"


def _text(example: Example) -> str:
    text = example.text or ""
    return quoted(text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}…")


# --- Markdown


def markdown(tally: Tally) -> str:
    """The replay as a comment for a review."""
    lines = [f"**Replay of {summed_up(tally)}**"]
    steps = [*tally.steps_of(weaker=True), *tally.steps_of(weaker=False)]
    if steps:
        lines += ["", "| | before | after | texts | examples |", "|---|---|---|---:|---|"]
        lines += [_step_row(step, counted) for step, counted in steps]
    if tally.turns:
        lines += ["", "| rule | | texts | examples |", "|---|---|---:|---|"]
        lines += [_turn_row(turn, counted) for turn, counted in tally.turns_of()]
    if not tally.is_whole:
        lines.append("")
    for side, counted in sorted(tally.silent.items(), reverse=True):
        lines.append(f"- {_silence(side, counted)}: {_cell(counted)}".removesuffix(": "))
    lines += [f"- {_code(id)}: {why}" for id, why in tally.unread]
    if tally.unjudged > len(tally.unread):
        lines.append(f"- and {tally.unjudged - len(tally.unread):,} more that are not judged")
    return "\n".join(lines) + "\n"


def _step_row(step: Step, counted: Counted) -> str:
    what = "**weaker**" if step.is_weaker else "stronger"
    if step.before == step.after:
        what += f", {_REPLACES[step.is_weaker]}"
    return f"| {what} | {step.before} | {step.after} | {counted.texts:,} | {_cell(counted)} |"


def _turn_row(turn: Turn, counted: Counted) -> str:
    how = "fires newly" if turn.is_new else "fires no longer"
    return f"| {_code(turn.rule)} | {how} | {counted.texts:,} | {_cell(counted)} |"


def _cell(counted: Counted) -> str:
    parts = [
        _code(example.id)
        if example.text is None
        else f"{_code(example.id)} {_code(_text(example))}"
        for example in counted.examples
    ]
    if parts and counted.more:
        parts.append(f"and {counted.more:,} more")
    return ("<br>" if any(e.text is not None for e in counted.examples) else ", ").join(parts)


def _code(text: str) -> str:
    """Text that no Markdown can hide in, in a cell of a table."""
    shown = _id(text) if len(text) <= _LONGEST_ID else visible(text)
    shown = " ".join(shown.split()).replace("|", "\\|")
    ticks = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def fenced(text: str) -> str:
    """Text as it is, in Markdown."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks}text\n{text.rstrip()}\n{ticks}\n"


# --- data


def as_data(tally: Tally) -> dict[str, object]:
    """The replay as plain data."""
    return {
        "texts": tally.texts,
        "weaker": tally.weaker,
        "stronger": tally.stronger,
        "same": tally.same,
        "by_other_rules": tally.other_rules,
        "changes": [
            {
                "before": step.before,
                "after": step.after,
                "is_weaker": step.is_weaker,
                **_counted(counted),
            }
            for is_weaker in (True, False)
            for step, counted in tally.steps_of(weaker=is_weaker)
        ],
        "rules": [
            {
                "rule": turn.rule,
                "fires": "newly" if turn.is_new else "no longer",
                **_counted(counted),
            }
            for turn, counted in tally.turns_of()
        ],
        "unanswered": {
            side: _counted(tally.silent.get(side) or Counted(0)) for side in ("old", "new")
        },
        "not_judged": {
            "texts": tally.unjudged,
            "examples": [{"id": id, "why": why} for id, why in tally.unread],
        },
    }


def _counted(counted: Counted) -> dict[str, object]:
    return {"texts": counted.texts, "examples": list(_examples(counted))}


def _examples(counted: Counted) -> Iterator[dict[str, str]]:
    for example in counted.examples:
        text = {} if example.text is None else {"text": example.text[:MOST_CHARS]}
        yield {"id": example.id, **text}
