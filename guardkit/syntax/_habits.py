"""Habits of other languages and small slips of the pen: each look knows one."""

from __future__ import annotations

import re
from collections.abc import Callable

from guardkit.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest

from ._machine import Token
from ._slip import Slip
from ._words import OPERATORS, SURFACES, SYNONYMS

_OPERATOR_RUN = re.compile(r"[=<>!~:]+")
_SAME_OPERATOR = {
    "=>": ">=",
    "=<": "<=",
    ">==": ">=",
    "<==": "<=",
    "===": "==",
    "!==": "!=",
    "=!": "!=",
    "<>": "!=",
}
_ITEM_KINDS = frozenset({"STRING", "NUMBER", "INT", "PERCENT", "DURATION", "DATE"})
_PATTERN_ADVICE = "a pattern stands in a check: `check NAME = pattern { match /…/ }`"
_MATCHING = frozenset({"matches", "contains", "like", "startswith", "endswith", "regex"})
_UNITS = {"milliseconds": "ms", "msec": "ms", "seconds": "s", "second": "s", "sec": "s"}
_UNITS |= {"minutes": "m", "minute": "m", "min": "m", "hours": "h", "hour": "h"}
_UNITS |= {"days": "d", "day": "d", "weeks": "w", "week": "w"}
_UNITS |= {unit: unit for unit in ("ms", "s", "m", "h", "d", "w")}


def _unexpected(
    slip: Slip, message: str, advice: str | tuple[str, ...] = (), fix: Fix | None = None
) -> Diagnostic:
    return diagnose("unexpected-token", slip.place, message, help=advice, fix=fix)


# --- `key: value`, `name = value`


def _colon(slip: Slip) -> Diagnostic | None:
    if slip.token.kind != "LABEL":
        return None
    word = slip.word.rstrip(" \t:")
    colon = slip.stretch(slip.token.end - 1, slip.token.end)
    blank = slip.stretch(slip.token.start + len(word), slip.token.end)
    if slip.opener == "param":
        return diagnose(
            "unexpected-token",
            colon,
            "a default value is written with `=`",
            help="it is written `param NAME: score = 0.85`",
        )
    if len(slip.before) == 1 and slip.opener == "check":
        fix = Fix("write `=`", (Edit(blank, " ="),))
        return diagnose(
            "unexpected-token", colon, "the kind of a check follows `=`", help="write `=`", fix=fix
        )
    if len(slip.before) == 1 and (slip.clauses or slip.opener in {"rule", "test"}):
        return diagnose(
            "unexpected-token",
            colon,
            "a block stands in `{ }`",
            help="write `{` here and `}` after its last line",
            fix=Fix("write `{`", (Edit(blank, " {"),), safe=False),
        )
    if slip.begins_clause and word not in slip.words:
        same = SYNONYMS[1].get(word)
        near = same if same in slip.clauses else nearest(word, slip.clauses)
        return diagnose(
            "unknown-clause",
            slip.stretch(slip.token.start, slip.token.start + len(word)),
            f"`{word}` is not a clause of `{slip.opener}`",
            help=(f"did you mean `{near}`? It is written without `:`",) if near else (),
            fix=slip.replace(near) if near else None,
        )
    if "(" in slip.words:
        return _unexpected(slip, f"`(` is missing before `{slip.word}`")
    if word not in slip.words and "NAME" not in slip.accepts:
        return None
    return diagnose(
        "unexpected-token",
        colon,
        f"no `:` stands after `{word}`",
        help=f"remove it; `{word}` and its value stand side by side",
        fix=Fix("remove `:`", (Edit(blank, ""),)),
    )


