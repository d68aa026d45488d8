"""Keys open exactly what their file says, in a time that tells nothing, and are never repeated."""

from __future__ import annotations

import doctest
import logging
import os
import stat
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from guardkit.errors import BindError, UsageError
from guardkit.server import _keys as keys_module
from guardkit.server._http import Request
from guardkit.server._keys import (
    MOST_BYTES,
    Keys,
    _is_open_to_others,
    key_of,
    new_key,
)
from guardkit.server._tenant import Tenant
from guardkit.wire import Fault

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        """A keys file as an operator leaves it: replaced as a whole, and some time ago."""
        file = tmp_path / "keys.toml"
        new = tmp_path / "keys.new"
        new.write_text(text, encoding="utf-8")
        new.chmod(0o600)
        settle(new)
        new.replace(file)
        return file

    return write


def settle(file: Path) -> None:
    """Have been written a minute ago."""
    then = time.time() - 60
    os.utime(file, (then, then))


def request(**headers: str) -> Request:
    async def read() -> bytes:
        return b""

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/v1/chat/completions", {}, named, "192.0.2.7", "d", read)


def refused(file: Path) -> tuple[str, ...]:
    with pytest.raises(BindError) as caught:
        Keys.read(file)
    return caught.value.problems


# --- what opens


def test_each_key_opens_its_tenant(write: Write, tmp_path: Path) -> None:
    (tmp_path / "acme.guard").write_text("policy")
    (one, first), (two, second), (other, third) = new_key("acme"), new_key("acme"), new_key("b_1-x")
    keys = Keys.read(
        write(
            f"""
            [tenants.acme]
            keys = [
              {first}  # the app
              {second.upper().replace("SHA256", "sha256")}
            ]
            policy = "acme.guard"
            per_minute = 600
            at_once = 32

            [tenants.b_1-x]
            keys = [{third}]
            policy = "chat"
            """
        )
    )
    acme = Tenant("acme", str(tmp_path / "acme.guard"), 600, 32)
    assert keys.tenants == (acme, Tenant("b_1-x", "chat"))
    assert [keys.tenant_of(key) for key in (one, two, other)] == [
        acme,
        acme,
        Tenant("b_1-x", "chat"),
    ]
    assert keys.problems == ()


def test_a_new_key_has_256_bits_and_its_tenant_in_it() -> None:
    made = {new_key("acme").key for _ in range(1000)}
    assert len(made) == 1000
    assert all(key.startswith("gk_acme_") and len(key) == len("gk_acme_") + 43 for key in made)
    longest = "a" * 63
    assert new_key(longest).key.startswith(f"gk_{longest}_")
    for name in ("", "Acme", "a" * 64, "-a", "ä", "a b", "a\n"):
        with pytest.raises(UsageError):
            new_key(name)


def test_nothing_else_opens(write: Write) -> None:
    key, line = new_key("acme")
    keys = Keys.read(write(f"[tenants.acme]\nkeys = [{line}]\n"))
    random = Random("keys")
    assert keys.tenant_of(key) is not None
    for place in range(len(key)):
        for sign in "aZ09_-\n\0é":
            if sign != key[place]:
                assert keys.tenant_of(key[:place] + sign + key[place + 1 :]) is None
        assert keys.tenant_of(key[:place] + key[place + 1 :]) is None
    for wrong in (
        "",
        " ",
        key + "a",
        key + "\n",
        " " + key,
        key.upper(),
        line,
        line[1:-2],
        "\ud800",
    ):
        assert keys.tenant_of(wrong) is None
    for _ in range(10_000):
        wrong = "gk_acme_" + "".join(random.choices("abcdefXYZ0189_-", k=43))
        assert keys.tenant_of(wrong) is None


def test_a_thought_up_word_opens_nothing_even_with_its_digest_in_the_file(write: Write) -> None:
    for word in ("hunter2", "gk_acme_short", "gk_other_" + "x" * 43):
        digest = sha256(word.encode()).hexdigest()
        keys = Keys.read(write(f'[tenants.acme]\nkeys = ["sha256:{digest}"]\n'))
        assert keys.tenant_of(word) is None


