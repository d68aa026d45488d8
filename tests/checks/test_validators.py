"""Every validator against numbers that are in print, and against slips in them."""

from __future__ import annotations

import random
import time

import pytest

from guardkit.checks import VALIDATORS
from guardkit.checks.live._validators import VALIDATE, entropy, validator

GOOD = {
    "aba": ("021000021", "011401533", "0910 0001 9"),
    "base58check": (
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    ),
    "bech32": (
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "a12uel5l",
    ),
    "date": (
        "2024-02-29",
        "20240229",
        "1999/12/31",
        "31.12.1999",
        "12/31/1999",
        "1.2.24",
        "2000-1-9",
    ),
    "domain": ("example.com", "a-b.co.uk", "xn--mnchen-3ya.de", "münchen.de"),
    "ean": ("4006381333931", "73513537", "9 780306 406157"),
    "email": ("a@example.com", "first.last+tag@mail.example.co.uk", "o'neil@example.org"),
    "iban": (
        "GB82 WEST 1234 5698 7654 32",
        "DE89370400440532013000",
        "FR1420041010050500013M02606",
        "NO9386011117947",
    ),
    "imei": ("490154203237518", "35-209900-176148-1", "356938035643809"),
    "ip": ("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.128"),
    "isbn": ("0-306-40615-2", "080442957X", "978-0-306-40615-7", "979 10 90636 07 1"),
    "isin": ("US0378331005", "DE0005810055", "AU0000XVGZA3", "GB0002634946"),
    "lei": ("5493001KJTIIGC8Y1R12", "213800WSGIIZCXF1P572", "HWUPKR0MPOU8FGXBT394"),
    "luhn": ("4111 1111 1111 1111", "5500-0000-0000-0004", "79927398713", "378282246310005"),
    "mac": ("00:1A:2B:3C:4D:5E", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e", "001a2b3c4d5e"),
    "mod11": ("943 476 5919", "0306406152", "080442957X", "86011117947"),
    "mod97": ("3214282912345698765432161182", "WEST12345698765432GB82", "5493001KJTIIGC8Y1R12"),
    "uuid": (
        "123e4567-e89b-12d3-a456-426614174000",
        "00000000-0000-0000-0000-000000000000",
        "F47AC10B-58CC-4372-A567-0E02B2C3D479",
    ),
    "verhoeff": ("2363", "123451", "84736430954837284567892"),
    "vin": ("1M8GDM9AXKP042788", "11111111111111111", "1HGCM82633A004352", "5gzcz43d13s812715"),
}

BAD = {
    "aba": ("021000022", "02100002", "O21000021"),
    "base58check": (
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf0a",
        "1111",
    ),
    "bech32": (
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "BC1Qw508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1",
    ),
    "date": (
        "2023-02-29",
        "31.04.2020",
        "2024-1/2",
        "13/13/2020",
        "0000-01-01",
        "202402291",
        "2024118",
    ),
    "domain": ("example", "-a.com", "a-.com", "1.2.3.4", "a..b", "a_b.com", "x" * 64 + ".com"),
    "ean": ("4006381333932", "7351353", "400638133393"),
    "email": ("a@b", "@example.com", "a..b@example.com", ".a@example.com", "a b@example.com"),
    "iban": ("GB82 WEST 1234 5698 7654 33", "DE8937040044", "8937040044DE0532013000"),
    "imei": ("490154203237519", "49015420323751", "4901542032375180"),
    "ip": ("192.0.2.256", "1.2.3", "2001:db8::1::2", "１.2.3.4"),
    "isbn": ("0-306-40615-3", "977-0-306-40615-7", "9780306406158", "08044295X7"),
    "isin": ("US0378331006", "US037833100", "0378331005US"),
    "lei": ("5493001KJTIIGC8Y1R13", "5493001KJTIIGC8Y1R1", "5493 001KJTIIGC8Y1R12"),
    "luhn": ("4111 1111 1111 1112", "0", "4111x11111111111", "٤١١١١١١١١١١١١١١١"),
    "mac": ("00:1A:2B:3C:4D", "00:1A-2B:3C:4D:5E", "00:1G:2B:3C:4D:5E", "001a2b3c4d5"),
    "mod11": ("943 476 5918", "X306406152", "5", "86011117948"),
    "mod97": ("3214282912345698765432161183", "", "1234 !"),
    "uuid": ("123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400g", "x"),
    "verhoeff": ("2364", "3263", "0"),
    "vin": ("1M8GDM9A0KP042788", "1M8GDM9AXKP04278", "1M8GDM9AXKP04278I"),
}
CATCHES_EVERY_SLIP = ("aba", "ean", "iban", "imei", "lei", "luhn", "mod97", "verhoeff")
"""Checksums by which one wrong digit is always found; MOD 11 up to ten digits as well."""

HOSTILE = (
    "",
    " ",
    "-",
    "\n",
    "\x00",
    "\ud800",
    "é",
    "²",
    "٣",
    "１２",
    "1" * 200_000,
    "a." * 100_000,
    "A" * 200_000,
    "@" * 9,
    "1-" * 90_000,
    "🙂" * 9,
    "::" * 50_000,
    "z" * 100_000 + "@a.bc",
)


def test_every_name_of_the_language_has_a_validator() -> None:
    assert {*VALIDATE, "entropy"} == set(VALIDATORS)
    assert set(GOOD) == set(BAD) == set(VALIDATE)


@pytest.mark.parametrize("name", sorted(VALIDATE))
def test_known_values(name: str) -> None:
    assert [text for text in GOOD[name] if not validator(name, 0.0)(text)] == []
    assert [text for text in BAD[name] if validator(name, 0.0)(text)] == []
    assert len(GOOD[name]) >= 3
    assert len(BAD[name]) >= 3


@pytest.mark.parametrize("name", CATCHES_EVERY_SLIP)
def test_one_wrong_digit_is_found(name: str) -> None:
    accepts = VALIDATE[name]
    for text in GOOD[name]:
        for at, char in enumerate(text):
            slips = [d for d in "0123456789" if char.isdigit() and d != char]
            passed = [d for d in slips if accepts(text[:at] + d + text[at + 1 :])]
            assert passed == [], (text, at)


@pytest.mark.parametrize("text", ["943 476 5919", "0306406152", "080442957X"])
def test_one_wrong_digit_is_found_by_mod11(text: str) -> None:
    for at, char in enumerate(text):
        for digit in "0123456789":
            if char.isdigit() and digit != char:
                assert not VALIDATE["mod11"](text[:at] + digit + text[at + 1 :])


def test_verhoeff_finds_swapped_neighbours() -> None:
    for text in ("2363", "123451", "84736430954837284567892"):
        for at in range(len(text) - 1):
            if text[at] != text[at + 1]:
                swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
                assert not VALIDATE["verhoeff"](swapped)


def test_a_wrong_character_in_a_wallet_is_found() -> None:
    rng = random.Random(1)
    alphabets = {
        "base58check": "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
        "bech32": "qpzry9x8gf2tvdw0s3jn54khce6mua7l",
    }
    for name, alphabet in alphabets.items():
        for text in GOOD[name]:
            for at in range(len(text)):
                other = rng.choice([c for c in alphabet if c != text[at].lower()])
                other = other.upper() if text.isupper() else other
                if other != text[at]:
                    assert not VALIDATE[name](text[:at] + other + text[at + 1 :])


def test_entropy_is_in_bits_per_character() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abab") == 1
    assert entropy("abcdefgh") == 3
    assert validator("entropy", 3.0)("abcdefgh")
    assert not validator("entropy", 3.1)("abcdefgh")


@pytest.mark.parametrize("name", VALIDATORS)
def test_any_text_has_an_answer_in_time(name: str) -> None:
    accepts = validator(name, 3.5)
    for text in HOSTILE:
        before = time.thread_time()
        assert accepts(text) in (True, False)
        assert time.thread_time() - before < 1.0


@pytest.mark.parametrize("name", VALIDATORS)
def test_noise_has_an_answer(name: str) -> None:
    rng = random.Random(7)
    accepts = validator(name, 3.5)
    for _ in range(300):
        text = "".join(
            rng.choice("0123456789abcXYZ .:-@/é\ud800١") for _ in range(rng.randint(0, 40))
        )
        assert accepts(text) in (True, False)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        validator("nonsense", 0.0)
