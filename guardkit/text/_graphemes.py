"""Widens a stretch of text so that it cuts no character as people see it.

Combining marks, joined emoji, variation selectors, skin tones, tag sequences, pairs of regional
indicators, Hangul syllables and CRLF stay together.
"""

from __future__ import annotations

from functools import cache

from ._tables import inside, tables

FARTHEST = 256
"""A letter with more marks than this may be cut: hits on each mark must stay cheap."""


def widened(text: str, start: int, end: int) -> tuple[int, int]:
    """The smallest stretch around [start, end) whose ends lie between characters."""
    if start < end:
        stop = max(0, start - FARTHEST)
        while start > stop and is_joined(text, start):
            start -= 1
        stop = min(len(text), end + FARTHEST)
        while end < stop and is_joined(text, end):
            end += 1
    return start, end


def is_joined(text: str, at: int) -> bool:
    """Whether the character at this place belongs to the one before it."""
    if at <= 0 or at >= len(text):
        return False
    char = text[at]
    if char < "\u0300":
        return char == "\n" and text[at - 1] == "\r"
    if is_extender(char):
        return text[at - 1] not in "\r\n"
    before = text[at - 1]
    if before == "\u200d":
        return is_pictograph(char)
    if "\U0001f1e6" <= char <= "\U0001f1ff":
        return _is_second_of_pair(text, at)
    return is_hangul_tail(before, char)


def _is_second_of_pair(text: str, at: int) -> bool:
    first = at
    stop = max(0, at - FARTHEST)
    while first > stop and "\U0001f1e6" <= text[first - 1] <= "\U0001f1ff":
        first -= 1
    return (at - first) % 2 == 1


@cache
def _extenders() -> tuple[list[int], list[int]]:
    return tables().ranges("extend")


def is_extender(char: str) -> bool:
    """Marks, selectors, joiners, skin tones and tags: what is written onto another character."""
    if char < "\u0300":
        return False
    return (
        char in "\u200c\u200d"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
        or inside(_extenders(), ord(char))
    )


def is_pictograph(char: str) -> bool:
    """Whether the character can be part of an emoji sequence."""
    return (
        "\U0001f000" <= char <= "\U0001faff"
        or "\u2190" <= char <= "\u2bff"
        or char in "\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299"
    )


def is_hangul_tail(before: str, char: str) -> bool:
    """Whether a Hangul vowel or final continues the syllable before it."""
    if "\u1160" <= char <= "\u11a7" or "\ud7b0" <= char <= "\ud7c6":
        return (
            "\u1100" <= before <= "\u11a7"
            or "\ua960" <= before <= "\ua97c"
            or ("\uac00" <= before <= "\ud7a3" and (ord(before) - 0xAC00) % 28 == 0)
        )
    if "\u11a8" <= char <= "\u11ff" or "\ud7cb" <= char <= "\ud7fb":
        return "\u1160" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7fb"
    if "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c":
        return "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c"
    return "\uac00" <= char <= "\ud7a3" and "\u1100" <= before <= "\u115f"
