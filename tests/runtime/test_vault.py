"""Pseudonyms: one value, one token, one session; and only there the way back."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import random
import sys
import threading
import tracemalloc
import weakref

import pytest

from guardkit.errors import UsageError
from guardkit.runtime._vault import Vault, hashed


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(clock: Clock) -> Vault:
    return Vault(ttl_s=60, clock=clock)


def restored(vault: Vault, chunks: list[str], *, as_json: bool = False) -> str:
    restorer = vault.restorer("", "s", as_json=as_json)
    return "".join([*map(restorer.feed, chunks), restorer.finish()])


# --- numbers


def test_a_value_keeps_its_token(vault: Vault) -> None:
    asked = [("CARD", "4111"), ("CARD", "4222"), ("IBAN", "4111"), ("CARD", "4111")]
    assert [vault.token("", "s", *one) for one in asked] == [
        "[CARD_1]",
        "[CARD_2]",
        "[IBAN_1]",
        "[CARD_1]",
    ]


@pytest.mark.parametrize(
    ("label", "token"),
    [
        ("CARD", "[CARD_1]"),
        ("CREDIT CARD", "[CREDIT_CARD_1]"),
        ("A_1", "[A_1_1]"),
        ("KÄRTE", "[KÄRTE_1]"),
        ("a[b]c", "[a_b_c_1]"),
        ("", "[__1]"),
        ("X" * 100, f"[{'X' * 64}_1]"),
        ("]\n[", "[__1]"),
    ],
)
def test_any_label_gives_a_token_that_is_found_again(vault: Vault, label: str, token: str) -> None:
    assert vault.token("", "s", label, "secret") == token
    assert vault.restore("", "s", f"<{token}>") == "<secret>"
    assert restored(vault, list(f"<{token}>")) == "<secret>"


def test_labels_that_come_out_equal_share_their_numbers(vault: Vault) -> None:
    assert vault.token("", "s", "A B", "x") == "[A_B_1]"
    assert vault.token("", "s", "A_B", "y") == "[A_B_2]"
    assert vault.restore("", "s", "[A_B_1][A_B_2]") == "xy"


def test_what_a_text_already_holds_becomes_no_token(vault: Vault) -> None:
    vault.reserve("", "s", "I saw [CARD_1] and [CARD_3], [[CARD_4], [CARD_007]")
    tokens = [vault.token("", "s", "CARD", value) for value in "abc"]
    assert tokens == ["[CARD_2]", "[CARD_5]", "[CARD_6]"]
    assert vault.restore("", "s", "[CARD_1] [CARD_2]") == "[CARD_1] a"
    assert vault.token("", "other", "CARD", "a") == "[CARD_1]"


def test_reserving_a_token_in_use_changes_nothing(vault: Vault) -> None:
    vault.token("", "s", "CARD", "4111")
    vault.reserve("", "s", "my [CARD_1]")
    assert vault.token("", "s", "CARD", "4111") == "[CARD_1]"
    assert vault.restore("", "s", "[CARD_1]") == "4111"


def test_a_text_without_anything_like_a_token_makes_no_session(vault: Vault) -> None:
    vault.reserve("", "s", "plain [text] with [CARD] and [_] and [CARD_x]")
    assert len(vault) == 0


def test_a_flood_of_look_alikes_is_not_kept(clock: Clock) -> None:
    vault = Vault(ttl_s=60, clock=clock, max_values=100)
    vault.reserve("", "s", "".join(f"[CARD_{i}]" for i in range(5000)))
    first, second = (vault.token("", "s", "CARD", value) for value in "ab")
    assert len(first) == len(second) == len("[CARD_]") + 12  # drawn by lot
    assert first != second
    assert vault.restore("", "s", first + second + "[CARD_1]") == "ab[CARD_1]"


# --- the way back


def test_strangers_stay(vault: Vault) -> None:
    vault.token("", "s", "CARD", "4111")
    text = "[CARD_2] [card_1] [CARD_01] [CARD_1 CARD_1] [IBAN_1] [ CARD_1 ] [] [[ ]]"
    assert vault.restore("", "s", text) == text
    assert vault.restore("", "s", "[[CARD_1]]") == "[4111]"
    assert vault.restore("", "nobody", "[CARD_1]") == "[CARD_1]"
    assert len(vault) == 1


def test_a_value_that_looks_like_a_token_is_not_restored_again(vault: Vault) -> None:
    vault.token("", "s", "A", "[A_2]")
    vault.token("", "s", "A", "[A_1]")
    assert vault.restore("", "s", "[A_1][A_2]") == "[A_2][A_1]"
    assert restored(vault, list("[A_1][A_2]")) == "[A_2][A_1]"


def test_a_json_text_stays_json(vault: Vault) -> None:
    value = 'a "b" \\ \n é \ud800'
    vault.token("", "s", "KÄRTE", value)
    for ensure_ascii in (False, True):
        text = json.dumps({"to": ["x", "<[KÄRTE_1]>"], "n": 1}, ensure_ascii=ensure_ascii)
        done = vault.restore("", "s", text, as_json=True)
        assert json.loads(done) == {"to": ["x", f"<{value}>"], "n": 1}
        assert restored(vault, list(text), as_json=True) == done


def test_plain_data_is_restored_in_its_strings(vault: Vault) -> None:
    vault.token("", "s", "CARD", "4111")
    data = {"a": ["[CARD_1]", 1, None, {"b": ("x[CARD_1]", True)}], "[CARD_1]": 2.5}
    assert vault.restored("", "s", data) == {
        "a": ["4111", 1, None, {"b": ["x4111", True]}],
        "[CARD_1]": 2.5,
    }


# --- streams

VALUES = ["4111 1111", "[CARD_1]", "[", "", "ä\U0001f600", "]]"]
TEXTS = [
    "",
    "[CARD_1]",
    "a[CARD_1]b[CARD_2][CARD_3]",
    "[[CARD_1]]",
    "[CARD_[CARD_2]",
    "[CARD_1[CARD_1][",
    "no [CARD_12] such [CARD_",
    "[" * 30 + "CARD_1]",
    "ends in [CARD",
    "[IBAN_1] [CARD_4]\n[CARD_5]-[CARD_6]",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_stream_does_not_depend_on_its_cuts(vault: Vault, text: str) -> None:
    for value in VALUES:
        vault.token("", "s", "CARD", value)
    whole = vault.restore("", "s", text)
    assert restored(vault, [text]) == whole
    assert restored(vault, list(text)) == whole
    for i in range(len(text) + 1):
        assert restored(vault, [text[:i], text[i:]]) == whole
        for j in range(i, len(text) + 1):
            assert restored(vault, [text[:i], text[i:j], text[j:]]) == whole


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.full)])
def test_random_streams_equal_the_whole(vault: Vault, count: int) -> None:
    random_ = random.Random(7)
    for value in VALUES:
        vault.token("", "s", random_.choice(["CARD", "CARD_1", "C"]), value)
    for _ in range(count):
        text = "".join(random_.choices(["[", "]", "C", "CARD", "_", "1", "2", " "], k=30))
        cuts = sorted(random_.choices(range(len(text) + 1), k=5))
        chunks = [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert restored(vault, chunks) == vault.restore("", "s", text)


def test_only_a_live_prefix_is_held_back(vault: Vault) -> None:
    vault.token("", "s", "CARD", "4111")
    restorer = vault.restorer("", "s")
    fed = ["a [", "C", "AR", "T", "[CARD_", "1", "]", "[CARD_1", "x", "[1", " ["]
    given = ["a ", "", "", "[CART", "", "", "4111", "", "[CARD_1x", "[1", " "]
    assert [restorer.feed(chunk) for chunk in fed] == given
    assert restorer.finish() == "["
    assert restorer.finish() == ""


def test_a_session_without_tokens_holds_nothing_back(vault: Vault) -> None:
    restorer = vault.restorer("", "s")
    assert restorer.feed("[CARD_") == "[CARD_"
    assert len(vault) == 0


def test_a_stream_keeps_what_it_gets_itself(vault: Vault) -> None:
    """A rule that puts a pseudonym into a reply must not be undone on the way out."""
    vault.token("", "s", "CARD", "asked")
    restorer = vault.restorer("", "s")
    fresh = vault.token("", "s", "CARD", "answered")
    assert restorer.feed(f"[CARD_1] {fresh}") == "asked [CARD_2]"


def test_what_is_forgotten_meanwhile_is_not_given_back(vault: Vault) -> None:
    vault.token("", "s", "CARD", "4111")
    restorer = vault.restorer("", "s")
    assert restorer.feed("[CARD_1] [CAR") == "4111 "
    vault.forget("", "s")
    assert restorer.feed("D_1]") == "[CARD_1]"


def test_a_long_run_of_brackets_is_linear(vault: Vault) -> None:
    vault.token("", "s", "CARD", "4111")
    text = "[" * 200_000 + "[CARD_1" * 20_000 + "]"
    assert vault.restore("", "s", text).endswith("4111")
    assert restored(vault, [text[i : i + 100] for i in range(0, len(text), 100)]).endswith("4111")


# --- apart


@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.full)])
def test_tenants_and_sessions_are_apart(vault: Vault, count: int) -> None:
    """Interleaved at random, each session is what it would be alone."""
    random_ = random.Random(1)
    names = [(tenant, session) for tenant in ("a", "b", "") for session in ("s", "t", "a", "")]
    alone: dict[tuple[str, str], dict[str, str]] = {name: {} for name in names}
    for _ in range(count):
        name = random_.choice(names)
        tokens = alone[name]
        value = f"{random_.randrange(40)}"
        own = tokens.setdefault(value, f"[CARD_{len(tokens) + 1}]")
        assert vault.token(*name, "CARD", value) == own
        asked = f"[CARD_{random_.randrange(1, 45)}]"
        meant = {token: value for value, token in tokens.items()}.get(asked, asked)
        assert vault.restore(*name, asked) == meant
        assert vault.restorer(*name).feed(asked) == meant
    assert len(vault) == len(names)


def test_64_threads_agree(clock: Clock) -> None:
    vault = Vault(ttl_s=60, clock=clock)
    problems: list[object] = []

    def work(seed: int) -> None:
        random_ = random.Random(seed)
        try:
            for _ in range(60):
                session, value = f"s{random_.randrange(4)}", f"v{random_.randrange(20)}"
                token = vault.token("", session, "X", value)
                if vault.restore("", session, token) != value:
                    problems.append((session, token))
                if random_.random() < 0.1:
                    vault.reserve("", session, "[Y_1]")
        except BaseException as error:  # noqa: BLE001 - it is told below
            problems.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(64)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert problems == []
    for session in ("s0", "s1", "s2", "s3"):
        tokens = [vault.token("", session, "X", f"v{i}") for i in range(20)]
        assert sorted(tokens) == sorted(f"[X_{i}]" for i in range(1, 21))


# --- forgetting


def test_a_session_expires_after_its_last_use(vault: Vault, clock: Clock) -> None:
    vault.token("", "s", "CARD", "4111")
    for _ in range(5):
        clock.now += 59
        assert vault.restore("", "s", "[CARD_1]") == "4111"
    clock.now += 60
    assert vault.restore("", "s", "[CARD_1]") == "[CARD_1]"
    assert vault.token("", "s", "CARD", "4222") == "[CARD_1]"


def test_other_calls_sweep_out_what_expired(vault: Vault, clock: Clock) -> None:
    for i in range(10):
        vault.token("", f"s{i}", "CARD", "4111")
        clock.now += 10
    assert len(vault) == 6
    clock.now += 60
    vault.expire()
    assert len(vault) == 0
    assert "0 pseudonyms" in repr(vault)


class Told(str):
    """A string that can be seen going."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("how", ["forget", "expire", "push out", "too many sessions"])
