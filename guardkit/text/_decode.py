"""Encoded runs of a text read: base64, digits of bytes, escapes, entities, dots and dashes.

Each reader finds its runs and says what they stand for, cell by cell. A run that gives no text is
left alone: hashes, identifiers and images decode to noise.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, unhexlify
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ._codes import BRAILLE, DIGITS, LETTER_SIGN, MORSE, NUMBER_SIGN
from ._markup import ENTITY, character
from ._signals import GROUP
from ._view import Trail, View


class Run(NamedTuple):
    """A stretch of the source and its text; `width` characters stand for each of the cells."""

    start: int
    end: int
    text: str
    width: int
    starts: Sequence[int]
    ends: Sequence[int]


def decoded(view: View, signals: frozenset[str]) -> View | None:
    """The view with every run that can be decoded replaced by its text; None without any."""
    runs = sorted(_runs(view.text, signals))
    if not runs:
        return None
    trail = Trail(view.text)
    at = 0
    for run in runs:
        trail.keep(at, run.start)
        trail.put_grid(run.text, run.width, run.starts, run.ends)
        at = run.end
    trail.keep(at, len(view.text))
    return View("decoded", "plain", trail.text(), view, trail, is_instead=True)


def _runs(text: str, signals: frozenset[str]) -> list[Run]:
    """Runs of every notation that is signalled; where two overlap, the earlier notation counts."""
    taken: list[Run] = []
    for signal, reader in _READERS:
        if signal not in signals:
            continue
        found = list(reader(text))
        taken = found if not taken else _merged(taken, found)
    return taken


def _merged(taken: list[Run], found: list[Run]) -> list[Run]:
    """Both, in order, without those of the second that overlap the first."""
    out: list[Run] = []
    later = iter(found)
    run = next(later, None)
    for mine in taken:
        while run is not None and run.start < mine.end:
            if run.end <= mine.start:
                out.append(run)
            run = next(later, None)
        out.append(mine)
    if run is not None:
        out.append(run)
    out.extend(later)
    return out


# --- bytes to text


_NOISE = bytes(code for code in range(32) if code not in b"\t\n\r\b") + b"\x7f"


def _as_text(data: bytes) -> str | None:
    """The text in UTF-8 bytes; None where they are mostly something else."""
    if len(data.translate(None, _NOISE)) < 0.7 * len(data):
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        # A run may have been cut in the middle of a character.
        if error.start < len(data) - 3 or error.start < 4:
            return None
        text = data[: error.start].decode()
    return text


def _from_bytes(
    start: int, end: int, data: bytes, width: int, starts: Sequence[int], ends: Sequence[int]
) -> Run | None:
    """A run of bytes, `width` of them in each cell."""
    text = _as_text(data)
    if not text:
        return None
    if text.isascii():
        return Run(start, end, text, width, starts, ends)
    firsts, lasts, byte = [], [], 0
    for char in text:
        size = 1 if char < "\x80" else 2 if char < "\u0800" else 3 if char < "\U00010000" else 4
        firsts.append(starts[byte // width])
        byte += size
        lasts.append(ends[(byte - 1) // width])
    return Run(start, end, text, 1, firsts, lasts)


# --- base64

_LINE = "[0-9A-Za-z+/_-]"
# Most long words are no base64: a run begins as text does, is padded, or longer than a word.
_HOPEFUL = f"(?<![0-9A-Za-z])(?={_LINE}{{8}})(?=(?:{GROUP}){{2}}|[0-9A-Za-z+/]{{6,39}}+="
_BASE64 = re.compile(
    f"{_HOPEFUL}|{_LINE}{{0,16}}[0-9A-Za-z]{{24}}|{_LINE}{{40}}|[0-9A-Za-z+/]{{16,}}+\\r?\\n)"
    f"{_LINE}{{8,}}+(?:\\r?\\n{_LINE}{{2,}}+)*+={{0,2}}"
)
_PIECE = re.compile(f"{_HOPEFUL}|[0-9A-Za-z]{{24}})[0-9A-Za-z]{{8,}}+={{0,2}}")
_NOT_BASE64 = re.compile("[^0-9A-Za-z+/]+")
_STANDARD = str.maketrans("-_", "+/")
_LETTERS = re.compile("[0-9A-Za-z+/_-]")


def _base64(text: str) -> Iterator[Run]:
    for found in _BASE64.finditer(text):
        start, end = found.span()
        for begin, stop in _wrapped(text, start, end):
            run = _base64_run(text, begin, stop)
            if run is not None:
                yield run
                continue
            for piece in _PIECE.finditer(text, begin, stop):
                if piece.span() != (begin, stop) and (run := _base64_run(text, *piece.span())):
                    yield run


def _wrapped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Lines of one length and a shorter last one belong together; others stand for themselves."""
    if text.find("\n", start, end) < 0:
        yield start, end
        return
    begin, width, at = start, 0, start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        size = len(text[at:stop].rstrip("\r"))
        if width and (width < 16 or width % 4 or size > width):
            yield begin, at - 1
            begin = at
        if size < width or stop == end:
            yield begin, stop
            begin, width = stop + 1, 0
        else:
            width = size
        at = stop + 1
    if begin < end:
        yield begin, end


