"""How written policy text is laid out: flat where it fits, one element a line where it does not.

A document is built from the pieces below and knows nothing of policies; `write` puts it on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

WIDTH = 100
INDENT = 2


@dataclass(slots=True)
class Remark:
    """A comment on a line of its own, and whether a blank line stands above it."""

    text: str
    blank: bool = False


@dataclass(slots=True)
class Item:
    """An element of a bracket, or an entry of a block, with the comments that belong to it."""

    doc: Doc
    before: list[Remark] = field(default_factory=list)
    blank: bool = False
    trailing: str | None = None

    @property
    def has_remarks(self) -> bool:
        return bool(self.before) or self.trailing is not None


@dataclass(slots=True)
class Text:
    """Words that stay together."""

    text: str


@dataclass(slots=True)
class Seq:
    """Pieces directly after each other."""

    parts: Sequence[Doc]
    flat: str | None = None


@dataclass(slots=True)
class Chain:
    """`a and b and c`; broken, each further member begins a line with the joining word."""

    word: str
    members: Sequence[Doc]
    flat: str | None = None


@dataclass(slots=True)
class Commas:
    """`a, b, c` without brackets; broken, all members begin in one column."""

    members: Sequence[Doc]
    flat: str | None = None


@dataclass(slots=True)
class Turn:
    """Phrases with a blank between; broken, each begins a line."""

    parts: Sequence[Doc]
    flat: str | None = None


@dataclass(slots=True)
class Bracket:
    """`[a, b]`; broken, one item a line."""

    opening: str
    items: list[Item]
    closing: str
    comma: bool = True
    breaks: bool = False
    gap: str = ", "
    pad: str = ""
    after_opening: str | None = None
    tail: list[Remark] = field(default_factory=list)
    flat: str | None = None


Doc = Text | Seq | Chain | Commas | Turn | Bracket


def seq(*parts: Doc | str) -> Doc:
    docs = [Text(part) if isinstance(part, str) else part for part in parts]
    return Seq(docs, _joined(docs, ""))


def chain(word: str, members: Iterable[Doc]) -> Doc:
    docs = list(members)
    return docs[0] if len(docs) == 1 else Chain(word, docs, _joined(docs, f" {word} "))


def commas(members: Iterable[Doc]) -> Doc:
    docs = list(members)
    return Commas(docs, _joined(docs, ", "))


def turn(*parts: Doc | None) -> Doc:
    docs = [part for part in parts if part is not None]
    return docs[0] if len(docs) == 1 else Turn(docs, _joined(docs, " "))


def close_up(bracket: Bracket) -> Bracket:
    """Fill in how the bracket looks on one line, if it may stand on one."""
    remarks = bracket.after_opening is not None or bracket.tail
    if bracket.breaks or remarks or any(item.has_remarks for item in bracket.items):
        bracket.flat = None
        return bracket
    inner = _joined([item.doc for item in bracket.items], bracket.gap)
    if inner is not None:
        pad = bracket.pad if inner else ""
        bracket.flat = f"{bracket.opening}{pad}{inner}{pad}{bracket.closing}"
    return bracket


def flat_of(doc: Doc) -> str | None:
    return doc.text if isinstance(doc, Text) else doc.flat


def _joined(docs: Sequence[Doc], gap: str) -> str | None:
    flats: list[str] = []
    for doc in docs:
        flat = flat_of(doc)
        if flat is None:
            return None
        flats.append(flat)
    return gap.join(flats)


class Pen:
    """Finished lines and the one being written."""

    __slots__ = ("_line", "lines", "width")

    def __init__(self, width: int = WIDTH) -> None:
        self.lines: list[str] = []
        self.width = width
        self._line = ""

    @property
    def column(self) -> int:
        return len(self._line)

    def put(self, text: str) -> None:
        self._line += text

    def newline(self, indent: int = 0, *, blank: bool = False) -> None:
        self.lines.append(self._line)
        if blank:
            self.lines.append("")
        self._line = " " * indent

    def finish(self) -> str:
        """The text, ending with one line break."""
        self.lines.append(self._line)
        self._line = ""
        return "\n".join(self.lines) + "\n"


def write(pen: Pen, doc: Doc, indent: int, after: int = 0) -> None:
    """Write a document from where the pen stands.

    Args:
        indent: The indentation of the present line; brackets that break return to it.
        after: How many characters will follow on the last line.
    """
    flat = flat_of(doc)
    if isinstance(doc, Text) or (flat is not None and pen.column + len(flat) + after <= pen.width):
        pen.put(flat or "")
    elif isinstance(doc, Seq):
        for i, part in enumerate(doc.parts):
            rest = doc.parts[i + 1 :]
            write(pen, part, indent, _lead(rest) if rest else after)
    elif isinstance(doc, Bracket):
        _write_bracket(pen, doc, indent)
    else:
        _write_lines(pen, doc, after)


def _write_bracket(pen: Pen, doc: Bracket, indent: int) -> None:
    pen.put(doc.opening)
    if doc.after_opening is not None:
        pen.put(f"  {doc.after_opening}")
    inner = indent + INDENT
    for i, item in enumerate(doc.items):
        write_remarks(pen, item.before, inner, is_first=i == 0)
        pen.newline(inner, blank=item.blank and (i > 0 or bool(item.before)))
        write(pen, item.doc, inner, 1 if doc.comma else 0)
        if doc.comma:
            pen.put(",")
        if item.trailing is not None:
            pen.put(f"  {item.trailing}")
    write_remarks(pen, doc.tail, inner, is_first=not doc.items)
    pen.newline(indent)
    pen.put(doc.closing)


def write_remarks(pen: Pen, remarks: list[Remark], indent: int, *, is_first: bool) -> None:
    """Comments on lines of their own; no blank line above the first thing in a block."""
    for i, remark in enumerate(remarks):
        pen.newline(indent, blank=remark.blank and not (is_first and i == 0))
        pen.put(remark.text)


def _write_lines(pen: Pen, doc: Chain | Commas | Turn, after: int) -> None:
    column = pen.column
    parts = doc.parts if isinstance(doc, Turn) else doc.members
    last = len(parts) - 1
    for i, part in enumerate(parts):
        if i:
            pen.newline(column)
        if i and isinstance(doc, Chain):
            pen.put(f"{doc.word} ")
        has_comma = isinstance(doc, Commas) and i < last
        write(pen, part, column, after if i == last else int(has_comma))
        if has_comma:
            pen.put(",")


def _lead(parts: Sequence[Doc]) -> int:
    """How many characters follow before the line can end."""
    total = 0
    for part in parts:
        if isinstance(part, Text):
            total += len(part.text)
            continue
        if isinstance(part, Bracket):
            return total + len(part.opening)
        inner = part.parts if isinstance(part, Seq | Turn) else part.members
        return total + _lead(inner[: len(inner) if isinstance(part, Seq) else 1])
    return total