def test_a_key_under_another_tenant_opens_nothing(write: Write) -> None:
    key, line = new_key("acme")
    keys = Keys.read(write(f"[tenants.other]\nkeys = [{line}]\n"))
    assert keys.tenant_of(key) is None


# --- in how much time


def fastest(call: Callable[[str], object], texts: list[str]) -> float:
    """Seconds for one text: the least of many runs, which noise can only make longer."""
    best = 1.0
    for _ in range(10):
        start = time.perf_counter()
        for text in texts:
            call(text)
        best = min(best, (time.perf_counter() - start) / len(texts))
    return best


def test_the_time_tells_neither_how_many_keys_there_are_nor_how_near_one_was(write: Write) -> None:
    key, line = new_key("acme")
    few = Keys.read(write(f"[tenants.acme]\nkeys = [{line}]\n"))
    lines = "\n".join(new_key("many").line for _ in range(20_000))
    many = Keys.read(
        write(f"[tenants.acme]\nkeys = [{line}]\n[tenants.many]\nkeys = [\n{lines}\n]\n")
    )
    sign = "b" if key[10] == "a" else "a"
    early = [key[:8] + sign * n + key[8 + n :] for n in range(1, 44)]
    late = [key[:-n] + sign * n for n in range(1, 44)]
    other = ["gk_acme_" + sign * n + "c" * (43 - n) for n in range(43)]
    cases = [(keys, texts) for keys in (few, many) for texts in (early, late, other, [key] * 43)]
    # Round after round, so that a machine whose speed changes is as fast for one as for another.
    rounds = [[fastest(keys.tenant_of, texts) for keys, texts in cases] for _ in range(60)]
    times = [min(column) for column in zip(*rounds, strict=True)]
    assert max(times) < 1.6 * min(times), times
    assert max(times) < 50e-6


# --- what is wrong with a file


def test_every_mistake_is_said_at_once(write: Write) -> None:
    key, line = new_key("a")
    file = write(
        f"""
        defaults = 1

        [tenants.a]
        keys = [{line} {line} "{key}", "sha256:12", 7, "sha256:{sha256(b"").hexdigest()}"]
        per_minut = 5
        per_minute = 0
        at_once = true
        policy = "gone.guard"
        {key} = 1

        [tenants.b]
        keys = [{line}]
        per_minute = 1.5
        policy = ["x"]

        [tenants.c]

        [tenants.Acme]
        keys = [{line}]

        [tenants."{key}"]
        keys = []

        [tenants]
        d = "no table"
        """.replace("[tenants]\n        d", "[tenants.d]\n        keys")
    )
    problems = refused(file)
    assert problems == (
        "the keys file has `defaults`, and all it may have is `tenants`",
        "`Acme` is no name of a tenant: up to 63 of `a` to `z`, `0` to `9`, `_` and `-` were"
        " expected, the first a letter or a digit",
        "tenant `a`: `per_minut` is no option; did you mean `per_minute`?",
        "tenant `a`: a word not shown here is no option",
        "tenant `a`: there is no policy `gone.guard` beside the keys file",
        "tenant `a`: `per_minute` has to be a whole number from 1 to 1000000000",
        "tenant `a`: `at_once` has to be a whole number from 1 to 1000000000",
        "tenant `a`: key 2 is the same as key 1",
        "tenant `a`: key 3 stands here in clear: its digest is what belongs here",
        "tenant `a`: key 4 is no `sha256:` with 64 hexadecimal digits",
        "tenant `a`: key 5 is no `sha256:` with 64 hexadecimal digits",
        "tenant `a`: key 6 is the digest of an empty text",
        "tenant `b`: `policy` has to be the path of a policy, or the name of one that ships",
        "tenant `b`: `per_minute` has to be a whole number from 1 to 1000000000",
        "tenant `b`: key 1 is one of tenant `a`, too",
        "tenant `c`: `keys` has to be a list of at least one digest",
        "tenant `d`: `keys` has to be a list of at least one digest",
        "`…` is no name of a tenant: up to 63 of `a` to `z`, `0` to `9`, `_` and `-` were"
        " expected, the first a letter or a digit",
    )
    assert key not in repr(problems)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "needs a table `[tenants.NAME]` for at least one tenant"),
        (b"tenants = 3", "needs a table `[tenants.NAME]` for at least one tenant"),
        (b"[tenants]", "needs a table `[tenants.NAME]` for at least one tenant"),
        (b"[tenants]\na = 3", "tenant `a`: a table was expected"),
        (b"a = \xff", "is not UTF-8"),
        (b"[tenants.a]\nkeys = gk_a_secret", "is no valid TOML at line 2, column 8"),
        (b"a = " + b"[" * 20_000, "is nested too deeply"),
        (b"a = " + b"9" * 5_000, "is no valid TOML"),
        (b"#" * (MOST_BYTES + 1), "is larger than 8 MiB"),
    ],
    ids=lambda value: str(value[:20]),
)
def test_a_file_that_is_none_is_refused(write: Write, content: bytes, says: str) -> None:
    file = write("")
    file.write_bytes(content)
    assert len(refused(file)) == 1
    assert refused(file)[0].endswith(says)
    assert "secret" not in repr(refused(file))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.toml")[0].endswith("cannot be read: no such file or directory")
    assert refused(tmp_path)[0].endswith("cannot be read: is a directory")
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refused(tmp_path / "pipe")[0].endswith("cannot be read: it is no file")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602, 0o601, 0o700, 0o400])
def test_nobody_else_may_get_at_the_file(write: Write, mode: int) -> None:
    file = write(f"[tenants.a]\nkeys = [{new_key('a').line}]\n")
    file.chmod(mode)
    if mode & 0o077:
        assert f"(mode {mode:04o}): `chmod 600` it" in refused(file)[0]
    else:
        assert Keys.read(file).tenants == (Tenant("a"),)


