"""Money, durations and dates: what is read, what is refused."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardkit._util.values import (
    CURRENCIES,
    Money,
    compare_money,
    format_duration,
    parse_date,
    parse_duration,
    parse_money,
)

any_text = st.text(alphabet=st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("1,200.50 EUR", "1200.50", "EUR"),
        ("EUR 1200.50", "1200.50", "EUR"),
        ("EUR1200", "1200", "EUR"),
        ("1200EUR", "1200", "EUR"),
        ("$12", "12", "USD"),
        ("12 €", "12", "EUR"),
        ("€ 12.5", "12.5", "EUR"),
        ("£0.99", "0.99", "GBP"),
        ("¥1,000,000", "1000000", "JPY"),
        ("-5 EUR", "-5", "EUR"),
        ("-$5", "-5", "USD"),
        ("USD -5", "-5", "USD"),
        ("0 CHF", "0", "CHF"),
        ("0.0001 USD", "0.0001", "USD"),
        ("1.500 KWD", "1.5", "KWD"),
        ("999999999999999999 IDR", "999999999999999999", "IDR"),
    ],
)
def test_money_is_read(text: str, amount: str, currency: str) -> None:
    assert parse_money(text) == Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "EUR",
        "12 eur",
        "12 XXX",
        "12 XAU",
        "12 ABC",
        "NaN EUR",
        "Infinity USD",
        "1e6 EUR",
        "1E6EUR",
        "0x10 EUR",
        "1_000 EUR",
        "1.23456 EUR",
        "1.200 EUR",
        "1.200,50 EUR",
        "1 200 EUR",
        "12,00 EUR",
        "1,20,000 INR",
        "1,2000 EUR",
        "0,500 EUR",
        ",500 EUR",
        "007 EUR",
        "1. EUR",
        ".5 EUR",
        "+5 EUR",
        "--5 EUR",
        "-EUR -5",
        "−5 EUR",
        "$12 USD",
        "$12 CAD",
        "US$12",
        "A$12",
        "€$12",
        "＄12",
        "￥12",
        "₹12",
        "EUR 12 EUR",
        " 12 EUR",
        "12 EUR\n",
        "12  EUR",
        "12\u00a0EUR",
        "１２ EUR",
        "١٢ EUR",
        "12 ＥＵＲ",
        "1" * 19 + " EUR",
        "12 EUR\ud800",
    ],
)
def test_money_is_refused(text: str) -> None:
    assert parse_money(text) is None


@pytest.mark.parametrize(
    ("a", "b", "order"),
    [
        ("1 EUR", "2 EUR", -1),
        ("2 EUR", "1 EUR", 1),
        ("1.0 EUR", "1.00 EUR", 0),
        ("-1 EUR", "0 EUR", -1),
        ("1 EUR", "1 USD", None),
    ],
)
def test_money_compares_within_one_currency(a: str, b: str, order: int | None) -> None:
    left, right = parse_money(a), parse_money(b)
    assert left is not None
    assert right is not None
    assert compare_money(left, right) == order


@pytest.mark.parametrize("odd", ["NaN", "sNaN", "Infinity"])
def test_an_amount_that_is_no_number_does_not_compare(odd: str) -> None:
    one = Money(Decimal(1), "EUR")
    assert compare_money(Money(Decimal(odd), "EUR"), one) is None
    assert compare_money(one, Money(Decimal(odd), "EUR")) is None


def test_money_has_no_order_of_its_own() -> None:
    with pytest.raises(TypeError):
        sorted([Money(Decimal(2), "EUR"), Money(Decimal(1), "USD")])  # type: ignore[type-var]


def test_currency_codes_are_well_formed() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)
    assert {"EUR", "USD", "GBP", "JPY", "CHF", "CNY"} <= CURRENCIES
    assert not CURRENCIES & {"XXX", "XTS", "XAU", "XDR"}


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0s", 0),
        ("25ms", 25),
        ("1s", 1_000),
        ("15m", 900_000),
        ("24h", 86_400_000),
        ("7d", 604_800_000),
        ("2w", 1_209_600_000),
        ("090s", 90_000),
    ],
)
def test_durations_are_read(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "ms",
        "1.5h",
        "-1s",
        "1 s",
        "1S",
        "1M",
        "1y",
        "1h30m",
        "1s\n",
        "٣s",
        "1e3s",
        "9" * 13 + "s",
    ],
)
def test_durations_are_refused(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (1_500, "1500ms"),
        (90_000, "90s"),
        (900_000, "15m"),
        (86_400_000, "1d"),
        (604_800_000, "1w"),
    ],
)
def test_durations_are_written_short(milliseconds: int, text: str) -> None:
    assert format_duration(milliseconds) == text


@given(st.integers(min_value=0, max_value=10**12 - 1))
def test_durations_round_trip(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds)) == milliseconds


def test_dates_are_read() -> None:
    assert parse_date("2027-01-31") == datetime.date(2027, 1, 31)
    assert parse_date("2028-02-29") == datetime.date(2028, 2, 29)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2027-02-29",
        "2027-13-01",
        "2027-00-10",
        "0000-01-01",
        "2027-1-31",
        "20270131",
        "2027-W05-1",
        "2027-01-31T00:00",
        "31.01.2027",
        "2027-01-31\n",
        " 2027-01-31",
        "２027-01-31",
        "-027-01-31",
    ],
)
def test_dates_are_refused(text: str) -> None:
    assert parse_date(text) is None


@given(any_text)
def test_any_text_gets_an_answer(text: str) -> None:
    for parse in (parse_money, parse_duration, parse_date):
        parse(text)
