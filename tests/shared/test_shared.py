"""The key, what is sealed with it, and the one object that has it all."""

from __future__ import annotations

import base64
import copy
import pickle
import re

import pytest

from guardkit.errors import BindError, CheckError, UsageError
from guardkit.shared import STATE_KEY, Shared, state_key
from guardkit.shared._keys import Keys

KEY = bytes(range(32))


@pytest.mark.parametrize(
    "spelled",
    [
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.b64encode(KEY).decode().rstrip("="),
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        f" {KEY.hex()}\n",
    ],
)
def test_a_key_is_spelled_in_hex_or_base64(spelled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_key(spelled) in (KEY, b"\xff" * 32)
    monkeypatch.setenv(STATE_KEY, spelled)
    assert state_key() in (KEY, b"\xff" * 32)


@pytest.mark.parametrize("spelled", ["zz" * 32, "abcd", "ä" * 43, "A" * 44 + "!", KEY.hex() + "00"])
def test_what_is_no_key_is_refused_and_not_quoted(spelled: str) -> None:
    with pytest.raises(BindError, match="32 bytes") as caught:
        state_key(spelled)
    assert spelled not in str(caught.value)


@pytest.mark.parametrize("spelled", ["", "  "])
def test_no_key_is_said(spelled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_KEY, spelled)
    with pytest.raises(BindError, match=STATE_KEY):
        Shared("redis://127.0.0.1")
    monkeypatch.delenv(STATE_KEY)
    with pytest.raises(BindError, match=STATE_KEY):
        Shared("redis://127.0.0.1")


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "redis://u:hunter2@127.0.0.1:port/x"])
def test_what_is_no_address_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(UsageError, match="redis://") as caught:
        Shared(url, KEY)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_no_repr_shows_an_address_or_a_key() -> None:
    shared = Shared("redis://user:hunter2@127.0.0.1:1/0", KEY)
    things = (shared, shared.holds, shared.quotas, shared.sessions, shared._link, Keys(KEY))
    shown = " ".join(map(repr, things))
    assert "hunter2" not in shown
    assert re.search(r"\b[0-9a-f]{8}|\\x", shown) is None


def test_a_sealed_text_opens_only_in_its_place() -> None:
    keys = Keys(KEY)
    text = 'ä"\0\ud800\U0001f600'
    sealed = keys.seal(text, "hold", "1")
    assert keys.unseal(sealed, "hold", "1") == text
    assert keys.seal(text, "hold", "1") != sealed
    for around in (("hold", "2"), ("hold",), ("hold1", ""), ("1", "hold"), ("hol", "d1")):
        with pytest.raises(CheckError, match="does not open"):
            keys.unseal(sealed, *around)
    with pytest.raises(CheckError):
        Keys(b"o" * 32).unseal(sealed, "hold", "1")
    for broken in (b"", sealed[:1], sealed[:20], sealed[:-1], b"\x02" + sealed[1:]):
        with pytest.raises(CheckError):
            keys.unseal(broken, "hold", "1")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(CheckError):
            keys.unseal(bytes(changed), "hold", "1")


def test_names_need_the_key_and_are_never_alike() -> None:
    keys = Keys(KEY)
    names = [("a", "b"), ("ab",), ("a", "b", ""), ("", "ab"), ("b", "a"), ("\ud800",)]
    made = {keys.name(*parts) for parts in names}
    assert len(made) == len(names)
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in made)
    assert keys.name("a") == Keys(KEY).name("a") != Keys(b"o" * 32).name("a")


def test_keys_are_neither_copied_nor_of_another_length() -> None:
    keys = Keys(KEY)
    for take in (copy.copy, pickle.dumps):
        with pytest.raises(UsageError, match="copied"):
            take(keys)
    with pytest.raises(UsageError, match="32 bytes"):
        Keys(b"short")


def test_each_use_has_a_key_of_its_own() -> None:
    keys = Keys(KEY)
    assert len({KEY, keys.hashes, keys._names, keys._texts}) == 4
    assert Shared("redis://127.0.0.1", KEY).hash_key == keys.hashes
