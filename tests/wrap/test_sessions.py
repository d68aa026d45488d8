"""What a session counts of whole exchanges: every text once, in whatever form it comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from guardkit.errors import Blocked
from guardkit.guard import Guard, loads

from ._guard import Scripted

COUNTS = """guardkit 1
policy counted
check secret = words   { list ["swordfish"] }
check card   = pattern { match /\\b\\d{4} \\d{4}\\b/  label "card" }
rule rude  { tier ethics on input, tool_result, output when secret then flag }
rule mask  { tier safety on input when card then rewrite matches as "[C]" }
window often { count rude last 9 turns per session }
rule ended { tier safety on conversation when often >= 2 then block "This is over." for session }
"""
COVERS = """guardkit 1
policy covered
check card = pattern { match /\\b\\d{4} \\d{4}\\b/  label "card" }
rule hide  { tier safety on input  when card then rewrite matches as pseudonym }
rule stop  { tier safety on output when card then block "Not that." }
"""
ANSWER = {"role": "assistant", "content": "ok"}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def is_over(guard: Guard) -> bool:
    return guard.check("hello", session="s", same_turn=True).session_closed


def silent(messages: Any) -> str:
    return "ok"


def chunk(end: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}


def streamed(*said: tuple[str, str], size: int = 3) -> list[dict[str, Any]]:
    pieces = [
        chunk(**{field: text[i : i + size]})
        for field, text in said
        for i in range(0, len(text), size)
    ]
    return [*pieces, chunk("stop")]


def shown(guard: Guard | Scripted, events: list[Any], prompt: str = "hi") -> dict[str, str]:
    def chat(prompt: str) -> Iterator[Any]:
        yield from events

    made = {"reasoning_content": "", "content": ""}
    for each in guard_of(guard)(session="s")(chat)(prompt):
        for field in made:
            made[field] += each["choices"][0]["delta"].get(field) or ""
    return made


def guard_of(guard: Any) -> Any:
    from guardkit.wrap import wrap

    return lambda **options: wrap(guard, **options)


# --- counting


def test_a_joined_text_is_not_counted_again() -> None:
    guard = loads(COUNTS)
    parts = [{"type": "text", "text": "swordfish "}, {"type": "text", "text": "is what I said"}]
    guard(session="s")(silent)([{"role": "user", "content": parts}])
    assert not is_over(guard)
    with pytest.raises(Blocked):
        guard(session="s")(silent)([user("hi"), ANSWER, user("swordfish")])


def test_a_match_across_two_texts_is_counted_once() -> None:
    guard = loads(COUNTS)
    chat = guard(session="s")(silent)
    parts = [{"type": "text", "text": "it is sword"}, {"type": "text", "text": "fish"}]
    history: list[Any] = [{"role": "user", "content": parts}]
    chat(history)
    assert not is_over(guard)
    with pytest.raises(Blocked):
        chat([*history, ANSWER, {"role": "user", "content": parts}])
    assert is_over(guard)


def test_a_rewritten_message_is_not_counted_again() -> None:
    guard = loads(COUNTS)
    asked: list[Any] = []
    chat = guard(session="s")(lambda messages: asked.append(messages) or "ok")
    history: list[Any] = [user("swordfish for 1234 5678")]
    for _ in range(3):
        chat(history)
        assert asked[-1][0]["content"] == "swordfish for [C]"
        history += [ANSWER, user("go on")]
    with pytest.raises(Blocked):
        chat([*history, ANSWER, user("swordfish")])


def test_a_message_is_not_counted_again_where_history_was_cut() -> None:
    guard = loads(COUNTS)
    chat = guard(session="s")(silent)
    history: list[Any] = [user("hello"), ANSWER, user("swordfish"), ANSWER, user("go on")]
    chat(history)
    chat([*history[2:], ANSWER, user("and on")])
    assert not is_over(guard)
    # Said anew, it counts, wherever it was said before.
    with pytest.raises(Blocked):
        chat([ANSWER, user("swordfish")])


def test_fields_of_a_stream_are_counted_once() -> None:
    guard = loads(COUNTS)
    shown(guard, streamed(("reasoning_content", "It is swordfish. "), ("content", "All well.")))
    assert not is_over(guard)


@pytest.mark.parametrize("size", [1, 3, 99])
def test_a_field_that_is_interrupted_is_counted_once(size: int) -> None:
    guard = loads(COUNTS)
    turns = [("content", "It is sword"), ("reasoning_content", "so I think. ")]
    turns += [("content", "fish. "), ("reasoning_content", "and on. "), ("content", "All well. ")]
    said = shown(guard, streamed(*turns, size=size))
    assert said["content"] == "It is swordfish. All well. "
    assert not is_over(guard)
    with pytest.raises(Blocked):
        shown(guard, streamed(*turns, size=size))
    assert is_over(guard)


STOPS = """check fish = words { list ["halibut"] }
rule halt { tier safety on output when fish then block "No." }
"""


def test_what_was_said_before_another_field_is_stopped_counts() -> None:
    guard = loads(COUNTS + STOPS)
    said = ("reasoning_content", "It is swordfish. "), ("content", "A halibut" + " or so" * 20)
    for _ in range(2):
        assert not is_over(guard)
        with pytest.raises(Blocked):
            shown(guard, streamed(*said))
    assert is_over(guard)


def test_a_match_across_fields_of_a_stream_is_counted() -> None:
    guard = loads(COUNTS)
    split = streamed(("reasoning_content", "so sword"), ("content", "fish it is"))
    shown(guard, split)
    assert not is_over(guard)
    with pytest.raises(Blocked):
        shown(guard, split)
    assert is_over(guard)


CLOSES = """guardkit 1
policy closing
check secret = words { list ["swordfish"] }
rule closed { tier safety on output when secret then block "No." for session }
"""
LONG = "the word is swordfish, and much is said behind it, so that it ends in the middle. " * 5


@pytest.mark.parametrize(
    "events",
    [
        [LONG[i : i + 3] for i in range(0, len(LONG), 3)],
        streamed(("content", LONG)),
        streamed(("reasoning_content", "so sword"), ("content", LONG[17:])),
    ],
    ids=["texts", "field", "across fields"],
)
def test_a_stream_that_is_stopped_closes_its_session(events: list[Any]) -> None:
    guard = loads(CLOSES)
    with pytest.raises(Blocked):
        list(guard(session="s")(lambda prompt: iter(events))("hi"))
    assert is_over(guard)


# --- pseudonyms


SAID = {"reasoning_content": "They mean [CARD_1], so", "content": "your card [CARD_1] is fine"}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 99])
def test_streams_give_values_back_last_as_whole_replies_do(size: int) -> None:
    guard = loads(COVERS)
    whole = guard(session="s")(lambda prompt: {"role": "assistant", **SAID})("is 1234 5678 ok")
    del whole["role"]
    assert whole == {key: text.replace("[CARD_1]", "1234 5678") for key, text in SAID.items()}
    assert shown(guard, streamed(*SAID.items(), size=size), "is 1234 5678 ok") == whole


@pytest.mark.parametrize("size", [1, 4, 99])
def test_values_come_back_in_fields_that_interrupt_one_another(size: int) -> None:
    text = "your card [CARD_1] is fine"
    for i in range(1, len(text), 1 if size == 99 else 3):
        said = [("content", text[:i]), ("reasoning_content", "They mean [CARD")]
        said += [("content", text[i:]), ("reasoning_content", "_1], so")]
        assert shown(loads(COVERS), streamed(*said, size=size), "is 1234 5678 ok") == {
            "content": "your card 1234 5678 is fine",
            "reasoning_content": "They mean 1234 5678, so",
        }


def test_a_value_that_the_model_wrote_itself_is_stopped() -> None:
    guard = loads(COVERS)
    split = streamed(("reasoning_content", "it is 1234 "), ("content", "5678, fine"))
    with pytest.raises(Blocked):
        shown(guard, split, "is 1234 5678 ok")


def test_a_pseudonym_that_a_rule_puts_into_one_field_stays_in_all() -> None:
    guard = loads(COVERS.replace("on input ", "on input, output").partition("rule stop")[0])
    events = streamed(("reasoning_content", "It is 8765 4321, "), ("content", "yes, 8765 4321."))
    assert shown(guard, events) == {
        "reasoning_content": "It is [CARD_1], ",
        "content": "yes, [CARD_1].",
    }


def test_fields_and_their_joined_text_leave_pseudonyms_alone(guard: Any) -> None:
    if isinstance(guard, Scripted):
        guard.pseudonyms["[CARD_1]"] = "NB-1234"  # which the policy would mask
        assert shown(guard, streamed(*SAID.items())) == {
            key: text.replace("[CARD_1]", "NB-1234") for key, text in SAID.items()
        }
    assert shown(guard, streamed(("content", "an [open bracket")))["content"] == "an [open bracket"
