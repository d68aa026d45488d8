"""What changes between two policies, as a comment of a review: what is weaker stands first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from guardkit._util.shares import Share
from guardkit.semantics import Change, Comparison, Setting, as_test
from guardkit.types import STRENGTH

from ._diff_data import Counted, Step, Tally, Turn
from ._diff_report import ARROW, REPLACES, shown_text, silence, summed_up
from ._markdown import FITS, code, fenced, fitting, folded, row, size, table

_ROOM_FOR_LEFT_OUT = 1_500
"""What the sentences take that say how much was left out."""
_MOST_OF_CELL = 2_000
_MOST_NAMES = 8
_LONGEST_ID = 60
_LONGEST_TEXT = 500
_WEAKER = {True: "**weaker**", False: "stronger"}


def markdown(
    comparison: Comparison | None, tally: Tally | None, *, most: int = FITS, command: str = ""
) -> str:
    """A page of at most `most` bytes.

    Args:
        comparison: What changes for any text.
        tally: What changes for recorded texts. It has half of the page, or what it needs.
        most: How long the page may be.
        command: What says more than there is room for.
    """
    more = f"; `{command}` says all" if command else ""
    replayed = "" if tally is None else _Page(most // 2, more).of_replay(tally)
    compared = "" if comparison is None else _Page(most - size(replayed) - 1, more).of(comparison)
    return "\n".join(part for part in (compared, replayed) if part)


class _Page:
    """A page that is being written. Each part may take half of the room that is left."""

    def __init__(self, most: int, more: str) -> None:
        self._left = most - _ROOM_FOR_LEFT_OUT
        self._more = more
        self._parts: list[str] = []

    def _put(self, part: str) -> None:
        self._left -= size(part) + 1
        self._parts.append(part)

    def _text(self) -> str:
        return "\n".join(self._parts)

    def _table(self, head: Sequence[str], align: str, rows: Sequence[str], what: str) -> None:
        if not rows:
            return
        kept = fitting(rows, self._left // 2)
        if kept:
            self._put(table(head, align, kept))
        self._tell(len(rows) - len(kept), what)

    def _tell(self, missing: int, what: str) -> None:
        if missing:
            self._parts.append(f"{missing:,} more {what}{self._more}.\n")

    # --- any text

    def of(self, comparison: Comparison) -> str:
        """The exact comparison."""
        told = f"**{comparison.summary}**" if comparison.is_weaker else comparison.summary
        self._put(f"### {code(comparison.old)} {ARROW} {code(comparison.new)}\n\n{told}\n")
        if not comparison.is_exact:
            self._put(
                "Some outcomes were too many to compare whole: what is listed is real, something"
                " may be missing.\n"
            )
        if comparison.has_changed_check:
            self._put(
                "A changed check may find less: that is not compared here, only its tests tell.\n"
            )
        numbered = list(zip(count(1), comparison.changes, strict=False))
        self._table(
            ("", "", "surface", "before", "after", "rule"),
            "rlllll",
            [_outcome(number, change) for number, change in numbered],
            "outcomes",
        )
        self._examples([pair for pair in numbered if pair[1].is_weaker], is_weaker=True)
        settings = sorted(comparison.settings, key=lambda setting: not setting.is_weaker)
        self._table(
            ("", "setting", "before", "after"), "llll", [*map(_setting, settings)], "settings"
        )
        self._examples([pair for pair in numbered if not pair[1].is_weaker], is_weaker=False)
        return self._text()

    def _examples(self, numbered: Sequence[tuple[int, Change]], *, is_weaker: bool) -> None:
        if not numbered:
            return
        tests = [as_test(change, _title(number, change)) for number, change in numbered]
        kept = fitting(tests, self._left // 2)
        if kept:
            which = "weaker" if is_weaker else "stronger"
            body = fenced("\n\n".join(kept), "guard")
            title = f"An example of each {which} outcome, as a test"
            self._put(folded(title, body, is_open=is_weaker))
        self._tell(len(tests) - len(kept), "examples")

    # --- recorded texts

    def of_replay(self, tally: Tally) -> str:
        """What became of recorded texts."""
        self._put(f"**Replay of {summed_up(tally)}**\n")
        if tally.judged:
            self._put(_rates(tally))
        for side, counted in sorted(tally.silent.items(), reverse=True):
            self._put(f"- {silence(side, counted)}: {_cell(counted)}".removesuffix(": ") + "\n")
        self._table(
            ("", "before", "after", "texts", "rate (95 %)", "examples"),
            "lllrrl",
            [
                _step(step, counted, tally)
                for is_weaker in (True, False)
                for step, counted in tally.steps_of(weaker=is_weaker)
            ],
            "changes",
        )
        self._table(
            ("rule", "", "texts", "rate (95 %)", "examples"),
            "llrrl",
            [_turn(turn, counted, tally) for turn, counted in tally.turns_of()],
            "rules",
        )
        unread = [f"- {code(id, _LONGEST_ID)}: {code(why)}" for id, why in tally.unread]
        kept = fitting(unread, self._left // 2)
        if kept:
            self._put("\n".join(kept) + "\n")
        self._tell(tally.unjudged - len(kept), "not judged")
        return self._text()


def _title(number: int, change: Change) -> str:
    stays = change.before if change.is_weaker else change.after
    return f"{number}: {change.surface} stays {stays}"


def _outcome(number: int, change: Change) -> str:
    tools = _listed([tool for tool in change.tools if tool is not None])
    if tools and None in change.tools:
        tools += " and every other tool"
    surface = f"{change.surface} on {tools}" if tools else str(change.surface)
    rules = _listed(change.old_rules if change.is_weaker else change.new_rules)
    kind = _WEAKER[change.is_weaker]
    return row(str(number), kind, surface, change.before, change.after, rules)


def _listed(names: Sequence[str]) -> str:
    shown = [code(name) for name in names[:_MOST_NAMES]]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown):,} more")
    return ", ".join(shown)


def _setting(setting: Setting) -> str:
    what = f"{setting.kind} {code(setting.name)}" if setting.name else setting.kind
    mark = "**weaker**" if setting.is_weaker else ""
    if setting.how == "renamed":
        return row(mark, f"{what} renamed", "", code(setting.after))
    if setting.how != "changed":
        return row(mark, f"{what} {setting.how}", "", "")
    before, after = (code(value) if value else "" for value in (setting.before, setting.after))
    return row(mark, f"{what} {code(setting.field)}", before, after)


def _rates(tally: Tally) -> str:
    """How often each verdict came, before and after."""
    rows = [
        row(
            action,
            *(
                f"{side[action]:,}, {Share(side[action], tally.judged).shown}"
                for side in (tally.old, tally.new)
            ),
        )
        for action in sorted(tally.old | tally.new, key=STRENGTH.__getitem__, reverse=True)
    ]
    return table(("verdict", "before (95 %)", "after (95 %)"), "lrr", rows)


def _step(step: Step, counted: Counted, tally: Tally) -> str:
    kind = _WEAKER[step.is_weaker]
    if step.before == step.after:
        kind += f", {REPLACES[step.is_weaker]}"
    return row(kind, step.before, step.after, *_counts(counted, tally))


def _turn(turn: Turn, counted: Counted, tally: Tally) -> str:
    how = "fires newly" if turn.is_new else "fires no longer"
    return row(code(turn.rule), how, *_counts(counted, tally))


def _counts(counted: Counted, tally: Tally) -> tuple[str, str, str]:
    return f"{counted.texts:,}", Share(counted.texts, tally.judged).shown, _cell(counted)


def _cell(counted: Counted) -> str:
    shows_texts = any(example.text is not None for example in counted.examples)
    said = [
        code(example.id, _LONGEST_ID)
        + ("" if example.text is None else f" {code(shown_text(example), _LONGEST_TEXT)}")
        for example in counted.examples
    ]
    parts = fitting(said, _MOST_OF_CELL)
    if parts and counted.texts > len(parts):
        parts.append(f"and {counted.texts - len(parts):,} more")
    return ("<br>" if shows_texts else ", ").join(parts)
