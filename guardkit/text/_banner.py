"""Words drawn with one sign in letters of five rows, read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ._view import Trail, View

INKS = "#*@%XO$&+=\u2588\u2593\u2592\u25a0\u25cf"

_GLYPHS = """
a .##.|#..#|####|#..#|#..#  b ###.|#..#|###.|#..#|###.  c .###|#...|#...|#...|.###
d ###.|#..#|#..#|#..#|###.  e ####|#...|###.|#...|####  f ####|#...|###.|#...|#...
g .###|#...|#.##|#..#|.###  h #..#|#..#|####|#..#|#..#  i ###|.#.|.#.|.#.|###
j ..##|...#|...#|#..#|.##.  k #..#|#.#.|##..|#.#.|#..#  l #...|#...|#...|#...|####
m #...#|##.##|#.#.#|#...#|#...#  n #..#|##.#|#.##|#..#|#..#  o .##.|#..#|#..#|#..#|.##.
p ###.|#..#|###.|#...|#...  q .##.|#..#|#..#|#.##|.###  r ###.|#..#|###.|#.#.|#..#
s .###|#...|.##.|...#|###.  t #####|..#..|..#..|..#..|..#..  u #..#|#..#|#..#|#..#|.##.
v #...#|#...#|.#.#.|.#.#.|..#..  w #...#|#...#|#.#.#|##.##|#...#  x #..#|#..#|.##.|#..#|#..#
y #...#|.#.#.|..#..|..#..|..#..  z ####|..#.|.#..|#...|####
a ..#..|.#.#.|#...#|#####|#...#  b ####.|#...#|####.|#...#|####.  c .####|#....|#....|#....|.####
d ####.|#...#|#...#|#...#|####.  e #####|#....|###..|#....|#####  f #####|#....|###..|#....|#....
g .####|#....|#..##|#...#|.####  h #...#|#...#|#####|#...#|#...#  i #|#|#|#|#
k #...#|#..#.|###..|#..#.|#...#  n #...#|##..#|#.#.#|#..##|#...#  o .###.|#...#|#...#|#...#|.###.
p ####.|#...#|####.|#....|#....  r ####.|#...#|####.|#..#.|#...#  s .####|#....|.###.|....#|####.
t ###|.#.|.#.|.#.|.#.  u #...#|#...#|#...#|#...#|.###.  x #...#|.#.#.|..#..|.#.#.|#...#
z #####|...#.|..#..|.#...|#####  0 .##.|#.##|#..#|##.#|.##.  1 .#.|##.|.#.|.#.|###
2 ###.|...#|.##.|#...|####  3 ###.|...#|.##.|...#|###.  4 #..#|#..#|####|...#|...#
5 ####|#...|###.|...#|###.  6 .##.|#...|###.|#..#|.##.  7 ####|...#|..#.|.#..|.#..
8 .##.|#..#|.##.|#..#|.##.  9 .##.|#..#|.###|...#|.##.
"""

_ROWS = 5
_WIDEST = 400
_MOST_WRONG = 3
"""A drawn letter may differ from ours in so many dots."""

_DRAWN = f" \r{INKS}"


@cache
def _font() -> dict[tuple[str, ...], str]:
    words = iter(_GLYPHS.split())
    font: dict[tuple[str, ...], str] = {}
    for name, rows in zip(words, words, strict=True):
        font.setdefault(tuple(rows.split("|")), name)
    return font


def drawn(view: View) -> View | None:
    """The view with every banner replaced by its word; None without any."""
    text = view.text
    trail = Trail(text)
    at = 0
    for start, end, word in _banners(text):
        if at and text[at:start].isspace():
            trail.put(" ", at, start)  # banners one below the other are the words of one text
        else:
            trail.keep(at, start)
        trail.put(word, start, end)
        at = end
    if not at:
        return None
    trail.keep(at, len(text))
    return View("decoded", "plain", trail.text(), view, trail, is_instead=True)


def _banners(text: str) -> Iterator[tuple[int, int, str]]:
    lines: list[tuple[int, int]] = []
    at = 0
    while at <= len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        row = _row(text[at:stop], len(lines))
        if row is None:
            lines.clear()
            row = _row(text[at:stop], 0)
        if row is not None:
            lines.append((at + row[0], at + row[1]))
        if len(lines) == _ROWS:
            word = _word([text[a:b] for a, b in lines])
            if word is None:
                del lines[0]
            else:
                yield lines[0][0], lines[-1][1], word
                lines.clear()
        at = stop + 1


def _row(line: str, above: int) -> tuple[int, int] | None:
    """Where a row of letters stands in a line, given how many rows stand above it.

    There may be other text before the first row, and behind the last.
    """
    start, end = 0, len(line)
    if line.strip(_DRAWN):
        if above == 0:
            start = len(line.rstrip(_DRAWN)) + 1
        elif above == _ROWS - 1:
            end = len(line[: end - len(line.lstrip(_DRAWN))].rstrip())
        else:
            return None
    is_row = 0 < end - start <= _WIDEST and not line[start:end].isspace()
    return (start, end) if is_row else None


def _word(lines: list[str]) -> str | None:
    inks = {char for line in lines for char in line} - {" ", "\r"}
    if len(inks) != 1:
        return None
    dotted = str.maketrans({inks.pop(): "#", " ": ".", "\r": "."})
    width = max(map(len, lines))
    rows = [line.ljust(width).translate(dotted) for line in lines]
    columns = ["".join(column) for column in zip(*rows, strict=True)]
    letters: list[str] = []
    glyph: list[str] = []
    for column in [*columns, "....."]:
        if column != ".....":
            glyph.append(column)
        elif glyph:
            letter = _letter(tuple("".join(row) for row in zip(*glyph, strict=True)))
            if letter is None:
                return None
            letters.append(letter)
            glyph = []
    return "".join(letters) or None


def _letter(glyph: tuple[str, ...]) -> str | None:
    font = _font()
    exact = font.get(glyph)
    if exact is not None:
        return exact
    best, wrong = None, _MOST_WRONG + 1
    for shape, name in font.items():
        if len(shape[0]) == len(glyph[0]):
            dots = sum(
                a != b for row, other in zip(shape, glyph, strict=True)
                for a, b in zip(row, other, strict=True)
            )  # fmt: skip
            if dots < wrong:
                best, wrong = name, dots
    return best
