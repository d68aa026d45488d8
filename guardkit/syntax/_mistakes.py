"""From a parser's surprise to words that help: what was found, what was expected, what to write.

`explain_mistake` tries a list of looks, from the most telling to the most general; the first that
recognises what the author had in mind writes the diagnostic.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from guardkit.diagnostics import (
    Diagnostic,
    Edit,
    Fix,
    Label,
    Source,
    Span,
    diagnose,
    nearest,
)

from ._bad_characters import explain_character, explain_hyphen, glued_number, unquoted_stretch
from ._chains import explain_mixed
from ._expected import expected, nearest_word, shape
from ._habits import HABITS
from ._machine import END, UnexpectedTokenError, UnknownCharacterError
from ._slip import Slip, make_slip
from ._words import (
    CLAUSES,
    CONNECTIVES,
    CONTINUATIONS,
    DECLARATIONS,
    SYNONYMS,
)

_WORD = re.compile(r"[a-z_][a-z0-9_]*")


def explain_mistake(
    source: Source, chunk: Span, error: UnexpectedTokenError | UnknownCharacterError
) -> Diagnostic:
    """The one diagnostic for a declaration that does not parse."""
    if isinstance(error, UnknownCharacterError):
        return explain_character(source, chunk, error)
    slip = make_slip(source, chunk, error)
    for look in _LOOKS:
        found = look(slip)
        if found is not None:
            return found
    return _anything_else(slip)


def _first_word(slip: Slip) -> Diagnostic | None:
    if slip.before:
        return None
    word = slip.word.rstrip(" \t:")
    start = slip.place.span.start
    place = slip.stretch(start, start + max(1, len(word)))
    if word in CONTINUATIONS:
        indent = Edit(slip.stretch(start, start), "  ")
        return diagnose(
            "clause-not-indented",
            place,
            f"`{word}` begins no declaration, and only declarations begin in the first column",
            help="indent it, so that it belongs to the declaration above",
            fix=Fix("indent it", (indent,)),
        )
    near = SYNONYMS[0].get(word) or nearest(word, DECLARATIONS)
    return diagnose(
        "unknown-declaration",
        place,
        f"no declaration begins with `{word}`",
        help=(f"did you mean `{near}`?",)
        if near
        else "a declaration is one of " + ", ".join(f"`{name}`" for name in DECLARATIONS),
        fix=Fix(f"write `{near}`", (Edit(place, near),)) if near else None,
    )


def _slid_word(slip: Slip) -> Diagnostic | None:
    """A clause in the first column, under a declaration that is complete without it."""
    start = slip.token.start
    if slip.word not in CONTINUATIONS or not slip.before or slip.source.text[start - 1] != "\n":
        return None
    return diagnose(
        "clause-not-indented",
        slip.place,
        f"`{slip.word}` begins no declaration, and only declarations begin in the first column",
        help="it belongs inside a declaration, and indented",
    )


def _misspelt(slip: Slip) -> Diagnostic | None:
    """A clause word with a slip in it that was taken for the name the clause above may end with."""
    word = slip.previous
    if word is None or word.kind != "NAME" or len(slip.before) < 3 or not slip.clauses:
        return None
    if len(slip.open_brackets) != 1 or not slip.breaks_between(slip.before[-2], word):
        return None
    near = nearest(word.text, slip.clauses)
    if near is None:
        return None
    place = slip.at(word)
    return diagnose(
        "unknown-clause",
        place,
        f"`{word.text}` is not a clause of `{slip.opener}`",
        help=f"did you mean `{near}`?",
        fix=Fix(f"write `{near}`", (Edit(place, near),)),
    )


def _glued(slip: Slip) -> Diagnostic | None:
    """A number that goes on with something else."""
    end = slip.token.end
    if "DATE" in slip.accepts and "NAME" not in slip.accepts:
        return None  # a date in another order is no number
    if not slip.word[:1].isdigit() or not re.match(r"[\w.]", slip.source.text[end : end + 1]):
        return None
    return glued_number(slip.source, slip.token.start, slip.chunk.end)


def _negated(slip: Slip) -> Diagnostic | None:
    if len(slip.before) < 2 or slip.before[-2].text != "not":
        return None
    negation, word = slip.before[-2], slip.before[-1]
    is_quorum = slip.word == "of"
    if not is_quorum and (word.text, slip.word) != ("cascade", "{"):
        return None
    rest = "of (…)" if is_quorum else "{ … }"
    return diagnose(
        "negated-quorum",
        slip.stretch(negation.start, word.end),
        f"`not` cannot stand before a {'quorum' if is_quorum else 'cascade'}",
        help=(
            *(("write `none of (…)` where no member may hold",) if is_quorum else ()),
            f"{'or ' if is_quorum else ''}put brackets around it: `not ({word.text} {rest})`",
        ),
    )


def _no_else(slip: Slip) -> Diagnostic | None:
    if "else" not in slip.words:
        return None
    opening = slip.bracket
    if opening is not None and slip.before_bracket(opening) == "cascade":
        if slip.word not in {"}", ""} and slip.word not in CLAUSES:
            return None
        return diagnose(
            "cascade-without-else",
            slip.place,
            "a cascade ends with `else yes` or `else no`",
            labels=(Label(slip.at(opening), "the cascade begins here"),),
            help="say what holds when no step decides",
            fix=slip.insert(slip.before[-1].end, " else no", safe=False),
        )
    verb = next((t for t in reversed(slip.before) if t.text in {"hold", "revise"}), None)
    if verb is None:
        return None
    if slip.word in {"otherwise", "or"} or nearest(slip.word, ("else",)):
        return diagnose(
            "missing-else",
            slip.place,
            f"`{verb.text}` needs an `else`, found `{slip.word}`",
            help="write `else`",
            fix=slip.replace("else"),
        )
    return diagnose(
        "missing-else",
        slip.place,
        f"`{verb.text}` needs an `else`",
        labels=(Label(slip.at(verb), "this action may not come to an end"),),
        help="say what happens then, such as `else block`",
        fix=slip.insert(slip.before[-1].end, " else block", safe=False),
    )


def _empty(slip: Slip) -> Diagnostic | None:
    opening = slip.bracket
    if opening is None or slip.previous != opening:
        return None
    head = slip.before_bracket(opening)
    if head == "of" and slip.word == ")":
        what, advice = "a quorum has no members", "name the conditions it counts: `2 of (a, b, c)`"
    elif head == "cascade" and slip.word in {"else", "}"}:
        what, advice = "a cascade has no steps", "write at least one: `yes if CONDITION`"
    else:
        return None
    return diagnose("empty-block", slip.stretch(opening.start, slip.token.end), what, help=advice)


def _boolean(slip: Slip) -> Diagnostic | None:
    word = {"true": "yes", "false": "no"}.get(slip.word)
    if word is None or word not in slip.words:
        return None
    return diagnose(
        "boolean-word", slip.place, f"`{slip.word}` is written `{word}`", fix=slip.replace(word)
    )


def _end(slip: Slip) -> Diagnostic | None:
    if slip.token.kind != END:
        return None
    opening = slip.bracket
    if opening is not None:
        closing = {"{": "}", "(": ")", "[": "]"}[opening.text]
        return diagnose(
            "unexpected-end",
            slip.place,
            f"`{closing}` is missing",
            note="the declaration ends here",
            labels=(Label(slip.at(opening), "opened here"),),
            help="a letter in the first column begins the next declaration",
            fix=slip.insert(slip.token.end, "\n}" if closing == "}" else closing, safe=False),
        )
    return diagnose(
        "unexpected-end",
        slip.place,
        f"the declaration ends too early: expected {expected(slip)}",
        help=shape(slip),
    )


def _misplaced(slip: Slip) -> Diagnostic | None:
    if slip.word not in DECLARATIONS or not slip.begins_line or slip.word in slip.clauses:
        return None
    opening = slip.open_brackets[0] if slip.open_brackets else None
    if opening is None or not slip.words & {"}", ")", "]"}:
        return None
    return diagnose(
        "misplaced-declaration",
        slip.place,
        f"`{slip.word}` begins a declaration, and a declaration cannot stand inside another",
        labels=(Label(slip.at(opening), "this block is still open"),),
        help="close the block above with `}` and begin the declaration in the first column",
    )


def _unclosed(slip: Slip) -> Diagnostic | None:
    """A round or square bracket is open where the next clause begins or the block ends."""
    opening = slip.bracket
    if opening is None or opening.text == "{" or not slip.words & {")", "]"}:
        return None
    closing = ")" if opening.text == "(" else "]"
    ends = slip.word in {"}", ")", "]"} - {closing}
    if not ends and not (slip.begins_line and slip.word in CLAUSES):
        return None
    return diagnose(
        "unexpected-token",
        slip.place,
        f"`{closing}` is missing before `{slip.word}`",
        labels=(Label(slip.at(opening), "opened here"),),
        fix=slip.insert(slip.before[-1].end, closing),
    )


def _closes_nothing(slip: Slip) -> Diagnostic | None:
    if slip.word not in {")", "]", "}"} or slip.word in slip.words:
        return None
    pairs = {")": "(", "]": "[", "}": "{"}
    if any(token.text == pairs[slip.word] for token in slip.open_brackets):
        return None
    return diagnose(
        "unexpected-token",
        slip.place,
        f"`{slip.word}` closes nothing",
        help="remove it, or open it earlier",
        fix=slip.remove(slip.token),
    )


def _clause(slip: Slip) -> Diagnostic | None:
    """A line that begins with no clause of its block."""
    if not slip.begins_clause or slip.word in slip.words or not _WORD.fullmatch(slip.word):
        return None
    if slip.opener == "rule" and slip.word in {"else", "otherwise"}:
        advice: tuple[str, ...] = ("`else` belongs to `hold` and `revise`; a rule has one action",)
        near = None
    else:
        same = SYNONYMS[1].get(slip.word)
        near = same if same in slip.clauses else nearest(slip.word, slip.clauses)
        listed = ", ".join(f"`{word}`" for word in slip.clauses)
        advice = (f"did you mean `{near}`?",) if near else (f"its clauses are {listed}",)
    return diagnose(
        "unknown-clause",
        slip.place,
        f"`{slip.word}` is not a clause of `{slip.opener}`",
        help=advice,
        fix=slip.replace(near) if near else None,
    )


def _reserved(slip: Slip) -> Diagnostic | None:
    word = slip.word
    if "NAME" not in slip.accepts or slip.token.kind == "NAME" or not _WORD.fullmatch(word):
        return None
    if slip.source.text.startswith("-", slip.token.end):
        hyphenated = explain_hyphen(slip.source, slip.token.end)
        if hyphenated is not None:
            return hyphenated
    if len(slip.before) > 1 and (word in CONNECTIVES or slip.begins_line):
        return None  # a value is missing, and this is the word that follows it
    return diagnose(
        "reserved-name",
        slip.place,
        f"`{word}` is a reserved word and cannot be a name",
        help=f"choose another name, such as `{word}_1` or `my_{word}`",
    )


def _unquoted(slip: Slip) -> Diagnostic | None:
    if "STRING" not in slip.accepts or "NAME" in slip.accepts or slip.begins_line:
        return None
    if not re.fullmatch(r"\w+", slip.word) or len(slip.words - {"["}) > 1:
        return None
    start = slip.token.start
    place, fix = unquoted_stretch(slip.source, slip.chunk, start, slip.opener)
    return diagnose(
        "unquoted-text", place, "a text stands in double quotes", help='write `"…"`', fix=fix
    )


def _anything_else(slip: Slip) -> Diagnostic:
    near = nearest_word(slip)
    previous = slip.previous
    # Where a line begins, what is missing belongs behind the word above.
    behind = f" after `{previous.text}`" if previous and slip.begins_line else ""
    return diagnose(
        "unexpected-token",
        slip.place,
        f"expected {expected(slip)}{behind}, found `{slip.word}`",
        help=(f"did you mean `{near}`?",) if near else shape(slip),
        fix=slip.replace(near) if near else None,
    )


_LOOKS: tuple[Callable[[Slip], Diagnostic | None], ...] = (
    _first_word,
    _slid_word,
    _misspelt,
    explain_mixed,
    _glued,
    _negated,
    _empty,
    *HABITS,
    _no_else,
    _boolean,
    _end,
    _misplaced,
    _clause,
    _unclosed,
    _closes_nothing,
    _reserved,
    _unquoted,
)
