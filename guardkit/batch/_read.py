"""Reads a corpus from a place in it, row by row, and says how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.guard import BrokenRow, Case, cases_from, text_of, texts_of

from ._corpus import START, Corpus, Mark, Source
from ._tables import cases_of_table

MOST_ROWS: Final = 128
MOST_CHARS: Final = 1 << 20
"""Of a block: what is on its way at once is bounded by texts and by their length. A model may take
a tenth of a second for a text, and a stop loses the block that is under way."""


class Item(NamedTuple):
    """One row, and where the corpus stands when it is done."""

    mark: Mark
    source: str
    case: Case | BrokenRow


class Block(NamedTuple):
    """Some rows that follow one another."""

    items: list[Item]
    position: int
    """Bytes of the corpus read when the last of them was."""


class Reader:
    """The rows of a corpus from a place on.

    Args:
        corpus: The corpus.
        start: The rows before it are passed over.
        until: The source before which it ends; None for the end of the corpus.
    """

    def __init__(self, corpus: Corpus, start: Mark = START, *, until: int | None = None) -> None:
        self._corpus = corpus
        self._start = start
        self._until = len(corpus.sources) if until is None else until
        self._before = sum(source.size for source in corpus.sources[: start.source])
        self._inside: Callable[[], int] = _nothing

    @property
    def position(self) -> int:
        """Bytes of the corpus that are read."""
        return self._before + self._inside()

    def __iter__(self) -> Iterator[Item]:
        for number in range(self._start.source, self._until):
            source = self._corpus.sources[number]
            row = self._start.row if number == self._start.source else 0
            try:
                for case in self._cases(source, row):
                    row += 1
                    yield Item(Mark(number, row), source.name, case)
            except UsageError as error:
                if source.is_named:
                    raise
                # One bad file of a folder is one more row of it, said by name; then the next.
                broken = BrokenRow(source.begins, row + 1, str(error))
                yield Item(Mark(number + 1), source.name, broken)
            self._before += source.size

    def blocks(self) -> Iterator[Block]:
        """Rows in blocks; what was read before an error is handed out before it is raised."""
        # Who types, or pipes a log that grows, waits for no block to fill.
        most = 1 if any(source.kind == "stdin" for source in self._corpus.sources) else MOST_ROWS
        items: list[Item] = []
        chars = 0
        error: UsageError | None = None
        rows = iter(self)
        while True:
            try:
                item = next(rows, None)
            except UsageError as problem:
                item, error = None, problem
            if item is not None:
                items.append(item)
                chars += len(item.case.text) if isinstance(item.case, Case) else 0
            if items and (item is None or len(items) >= most or chars >= MOST_CHARS):
                yield Block(items, self.position)
                items, chars = [], 0
            if error is not None:
                raise error
            if item is None:
                return

    # --- one source

    def _cases(self, source: Source, skip: int) -> Iterator[Case | BrokenRow]:
        on = self._corpus.on
        if source.kind == "given":
            if not skip:
                yield Case(source.name, source.text, on)
            return
        if source.kind == "stdin" or source.path is None:
            raise UsageError("the standard input is read by who opened it")
        shown = visible(source.path.as_posix())
        try:
            with source.path.open("rb") as file:
                self._inside = _teller(file, source)
                try:
                    yield from self._opened(source, file, shown, skip)
                finally:
                    self._inside = _nothing
        except OSError as error:
            why = (error.strerror or "it is no file of rows").lower()
            raise UsageError(f"`{shown}` cannot be read: {why}") from None

    def _opened(
        self, source: Source, file: BinaryIO, shown: str, skip: int
    ) -> Iterator[Case | BrokenRow]:
        on, field, name = self._corpus.on, self._corpus.field, source.begins
        if source.kind == "rows":
            return cases_from(file, name, shown, on, field=field, skip=skip)
        if source.kind in ("csv", "tsv"):
            delimiter = "," if source.kind == "csv" else "\t"
            return cases_of_table(
                file, name, shown, on, delimiter=delimiter, field=field, skip=skip
            )
        if source.kind == "lines":
            return _after(texts_of(file, name, on), skip)
        return iter(()) if skip else iter((text_of(file, name, on),))


class StandardInput(Reader):
    """A corpus with the standard input in it, which nobody can read a second time.

    Args:
        corpus: The corpus.
        lines: Every line of it is a text.
    """

    def __init__(self, corpus: Corpus, *, lines: bool) -> None:
        super().__init__(corpus)
        self._lines = lines

    def _cases(self, source: Source, skip: int) -> Iterator[Case | BrokenRow]:
        if source.kind != "stdin":
            yield from super()._cases(source, skip)
            return
        if sys.stdin is None:  # closed by whoever started us
            raise UsageError("standard input is closed")
        if self._lines:
            yield from texts_of(sys.stdin.buffer, "stdin", self._corpus.on)
        else:
            yield text_of(sys.stdin.buffer, "stdin", self._corpus.on)


def _after(cases: Iterator[Case | BrokenRow], skip: int) -> Iterator[Case | BrokenRow]:
    for number, case in enumerate(cases):
        if number >= skip:
            yield case


def _teller(file: BinaryIO, source: Source) -> Callable[[], int]:
    """How far a file is read. A reader of Parquet jumps, so its whole counts when it is over."""
    if source.name.endswith(".parquet") or not source.is_regular:
        return _nothing
    return file.tell


def _nothing() -> int:
    return 0
