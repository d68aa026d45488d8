"""Types of parameters and literals: what may be written for a score, a domain, a sum of money."""

from __future__ import annotations

from collections.abc import Callable

from guardkit._util import values
from guardkit.diagnostics import Edit, Fix, Label, did_you_mean
from guardkit.syntax import ast

from ._policy import Plain
from ._scope import ParamValue, Scope

TYPES = (
    "score",
    "boolean",
    "number",
    "text",
    "domain",
    "url",
    "email",
    "path",
    "money",
    "duration",
    "date",
)

EXAMPLES = {
    "score": "a number from 0 to 1, such as `0.85`",
    "boolean": "`yes` or `no`",
    "number": "a number, such as `3`",
    "text": 'a text, such as `"en"`',
    "domain": 'a host name, such as `"example.com"` or `"*.example.com"`',
    "url": 'a URL, such as `"https://example.com/"`',
    "email": 'an e-mail address, such as `"me@example.com"`',
    "path": 'a path, such as `"/srv/data"`',
    "money": 'a sum with its currency, such as `"500 EUR"`',
    "duration": "a duration, such as `15m`",
    "date": "a date, such as `2027-01-31`",
}

_NAMES = {
    "score": "a score",
    "boolean": "`yes` or `no`",
    "number": "a number",
    "text": "a text",
    "domain": "a host name",
    "url": "a URL",
    "email": "an e-mail address",
    "path": "a path",
    "money": "a sum of money",
    "duration": "a duration",
    "date": "a date",
}
_FOUND = {
    "number": "a number",
    "percent": "a percentage",
    "answer": "an answer",
    "duration": "a duration",
    "date": "a date",
    "text": "a text",
}
_WRITTEN_AS = {"score": ("number", "percent"), "boolean": ("answer",)}
"""How the literals of a type are written, where that is not its own word or a text."""

_TEXTUAL: dict[str, Callable[[str], object]] = {
    "domain": values.is_domain_pattern,
    "url": values.is_url,
    "email": values.is_email,
    "path": values.is_path,
    "money": values.parse_money,
}


def type_name(type: str, is_list: bool) -> str:
    return f"list of {type}" if is_list else type


def literal_of(value: ast.Value, type: str) -> Plain | None:
    """The plain value of one literal read as `type`, or None where it is no such thing."""
    if isinstance(value, ast.Ref) and type == "text" and len(value.parts) == 1:
        return value.parts[0]
    if not isinstance(value, ast.Literal):
        return None
    kind, plain = value.kind, value.value
    match type:
        case "score":
            fits = kind in ("number", "percent") and 0 <= float(plain) <= 1
            return float(plain) if fits else None
        case "number":
            return float(plain) if kind == "number" else None
        case "boolean":
            return plain if kind == "answer" else None
        case "duration":
            return plain if kind == "duration" else None
        case "date":
            raw = str(plain)
            return raw if kind == "date" and values.parse_date(raw) is not None else None
        case "text":
            return str(plain) if kind == "text" else None
        case _:
            text = str(plain)
            return text if kind == "text" and _TEXTUAL[type](text) else None


def bind_value(scope: Scope, value: ast.Value, type: str, is_list: bool, what: str) -> Plain | None:
    """A written value as a plain one of this type; reports what does not fit."""
    if isinstance(value, ast.Ref) and len(value.parts) == 1 and value.parts[0] in scope.params:
        return _from_param(scope, value, scope.params[value.parts[0]], type, is_list, what)
    if is_list:
        if not isinstance(value, ast.ListOf):
            scope.error(
                "parameter-type",
                value,
                f"{what} is a {type_name(type, True)}, not {found_name(value)}",
                help=f"write `[{value.raw}]`"
                if isinstance(value, ast.Literal) and literal_of(value, type) is not None
                else f"an entry is {EXAMPLES[type]}",
            )
            return None
        items = [
            bind_value(scope, item, type, False, f"an entry of {what}") for item in value.items
        ]
        return (
            None
            if any(item is None for item in items)
            else tuple(i for i in items if i is not None)
        )
    plain = literal_of(value, type)
    if plain is None:
        _misfit(scope, value, type, what)
    return plain


