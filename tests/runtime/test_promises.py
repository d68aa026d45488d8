"""What holds across threads, tenants, sessions and failures (D7, D8, F4, F5, F6)."""

from __future__ import annotations

import base64
import logging
import threading
import traceback
from random import Random
from urllib.parse import quote

import pytest

from guardkit.errors import Blocked, GuardkitError
from guardkit.guard import Guard, loads
from guardkit.types import Verdict

POLICY = """guardkit 1
policy promises
check token  = pattern { match /tok_[a-z0-9]{8}/  label "token" }
check number = pattern { match /\\b\\d{4} \\d{4}\\b/  label "number" }
check rude   = words   { list ["damn"] }
rule no_tokens  { tier safety on input, output  when token  then block "No tokens, please." }
rule no_numbers { tier safety on input, output  when number then rewrite matches as "[{label}]" }
rule no_rude    { tier ethics on input, output  when rude   then flag }
"""
PIECES = (
    "tok_ab12cd34",
    "1234 5678",
    "damn",
    "hello",
    "world",
    "é",
    "日本",
    "a b c d e",
    "=",
    "%41",
)


def texts(count: int, seed: str) -> list[str]:
    random = Random(seed)
    return [
        " ".join(random.choice(PIECES) for _ in range(random.randint(1, 8))) for _ in range(count)
    ]


def facts(verdict: Verdict) -> tuple[object, ...]:
    return verdict._replace(elapsed_us=0.0, records=())


def test_the_same_text_has_the_same_verdict_in_another_guard() -> None:
    one, two = loads(POLICY), loads(POLICY)
    assert one.digest == two.digest
    for text in texts(500, "replay"):
        first = one.check(text)
        assert facts(first) == facts(one.check(text)) == facts(two.check(text))
        assert [r.by for r in first.records] == [r.by for r in two.check(text).records]


def _in_threads(count: int, work: object) -> list[BaseException]:
    errors: list[BaseException] = []

    def run(i: int) -> None:
        try:
            work(i)  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize(
    "checks", [50, pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(1800)])]
)
def test_64_threads_get_what_one_gets(checks: int) -> None:
    guard = loads(POLICY)
    work = texts(200, "threads")
    alone = [facts(guard.check(text)) for text in work]

    def run(i: int) -> None:
        random = Random(i)
        for _ in range(checks):
            at = random.randrange(len(work))
            assert facts(guard.check(work[at])) == alone[at]

    assert _in_threads(64, run) == []


SESSIONS = """guardkit 1
policy sessions
check rude = words { list ["damn"] }
rule rude_words { tier ethics on input when rude then flag }
window often { count rude_words last 3 turns per session }
rule ended { tier safety on conversation when often >= 3 then block "Over." for session }
"""


def test_sessions_and_tenants_are_apart() -> None:
    guard = loads(SESSIONS)
    plain = "hello"
    for _ in range(2):
        assert guard.check("damn", session="s", tenant="a").action == "flag"
    assert guard.check("damn", session="s", tenant="b").action == "flag"
    assert guard.check("damn", session="t", tenant="a").action == "flag"
    closing = guard.check("damn", session="s", tenant="a")
    assert closing.action == "block"
    assert closing.session_closed
    assert guard.check(plain, session="s", tenant="a").action == "block"
    assert guard.check(plain, on="output", session="s", tenant="a").message == "Over."
    stream = guard.stream(session="s", tenant="a")
    assert stream.feed("quite harmless " * 50) + stream.finish() == "Over."
    assert guard.check(plain, session="s", tenant="b").action == "pass"
    assert guard.check(plain, session="t", tenant="a").action == "pass"
    guard.forget("s", tenant="a")
    assert guard.check(plain, session="s", tenant="a").action == "pass"


@pytest.mark.parametrize(
    "requests",
    [4_000, pytest.param(1_000_000, marks=[pytest.mark.full, pytest.mark.timeout(3600)])],
)
def test_two_tenants_never_cross(requests: int) -> None:
    """Opposite policies in one process, and sessions of one name in one guard."""
    strict = loads(POLICY)
    lax = loads(POLICY.replace("then block", "then flag").replace('"No tokens, please."', ""))
    shared = loads(
        'guardkit 1\npolicy shared\ncheck n = pattern { match /\\b\\d{8}\\b/ label "n" }\n'
        "rule r { tier safety on input when n then rewrite matches as pseudonym }\n"
    )
    random = Random("tenants")
    for i in range(requests):
        text = random.choice(("tok_ab12cd34", "hello tok_zz99zz99"))
        assert strict.check(text).action == "block"
        assert lax.check(text).action == "flag"
        tenant = random.choice("ab")
        number = f"{random.randrange(10**8):08}"
        sent = shared.check(f"my id {number}", session="s", tenant=tenant).text
        assert number not in sent
        assert number in shared.restore(sent, session="s", tenant=tenant)
        other = "b" if tenant == "a" else "a"
        assert number not in shared.restore(sent, session="s", tenant=other)
        if i % 50 == 49:
            shared.forget("s", tenant="a")
            shared.forget("s", tenant="b")