def test_forgetting_drops_the_value(clock: Clock, how: str) -> None:
    vault = Vault(ttl_s=60, clock=clock, max_values=2, max_sessions=2)
    value = Told("4111")
    seen = weakref.ref(value)
    vault.token("", "s", "CARD", value)
    del value
    gc.collect()
    assert seen() is not None
    match how:
        case "forget":
            vault.forget("", "s")
            vault.forget("", "s")
        case "expire":
            clock.now += 60
            vault.expire()
        case "push out":
            vault.token("", "s", "CARD", "4222")
            vault.token("", "s", "CARD", "4333")
            assert vault.restore("", "s", "[CARD_1][CARD_2][CARD_3]") == "[CARD_1]42224333"
            assert vault.token("", "s", "CARD", "4111") == "[CARD_4]"  # never a number twice
        case _:
            vault.token("", "t", "CARD", "4222")
            vault.token("", "u", "CARD", "4333")
    gc.collect()
    assert seen() is None


def test_a_tenant_with_many_sessions_pushes_out_its_own(clock: Clock) -> None:
    vault = Vault(ttl_s=60, clock=clock, max_sessions=20)
    vault.token("quiet", "s", "CARD", "4111")
    for i in range(200):
        vault.token("loud", f"s{i}", "CARD", "4222")
    assert len(vault) == 20
    assert vault.restore("quiet", "s", "[CARD_1]") == "4111"
    assert vault.restore("loud", "s199", "[CARD_1]") == "4222"
    assert vault.restore("loud", "s1", "[CARD_1]") == "[CARD_1]"


