"""Check digits and dates that many national numbers share. Each function is total and linear."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date


def digits_of(text: str) -> list[int]:
    """The digits as numbers; a letter counts from `A` as 10."""
    return [int(char, 36) for char in text]


def weighted(text: str, weights: Sequence[int]) -> int:
    """The sum of digits, each times its weight; digits beyond the weights count nothing."""
    return sum(d * w for d, w in zip(digits_of(text), weights, strict=False))


def is_luhn(text: str) -> bool:
    """Every second digit from the right doubled, the digit sums a multiple of ten."""
    digits = digits_of(text)
    doubled = (d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_mod_11_10(text: str) -> bool:
    """ISO 7064, MOD 11,10: Croatian and German tax numbers."""
    rest = 10
    for digit in digits_of(text[:-1]):
        rest = (rest + digit) % 10 or 10
        rest = rest * 2 % 11
    return (rest + int(text[-1])) % 10 == 1


def is_mod_11_2(text: str) -> bool:
    """ISO 7064, MOD 11-2, `X` for ten: Chinese identity numbers."""
    rest = 0
    for char in text:
        rest = (rest * 2 + (10 if char == "X" else int(char))) % 11
    return rest == 1


def is_day(year: int, month: int, day: int) -> bool:
    """A day of the calendar, not in a year to come that no living person can name."""
    if not (1 <= month <= 12 and 1 <= day <= 31 and 1850 <= year <= 2100):
        return False
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def is_ymd(text: str) -> bool:
    """YYMMDD or YYYYMMDD; of two digits a year that makes it a day is enough."""
    year, month, day = text[:-4], int(text[-4:-2]), int(text[-2:])
    if len(year) == 4:
        return is_day(int(year), month, day)
    return is_day(1900 + int(year), month, day) or is_day(2000 + int(year), month, day)


def is_dmy(text: str) -> bool:
    """DDMMYY or DDMMYYYY."""
    return is_ymd(text[4:] + text[2:4] + text[:2])


def is_varied(text: str) -> bool:
    """More than one digit: `000000000` passes most checksums and is nobody's number."""
    return len(set(text)) > 1
