"""What patterns, word lists and lengths answer without an engine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from guardkit.guard import compile_text, data_of
from guardkit.semantics import CheckedPolicy
from guardkit.testing import Event, run_tests
from guardkit.testing._answers import EngineFree  # behind the door: `run_tests` is what is public

HEAD = 'guardkit 1\npolicy p\n  title "P"\n  owner "me@example.com"\n  version "1"\n\n'
RULE = "\nrule r {\n  tier safety\n  on   input, tool_call\n  when c\n  then block\n}\n"


def compiled(check: str, root: Path | None = None, rule: str = RULE) -> CheckedPolicy:
    checked = compile_text(f"{HEAD}check c = {check}\n{rule}", root=root)
    assert checked.policy is not None, [d.message for d in checked.diagnostics]
    return checked.policy


def found(check: str, text: str, root: Path | None = None) -> list[str] | None:
    """The matches in a text; None where it takes an engine."""
    answer = EngineFree(compiled(check, root), data_of(root or Path())).answer(
        "c", Event("input", text)
    )
    if answer is None:
        return None
    assert answer.value is bool(answer.spans)
    return [text[span.start : span.end] for span in answer.spans]


# --- patterns


@pytest.mark.parametrize(
    ("valid", "good", "bad"),
    [
        ("luhn", "4111 1111 1111 1111", "4111 1111 1111 1112"),
        ("luhn", "79927398713", "79927398710"),
        ("iban", "DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 01"),
        ("iban", "GB82WEST12345698765432", "GB82WEST12345698765423"),
        ("lei", "5493001KJTIIGC8Y1R12", "5493001KJTIIGC8Y1R13"),
        ("mod97", "5493001KJTIIGC8Y1R12", "5493001KJTIIGC8Y1R21"),
        ("aba", "011000015", "011000016"),
        ("ean", "4006381333931", "4006381333932"),
        ("imei", "490154203237518", "490154203237519"),
        ("ip", "192.0.2.1", "192.0.2.256"),
        ("ip", "2001:db8::1", "2001:db8::1::2"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-42661417400"),
        ("entropy >= 3.0", "q7Zr2LmX0aVbN4kT", "aaaaaaaaaaaaaaab"),
    ],
)
def test_a_validator_decides(valid: str, good: str, bad: str) -> None:
    check = rf"pattern {{ match /[0-9A-Za-z][0-9A-Za-z.: -]{{5,60}}[0-9A-Za-z]/ valid {valid} }}"
    assert found(check, good) == [good]
    assert found(check, bad) == []


@pytest.mark.parametrize("valid", ["vin", "verhoeff", "isin", "date"])
def test_a_validator_that_is_not_answered_here_takes_an_engine(valid: str) -> None:
    assert found(rf"pattern {{ match /\d{{6,20}}/ valid {valid} }}", "123456") is None


def test_spans_are_code_points() -> None:
    assert found(r"pattern { match /ca\w/i }", "é😀 cat, 你好 CAR") == ["cat", "CAR"]


def test_patterns_of_one_check_are_joined_and_sorted() -> None:
    check = r"pattern { match /b+/ match /a+/ match /aabb/ }"
    assert found(check, "xbb aabb") == ["bb", "aabb"]


@pytest.mark.parametrize("text", ["ｈｅｌｌｏ", "hel\u200blo", "héllo", "h e l l o", "h.e.l.l.o"])
def test_a_disguise_takes_an_engine(text: str) -> None:
    check = r"pattern { match /\bhello\b/ }"
    assert found(check, text) is None
    assert found(r"pattern { match /\bhello\b/ views raw }", text) == []


# --- words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ACME and acme", ["ACME", "acme"]),
        ("acmes macme acme's", ["acme"]),
        ("Foo \n bar, foo-bar", ["Foo \n bar"]),
        ("we use C++.", ["C++"]),
        ("STRASSE", ["STRASSE"]),
        ("在北京市", ["北京"]),
        ("nothing", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    check = 'words { list ["Acme", "foo bar", "C++", "straße", "北京"] }'
    assert found(check, text) == expected


def test_a_word_file_is_read_and_held_to_its_digest(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("# rivals\nAcme # the big one\n\n  Globex  \nC#\n", encoding="utf-8")
    check = 'words { file "words.txt" }'
    assert found(check, "acme, GLOBEX, the big one, c#", tmp_path) == ["acme", "GLOBEX", "c#"]
    policy = compiled(check, tmp_path)
    assert hashlib.sha256(words.read_bytes()).hexdigest() in str(policy.check("c").config)
    words.write_text("Initech\n")
    assert EngineFree(policy, data_of(tmp_path)).answer("c", Event("input", "acme")) is None
    words.unlink()
    assert EngineFree(policy, data_of(tmp_path)).answer("c", Event("input", "acme")) is None


# --- length


@pytest.mark.parametrize(
    ("check", "text", "outside"),
    [
        ("length { max 4 chars }", "four", False),
        ("length { max 4 chars }", "fours", True),
        ("length { max 1 chars }", "😀", False),
        ("length { max 3 bytes }", "😀", True),
        ("length { min 2 words }", "one", True),
        ("length { min 2 words }", "one two", False),
        ("length { max 2 lines }", "a\nb\n", False),
        ("length { max 2 lines }", "a\nb\nc", True),
        ("length { min 2 chars max 4 chars }", "a", True),
        ("length { min 2 chars max 4 chars }", "abc", False),
    ],
)
def test_a_bounded_length(check: str, text: str, outside: bool) -> None:
    answer = EngineFree(compiled(check), data_of(Path())).answer("c", Event("input", text))
    assert answer is not None
    assert answer.value is outside


def test_a_length_in_tokens_takes_an_engine() -> None:
    policy = compiled("length { max 4 tokens }")
    assert EngineFree(policy, data_of(Path())).answer("c", Event("input", "x")) is None


def test_a_length_is_a_number() -> None:
    policy = compiled("length { }", rule=RULE.replace("when c", "when c > 3"))
    answer = EngineFree(policy, data_of(Path())).answer("c", Event("input", "abcd"))
    assert answer is not None
    assert answer.value == 4


# --- tool calls


def test_every_argument_and_key_is_judged_by_itself() -> None:
    event = Event(
        "tool_call", tool="t", arguments={"to": ["a", "hello x"], "b/c": {"d": "hello"}, "n": 3}
    )
    policy = compiled(r"pattern { match /^hello/ }")
    answer = EngineFree(policy, data_of(Path())).answer("c", event)
    assert answer is not None
    assert {(s.pointer, s.start, s.end) for s in answer.spans} == {
        ("/to/1", 0, 5),
        ("/b~1c/d", 0, 5),
    }
    keyed = EngineFree(policy, data_of(Path())).answer(
        "c", Event("tool_call", tool="t", arguments={"hello": "x"})
    )
    assert keyed is not None
    assert (keyed.value, keyed.spans) == (True, ())


def test_no_tests_give_no_results() -> None:
    assert list(run_tests(compiled("length { max 4 chars }"), data_of(Path()))) == []
