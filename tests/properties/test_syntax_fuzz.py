"""Any text yields a tree or diagnostics, and formatting what parses keeps the tree."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guardkit.diagnostics import Source
from guardkit.syntax import format_source, parse

TESTS = Path(__file__).parent.parent
SEEDS = tuple(
    path.read_text(encoding="utf-8")
    for path in sorted([*TESTS.glob("samples/*.guard"), *TESTS.glob("golden/format/*.guard")])
)
DECLARATIONS = tuple(
    "guardkit 1\npolicy p\n\n" + part
    for seed in SEEDS
    for part in seed.split("\n\n")
    if not part.startswith("guardkit")
)
WORDS = tuple(sorted({word for seed in SEEDS for word in seed.replace("(", " ( ").split()}))
ODD = (
    "\u202e\u200b\u200d\ufe0f\ufeff\u00a0\u2028\x00\x0b\x0c\r\t\x85\ud800e\u0301\u0430\u03bf"
    "\U0001f600\U000e0041\u0663\uff11\u201c\u2019\u00df\u0130"
)
MARKS = "()[]{}\"'/\\#,.:;=<>!%-_*&|@$ \n0aA"

# Slow machines pause; what must not happen is time that grows faster than the text.
LONGEST_PARSE = 1.0

Change = Callable[[random.Random, str], str]


def delete_char(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.choice((1, 1, 1, 2, 5, 20)) :]


def insert_mark(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(MARKS) + text[at:]


def insert_odd(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(ODD) + text[at:]


def flip_byte(rng: random.Random, text: str) -> str:
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return data.decode("utf-8", "replace")


def swap_words(rng: random.Random, text: str) -> str:
    words = text.split(" ")
    i, j = rng.randrange(len(words)), rng.randrange(len(words))
    words[i], words[j] = words[j], words[i]
    return " ".join(words)


def drop_word(rng: random.Random, text: str) -> str:
    words = text.split(" ")
    del words[rng.randrange(len(words))]
    return " ".join(words)


def insert_word(rng: random.Random, text: str) -> str:
    words = text.split(" ")
    words.insert(rng.randrange(len(words) + 1), rng.choice(WORDS))
    return " ".join(words)


def insert_comment(rng: random.Random, text: str) -> str:
    words = text.split(" ")
    words.insert(rng.randrange(len(words) + 1), rng.choice(("# why\n  ", "\n  # why\n\n\n ")))
    return " ".join(words)


def drop_line(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    del lines[rng.randrange(len(lines))]
    return "\n".join(lines)


def repeat_line(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    return "\n".join(lines[:at] + [lines[at]] * rng.choice((2, 3)) + lines[at + 1 :])


def swap_lines(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return "\n".join(lines)


def join_lines(rng: random.Random, text: str) -> str:
    lines = text.split("\n  ")
    at = rng.randrange(len(lines))
    return "\n  ".join(lines[:at]) + " " + "\n  ".join(lines[at:])


def splice(rng: random.Random, text: str) -> str:
    other = rng.choice(DECLARATIONS)
    start = rng.randrange(len(other))
    at = rng.randrange(len(text) + 1)
    return text[:at] + other[start : start + rng.randrange(60)] + text[at:]


CHANGES: tuple[Change, ...] = (
    delete_char,
    insert_mark,
    insert_odd,
    flip_byte,
    swap_words,
    drop_word,
    insert_word,
    insert_comment,
    insert_comment,
    drop_line,
    repeat_line,
    swap_lines,
    join_lines,
    splice,
)


def random_text(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return "".join(rng.choices(MARKS + ODD, k=rng.randrange(60)))
    head = rng.choice(("", "guardkit 1\npolicy p\n"))
    return head + rng.choice(" \n").join(rng.choices(WORDS, k=rng.randrange(40)))


def some_text(rng: random.Random) -> str:
    if rng.random() < 0.1:
        return random_text(rng)
    # Mostly one declaration at a time: it parses sooner and is changed more deeply.
    text = rng.choice(SEEDS) if rng.random() < 0.03 else rng.choice(DECLARATIONS)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 6))):
        text = rng.choice(CHANGES)(rng, text)
    return text


def judge(text: str) -> bool:
    """Whether the text parses; everything promised of it is asserted."""
    source = Source("fuzz.guard", text)
    started = time.process_time()
    parsed = parse(source)
    assert time.process_time() - started < LONGEST_PARSE
    for diagnostic in parsed.diagnostics:
        span = diagnostic.place.span
        assert diagnostic.code.id.startswith("GK1")
        assert 0 <= span.start < span.end <= len(text) or not text
        assert diagnostic.message
        assert "\n" not in diagnostic.message
        if diagnostic.fix:
            for edit in diagnostic.fix.edits:
                assert 0 <= edit.place.span.start <= edit.place.span.end <= len(text)
    if parsed.diagnostics:
        return False
    once = format_source(source)
    again = Source("fuzz.guard", once)
    assert parse(again).file == parsed.file
    assert format_source(again) == once
    assert once.endswith("\n")
    assert not once.endswith("\n\n")
    assert "\n\n\n" not in once
    assert not any(line != line.rstrip(" \t\r") for line in once.split("\n"))
    return True


def run(first: int, count: int) -> int:
    accepted = 0
    for seed in range(first, first + count):
        text = some_text(random.Random(seed))
        try:
            accepted += judge(text)
        except BaseException as error:
            error.add_note(f"seed {seed}: {text!r}")
            raise
    return accepted


@pytest.mark.parametrize("part", range(4))
def test_any_text(part: int) -> None:
    accepted = run(part * 5_000, 5_000)
    assert accepted > 500, "too few texts reach the formatter"


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(20))
def test_any_text_at_length(part: int) -> None:
    run(1_000_000 + part * 50_000, 50_000)
