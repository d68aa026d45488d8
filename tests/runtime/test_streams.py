"""Streams: chunking never shows, and nothing denied ever comes out (C1, C2, C3, C6)."""

from __future__ import annotations

from itertools import accumulate
from random import Random

import pytest

from guardkit.errors import UsageError
from guardkit.guard import Guard, loads
from guardkit.types import Verdict

from ._streams import every_two, guard, played, random_cuts, text_of

STOPS = ("block", "hold", "revise")
GUARD = guard()


def facts(verdict: Verdict) -> tuple[object, ...]:
    return verdict.action, verdict.text, verdict.fired, verdict.findings, verdict.message


def forbidden(guard: Guard, text: str) -> list[tuple[int, int]]:
    """The stretches of a text that no reader may see, by the verdict on the whole."""
    verdict = guard.check(text, on="output")
    mild = {row.name for row in guard.plan.rules if row.action.verb == "flag"}
    return [(f.start, f.end) for f in verdict.findings if f.rule not in mild]


def assert_never_leaks(text: str, out: list[str], verdict: Verdict) -> None:
    """What came out is the beginning of what may be delivered."""
    whole = GUARD.check(text, on="output")
    assert facts(verdict) == facts(whole)
    shown = "".join(out)
    if whole.action in STOPS:
        # The cleared prefix ends before every match that may not be seen.
        spans = forbidden(GUARD, text)
        if text.startswith(shown):
            assert len(shown) <= min((start for start, _ in spans), default=0)
        for start, end in spans:
            denied = text[start:end]
            if text.count(denied) == sum(text[a:b] == denied for a, b in set(spans)):
                assert denied not in shown
    else:
        assert shown == whole.text


def check_text(text: str, random: Random, cuts: int) -> None:
    reference, verdict = played(GUARD, [text])
    assert isinstance(verdict, Verdict)
    assert_never_leaks(text, reference, verdict)
    shown = "".join(reference)
    ways = [list(text), *random_cuts(text, random, cuts)]
    for chunks in ways:
        out, again = played(GUARD, chunks)
        assert "".join(out) == shown
        assert isinstance(again, Verdict)
        assert facts(again) == facts(verdict)
        # Every prefix of what comes out is a prefix of the same text: nothing is taken back.
        assert all(shown.startswith(prefix) for prefix in accumulate(out))


def test_chunking_never_shows() -> None:
    random = Random("cuts")
    for seed in range(50):
        text = text_of(seed)
        try:
            check_text(text, random, 12)
        except AssertionError as error:
            error.add_note(f"text seed {seed}")
            raise


def test_every_cut_in_two() -> None:
    for seed in (3, 7, 11, 19):
        text = text_of(seed)[:160]
        shown = "".join(played(GUARD, [text])[0])
        for chunks in every_two(text):
            assert "".join(played(GUARD, chunks)[0]) == shown


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_chunking_never_shows_in_500_texts() -> None:
    random = Random("all cuts")
    for seed in range(1_000, 1_500):
        text = text_of(seed)
        check_text(text, random, 200)
        shown = "".join(played(GUARD, [text])[0])
        for chunks in every_two(text):
            assert "".join(played(GUARD, chunks)[0]) == shown


@pytest.mark.parametrize("before", [0, 1, 15, 16, 17, 63, 64, 65, 200])
def test_a_secret_never_leaves_at_any_position(before: int) -> None:
    secret = "tok_a1b2c3d4e5f6"
    text = ("lorem ipsum dolor " * 20)[:before] + " " + secret + " and more text" * 20
    for size in (1, 3, 5, 40, len(text)):
        chunks = [text[i : i + size] for i in range(0, len(text), size)]
        stream = GUARD.stream(on="output", says=False)
        shown = ""
        for chunk in chunks:
            shown += stream.feed(chunk)
            assert secret[:5] not in shown
        shown += stream.finish()
        assert "tok_" not in shown
        assert stream.verdict is not None
        assert stream.verdict.action == "block"


def test_a_block_says_its_message_once_and_then_nothing() -> None:
    stream = GUARD.stream(on="output")
    text = "All is well and has been for a long while, as everyone knows by now. " * 4
    shown = stream.feed(text)
    assert text.startswith(shown)
    assert shown
    said = stream.feed("tok_a1b2c3d4e5f6 and then some more text that goes on and on and on")
    assert said.endswith("A token was held back.")
    assert stream.closed
    assert stream.feed("more " * 50) == ""
    assert stream.finish() == ""
    assert stream.verdict is not None
    assert stream.verdict.message == "A token was held back."


def test_clean_text_is_held_back_no_longer_than_the_plan_says() -> None:
    join = GUARD.plan.join("output")
    assert join is not None
    width = join.what.look_behind
    stream = GUARD.stream(on="output")
    text = "some quite ordinary words " * 40
    out = 0
    for at, char in enumerate(text, 1):
        out += len(stream.feed(char))
        assert at - out <= width + 8 + 16, "the hold-back, the margin and one step"


def test_a_rule_that_is_not_decided_yet_holds_its_matches() -> None:
    # `two_signs` takes the rival's name away only if an address comes too, however late.
    text = "Acme makes good tools. " + "They are known for it. " * 30 + "Ask a.b@mail.example."
    out, verdict = played(GUARD, list(text))
    assert isinstance(verdict, Verdict)
    assert verdict.action == "rewrite"
    assert "Acme" not in "".join(out)


def test_a_negation_is_decided_at_the_end() -> None:
    angry = "damn, it broke. " + "It broke again. " * 30
    assert played(GUARD, list(angry + "thank you for asking"))[1].action == "pass"
    assert played(GUARD, list(angry))[1].action == "block"


def test_choices_and_calls_are_streams_of_their_own() -> None:
    random = Random("interleaved")
    texts = [text_of(seed) for seed in range(7)]
    alone = ["".join(played(GUARD, [text])[0]) for text in texts]
    for _ in range(20):
        streams = [GUARD.stream(on="output", says=False) for _ in texts]
        rest = list(texts)
        shown = [""] * len(texts)
        while any(rest):
            i = random.randrange(len(texts))
            size = random.randint(1, 9)
            shown[i] += streams[i].feed(rest[i][:size])
            rest[i] = rest[i][size:]
        shown = [seen + stream.finish() for seen, stream in zip(shown, streams, strict=True)]
        assert shown == alone


def test_hold_back_all_waits_for_the_end() -> None:
    whole = loads(
        "guardkit 1\npolicy w\ndefaults { hold_back all }\n"
        "check long_word = pattern { match /secret\\w+/ }\n"
        "rule r { tier safety on output when long_word then block }\n"
    )
    stream = whole.stream(on="output")
    assert stream.feed("quite harmless " * 100) == ""
    assert stream.finish() == "quite harmless " * 100


def test_misuse_is_said() -> None:
    stream = GUARD.stream(on="output")
    with pytest.raises(UsageError, match="takes str"):
        stream.feed(b"bytes")  # type: ignore[arg-type]
    stream.finish()
    with pytest.raises(UsageError, match="finished"):
        stream.feed("more")
