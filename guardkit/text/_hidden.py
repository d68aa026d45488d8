"""Characters nobody can see: which of them a text needs, and which hide something.

A joiner is judged by its two neighbours alone, so a text can be judged while it arrives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._graphemes import is_pictograph

UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
RUNS = re.compile(f"[{UNSEEN}]+")
_TAIL = re.compile(f"[{UNSEEN}]+\\Z")

# Scripts whose letters change their shape beside a joiner, or are cut into words by one.
_JOINING = re.compile(
    "[\u0620-\u064a\u066e-\u06d3\u06d5\u06fa-\u08c9\u0900-\u0dff\u0f00-\u109f\u1700-\u18aa\ua840-\ua8f7"
    "\ua980-\uaaff\uabc0-\uabed\ufb50-\ufdff\ufe70-\ufefc]"
)
_ARABIC_MARKS = "\u064b-\u065f\u0670\u06d6-\u06ed"
_WORD_BREAKING = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf]")
_HAN = re.compile("[\u2e80-\u3007\u3021-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_JAMO = re.compile("[\u1100-\u115e\u1161-\u11ff\ua960-\ua97c\ud7b0-\ud7fb]")
_MONGOLIAN = re.compile("[\u1800-\u180a\u1810-\u18aa]")
_MARKED = re.compile(f"[{_ARABIC_MARKS}\u0591-\u05c7\u0900-\u0dff\u0300-\u034e]")
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_FLAG = re.compile("[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
"""What stands behind a black flag for England, Scotland, Wales, Texas …"""

DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202c\u2066-\u2069"
_DIRECTION = re.compile(f"[{DIRECTIONS}]")
_SELECTED = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def needed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretches of a run of unseen characters that the text around it needs."""
    if start and text[start - 1] == "\U0001f3f4" and (flag := _FLAG.match(text, start, end)):
        yield flag.span()
        return
    before = text[start - 1] if start else ""
    after = text[end] if end < len(text) else ""
    if end - start == 1:
        if _is_needed(text[start], before, after):
            yield start, end
    elif end - start == 2:
        # An emoji that is coloured first and joined then, a letter chosen first and joined then.
        first, second = text[start], text[start + 1]
        if _SELECTED.match(first) and _is_needed(first, before, after):
            yield start, start + 1
            if second == "\u200d" and is_pictograph(before) and after and is_pictograph(after):
                yield start + 1, end
        elif first == "\u200d" and second == "\u200c" and _are_both(_JOINING, before, after):
            # Bengali writes a final form so.
            yield start, end


def _are_both(kind: re.Pattern[str], before: str, after: str) -> bool:
    return bool(before and after and kind.match(before) and kind.match(after))


def _is_needed(char: str, before: str, after: str) -> bool:
    """Whether one unseen character is needed between two that are seen, or the text's edge."""
    if char in "\u200c\u200d":
        if _are_both(_JOINING, before, after) or (
            before and after and _MARKED.match(before) and _JOINING.match(after)
        ):
            return True
        return char == "\u200d" and bool(
            before
            and after
            and (
                is_pictograph(before)
                or before in "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
            )
            and is_pictograph(after)
        )
    if "\ufe00" <= char <= "\ufe0f":
        if not before or (before.isascii() and before not in "0123456789#*"):
            return False
        if char >= "\ufe0e" and not _is_letter(before):
            return True
        is_symbol = "\u2190" <= before <= "\u2bff"
        return is_symbol or "\u1000" <= before <= "\u109f" or _HAN.match(before) is not None
    if "\U000e0100" <= char <= "\U000e01ef":
        return bool(before and _HAN.match(before))
    if "\u180b" <= char <= "\u180f":
        return bool(before and _MONGOLIAN.match(before))
    if char == "\u200b":
        return _are_both(_WORD_BREAKING, before, after)
    if char in "\u115f\u1160":
        return bool(before and _JAMO.match(before)) or bool(after and _JAMO.match(after))
    if char == "\u034f":
        return bool(before and _MARKED.match(before))
    if "\U0001d173" <= char <= "\U0001d17a":
        return "\U0001d100" <= before <= "\U0001d1ff"
    return "\ufff9" <= char <= "\ufffb" and bool(before and _HAN.match(before))


def _is_letter(char: str) -> bool:
    """Letters of the small alphabets: enough to tell a word from an emoji."""
    return "\u00aa" <= char <= "\u1fff" and char not in "\u00ae\u00b1\u00b7\u00d7\u00f7"


def ends_unseen(text: str) -> int:
    """Where the unseen characters at the end of the text begin."""
    at = len(text)
    while at and RUNS.match(text, at - 1):
        at -= 1
    return at


def hidden_runs(text: str) -> tuple[tuple[int, int], ...]:
    """The stretches of characters that nobody can see and that the text does not need.

    Persian and Indic joiners, emoji sequences, flags, a byte order mark at the start, and the
    direction marks of a line that is written from right to left are needed.

    Example:
        >>> hidden_runs("pass\\u200bword")
        ((4, 5),)
    """
    if text.isascii():
        return ()
    found: list[tuple[int, int]] = []
    line_end = -1
    is_rtl = False
    for run in RUNS.finditer(text):
        start, end = run.span()
        if not start and text[0] == "\ufeff":
            start = 1
        if start > line_end:
            begin = text.rfind("\n", line_end + 1, start) + 1 or line_end + 1
            line_end = text.find("\n", start)
            line_end = len(text) if line_end < 0 else line_end
            is_rtl = _RIGHT_TO_LEFT.search(text, begin, line_end) is not None
        if is_rtl:
            while start < end and _DIRECTION.match(text, start):
                start += 1
            while start < end and _DIRECTION.match(text, end - 1):
                end -= 1
        for kept, stop in needed(text, start, end):
            if start < kept:
                found.append((start, kept))
            start = stop
        if start < end:
            found.append((start, end))
    return tuple(found)