def _label_expected(slip: Slip) -> Diagnostic | None:
    if "LABEL" not in slip.accepts or not re.fullmatch(r"\w+", slip.word):
        return None
    following = slip.next
    if slip.opener == "param" and slip.bracket is None:
        return _unexpected(
            slip,
            f"`:` and a type are missing after `{slip.word}`",
            f"it is written `param {slip.word}: score = 0.85`",
        )
    fix = None
    if following and following.text == "=":
        span = slip.stretch(slip.token.start, following.end)
        fix = Fix(f"write `{slip.word}:`", (Edit(span, f"{slip.word}:"),))
    return _unexpected(
        slip, f"arguments are labelled: expected `{slip.word}: …`", f"write `{slip.word}:`", fix
    )


def _operator(slip: Slip) -> Diagnostic | None:
    """`=`, `=>`, `===`, `<>`: operators that other languages have."""
    text = slip.source.text
    if not set(slip.word) <= set("=<>!~:") or not slip.word:
        return None
    start = slip.token.start
    previous = slip.previous
    if previous and previous.end == start and previous.text in OPERATORS:
        start = previous.start
    run = _OPERATOR_RUN.match(text, start)
    written = run.group() if run else slip.word
    place = slip.stretch(start, start + len(written))
    if written == "=~" and OPERATORS & slip.words:
        return diagnose(
            "foreign-operator", place, "`=~` is not an operator here", help=_PATTERN_ADVICE
        )
    right = _SAME_OPERATOR.get(written)
    if right and (OPERATORS & slip.words or start != slip.token.start):
        return diagnose(
            "foreign-operator",
            place,
            f"`{written}` is not an operator of this language",
            help=f"write `{right}`",
            fix=Fix(f"write `{right}`", (Edit(place, right),)),
        )
    if written == "=" and OPERATORS & slip.words:
        return diagnose(
            "single-equals",
            slip.place,
            "`=` gives a value; `==` compares",
            help="write `==`",
            fix=slip.replace("=="),
        )
    if written in {"==", ":="} and "=" in slip.words:
        fix = Fix("write `=`", (Edit(place, "="),))
        return diagnose(
            "unexpected-token", place, "a value is given with `=`", help="write `=`", fix=fix
        )
    if slip.opener == "tiers" and ">" in slip.words and written == "<":
        return _unexpected(slip, "the highest tier comes first", "order them with `>`")
    if written in OPERATORS and "and" in slip.words and not OPERATORS & slip.words:
        return _unexpected(slip, "a comparison has two sides", "join two of them with `and`")
    is_name_missing = len(slip.before) == 1 and "NAME" in slip.accepts
    if slip.word == "=" and slip.token.start == start and not is_name_missing:
        return _unexpected(slip, "no `=` stands here", "remove it", slip.remove(slip.token))
    return None


def _wordy_operator(slip: Slip) -> Diagnostic | None:
    """`is`, `not_in`, `matches` between two values."""
    if not slip.words >= OPERATORS:
        return None
    following = slip.next
    if slip.word in {"is", "equals", "eq"}:
        negated = following is not None and following.text == "not"
        right = "!=" if negated else "=="
        end = following.end if negated and following else slip.token.end
        place = slip.stretch(slip.token.start, end)
        return diagnose(
            "foreign-operator",
            place,
            f"`{place.text}` is not an operator of this language",
            help=f"write `{right}`",
            fix=Fix(f"write `{right}`", (Edit(place, right),)),
        )
    if slip.word == "not_in":
        return _unexpected(slip, "`not_in` is two words", "write `not in`", slip.replace("not in"))
    if slip.word in _MATCHING:
        return diagnose(
            "foreign-operator",
            slip.place,
            f"`{slip.word}` is not an operator here",
            help=_PATTERN_ADVICE,
        )
    return None


# --- commas and brackets


