"""Secrets: every shape is found in keys made for the test, and nothing in what looks like one."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import string
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import re2

from guardkit.catalog import Finder, Hit
from guardkit.checks._secrets import KINDS, SPEC
from guardkit.checks.live._secret_shape import GAP, Shape, Told
from guardkit.checks.live._secret_shapes import FREE_KINDS, SHAPES, TOLD
from guardkit.checks.live._secrets import SecretsFinder, bind
from guardkit.errors import BindError, CheckError

from ._made_secrets import key_of, secret_part, told_of

DATA = Path(__file__).parent / "secrets"
SEEDS = range(4)
_LETTERS = string.ascii_letters + string.digits


def rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


class Setting:
    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self._files = files or {}

    name = "keys"
    given = None

    def file(self, name: str) -> bytes:
        return self._files[name]


class Scan:
    """A finder behind a scan of its needles, as the engine has it."""

    def __init__(self, finder: SecretsFinder) -> None:
        self.finder = finder
        options = re2.Options()
        options.max_mem = 256 << 20
        self._set = re2.Set.SearchSet(options)
        for needle in finder.needles("plain"):
            self._set.Add(needle)
        self._set.Compile()

    def hits(self, text: str) -> Sequence[Hit]:
        seen = self._set.Match(text.encode())
        return self.finder.find(text, sorted(seen), "plain") if seen else []

    def found(self, text: str) -> list[tuple[str, str]]:
        return [(text[hit.start : hit.end], hit.label) for hit in self.hits(text)]


@cache
def every() -> Scan:
    return Scan(SecretsFinder("keys", KINDS))


def known(secrets: str, **config: Any) -> Scan:
    content = secrets.encode()
    name = "known.txt"
    entry = (name, f"sha256:{hashlib.sha256(content).hexdigest()}", 99)
    return Scan(bind({"known": entry, "width": 512, **config}, Setting({name: content})))


def key(rng: random.Random, size: int = 32) -> str:
    return "".join(rng.choices(_LETTERS, k=size - 2)) + rng.choice("0123456789") + "aZ"


# --- shapes

every_shape = pytest.mark.parametrize("row", SHAPES, ids=lambda row: f"{row.kind}-{row.head[:12]}")
every_told = pytest.mark.parametrize("row", TOLD, ids=lambda row: row.kind)


def test_there_are_enough_shapes() -> None:
    assert len(SHAPES) + len(TOLD) >= 200
    assert list(KINDS) == sorted({*FREE_KINDS, *(row.kind for row in (*SHAPES, *TOLD))})
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", kind) for kind in KINDS)


@every_shape
def test_a_key_of_each_shape_is_found_and_nothing_else_of_the_text(row: Shape) -> None:
    for seed in SEEDS:
        made = key_of(row, random.Random(f"{row.kind}{row.head}{seed}"))
        secret, label = secret_part(row, made), row.kind.upper()
        in_json = '{"é": "' + ("\\n" if row.head else "") + made + '"}'
        for text in (f"Use this: {made} from now on.", made, in_json):
            assert (secret, label) in every().found(text)


@every_told
def test_a_value_is_found_where_its_vendor_is_named(row: Told) -> None:
    for seed in SEEDS:
        before, value = told_of(row, random.Random(f"{row.kind}{seed}"))
        text = f"{before}{value}' and more"
        assert (value, row.kind.upper()) in every().found(text)
        far = f"{before}{'- ' * GAP}{value}' and more"
        assert (value, row.kind.upper()) not in every().found(far)


def test_every_kind_has_a_look_alike() -> None:
    given = {row["kind"] for row in rows("lookalikes.jsonl")}
    assert given >= {row.kind for row in (*SHAPES, *TOLD)}


@pytest.mark.parametrize("row", rows("lookalikes.jsonl"), ids=lambda row: row["kind"])
def test_what_only_looks_like_a_key_is_none(row: dict[str, str]) -> None:
    assert row["kind"].upper() not in {label for _, label in every().found(row["text"])}


@pytest.mark.parametrize("row", rows("stand_ins.jsonl"), ids=lambda row: row["text"][:30])
def test_a_stand_in_is_no_secret(row: dict[str, str]) -> None:
    assert every().found(row["text"]) == []


def test_a_needle_counts_nothing_that_ordinary_text_begins() -> None:
    for row in SHAPES:
        for count in re.findall(r"\{(\d+)", row.needle or row.head):
            assert int(count) <= 20


# --- known by a name


@pytest.mark.parametrize("row", rows("assignments.jsonl"), ids=lambda row: row["text"][:30])
def test_of_an_assignment_the_value_is_found(row: dict[str, str]) -> None:
    for seed in SEEDS:
        rng = random.Random(seed)
        value = key(rng) if "{key}" in row["text"] else f"Tr{key(rng, 6)}!{seed}"
        text = row["text"].replace("{key}", value).replace("{word}", value)
        assert every().found(text) == [(value, row["kind"].upper())]


def test_the_entropy_floor_is_the_authors() -> None:
    text = "api_key = 'aab1aab2aab3aab4aab5'"
    assert not Scan(bind({"kinds": ("api_key",)}, Setting())).hits(text)
    assert Scan(bind({"kinds": ("api_key",), "entropy": 1.5}, Setting())).hits(text)
    high = Scan(bind({"kinds": ("api_key",), "entropy": 7.9}, Setting()))
    assert not high.hits(f"api_key = '{key(random.Random(1))}'")


def test_the_login_of_a_basic_header_is_found() -> None:
    login = base64.b64encode(b"anna:" + b"tulip9").decode()
    assert every().found(f"Authorization: Basic {login}") == [(login, "BEARER_TOKEN")]


def test_a_key_with_a_shape_keeps_its_name_in_an_assignment() -> None:
    made = "gl" + "pat-" + key(random.Random(3), 20)
    assert every().found(f"api_key = '{made}'") == [(made, "GITLAB_TOKEN")]


# --- private keys


def pem(rng: random.Random, kind: str = "RSA ", newline: str = "\n", lines: int = 25) -> str:
    body = newline.join("".join(rng.choices(_LETTERS + "+/", k=64)) for _ in range(lines))
    fence = "-" * 5
    name = f"{kind}PRIVATE KEY"
    return f"{fence}BEGIN {name}{fence}{newline}{body}{newline}{fence}END {name}{fence}"


@pytest.mark.parametrize("kind", ["RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", ""])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\\n"])
def test_a_private_key_is_covered_from_fence_to_fence(kind: str, newline: str) -> None:
    block = pem(random.Random(kind), kind, newline)
    text = f"before {block} after"
    assert every().found(text) == [(block, "PRIVATE_KEY")]


def test_a_private_key_that_was_cut_off_is_covered_to_its_end() -> None:
    block = pem(random.Random(5))
    assert every().found(block[:500])[0][0] == block[:500].rstrip()


def test_a_find_of_a_growing_key_keeps_its_beginning() -> None:
    block = f"so: {pem(random.Random(6))} end"
    starts = {every().hits(block[:size])[0].start for size in range(200, len(block), 97)}
    assert starts == {4}


# --- known by heart


def test_known_secrets_are_found_as_they_are_and_backwards() -> None:
    scan = known("tulip-harbour-9\n\n  wet.paint+42  \r\n")
    assert scan.found("see tulip-harbour-9!") == [("tulip-harbour-9", "KNOWN_SECRET")]
    assert scan.found("24+tniap.tew") == [("24+tniap.tew", "KNOWN_SECRET")]
    assert scan.found("Tulip-harbour-9") == []


def test_the_label_is_the_authors_where_there_is_one() -> None:
    assert known("tulip-harbour-9", label="ours").found("tulip-harbour-9")[0][1] == ""


def test_many_known_secrets_are_found() -> None:
    rng = random.Random(8)
    secrets = [key(rng, 40) for _ in range(1_000)]
    scan = known("\n".join(secrets), kinds=("private_key",))
    assert scan.found(f"a {secrets[765]} b") == [(secrets[765], "KNOWN_SECRET")]


@pytest.mark.parametrize(
    ("content", "says"), [(b"abc", "line 1"), (b"ok-long-enough\n" + b"z" * 600, "line 2"),
                          (b"\xff\xfe\xfa", "UTF-8")]
)  # fmt: skip
def test_a_file_of_known_secrets_is_refused_without_showing_it(content: bytes, says: str) -> None:
    entry = ("k.txt", f"sha256:{hashlib.sha256(content).hexdigest()}", 9)
    with pytest.raises(BindError, match=says) as caught:
        bind({"known": entry}, Setting({"k.txt": content}))
    assert "zzz" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_changed_file_is_refused() -> None:
    with pytest.raises(BindError, match="has changed"):
        bind({"known": ("k.txt", "sha256:0", 9)}, Setting({"k.txt": b"tulip-harbour-9"}))


def test_no_known_secret_is_shown() -> None:
    scan = known("tulip-harbour-9")
    assert "tulip" not in repr(scan.finder)
    assert scan.finder.key_words == ()


# --- the protocol, and time


def test_it_is_a_finder_that_reads_no_loose_text() -> None:
    finder = bind({"width": 512}, Setting())
    assert isinstance(finder, Finder)
    assert finder.needles("loose") == ()
    assert set(SPEC.property("kinds").choices) == set(KINDS)  # type: ignore[union-attr]


def test_only_the_kinds_asked_for_are_found() -> None:
    scan = Scan(bind({"kinds": ("private_key",)}, Setting()))
    assert scan.found(f"api_key = '{key(random.Random(1))}'") == []
    assert scan.found(pem(random.Random(2)))[0][1] == "PRIVATE_KEY"


def test_too_many_places_are_unknown_and_never_no() -> None:
    with pytest.raises(CheckError, match="`keys`") as caught:
        every().hits("token:a " * 100_001)
    assert "token:a" not in str(caught.value)


HOSTILE = {
    "names": "password: ",
    "chained": "token=secret=password=",
    "fences": "-----BEGIN PRIVATE KEY-----" + "A" * 41 + "\n",
    "heads": "sk-ghp_xoxb-AKIA" + "glpat-eyJhbGci.",
    "urls": "postgres://a:b@",
    "logins": "https://a:",
    "told": "datadog twilio heroku ",
    "run": "a1",
    "quotes": "password='",
    "bearer": "Authorization: Bearer ",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_time_is_in_step_with_the_length(piece: str) -> None:
    def spent(size: int) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        best = 9.0
        for _ in range(3):
            began = time.perf_counter()
            every().hits(text)
            best = min(best, time.perf_counter() - began)
        return best

    spent(1_000)
    assert spent(80_000) <= 40 * spent(8_000) + 0.02
