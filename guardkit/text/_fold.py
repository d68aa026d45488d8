"""The text as it would be written on a plain keyboard: one sign for all that look like it.

Normalised segment by segment, styled letters and marks gone, look-alikes of other alphabets read
as the letter they pass for. Case is kept.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import NamedTuple

from ._clean import cleaned, without_unseen
from ._hidden import RUNS, UNSEEN
from ._normal import MOST_MARKS, normalized
from ._tables import Tables, tables
from ._view import Trail, View

_INDICATOR = re.compile("[\U0001f1e6-\U0001f1ff]")
# Two alone are a flag; one alone, three or more, and any held apart on purpose are letters.
_INDICATORS = re.compile(
    "[\U0001f1e6-\U0001f1ff](?:\u200b[\U0001f1e6-\U0001f1ff])+|[\U0001f1e6-\U0001f1ff]{3,}"
    "|[\U0001f1e6-\U0001f1ff](?![\U0001f1e6-\U0001f1ff])"
)


def folded(text: str) -> View:
    """The cleaned text with all that looks like an ASCII sign written as that sign.

    ASCII text is its own folded view; the result then holds the same text object.
    """
    if text.isascii():
        # An accent may follow.
        return View("folded", "plain", text, stable=max(len(text) - 1, 0))
    return fold(cleaned(text))


def fold(view: View) -> View:
    """The folded view of a cleaned one."""
    text = view.text
    if text.isascii():
        return View("folded", "plain", text, view, None, max(view.stable - 1, 0))
    stable = partial(_stable, view)
    known = tables()
    if known.changed.search(text) is not None:
        # Most that changes is one sign for another: the places stay.
        new = "".join(map(known.narrow.get, text, text))
        made = _segments(new, known)
        if made is not None:
            view = View("folded", "plain", made[0], view, made[1])
            new = made[0]
        text = new
        again = without_unseen(text) if RUNS.search(text) else None
        if again is not None:
            # A selector that its emoji needed: the letter in the emoji's place does not.
            inner = View("folded", "plain", text, view)
            made_again = fold(View("folded", "plain", again[0], inner, again[1]))
            return View("folded", "plain", made_again.text, made_again, None, stable)
    read = _read_as_ascii(text)
    return View("folded", "plain", text if read is None else read, view, None, stable)


def _segments(text: str, known: Tables) -> tuple[str, Trail] | None:
    """Each segment normalised and folded by itself."""
    fold = known.fold
    seen: dict[str, str] = {}
    trail = Trail(text)
    at = 0
    marks = known.marks
    found = known.changed.search(text)
    while found is not None:
        start = found.start()
        end = start + 1
        while end < len(text) and text[end] in marks:
            end += 1
        char = text[start]
        new: str | None
        if "\U0001f1e6" <= char <= "\U0001f1ff":
            run = _INDICATORS.match(text, start)
            if run is not None and not (start and _INDICATOR.match(text[start - 1])):
                trail.keep(at, start)
                at = end = _spell(text, start, run.end(), trail, known)
        elif end - start == 1 and char not in marks:
            new = fold.get(char)
            if new is not None:
                trail.keep(at, start)
                trail.put(new, start, end)
                at = end
        else:
            if start > at and char in marks:
                # The stretch begins with a mark: it stands on the character before it.
                start -= 1
            segment = text[start:end]
            new = seen.get(segment)
            if new is None:
                new = seen[segment] = _segment(segment, known)
            if new != segment:
                trail.keep(at, start)
                trail.put(new, start, end)
                at = end
        found = known.changed.search(text, end)
    if not at:
        return None
    trail.keep(at, len(text))
    return trail.text(), trail


def _spell(text: str, start: int, end: int, trail: Trail, known: Tables) -> int:
    """Regional indicators as the letters they are."""
    for place in range(start, end):
        if text[place] == "\u200b":
            trail.drop(place, place + 1)
        else:
            trail.put(chr(ord(text[place]) - 0x1F1E6 + 0x41), place, place + 1)
    start = end
    while end < len(text) and text[end] in known.marks:
        end += 1
    trail.drop(start, end)
    return end


def _segment(segment: str, known: Tables) -> str:
    """One segment: a character and the marks on it."""
    base = segment[0]
    if base < "\x80" and known.dropped.issuperset(segment[1:]):
        return base
    styled = known.fold.get(base, base)
    if styled.isascii() and known.dropped.issuperset(segment[1:]):
        return styled
    shown = [char for char in segment[: MOST_MARKS + 1] if known.fold.get(char) != ""]
    normal = normalized("".join(shown), known)
    out: list[str] = []
    for char in normal:
        out.append(known.fold.get(char, char))
        if char in known.dropped and len(out) > 1 and _sheds_marks(out[-2], known):
            out.pop()
    return "".join(out)


def _sheds_marks(char: str, known: Tables) -> bool:
    """Letters of the western alphabets and their look-alikes: what they need is composed."""
    return bool(char) and (char < "\u0590" or char in known.strong or char in known.weak)


# --- letters of other alphabets


class _Words(NamedTuple):
    suspects: tuple[re.Pattern[str], ...]
    word: re.Pattern[str]
    strong: dict[str, str]
    every: dict[int, str]
    strange: re.Pattern[str]


_GREEK = "\u0370-\u03ff\u1f00-\u1fff"
_CYRILLIC = "\u0400-\u052f"
_RARE = "\u0530-\u058f\u13a0-\u13ff\u1400-\u167f\u2c80-\u2cff\ua4d0-\ua4ff\uab70-\uabbf"
_FOREIGN = _GREEK + _CYRILLIC + _RARE
_STRANGE = "ѕһԁԛԝѵӏԍЅԚԜѴԌԀ\ua4d0-\ua4f7\u2c80-\u2cb1"
_NEAR = 3
"""How far a word may stand from the one before it to be read as that one was."""


@cache
def _words() -> _Words:
    known = tables()
    strong = "".join(known.strong)
    other = "".join(sorted({*known.strong, *known.weak}))
    foreign = _FOREIGN + "".join(c for c in other if not re.match(f"[{_FOREIGN}]", c))
    letters = f"A-Za-z{foreign}"
    # Each begins with a set that is rare in honest text, so that a search is one quick pass.
    others = f"{_CYRILLIC}{_RARE}"
    suspects = (
        # An ASCII letter beside another alphabet, or a word of another alphabet close behind one.
        f"[A-Za-z](?:[{foreign}]|(?<=[{foreign}].)|[^{letters}]{{1,{_NEAR}}}[{foreign}])",
        # A word at the start that could be ASCII as a whole, or one that nothing else can be.
        f"\\A[^{letters}]{{0,{_NEAR}}}[{other}]+(?![{letters}])",
        f"[^{foreign}][{strong}]{{3,}}+(?![{foreign}])",
        f"[{_STRANGE}]",
        # Two alphabets side by side.
        f"[{_GREEK}](?:[{others}]|(?<=[{others}].))",
        f"[{_RARE}](?:[{_CYRILLIC}]|(?<=[{_CYRILLIC}].))",
    )
    return _Words(
        # A word of two alphabets, a rare letter, a word that could be ASCII as a whole.
        tuple(re.compile(pattern, re.DOTALL) for pattern in suspects),
        re.compile(f"[A-Za-z{foreign}]+"),
        known.strong,
        {ord(char): to for char, to in {**known.weak, **known.strong}.items()},
        re.compile(f"[{_STRANGE}]"),
    )


def _read_as_ascii(text: str) -> str | None:
    """Words of look-alikes as the words they look like; of the same length, so no trail."""
    words = _words()
    if text.isascii() or not any(p.search(text) for p in words.suspects):
        return None
    out: list[str] = []
    at = 0
    is_after_ascii: bool | None = None
    last = 0
    for found in words.word.finditer(text):
        word = found.group()
        if found.start() - last > _NEAR:
            is_after_ascii = False
        last = found.end()
        if word.isascii():
            is_after_ascii = True
            continue
        is_after_ascii, new = _word(word, words, is_after_ascii)
        if new != word:
            out += text[at : found.start()], new
            at = found.end()
    if not at:
        return None
    out.append(text[at:])
    return "".join(out)


def _word(word: str, words: _Words, is_after_ascii: bool | None) -> tuple[bool, str]:
    """Whether the word is read as ASCII, and how; None where no word stands before it."""
    new = word.translate(words.every)
    if any("A" <= char <= "z" and char < "\x80" for char in word):
        return True, new
    if not new.isascii():
        # A letter that looks like nothing in ASCII: the alphabet's own word, if it is one alphabet.
        is_mixed = len({_alphabet(char) for char in word}) > 1
        return is_mixed, new if is_mixed else word
    if is_after_ascii or words.strange.search(word) or len({_alphabet(char) for char in word}) > 1:
        return True, new
    alike = sum(char in words.strong for char in word)
    if alike == len(word) > 2 or (is_after_ascii is None and alike):
        return True, new
    return False, word


def _alphabet(char: str) -> int:
    if "\u0400" <= char <= "\u052f":
        return 1
    return 0 if "\u0370" <= char <= "\u03ff" or "\u1f00" <= char <= "\u1fff" else 2


_LAST_WORD = re.compile(
    f"[A-Za-z\u00aa-\u02ff\u0300-\u1fff\u2c80-\u2cff\ua4d0-\ua4ff\U0001f100-\U0001ffff{UNSEEN}]"
)


def _stable(view: View) -> int:
    """The place in the original before which nothing can change any more."""
    text = view.text
    if not text:
        return view.stable
    at = len(text)
    known = tables()
    while at and (_LAST_WORD.match(text, at - 1) or text[at - 1] in known.marks):
        at -= 1
    if at == len(text) and at and text[-1] >= "\x80":
        at -= 1
    while 0 < at < len(text) and text[at] in known.marks:
        at -= 1
    if text[at:].isascii():
        at = max(len(text) - 1, 0)
    return min(view.stable, view.back(at, at)[0] if at < len(text) else view.stable)
