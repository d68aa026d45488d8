"""`and` beside `or`: both readings of a chain, so that the author can choose."""

from __future__ import annotations

from itertools import groupby

from guardkit.diagnostics import Diagnostic, Edit, Fix, Label, diagnose

from ._machine import Token
from ._slip import Slip
from ._words import CLAUSES

_JOINS = ("and", "or")
_STARTS = frozenset({"when", "unless", "where", "if", "watch", ","})
_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")


def explain_mixed(slip: Slip) -> Diagnostic | None:
    """The diagnostic for a chain that mixes `and` with `or`, if that is what happened."""
    word = slip.word
    if word not in _JOINS:
        return None
    other = _JOINS[word == "and"]
    if other not in slip.words or word in slip.words:
        return None
    left = _left(slip)
    right = _right(slip)
    members, joins = _split(slip, [*left, *right])
    if len(members) < 3 or "" in members:
        return None
    readings = _reading(members, joins, "and"), _reading(members, joins, "or")
    if slip.word == "or":
        label = "joined by `and`"
    else:
        label = "joined by `or`"
    whole = slip.stretch(left[0].start, right[-1].end)
    return diagnose(
        "mixed-and-or",
        slip.place,
        f"`{other}` and `{word}` need brackets",
        note="this could join either side",
        labels=(Label(slip.stretch(left[0].start, left[-1].end), label),),
        help=(f"write  {readings[0]}", f"or     {readings[1]}"),
        fix=Fix(f"write `{readings[0]}`", (Edit(whole, readings[0]),), safe=False)
        if "#" not in whole.text
        else None,
    )


def _left(slip: Slip) -> list[Token]:
    """The tokens of the chain before the slip, from the nearest open bracket or clause word."""
    depth = 0
    begin = len(slip.before)
    while begin > 0:
        text = slip.before[begin - 1].text
        if text in _CLOSING:
            depth += 1
        elif text in _OPENING:
            if depth == 0:
                break
            depth -= 1
        elif depth == 0 and text in _STARTS:
            break
        begin -= 1
    return list(slip.before[begin:])


def _right(slip: Slip) -> list[Token]:
    """The slip and what follows it, to the end of the chain."""
    depth = 0
    taken: list[Token] = []
    for token in slip.after:
        text = token.text
        if depth == 0 and (text in _CLOSING or text == ","):
            break
        if (
            depth == 0
            and taken
            and taken[-1].text not in _JOINS
            and _ends_chain(slip, token, taken)
        ):
            break
        depth += (text in _OPENING) - (text in _CLOSING)
        taken.append(token)
    return taken


def _ends_chain(slip: Slip, token: Token, taken: list[Token]) -> bool:
    if token.text in {"yes", "no", "else"}:
        return taken[-1].text not in {"==", "!=", "in"}
    # Clause words that may also be names end a chain only at the start of a line.
    return token.text in CLAUSES and (token.kind != "NAME" or slip.breaks_between(taken[-1], token))


def _split(slip: Slip, tokens: list[Token]) -> tuple[list[str], list[str]]:
    """The members as written, and the words between them."""
    members: list[str] = []
    joins: list[str] = []
    held: list[Token] = []
    depth = 0
    for token in tokens:
        if depth == 0 and token.text in _JOINS:
            members.append(_text(slip, held))
            joins.append(token.text)
            held = []
            continue
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        held.append(token)
    members.append(_text(slip, held) or "…")
    return members, joins


def _text(slip: Slip, tokens: list[Token]) -> str:
    if not tokens:
        return ""
    return " ".join(slip.source.text[tokens[0].start : tokens[-1].end].split())


def _reading(members: list[str], joins: list[str], tight: str) -> str:
    """The chain with brackets around every run that `tight` joins."""
    loose = "or" if tight == "and" else "and"
    parts: list[str] = []
    run = [members[0]]
    for join, joined in groupby(zip(joins, members[1:], strict=True), key=lambda pair: pair[0]):
        for _, member in joined:
            if join == tight:
                run.append(member)
            else:
                parts.append(_bracketed(run, tight))
                run = [member]
    parts.append(_bracketed(run, tight))
    return f" {loose} ".join(parts)


def _bracketed(run: list[str], join: str) -> str:
    return f"({f' {join} '.join(run)})" if len(run) > 1 else run[0]
