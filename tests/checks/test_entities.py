"""The recognisers of `entities`: what they find, what they leave alone, what they cost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import re2

from guardkit.catalog import Hit
from guardkit.checks import ENTITIES
from guardkit.checks._entities import NEED_A_MODEL, RECOGNISED
from guardkit.checks.live._entities import bind
from guardkit.checks.live.recognisers import ORDER, WIDTHS, EntityFinder, recognisers_of, width_of
from guardkit.checks.live.recognisers._recogniser import listed
from guardkit.errors import BindError

DATA = Path(__file__).parent / "entities"
CASES: list[dict[str, list[str]]] = [
    json.loads(line)
    for file in sorted(DATA.glob("*.jsonl"))
    for line in file.read_text(encoding="utf-8").splitlines()
]


class Search:
    """A finder behind the one scan that the engine puts in front of all finders."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self.finder = EntityFinder(recognisers_of(kinds))
        options = re2.Options()
        options.max_mem = 256 << 20
        self.scan = re2.Set.SearchSet(options)
        for needle in self.finder.needles("plain"):
            self.scan.Add(needle)
        self.scan.Compile()

    def hits(self, text: str) -> Sequence[Hit]:
        seen = self.scan.Match(text.encode())
        return self.finder.find(text, seen, "plain") if seen else ()

    def found(self, text: str) -> list[tuple[str, str]]:
        return [(text[start:end], label) for start, end, label in self.hits(text)]


@cache
def search(*kinds: str) -> Search:
    return Search(kinds or RECOGNISED)


def redact(text: str, hits: Iterable[Hit]) -> str:
    parts, reached = [], 0
    for start, end, label in hits:
        if start >= reached:
            parts += [text[reached:start], f"[{label}]"]
        reached = max(reached, end)
    return "".join([*parts, text[reached:]])


class Named:
    """All that `bind` asks of its setting."""

    name = "personal"
    given = None

    def file(self, name: str) -> bytes:
        raise AssertionError(name)


# --- what is found


def test_every_kind_has_cases_of_both_sorts() -> None:
    kinds = sorted(str(case["kind"]) for case in CASES)
    assert tuple(kinds) == RECOGNISED
    assert all(len(case["finds"]) >= 3 and len(case["ignores"]) >= 3 for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["kind"])
def test_values_are_found_and_look_alikes_are_not(case: Mapping[str, list[str]]) -> None:
    kind = str(case["kind"])
    only = search(kind)
    for text, value in case["finds"]:
        assert only.found(text) == [(value, kind.upper())], text
        assert only.found(f"({text}), she said") == [(value, kind.upper())], text
    for text in case["ignores"]:
        assert only.found(text) == [], text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["kind"])
def test_among_all_kinds_the_value_is_covered(case: Mapping[str, list[str]]) -> None:
    for text, value in case["finds"]:
        start = text.index(value)
        hits = search().hits(text)
        assert any(hit.start <= start and start + len(value) <= hit.end for hit in hits), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://10.0.0.1/x?mail=a@b.example now", ["URL"]),
        ("IBAN DE89 3704 0044 0532 0130 00", ["IBAN"]),
        ("NHS number 943 476 5919", ["UK_NHS"]),
        ("phone 943 476 5919", ["PHONE"]),
        ("TFN 123 456 782", ["AU_TFN"]),
        ("social insurance number 123 456 782", ["CA_SIN"]),
        ("Steuer-ID 36 574 261 809", ["DE_TAX_ID"]),
        ("card 4111 1111 1111 1111, tel +49 30 901820", ["CARD", "PHONE"]),
    ],
)
def test_of_several_kinds_on_one_stretch_one_is_kept(text: str, expected: list[str]) -> None:
    assert [label for _, label in search().found(text)] == expected


def test_the_order_of_kinds_names_each_once() -> None:
    assert sorted(ORDER) == list(RECOGNISED)
    assert sorted((*ORDER, *NEED_A_MODEL)) == list(ENTITIES)


PAGE = """
Release 10.2.120 of 2024-03-02 10:11:12, build 4512-8890-11, fixes 3.14159265358979.
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 commit a1b2c3d4e5f6a7b8
123e4567-e89b-12d3-a456-426614174000 ISBN 978-3-16-148410-0, page 1,234,567.89, EUR 12.345,67,
$1,299.00, 12 345 678, 1 000 000, 40 %, 5-7 pm, 2019-2020, 10:30-12:45, Q3/2024, 1/2, 16:9.
for (int i = 0; i < 1000000; i++) { x[i] = 0x7fffffff + 1234567890; }  // see lines 120-134
std::vector<int> v; a::b::c; v1.2.3-rc.4+5678; 1e-9; 6.02214076e23; 0.1234, 0.5678; #100717
SELECT * FROM t WHERE id IN (123456789, 987654321) LIMIT 100; tel aviv; born to run; @handle
Order 20240101123045 of item 4006381333931, 4512889011; 1700000000000 ms; port 8080; RFC 2119
"""


