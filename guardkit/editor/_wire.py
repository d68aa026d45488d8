"""Between the plain values of this room and the protocol's own: one function each way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from guardkit.diagnostics import Span

from ._actions import Action, Edit
from ._complete import Completion, Completions
from ._definition import Location
from ._document import Document
from ._findings import Finding
from ._hover import Hover
from ._lenses import Lens
from ._positions import Change, Lines, Point, Range
from ._symbols import Fold, Outlined
from ._workspace import uri_of

_SEVERITIES = {"error": 1, "warning": 2, "note": 3}
_COMPLETION_KINDS = {
    "check": 3,  # function
    "choice": 20,  # enum member
    "file": 17,
    "keyword": 14,
    "kind": 7,  # class
    "label": 5,  # field
    "module": 9,
    "property": 10,
    "rule": 7,
    "snippet": 15,
    "value": 6,  # variable
}
_ORDER = (
    "label",
    "property",
    "kind",
    "check",
    "rule",
    "value",
    "choice",
    "module",
    "file",
    "keyword",
)
_SYMBOL_KINDS = {
    "check": 12,  # function
    "module": 2,
    "param": 14,  # constant
    "policy": 2,
    "rule": 5,  # class
    "test": 6,  # method
    "use": 3,  # namespace
}
_OTHER_SYMBOL = 19  # object


class Wire:
    """Makes the protocol's values. `types` is `lsprotocol.types`, loaded when a server starts."""

    def __init__(self, types: Any) -> None:  # Any: the module of an extra
        self.types = types

    # --- in

    @staticmethod
    def point(position: Any) -> Point:
        """A position as a point."""
        return Point(position.line, position.character)

    def span(self, document: Document, range: Any) -> Span:
        """A range of a document as a span."""
        return document.lines.span(Range(self.point(range.start), self.point(range.end)))

    def changes(self, changes: Iterable[Any]) -> list[Change]:
        """What was edited; an event without a range replaces the whole text."""
        found: list[Change] = []
        for one in changes:
            at = getattr(one, "range", None)
            where = None if at is None else Range(self.point(at.start), self.point(at.end))
            found.append(Change(one.text, where))
        return found

    # --- out

    def range(self, lines: Lines, span: Span) -> Any:
        start, end = lines.range(span)
        position = self.types.Position
        return self.types.Range(position(*start), position(*end))

    def location(self, place: Location) -> Any:
        return self.types.Location(place.document.uri, self.range(place.document.lines, place.span))

    def edits(self, document: Document, edits: Iterable[Edit]) -> list[Any]:
        return [
            self.types.TextEdit(self.range(document.lines, edit.span), edit.text) for edit in edits
        ]

    def workspace_edit(
        self, edits: Iterable[tuple[Document, list[Edit]]], *, versioned: bool
    ) -> Any:
        """A change of several files; `versioned` holds it to the versions it was made for."""
        types = self.types
        if not versioned:
            changes = {document.uri: self.edits(document, made) for document, made in edits}
            return types.WorkspaceEdit(changes=changes)
        return types.WorkspaceEdit(
            document_changes=[
                types.TextDocumentEdit(
                    types.OptionalVersionedTextDocumentIdentifier(
                        uri=document.uri,
                        version=document.version if document.version >= 0 else None,
                    ),
                    self.edits(document, made),
                )
                for document, made in edits
            ]
        )

    def diagnostic(self, document: Document, finding: Finding, source: str = "guardkit") -> Any:
        types = self.types
        related = [
            types.DiagnosticRelatedInformation(
                types.Location(
                    document.uri if one.path == document.source.path else uri_of(one.path),
                    self.range(Lines(one.place.source.text, document.encoding), one.place.span),
                ),
                one.text,
            )
            for one in finding.related
        ]
        return types.Diagnostic(
            range=self.range(document.lines, finding.span),
            message=finding.message,
            severity=types.DiagnosticSeverity(_SEVERITIES.get(finding.level, 1)),
            code=finding.code,
            source=source,
            related_information=related or None,
        )

    def completions(self, document: Document, found: Completions, *, snippets: bool) -> Any:
        types = self.types
        where = self.range(document.lines, found.replace)
        items = [
            self._completion(item, where, number, snippets)
            for number, item in enumerate(found.items)
            if snippets or item.sort != "snippet"
        ]
        return types.CompletionList(is_incomplete=False, items=items)

    def _completion(self, item: Completion, where: Any, number: int, snippets: bool) -> Any:
        types = self.types
        is_snippet = item.is_snippet and snippets
        text = item.insert if item.insert and (is_snippet or not item.is_snippet) else item.label
        rank = _ORDER.index(item.sort) if item.sort in _ORDER else len(_ORDER)
        return types.CompletionItem(
            label=item.label,
            kind=types.CompletionItemKind(_COMPLETION_KINDS[item.sort]),
            detail=item.detail or None,
            documentation=item.doc or None,
            sort_text=f"{rank:02}{number:04}",
            insert_text_format=types.InsertTextFormat(2 if is_snippet else 1),
            text_edit=types.TextEdit(where, text),
        )

    def hover(self, document: Document, found: Hover | None) -> Any:
        if found is None:
            return None
        types = self.types
        content = types.MarkupContent(types.MarkupKind.Markdown, found.text)
        return types.Hover(content, self.range(document.lines, found.span))

    def symbol(self, document: Document, one: Outlined) -> Any:
        types = self.types
        return types.DocumentSymbol(
            name=one.name,
            detail=one.kind,
            kind=types.SymbolKind(_SYMBOL_KINDS.get(one.kind, _OTHER_SYMBOL)),
            range=self.range(document.lines, one.span),
            selection_range=self.range(document.lines, one.name_span),
        )

    def fold(self, one: Fold) -> Any:
        types = self.types
        kind = types.FoldingRangeKind.Comment if one.is_comment else None
        return types.FoldingRange(start_line=one.first, end_line=one.last, kind=kind)

    def lens(self, document: Document, one: Lens) -> Any:
        types = self.types
        command = types.Command(one.title, one.command, arguments=list(one.arguments))
        return types.CodeLens(self.range(document.lines, one.span), command=command)

    def action(self, document: Document, one: Action, *, versioned: bool) -> Any:
        types = self.types
        kind = "source.fixAll" if one.finding is None else "quickfix"
        return types.CodeAction(
            title=one.title,
            kind=kind,
            diagnostics=None if one.finding is None else [self.diagnostic(document, one.finding)],
            is_preferred=one.is_safe if one.finding is not None else None,
            edit=self.workspace_edit([(document, list(one.edits))], versioned=versioned),
        )