def _from_param(
    scope: Scope, ref: ast.Ref, param: ParamValue, type: str, is_list: bool, what: str
) -> Plain | None:
    scope.use("param", param.name)
    if param.type == type and param.is_list == is_list:
        return param.value
    scope.error(
        "parameter-type",
        ref,
        f"{what} is a {type_name(type, is_list)}, "
        f"and `{param.name}` is a {type_name(param.type, param.is_list)}",
        labels=(Label(param.place, "the parameter"),),
    )
    return None


def _misfit(scope: Scope, value: ast.Value, type: str, what: str) -> None:
    if isinstance(value, ast.Literal) and value.kind == "date" and type == "date":
        _bad_date(scope, value)
        return
    if isinstance(value, ast.Ref) and value.dotted in ("true", "false"):
        word = "yes" if value.dotted == "true" else "no"
        scope.error(
            "boolean-word",
            value,
            f"`{value.dotted}` is written `{word}`",
            fix=Fix(f"write `{word}`", (Edit(scope.place(value), word),)),
        )
        return
    if isinstance(value, ast.Literal) and type == "score" and value.kind in ("number", "percent"):
        scope.error(
            "threshold-range",
            value,
            f"{what} is a score, and scores run from 0 to 1",
            help=as_share(value),
        )
        return
    is_written_so = isinstance(value, ast.Literal) and value.kind in _WRITTEN_AS.get(
        type, (type if type in _FOUND else "text",)
    )
    found = "this is none" if is_written_so else f"not {found_name(value)}"
    scope.error(
        "parameter-type",
        value,
        f"{what} is {_NAMES[type]}, {'and ' if is_written_so else ''}{found}",
        help=f"write {EXAMPLES[type]}",
    )


def found_name(value: ast.Node) -> str:
    """What an author wrote, for a sentence about what was expected instead."""
    match value:
        case ast.Literal(kind="text", value=""):
            return "an empty text"
        case ast.Literal(kind=kind):
            return _FOUND[kind]
        case ast.ListOf(items=items):
            return "a list" if items else "an empty list"
        case ast.Ref():
            return f"the word `{value.dotted}`"
        case ast.Chosen() if not value.op:
            return f"the word `{value.word.text}`"
        case ast.Chosen():
            return "a word with a bound"
        case ast.Record():
            return "a record"
        case ast.Sized():
            return "a number"
        case ast.Pattern():
            return "a pattern"
        case _:
            return "this"


def as_share(value: ast.Value) -> tuple[str, ...]:
    """Advice for somebody who counts in percent."""
    if not (isinstance(value, ast.Literal) and value.kind == "number"):
        return ()
    bound = float(value.value)
    return (f"write `{bound / 100:g}`",) if 1 < bound <= 100 else ()


def plain_literal(scope: Scope, literal: ast.Literal) -> Plain | None:
    """The value of a literal that may be of any type; reports a date that does not exist."""
    if literal.kind == "date" and values.parse_date(str(literal.value)) is None:
        _bad_date(scope, literal)
        return None
    return literal.value


def _bad_date(scope: Scope, literal: ast.Literal) -> None:
    scope.error(
        "bad-date",
        literal,
        f"`{literal.raw}` is not in the calendar",
        help="dates are written year, month, day: `2027-01-31`",
    )


def known_type(scope: Scope, name: ast.Name) -> bool:
    """Whether a parameter's type exists; reports where it does not."""
    if name.text in TYPES:
        return True
    scope.error(
        "unknown-type",
        name,
        f"no type is called `{name.text}`",
        help=did_you_mean(name.text, TYPES) or "types are " + ", ".join(f"`{t}`" for t in TYPES),
    )
    return False
