"""Colours for policies wherever Pygments draws: documentation, terminals, notebooks.

The module is loaded by Pygments' entry point or on demand, so it may import Pygments as it loads.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pygments.lexer import RegexLexer, bygroups, words  # type: ignore[import-untyped]
from pygments.token import (  # type: ignore[import-untyped]
    Comment,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

from ._words import ACTIONS, DECLARATIONS, EVERY, SURFACES

_NAME = r"[a-z_][a-z0-9_]*"
_TEXT = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_DOTTED = rf"{_NAME}(?:\.(?:[A-Za-z_][A-Za-z0-9_]*|{_TEXT}))*"


class GuardLexer(RegexLexer):  # type: ignore[misc]  # Any: Pygments has no types
    """A lexer for `.guard` files."""

    name = "guardkit policy"
    aliases: ClassVar[list[str]] = ["guard", "guardkit"]
    filenames: ClassVar[list[str]] = ["*.guard"]
    mimetypes: ClassVar[list[str]] = ["text/x-guardkit"]

    tokens: ClassVar[dict[str, list[Any]]] = {
        "root": [
            (r"[ \t\r\n]+", Whitespace),
            (r"#[^\n]*", Comment.Single),
            # A declaration begins in the first column, and its name follows.
            (
                rf"^({'|'.join(sorted(DECLARATIONS))})(\s+)({_DOTTED})",
                bygroups(Keyword.Declaration, Whitespace, Name.Class),
            ),
            (words(tuple(DECLARATIONS), prefix=r"^", suffix=r"\b"), Keyword.Declaration),
            (rf"({_NAME}|{_TEXT})([ \t]*:)", bygroups(Name.Attribute, Punctuation)),
            (r"[0-9]{4}-[0-9]{2}-[0-9]{2}\b", Literal.Date),
            (r"[0-9]+(?:\.[0-9]+)?%", Number),
            (r"[0-9]+(?:ms|s|m|h|d|w)\b", Number),
            (r"-?[0-9]+\.[0-9]+\b", Number.Float),
            (r"-?[0-9]+\b", Number.Integer),
            (_TEXT, String.Double),
            (r'"[^\n]*', String.Double),  # its end is not typed yet
            (r"/(?:\\.|[^/\\\n])+/[A-Za-z]*", String.Regex),
            (rf"({_NAME})(\.)(?=[A-Za-z_\"])", bygroups(Name.Namespace, Punctuation)),
            (words(tuple(ACTIONS), suffix=r"\b"), Keyword.Type),
            (words(tuple(SURFACES), suffix=r"\b"), Name.Constant),
            (r"(?:and|or|not|in)\b", Operator.Word),
            (words(tuple(sorted(EVERY)), suffix=r"\b"), Keyword),
            (r"[A-Za-z_][A-Za-z0-9_]*", Name),
            (r">=|<=|==|!=|[<>=]", Operator),
            (r"[{}()\[\],.:]", Punctuation),
        ]
    }
