"""The clauses of one declaration by their first word, and which of them it cannot do without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guardkit.diagnostics import Label
from guardkit.syntax import ast

from ._scope import Scope


class Clauses:
    """The clauses of one declaration by their first word; a repeated one is a mistake."""

    def __init__(self, scope: Scope, clauses: Sequence[ast.Clause], repeated: Iterable[str] = ()):
        self._by_word: dict[str, ast.Clause] = {}
        allowed = set(repeated)
        for clause in clauses:
            first = self._by_word.get(clause.word)
            if first is None:
                self._by_word[clause.word] = clause
            elif clause.word not in allowed:
                scope.error(
                    "duplicate-clause",
                    clause.word_span,
                    f"`{clause.word}` is given twice",
                    labels=(Label(scope.place(first.word_span), "given here first"),),
                )

    def get(self, word: str) -> ast.Clause | None:
        return self._by_word.get(word)

    def text(self, word: str) -> str:
        clause = self._by_word.get(word)
        value = clause.values[0] if clause else None
        return str(value.value) if isinstance(value, ast.Literal) else ""

    def name(self, word: str) -> ast.Name | None:
        clause = self._by_word.get(word)
        value = clause.values[0] if clause else None
        return value if isinstance(value, ast.Name) else None

    def literal(self, word: str) -> ast.Literal | None:
        clause = self._by_word.get(word)
        value = clause.values[0] if clause else None
        return value if isinstance(value, ast.Literal) else None

    def require(self, scope: Scope, node: ast.Node, what: str, *words: str) -> bool:
        """Whether every clause a declaration needs is there; reports those that are not."""
        missing = [word for word in words if word not in self._by_word]
        for word in missing:
            scope.error("missing-clause", node, f"{what} has no `{word}`", help=_EXPLAINED[word])
        empty = [word for word in words if word not in missing and self._is_empty(word)]
        for word in empty:
            place = self.literal(word) or node
            scope.error(
                "missing-clause", place, f"{what} has an empty `{word}`", help=_EXPLAINED[word]
            )
        return not missing and not empty

    def _is_empty(self, word: str) -> bool:
        literal = self.literal(word)
        return literal is not None and literal.kind == "text" and not str(literal.value).strip()


_EXPLAINED = {
    "tier": "name the tier that gives the authority, such as `tier safety`",
    "on": "name the surfaces it judges, such as `on input, output`",
    "when": "say when it fires, such as `when pii.any`",
    "then": 'say what happens, such as `then block "…"`',
    "text": 'write the principle, such as `text "Never …"`',
    "count": "name the rules it counts",
    "last": "say how far it looks back, such as `last 10 turns per session`",
    "first": "say what happens first, such as `first tool_result tool.web.fetch`",
    "within": "say how far apart they may lie, such as `within 20 turns`",
    "owner": "say who answers for it",
    "reason": "say why",
    "until": "say when it ends, such as `until 2027-01-31`",
    "cases": "name the file of cases, in JSON lines",
    "expect": "say what has to come out, such as `expect stopped at least 95%`",
    "watch": "say what is watched, such as `watch refusal.any on output`",
    "alarm": "say when to ring, such as `alarm above 5% over 1h`",
}
