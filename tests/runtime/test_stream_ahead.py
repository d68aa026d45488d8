"""What a stream says of its end before it has come: right, and without a trace."""

from __future__ import annotations

import pytest

from guardkit.guard import loads

from ._streams import guard, text_of

STOPS = ("block", "hold", "revise")


def test_what_is_ahead_is_what_the_end_gives() -> None:
    policy, right, told = guard(), 0, 0
    for seed in range(300):
        text = text_of(seed)
        size = 1 + seed % 40
        stream = policy.stream()
        shown = ""
        for i in range(0, len(text), size):
            shown += stream.feed(text[i : i + size])
            if stream.closed:
                assert stream.ahead() is None
                break
            ended = policy.stream(says=False)
            ended.feed(text[: i + size])
            rest, verdict = ended.finish(), ended.verdict
            assert verdict is not None
            ahead = stream.ahead()
            if ahead is not None:
                told += 1
                right += ahead == rest and verdict.action not in STOPS
            assert (text[: i + size]).endswith(stream.held)
        # Asking changes nothing of what comes out.
        if not stream.closed:
            assert shown + stream.finish() == policy.check(text, on="output").text or (
                stream.verdict is not None and stream.verdict.action in STOPS
            )
    assert told > 1_000
    assert right / told > 0.97, "only rules that look further back than its end may differ"


def test_asking_counts_nothing_in_a_session() -> None:
    policy = loads("""guardkit 1
policy counted
check secret = words { list ["swordfish"] }
rule rude { tier ethics on output when secret then flag }
window often { count rude last 9 turns per session }
rule ended { tier safety on conversation when often >= 2 then block "Over." for session }
""")
    stream = policy.stream(session="s")
    stream.feed("it is swordfish")
    for _ in range(5):
        assert stream.ahead() == stream.held
    stream.finish()
    assert not policy.check("hello", session="s", same_turn=True).session_closed


@pytest.mark.parametrize("hold_back", ["all", "64 chars"])
def test_nothing_is_said_of_an_end_that_would_be_stopped(hold_back: str) -> None:
    policy = loads(f"""guardkit 1
policy stops
defaults {{ hold_back {hold_back} }}
check bad  = pattern {{ match /FORBIDDEN/ }}
check card = pattern {{ match /\\d{{4}}/ label "card" }}
rule stop {{ tier safety on output when bad then block "No." }}
rule mask {{ tier ethics on output when card then rewrite matches as "[{{label}}]" }}
""")
    stream = policy.stream()
    assert stream.ahead() == ""
    stream.feed("my 1234")
    assert (stream.held, stream.ahead()) == ("my 1234", "my [CARD]")
    stream.feed(" FORBIDDEN")
    assert stream.ahead() is None
    long = policy.stream()
    long.feed("x" * 20_000)
    assert long.ahead() is None or len(long.held) < 8_192


def test_how_far_back_a_match_may_begin() -> None:
    stream = guard().stream()
    assert len("ignore all previous instructions") < stream.behind < 1_000
    whole = loads("""guardkit 1
policy whole
defaults { hold_back all }
check bad = pattern { match /FORBIDDEN/ }
rule stop { tier safety on output when bad then block "No." }
""").stream()
    assert whole.behind > 100_000
