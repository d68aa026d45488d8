"""What tests of context and call fields say about a value, and values that show every answer."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from guardkit._util.values import (
    CURRENCIES,
    Money,
    compare_money,
    domain_matches,
    host_of,
    parse_date,
    parse_money,
)
from guardkit.types import Truth

from .._policy import FieldTest, Plain
from ._line import Line

ORDERED = frozenset({"<", "<=", ">", ">="})


def absent_truth(test: FieldTest) -> Truth:
    """What a test says of a field that is not there."""
    if test.op in ORDERED:
        return Truth.UNKNOWN
    return Truth.YES if test.op in ("!=", "not in") else Truth.NO


def truth_of(test: FieldTest, value: Plain) -> Truth:
    """What a test says of a value that is there; for a list `in` means all of it."""
    if isinstance(value, tuple):
        parts = [_single(test, part) for part in value]
        if test.op in ORDERED:
            return Truth.UNKNOWN
        joined = Truth.YES
        for part in parts:
            joined &= part
        return ~joined if test.op in ("!=", "not in") else joined
    truth = _single(test, value)
    return ~truth if test.op in ("!=", "not in") else truth


def _single(test: FieldTest, value: Plain) -> Truth:
    """The test without its negation: `!=` is read as `==`, `not in` as `in`."""
    joined = Truth.NO
    for wanted in test.values:
        joined |= _compared(test, value, wanted)
    return joined


def _compared(test: FieldTest, value: Plain, wanted: Plain) -> Truth:
    if test.type == "domain":
        host = host_of(value) if isinstance(value, str) else None
        return Truth.UNKNOWN if host is None else _truth(domain_matches(host, str(wanted)))
    if test.type == "money":
        order = _money_order(value, wanted)
    else:
        order = _order(test.type, value, wanted)
    if order is None:
        return Truth.UNKNOWN
    match test.op:
        case "<":
            return _truth(order < 0)
        case "<=":
            return _truth(order <= 0)
        case ">":
            return _truth(order > 0)
        case ">=":
            return _truth(order >= 0)
        case _:
            return _truth(order == 0)


def _order(type: str, value: Plain, wanted: Plain) -> int | None:
    """-1, 0, 1, or None where the value is not of the type."""
    match type:
        case "answer":
            return _sign(int(value), int(bool(wanted))) if isinstance(value, bool) else None
        case "number" | "duration":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return _sign(float(value), float(wanted)) if is_number else None  # type: ignore[arg-type]
        case "date":
            day = parse_date(value) if isinstance(value, str) else None
            other = parse_date(str(wanted))
            return (
                None if day is None or other is None else _sign(day.toordinal(), other.toordinal())
            )
        case _:
            if not isinstance(value, str):
                return None
            return 0 if value == wanted else 1


def _sum(value: Plain) -> Money | None:
    return parse_money(value) if isinstance(value, str) else None


def _money_order(value: Plain, wanted: Plain) -> int | None:
    one, other = _sum(value), _sum(wanted)
    return None if one is None or other is None else compare_money(one, other)


def _sign(a: float, b: float) -> int:
    return (a > b) - (a < b)


def _truth(holds: bool) -> Truth:
    return Truth.YES if holds else Truth.NO


# --- many tests at once, one bit each


class Answers(NamedTuple):
    """Which of a list of tests say yes, and which cannot tell, as bits."""

    yes: int
    unknown: int


def answers_to(tests: Sequence[FieldTest], value: Plain) -> Answers:
    """What every test says of a value."""
    return _answers(truth_of(test, value) for test in tests)


def absent_answers(tests: Sequence[FieldTest]) -> Answers:
    """What every test says where the field is not there."""
    return _answers(map(absent_truth, tests))


def _answers(truths: Iterable[Truth]) -> Answers:
    yes = unknown = 0
    for at, truth in enumerate(truths):
        if truth is Truth.YES:
            yes |= 1 << at
        elif truth is Truth.UNKNOWN:
            unknown |= 1 << at
    return Answers(yes, unknown)


def memberships(tests: Sequence[FieldTest]) -> list[tuple[str, int]]:
    """Texts or hosts, and among the values of which tests each is, whatever the operator.

    Any other text or host is among those of the same tests as one of these.
    """
    named: dict[str, int] = {}
    for at, test in enumerate(tests):
        for value in test.values:
            named[str(value)] = named.get(str(value), 0) | 1 << at
    if tests[0].type == "text":
        return [(_unnamed(named), 0), *named.items()]
    patterns = {_pattern_form(pattern): 0 for pattern in named}
    for pattern, bits in named.items():
        patterns[_pattern_form(pattern)] |= bits
    return [(host, _host_bits(host, patterns)) for host in _hosts(patterns)]


def _pattern_form(pattern: str) -> str:
    base = pattern.removeprefix("*.")
    return pattern[: len(pattern) - len(base)] + (host_of(base) or base)


def _host_bits(host: str, patterns: Mapping[str, int]) -> int:
    bits, below = patterns.get(host, 0), host
    while below:
        below = below.partition(".")[2]
        bits |= patterns.get(f"*.{below}", 0)
    return bits


# --- values that show every answer


def readings(tests: Sequence[FieldTest]) -> list[Plain]:
    """Values of one type such that any other value is answered like one of them by every test."""
    match tests[0].type:
        case "answer":
            return [False, True]
        case "number":
            return list(_on_line(Line(), tests))
        case "duration":
            return [int(ms) for ms in _on_line(Line(0.0, is_integral=True), tests)]
        case "date":
            return list(_dates(tests))
        case "money":
            return list(_sums(tests))
        case _:
            return [value for value, _ in memberships(tests)]


def _unnamed(named: Collection[str]) -> str:
    return next(
        word
        for word in itertools.chain(["other"], map("other{}".format, itertools.count(2)))
        if word not in named
    )


def _on_line(line: Line, tests: Sequence[FieldTest]) -> Iterator[float]:
    for test in tests:
        for value in test.values:
            line.cut(_ordered_op(test), float(value))  # type: ignore[arg-type]
    line.settle()
    yield from (line.inside(at) for at in range(line.size))


def _ordered_op(test: FieldTest) -> str:
    return test.op if test.op in ORDERED else "=="


def _dates(tests: Sequence[FieldTest]) -> Iterator[str]:
    line = Line(1.0, float(datetime.date.max.toordinal()), is_integral=True)
    for test in tests:
        for value in test.values:
            day = parse_date(str(value))
            if day is not None:
                line.cut(_ordered_op(test), float(day.toordinal()))
    line.settle()
    for at in range(line.size):
        yield datetime.date.fromordinal(int(line.inside(at))).isoformat()


def _sums(tests: Sequence[FieldTest]) -> Iterator[str]:
    sums = [(test, found) for test in tests for v in test.values if (found := parse_money(str(v)))]
    currencies = sorted({found.currency for _, found in sums})
    for currency in currencies:
        line = Line()
        for test, found in sums:
            if found.currency == currency:
                line.cut(_ordered_op(test), float(found.amount))
        line.settle()
        for at in range(line.size):
            yield f"{_plain(line.inside(at))} {currency}"
    other = next(name for name in ("EUR", "USD", *sorted(CURRENCIES)) if name not in currencies)
    yield f"1 {other}"


def _plain(amount: float) -> str:
    text = format(Decimal(repr(amount)).normalize(), "f")
    # Three decimals read as thousands in many countries, so the language refuses them.
    return text + "0" if len(text.partition(".")[2]) == 3 else text


def _hosts(patterns: Collection[str]) -> Iterator[str]:
    """A host elsewhere; each host that is named; one below each `*.` that is not itself named.

    Which `*.` patterns a host matches is settled by the longest of them, so these are all.
    """
    elsewhere = ("elsewhere.example", "elsewhere.test", "elsewhere.invalid")
    known = dict.fromkeys(patterns, 1)
    yield next(
        host
        for host in itertools.chain(elsewhere, map("elsewhere{}.test".format, itertools.count()))
        if not _host_bits(host, known)
    )
    for pattern in patterns:
        base = pattern.removeprefix("*.")
        yield base
        if base != pattern:
            labels = itertools.chain(["mail"], map("host{}".format, itertools.count(1)))
            hosts = (f"{label}.{base}" for label in labels)
            yield next(h for h in hosts if h not in known and f"*.{h}" not in known)
