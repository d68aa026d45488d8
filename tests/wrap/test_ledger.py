"""The ledger of an exchange: what it came to, which layer made it so, and that nothing leaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from guardkit import Blocked, loads
from guardkit.types import Ledger
from guardkit.wrap import Lens

POLICY = """
guardkit 1
policy shop
principle kind { tier guidelines text "Be kind." }
check secret = words { list ["tangerine"] }
check rude = words { list ["oaf"] }
check order = words { list ["order"] }
check weapon = words { list ["cannon"] }
model {
  refuses weapon
  answers order
}
rule no_secret {
  tier safety
  on   input, retrieved, tool_call, output
  when secret
  then block "No."
}
rule softened {
  tier guidelines
  on   output
  when rude
  then revise by kind at most 1 else block "Unkind."
}
"""
RULE = "rule no_secret"
CANARY = "zebra-quartz-4417"


@pytest.fixture(scope="module")
def guard() -> Any:
    return loads(POLICY)


def say(text: str) -> Any:
    """What the scripted model says."""
    match text.split()[0]:
        case "refuse":
            return "I'm sorry, but I can't help with that."
        case "partly":
            return (
                "I can't help with that part of it. However, here is what I can offer you instead: "
                "a list of shops that are open today."
            )
        case "leak":
            return f"It is tangerine {CANARY}"
        case "filter":
            message = {"role": "assistant", "content": ""}
            return {"choices": [{"finish_reason": "content_filter", "message": message}]}
        case "oaf":
            return "You oaf"
        case "hang":
            raise TimeoutError(CANARY)
        case "rejected":
            raise RejectedError(CANARY)
        case _:
            return f"Here you are {CANARY}"


class RejectedError(Exception):
    """What an SDK raises where a provider's filter refuses a request."""

    body = {"error": {"code": "content_filter", "message": CANARY}}  # noqa: RUF012


CASES = [
    ("hello", "answered", None, "", "none", None, "answered"),
    ("order refuse", "answered", None, "", "none", None, "answered"),
    ("refuse my order", "refused", "model", "refusal full", "full", "answer", "over-refusal"),
    ("refuse a cannon", "refused", "model", "refusal full", "full", "refuse", "correct refusal"),
    ("refuse this", "refused", "model", "refusal full", "full", None, "refused"),
    ("partly done", "refused", "model", "refusal partial", "partial", None, "refused"),
    ("leak it", "refused", "output", RULE, "none", None, "refused"),
    ("tangerine order", "refused", "input", RULE, "none", "answer", "over-refusal"),
    ("filter it", "refused", "provider", "finish_reason content_filter", "none", None, "refused"),
    ("oaf order", "refused", "output", "rule softened", "none", "answer", "over-refusal"),
    ("hang on", "failed", "transport", "TimeoutError", "none", None, "fault"),
    ("rejected", "refused", "provider", "error content_filter", "none", None, "refused"),
]


def ask_of(guard: Any, kind: str, ledgers: list[Ledger]) -> Any:
    """A guarded callable of a kind, as a plain function that drives it to its end."""
    told = {"ledger": ledgers.append}
    if kind == "plain":

        @guard(**told)
        def plain(prompt: str) -> Any:
            return say(prompt)

        return plain
    if kind == "plain, awaited":

        @guard(**told)
        def coming(prompt: str) -> Any:
            async def reply() -> Any:
                await anyio.sleep(0)
                return say(prompt)

            return reply()

        return lambda prompt: anyio.run(_awaited, coming, prompt)
    if kind == "coroutine":

        @guard(**told)
        async def coroutine(prompt: str) -> Any:
            await anyio.sleep(0)
            return say(prompt)

        return lambda prompt: anyio.run(coroutine, prompt)
    if kind == "generator":

        @guard(**told)
        def generator(prompt: str) -> Iterator[Any]:
            yield from chunks(say(prompt))

        return lambda prompt: list(generator(prompt))

    @guard(**told)
    async def async_generator(prompt: str) -> AsyncIterator[Any]:
        for chunk in chunks(say(prompt)):
            await anyio.sleep(0)
            yield chunk

    return lambda prompt: anyio.run(_consumed, async_generator, prompt)