@pytest.mark.parametrize(
    ("mode", "owner", "group", "is_open"),
    [
        (0o600, 1000, 1000, False),
        (0o640, 1000, 1000, True),  # the group of the owner: others than the owner
        (0o640, 0, 1000, False),  # root's, given to our group: a secret of a container
        (0o440, 0, 1000, False),
        (0o660, 0, 1000, True),  # but not to write
        (0o640, 0, 7, True),  # nor to a group that is not ours
        (0o644, 0, 1000, True),
    ],
)
def test_root_may_give_the_file_to_our_group(
    mode: int, owner: int, group: int, is_open: bool
) -> None:
    found = os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, group, 0, 0, 0, 0))
    assert _is_open_to_others(found, 1000, {1000, 50}) is is_open


def test_a_file_that_root_may_read_of_its_own_group_is_still_refused() -> None:
    found = os.stat_result((stat.S_IFREG | 0o640, 1, 1, 1, 0, 0, 0, 0, 0, 0))
    assert _is_open_to_others(found, 0, {0})


# --- a file that changes


def test_a_file_that_was_not_touched_is_not_read_again(write: Write) -> None:
    keys = Keys.read(write(f"[tenants.a]\nkeys = [{new_key('a').line}]\n"))
    assert keys.refreshed() is keys


def test_a_changed_file_is_taken_over(write: Write) -> None:
    (one, first), (two, second) = new_key("a"), new_key("a")
    before = Keys.read(write(f"[tenants.a]\nkeys = [{first}]\n"))
    write(f"[tenants.a]\nkeys = [{second}]\n")
    after = before.refreshed()
    assert (before.tenant_of(one), before.tenant_of(two)) == (Tenant("a"), None)
    assert (after.tenant_of(one), after.tenant_of(two)) == (None, Tenant("a"))
    assert after != before


