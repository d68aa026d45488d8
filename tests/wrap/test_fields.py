"""Fields that interrupt one another: nothing denied leaves in any of them, nor as they came."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from guardkit.errors import Blocked
from guardkit.wrap import wrap

from ._guard import ORDER, Recorded, Scripted, ScriptedStream, lies_across

Event = dict[str, Any]
Said = list[tuple[str, str]]
FIELDS = ("content", "reasoning_content", "refusal")
WORD = "FORBIDDEN"


def delta(**said: Any) -> Event:
    return {"id": "c", "choices": [{"index": 0, "delta": said, "finish_reason": None}]}


END = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def relay(guard: Any, said: Said) -> tuple[Said, bool]:
    """What is shown, in order, and whether it was stopped."""
    chunks = [*(delta(**{field: text}) for field, text in said), END]
    shown: Said = []
    try:
        for chunk in wrap(guard, lambda prompt: iter(chunks))("hi"):
            inner = chunk["choices"][0]["delta"]
            shown += [(field, text) for field, text in inner.items() if text]
    except Blocked:
        return shown, True
    return shown, False


def of(said: Said, field: str) -> str:
    return "".join(text for each, text in said if each == field)


def as_one(said: Said) -> str:
    return "".join(text for _, text in said)


def masked(text: str) -> str:
    return ORDER.sub("[ORDER]", text)


def may_show(said: Said, field: str) -> str:
    """What may be shown of a field, at most: nothing of a match in it, nor in all as they came."""
    text = of(said, field)
    places = [i for i, (each, part) in enumerate(said) for _ in part if each == field]
    owners = [i for i, (_, part) in enumerate(said) for _ in part]
    at = [i for i, owner in enumerate(owners) if said[owner][0] == field]
    assert len(places) == len(at) == len(text)
    limit = len(text)
    if (start := text.find(WORD)) >= 0:
        limit = start
    whole = as_one(said)
    if (start := whole.find(WORD)) >= 0:
        inside = [own for own, i in enumerate(at) if start <= i < start + len(WORD)]
        limit = min([limit, *inside])
    for match in ORDER.finditer(text):
        if match.start() < limit < match.end():
            limit = match.start()
    return masked(text[:limit])


def holds_laws(guard: Any, said: Said, *, is_exact: bool = True) -> str:
    """Judge a stream, assert what must be true of it; why it was stopped, or nothing.

    Args:
        is_exact: Whether the stream says what it would give: then nothing is stopped that the same
            text, judged whole, is not.
    """
    shown, is_stopped = relay(guard, said)
    joined = as_one(shown)
    assert WORD not in joined, said
    assert not ORDER.search(joined), said
    for field in FIELDS:
        most = may_show(said, field) if is_exact else masked(of(said, field).partition(WORD)[0])
        assert most.startswith(of(shown, field)), (said, shown)
    is_bad = any(WORD in of(said, field) for field in FIELDS)
    if is_bad or (is_exact and WORD in as_one(said)):
        assert is_stopped, said
        return "bad"
    if not is_stopped:
        for field in FIELDS:
            assert of(shown, field) == masked(of(said, field)), said
        return ""
    # A match across fields has no place to be rewritten in.
    if ORDER.search(as_one(said)) or ORDER.search(ORDER.sub("", as_one(said))):
        return "across"
    # And what was held may come to stand where it makes one.
    assert not is_exact or lies_across([of(said, field) for field in FIELDS]), said
    return "order"


# --- any order of fields


WORDS = ("FORB", "IDDEN", WORD, "NB-", "12", "34", "NB-1234", " and ", "x", ". ")
LONG = (" words that say nothing at all, ", "and a little more of them. ", "no. 12 of 34 ")


def any_fields(seed: int) -> Said:
    """Two or three fields that interrupt one another, in words that are nearly matches."""
    chance = random.Random(seed)
    fields = FIELDS[: chance.choice((2, 2, 3))]
    words = WORDS + LONG if seed % 2 else WORDS
    return [
        (chance.choice(fields), text)
        for _ in range(chance.randrange(2, 12))
        for text in cut(chance.choice(words), chance)
    ]


def cut(text: str, chance: random.Random) -> list[str]:
    if chance.random() < 0.5:
        return [text]
    at = chance.randrange(len(text) + 1)
    return [part for part in (text[:at], text[at:]) if part]


def _any_order(make: Callable[[], Any], seeds: range, *, is_exact: bool = True) -> None:
    why = [holds_laws(make(), any_fields(seed), is_exact=is_exact) for seed in seeds]
    if is_exact:
        assert why.count("bad") > len(seeds) // 10
        assert why.count("") > len(seeds) // 3
        assert why.count("order") <= len(seeds) // 50


@pytest.mark.parametrize("make", [Scripted, Recorded])
def test_nothing_denied_leaves_in_any_order(make: Any) -> None:
    _any_order(make, range(1_000))


@pytest.mark.parametrize("seed", [24502, 27561, 27660, 44839])
def test_orders_in_which_something_once_left(guard: Any, seed: int) -> None:
    """A piece shown in two parts with another between them; a field stopped in an earlier piece."""
    holds_laws(guard, any_fields(seed))


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("make", [Scripted, Recorded])
def test_nothing_denied_leaves_in_many_orders(make: Any) -> None:
    _any_order(make, range(1_000, 60_000))


class Guessing(Scripted):
    """A guard whose streams are wrong about what they will give."""

    def __init__(self, guess: Callable[[str], str | None]) -> None:
        super().__init__()
        self.guess = guess

    def stream(self, *, on: Any = "output", **keys: Any) -> ScriptedStream:
        stream = super().stream(on=on, **keys)
        stream.ahead = lambda: self.guess(stream.held)  # type: ignore[method-assign]
        return stream


@pytest.mark.parametrize(
    "guess",
    [
        lambda held: None,
        lambda held: "",
        lambda held: held[:-1],
        lambda held: held + "x",
        lambda held: "y" + held[1:],
        lambda held: None if len(held) % 2 else held[::-1],
    ],
    ids=["none", "nothing", "less", "more", "other", "reversed"],
)
def test_nothing_leaves_where_a_stream_is_wrong_about_its_end(guess: Any) -> None:
    _any_order(lambda: Guessing(guess), range(400), is_exact=False)


def test_a_stream_that_cannot_tell_its_end_is_judged_in_order() -> None:
    """What follows waits: so the verdict is that on the whole, if nothing can be shown before."""
    for seed in range(400):
        said = any_fields(seed)
        if not any(ORDER.search(of(said, field)) for field in FIELDS):
            assert holds_laws(Guessing(lambda held: None), said) != "order"


# --- every cut


BETWEEN = ("x", "some other words that come here, and go on for a while")


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("text", ["it is FORBIDDEN here", "my NB-1234 is it", "all is well, then"])
def test_a_field_that_is_interrupted_at_every_place(guard: Any, text: str, between: str) -> None:
    for i, j in itertools.combinations_with_replacement(range(1, len(text)), 2):
        said = [
            ("content", text[:i]),
            ("reasoning_content", between),
            *([("content", text[i:j]), ("reasoning_content", between)] if i < j else []),
            ("content", text[j:]),
        ]
        assert holds_laws(guard, said) in (("bad",) if WORD in text else ("",)), said


@pytest.mark.parametrize("text", ["is FORBIDDEN so", "my NB-1234 is"])
def test_every_interleaving_of_two_fields(guard: Any, text: str) -> None:
    """Characters of one text and words of another, in every order."""
    parts, words = [text[:5], text[5:8], text[8:]], ["so", " it", " is"]
    for places in itertools.combinations(range(6), 3):
        mine, others = iter(parts), iter(words)
        said = [
            ("content", next(mine)) if i in places else ("reasoning_content", next(others))
            for i in range(6)
        ]
        why = holds_laws(guard, said)
        assert why == ("bad" if WORD in text else ""), said


def test_a_match_across_fields_at_every_place(guard: Any) -> None:
    for i, j in itertools.combinations(range(len(WORD) + 1), 2):
        said = [
            ("reasoning_content", "so " + WORD[:i]),
            ("refusal", WORD[i:j]),
            ("content", WORD[j:] + " and more"),
        ]
        assert holds_laws(guard, [each for each in said if each[1]]) == "bad"


# --- what waits, and what does not


def lags(guard: Any, said: Said, field: str) -> list[int]:
    """How many characters of a field are held when its next chunk comes."""
    shown: list[Event] = []
    held: list[int] = []

    def ask(prompt: str) -> Iterator[Event]:
        given = 0
        for each, text in said:
            if each == field:
                out = "".join(one["choices"][0]["delta"].get(field) or "" for one in shown)
                held.append(given - len(out))
                given += len(text)
            yield delta(**{each: text})

    for chunk in wrap(guard, ask)("hi"):
        shown.append(chunk)  # noqa: PERF402 - the source looks at what was shown so far
    return held


def test_a_field_does_not_wait_for_what_another_holds(guard: Any) -> None:
    thought = [("reasoning_content", "so I think about no. NB-12 and then about NB-")]
    spoken = [("content", "some words. ") for _ in range(40)]
    usual = max(lags(guard, spoken, "content"))
    for said in ([*thought, *spoken], [*spoken[:5], *thought, *spoken[5:]]):
        held = lags(guard, said, "content")
        assert max(held) <= 3 * usual  # once alone, once as they came, once as they are shown
        assert max(held[12:]) <= 2 * usual
        shown, is_stopped = relay(guard, said)
        assert not is_stopped
        # It may go on to the end, so it comes last: it was held the whole time.
        assert shown.index(next(each for each in shown[::-1] if each[0] != "content")) > 10


def test_fields_that_take_turns_flow(guard: Any) -> None:
    turns = [(FIELDS[i % 2], "some words. ") for i in range(80)]
    usual = max(lags(guard, [("content", "some words. ")] * 40, "content"))
    assert max(lags(guard, turns, "content")) <= 4 * usual


def test_chunks_without_text_pass_what_a_field_holds(guard: Any) -> None:
    """A role in every chunk, as some servers send it, stops nothing."""
    said = [
        {"role": "assistant", "reasoning_content": "so I think of NB-"},
        *({"role": "assistant", "content": "some words. "} for _ in range(20)),
    ]
    shown = 0
    seen: list[int] = []

    def ask(prompt: str) -> Iterator[Event]:
        for each in said:
            seen.append(shown)
            yield delta(**each)

    for chunk in wrap(guard, ask)("hi"):
        shown += len(chunk["choices"][0]["delta"].get("content") or "")
    assert seen[-1] > 100
    assert shown == 240


# --- blocks of a message that are open at once


def test_two_blocks_that_are_open_at_once(guard: Any) -> None:
    def event(kind: str, index: int, **said: Any) -> Event:
        return {"type": f"content_block_{kind}", "index": index, **said}

    def told(index: int, text: str) -> Event:
        return event("delta", index, delta={"type": "text_delta", "text": text})

    def events(*parts: str) -> list[Event]:
        empty = {"type": "text", "text": ""}
        return [
            {"type": "message_start", "message": {"role": "assistant", "content": []}},
            event("start", 0, content_block=empty),
            told(0, parts[0]),
            event("start", 1, content_block=empty),
            told(1, parts[1]),
            told(0, parts[2]),
            event("stop", 0),
            told(1, parts[3]),
            event("stop", 1),
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        ]

    def text(shown: list[Event], index: int) -> str:
        deltas = [each for each in shown if each.get("index") == index and "delta" in each]
        return "".join(each["delta"]["text"] for each in deltas)

    fine = events("it is NB-", "other words of a length", "1234. ", " and more")
    shown = list(wrap(guard, lambda prompt: iter(fine))("hi"))
    assert text(shown, 0) == "it is [ORDER]. "
    assert text(shown, 1) == "other words of a length and more"
    for index in (0, 1):
        of_block = [each["type"] for each in shown if each.get("index") == index]
        assert of_block[0] == "content_block_start"
        assert of_block.index("content_block_stop") == len(of_block) - 1
    bad = events("it is FORB", "other words of a length", "IDDEN", " and more")
    shown = list(wrap(guard, lambda prompt: iter(bad), on_block="reply")("hi"))
    assert "FORB" not in text(shown, 0)
    stops = [each["index"] for each in shown if each["type"] == "content_block_stop"]
    assert sorted(stops) == [0, 1]
    assert (text(shown, 0) + text(shown, 1)).count("Stopped.") == 1
    assert shown[-1] == {"type": "message_stop"}
