"""Who is told of every verdict: each one, once, before it is given to anybody; and what if not."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import guardkit
from guardkit import Audit, AuditError, Ledger, UsageError, Verdict
from guardkit.telemetry import verify

POLICY = """
guardkit 1
policy shop
defaults { budget refusals 5% }
use "std/refusal" version "1" as refusal
check secret = words { list ["tangerine"] }
check order = words { list ["order"] }
model { answers order }
rule no_secret {
  tier safety
  on   input, output, tool_call
  when secret
  then block "No."
}
monitor refusals {
  watch refusal.any on output
  alarm above 5% over 1h
}
monitor secrets {
  watch no_secret
  alarm above 50% over 1h
}
"""
CANARY = "zebra-quartz-4417"


class Log:
    """An audit log that remembers what it was told, or fails."""

    def __init__(self) -> None:
        self.kept: list[tuple[Verdict, str | None, str]] = []
        self.ended: list[Ledger] = []
        self.is_full = False

    def record(self, verdict: Verdict, *, session: str | None = None, tenant: str = "") -> int:
        if self.is_full:
            raise AuditError("the disk is full")
        self.kept.append((verdict, session, tenant))
        return len(self.kept)

    async def arecord(
        self, verdict: Verdict, *, session: str | None = None, tenant: str = ""
    ) -> int:
        await anyio.sleep(0)
        return self.record(verdict, session=session, tenant=tenant)

    def exchange(self, ledger: Ledger, *, session: str | None = None, tenant: str = "") -> int:
        self.ended.append(ledger)
        return len(self.ended)

    async def aexchange(
        self, ledger: Ledger, *, session: str | None = None, tenant: str = ""
    ) -> int:
        await anyio.sleep(0)
        return self.exchange(ledger, session=session, tenant=tenant)


def ways(guard: Any) -> dict[str, Any]:
    """Every way to a verdict."""

    def streamed(text: str) -> Verdict:
        stream = guard.stream(session="s", tenant="t")
        for at in range(0, len(text), 5):
            if not stream.closed:
                stream.feed(text[at : at + 5])
        stream.finish()
        return stream.verdict

    async def astreamed(text: str) -> Verdict:
        stream = guard.stream(session="s", tenant="t")
        await stream.afeed(text)
        await stream.afinish()
        return stream.verdict

    async def acalled(text: str) -> Verdict:
        verdict: Verdict = await guard.acheck_tool_call("mail", {"to": text}, **keys)
        return verdict

    keys = {"session": "s", "tenant": "t"}
    return {
        "check": lambda text: guard.check(text, **keys),
        "check, not ASCII": lambda text: guard.check(f"{text} é", **keys),
        "acheck": lambda text: anyio.run(lambda: guard.acheck(text, **keys)),
        "call": lambda text: guard.check_tool_call("mail", {"to": text}, **keys),
        "acall": lambda text: anyio.run(
            lambda: guard.acheck_tool_call("mail", {"to": text}, **keys)
        ),
        "result": lambda text: guard.check_tool_result("web", text, **keys),
        "stream": streamed,
        "astream": lambda text: anyio.run(astreamed, text),
    }


NAMES = list(ways(None))


@pytest.mark.parametrize("text", ["hello there", "the tangerine"])
@pytest.mark.parametrize("name", NAMES)
def test_every_verdict_is_kept_once(name: str, text: str) -> None:
    log = Log()
    guard = guardkit.loads(POLICY, audit=log)
    given = ways(guard)[name](text)
    ((kept, session, tenant),) = log.kept
    assert kept.action == given.action
    assert kept.fired == given.fired
    assert (session, tenant) == ("s", "t")


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_kept_is_blocked(name: str) -> None:
    log = Log()
    log.is_full = True
    blocked = ways(guardkit.loads(POLICY, audit=log))[name]("hello there")
    assert blocked.action == "block"
    assert "hello" not in blocked.text
    assert "audit" in blocked.unknown
    assert blocked.arguments is None
    going = ways(guardkit.loads(POLICY, audit=log, on_audit_error="continue"))[name]("hello there")
    assert going.action == "pass"
    assert "audit" in going.unknown


def test_a_stream_gives_no_more_once_its_verdict_cannot_be_kept() -> None:
    log = Log()
    guard = guardkit.loads(POLICY, audit=log)
    log.is_full = True
    stream = guard.stream(says=False)
    shown = stream.feed("a b c d e f")
    assert shown + stream.finish() == shown


def test_unread_parts_are_kept() -> None:
    log = Log()
    guard = guardkit.loads(POLICY, audit=log)
    guard.unread("input")
    assert [kept.action for kept, _, _ in log.kept] == ["block"]


def test_what_is_not_production_is_not_kept() -> None:
    log = Log()
    guard = guardkit.loads(POLICY, audit=log, alarms=[])
    guard.measure("hello")
    guard.explain("hello")
    guard.scores("hello")
    guard.expected("my order")
    assert log.kept == []


def test_a_wrapped_callable_tells_its_exchanges() -> None:
    log = Log()
    guard = guardkit.loads(POLICY, audit=log, alarms=[])

    @guard(session="s")
    def ask(prompt: str) -> str:
        return "I can't help with that." if "refuse" in prompt else "Sure."

    assert ask("hello") == "Sure."
    ask("refuse my order")
    assert [ledger.judgement for ledger in log.ended] == ["answered", "over-refusal"]
    assert [kept.surface for kept, _, _ in log.kept] == ["input", "output"] * 2
    records = log.kept[-1][0].records
    assert ("output", "monitor refusals", "yes") in [record[:3] for record in records]
    counted = guard.monitors.snapshot()
    assert "over-refusal" in str(counted)


def test_a_cancelled_call_is_told() -> None:
    log = Log()
    guard = guardkit.loads(POLICY, audit=log)

    @guard(session="s")
    async def ask(prompt: str) -> str:
        await anyio.sleep(60)
        return ""

    async def main() -> None:
        with anyio.move_on_after(0.05):
            await ask("hello")

    for backend in ("asyncio", "trio"):
        anyio.run(main, backend=backend)
    assert [ledger.layer for ledger in log.ended] == ["transport"] * 2


def test_conditions_of_monitors_are_asked_only_where_somebody_listens() -> None:
    quiet, heard = guardkit.loads(POLICY), guardkit.loads(POLICY, alarms=[])
    for guard, count in ((quiet, 0), (heard, 1)):
        verdict = guard.check("I can't help with that.", on="output")
        assert sum(record.by == "monitor refusals" for record in verdict.records) == count
    assert quiet.monitors is None


def test_a_monitor_rings_from_real_verdicts() -> None:
    rung: list[Any] = []
    guard = guardkit.loads(POLICY, alarms=[rung.append])
    for _ in range(300):
        guard.check("I can't help with that.", on="output")
    assert [alarm.monitor for alarm in rung] == ["refusals"]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def test_the_real_log_and_alarms_hold_no_text(
    tmp_path: Path, logged: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "audit.db"
    with Audit(file) as audit:
        guard = guardkit.loads(POLICY, audit=audit, alarms=[guardkit.LogAlarm()])

        @guard(session=f"session {CANARY}", on_block="reply")
        def ask(prompt: str) -> str:
            return f"I can't help with that, {CANARY}."

        for _ in range(120):
            ask(f"tangerine {CANARY}")
            ask(f"hello {CANARY}")
        told = str(guard.monitors.snapshot()) + "\n".join(guard.monitors.metrics().splitlines())
    assert verify(file).bad is None
    assert verify(file).count == 120 * (1 + 1 + 2 + 1)
    assert logged.records, "an alarm should have been logged"
    seen = told + logged.text + "".join(str(vars(record)) for record in logged.records)
    for part in (CANARY, CANARY[:8], CANARY[::-1], CANARY.encode().hex()):
        assert part not in seen
        assert part.encode() not in file.read_bytes()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_stream_that_is_left_is_kept_too(kind: str) -> None:
    log = Log()
    guard = guardkit.loads(FLAGGING, audit=log, alarms=[])
    words = ["some words and more "] * 60 + ["a tangerine. "] + ["and more words "] * 60

    @guard(session="s")
    def ask(prompt: str) -> Iterator[str]:
        yield from words

    @guard(session="s")
    async def aask(prompt: str) -> AsyncIterator[str]:
        for word in words:
            yield word

    async def main() -> None:
        stream = aask("hello")
        async for _ in stream:
            if len(seen) > 80:
                break
            seen.append(_)
        await stream.aclose()  # type: ignore[attr-defined]

    seen: list[str] = []
    if kind == "async":
        anyio.run(main)
    else:
        stream = ask("hello")
        seen += [next(stream) for _ in range(80)]
        stream.close()  # type: ignore[attr-defined]
    assert "tangerine" in "".join(seen)
    assert [(kept.surface, kept.fired) for kept, _, _ in log.kept] == [
        ("input", ()),
        ("output", ("noted",)),
    ]


FLAGGING = """
guardkit 1
policy shop
check fruit = words { list ["tangerine"] }
rule noted {
  tier helpfulness
  on   output
  when fruit
  then flag
}
"""


def test_a_stream_that_is_finalized_anywhere_does_not_hang(tmp_path: Path) -> None:
    """The interpreter ends a forgotten generator in any line, and that tells its exchange."""
    with Audit(tmp_path / "audit.db") as audit:
        guard = guardkit.loads(POLICY, audit=audit, alarms=[])

        @guard(session="s")
        def ask(prompt: str) -> Iterator[str]:
            yield from ["word " * 30] * 9

        def forget() -> None:
            stream = ask("hello")
            next(stream)
            cycle: list[Any] = [stream]
            cycle.append(cycle)

        was = gc.get_threshold()
        gc.set_threshold(3, 2, 2)
        try:
            for _ in range(60):
                forget()
                guard.check("hello")
                assert guard.monitors is not None
                guard.monitors.metrics()
        finally:
            gc.set_threshold(*was)
        gc.collect()


def test_what_is_watched_keeps_no_stream_from_stopping() -> None:
    """A monitor that has to call somebody must not make a certain block wait for the end."""
    policy = POLICY.replace(
        "monitor secrets {",
        'check tone = judge {\n  call "m:f"\n  rubric "x"\n}\n'
        "monitor tones {\n  watch secret or tone >= 0.5 on output\n  alarm above 5% over 1h\n}\n"
        "monitor secrets {",
    )

    async def tone(text: str, rubric: str) -> float:
        return 0.0

    for alarms in (None, []):
        guard = guardkit.loads(policy, checks={"tone": tone}, alarms=alarms)
        stream = guard.stream(session="s")
        fed = 0
        for word in ["the tangerine "] + ["and more words "] * 200:
            stream.feed(word)
            fed += 1
            if stream.closed:
                break
        assert fed < 60, alarms


def test_the_words_of_who_listens_are_looked_at() -> None:
    for wrong in ({"audit": "audit.db"}, {"alarms": print}, {"on_audit_error": "raise"}):
        with pytest.raises(UsageError):
            guardkit.loads(POLICY, **wrong)


def test_a_log_stays_where_it_is_when_the_program_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Audit("audit.db") as audit:
        guard = guardkit.loads(POLICY, audit=audit)
        monkeypatch.chdir("/")
        assert guard.check("hello").action == "pass"


def test_joined_texts_count_once() -> None:
    guard = guardkit.loads(FLAGGING.replace("on   output", "on   input"), alarms=[])

    @guard
    def ask(messages: list[Any]) -> str:
        return "ok"

    parts = [{"type": "text", "text": "hello"}, {"type": "text", "text": "there"}]
    ask([{"role": "user", "content": parts}])
    assert guard.monitors is not None
    told: Any = guard.monitors.snapshot()["counters"]
    assert told["all"]["surfaces"]["input"]["events"] == 2  # and not a third, of both as one
