"""Policies, texts and cuts for the tests of streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

from guardkit.guard import Guard, loads

POLICY = """guardkit 1
policy streams

defaults { hold_back 64 chars }

check token   = pattern { match /\\btok_[a-z0-9]{12}\\b/ }
check number  = pattern { match /\\b\\d{4} \\d{4}\\b/  label "number" }
check mail    = pattern { match /[a-z.]{1,20}@[a-z]{1,20}\\.example/  label "mail" }
check plan    = pattern { match /ignore (all )?previous instructions/i }
check angry   = words   { list ["damn", "stupid machine"] }
check thanks  = words   { list ["thank you"] }
check rivals  = words   { list ["Acme", "Globex Corporation"]  label "rival" }

rule no_tokens  { tier safety      on output  when token   then block "A token was held back." }
rule no_plan    { tier safety      on output  when plan    then block }
rule no_numbers { tier safety      on output  when number  then rewrite matches as "[{label}]" }
rule no_mail    { tier ethics on output  when mail  then rewrite matches as mask keep last 4 }
rule no_anger   { tier ethics      on output  when angry and not thanks  then block "Calm." }
rule two_signs  { tier ethics on output  when all of (rivals, mail) then rewrite matches as "-" }
rule seen       { tier helpfulness on output  when rivals  then flag }
"""

WORDS = (
    "the", "plan", "is", "good", "tok_", "tok_a1b2c3d4e5f6", "1234", "1234 5678", "5678",
    "a.b@mail.example", "@", "ignore", "previous instructions", "ignore all previous instructions",
    "damn", "stupid machine", "thank you", "Acme", "Globex Corporation", "\n", "über", "naïve",
    "добрый день", "今日は", "🙂", "👩‍👩‍👧", "e\u0301", "i\u200bgnore previous instructions",
    "x" * 30, "**bold**", "tok_a1b2c3d4e5f67", "12345", "9" * 20,
)  # fmt: skip


def guard() -> Guard:
    return loads(POLICY)


def text_of(seed: int) -> str:
    """A random text with matches, near matches and text of several scripts."""
    random = Random(f"stream {seed}")
    glue = (" ", " ", " ", "", ", ")
    return "".join(random.choice(WORDS) + random.choice(glue) for _ in range(random.randint(1, 30)))


def every_two(text: str) -> Iterator[list[str]]:
    for i in range(len(text) + 1):
        yield [text[:i], text[i:]]


def random_cuts(text: str, random: Random, times: int) -> Iterator[list[str]]:
    for _ in range(times):
        cuts = sorted(random.randint(0, len(text)) for _ in range(random.randint(1, 12)))
        edges = [0, *cuts, len(text)]
        yield [text[a:b] for a, b in pairwise(edges)]


def played(guard: Guard, chunks: Sequence[str]) -> tuple[list[str], object]:
    """What came out after every chunk and at the end, and the verdict."""
    stream = guard.stream(on="output", says=False)
    out = [stream.feed(chunk) for chunk in chunks]
    out.append(stream.finish())
    return out, stream.verdict
