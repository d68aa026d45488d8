"""The one style of a policy: from a tree and its comments to text that parses to the same tree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from guardkit.diagnostics import Diagnostic, Source

from . import _ast as ast
from ._comments import comments_of
from ._layout import (
    INDENT,
    WIDTH,
    Bracket,
    Doc,
    Item,
    Pen,
    Text,
    chain,
    commas,
    flat_of,
    seq,
    turn,
    write,
    write_remarks,
)
from ._parse import parse
from ._phrases import Phrases, ref_text
from ._remarks import Remarks

_FARTHEST_COLUMN = 12
_NEVER_ALIGNED = frozenset({"context", "model"})
_ENDLESS = 1 << 30


class NotFormattedError(ValueError):
    """The text cannot be formatted, because it does not parse; `diagnostics` say why."""

    def __init__(self, path: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        count = len(diagnostics)
        what = f"{count} syntax error{'s' if count > 1 else ''}"
        super().__init__(f"{path} has {what}; only a policy that parses can be formatted")
        self.diagnostics = diagnostics


def format_source(source: Source) -> str:
    """The text of a policy in house style.

    INVARIANT: the result parses to the same tree with the same comments, and formatting it again
    changes nothing.

    Raises:
        NotFormattedError: The text has syntax errors.
    """
    parsed = parse(source)
    if parsed.diagnostics:
        raise NotFormattedError(source.path, parsed.diagnostics)
    return format_file(parsed.file)


def format_file(file: ast.File) -> str:
    """The text of a parsed file in house style; the promises of `format_source` hold.

    Raises:
        RuntimeError: The result would say something else; nothing is returned then.
    """
    comments = comments_of(file.source.text)
    text = _Formatter(Remarks(file.source.text, comments)).file(file)
    again = parse(Source(file.source.path, text))
    # Sorting clauses into house order may carry comments past each other.
    before = sorted(comment.text for comment in comments)
    after = sorted(comment.text for comment in comments_of(text))
    if again.diagnostics or again.file != file or before != after:
        raise RuntimeError(f"formatting {file.source.path} would change what it says")
    return text


def unparse(node: ast.Node | ast.File, *, one_line: bool = False) -> str:
    """A node as policy text, without comments and without a final line break.

    Works on nodes made by hand: spans are not looked at. With `one_line`, nothing is broken, not
    even a cascade or a block.
    """
    formatter = _Formatter(Remarks(), one_line=one_line)
    if isinstance(node, ast.File):
        text = formatter.file(node)
    else:
        pen = Pen(_ENDLESS if one_line else WIDTH)
        formatter.node(pen, node)
        text = pen.finish()
    if one_line:
        return re.sub(r"\n\s*", " ", text).strip()
    return text.removesuffix("\n")


@dataclass(slots=True)
class _Entry:
    """One line of a block: its first word and what follows."""

    word: str
    value: Doc | None
    node: ast.Node
    word_start: int


class _Formatter:
    def __init__(self, remarks: Remarks, *, one_line: bool = False) -> None:
        self._remarks = remarks
        self._text = remarks.text
        self._one_line = one_line
        self._phrases = Phrases(remarks, one_line=one_line)

    # --- the file

    def file(self, file: ast.File) -> str:
        blocks = [self._finished(d, pad) for d, pad in self._with_padding(file.declarations)]
        docs: list[Doc] = [Text(block) for block in blocks]
        spans = [declaration.span for declaration in file.declarations]
        items, _, tail = self._remarks.settle(docs, spans, 0, len(self._text))
        pen = Pen()
        above: ast.Declaration | None = None
        above_block = ""
        for declaration, block, item in zip(file.declarations, blocks, items, strict=True):
            if above is not None:
                self._part(above, above_block, declaration, block, item)
            self._put_block(pen, block, item, is_first=above is None)
            above, above_block = declaration, block
        if tail and above is not None and "\n" in above_block:
            tail[0].blank = True
        write_remarks(pen, tail, 0, is_first=above is None)
        return pen.finish()

    def _finished(self, declaration: ast.Declaration, pad: int) -> str:
        pen = Pen(_ENDLESS if self._one_line else WIDTH)
        self._declaration(pen, declaration, pad)
        return pen.finish().removesuffix("\n")

    @staticmethod
    def _part(
        above: ast.Declaration, above_block: str, below: ast.Declaration, block: str, item: Item
    ) -> None:
        """Set the blank line between two declarations: the author's between short ones only."""
        if isinstance(above, ast.Edition):
            for remark in item.before:
                remark.blank = False
            item.blank = False
            return
        is_long = "\n" in above_block or isinstance(above, ast.Header)
        must_part = is_long or "\n" in block
        if not item.before:
            item.blank = item.blank or must_part
            return
        has_blank = item.blank or any(remark.blank for remark in item.before)
        if is_long or (must_part and not has_blank):
            item.before[0].blank = True

    @staticmethod
    def _put_block(pen: Pen, block: str, item: Item, *, is_first: bool) -> None:
        for i, remark in enumerate(item.before):
            if not (is_first and i == 0):
                pen.newline(blank=remark.blank)
            pen.put(remark.text)
        if not is_first or item.before:
            pen.newline(blank=item.blank)
        first, *rest = block.split("\n")
        pen.put(first)
        for line in rest:
            pen.newline()
            pen.put(line)
        if item.trailing is not None:
            pen.put(f"  {item.trailing}")

    def _with_padding(
        self, declarations: Sequence[ast.Declaration]
    ) -> list[tuple[ast.Declaration, int]]:
        """Each declaration with the width of its path: neighbouring `use` lines share one."""
        keys: list[int] = []
        run = 0
        for i, declaration in enumerate(declarations):
            is_use = isinstance(declaration, ast.UseModule | ast.UseTools)
            if not is_use or i == 0 or self._is_parted(declarations[i - 1], declaration):
                run += 1
            if is_use and self._is_long(declaration):
                run += 2  # stands alone, and parts the lines around it
                keys.append(run - 1)
            else:
                keys.append(run)
        padded: list[tuple[ast.Declaration, int]] = []
        for _, group in groupby(zip(declarations, keys, strict=True), key=lambda pair: pair[1]):
            members = [declaration for declaration, _ in group]
            pad = self._shared_pad(members)
            padded += [(declaration, pad) for declaration in members]
        return padded

    def _is_parted(self, above: ast.Declaration, below: ast.Declaration) -> bool:
        return self._remarks.is_blank_between(above.span.end, below.span.start)

    def _is_long(self, declaration: ast.Declaration) -> bool:
        """Whether a `use` needs several lines. Looks at comments without taking them."""
        if not isinstance(declaration, ast.UseModule) or not declaration.arguments:
            return False
        length = len(unparse(declaration, one_line=True))
        begin = self._remarks.opening(declaration.alias.span.end)
        return length > WIDTH or self._has_comment(begin, declaration.span.end)

    def _has_comment(self, begin: int, end: int) -> bool:
        found = self._remarks.peek(begin)
        return bool(found) and found[0].span.start < end

    @staticmethod
    def _shared_pad(members: Sequence[ast.Declaration]) -> int:
        modules = [m for m in members if isinstance(m, ast.UseModule)]
        if len(modules) < 2:
            return 0
        pad = max(len(module.path.raw) for module in modules)
        for module in modules:
            if len(unparse(module, one_line=True)) + pad - len(module.path.raw) > WIDTH:
                return 0
        return pad

    # --- declarations

    def _declaration(self, pen: Pen, node: ast.Declaration, pad: int = 0) -> None:
        match node:
            case ast.Edition():
                pen.put(f"guardkit {node.number}")
            case ast.Header():
                self._header(pen, node)
            case ast.Tiers():
                names: list[Doc] = [Text(name.text) for name in node.names]
                write(pen, seq("tiers ", chain(">", names)), INDENT)
            case ast.Tier():
                self._tier(pen, node)
            case ast.UseModule():
                path = node.path.raw.ljust(pad)
                pen.put(f"use {path} version {node.version.raw} as {node.alias.text}")
                self._arguments(pen, " with ", node.arguments, node.alias.span.end, node.span.end)
            case ast.UseTools():
                pen.put(f"use tools {node.path.raw} as {node.alias.text}")
            case ast.Param():
                listed = "list of " if node.is_list else ""
                pen.put(f"param {node.name.text}: {listed}{node.type.text}")
                if node.default is not None:
                    pen.put(" = ")
                    write(pen, self._phrases.phrase(node.default), 0)
            case ast.Apply():
                pen.put(f"apply {ref_text(node.target)}")
                self._arguments(pen, " ", node.arguments, node.target.span.end, node.span.end)
            case ast.Check():
                pen.put(f"check {ref_text(node.name)} = {node.kind.text} ")
                entries = [self._property(prop) for prop in node.properties]
                self._block(pen, entries, node.kind.span.end, node.span.end)
            case ast.Test():
                self._test(pen, node)
            case ast.Block():
                name = self._phrases.phrase(node.name) if node.name is not None else None
                pen.put(f"{node.kind} ")
                if name is not None:
                    pen.put(f"{flat_of(name)} ")
                begin = node.name.span.end if node.name is not None else node.span.start
                entries = self._clauses(node)
                self._block(pen, entries, begin, node.span.end, kind=node.kind)

    def _header(self, pen: Pen, node: ast.Header) -> None:
        pen.put(f"{node.kind} {node.name.text}")
        entries = [self._clause(clause) for clause in node.clauses]
        begin = node.name.span.end
        body = self._body(entries, begin, self._header_end(node))
        if body.after_opening is not None:
            pen.put(f"  {body.after_opening}")
        self._put_body(pen, body, entries, is_aligned=True)

    def _header_end(self, node: ast.Header) -> int:
        """A header has no closing bracket: indented comments under it are still its own."""
        end = node.span.end
        for comment in self._remarks.peek(end):
            start = comment.span.start
            gap = self._text[end:start]
            if gap.strip() or gap.endswith("\n"):
                break
            end = comment.span.end
        return end

    @staticmethod
    def _tier(pen: Pen, node: ast.Tier) -> None:
        pen.put(f"tier {node.name.text}")
        if node.may:
            pen.put(" may " + ", ".join(verb.text for verb in node.may))
        if node.on_error is not None:
            pen.put(f" on_error {node.on_error.text}")

    def _arguments(
        self, pen: Pen, lead: str, arguments: Sequence[ast.Argument], begin: int, end: int
    ) -> None:
        if arguments:
            pen.put(lead)
            write(pen, self._phrases.arguments(arguments, begin, end), 0)

    def _test(self, pen: Pen, node: ast.Test) -> None:
        pen.put(f"test {node.title.raw}")
        begin = node.title.span.end
        if node.variable is not None and node.cases is not None:
            pen.put(f" for each {node.variable.text} in ")
            write(pen, self._phrases.phrase(node.cases), 0, after=2)
            begin = node.cases.span.end
        pen.put(" ")
        self._block(pen, [self._test_step(step) for step in node.steps], begin, node.span.end)

    # --- blocks

    def _block(
        self, pen: Pen, entries: list[_Entry], begin: int, end: int, *, kind: str = ""
    ) -> None:
        body = self._body(entries, self._remarks.opening(begin), end)
        if kind == "window" or self._one_line:
            line = _on_one_line(body, entries)
            if line is not None and pen.column + len(line) <= pen.width:
                pen.put(line)
                return
        pen.put("{")
        if body.after_opening is not None:
            pen.put(f"  {body.after_opening}")
        elif not entries and not body.tail:
            pen.put(" }")
            return
        self._put_body(pen, body, entries, is_aligned=kind not in _NEVER_ALIGNED)
        pen.newline()
        pen.put("}")

    def _body(self, entries: list[_Entry], begin: int, end: int) -> Bracket:
        docs: list[Doc] = [entry.value or Text("") for entry in entries]
        spans = [entry.node.span for entry in entries]
        items, after_opening, tail = self._remarks.settle(docs, spans, begin, end)
        return Bracket("{", items, "}", after_opening=after_opening, tail=tail)

    def _put_body(
        self, pen: Pen, body: Bracket, entries: list[_Entry], *, is_aligned: bool
    ) -> None:
        joined = _joined_severity(entries, body.items)
        lines = [entry for i, entry in enumerate(entries) if i != joined]
        column = self._value_column(lines) if is_aligned else 0
        for i, (entry, item) in enumerate(zip(entries, body.items, strict=True)):
            if i == joined:
                pen.put("    severity ")
            else:
                write_remarks(pen, item.before, INDENT, is_first=i == 0)
                pen.newline(INDENT, blank=item.blank and (i > 0 or bool(item.before)))
                pen.put(entry.word)
                if entry.value is not None:
                    pen.put(" " * max(1, column - len(entry.word)))
            if entry.value is not None:
                write(pen, entry.value, INDENT)
            if item.trailing is not None:
                pen.put(f"  {item.trailing}")
        write_remarks(pen, body.tail, INDENT, is_first=not entries)

    def _value_column(self, entries: list[_Entry]) -> int:
        """How far values stand behind the indentation: as the author has it, or as near as can be.

        The author's column counts where every value of the block stands in it.
        """
        entries = [entry for entry in entries if entry.value is not None]
        if not entries:
            return 0
        nearest = max(len(entry.word) for entry in entries) + 1
        columns = {self._written_column(entry) for entry in entries}
        if len(columns) != 1:
            return nearest
        found = columns.pop()
        if found is None or not nearest <= found[1] <= _FARTHEST_COLUMN:
            return nearest
        return found[1]

    def _written_column(self, entry: _Entry) -> tuple[int, int] | None:
        """The indentation of an entry and how far behind it its value stands, as written."""
        if not self._text:
            return None
        start = entry.word_start
        indent = start - (self._text.rfind("\n", 0, start) + 1)
        if self._text[start - indent : start].strip(" "):
            return None
        end = start + len(entry.word)
        blanks = _BLANKS.match(self._text, end)
        return (indent, len(entry.word) + len(blanks.group())) if blanks else None

    # --- entries

    def _clauses(self, block: ast.Block) -> list[_Entry]:
        entries = [self._clause(clause) for clause in block.clauses]
        if block.kind == "defaults":
            _pad_budgets(block.clauses, entries)
        return entries

    def _clause(self, clause: ast.Clause) -> _Entry:
        return _Entry(clause.word, self._clause_value(clause), clause, clause.word_span.start)

    def _clause_value(self, clause: ast.Clause) -> Doc | None:
        values: tuple[Any, ...] = clause.values
        if not values:
            return None
        if clause.word == "on":
            return self._phrases.targets(values)
        docs = [self._phrases.phrase(value) for value in values]
        ending = _ENDINGS.get(clause.word)
        if ending and isinstance(values[0], ast.Literal):
            return seq(docs[0], ending)
        return commas(docs) if len(docs) > 1 else docs[0]

    def _property(self, node: ast.Property) -> _Entry:
        value = self._phrases.phrase(node.value)
        if node.options:
            begin, end = node.value.span.end, node.span.end
            value = seq(value, " with ", self._phrases.arguments(node.options, begin, end))
        return _Entry(node.name.text, value, node, node.span.start)

    def _test_step(self, node: ast.TestStep) -> _Entry:
        phrase = self._phrases.phrase
        start = node.span.start
        match node:
            case ast.Given(value=None):
                return _Entry("given", Text(f"{ref_text(node.subject)} fails"), node, start)
            case ast.Given():
                value = seq(f"{ref_text(node.subject)} = ", phrase(node.value))
                return _Entry("given", value, node, start)
            case ast.Said():
                return _Entry(node.surface, phrase(node.text), node, start)
            case ast.Called():
                end = node.span.end
                arguments = self._phrases.arguments(node.arguments, node.tool.span.end, end)
                value = seq(f"{ref_text(node.tool)} ", arguments)
                return _Entry("tool_call", value, node, start)
            case ast.Returned():
                value = seq(f"{ref_text(node.tool)} ", phrase(node.text))
                return _Entry("tool_result", value, node, start)
            case ast.Expect():
                return _Entry("expect", self._expectation(node), node, start)

    def _expectation(self, node: ast.Expect) -> Doc:
        head: Doc = Text(node.verb.text)
        if node.by:
            rules = commas([self._phrases.phrase(rule) for rule in node.by])
            head = seq(f"{node.verb.text} by ", rules)
        becomes = Text(f"becomes {node.becomes.raw}") if node.becomes else None
        return turn(head, becomes)

    # --- single nodes

    def node(self, pen: Pen, node: ast.Node) -> None:
        """Write any node by itself."""
        entry: _Entry | None = None
        if isinstance(node, ast.Comment):
            pen.put(node.text)
        elif isinstance(node, ast.Clause):
            entry = self._clause(node)
        elif isinstance(node, ast.Property):
            entry = self._property(node)
        elif isinstance(node, ast.TestStep):
            entry = self._test_step(node)
        elif isinstance(node, ast.Declaration):
            self._declaration(pen, node)
        else:
            write(pen, self._phrases.phrase(node), 0)
        if entry is not None:
            pen.put(entry.word)
            if entry.value is not None:
                pen.put(" ")
                write(pen, entry.value, 0)


