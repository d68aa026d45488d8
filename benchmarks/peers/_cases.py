"""What is asked of every peer: the texts of `benchmarks.workload`, and what a right answer is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from re import _constants as kinds
from re import _parser as parser
from string import ascii_letters, digits
from typing import Any

from benchmarks.workload import near_hits, patterns, text, with_values

from ._worker import search_set

TOKEN, TOKENS = 5, 500
SECRETS = 240
WARM = 4
"""How many times as many texts are read before: automata are built as they read."""
VALUES = tuple(
    re.compile(shape)
    for shape in (
        r"\buser\d+@mail\.example\b",
        r"\b\d{4} \d{4} \d{4} \d{4}\b",
        r"\b\d{3}-\d{2}-\d{4}\b",
        r"\+49 \d{3} \d{4} 1234\b",
    )
)
"""The four values of `with_values`."""


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a table: what kind of work, and how much of it in a round."""

    name: str
    work: str
    title: str
    count: int = 0
    size: int = 1024
    seconds: float = 1.5
    is_once: bool = False
    """Asked in the first round only: it is about the answers, not about time."""
    floors: bool = True

    def items(self, part: str, number: int) -> list[Any]:
        """Texts that no other round and no other part has."""
        first = _seed(self.name, part, number)
        count = self.count * (WARM if part == "warm" else 1)
        if self.name == "w1h":
            return _without_hits(first, count, self.size)
        return [self._item(first + i) for i in range(count)]

    def _item(self, seed: int) -> Any:
        if self.work == "redact":
            return with_values(seed, self.size)
        one = text(seed, self.size)
        return tokens(one) if self.work == "stream" else one


CASES = (
    Case("w1", "scan", "W1: 100 patterns, 1 KB", count=120),
    Case("w1_200", "scan", "W1: 100 patterns, 200 characters", count=200, size=200),
    Case("w1_8k", "scan", "W1: 100 patterns, 8 KB", count=30, size=8192, seconds=2),
    Case("w1h", "scan", "W1h: the same, near hits and no hit, 1 KB", count=100),
    Case("hits", "scan", "W1: what is found", seconds=60, is_once=True, floors=False),
    Case("w2", "wrap", "W2: a wrapped call"),
    Case("w3", "stream", "W3: a stream of 500 tokens", count=12, size=TOKEN * TOKENS),
    Case("leak", "stream", "W3: what leaks", seconds=30, is_once=True, floors=False),
    Case("w4", "redact", "W4: four values redacted", count=100),
    Case("w5", "classify", "W5: an ONNX classifier, 500 characters", count=40, size=500, seconds=3),
    Case("w7", "serve", "W7: a proxy in front of a model"),
)


def _seed(*of: object) -> int:
    return Random("peers " + " ".join(map(str, of))).randrange(10**9)


def _without_hits(first: int, count: int, size: int) -> list[str]:
    """Near hits that are no more than that: who ends at the first hit has to read all of them."""
    hits = search_set(patterns()).Match
    texts = (near_hits(first + i, size) for i in itertools.count())
    return list(itertools.islice((one for one in texts if not hits(one)), count))


def tokens(one: str) -> list[str]:
    """A text as a model gives it, five characters at a time."""
    return [one[i : i + TOKEN] for i in range(0, len(one), TOKEN)]


# --- answers that are known


def hit_texts() -> tuple[list[str], list[bool]]:
    """Texts with one hit of each pattern, with four values, and with none; what `re` says of each.

    Raises:
        AssertionError: A pattern does not find what was made for it.
    """
    random = Random("peers hits")
    found = []
    for i, pattern in enumerate(patterns()):
        words = text(_seed("hit", i), 900).split(" ")
        words.insert(random.randrange(len(words)), matching(pattern))
        found.append(" ".join(words))
        assert re.search(pattern, found[-1]), f"pattern {i}"
    found += [with_values(_seed("value", i)) for i in range(20)]
    found += [text(_seed("clean", i)) for i in range(60)]
    random.shuffle(found)
    searches = [re.compile(pattern).search for pattern in patterns()]
    return found, [any(search(one) for search in searches) for one in found]


