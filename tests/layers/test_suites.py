"""The probe suites that ship: well formed, varied, large enough, and safe to hand around."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

import guardkit

SUITES = Path(guardkit.__file__).parent / "layers" / "suites"
FILES = sorted(SUITES.glob("*.jsonl"))
Row = dict[str, Any]

ATTACKS = {
    *("direct_injection", "indirect_retrieved", "indirect_tool", "roleplay_jailbreak"),
    *("many_shot", "payload_splitting", "prompt_extraction", "exfiltration", "obfuscation"),
    *("multilingual", "tool_abuse", "pii_extraction", "harmful_requests", "persuasion"),
    "policy_puppetry",
}
LOOKALIKES = {
    *("lookalike_injection", "lookalike_harm", "lookalike_tools", "lookalike_documents"),
    *("lookalike_personal", "lookalike_multilingual", "lookalike_encoded", "everyday"),
}
CATEGORIES = {
    *("violence", "weapons", "cyber", "fraud", "drugs", "hate", "harassment", "sexual"),
    *("sexual_minors", "self_harm", "privacy", "misinformation", "illegal"),
}
MARKED = {
    *("direct_injection", "indirect_retrieved", "indirect_tool", "roleplay_jailbreak"),
    *("obfuscation", "multilingual", "policy_puppetry"),
}
"""Families whose every attack asks for a marker, so that its success shows in a reply."""

FIELDS = dict.fromkeys(
    ("id", "family", "expect", "on", "tool", "lang", "category", "ask", "text", "marker", "note"),
    str,
) | {"turns": list, "arguments": dict}
LONGEST = 1_500
MARKER = re.compile(r"([A-Z]{4,})-(\d{4})")

SCRIPTS = {
    "ar": "ARABIC",
    "he": "HEBREW",
    "hi": "DEVANAGARI",
    "ja": "HIRAGANA",
    "ko": "HANGUL",
    "ru": "CYRILLIC",
    "uk": "CYRILLIC",
    "zh": "CJK",
}

# The numbers that card networks, banks and textbooks print as examples; nobody holds them.
CARDS = {
    *("4111111111111111", "4012888888881881", "4242424242424242", "4000000000000002"),
    *("4000056655665556", "5555555555554444", "5105105105105100", "5200828282828210"),
    *("2223003122003222", "378282246310005", "371449635398431", "6011111111111117"),
    *("6011000990139424", "30569309025904", "38520000023237", "3530111333300000"),
    "3566002020360505",
}
IBANS = {
    *("DE89370400440532013000", "GB82WEST12345698765432", "GB29NWBK60161331926819"),
    *("NL91ABNA0417164300", "FR1420041010050500013M02606", "BE68539007547034"),
    *("ES9121000418450200051332", "CH9300762011623852957", "IT60X0542811101000000123456"),
    *("AT611904300234573201", "PL61109010140000071219812874", "SE4550000000058398257466"),
    *("PT50000201231234567890154", "IE29AIBK93115212345678"),
}
LENGTHS = {iban[:2]: len(iban) for iban in IBANS}


def _unlike(pairs: list[tuple[str, Any]]) -> Row:
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "a name twice in one object"
    return dict(pairs)


def _read(path: Path) -> list[Row]:
    lines = path.read_bytes().decode().split("\n")
    assert lines.pop() == "", f"{path.name} does not end in a line break"
    return [json.loads(line, object_pairs_hook=_unlike) for line in lines]


SUITE = {path.stem: _read(path) for path in FILES}
ROWS = [row for rows in SUITE.values() for row in rows]
families = pytest.mark.parametrize("family", sorted(SUITE))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings([*value.keys(), *value.values()])
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _attack(row: Row) -> str:
    """What the layers read of a row as the probe itself."""
    text = row["text"] if "text" in row else "\n".join(row["turns"])
    assert isinstance(text, str)
    return text


def _everything(row: Row) -> str:
    """Every string of a row, with `%40` read as the `@` that a browser makes of it."""
    return unquote("\n".join(_strings(row)))


def _words(text: str) -> list[str]:
    # Chinese and Japanese write no blanks: there a letter counts as a word.
    return re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|\w+", text.casefold())


# --- the form of a row


def test_every_family_has_its_file_and_one_verdict() -> None:
    assert set(SUITE) == ATTACKS | LOOKALIKES
    for family, rows in SUITE.items():
        expected = "refuse" if family in ATTACKS else "answer"
        assert {row["expect"] for row in rows} == {expected}, family


@families
def test_ids_count_up_in_their_family(family: str) -> None:
    rows = SUITE[family]
    assert [row["id"] for row in rows] == [f"{family}/{n:03}" for n in range(1, len(rows) + 1)]
    assert {row["family"] for row in rows} == {family}


@families
def test_every_row_is_valid(family: str) -> None:
    for row in SUITE[family]:
        name = row["id"]
        assert set(row) <= set(FIELDS), name
        assert all(isinstance(value, FIELDS[key]) and value for key, value in row.items()), name
        assert all(s == s.strip() for s in _strings([row[k] for k in row if k != "arguments"])), (
            name
        )
        on = row.get("on", "input")
        assert on in {"input", "retrieved", "tool_call", "tool_result", "output"}, name
        assert ("arguments" in row) == (on == "tool_call"), name
        assert ("tool" in row) == on.startswith("tool_"), name
        assert ("ask" in row) == (on in {"retrieved", "tool_result"}), name
        assert ("text" in row) != ("turns" in row), name
        if "arguments" in row:
            assert json.loads(row["text"]) == row["arguments"], name
        if "turns" in row:
            assert on == "input", name
            assert len(row["turns"]) >= 2, name
            assert all(isinstance(turn, str) and turn for turn in row["turns"]), name
        assert len(_attack(row)) <= LONGEST, name
        assert re.fullmatch("[a-z]{2}", row.get("lang", "en")), name


def test_nothing_hides_in_a_row() -> None:
    # Invisible letters are put on by the runner; joiners belong to emoji and to some scripts.
    seen = {"\n", "\t", "\u200c", "\u200d"}
    for row in ROWS:
        # A header smuggled behind a line break is what one call of a tool is about.
        allowed = seen | {"\r"} if row.get("on") == "tool_call" else seen
        hidden = {
            c for c in _everything(row) if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs"}
        }
        assert hidden <= allowed, row["id"]


# --- size and variety


def test_there_is_enough_of_everything() -> None:
    attacks = sum(len(rows) for family, rows in SUITE.items() if family in ATTACKS)
    harmless = len(ROWS) - attacks
    assert len(ATTACKS) >= 12
    assert attacks >= 450
    assert harmless >= attacks
    assert all(24 <= len(SUITE[family]) <= 60 for family in ATTACKS)
    assert all(len(SUITE[family]) >= 24 for family in LOOKALIKES)
    assert sum(path.stat().st_size for path in FILES) < 600_000


def test_every_kind_of_harm_is_asked_for() -> None:
    counted = Counter(row.get("category") for row in SUITE["harmful_requests"])
    assert set(counted) == CATEGORIES
    assert min(counted.values()) >= 4
    assert not [row["id"] for row in ROWS if "category" in row and row["family"] not in ATTACKS]
    # One sentence, no detail: a request must not teach what it asks for.
    long = [row["id"] for row in SUITE["harmful_requests"] if len(row["text"]) > 120]
    assert not long


@pytest.mark.parametrize("family", ["multilingual", "lookalike_multilingual"])
def test_languages_are_many_and_what_they_say(family: str) -> None:
    assert len({row["lang"] for row in SUITE[family]} - {"en"}) >= 12
    for row in SUITE[family]:
        text = _attack(row)
        if script := SCRIPTS.get(row["lang"]):
            assert any(unicodedata.name(c, "").startswith(script) for c in text), row["id"]


def test_every_surface_and_the_turns_are_probed_on_both_sides() -> None:
    for expect in ("refuse", "answer"):
        rows = [row for row in ROWS if row["expect"] == expect]
        counted = Counter(row.get("on", "input") for row in rows)
        assert min(counted[on] for on in ("retrieved", "tool_call", "tool_result")) >= 20, counted
        assert any("turns" in row for row in rows)


@families
def test_no_two_rows_are_nearly_the_same(family: str) -> None:
    grams = {}
    for row in SUITE[family]:
        words = _words(MARKER.sub("", _attack(row)))
        fours = {tuple(words[n : n + 4]) for n in range(len(words) - 3)}
        grams[row["id"]] = fours or {tuple(words)}
    for (one, a), (other, b) in itertools.combinations(grams.items(), 2):
        assert len(a & b) < 0.6 * len(a | b), f"{one} and {other}"


def test_no_text_is_in_two_families() -> None:
    counted = Counter(" ".join(_words(_attack(row))) for row in ROWS)
    assert [text[:40] for text, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("family", sorted(ATTACKS))
def test_no_two_attacks_open_alike(family: str) -> None:
    texts = [_attack(row) for row in SUITE[family] if row.get("on") != "tool_call"]
    counted = Counter(" ".join(_words(text)[:4]) for text in texts)
    assert [opening for opening, times in counted.items() if times > 1] == []


# --- markers


def test_markers_are_asked_for_where_they_show_success() -> None:
    assert [row["id"] for row in ROWS if row["family"] in MARKED and "marker" not in row] == []
    for row in ROWS:
        if "marker" in row:
            assert row["expect"] == "refuse", row["id"]
            assert row.get("on", "input") in {"input", "retrieved", "tool_result"}, row["id"]


def test_a_marker_is_in_no_other_row_and_like_no_word() -> None:
    marked = [row for row in ROWS if "marker" in row]
    assert len({row["marker"] for row in marked}) == len(marked)
    texts = {row["id"]: _everything(row) for row in ROWS}
    for row in marked:
        shape = MARKER.fullmatch(row["marker"])
        assert shape is not None, row["id"]
        word, digits = shape.groups()
        text = _attack(row)
        # Whole, or in two parts that the reply has to join, so that an echo shows nothing.
        whole = row["marker"] in text
        assert whole or text.find(digits) > text.find(word) >= 0, row["id"]
        rest = text.replace(row["marker"], "") if whole else text.replace(word, "", 1)
        assert word.lower() not in rest.lower(), row["id"]
        found = [name for name, other in texts.items() if row["marker"] in other]
        assert found == [row["id"]], row["id"]


# --- safe to hand around


def _cards(text: str) -> Iterator[str]:
    for hit in re.finditer(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)", text):
        digits = re.sub(r"\D", "", hit[0])
        doubled = [int(d) * (1 + n % 2) for n, d in enumerate(reversed(digits))]
        if digits[0] in "23456" and sum(d - 9 * (d > 9) for d in doubled) % 10 == 0:
            yield digits


def _ibans(text: str) -> Iterator[str]:
    for hit in re.finditer(r"[A-Z]{2}\d{2}(?: ?[0-9A-Z]){11,32}", text):
        iban = hit[0].replace(" ", "")
        iban = iban[: LENGTHS.get(iban[:2], len(iban))]
        if int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1:
            yield iban


def test_cards_and_accounts_are_nobodys() -> None:
    cards = {card for row in ROWS for card in _cards(_everything(row))}
    ibans = {iban for row in ROWS for iban in _ibans(_everything(row))}
    assert cards <= CARDS
    assert ibans <= IBANS
    leaks = "\n".join(_everything(row) for row in SUITE["pii_extraction"])
    assert len(set(_cards(leaks))) >= 4
    assert len(set(_ibans(leaks))) >= 4


def _is_nobodys(host: str) -> bool:
    host = host.lower().rstrip(".").rsplit("@")[-1].partition(":")[0]
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        last = host.split(".")[-1]
        made_up = re.search(r"(^|\.)example\.(com|net|org)$", host) is not None
        return made_up or last in {"example", "test", "invalid", "localhost"}


HOSTS = (
    re.compile(r"@((?:[\w-]+\.)+[A-Za-z]{2,})\b"),
    re.compile(r"\b[a-z][a-z0-9+]*://([^/\s?#\"'<>()\[\]]+)", re.IGNORECASE),
    re.compile(r"\b((?:[a-z0-9-]+\.)+(?:com|net|org|io|gov|edu|info|biz|de|fr|uk|ru|cn|eu))\b"),
)


def test_hosts_and_mail_addresses_lead_nowhere() -> None:
    for row in ROWS:
        hosts = {host for pattern in HOSTS for host in pattern.findall(_everything(row))}
        assert [host for host in hosts if not _is_nobodys(host)] == [], row["id"]
    assert _is_nobodys("user@mail.example:80")
    assert not _is_nobodys("example.com.co")
    assert not _is_nobodys("8.8.4.4")


# --- the page


def test_the_page_counts_what_is_there() -> None:
    page = (SUITES / "README.md").read_text(encoding="utf-8")
    told = {name: int(n) for name, n in re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)}
    assert told == {family: len(rows) for family, rows in SUITE.items()}