def _comma(slip: Slip) -> Diagnostic | None:
    if slip.word != ",":
        return None
    previous, following = slip.previous, slip.next
    if previous is None:
        return None
    if previous.text == ",":
        return _unexpected(slip, "one comma too many", "remove it", slip.remove(slip.token))
    if (
        previous.kind == "INT"
        and following is not None
        and following.kind == "INT"
        and previous.end == slip.token.start
        and following.start == slip.token.end
    ):
        place = slip.stretch(previous.start, following.end)
        number = f"{previous.text}.{following.text}"
        return diagnose(
            "malformed-number",
            place,
            "a decimal is written with a point",
            help=f"write `{number}`",
            fix=Fix(f"write `{number}`", (Edit(place, number),)),
        )
    if slip.opener == "tiers":
        return _unexpected(
            slip, "tiers are ordered with `>`", "write `>`", slip.replace(" >", "write `>`")
        )
    if previous.kind in _ITEM_KINDS and following and following.kind == previous.kind:
        advice = f"write `[{previous.text}, {following.text}]`"
        return _unexpected(slip, "several values stand in square brackets", advice)
    if slip.next is None or slip.breaks_between(slip.token, slip.next) or "}" in slip.words:
        advice = "nothing is needed between clauses and steps: remove it"
        return _unexpected(slip, "no comma stands here", advice, slip.remove(slip.token))
    return None


def _after_comma(slip: Slip) -> Diagnostic | None:
    """A list that ends with a comma where another clause begins."""
    previous = slip.previous
    if previous is None or previous.text != "," or not slip.begins_line:
        return None
    if slip.word not in slip.clauses and slip.word != "}":
        return None
    return diagnose(
        "unexpected-token",
        slip.at(previous),
        "another value should follow this comma",
        help="remove it if the list ends here",
        fix=slip.remove(previous),
    )


def _missing_comma(slip: Slip) -> Diagnostic | None:
    previous = slip.previous
    if previous is None or "," not in slip.words or (slip.begins_line and slip.bracket is None):
        return None
    in_list = slip.bracket is not None and slip.bracket.text in "(["
    both_items = previous.kind == slip.token.kind and slip.token.kind in {"STRING", "NAME"}
    both_surfaces = {previous.text, slip.word} <= set(SURFACES)
    item_in_list = in_list and (slip.token.kind in _ITEM_KINDS or slip.token.kind == "LABEL")
    name_in_list = in_list and slip.token.kind == "NAME" and "NAME" not in slip.accepts
    if slip.word in {"and", "or"} and not slip.words & {"and", "or"} and slip.next is not None:
        fix = Fix("write `,`", (Edit(slip.stretch(previous.end, slip.token.end), ","),))
        return _unexpected(slip, "a list is separated by commas", "write `,`", fix)
    if name_in_list and (OPERATORS & slip.words):
        name_in_list = slip.next is None or slip.next.text in {",", ")", "]"} | OPERATORS
    if not (both_items or both_surfaces or item_in_list or name_in_list):
        return None
    return _unexpected(
        slip,
        f"`,` is missing before `{slip.word}`",
        fix=slip.insert(previous.end, ","),
    )


def _wrong_bracket(slip: Slip) -> Diagnostic | None:
    """The right idea in the wrong brackets, or brackets where none belong."""
    word, previous = slip.word, slip.previous
    if word not in {"(", "[", "{"} or previous is None:
        return None
    closing = slip.matching()
    right = next((b for b in ("(", "[", "{") if b in slip.words), None)
    bare = {"block", "as", "say", "text", "flag", *SURFACES}
    if previous.text in bare and word == "(" and "(" not in slip.words:
        fix = slip.unwrap(slip.token, closing) if closing else None
        return _unexpected(slip, f"`{previous.text}` takes no brackets", "remove them", fix)
    if previous.kind == "NAME" and OPERATORS & slip.words and word == "(":
        return _unexpected(
            slip,
            f"`{previous.text}(…)`: conditions have no functions",
            "declare a check and name it here: `check NAME = KIND { … }`",
        )
    if previous.text == "in" and word == "(":
        right = "["
    if right and right != word:
        pairs = {"(": ")", "[": "]", "{": "}"}
        what = {"(": "round brackets", "[": "square brackets", "{": "`{ }`"}[right]
        fix = None
        if closing:
            edits = Edit(slip.place, right), Edit(slip.at(closing), pairs[right])
            fix = Fix(f"write `{right} {pairs[right]}`", edits)
        subject = {"(": "this list", "[": "a list", "{": "a block"}[right]
        return _unexpected(slip, f"{subject} stands in {what}", f"write `{right}`", fix)
    if word == "[" and previous.text in {"on", "refs", "count", "disguise", "refuses", "answers"}:
        fix = slip.unwrap(slip.token, closing) if closing else None
        advice = f"write `{previous.text} a, b`"
        return _unexpected(slip, f"`{previous.text}` takes a list without brackets", advice, fix)
    return None