_BLANKS = re.compile(r" +(?=[^\s#])")
_ENDINGS = {
    "hold_back": " chars",
    "hold_limit": " chars",
    "last": " turns per session",
    "within": " turns",
}


def _joined_severity(entries: list[_Entry], items: list[Item]) -> int:
    """The entry that shares the line above: `severity` behind `tier`, if no comment parts them."""
    for i in range(1, len(entries)):
        if entries[i].word == "severity" and entries[i - 1].word == "tier":
            is_free = not items[i].before and items[i - 1].trailing is None
            return i if is_free else -1
    return -1


def _pad_budgets(clauses: Sequence[ast.Clause], entries: list[_Entry]) -> None:
    """Write the amounts of surface budgets under each other."""
    budgets = [
        (entry, value)
        for clause, entry in zip(clauses, entries, strict=True)
        for value in clause.values
        if isinstance(value, ast.Budget) and value.what.text != "refusals"
    ]
    if not budgets:
        return
    width = max(len(value.what.text) for _, value in budgets)
    for entry, value in budgets:
        ending = " per chunk" if value.per_chunk else ""
        entry.value = Text(f"{value.what.text.ljust(width)} {value.amount.raw}{ending}")


def _on_one_line(body: Bracket, entries: list[_Entry]) -> str | None:
    """`{ clause clause }`, unless a comment or a block inside needs lines of its own."""
    if body.after_opening is not None or body.tail or any(i.has_remarks for i in body.items):
        return None
    parts: list[str] = []
    for entry in entries:
        parts.append(entry.word)
        if entry.value is not None:
            flat = flat_of(entry.value)
            if flat is None:
                return None
            parts.append(flat)
    return "{ " + " ".join(parts) + " }" if parts else "{ }"