def matching(pattern: str) -> str:
    """A text that a pattern matches: first branches, each part once or as often as it must be."""
    return "".join(_matching(parser.parse(pattern)))


def _matching(parts: Any) -> list[str]:
    out = []
    for kind, value in parts:
        if kind is kinds.LITERAL:
            out.append(chr(value))
        elif kind is kinds.ANY:
            out.append(" ")
        elif kind is kinds.NOT_LITERAL:
            out.append("x")
        elif kind is kinds.IN:
            out.append(_member(value))
        elif kind is kinds.BRANCH:
            out += _matching(value[1][0])
        elif kind is kinds.SUBPATTERN:
            out += _matching(value[3])
        elif kind is kinds.MAX_REPEAT:
            out += _matching(value[2]) * max(value[0], 1)
        else:
            assert kind is kinds.AT, kind
    return out


def _member(of: Sequence[tuple[Any, Any]]) -> str:
    kind, value = of[0]
    if kind is kinds.LITERAL:
        return chr(value)
    if kind is kinds.RANGE:
        return chr(value[0])
    if kind is kinds.CATEGORY:
        return {kinds.CATEGORY_DIGIT: "7", kinds.CATEGORY_SPACE: " "}.get(value, "x")
    assert kind is kinds.NEGATE, kind
    return "x"


def secret_streams() -> tuple[list[list[str]], list[str]]:
    """Streams with one secret of 40 characters each, and the secrets.

    From one stream to the next the secret moves by some ten characters: wherever a peer cuts a
    stream, four of them lie across. Their order is shuffled: who is slow sees some of all.
    """
    size = TOKEN * TOKENS - 42
    made = []
    for i in range(SECRETS):
        random = Random(f"peers secret {i}")
        secret = "ghp_" + "".join(random.choices(ascii_letters + digits, k=36))
        one = text(_seed("secret", i), size)
        at = i * size // (SECRETS - 1)
        made.append((tokens(f"{one[:at]} {secret} {one[at:]}"), secret))
    Random("peers streams").shuffle(made)
    return [stream for stream, _ in made], [secret for _, secret in made]


def leaked(secret: str, shown: str) -> int:
    """How many characters of a secret in a row were shown; fewer than four are chance."""
    for size in range(len(secret), 3, -1):
        if any(secret[i : i + size] in shown for i in range(len(secret) - size + 1)):
            return size
    return 0


def values_of(one: str) -> list[str]:
    """The four values in a text of `with_values`."""
    found = [shape.search(one) for shape in VALUES]
    assert all(found), "a text lacks a value"
    return [match[0] for match in found if match]


# --- answers that were given


def judged(case: Case, items: Sequence[Any], answers: Sequence[Any]) -> dict[str, Any]:
    """What is to be said of the answers, beside the time they took."""
    if case.name == "hits":
        _, wanted = hit_texts()
        pairs = list(zip(wanted, answers, strict=True))
        return {
            "found": sum(answer for is_hit, answer in pairs if is_hit),
            "hits": sum(wanted),
            "false_alarms": sum(answer for is_hit, answer in pairs if not is_hit),
            "clean": len(wanted) - sum(wanted),
        }
    if case.name == "leak":
        _, secrets = secret_streams()
        counts = [leaked(*pair) for pair in zip(secrets, answers, strict=False)]
        return {
            "leaked_most": max(counts),
            "leaked_mean": sum(counts) / len(counts),
            "streams": len(counts),
            "leaking": sum(count > 0 for count in counts),
        }
    if case.work == "redact":
        left = [sum(v in b for v in values_of(a)) for a, b in zip(items, answers, strict=False)]
        return {"redacted": 4 - sum(left) / len(left)}
    if case.work == "stream":
        pairs = list(zip(items, answers, strict=False))
        return {"whole": sum("".join(given) == shown for given, shown in pairs) / len(pairs)}
    if case.work == "wrap":
        passed, on_input, on_output = answers
        return {
            "passes": "fine" in passed,
            "stops_input": "fine" not in on_input,
            "stops_output": "forbidden" not in on_output,
            "says": list(answers),
        }
    return {}