def test_a_tenant_with_much_text_pushes_out_its_own(clock: Clock) -> None:
    vault = Vault(ttl_s=60, clock=clock, max_chars=80_000)
    vault.token("quiet", "s", "CARD", "4111")
    for i in range(100):
        vault.token("loud", f"s{i}", "CARD", "x" * 5000)
    assert vault.restore("quiet", "s", "[CARD_1]") == "4111"
    assert 10 < len(vault) < 20


def test_memory_is_bounded(clock: Clock) -> None:
    vault = Vault(ttl_s=60, clock=clock, max_sessions=50, max_values=100, max_chars=400_000)
    random_ = random.Random(3)
    tracemalloc.start()
    try:
        for i in range(6000):
            session = f"s{random_.randrange(500)}"
            vault.token("", session, random_.choice("ABC"), f"{i}" * random_.randrange(400))
            if i % 50 == 0:
                vault.reserve("", session, "".join(f"[Z{i}_{j}]" for j in range(200)))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(vault) <= 50
    assert used < 3_000_000


def test_a_value_too_large_to_keep_still_gets_a_token(clock: Clock) -> None:
    vault = Vault(ttl_s=60, clock=clock, max_chars=8_000)
    token = vault.token("", "s", "CARD", "x" * 5000)
    assert token == "[CARD_1]"
    assert vault.restore("", "s", token) == token
    assert vault.token("", "s", "CARD", "4111") == "[CARD_2]"