async def _awaited(function: Any, prompt: str) -> Any:
    return await function(prompt)


async def _consumed(function: Any, prompt: str) -> list[Any]:
    return [chunk async for chunk in function(prompt)]


def chunks(reply: Any) -> Iterator[Any]:
    if isinstance(reply, str):
        yield from (word + " " for word in reply.split())
        return
    yield {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}]}


KINDS = ["plain", "plain, awaited", "coroutine", "generator", "async generator"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_ledger_of_every_ending(guard: Any, kind: str, case: Sequence[Any]) -> None:
    prompt, *wanted = case
    ledgers: list[Ledger] = []
    ask = ask_of(guard, kind, ledgers)
    if wanted[1] in ("input", "output"):
        with pytest.raises(Blocked):
            ask(prompt)
    elif prompt.startswith(("hang", "rejected")):
        with pytest.raises((TimeoutError, RejectedError)):
            ask(prompt)
    else:
        ask(prompt)
    (ledger,) = ledgers
    outcome, layer, by, refusal, expected, judgement = wanted
    assert (ledger.outcome, ledger.layer, ledger.by) == (outcome, layer, by)
    assert (ledger.refusal, ledger.expected) == (refusal, expected)
    assert ledger.judgement == judgement
    assert ledger.elapsed_us > 0
    assert CANARY not in repr(ledger) + str(ledger.as_dict())


def test_records_stand_in_the_order_of_the_stack(guard: Any) -> None:
    ledgers: list[Ledger] = []

    @guard(ledger=ledgers.append, on_block="reply")
    def ask(prompt: str) -> str:
        return str(say(prompt))

    assert ask("leak it") == "No."
    said = [(record.layer, record.by, record.outcome) for record in ledgers[0].records]
    assert said == [
        ("input", "policy", "pass"),
        ("model", "reply", "reply"),
        ("output", "check secret", "yes"),
        ("output", RULE, "block"),
        ("output", "policy", "block"),
    ]


@pytest.mark.parametrize("path", ["choice", "candidate", "message", "response", "chunk", "object"])
def test_every_dialect_of_a_filter(guard: Any, path: str) -> None:
    text = [{"type": "text", "text": "Well"}]
    reply: Any = {
        "choice": {
            "choices": [{"finish_reason": "content_filter", "message": {"content": "Well"}}]
        },
        "candidate": {"candidates": [{"finish_reason": "SAFETY", "content": "Well"}]},
        "message": {"role": "assistant", "content": text, "stop_reason": "refusal"},
        "response": {
            "object": "response",
            "output": [{"type": "message", "content": text}],
            "incomplete_details": {"reason": "content_filter"},
        },
        "chunk": {"choices": [{"finish_reason": "content_filter", "text": "Well"}]},
        "object": SimpleNamespace(content="Well", stop_reason="refusal", role="assistant"),
    }[path]
    ledgers: list[Ledger] = []

    @guard(ledger=ledgers.append)
    def ask(prompt: str) -> Any:
        return reply

    ask("hello")
    assert (ledgers[0].outcome, ledgers[0].layer) == ("refused", "provider")


def test_a_refusal_that_a_rule_writes_is_of_the_output_layer() -> None:
    guard = loads(
        """
guardkit 1
policy tame
check secret = words { list ["tangerine"] }
rule tame {
  tier safety
  on   output
  when secret
  then rewrite all as "I'm sorry, but I can't help with that."
}
"""
    )
    ledgers: list[Ledger] = []

    @guard(ledger=ledgers.append)
    def ask(prompt: str) -> str:
        return "the tangerine"

    assert ask("hello").startswith("I'm sorry")
    assert (ledgers[0].outcome, ledgers[0].layer, ledgers[0].by) == (
        "refused",
        "output",
        "rule tame",
    )


def test_a_consumer_that_leaves_is_no_fault(guard: Any) -> None:
    ledgers: list[Ledger] = []
    closed: list[bool] = []

    @guard(ledger=ledgers.append)
    def ask(prompt: str) -> Iterator[str]:
        try:
            yield from ["word " * 40] * 50
        finally:
            closed.append(True)

    stream = ask("hello")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert closed == [True]
    assert ledgers[0].outcome == "answered"


def test_a_cancelled_call_is_told(guard: Any) -> None:
    ledgers: list[Ledger] = []

    @guard(ledger=ledgers.append)
    async def ask(prompt: str) -> str:
        await anyio.sleep(60)
        return ""

    async def main() -> None:
        with anyio.move_on_after(0.05):
            await ask("hello")

    anyio.run(main)
    assert (ledgers[0].outcome, ledgers[0].layer) == ("failed", "transport")


def test_expected_follows_the_thresholds_of_the_rules() -> None:
    guard = loads(
        """
guardkit 1
policy banking
check banking = similarity {
  examples ["What is my balance?", "How do I reset my PIN?"]
  encoder static
}
model { answers banking }
rule off_topic {
  tier helpfulness
  on   output
  when banking >= 0.55
  then flag
}
"""
    )
    assert guard.expected("What is my balance?") == "answer"
    assert guard.expected("Tell me about volcanoes in Iceland") is None


def test_no_ledger_costs_nothing(guard: Any) -> None:
    """Without a listener the callable is the same as before: no notes, no proxies."""

    @guard
    def ask(prompt: str) -> str:
        return "yes"

    names = {cell.cell_contents.__class__.__name__ for cell in ask.__closure__ or ()}
    assert "Notes" not in names
    assert ask("hello") == "yes"


def test_a_draft_that_is_shown_is_an_answer_though_its_revision_hung() -> None:
    guard = loads(POLICY.replace('else block "Unkind."', "else flag"))
    ledgers: list[Ledger] = []

    @guard(ledger=ledgers.append, within=0.1)
    async def ask(prompt: str) -> str:
        if len(calls) == 1:
            await anyio.sleep(60)
        calls.append(prompt)
        return "You oaf"

    calls: list[str] = []
    assert anyio.run(ask, "hello") == "You oaf"
    assert (ledgers[0].outcome, ledgers[0].layer) == ("answered", None)


def test_who_is_told_replaces_no_block(guard: Any) -> None:
    def told(ledger: Ledger) -> None:
        raise ValueError("a sink that is full")

    @guard(ledger=told)
    async def ask(prompt: str) -> str:
        return "ok"

    @guard(ledger=told)
    def plain(prompt: str) -> str:
        return "ok"

    with pytest.raises(Blocked):
        anyio.run(ask, "tangerine")
    with pytest.raises(Blocked):
        plain("tangerine")
    with pytest.raises(ValueError, match="full"):
        plain("hello")


def test_a_refusal_is_seen_through_a_lens(guard: Any) -> None:
    class Odd:
        def __init__(self, said: str) -> None:
            self.utterance = said

    ledgers: list[Ledger] = []
    lens = Lens(lambda reply: reply.utterance, lambda reply, texts: Odd(texts[0]))

    @guard(ledger=ledgers.append, reply=lens)
    def ask(prompt: str) -> Any:
        return Odd(say(prompt))

    ask("refuse it")
    assert (ledgers[0].layer, ledgers[0].refusal) == ("model", "full")


def test_nothing_of_a_foreign_error_is_told(guard: Any) -> None:
    class OddError(Exception):
        shown = CANARY

    ledgers: list[Ledger] = []

    @guard(ledger=ledgers.append)
    def ask(prompt: str) -> str:
        raise OddError(CANARY)

    with pytest.raises(OddError):
        ask("hello")
    assert ledgers[0].by == "OddError"
