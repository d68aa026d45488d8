"""What could have stood in a place, in words, and the word that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from guardkit.diagnostics import nearest

from ._machine import Token
from ._slip import Slip
from ._words import CLAUSES, EXPECT_SHAPES, OPERATORS, SHAPES, SURFACES, SYNONYMS, VERBS

_KINDS = {
    "NAME": "a name",
    "STRING": "a text in double quotes",
    "NUMBER": "a number",
    "INT": "a whole number",
    "PERCENT": "a percentage such as `5%`",
    "DURATION": "a duration such as `25ms`",
    "DATE": "a date such as `2027-01-31`",
    "REGEX": "a pattern such as `/…/`",
    "LABEL": "a label such as `name:`",
    "$END": "the end of the declaration",
}
_VALUE = frozenset({"STRING", "PERCENT", "DURATION"})
_MOST = 9


def expected(slip: Slip) -> str:
    """What could stand here; a long list is cut."""
    kinds, words = set(slip.accepts) & set(_KINDS), set(slip.words)
    parts: list[str] = []
    if kinds >= _VALUE:
        if "(" in words:
            parts.append("a condition")
        else:
            parts.append("a value" if "REGEX" not in kinds else "a value or a pattern")
        words &= {")", "]", "}"}
        kinds = set()
    elif "NAME" in kinds:
        # Where any name may stand, soft words are only more names.
        words &= {")", "]", "}", "{", "(", ",", "["}
        if slip.opener == "check" and slip.bracket is not None:
            parts.append("a property")
            kinds.discard("NAME")
    if "NUMBER" in kinds:
        kinds.discard("INT")
    parts += [_KINDS[kind] for kind in _KINDS if kind in kinds]
    if words >= {">=", "=="}:
        words -= OPERATORS | {"in", "not", "at"}
        parts.append("a comparison such as `>= 0.5`")
    clauses = words & set(slip.clauses)
    rest = words - clauses - {"}"}
    if len(clauses) > 1 and (parts or rest or not slip.begins_clause):
        return _listed([*parts, *_quoted(rest), "the next clause"])
    return _listed([*parts, *_quoted(words)])


def nearest_word(slip: Slip) -> str | None:
    """The expected word that was probably meant."""
    word = slip.word
    if not re.fullmatch(r"\w+", word) or (word in CLAUSES and slip.begins_line):
        return None
    words = set(slip.words)
    for known, same in ((set(VERBS), SYNONYMS[2]), (set(SURFACES), SYNONYMS[3])):
        if known <= words and word in same:
            return same[word]
    if "NAME" in slip.accepts:
        return None
    if len(words & set(slip.clauses)) > 1 and not slip.begins_clause:
        words -= set(slip.clauses)
    return nearest(word, words)


def shape(slip: Slip) -> tuple[str, ...]:
    """How the declaration, clause or action that went wrong is written."""
    depth = 0
    for token in reversed(slip.before):
        depth += (token.text in {")", "]", "}"}) - (token.text in {"(", "[", "{"})
        if depth != 0:
            depth = max(depth, 0)
            if token.text == "{" and slip.opener != "test":
                break
            continue
        found = EXPECT_SHAPES.get(slip.opener) if token.text == "expect" else None
        found = found or SHAPES.get(token.text)
        if token.text == "at" and slip.opener in {"probe", "rule"} and _is_bound(slip, token):
            continue
        is_clause = token.text in slip.clauses
        if token.text == "tool_call" and slip.opener != "test":
            found = None
        if found and (token.text not in {"tier", "first"} or not slip.clauses or is_clause):
            if token.text in {"tier", "principle"} and slip.clauses:
                return ()
            return (f"it is written `{found}`",)
        if is_clause:
            return ()
    found = SHAPES.get(slip.opener) if not slip.open_brackets else None
    return (f"it is written `{found}`",) if found else ()


def _is_bound(slip: Slip, at: Token) -> bool:
    """Whether an `at` begins `at most` or `at least`, not `at fpr`."""
    index = slip.before.index(at)
    heads = {token.text for token in slip.before[max(0, index - 4) : index]}
    return bool(heads & {"revise", "expect"})


def _quoted(words: Iterable[str]) -> list[str]:
    ordered = sorted(words, key=lambda word: (not word[:1].isalpha(), word))
    return [f"`{word}`" for word in ordered]


def _listed(parts: list[str]) -> str:
    if len(parts) > _MOST:
        parts = [*parts[: _MOST - 1], "…"]
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + f" or {parts[-1]}" if parts else "something else"
