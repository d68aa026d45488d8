"""A replay told to people, as lines for a terminal, and to programs, as data."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from guardkit.diagnostics import visible

from ._diff_data import MOST_CHARS, Counted, Example, Tally
from ._screen import Stream, quoted

ARROW = "→"
_LONGEST_ID = 60
_INDENT = " " * 5
REPLACES = {True: "replaces less of the text", False: "replaces more of the text"}


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


def silence(side: str, counted: Counted) -> str:
    """Why the answers of a side are not whole."""
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
            more = f"  {REPLACES[is_weaker]}" if step.before == step.after else ""
            out.line(
                f"{counted.texts:>9,}  {step.before:>7} {ARROW} {step.after:<7}{more}".rstrip()
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
        _wrap(out, silence(side, counted), _INDENT)
        _write_examples(out, counted)
    for id, why in tally.unread:
        _wrap(out, f"{_id(id)}: {why}", _INDENT)
    if tally.unjudged > len(tally.unread):
        out.line(f"{_INDENT}and {tally.unjudged - len(tally.unread):,} more that are not judged")


def _write_examples(out: Stream, counted: Counted) -> None:
    indent = " " * 11
    if any(example.text is not None for example in counted.examples):
        for example in counted.examples:
            _wrap(out, f"{_id(example.id)}  {shown_text(example)}", indent)
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


def shown_text(example: Example) -> str:
    """The text of an example in quotes, on one line."""
    text = example.text or ""
    return quoted(text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}…")


# --- data


def as_data(tally: Tally) -> dict[str, object]:
    """The replay as plain data."""
    return {
        "texts": tally.texts,
        "weaker": tally.weaker,
        "stronger": tally.stronger,
        "same": tally.same,
        "by_other_rules": tally.other_rules,
        "actions": {"old": dict(tally.old), "new": dict(tally.new)},
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
