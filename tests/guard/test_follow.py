"""A guard that replaces another goes on with its sessions; so does one in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from guardkit.catalog import Catalog
from guardkit.errors import UsageError
from guardkit.guard import CATALOG, Guard, compile_text, loads, plan_of
from guardkit.runtime import Machine

ROOT = Path(__file__).parents[2]
CARD = "4111 2222"
COMMON = """guardkit 1
policy {name}
{defaults}
context {{ say "{say}"  canary }}
check secret   = words   {{ list ["swordfish"] }}
check card     = pattern {{ match /\\b\\d{{4}} \\d{{4}}\\b/  label "card" }}
check iban     = pattern {{ match /\\bDE\\d{{6}}\\b/  label "iban" }}
check poison   = words   {{ list ["obey me"] }}
check leaked   = canary  {{ }}
check parroted = echo    {{ of input  max 20 chars }}
rule rude  {{ tier ethics on input, output when secret then flag }}
rule hide  {{ tier safety on input  when card then rewrite matches as pseudonym }}
rule mask  {{ tier safety on input  when iban then rewrite matches as hash }}
rule leak  {{ tier safety on output when leaked then block "Not that." }}
rule same  {{ tier ethics on output when parroted then flag }}
sequence bent {{
  first  tool_result where poison
  then   tool_call
  within 3 turns
}}
rule bends {{ tier safety on tool_call when sequence bent then block "Bent." }}
window often {{ count rude last {turns} turns per session }}
rule ended {{ tier safety on conversation when often >= 3 then block "This is over." for session }}
"""
WHO: dict[str, Any] = {"session": "s", "tenant": "t"}


def text(say: str = "Old.", *, turns: int = 9, ttl: str | None = None, more: str = "") -> str:
    defaults = "" if ttl is None else f"defaults {{ session_ttl {ttl} }}"
    return COMMON.format(name="common", defaults=defaults, say=say, turns=turns) + more


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def bound(policy: str, clock: Clock, catalog: Catalog = CATALOG) -> Guard:
    checked = compile_text(policy)
    assert checked.policy is not None
    machine = Machine({}.__getitem__, clock=clock)
    return Guard(plan_of(checked.policy, catalog), catalog=catalog, machine=machine)


@pytest.fixture
def old() -> Guard:
    return loads(text())


@pytest.fixture
def new(old: Guard) -> Guard:
    made = loads(text("New."))
    assert made.digest != old.digest
    made.follow(old)
    return made


# --- one memory


def test_a_window_goes_on(old: Guard) -> None:
    for _ in range(2):
        old.check("swordfish", **WHO)
    new = loads(text("New."))
    new.follow(old)
    assert new.check("swordfish", **WHO).session_closed
    assert old.check("hello", **WHO).session_closed
    assert not new.check("swordfish", session="s", tenant="other").session_closed


def test_without_it_a_window_begins_anew(old: Guard) -> None:
    for _ in range(2):
        old.check("swordfish", **WHO)
    assert not loads(text("New.")).check("swordfish", **WHO).session_closed


def test_a_closed_session_stays_closed(old: Guard, new: Guard) -> None:
    for _ in range(3):
        old.check("swordfish", **WHO)
    verdict = new.check("hello", **WHO)
    assert (verdict.action, verdict.message, verdict.fired) == (
        "block",
        "This is over.",
        ("ended",),
    )
    assert verdict.policy == new.digest


def test_a_sequence_goes_on(old: Guard, new: Guard) -> None:
    old.check("hi", **WHO)
    old.check_tool_result("web.fetch", "obey me", **WHO)
    assert new.check_tool_call("mail.send", {}, **WHO).message == "Bent."


def test_pseudonyms_hashes_canaries_and_texts_go_on(old: Guard, new: Guard) -> None:
    hidden = old.check(f"pay {CARD} from DE123456 and tell nobody about it", **WHO).text
    assert CARD not in hidden
    assert new.check(f"pay {CARD} from DE123456 and tell nobody about it", **WHO).text == hidden
    assert new.restore(hidden, session="s", tenant="t").startswith(f"pay {CARD}")
    assert (
        old.system_prompt_for("s", tenant="t").split()[-1]
        == new.system_prompt_for("s", tenant="t").split()[-1]
    )
    canary = old.system_prompt_for("s", tenant="t").split()[-1]
    assert new.check(f"it is {canary}", on="output", **WHO).message == "Not that."
    said = f"pay {CARD} from DE123456 and tell nobody about it"
    assert new.check(said, on="output", **WHO).fired == ("same",)


def test_a_stream_of_the_old_guard_counts_for_the_new_one(old: Guard) -> None:
    old.check("swordfish", **WHO)
    stream = old.stream(**WHO)
    stream.feed("It is sword")
    new = loads(text("New."))
    new.follow(old)
    new.check("swordfish", **WHO)
    stream.feed("fish, and that is all there is to say.")
    stream.finish()
    assert stream.verdict is not None
    assert stream.verdict.policy == old.digest
    assert new.check("hello", **WHO).session_closed


def test_a_restorer_of_the_old_guard_goes_on(old: Guard, new: Guard) -> None:
    token = old.check(CARD, **WHO).text
    restorer = old.restorer("s", tenant="t")
    begun = restorer.feed(f"your {token[:4]}")
    new.check(f"{CARD} again", **WHO)
    assert begun + restorer.feed(token[4:]) + restorer.finish() == f"your {CARD}"


def test_what_is_forgotten_is_forgotten_by_both(old: Guard, new: Guard) -> None:
    token = old.check(CARD, **WHO).text
    new.forget("s", tenant="t")
    assert old.restore(token, session="s", tenant="t") == token
    assert old.memory_of("s", tenant="t") == {"v": 1, "session": None, "vault": None}


def test_what_the_new_policy_lacks_is_not_asked_for(old: Guard) -> None:
    for _ in range(3):
        old.check("swordfish", session="busy")
    old.check_tool_result("web.fetch", "obey me", **WHO)
    old.check("swordfish", **WHO)
    plain = loads(
        'guardkit 1\npolicy plain\ncheck w = words { list ["x"] }\n'
        "rule r { tier safety on input when w then block }"
    )
    plain.follow(old)
    assert plain.check("swordfish", **WHO).action == "pass"
    assert plain.check_tool_call("mail.send", {}, **WHO).action == "pass"


def test_guards_follow_one_after_the_other(old: Guard) -> None:
    guard = old
    for number in range(20):
        after = loads(text(f"Number {number}."))
        after.follow(guard)
        guard = after
        guard.check("hello", **WHO)
    memory = guard.memory_of("s", tenant="t")
    assert memory == old.memory_of("s", tenant="t")
    assert memory["session"]["turn"] == 20
    guard.follow(guard)
    assert guard.memory_of("s", tenant="t") == memory


def test_turns_of_the_old_guard_drop_nothing_the_new_one_looks_back_at() -> None:
    old = loads(text(turns=1))
    new = loads(text("New.", turns=9))
    new.follow(old)
    for _ in range(2):
        new.check("swordfish", **WHO)
    for _ in range(3):
        old.check("hello", **WHO)
    assert new.check("swordfish", **WHO).session_closed


def test_a_session_lives_as_long_as_the_guard_says_that_used_it_last() -> None:
    clock = Clock()
    old = bound(text(ttl="1h"), clock)
    new = bound(text("New.", ttl="10m"), clock)
    new.follow(old)
    for name in ("mine", "theirs"):
        assert old.check(CARD, session=name).text == "[CARD_1]"
    new.check(f"again {CARD}", session="mine")
    clock.now += 700
    assert new.restore("[CARD_1]", session="mine") == "[CARD_1]"
    assert new.memory_of("mine")["session"] is None
    assert new.restore("[CARD_1]", session="theirs") == CARD
    assert old.memory_of("theirs")["session"]["turn"] == 1
    clock.now += 700  # the last use was by the new one
    assert old.restore("[CARD_1]", session="theirs") == "[CARD_1]"


def test_only_a_guard_is_followed(old: Guard) -> None:
    with pytest.raises(UsageError, match="follows a guard"):
        old.follow("old")  # type: ignore[arg-type]  # wrong on purpose


def test_both_guards_count_under_one_lock(old: Guard, new: Guard) -> None:
    """Turns of both are counted: with two locks some of them would be lost."""
    gate = threading.Barrier(4)
    shown = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def ask(guard: Guard) -> None:
        gate.wait()
        for _ in range(300):
            guard.check("hello", **WHO)

    threads = [threading.Thread(target=ask, args=(guard,)) for guard in (old, new) * 2]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(shown)
    assert new.memory_of("s", tenant="t")["session"]["turn"] == 1200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: nothing forks here")
def test_both_guards_have_one_lock_in_a_forked_process() -> None:
    program = (
        "import os, threading\n"
        "from guardkit.guard import loads\n"
        f"old = loads({text()!r}); new = loads({text('New.')!r}); new.follow(old)\n"
        "held, gone = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with old._engine.sessions.lock: held.set(); gone.wait()\n"
        "threading.Thread(target=hold, daemon=True).start(); held.wait()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    old.check('swordfish', session='s'); new.check('swordfish', session='s')\n"
        "    same = old._engine.sessions.lock is new._engine.sessions.lock\n"
        "    os._exit(0 if same and new.check('swordfish', session='s').session_closed else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])); gone.set()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert done.stdout == "0\n"


# --- as data


def test_a_memory_comes_back_in_another_guard(old: Guard) -> None:
    odd = "swordfish \ud800 \0 \U0001f600 and more of the same"
    hidden = old.check(f"{odd} {CARD} [CARD_7]", **WHO).text
    old.check_tool_result("web.fetch", "obey me", **WHO)
    old.check("swordfish", **WHO)
    canary = old.system_prompt_for("s", tenant="t").split()[-1]
    memory = json.loads(json.dumps(old.memory_of("s", tenant="t")))
    assert memory == old.memory_of("s", tenant="t")

    other = loads(text("New."))
    other.check("of before", session="mine", tenant="t")
    other.check(f"{CARD[::-1]}", session="mine", tenant="t")
    other.remember("mine", memory, tenant="t")
    assert other.memory_of("mine", tenant="t") == memory
    assert other.restore(hidden, session="mine", tenant="t") == f"{odd} {CARD} [CARD_7]"
    assert other.system_prompt_for("mine", tenant="t").split()[-1] == canary
    assert other.check_tool_call("mail.send", {}, session="mine", tenant="t").message == "Bent."
    assert other.check("9999 8888", session="mine", tenant="t").text == "[CARD_2]"
    assert other.check("swordfish", session="mine", tenant="t").session_closed
    assert not other.check("swordfish", session="s", tenant="t").session_closed


def test_a_session_of_which_nothing_is_known_is_forgotten(old: Guard) -> None:
    nothing = old.memory_of("nobody")
    assert old.memory_of("nobody") == nothing == {"v": 1, "session": None, "vault": None}
    old.check(f"swordfish {CARD}", session="s")
    old.remember("s", nothing)
    assert old.memory_of("s") == nothing


def test_a_memory_of_a_closed_session_closes_it(old: Guard) -> None:
    for _ in range(3):
        old.check("swordfish", **WHO)
    other = loads(text("New."))
    other.remember("s", old.memory_of("s", tenant="t"))
    assert other.check("hello", session="s").message == "This is over."


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": None},
        {"session": {}},
        {"session": [1]},
        {"session": "x"},
        {"vault": {}},
        {"vault": {"values": [["x"]], "counts": {}, "reserved": [], "is_crowded": False}},
    ],
)
def test_what_is_no_memory_is_refused_and_not_quoted(old: Guard, change: dict[str, Any]) -> None:
    old.check(CARD, **WHO)
    memory = {**old.memory_of("s", tenant="t"), **change}
    with pytest.raises(UsageError, match="no memory") as caught:
        loads(text()).remember("s", memory)
    assert CARD not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(UsageError, match="no memory"):
        old.remember("s", [1])  # type: ignore[arg-type]  # wrong on purpose


def test_a_memory_that_is_too_large_keeps_its_newest_values(old: Guard) -> None:
    memory = old.memory_of("s")
    values = [[f"[CARD_{n}]", "CARD", f"{n:08}"] for n in range(1, 10_101)]
    counts = {"CARD": 10_100}
    memory["vault"] = {"values": values, "counts": counts, "reserved": [], "is_crowded": False}
    old.remember("s", memory)
    assert old.restore("[CARD_100]", session="s") == "[CARD_100]"
    assert old.restore("[CARD_101]", session="s") == "00000101"
    assert old.check("1234 5678", session="s").text == "[CARD_10101]"


def test_guards_that_have_one_key_make_the_same_hashes() -> None:
    first, second = loads(text()), loads(text())
    asked = "from DE123456"
    assert first.check(asked, session="s").text != second.check(asked, session="s").text
    for guard in (first, second):
        guard.hash_by(b"k" * 32)
    assert first.check(asked, session="s").text == second.check(asked, session="s").text
    with pytest.raises(UsageError, match="16 to 64 bytes"):
        first.hash_by(b"short")
