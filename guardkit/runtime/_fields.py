"""Facts about the context and the tool call: each test of the plan becomes a function, at bind."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence

from guardkit._util import values
from guardkit.plan import Field
from guardkit.types import Truth

FieldTest = Callable[[object], Truth]
"""Answers for the whole context, or all arguments of a call."""

_One = Callable[[object], Truth]

_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def field_test(what: Field) -> FieldTest:
    """The test as a function of what `what.root` stands for.

    Absent makes `==` and `in` a no and their negations a yes; an order is unknown. Over several
    values `in` means all of them.
    """
    is_order = what.relation in _ORDER
    absent = Truth.UNKNOWN if is_order else Truth.NO
    # `.domain` is a reading of the value, not a field of it.
    path = what.path[:-1] if what.type == "domain" else what.path
    holds = _any_of([_relation(what, bound) for bound in what.values])

    def at(value: object, path: Sequence[str]) -> Truth:
        if value is None:
            return absent
        if isinstance(value, list | tuple):
            if not value:
                return absent
            if is_order:
                return Truth.UNKNOWN
            worst = Truth.YES
            for item in value:
                worst &= at(item, path)
            return worst
        if not path:
            return holds(value)
        if not isinstance(value, Mapping):
            return Truth.UNKNOWN
        return at(value.get(path[0]), path[1:])

    if what.relation in ("!=", "not in"):
        return lambda root: ~at(root, path)
    return lambda root: at(root, path)


def _any_of(relations: Sequence[_One]) -> _One:
    def holds(value: object) -> Truth:
        best = Truth.NO
        for relation in relations:
            best |= relation(value)
        return best

    return holds


def _relation(what: Field, bound: object) -> _One:
    """One value against one bound; what cannot be compared is unknown."""
    if what.type == "domain":
        wanted = str(bound)

        def in_domain(value: object) -> Truth:
            host = values.host_of(value) if isinstance(value, str) else None
            if host is None:
                return Truth.UNKNOWN
            return Truth.YES if values.domain_matches(host, wanted) else Truth.NO

        return in_domain
    read = _READERS[what.type]
    right = read(bound)
    order = _ORDER.get(what.relation)

    def related(value: object) -> Truth:
        left = read(value)
        if left is None or right is None:
            return Truth.UNKNOWN
        if isinstance(left, values.Money) and isinstance(right, values.Money):
            sign = values.compare_money(left, right)
            if sign is None:
                return Truth.UNKNOWN
            is_so = order(sign, 0) if order else sign == 0
        else:
            # Order is only ever asked of numbers, dates and durations: see `FieldTest` at compile.
            is_so = order(left, right) if order else left == right  # type: ignore[arg-type]
        return Truth.YES if is_so else Truth.NO

    return related


def _text(value: object) -> object:
    return value if isinstance(value, str) else None


def _yes_or_no(value: object) -> object:
    return value if isinstance(value, bool) else None


def _number(value: object) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) < math.inf else None  # type: ignore[arg-type]


def _spelled(
    parse: Callable[[str], object], plain: Callable[[object], object]
) -> Callable[..., object]:
    return lambda value: parse(value) if isinstance(value, str) else plain(value)


_READERS: Mapping[str, Callable[..., object]] = {
    "answer": _yes_or_no,
    "date": _spelled(values.parse_date, _text),
    "duration": _spelled(values.parse_duration, _number),
    "money": _spelled(values.parse_money, _text),
    "number": _number,
    "text": _text,
}
"""How each type is read from plain data; None where the value is no such thing."""
