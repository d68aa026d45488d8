"""Alphabets of dots: Morse code and braille."""

from __future__ import annotations

_SIGNS = """
a .-    b -...  c -.-.  d -..   e .     f ..-.  g --.   h ....  i ..    j .---  k -.-   l .-..
m --    n -.    o ---   p .--.  q --.-  r .-.   s ...   t -     u ..-   v ...-  w .--   x -..-
y -.--  z --..  0 ----- 1 .---- 2 ..--- 3 ...-- 4 ....- 5 ..... 6 -.... 7 --... 8 ---.. 9 ----.
. .-.-.-  , --..--  ? ..--..  ' .----.  ! -.-.--  / -..-.   ( -.--.   ) -.--.-  & .-...
: ---...  ; -.-.-.  = -...-   + .-.-.   - -....-  _ ..--.-  " .-..-.  @ .--.-.
"""
_PAIRS = iter(_SIGNS.split())
MORSE: dict[str, str] = {code: sign for sign, code in zip(_PAIRS, _PAIRS, strict=True)}
"""Dots and dashes -> sign."""

_FIRST_ROW = (0x01, 0x03, 0x09, 0x19, 0x11, 0x0B, 0x1B, 0x13, 0x0A, 0x1A)

BRAILLE: dict[int, str] = {
    0x00: " ",
    **dict(zip(_FIRST_ROW, "abcdefghij", strict=True)),
    **{row | 0x04: letter for row, letter in zip(_FIRST_ROW, "klmnopqrst", strict=True)},
    **{row | 0x24: letter for row, letter in zip(_FIRST_ROW, "uvxyz", strict=False)},
    0x3A: "w", 0x02: ",", 0x06: ";", 0x12: ":", 0x32: ".", 0x16: "!", 0x26: "?",
    0x04: "'", 0x24: "-",
}  # fmt: skip
"""Dots of a cell -> letter, uncontracted."""

DIGITS: dict[int, str] = dict(zip(_FIRST_ROW, "1234567890", strict=True))
"""Dots of a cell behind the number sign -> digit."""

NUMBER_SIGN, LETTER_SIGN = 0x3C, 0x30
