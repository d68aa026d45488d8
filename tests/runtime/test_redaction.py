"""Redaction is complete and minimal, in every unit (B5, B6)."""

from __future__ import annotations

from random import Random

import pytest

from guardkit.guard import loads
from guardkit.text import Offsets
from guardkit.types import Verdict

POLICY = """guardkit 1
policy redaction
check number  = pattern  { match /\\b\\d{4}[ -]\\d{4}\\b/  label "number" }
check token   = pattern  { match /tok_[a-z0-9]{6,12}/  label "token" }
check inner   = pattern  { match /a1b2/  label "inner" }
check rivals  = words    { list ["Acme", "Globex Corporation"]  label "rival" }
check data    = entities { kinds [email, card, iban] }
rule numbers  { tier safety on input when number then rewrite matches as "[{label}]" }
rule tokens   { tier safety on input when token  then rewrite matches as mask keep last 2 }
rule inners   { tier ethics on input when inner  then rewrite matches as "<{label}>" }
rule rivals_  { tier ethics on input when rivals then rewrite matches as "" }
rule personal { tier safety on input when data   then rewrite matches as "[{label}]" }
"""
PIECES = (
    "hello", "world", "1234 5678", "12345678", "tok_a1b2c3", "tok_a1b2", "a1b2", "Acme", "acme's",
    "Globex  Corporation", "a.b@mail.example", "4111 1111 1111 1111", "DE89370400440532013000",
    "é", "日本語", "🙂", "👩‍👩‍👧", "e\u0301", "\u200b", "A\u200bcme",
    "１２３４ ５６７８", "\ud800", "\n", "[NUMBER]",
    "a c m e", "\u0410\u0441\u043c\u0435", "x" * 40,
)  # fmt: skip
GUARD = loads(POLICY)


def text_of(seed: int) -> str:
    random = Random(f"redaction {seed}")
    return "".join(
        random.choice(PIECES) + random.choice((" ", " ", "", ", "))
        for _ in range(random.randint(1, 12))
    )


def stretches(verdict: Verdict) -> list[tuple[int, int]]:
    """The merged stretches of all findings."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted({(f.start, f.end) for f in verdict.findings}):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def check(text: str) -> None:
    verdict = GUARD.check(text)
    spans = stretches(verdict)
    if not spans:
        assert verdict.action == "pass"
        assert verdict.text == text
        return
    if verdict.action == "block":
        # Taking one match out joined its neighbours to another: nothing is delivered then.
        assert verdict.text == "This was blocked by a policy."
        return
    assert verdict.action == "rewrite"
    # What lies between the stretches stands in the result, in order and unchanged.
    at, rest = 0, verdict.text
    for start, end in [*spans, (len(text), len(text))]:
        kept = text[at:start]
        assert kept in rest
        rest = rest[rest.index(kept) + len(kept) :]
        at = end
    again = GUARD.check(verdict.text)
    assert again.text == verdict.text, "redacting twice is redacting once"
    units = Offsets(text)
    data, wide = text.encode("utf-8", "surrogatepass"), text.encode("utf-16-le", "surrogatepass")
    for start, end in spans:
        found = text[start:end]
        assert data[units.utf8(start) : units.utf8(end)] == found.encode("utf-8", "surrogatepass")
        cut = wide[2 * units.utf16(start) : 2 * units.utf16(end)]
        assert cut == found.encode("utf-16-le", "surrogatepass")


@pytest.mark.parametrize(
    "texts", [400, pytest.param(100_000, marks=[pytest.mark.full, pytest.mark.timeout(3600)])]
)
def test_redaction_is_complete_and_minimal(texts: int) -> None:
    for seed in range(texts):
        try:
            check(text_of(seed))
        except AssertionError as error:
            error.add_note(f"text seed {seed}")
            raise
