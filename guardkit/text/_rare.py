"""A few letters of a word that hardly stand in any other: what a scan looks for first.

An automaton that looks for a thousand odd words whole has a state for each of their beginnings, and
leaves the first one at every other letter. A stretch that begins with a pair of letters which
English hardly has keeps it there, and is still part of every text that holds the word.
"""

from __future__ import annotations

from itertools import pairwise

_LENGTH = 5
"""A shorter stretch stands in too many texts by chance, a longer one makes more states."""

_FOLLOW = {
    "a": "bcdfgiklmnprstuvxy",
    "b": "aeiloruy",
    "c": "aehiklmortu",
    "d": "adeilosu",
    "e": "acdefgilmnprstvwxy",
    "f": "aefilortu",
    "g": "aehilnrsu",
    "h": "aeilot",
    "i": "abcdefgklmnoprstvxz",
    "j": "u",
    "k": "eis",
    "l": "adeilostuy",
    "m": "abdeimopsu",
    "n": "acdefgilnostuvy",
    "o": "abcdefgilmnoprstuvw",
    "p": "aeiloprstuy",
    "q": "u",
    "r": "acdegiklmnorstuwy",
    "s": "acehinoprstuy",
    "t": "acdehilorstuwxy",
    "u": "abcefgilmnprst",
    "v": "aei",
    "w": "aehiors",
    "x": "aept",
    "y": "nopst",
    "z": "e",
}
"""The letters that follow each letter in English text: all other pairs are three in a hundred."""


def rare_part(word: str) -> str:
    """Five letters in a row, the first two a rare pair and as many more pairs rare as can be.

    The whole word where it has no such pair, or is short.

    Args:
        word: ASCII letters in lower case.

    Example:
        >>> rare_part("vtaber")
        'vtabe'
    """
    best, most = word, 0
    for at in range(len(word) - _LENGTH + 1):
        part = word[at : at + _LENGTH]
        rare = [b not in _FOLLOW[a] for a, b in pairwise(part)]
        if rare[0] and sum(rare) > most:
            best, most = part, sum(rare)
    return best