def test_versions_dates_hashes_prices_and_code_are_left_alone() -> None:
    assert search().found(PAGE) == []


# --- what a rewrite leaves

FRAGMENTS = listed(
    "call phone ssn passport born on dob tel card iban plate car address nino tax nhs cpf sort "
    "code aba date 2024-01-02 12 7 v1.2.3 - / . , ( ) [ ] : + 00 the bsn tfn pan id wallet vat",
    by=" ",
)


def scrambled(random: Random) -> str:
    """Values, words and separators in any order: what no writer would write."""
    values = [value for case in CASES for _, value in case["finds"]]
    pieces = [
        random.choice(values) if random.random() < 0.5 else random.choice(FRAGMENTS)
        for _ in range(random.randint(2, 9))
    ]
    return random.choice([" ", " ", "", "-", ", "]).join(pieces)


def assert_nothing_is_left(texts: int) -> None:
    random, found = Random(11), 0
    for _ in range(texts):
        text = scrambled(random)
        hits = search().hits(text)
        found += len(hits)
        labels = {hit.label for hit in hits}
        again = [hit for hit in search().hits(redact(text, hits)) if hit.label in labels]
        assert not again, text
    assert found > texts  # the law says nothing where nothing is found


def test_a_redacted_text_holds_no_further_find_of_the_same_kind() -> None:
    assert_nothing_is_left(1_000)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_redacted_text_holds_no_further_find_over_100_000_texts() -> None:
    assert_nothing_is_left(100_000)


def test_finds_are_sorted_and_none_lies_inside_another() -> None:
    random = Random(5)
    for _ in range(500):
        text = scrambled(random)
        hits = search().hits(text)
        assert list(hits) == sorted(hits, key=lambda hit: hit.start)
        assert all(a.end < b.end for a, b in pairwise(hits)), text
        assert all(0 <= hit.start < hit.end <= len(text) for hit in hits)


def test_offsets_are_code_points() -> None:
    text = "𝒳𝒴 ü 电话 +49 30 901820 🎉"
    assert search("phone").found(text) == [("+49 30 901820", "PHONE")]


# --- settings


def test_bind_takes_the_kinds_asked_for() -> None:
    finder = bind({"kinds": ("card", "iban")}, Named())
    needles = finder.needles("plain")
    assert 0 < len(needles) <= 3
    assert finder.needles("loose") == ()


@pytest.mark.parametrize("kind", NEED_A_MODEL)
def test_names_need_a_model(kind: str) -> None:
    with pytest.raises(BindError, match=f"`personal`: `{kind}` needs a model"):
        bind({"kinds": ("card", kind)}, Named())


def test_widths_cover_every_find_and_its_words() -> None:
    assert set(WIDTHS) == set(RECOGNISED)
    assert width_of(()) == 0
    assert width_of(("card", "email")) == max(WIDTHS["card"], WIDTHS["email"])
    for case in CASES:
        longest = max(len(value) for _, value in case["finds"])
        assert longest <= WIDTHS[str(case["kind"])]


# --- cost

SOUPS = {
    "digits": "0123456789" * 100_000,
    "groups": "1234 5678-90.12/" * 62_500,
    "cards": "4111 1111 1111 1111 " * 50_000,
    "one digit a word": "1 " * 500_000,
    "births": "born 1.1." * 111_000,
    "mail": "a@b.c" * 200_000,
    "links": "http://" * 143_000,
    "colons": "ab:" * 333_000,
    "streets": "Rue A" * 200_000,
    "capitals": "AB12" * 250_000,
}


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SOUPS)
def test_a_megabyte_of_near_hits_takes_time_in_step(name: str) -> None:
    assert_in_step(SOUPS[name])


@pytest.mark.parametrize("name", ["digits", "cards", "births"])
def test_near_hits_take_time_in_step(name: str) -> None:
    assert_in_step(SOUPS[name][:20_000])


def assert_in_step(text: str) -> None:
    """Four times the text, at most eight times the time: one machine, one run, some noise."""

    def best(part: str) -> float:
        times = []
        for _ in range(2):
            began = time.perf_counter()
            search().hits(part)
            times.append(time.perf_counter() - began)
        return min(times)

    assert best(text) <= 8 * best(text[: len(text) // 4]) + 0.02


def test_the_scan_for_all_kinds_is_no_dearer_than_three_of_thirty_patterns() -> None:
    thirty = [rf"(?i)\bphrase {word}\b" for word in "abcdefghijklmno"]
    thirty += [rf"\bcode{i}-\d{{4,9}}\b" for i in range(15)]
    few = re2.Set.SearchSet()
    for pattern in thirty:
        few.Add(pattern)
    few.Compile()
    sentence = "The committee met on Tuesday to discuss the budget, which grew by 4.5 % in 2019. "
    prose = (sentence * 12).encode()

    def best(scan: re2.Set) -> float:
        times = []
        for _ in range(7):
            began = time.perf_counter()
            for _ in range(200):
                scan.Match(prose)
            times.append(time.perf_counter() - began)
        return min(times)

    assert best(search().scan) <= 3 * best(few)
