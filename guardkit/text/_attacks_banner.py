"""A banner: words drawn in letters of five rows, all from one ink."""

from __future__ import annotations

from random import Random

from ._attacks import Disguise, Put

_GLYPHS = """
a .##.|#..#|####|#..#|#..#   b ###.|#..#|###.|#..#|###.   c .###|#...|#...|#...|.###
d ###.|#..#|#..#|#..#|###.   e ####|#...|###.|#...|####   f ####|#...|###.|#...|#...
g .###|#...|#.##|#..#|.###   h #..#|#..#|####|#..#|#..#   i ###|.#.|.#.|.#.|###
j ..##|...#|...#|#..#|.##.   k #..#|#.#.|##..|#.#.|#..#   l #...|#...|#...|#...|####
m #...#|##.##|#.#.#|#...#|#...#   n #..#|##.#|#.##|#..#|#..#   o .##.|#..#|#..#|#..#|.##.
p ###.|#..#|###.|#...|#...   q .##.|#..#|#..#|#.##|.###   r ###.|#..#|###.|#.#.|#..#
s .###|#...|.##.|...#|###.   t #####|..#..|..#..|..#..|..#..   u #..#|#..#|#..#|#..#|.##.
v #...#|#...#|.#.#.|.#.#.|..#..   w #...#|#...#|#.#.#|##.##|#...#   x #..#|#..#|.##.|#..#|#..#
y #...#|.#.#.|..#..|..#..|..#..   z ####|..#.|.#..|#...|####
0 .##.|#.##|#..#|##.#|.##.   1 .#.|##.|.#.|.#.|###   2 ###.|...#|.##.|#...|####
3 ###.|...#|.##.|...#|###.   4 #..#|#..#|####|...#|...#   5 ####|#...|###.|...#|###.
6 .##.|#...|###.|#..#|.##.   7 ####|...#|..#.|.#..|.#..   8 .##.|#..#|.##.|#..#|.##.
9 .##.|#..#|.###|...#|.##.
"""

_NAMES_AND_ROWS = iter(_GLYPHS.split())
_FONT = {name: rows.split("|") for name, rows in zip(_NAMES_AND_ROWS, _NAMES_AND_ROWS, strict=True)}
_ROWS = 5


def _word(word: str) -> str:
    drawn = [_FONT[c] for c in word if c in _FONT]
    return "\n".join("  ".join(glyph[row] for glyph in drawn) for row in range(_ROWS))


def _drawn(ink: str) -> Put:
    """One word below the other; what has no glyph is left out."""
    inks = str.maketrans("#.", f"{ink} ")

    def put(text: str, rng: Random) -> str:
        words = (_word(word) for word in text.lower().split())
        return "\n\n".join(word for word in words if word.strip()).translate(inks)

    return put


BANNER = (
    Disguise(
        "ascii_art",
        "flag",
        "Each word drawn as a banner of five rows.",
        {f"in {ink}": _drawn(ink) for ink in "#*@%X\u2588"},
    ),
)
