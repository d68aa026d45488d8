"""What several callables and the guards of successive policies know was judged before."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from guardkit.errors import Blocked, UsageError
from guardkit.guard import Guard, loads
from guardkit.wrap import Judgements, wrap

POLICY = """guardkit 1
policy counted
check secret = words   {{ list ["swordfish"{more}] }}
check card   = pattern {{ match /\\b\\d{{4}} \\d{{4}}\\b/  label "card" }}
rule rude  {{ tier ethics on input when secret then flag }}
rule mask  {{ tier safety on input when card then rewrite matches as "[C]" }}
{rules}
window often {{ count rude last 9 turns per session }}
rule ended {{ tier safety on conversation when often >= 2 then block "This is over." for session }}
"""
ANSWER = {"role": "assistant", "content": "ok"}


def policy(more: str = "", rules: str = "") -> str:
    return POLICY.format(more=more, rules=rules)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


class Asked:
    """A guard, and the texts it was asked about."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.texts: list[str] = []
        self.again: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.guard, name)

    def clear(self, text: str, surface: str) -> bool:
        return False

    def check(self, text: str, **keys: Any) -> Any:
        if keys["on"] == "input":
            self.texts.append(text)
            self.again.append(keys.get("again", False))
        return self.guard.check(text, **keys)


def silent(messages: Any) -> str:
    return "ok"


def chat(guard: Any, known: Judgements | None = None, tenant: str = "") -> Any:
    return wrap(guard, silent, session="s", tenant=tenant, known=known)


def is_over(guard: Guard) -> bool:
    return guard.check("hello", session="s", same_turn=True).session_closed


def test_callables_that_share_it_judge_a_message_once() -> None:
    guard = Asked(loads(policy()))
    known = Judgements()
    history: list[Any] = [user("swordfish")]
    chat(guard, known)(history)
    history += [ANSWER, user("and on")]
    chat(guard, known)(history)
    assert guard.texts == ["swordfish", "ok", "and on"]
    assert not is_over(guard.guard)


def test_each_has_its_own_where_none_is_given() -> None:
    guard = Asked(loads(policy()))
    history: list[Any] = [user("hello")]
    chat(guard)(history)
    chat(guard)(history)
    assert guard.texts == ["hello", "hello"]


def test_a_new_policy_judges_the_history_and_counts_none_of_it_twice() -> None:
    known = Judgements()
    old = loads(policy())
    history: list[Any] = [user("swordfish"), ANSWER, user("go on")]
    chat(old, known)(history)
    new = loads(policy(more=', "sesame"'))
    new.follow(old)
    asked = Asked(new)
    history += [ANSWER, user("and on")]
    chat(asked, known)(history)
    assert asked.texts == ["swordfish", "ok", "go on", "ok", "and on"]
    # All but the last answer, which the client wrote, and the last question were counted before.
    assert asked.again == [True, True, True, False, False]
    assert not is_over(new)
    with pytest.raises(Blocked):
        chat(new, known)([*history, ANSWER, user("swordfish")])


def test_a_question_asked_again_under_a_new_policy_is_not_counted_twice() -> None:
    known = Judgements()
    old = loads(policy())
    chat(old, known)([user("swordfish")])
    new = loads(policy(more=', "sesame"'))
    new.follow(old)
    asked = Asked(new)
    chat(asked, known)([user("swordfish")])
    assert asked.texts == ["swordfish"]
    assert asked.again == [True]
    assert not is_over(new)
    assert new.memory_of("s")["session"]["turn"] == 1


def test_what_the_new_policy_forbids_is_found_in_the_history() -> None:
    known = Judgements()
    old = loads(policy())
    history: list[Any] = [user("open sesame")]
    chat(old, known)(history)
    rules = (
        'check door = words { list ["sesame"] }\n'
        'rule shut { tier safety on input when door then block "Shut." }'
    )
    new = loads(policy(rules=rules))
    new.follow(old)
    with pytest.raises(Blocked) as caught:
        chat(new, known)([*history, ANSWER, user("go on")])
    assert caught.value.verdict.message == "Shut."