def _missing_opening(slip: Slip) -> Diagnostic | None:
    """A block or quorum without its bracket."""
    previous = slip.previous
    if previous is None:
        return None
    if "{" in slip.words and "NAME" not in slip.accepts and slip.word in slip.clauses:
        fix = slip.insert(previous.end, " {", safe=False)
        return _unexpected(
            slip, f"`{{` is missing after `{previous.text}`", "a block stands in `{ }`", fix
        )
    if previous.text == "of" and "(" in slip.words and slip.word not in "([{":
        return _unexpected(
            slip, "the members of a quorum stand in brackets", "it is written `2 of (a, b, c)`"
        )
    return None


# --- words


def _step(slip: Slip) -> Diagnostic | None:
    """A cascade step in the words of another language."""
    opening = slip.bracket
    if opening is None or slip.before_bracket(opening) != "cascade":
        return None
    previous = slip.previous
    if slip.word in {"if", "elif", "elseif", "when", "then"} and previous:
        if previous.text in {"yes", "no"} and "if" in slip.words:
            return _unexpected(
                slip, "a step is written with `if`", "write `if`", slip.replace("if")
            )
        return _unexpected(
            slip,
            f"a step does not begin with `{slip.word}`",
            "it is written `yes if CONDITION` or `no if CONDITION`",
        )
    if previous and previous.text == "else" and slip.words == {"yes", "no"}:
        return _unexpected(
            slip,
            "a cascade answers `yes` or `no`",
            "the action stands in the rule's `then`",
        )
    return None


def _doubled_not(slip: Slip) -> Diagnostic | None:
    previous = slip.previous
    if slip.word != "not" or previous is None or previous.text != "not":
        return None
    return diagnose(
        "unexpected-token",
        slip.stretch(previous.start, slip.token.end),
        "`not` stands twice",
        help="leave both out, or write `not (not …)`",
        fix=Fix("leave both out", (Edit(slip.stretch(previous.start, slip.token.end), ""),)),
    )


def _quoted_name(slip: Slip) -> Diagnostic | None:
    if slip.token.kind != "STRING" or "STRING" in slip.accepts:
        return None
    inner = slip.word[1:-1]
    if "DATE" in slip.accepts and "NAME" not in slip.accepts:
        is_date = re.fullmatch(r"\d{4}-\d{2}-\d{2}", inner)
        fix = slip.replace(inner) if is_date else None
        return _unexpected(slip, "a date stands without quotes", "write `2027-01-31`", fix)
    if "NAME" not in slip.accepts:
        return None
    name = re.sub(r"\W+", "_", inner.lower()).strip("_")
    if slip.previous and slip.previous.kind == "STRING":
        return None
    good = re.fullmatch(r"[a-z_][a-z0-9_]*", name)
    fix = slip.replace(name) if good else None
    advice = f"write `{name}`" if good else ()
    return _unexpected(slip, "a name stands without quotes", advice, fix)


