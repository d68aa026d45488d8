"""Values, conditions and actions as written text: node in, document out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from guardkit.diagnostics import Span

from . import _ast as ast
from ._characters import escape_text
from ._layout import Bracket, Doc, Item, Text, chain, close_up, commas, seq, turn
from ._remarks import Remarks

_PLAIN_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def quote(text: str) -> str:
    """A text in double quotes, with escapes where it could not stand as it is."""
    return f'"{escape_text(text)}"'


def ref_text(ref: ast.Ref) -> str:
    first, *rest = ref.parts
    return first + "".join(f".{_label(part)}" for part in rest)


def _label(text: str) -> str:
    return text if _PLAIN_LABEL.fullmatch(text) else quote(text)


def verb_phrase(action: ast.Action) -> str:
    """An action without its `else`."""
    words: list[str] = [action.verb]
    text = action.text.raw if action.text else None
    match action.verb:
        case "block":
            words += [text] if text else []
            words += ["for session"] if action.for_session else []
        case "hold":
            words += ["for", _raw(action.approvers), "within", _raw(action.within)]
        case "revise":
            words += ["by", ref_text(action.principle) if action.principle else "…"]
            words += ["at most", _raw(action.rounds)]
            words += ["within", _raw(action.within)] if action.within else []
        case "rewrite":
            words += ["all" if action.whole else "matches", "as"]
            if action.form == "mask":
                words += ["mask keep last", _raw(action.keep)]
            else:
                words.append(text or action.form or "…")
    return " ".join(words)


def _raw(literal: ast.Literal | None) -> str:
    return literal.raw if literal else "…"


class Phrases:
    """Writes the parts of a declaration; asks `remarks` for the comments inside brackets."""

    def __init__(self, remarks: Remarks, *, one_line: bool = False) -> None:
        self._remarks = remarks
        self._one_line = one_line

    def phrase(self, node: Any) -> Doc:
        """The document of any value, condition or part of a clause."""
        return _PHRASES[type(node)](self, node)

    # --- values

    def _name(self, node: ast.Name) -> Doc:
        return Text(node.text)

    def _ref(self, node: ast.Ref) -> Doc:
        return Text(ref_text(node))

    def _literal(self, node: ast.Literal) -> Doc:
        return Text(node.raw)

    def _pattern(self, node: ast.Pattern) -> Doc:
        escaped = node.source.replace("/", "\\/")
        return Text(f"/{escaped}/{node.flags}")

    def _list(self, node: ast.ListOf) -> Doc:
        return self._bracket("[", node.items, "]", node.span.start, node.span.end)

    def _record(self, node: ast.Record) -> Doc:
        return self._bracket("{", node.fields, "}", node.span.start, node.span.end)

    def _argument(self, node: ast.Argument) -> Doc:
        return seq(f"{_label(node.label)}: ", self.phrase(node.value))

    def _sized(self, node: ast.Sized) -> Doc:
        return Text(f"{node.number.raw} {node.unit.text}" if node.unit else node.number.raw)

    def _chosen(self, node: ast.Chosen) -> Doc:
        if node.bound is None:
            return Text(node.word.text)
        return Text(f"{node.word.text} {node.op} {node.bound.raw}")

    def arguments(self, node: Sequence[ast.Argument], begin: int, end: int) -> Doc:
        """`(label: value, …)`, which stands somewhere between two offsets."""
        return self._bracket("(", node, ")", begin, end)

    def _bracket(
        self,
        opening: str,
        members: Sequence[Any],
        closing: str,
        begin: int,
        end: int,
        *,
        comma: bool = True,
    ) -> Bracket:
        docs = [self.phrase(member) for member in members]
        spans = [member.span for member in members]
        inner = self._remarks.opening(begin)
        items, after_opening, tail = self._remarks.settle(docs, spans, inner, end)
        bracket = Bracket(
            opening, items, closing, comma=comma, after_opening=after_opening, tail=tail
        )
        return close_up(bracket)

    # --- conditions

    def _any(self, node: ast.AnyOf) -> Doc:
        return chain("or", [self._member(member) for member in node.members])

    def _all(self, node: ast.AllOf) -> Doc:
        return chain("and", [self._member(member) for member in node.members])

    def _member(self, node: ast.Condition) -> Doc:
        if isinstance(node, ast.AnyOf | ast.AllOf):
            return self._in_brackets(node)
        return self.phrase(node)

    def _in_brackets(self, node: ast.Condition) -> Doc:
        return close_up(Bracket("(", [Item(self.phrase(node))], ")", comma=False))

    def _negation(self, node: ast.Negation) -> Doc:
        bare = ast.Literal | ast.ListOf | ast.Record | ast.Ref
        if isinstance(node.inner, bare | ast.Comparison | ast.Membership | ast.AtRate | ast.Seen):
            return seq("not ", self.phrase(node.inner))
        return seq("not ", self._in_brackets(node.inner))

    def _comparison(self, node: ast.Comparison) -> Doc:
        return seq(self.phrase(node.left), f" {node.op} ", self.phrase(node.right))

    def _membership(self, node: ast.Membership) -> Doc:
        word = " not in " if node.negated else " in "
        return seq(self.phrase(node.left), word, self.phrase(node.right))

    def _at_rate(self, node: ast.AtRate) -> Doc:
        return seq(self.phrase(node.score), f" at {node.measure.text} {node.rate.raw}")

    def _seen(self, node: ast.Seen) -> Doc:
        return Text(f"sequence {node.name.text}")

    def _quorum(self, node: ast.Quorum) -> Doc:
        count = node.count.raw if isinstance(node.count, ast.Literal) else node.count.text
        begin, end = node.count.span.end, node.span.end
        return self._bracket(f"{count} of (", node.members, ")", begin, end)

    def _cascade(self, node: ast.Cascade) -> Doc:
        has_yes = any(step.answer for step in node.steps)
        pad = " " if has_yes else ""
        docs: list[Doc] = [
            seq("yes if " if step.answer else f"no {pad}if ", self.phrase(step.condition))
            for step in node.steps
        ]
        spans = [step.span for step in node.steps]
        docs.append(Text("else yes" if node.otherwise else "else no"))
        begin, end = self._remarks.opening(node.span.start), node.span.end
        spans.append(self._last_words(spans[-1].end if spans else begin, end))
        items, after_opening, tail = self._remarks.settle(docs, spans, begin, end)
        bracket = Bracket(
            "cascade {",
            items,
            "}",
            comma=False,
            breaks=not self._one_line,
            gap="  ",
            pad=" ",
            after_opening=after_opening,
            tail=tail,
        )
        return close_up(bracket)

    def _last_words(self, begin: int, end: int) -> Span:
        """Where `else …` of a cascade stands, of which the tree keeps only the answer."""
        found = _ELSE.match(self._remarks.text, begin, end)
        return Span(*found.span(1)) if found else Span(end, end)

    def _step(self, node: ast.Step) -> Doc:
        return seq("yes if " if node.answer else "no if ", self.phrase(node.condition))

    # --- parts of clauses

    def _target(self, node: ast.Target) -> Doc:
        if not node.tools:
            return Text(node.surface.text)
        first, *rest = [Text(ref_text(tool)) for tool in node.tools]
        return seq(f"{node.surface.text} ", commas([first, *rest]))

    def targets(self, targets: Sequence[ast.Target]) -> Doc:
        """What follows `on`: surfaces, each with its tools."""
        docs: list[Doc] = []
        for target in targets:
            tools = [ref_text(tool) for tool in target.tools]
            docs.append(Text(" ".join([target.surface.text, *tools[:1]])))
            docs += [Text(tool) for tool in tools[1:]]
        return commas(docs)

    def _action(self, node: ast.Action) -> Doc:
        # Never broken: most of its length is a message, and a message cannot be broken.
        text = verb_phrase(node)
        if node.otherwise is not None:
            text += f" else {verb_phrase(node.otherwise)}"
        return Text(text)

    def _budget(self, node: ast.Budget) -> Doc:
        ending = " per chunk" if node.per_chunk else ""
        return Text(f"{node.what.text} {node.amount.raw}{ending}")

    def _event(self, node: ast.Event) -> Doc:
        where = seq("where ", self.phrase(node.where)) if node.where is not None else None
        return turn(self.phrase(node.target), where)

    def _rate(self, node: ast.Rate) -> Doc:
        ending = f" confidence {node.confidence.raw}" if node.confidence else ""
        return Text(f"{node.outcome.text} at {node.bound} {node.rate.raw}{ending}")

    def _watch(self, node: ast.Watch) -> Doc:
        surface = Text(f"on {node.surface.text}") if node.surface else None
        return turn(self.phrase(node.condition), surface)

    def _alarm(self, node: ast.Alarm) -> Doc:
        return Text(f"{node.direction} {node.rate.raw} over {node.over.raw}")


_ELSE = re.compile(r"(?:[^#e]|#[^\n]*|e(?!lse\b))*+(else(?:\s|#[^\n]*)*+(?:yes|no))")

# Each phrase takes its own node type; the table's key guarantees it.
_PHRASES: dict[type, Callable[[Phrases, Any], Doc]] = {
    ast.Action: Phrases._action,
    ast.Alarm: Phrases._alarm,
    ast.AllOf: Phrases._all,
    ast.AnyOf: Phrases._any,
    ast.Argument: Phrases._argument,
    ast.AtRate: Phrases._at_rate,
    ast.Budget: Phrases._budget,
    ast.Cascade: Phrases._cascade,
    ast.Chosen: Phrases._chosen,
    ast.Comparison: Phrases._comparison,
    ast.Event: Phrases._event,
    ast.ListOf: Phrases._list,
    ast.Literal: Phrases._literal,
    ast.Membership: Phrases._membership,
    ast.Name: Phrases._name,
    ast.Negation: Phrases._negation,
    ast.Pattern: Phrases._pattern,
    ast.Quorum: Phrases._quorum,
    ast.Rate: Phrases._rate,
    ast.Record: Phrases._record,
    ast.Ref: Phrases._ref,
    ast.Seen: Phrases._seen,
    ast.Sized: Phrases._sized,
    ast.Step: Phrases._step,
    ast.Target: Phrases._target,
    ast.Watch: Phrases._watch,
}
