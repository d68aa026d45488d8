"""Texts that ride on characters nobody sees, each as a view of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ._view import Trail, View

_TAGS = re.compile("[\U000e0020-\U000e007e]{2,}")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
_BITS = re.compile("[\u2062\u2064]{8,}|[\u200b\u200c]{8,}|[\u200c\u200d]{8,}|[\u2060\u200b]{8,}")


def carried(view: View) -> Iterator[View]:
    """What tags, variation selectors and two-sign bits spell, run by run."""
    text = view.text
    for found in _TAGS.finditer(text):
        start, end = found.span()
        yield _fragment(
            view, "".join(chr(ord(c) - 0xE0000) for c in found[0]), range(start, end), 1
        )
    for found in _SELECTORS.finditer(text):
        data = bytes(ord(c) - 0xFE00 if c <= "\ufe0f" else ord(c) - 0xE0100 + 16 for c in found[0])
        yield from _bytes(view, data, range(*found.span()), 1)
    for found in _BITS.finditer(text):
        one = max(found[0])
        start, end = found.span()
        bits = "".join("1" if c == one else "0" for c in found[0])
        bits = bits[: len(bits) // 8 * 8]
        places = range(start, start + len(bits), 8)
        data = int(bits, 2).to_bytes(len(bits) // 8, "big")
        for polarity in (data, bytes(255 - byte for byte in data)):
            yield from _bytes(view, polarity, places, 8)


def _bytes(view: View, data: bytes, places: range, width: int) -> Iterator[View]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        if sum(32 <= byte < 127 for byte in data) * 2 < len(data):
            return
    if text.isascii():
        yield _fragment(view, text, places, width)
    else:
        starts: list[int] = []
        byte = 0
        for char in text:
            starts.append(places[byte] if byte < len(places) else places[-1])
            byte += len(char.encode("utf-8", "surrogatepass"))
        ends = [*starts[1:], places[-1] + width]
        yield _made(view, text, starts, ends)


def _fragment(view: View, text: str, places: range, width: int) -> View:
    return _made(view, text, places, range(places.start + width, places.stop + width + 1, width))


def _made(view: View, text: str, starts: Sequence[int], ends: Sequence[int]) -> View:
    trail = Trail(view.text)
    trail.put_grid(text, 1, starts, ends)
    return View("decoded", "plain", trail.text(), view, trail)