def _base64_run(text: str, start: int, end: int) -> Run | None:
    letters = text[start:end].rstrip("=")
    stop = start + len(letters)
    places: Sequence[int] = range(start, stop)
    if "\n" in letters:
        places = [found.start() for found in _LETTERS.finditer(text, start, stop)]
        letters = letters.replace("\n", "").replace("\r", "")
    letters = letters.translate(_STANDARD)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        data = a2b_base64(letters + "=" * (-len(letters) % 4))
    except Error:
        return None
    if len(data) < 4 or _as_text(data) is None:
        return None
    starts = places[::4]
    lasts = places[3::4]
    ends: Sequence[int]
    if isinstance(lasts, range):
        ends = range(start + 4, start + 4 * len(starts) + 1, 4)
        ends = (*ends[:-1], end)
    else:
        ends = [*(last + 1 for last in lasts), end][: len(starts)]
        ends[len(starts) - 1 :] = [end]
    return _from_bytes(start, end, data, 3, starts, ends)


# --- digits of bytes

_HEX = "[0-9A-Fa-f]"
_DIGITS_OF_BYTES = re.compile(
    f"(?<![0-9A-Za-z])(?:0[xX]{_HEX}{{2}}(?:[ ,;]{{0,2}}0[xX]{_HEX}{{2}}){{2,}}+"
    f"|{_HEX}{{2}}(?:[ ,:-]{{1,2}}{_HEX}{{2}}(?![0-9A-Za-z])){{3,}}+"
    # A host name carries them in labels of limited length.
    f"|(?:0[xX])?(?:{_HEX}{{40,}}+\\.(?={_HEX}{{2}}))*+(?:{_HEX}{{2}})++(?![0-9A-Za-z]))"
)
_BITS = re.compile("(?<![0-9A-Za-z])[01]{8}(?:[ ,_]?[01]{8}){2,}+(?![0-9A-Za-z])")


