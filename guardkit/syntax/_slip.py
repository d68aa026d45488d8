"""One surprise of the parser, with what lies before and after it."""

from __future__ import annotations

from dataclasses import dataclass

from guardkit.diagnostics import Edit, Fix, Place, Source, Span

from ._machine import END, Token, UnexpectedTokenError, UnknownCharacterError
from ._tables import parser
from ._words import CLAUSES_OF

_OPENING = {"{": "}", "(": ")", "[": "]"}
_CLOSING = frozenset(_OPENING.values())


@dataclass(frozen=True, slots=True)
class Slip:
    """A token that could not stand where it stands.

    `accepts` are the kinds of token that could, `words` those among them that are fixed words,
    `before` and `after` the tokens around; `after` begins with the one that slipped.
    """

    source: Source
    chunk: Span
    token: Token
    accepts: frozenset[str]
    words: frozenset[str]
    before: tuple[Token, ...]
    after: tuple[Token, ...]

    @property
    def word(self) -> str:
        return self.token.text

    @property
    def place(self) -> Place:
        start = self.token.start
        return Place(self.source, Span(start, max(self.token.end, start + 1)))

    @property
    def previous(self) -> Token | None:
        return self.before[-1] if self.before else None

    @property
    def next(self) -> Token | None:
        return self.after[1] if len(self.after) > 1 else None

    @property
    def begins_line(self) -> bool:
        return not self.before or self.breaks_between(self.before[-1], self.token)

    @property
    def opener(self) -> str:
        """The word that begins the declaration."""
        return self.before[0].text if self.before else ""

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses of the declaration, if it has any."""
        return CLAUSES_OF.get(self.opener, ())

    @property
    def begins_clause(self) -> bool:
        """Whether a clause should begin here: at the start of a line or right after `{`."""
        if not self.clauses or len(self.open_brackets) > 1 or not self.before:
            return False
        after_bracket = self.before[-1].text == "{" and len(self.open_brackets) == 1
        return after_bracket or (self.begins_line and bool(self.words & set(self.clauses)))

    @property
    def open_brackets(self) -> list[Token]:
        stack: list[Token] = []
        for token in self.before:
            if token.text in _OPENING:
                stack.append(token)
            elif token.text in _CLOSING and stack:
                stack.pop()
        return stack

    @property
    def bracket(self) -> Token | None:
        """The innermost bracket that is still open."""
        stack = self.open_brackets
        return stack[-1] if stack else None

    def before_bracket(self, bracket: Token) -> str:
        """The word in front of an open bracket."""
        words = [token.text for token in self.before if token.start < bracket.start]
        return words[-1] if words else ""

    def matching(self) -> Token | None:
        """The bracket that closes the one that slipped."""
        depth = 0
        for token in self.after:
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
            if depth == 0:
                return token
        return None

    def breaks_between(self, left: Token, right: Token) -> bool:
        """Whether a line ends between two tokens."""
        return self.source.text.find("\n", left.end, right.start) >= 0

    def at(self, token: Token) -> Place:
        return Place(self.source, token.span)

    def stretch(self, start: int, end: int) -> Place:
        return Place(self.source, Span(start, end))

    # --- fixes

    def replace(self, text: str, title: str = "", *, safe: bool = True) -> Fix:
        return Fix(title or f"write `{text}`", (Edit(self.place, text),), safe)

    def remove(self, token: Token) -> Fix:
        return Fix(f"remove `{token.text}`", (Edit(self._with_blank(token), ""),))

    def unwrap(self, opening: Token, closing: Token) -> Fix:
        """Take a pair of brackets away, and leave a blank where the first one stood alone."""
        blank = "" if self.source.text[opening.start - 1] in " \t\n" else " "
        edits = Edit(self.at(opening), blank), Edit(self.at(closing), "")
        return Fix("remove the brackets", edits)

    def insert(self, at: int, text: str, *, safe: bool = True) -> Fix:
        place = Place(self.source, Span(at, at))
        return Fix(f"write `{text.strip()}`", (Edit(place, text),), safe)

    def _with_blank(self, token: Token) -> Place:
        """A token with the blanks before it, unless it begins its line."""
        text, start = self.source.text, token.start
        while start > 0 and text[start - 1] in " \t":
            start -= 1
        if start == 0 or text[start - 1] == "\n" or text[start - 1] in "([{":
            start = token.start
        return Place(self.source, Span(start, token.end))


def make_slip(source: Source, chunk: Span, error: UnexpectedTokenError) -> Slip:
    """Gather what the explanations look at."""
    machine = parser()
    token = error.token
    before: list[Token] = []
    after: list[Token] = []
    try:
        for found in machine.tokens(source.text, chunk.start, chunk.end):
            (before if found.start < token.start else after).append(found)
    except UnknownCharacterError:
        pass  # the slip lies before the bad character; what was cut so far is enough
    if token.kind == END:
        token = Token(END, "", before[-1].start, before[-1].end)
    words = frozenset(machine.written[kind] for kind in error.accepted if kind in machine.written)
    return Slip(source, chunk, token, error.accepted, words, tuple(before), tuple(after))