def test_the_old_guard_goes_on_beside_the_new_one() -> None:
    known = Judgements()
    old, new = loads(policy()), loads(policy(more=', "sesame"'))
    new.follow(old)
    history: list[Any] = [user("swordfish")]
    for turn in range(6):
        chat((old, new)[turn % 2], known)(history)
        history += [ANSWER, user(f"go on {turn}")]
    assert not is_over(new)


def test_a_rewritten_message_is_rewritten_by_every_callable() -> None:
    known = Judgements()
    guard = loads(policy())
    went: list[Any] = []
    for _ in range(2):
        wrapped = wrap(
            guard, lambda messages: went.append(messages) or "ok", session="s", known=known
        )
        wrapped([user("pay 1234 5678")])
    assert [messages[0]["content"] for messages in went] == ["pay [C]", "pay [C]"]


def test_tenants_share_nothing() -> None:
    known = Judgements()
    guard = Asked(loads(policy()))
    for tenant in ("a", "b", "a"):
        chat(guard, known, tenant)([user("hello")])
    assert guard.texts == ["hello", "hello"]


def test_a_guard_without_a_digest_is_one_policy() -> None:
    class Plain(Asked):
        def __getattr__(self, name: str) -> Any:
            if name == "digest":
                raise AttributeError(name)
            return super().__getattr__(name)

    guard, known = Plain(loads(policy())), Judgements()
    for _ in range(2):
        chat(guard, known)([user("hello")])
    assert guard.texts == ["hello"]


# --- as data


def test_judgements_come_back_in_another_process() -> None:
    known = Judgements()
    guard = loads(policy())
    history: list[Any] = [user("swordfish"), ANSWER, user("pay 1234 5678")]
    chat(guard, known, "t")(history)
    memory = json.loads(json.dumps(known.memory_of("s", tenant="t")))
    assert "swordfish" not in json.dumps(memory)
    assert len(memory["under"]) == 6
    other, asked = Judgements(), Asked(loads(policy()))
    other.remember("s", memory, tenant="t")
    assert other.memory_of("s", tenant="t") == memory
    asked.guard.remember("s", guard.memory_of("s", tenant="t"), tenant="t")
    chat(asked, other, "t")([*history, ANSWER, user("go on")])
    assert asked.texts == ["pay 1234 5678", "ok", "go on"]
    assert asked.again == [True, False, False]


def test_what_is_known_is_replaced_and_forgotten() -> None:
    known = Judgements()
    guard = Asked(loads(policy()))
    chat(guard, known)([user("hello")])
    known.remember("s", Judgements().memory_of("s"))
    assert known.memory_of("s") == {"v": 1, "policies": [], "digests": "", "under": []}
    chat(guard, known)([user("hello")])
    known.forget("s")
    chat(guard, known)([user("hello")])
    assert guard.texts == ["hello"] * 3


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"v": None}, {"digests": 7}, {"digests": "zz"}, {"under": [0]}, {"under": [9, 9]}],
)
def test_what_are_no_judgements_are_refused(change: dict[str, Any]) -> None:
    known = Judgements()
    chat(loads(policy()), known)([user("hello")])
    with pytest.raises(UsageError, match="no judgements"):
        known.remember("s", {**known.memory_of("s"), **change})
    assert len(known.memory_of("s")["under"]) == 2
    with pytest.raises(UsageError, match="no judgements"):
        known.remember("s", [])  # type: ignore[arg-type]  # wrong on purpose


def test_threads_share_it() -> None:
    guard, known = loads(policy()), Judgements()

    def talk(name: str) -> None:
        wrapped = wrap(guard, silent, session=name, known=known)
        history: list[Any] = []
        for number in range(30):
            history += [user(f"{number}"), ANSWER]
            wrapped(history[:-1])

    threads = [threading.Thread(target=talk, args=(f"s{n % 2}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("s0", "s1"):
        assert guard.memory_of(name)["session"]["turn"] >= 30
        assert len(known.memory_of(name)["under"]) == 118