def test_a_change_of_the_same_size_in_the_same_moment_is_seen(write: Write) -> None:
    (one, first), (two, second) = new_key("a"), new_key("a")
    file = write(f"[tenants.a]\nkeys = [{first}]\n")
    keys = Keys.read(file)
    for line, key in ((second, two), (first, one)) * 20:
        file.write_text(f"[tenants.a]\nkeys = [{line}]\n")
        keys = keys.refreshed()
        assert keys.tenant_of(key) == Tenant("a")
        # Clocks of file systems are coarse: two changes may have one time.
        assert keys._stamp is None, "a time so near is not relied on"


def test_a_bad_change_leaves_the_keys_and_says_why(write: Write) -> None:
    key, line = new_key("a")
    good = Keys.read(write(f"[tenants.a]\nkeys = [{line}]\n"))
    file = write("[tenants.a]\nkeys = []\n")
    bad = good.refreshed()
    assert bad.problems == ("tenant `a`: `keys` has to be a list of at least one digest",)
    assert bad.tenant_of(key) == Tenant("a")
    assert bad.refreshed() is bad, "it is not read again and again"
    file.unlink()
    gone = bad.refreshed()
    assert gone.problems[0].endswith("cannot be read: no such file or directory")
    assert gone.tenant_of(key) == Tenant("a")
    write(f"[tenants.a]\nkeys = [{line}]\nat_once = 1\n")
    again = gone.refreshed()
    assert again.problems == ()
    assert again.tenant_of(key) == Tenant("a", at_once=1)


def test_a_file_opened_to_others_later_is_noticed(write: Write) -> None:
    key, line = new_key("a")
    file = write(f"[tenants.a]\nkeys = [{line}]\n")
    keys = Keys.read(file)
    file.chmod(0o644)
    assert "mode 0644" in keys.refreshed().problems[0]
    assert keys.refreshed().tenant_of(key) == Tenant("a")


def test_keys_that_say_the_same_are_equal(write: Write) -> None:
    text = f"[tenants.a]\nkeys = [{new_key('a').line}]\n"
    before = Keys.read(write(text))
    after = Keys.read(write(f"# touched\n{text}"))
    assert after == before
    assert before.refreshed() is not before


# --- which key a request carries


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, ""),
        ({"authorization": "Bearer k1"}, "k1"),
        ({"authorization": "bearer   k1 "}, "k1"),
        ({"authorization": "Basic azE="}, ""),
        ({"authorization": "Bearer"}, ""),
        ({"x_api_key": "k1"}, "k1"),
        ({"api_key": " k1 "}, "k1"),
        ({"authorization": "Bearer k1", "x_api_key": "k1", "api_key": "k1"}, "k1"),
        ({"authorization": "Bearer ", "x_api_key": "k1"}, "k1"),
    ],
)
def test_a_key_comes_in_any_of_three_headers(headers: Mapping[str, str], key: str) -> None:
    assert key_of(request(**headers)) == key


def test_two_different_keys_are_refused() -> None:
    for headers in (
        {"authorization": "Bearer k1", "x_api_key": "k2"},
        {"x_api_key": "k1", "api_key": "k2"},
    ):
        with pytest.raises(Fault) as caught:
            key_of(request(**headers))
        assert (caught.value.status, caught.value.code) == (400, "two_keys")
        assert "k1" not in f"{caught.value!r} {caught.value.message}"


# --- what is never shown


def test_no_key_is_ever_shown(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = new_key("acme")
    keys = Keys.read(write(f"[tenants.acme]\nkeys = [{made.line}]\n"))
    keys.tenant_of(made.key)
    keys.tenant_of(made.key + "x")
    secret = made.key.removeprefix("gk_acme_")
    shown = f"{made!r} {made!s} {keys!r} {keys!s} {keys.tenants!r} {caplog.text}"
    file = write(f'[tenants.acme]\nkeys = ["{made.key}"]\n')
    shown += repr(refused(file)) + repr(keys.refreshed().problems)
    assert not any(secret[n : n + 8] in shown for n in range(len(secret) - 8))
    assert made.line[8:72] not in repr(keys)


def test_the_examples_run() -> None:
    assert doctest.testmod(keys_module) == (0, 2)