def _bits_to_bytes(digits: str) -> bytes:
    return int(digits, 2).to_bytes(len(digits) // 8, "big")


def _bits(text: str) -> Iterator[Run]:
    for found in _BITS.finditer(text):
        if run := _digits(text, *found.span(), 8, _bits_to_bytes):
            yield run


def _hexadecimal(text: str) -> Iterator[Run]:
    for found in _DIGITS_OF_BYTES.finditer(text):
        if run := _digits(text, *found.span(), 2, unhexlify):
            yield run


_HEX_DIGIT = re.compile(f"(?<![0-9A-Za-z])0[xX]|({_HEX})")


def _digits(text: str, start: int, end: int, size: int, read: Callable[[str], bytes]) -> Run | None:
    """Digits of bytes, `size` for each, with anything between them."""
    inner = text[start:end]
    places: Sequence[int] = range(start, end)
    digits = inner
    if not inner.isalnum() or inner[1:2] in ("x", "X"):
        places = [
            at for found in _HEX_DIGIT.finditer(text, start, end) if (at := found.start(1)) >= 0
        ]
        digits = "".join([text[at] for at in places])
    count = len(digits) // size
    if count < 3:
        return None
    data = read(digits[: count * size])
    if _as_text(data) is None:
        return None
    starts = places[::size][:count]
    ends = [last + 1 for last in places[size - 1 :: size]][:count]
    ends[-1] = end
    return _from_bytes(start, end, data, 1, starts, ends)


# --- one escape a character

_PERCENT = re.compile("(?:%(?:25)*[0-9A-Fa-f]{2})+")
_ONE_PERCENT = re.compile("%(?:25)*([0-9A-Fa-f]{2})")


def _percent(text: str) -> Iterator[Run]:
    for found in _PERCENT.finditer(text):
        cells = list(_ONE_PERCENT.finditer(text, *found.span()))
        data = unhexlify("".join([cell[1] for cell in cells]))
        starts, ends = [cell.start() for cell in cells], [cell.end() for cell in cells]
        run = _from_bytes(*found.span(), data, 1, starts, ends)
        yield run or Run(*found.span(), data.decode("latin-1"), 1, starts, ends)


_ESCAPES = re.compile(rf"(?:\\+(?:u{_HEX}{{4}}|u\{{{_HEX}{{1,6}}\}}|U{_HEX}{{8}}|x{_HEX}{{2}}))+")
_ONE_ESCAPE = re.compile(
    rf"\\+(?:u({_HEX}{{4}})|u\{{({_HEX}{{1,6}})\}}|U({_HEX}{{8}})|x({_HEX}{{2}}))"
)


def _escape(text: str) -> Iterator[Run]:
    for found in _ESCAPES.finditer(text):
        cells = list(_ONE_ESCAPE.finditer(text, *found.span()))
        starts, ends = [cell.start() for cell in cells], [cell.end() for cell in cells]
        if all(cell[4] for cell in cells):
            data = unhexlify("".join([cell[4] for cell in cells]))
            run = _from_bytes(*found.span(), data, 1, starts, ends)
            yield run or Run(*found.span(), data.decode("latin-1"), 1, starts, ends)
            continue
        codes = [int(cell[1] or cell[2] or cell[3] or cell[4], 16) for cell in cells]
        chars = [chr(code) if code <= 0x10FFFF else "\ufffd" for code in codes]
        at = len(chars) - 2
        while at >= 0:
            if "\ud800" <= chars[at] <= "\udbff" and "\udc00" <= chars[at + 1] <= "\udfff":
                low, high = ord(chars[at + 1]), ord(chars[at])
                chars[at : at + 2] = [chr(0x10000 + (high - 0xD800 << 10) + low - 0xDC00)]
                del ends[at], starts[at + 1]
            at -= 1
        yield Run(*found.span(), "".join(chars), 1, starts, ends)


def _entity(text: str) -> Iterator[Run]:
    for found in ENTITY.finditer(text):
        new = character(found)
        if new is not None:
            yield Run(*found.span(), new, len(new), found.span()[:1], found.span()[1:])


# --- alphabets of dots

_MORSE_RUN = re.compile(
    "(?<![^\\s\"'(:>])[.\u00b7-]{1,7}"
    "(?:(?: {1,3}| ?[/|] ?|\\r?\\n)[.\u00b7-]{1,7}(?![^\\s\"')/|])){3,}+"
)
_MORSE_SIGN = re.compile("([.\u00b7-]+)|[/|]")
_MORSE_WORD = re.compile("([.\u00b7-]+)|[/|\n]")


def _morse(text: str) -> Iterator[Run]:
    for found in _MORSE_RUN.finditer(text):
        # Between letters stand blanks, so a line break ends a word: unless there is nothing else.
        sign = _MORSE_WORD if " " in found[0] else _MORSE_SIGN
        cells = list(sign.finditer(text, *found.span()))
        chars = [
            MORSE.get(cell[1].replace("\u00b7", "."), "\ufffd") if cell[1] else " "
            for cell in cells
        ]
        made = "".join(chars)
        if made.count("\ufffd") * 4 <= len(made) and len(set(made)) > 2:
            starts = [cell.start() for cell in cells]
            yield Run(*found.span(), made, 1, starts, [cell.end() for cell in cells])


_BRAILLE_RUN = re.compile("[\u2801-\u28ff](?:[ \u2800]*[\u2801-\u28ff]){3,}+")


def _braille(text: str) -> Iterator[Run]:
    for found in _BRAILLE_RUN.finditer(text):
        chars, places = [], []
        is_number = False
        for at in range(*found.span()):
            dots = ord(text[at]) - 0x2800 if text[at] >= "\u2800" else 0
            if dots == NUMBER_SIGN:
                is_number = True
            elif dots == LETTER_SIGN:
                is_number = False
            else:
                digit = DIGITS.get(dots) if is_number else None
                is_number = digit is not None
                chars.append(digit or BRAILLE.get(dots, "\ufffd"))
                places.append(at)
        if chars:
            ends = [*places[1:], found.end()]
            yield Run(*found.span(), "".join(chars), 1, places, ends)


_READERS: tuple[tuple[str, Callable[[str], Iterator[Run]]], ...] = (
    ("percent", _percent),
    ("escape", _escape),
    ("entity", _entity),
    ("hex", _bits),
    ("hex", _hexadecimal),
    ("base64", _base64),
    ("morse", _morse),
    ("braille", _braille),
)
