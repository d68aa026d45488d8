"""Compatibility composition (NFKC) of one segment, by the tables of this package."""

from __future__ import annotations

from ._tables import Tables

MOST_MARKS = 30
"""Marks on one letter beyond these carry nothing."""

_S, _L, _V, _T = 0xAC00, 0x1100, 0x1161, 0x11A7


def normalized(segment: str, tables: Tables) -> str:
    """The segment in NFKC; equal to normalising the whole text it was cut from."""
    parts = _decomposed(segment, tables)
    ccc = tables.ccc
    _order(parts, ccc)
    out: list[str] = []
    starter = -1
    last = 0
    for char in parts:
        number = ccc.get(char, 0)
        if starter >= 0 and (last < number or (last == 0 and starter == len(out) - 1)):
            pair = _composed(out[starter], char, tables)
            if pair is not None:
                out[starter] = pair
                continue
        if number == 0:
            starter = len(out)
        last = number
        out.append(char)
    return "".join(out)


def _decomposed(segment: str, tables: Tables) -> list[str]:
    parts: list[str] = []
    for char in segment:
        if "\uac00" <= char <= "\ud7a3":
            vowel, tail = divmod(ord(char) - _S, 28)
            lead, vowel = divmod(vowel, 21)
            parts += (chr(_L + lead), chr(_V + vowel))
            if tail:
                parts.append(chr(_T + tail))
        else:
            parts += tables.decompose.get(char, char)
    return parts


def _order(parts: list[str], ccc: dict[str, int]) -> None:
    """Marks between two starters by their class; equal classes stay in order."""
    start = 0
    size = len(parts)
    while start < size:
        if parts[start] not in ccc:
            start += 1
            continue
        end = start
        while end < size and parts[end] in ccc:
            end += 1
        if end - start > 1:
            parts[start:end] = sorted(parts[start:end], key=ccc.__getitem__)
        start = end


def _composed(first: str, second: str, tables: Tables) -> str | None:
    if "\u1100" <= first <= "\u1112" and "\u1161" <= second <= "\u1175":
        return chr(_S + ((ord(first) - _L) * 21 + ord(second) - _V) * 28)
    if (
        "\u11a8" <= second <= "\u11c2"
        and "\uac00" <= first <= "\ud7a3"
        and (ord(first) - _S) % 28 == 0
    ):
        return chr(ord(first) + ord(second) - _T)
    return tables.compose.get(first + second)
