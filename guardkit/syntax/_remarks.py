"""Which comment belongs to what: before it, behind it on its line, or at the end of its block."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from guardkit.diagnostics import Span

from . import _ast as ast
from ._layout import Doc, Item, Remark

_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_TO_OPENING = re.compile(r"(?:[^#(\[{]|#[^\n]*)*+[(\[{]")


class Remarks:
    """The comments of a file, each handed out once.

    Inner elements ask first; what they leave inside a node goes before the clause that holds it.
    Without a text (nodes made by hand) there are no comments, and every question has a plain
    answer.
    """

    def __init__(self, text: str = "", comments: Sequence[ast.Comment] = ()) -> None:
        self.text = text
        self._comments = comments
        self._starts = [comment.span.start for comment in comments]
        self._is_taken = [False] * len(comments)

    def opening(self, at: int) -> int:
        """The offset behind the next opening bracket."""
        found = _TO_OPENING.match(self.text, at)
        return found.end() if found else at

    def take(self, begin: int, end: int) -> list[ast.Comment]:
        """The comments of a stretch that nobody has taken yet."""
        found: list[ast.Comment] = []
        for i in range(bisect_left(self._starts, begin), bisect_left(self._starts, end)):
            if not self._is_taken[i]:
                self._is_taken[i] = True
                found.append(self._comments[i])
        return found

    def peek(self, begin: int) -> Sequence[ast.Comment]:
        """All comments from an offset on."""
        return self._comments[bisect_left(self._starts, begin) :]

    def is_one_line(self, begin: int, end: int) -> bool:
        return self.text.find("\n", begin, end) < 0

    def is_blank_between(self, begin: int, end: int) -> bool:
        return begin < end and _BLANK_LINE.search(self.text, begin, end) is not None

    def settle(
        self, docs: Sequence[Doc], spans: Sequence[Span], begin: int, end: int
    ) -> tuple[list[Item], str | None, list[Remark]]:
        """Give each of a block's elements its comments.

        Returns the elements in the order given, the comment behind the opening bracket and those
        after the last element.
        """
        items = [Item(doc) for doc in docs]
        if not self.text:
            return items, None, []
        hoisted = [self.take(span.start, span.end) for span in spans]
        order = sorted(range(len(spans)), key=lambda i: spans[i].start)
        loose = self.take(begin, end)
        next_loose = 0
        opening: str | None = None
        edge, previous = begin, -1
        for i in (*order, -1):
            here = spans[i].start if i >= 0 else end
            before: list[Remark] = []
            while next_loose < len(loose) and loose[next_loose].span.start < here:
                comment = loose[next_loose]
                next_loose += 1
                start = comment.span.start
                behind = not before and self.is_one_line(edge, start)
                if behind and previous >= 0:
                    items[previous].trailing = comment.text
                elif behind and begin > 0 and edge == begin:
                    opening = comment.text
                else:
                    before.append(Remark(comment.text, self.is_blank_between(edge, start)))
                edge = comment.span.end
            if i < 0:
                return items, opening, before
            item = items[i]
            item.blank = self.is_blank_between(edge, here)
            for comment in hoisted[i]:
                before.append(Remark(comment.text, item.blank))
                item.blank = False
            item.before = before
            edge, previous = spans[i].end, i
        return items, opening, []