# --- what is never told


def test_no_repr_shows_a_value(vault: Vault) -> None:
    vault.token("", "s", "CARD", "4111")
    restorer = vault.restorer("", "s")
    restorer.feed("secret [CAR")
    inner = next(iter(vault._kept.sessions.values()))
    for thing in (vault, restorer, inner):
        assert "4111" not in repr(thing)
        assert "CAR" not in repr(thing)
    assert repr(vault) == "<Vault: 1 pseudonyms in 1 sessions>"


def test_nothing_is_copied_or_serialised(vault: Vault) -> None:
    for thing in (vault, vault.restorer("", "s")):
        for take in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(UsageError, match="serialised"):
                take(thing)


@pytest.mark.parametrize(
    "limits", [{"ttl_s": 0}, {"max_sessions": 0}, {"max_values": 0}, {"max_chars": -1}]
)
def test_limits_are_positive(limits: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Vault(**limits)


def test_a_hash_needs_its_key() -> None:
    told = hashed(b"key", "CARD", "4111")
    assert len(told) == 16
    assert int(told, 16) >= 0
    others = [
        hashed(b"kez", "CARD", "4111"),
        hashed(b"key", "IBAN", "4111"),
        hashed(b"key", "CARD", "4112"),
        hashed(b"key", "CARD", "\ud800"),
    ]
    assert len({told, *others}) == 5
    assert told == hashed(b"key", "CARD", "4111")