def test_what_was_judged_before_counts_once() -> None:
    guard = loads(SESSIONS)
    for _ in range(5):
        assert guard.check("damn", session="s", again=True).action == "flag"
    for _ in range(2):
        assert guard.check("damn", session="s", same_turn=True).action == "flag"
    assert guard.check("damn", session="s").action == "block"


def test_a_block_teaches_nothing() -> None:
    """A user sees the rule's own words, or the default: no pattern, no match, no score."""
    said = loads(POLICY).check("here: tok_ab12cd34").message
    assert said == "No tokens, please."
    bare = loads(POLICY.replace(' "No tokens, please."', ""))
    assert bare.check("here: tok_ab12cd34").message == "This was blocked by a policy."


# --- guarded text never leaks


def _spellings(secret: str) -> list[str]:
    raw = secret.encode()
    whole = [
        secret,
        secret[::-1],
        base64.b64encode(raw).decode().rstrip("="),
        raw.hex(),
        quote("".join(f"%{byte:02X}" for byte in raw), safe="%"),
    ]
    fragments = [secret[i : i + 8] for i in range(len(secret) - 7)]
    return [*whole, *fragments]


def _failing(guard: Guard, secret: str) -> list[BaseException]:
    """Every way in which a call can go wrong with a secret in its hands."""
    deep: dict[str, object] = {"a": secret}
    for _ in range(200):
        deep = {"a": deep}
    ways = [
        lambda: guard.check(secret, on=secret),  # type: ignore[arg-type]
        lambda: guard.check(secret.encode()),  # type: ignore[arg-type]
        lambda: guard.check(secret, context=secret),  # type: ignore[arg-type]
        lambda: guard.check(secret, session=secret.encode()),  # type: ignore[arg-type]
        lambda: guard.check(secret, tenant=secret.encode()),  # type: ignore[arg-type]
        lambda: guard.check_tool_call(secret.encode(), {}),  # type: ignore[arg-type]
        lambda: guard.check_tool_call("t", [secret]),  # type: ignore[arg-type]
        lambda: guard.check_tool_call("t", "{" + secret),
        lambda: guard.check_tool_call("t", deep),
        lambda: guard.check("x" * 5_000_000 + secret),
        lambda: guard.stream().feed(secret.encode()),  # type: ignore[arg-type]
        lambda: guard.stream(on=secret),  # type: ignore[arg-type]
        lambda: guard.principle(secret),
        lambda: bool(guard.check(secret)),
        lambda: _raised(Blocked(guard.check(f"tok_ab12cd34 {secret}"))),
        lambda: _raised(GuardkitError(repr(guard.check(secret, on="retrieved")))),
        lambda: _raised(GuardkitError(repr(guard.check(f"1234 5678 {secret}")))),
        lambda: _raised(GuardkitError(str(guard.check(f"damn {secret}").as_dict()))),
        lambda: _raised(GuardkitError(str(guard.check(f"damn {secret}").ledger))),
        lambda: _raised(GuardkitError(repr(guard.stream()))),
    ]
    found: list[BaseException] = []
    for way in ways:
        try:
            way()
        except (GuardkitError, TypeError) as error:
            found.append(error)
    return found


def _raised(error: Exception) -> None:
    raise error


BREAKING = """guardkit 1
policy breaking
check breaks = python { call "m:f" }
check token  = pattern { match /tok_[a-z0-9]{8}/ }
check number = pattern { match /\\b\\d{4} \\d{4}\\b/ }
check rude   = words   { list ["damn"] }
rule a { tier safety on retrieved    when breaks then block }
rule b { tier safety on input, output when token then block }
rule c { tier safety on input         when number then rewrite matches as hash }
rule d { tier ethics on input         when rude then flag }
"""


@pytest.mark.parametrize(
    "canaries", [25, pytest.param(500, marks=[pytest.mark.full, pytest.mark.timeout(1800)])]
)
def test_guarded_text_is_in_no_log_error_or_trace(
    canaries: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def breaks(text: str) -> bool:
        raise ValueError("the check is broken")

    guard = loads(BREAKING, checks={"breaks": breaks})
    random = Random("canaries")
    caplog.set_level(logging.DEBUG)
    for _ in range(canaries):
        secret = "".join(random.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(24))
        found = _failing(guard, secret)
        assert len(found) >= 18
        told = [caplog.text, *capfd.readouterr()]
        for error in found:
            shown = traceback.TracebackException.from_exception(error, capture_locals=False)
            told += [repr(error), str(error), "".join(shown.format())]
        everything = "\n".join(told)
        for spelled in _spellings(secret):
            assert spelled not in everything
        caplog.clear()
