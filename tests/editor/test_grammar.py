"""What may follow a beginning is what the parser itself would take; no text is too broken."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardkit.editor import _words
from guardkit.editor._grammar import BROKEN, grammar
from guardkit.semantics._cases import OUTCOMES
from guardkit.semantics._values import TYPES
from guardkit.syntax._machine import UnknownCharacterError
from guardkit.syntax._tables import parser
from guardkit.types import ACTIONS, SURFACES

ROOT = Path(__file__).parents[2]
POLICIES = ["policies/agent/agent.guard", "policies/std/pii/pii.guard", "policies/rag/rag.guard"]


def accepted_after(text: str, begin: int, stop: int) -> frozenset[str]:
    """What the parser would have taken next."""
    # A character that begins no token: the end of a text already ends what could still go on.
    try:
        parser().parse(text[begin:stop] + " ?", 0, stop - begin + 2)
    except UnknownCharacterError as error:
        return error.accepted
    return frozenset()


@pytest.mark.parametrize("name", POLICIES)
def test_after_every_token_it_expects_what_the_parser_accepts(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    known = grammar()
    starts = [t.start for t in known.tokens(text) if t.start == 0 or text[t.start - 1] == "\n"]
    starts = [at for at in starts if text[at : at + 1].isalpha()]
    compared = 0
    seen: set[tuple[str, ...]] = set()
    for begin, end in pairwise([*starts, len(text)]):
        tokens = list(known.tokens(text, begin, end))
        for size in range(len(tokens) + 1):
            kinds = tuple(token.kind for token in tokens[:size])
            if kinds in seen:
                continue
            seen.add(kinds)
            expected = known.expected(tokens[:size])
            stop = tokens[size - 1].end if size else begin
            accepted = accepted_after(text, begin, stop)
            assert expected.kinds == accepted, text[begin:stop]
            compared += 1
    assert compared > 300


@pytest.mark.parametrize("name", POLICIES)
def test_it_cuts_the_tokens_of_the_parser(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    ours = [(t.kind, t.text, t.start, t.end) for t in grammar().tokens(text)]
    theirs = [(t.kind, t.text, t.start, t.end) for t in parser().tokens(text, 0, len(text))]
    assert ours == theirs


@given(st.text(max_size=60) | st.text(st.sampled_from('ru{le "x/.#,[(=\n1%é\\'), max_size=60))
def test_any_text_is_cut_and_walked(text: str) -> None:
    known = grammar()
    tokens = list(known.tokens(text))
    for one, other in pairwise(tokens):
        assert one.end <= other.start
    for token in tokens:
        assert text[token.start : token.end] == token.text
        assert token.text
    known.expected(tokens)


def test_a_text_without_its_end_is_broken_to_the_end_of_the_line() -> None:
    tokens = list(grammar().tokens('say "abc\nsay'))
    assert [(t.kind, t.text) for t in tokens] == [
        ("SAY", "say"),
        (BROKEN, '"abc'),
        ("SAY", "say"),
    ]


def test_a_slip_is_stepped_over() -> None:
    known = grammar()
    good = known.expected(known.tokens("rule r { tier safety when a"))
    slips = known.expected(known.tokens("rule r { tier tier safety ) when ?? a"))
    assert good.words == slips.words


# --- the words


def test_every_word_of_the_language_is_known_and_no_other() -> None:
    assert grammar().words == _words.EVERY


def test_the_words_of_declarations_and_the_lists_are_those_of_the_language() -> None:
    assert set(_words.DECLARATIONS) == grammar().expected(()).words
    assert set(_words.ACTIONS) == set(ACTIONS)
    assert set(_words.SURFACES) == set(SURFACES)
    assert set(_words.PARAM_TYPES) == set(TYPES)
    assert {*_words.OUTCOMES, *ACTIONS} == set(OUTCOMES)


def test_every_word_that_begins_something_is_explained() -> None:
    for word in grammar().words - _words.JOINING - _words.UNITS:
        assert _words.said_of(word).endswith("."), word