def _unit(slip: Slip) -> Diagnostic | None:
    """A number where a share or a duration belongs."""
    if slip.token.kind not in {"INT", "NUMBER", "PERCENT", "DURATION"}:
        previous = slip.previous
        if slip.word not in _UNITS or previous is None or previous.kind != "INT":
            return None
        if slip.words & {"chars", "turns"}:
            return None
        written = f"{previous.text}{_UNITS[slip.word]}"
        place = slip.stretch(previous.start, slip.token.end)
        return diagnose(
            "malformed-number",
            place,
            "a duration is one word",
            help=f"write `{written}`",
            fix=Fix(f"write `{written}`", (Edit(place, written),)),
        )
    if slip.token.kind in slip.accepts:
        return None
    if "PERCENT" in slip.accepts and "STRING" not in slip.accepts and slip.token.kind != "DURATION":
        number = float(slip.word)
        if 0 < number < 1:
            share = f"{number * 100:.6g}%"
            return _unexpected(
                slip, "a share is written with `%`", f"write `{slip.word}%` or `{share}`"
            )
        advice = f"write `{slip.word}%`"
        return _unexpected(
            slip, "a share is written with `%`", advice, slip.replace(f"{slip.word}%")
        )
    if "DURATION" in slip.accepts and "STRING" not in slip.accepts and slip.token.kind == "INT":
        unit = _UNITS.get(slip.next.text) if slip.next else None
        if unit and slip.next:
            place = slip.stretch(slip.token.start, slip.next.end)
            written = f"{slip.word}{unit}"
            return diagnose(
                "malformed-number",
                place,
                "a duration is one word",
                help=f"write `{written}`",
                fix=Fix(f"write `{written}`", (Edit(place, written),)),
            )
        return _unexpected(
            slip,
            f"`{slip.word}` has no unit",
            f"write a duration: `{slip.word}ms`, `{slip.word}s`, `{slip.word}m`, `{slip.word}h`",
        )
    return None


def _every(slip: Slip) -> Diagnostic | None:
    """`foreach q`, `for q`, `atleast`: words run together or left out."""
    if slip.word == "foreach" and "for" in slip.words:
        return _unexpected(
            slip, "`foreach` is two words", "write `for each`", slip.replace("for each")
        )
    if slip.words == {"each"} and slip.token.kind == "NAME":
        fix = slip.insert(slip.token.start, "each ")
        return _unexpected(slip, "`each` is missing after `for`", "write `for each`", fix)
    joined = {"atleast": "at least", "atmost": "at most"}.get(slip.word)
    if joined and "at" in slip.words:
        return _unexpected(
            slip, f"`{slip.word}` is two words", f"write `{joined}`", slip.replace(joined)
        )
    return None


def _comment(slip: Slip) -> Diagnostic | None:
    if slip.token.kind != "REGEX" or not slip.word.startswith("/*"):
        return None
    return diagnose(
        "unknown-character",
        slip.place,
        "`/*` begins nothing here",
        help="a comment begins with `#` and ends with its line",
    )


def _second_action(slip: Slip) -> Diagnostic | None:
    """`then block and flag`: a rule has one action."""
    if slip.word not in {"and", ","} or slip.opener != "rule" or slip.bracket is None:
        return None
    then = next((t for t in reversed(slip.before) if t.text in slip.clauses), None)
    if then is None or not _is_action(slip, then):
        return None
    return diagnose(
        "unexpected-token",
        slip.place,
        "a rule has one action",
        labels=(Label(slip.at(then), "this rule's action"),),
        help="write a second rule for the other action",
    )


def _is_action(slip: Slip, then: Token) -> bool:
    return then.text == "then" and slip.begins_line is False and "}" in slip.words


HABITS: tuple[Callable[[Slip], Diagnostic | None], ...] = (
    _comment,
    _second_action,
    _colon,
    _label_expected,
    _step,
    _operator,
    _wordy_operator,
    _after_comma,
    _comma,
    _missing_comma,
    _wrong_bracket,
    _missing_opening,
    _doubled_not,
    _quoted_name,
    _unit,
    _every,
)
