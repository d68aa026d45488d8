"""The format of a bundle: built alike from alike, and read only as it was written."""

from __future__ import annotations

import json
import os
import random
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from guardkit import packs
from guardkit.errors import BindError, PolicyError

from ._kit import (
    EXAMPLE,
    EXPIRES,
    ISSUED,
    MEANS,
    TODAY,
    built,
    example,
    folder,
    key,
    pem,
    signed_bytes,
)


def refused(raw: bytes, *says: str) -> None:
    with pytest.raises(packs.BundleError) as caught:
        packs.verify(raw, [key().public], TODAY)
    for words in says:
        assert words in str(caught.value)


# --- building


def test_two_builds_are_equal(tmp_path: Path) -> None:
    one = built(tmp_path / "one")
    other = built(tmp_path / "two")
    for path in (tmp_path / "two").rglob("*"):
        os.utime(path, (0, 0))
    assert packs.to_bytes(one) == packs.to_bytes(other) == packs.to_bytes(built(tmp_path / "one"))
    assert signed_bytes(one) == signed_bytes(other)


def test_what_is_built_is_what_was_in_the_folder(tmp_path: Path) -> None:
    bundle = packs.read_bundle(signed_bytes(built(tmp_path)))
    assert bundle.files == {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    manifest = bundle.manifest
    assert (manifest.kind, manifest.name, manifest.version) == ("pack", "scam", "1")
    assert (manifest.title, manifest.issued, manifest.expires) == (
        "A made-up scam",
        ISSUED,
        EXPIRES,
    )
    assert packs.file_name(bundle) == "scam-1.gkb"


def test_hidden_files_and_bundles_stay_out(tmp_path: Path) -> None:
    plain = packs.to_bytes(built(tmp_path))
    for name in (".git/config", ".env", "words/.cache", "__pycache__/x.pyc", "scam-0.gkb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("not part of it")
    again = packs.build(tmp_path, MEANS, issued=ISSUED, expires=EXPIRES)
    assert packs.to_bytes(again) == plain


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("elsewhere")
    place = folder(tmp_path / "scam")
    (place / "more.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(packs.BundleError, match=r"`more\.txt` is a link"):
        packs.build(place, MEANS, issued=ISSUED, expires=EXPIRES)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('version "1"', "", "has no version"),
        ('version "1"', 'version "one"', "is no number"),
        ('version "1"', 'version "0"', "is no number"),
        ('version "1"', 'version "01"', "is no number"),
        ("module scam", "module other", "call the file `other.guard`"),
        ("module scam", "module scam_next", "cannot end in `_next`"),
        ("module scam", "module call", "cannot be called `call`"),
        ("expect block by stop", "expect block", "no test shows that `stop` fires"),
        ("expect pass", "expect block", "no test shows that `stop` stays silent"),
        ("  tier safety", "  tier safety\n  mode shadow", "does not compile|`mode`|`stop` is in"),
        ('"a quiet afternoon"', '"the golden turnip"', '"it stays silent" fails'),
        ('label "scam"\n}', 'label "scam"\n}\ncheck own = judge { call "os:system" }', "callable"),
        (
            'label "scam"\n}',
            'label "scam"\n}\ncheck own = classifier { model "m"  digest "sha256:'
            + "0" * 64
            + '"  label "x" }',
            "model of its own",
        ),
    ],
)
def test_what_makes_no_pack_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    place = folder(tmp_path / "pack")
    name = f"{new.split()[1]}.guard" if new in ("module scam_next", "module call") else "scam.guard"
    text = (place / "scam.guard").read_text()
    assert old in text
    (place / "scam.guard").unlink()
    (place / name).write_text(text.replace(old, new, 1))
    with pytest.raises((packs.BundleError, PolicyError)) as caught:
        packs.build(place, MEANS, issued=ISSUED, expires=EXPIRES)
    assert any(words in str(caught.value) for words in says.split("|")), str(caught.value)


def test_a_module_without_rules_is_no_pack(tmp_path: Path) -> None:
    (tmp_path / "idle.guard").write_text(
        'guardkit 1\nmodule idle\n  version "1"\n\ncheck a = words { list ["a b"] }\n'
    )
    with pytest.raises(packs.BundleError, match="has no rule"):
        packs.build(tmp_path, MEANS, issued=ISSUED, expires=EXPIRES)


def test_a_pack_has_to_expire_and_not_before_it_begins(tmp_path: Path) -> None:
    folder(tmp_path)
    with pytest.raises(packs.BundleError, match="when it expires"):
        packs.build(tmp_path, MEANS, issued=ISSUED)
    with pytest.raises(packs.BundleError, match="before it is issued"):
        packs.build(tmp_path, MEANS, issued=ISSUED, expires=ISSUED - timedelta(days=1))


def test_what_does_not_compile_says_where(tmp_path: Path) -> None:
    place = folder(tmp_path)
    text = (place / "scam.guard").read_text()
    (place / "scam.guard").write_text(text.replace("when wave", "when wafe"))
    with pytest.raises(PolicyError) as caught:
        packs.build(place, MEANS, issued=ISSUED, expires=EXPIRES)
    assert "pack:scam/scam.guard" in str(caught.value)


def test_a_whole_policy_is_built_with_what_it_uses(tmp_path: Path) -> None:
    std = tmp_path / "std"
    (std / "base").mkdir(parents=True)
    (std / "base" / "base.guard").write_text(
        'guardkit 1\nmodule base\n  version "1"\n\ncheck bad = words { file "bad.txt" }\n\n'
        'rule no_bad {\n  tier safety\n  on input\n  when bad\n  then block "No."\n}\n'
    )
    (std / "base" / "bad.txt").write_text("bad word\n")
    place = tmp_path / "shop"
    place.mkdir()
    (place / "shop.guard").write_text(
        'guardkit 1\npolicy shop\n  owner "me@example.com"\n  version "2026.11"\n\n'
        'use "std/base" version "1" as base\nuse "./own.guard" version "1" as own\n\n'
        "apply base.no_bad\napply own.no_worse\n"
    )
    (place / "own.guard").write_text(
        'guardkit 1\nmodule own\n  version "1"\n\ncheck worse = words { list ["worse word"] }\n\n'
        'rule no_worse {\n  tier safety\n  on input\n  when worse\n  then block "No."\n}\n'
    )
    from guardkit.guard import means_of

    bundle = packs.build(place, means_of(std=std), issued=ISSUED)
    assert bundle.manifest.kind == "policy"
    assert bundle.manifest.expires is None
    assert sorted(bundle.files) == ["own.guard", "shop.guard"]
    assert [path for path, _ in bundle.manifest.std] == ["std:base/bad.txt", "std:base/base.guard"]
    assert packs.verify(signed_bytes(bundle), [key().public], TODAY).files == bundle.files


# --- signatures


def test_a_signed_pack_is_trusted_with_its_key_alone(tmp_path: Path) -> None:
    raw = signed_bytes(built(tmp_path))
    assert packs.verify(raw, [key().public], TODAY).manifest.name == "scam"
    assert packs.verify(raw, [key(2).public, key().public], TODAY)
    refused(packs.to_bytes(built(tmp_path)), "nobody signed it")
    with pytest.raises(packs.BundleError, match="no key that signed it is trusted"):
        packs.verify(raw, [key(2).public], TODAY)
    with pytest.raises(packs.BundleError, match="no key that signed it is trusted"):
        packs.verify(raw, [], TODAY)


def test_several_may_sign_and_each_signature_has_to_be_genuine(tmp_path: Path) -> None:
    bundle = built(tmp_path)
    raw = signed_bytes(bundle, 2, 1, 2)
    assert len(packs.read_bundle(raw).signatures) == 2
    assert raw == signed_bytes(bundle, 1, 2)
    packs.verify(raw, [key(2).public], TODAY)
    first, second = packs.read_bundle(raw).signatures
    # One that nobody trusts counts for nothing, but a false one shows that somebody was here.
    false = replace(bundle, signatures=(first, second._replace(made=first.made)))
    refused(packs.to_bytes(false), "is not genuine")


def test_what_was_changed_after_it_was_signed_is_not_signed_again(tmp_path: Path) -> None:
    one = packs.signed(built(tmp_path), key())
    other = replace(built(tmp_path, phrase="silver turnip"), signatures=one.signatures)
    for seed in (1, 2):
        with pytest.raises(packs.BundleError, match="changed after that"):
            packs.signed(other, key(seed))


def test_a_signature_is_of_one_manifest(tmp_path: Path) -> None:
    one = packs.signed(built(tmp_path), key())
    other = built(tmp_path, phrase="silver turnip")
    refused(packs.to_bytes(replace(other, signatures=one.signatures)), "is not genuine")


def test_the_dates_count_the_last_day_too(tmp_path: Path) -> None:
    raw = signed_bytes(built(tmp_path))
    trusted = [key().public]
    packs.verify(raw, trusted, EXPIRES)
    with pytest.raises(packs.BundleError, match="past its date, 2027-02-01"):
        packs.verify(raw, trusted, EXPIRES + timedelta(days=1))
    packs.verify(raw, trusted, ISSUED - timedelta(days=1))  # built east of here
    with pytest.raises(packs.BundleError, match="clock"):
        packs.verify(raw, trusted, ISSUED - timedelta(days=2))


@pytest.mark.parametrize("content", [b"", b"\0\1", b"-----BEGIN PUBLIC KEY-----\n", b"x" * 99])
def test_what_is_no_key_is_no_key(content: bytes) -> None:
    for read in (packs.private_key, packs.public_key):
        with pytest.raises(BindError, match=r"`a\.pem` is not a") as caught:
            read(content, "a.pem")
        assert "xxxx" not in str(caught.value)


def test_the_two_halves_are_not_confused() -> None:
    private, public = pem(1)
    with pytest.raises(BindError, match="keep this one secret"):
        packs.public_key(private, "a.pem")
    with pytest.raises(BindError, match="not a private"):
        packs.private_key(public, "a.pem")


def test_an_encrypted_key_says_how_to_use_it() -> None:
    from cryptography.hazmat.primitives import serialization as form

    content = key()._key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"word")
    )
    with pytest.raises(BindError, match=r"encrypted.*--key -"):
        packs.private_key(content)


def test_keys_of_other_kinds_are_refused() -> None:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    other = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    private = other.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = other.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(BindError, match="another kind"):
        packs.private_key(private)
    with pytest.raises(BindError, match="another kind"):
        packs.public_key(public)


def test_a_private_key_shows_nothing_of_itself() -> None:
    pair = packs.new_keys()
    made = packs.private_key(pair.private)
    assert made.public == packs.public_key(pair.public)._replace(name="the key")
    assert made.public.id == pair.id
    for shown in (repr(pair), repr(made), str(made)):
        assert pair.private.decode().split("\n")[1] not in shown
        assert len(shown) < 120
    assert packs.new_keys().private != pair.private


def test_signing_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "cryptography" else found(name)
    )
    with pytest.raises(BindError, match=r"pip install 'guardkit\[packs\]'"):
        packs.new_keys()
    with pytest.raises(BindError, match=r"pip install 'guardkit\[packs\]'"):
        packs.verify(example(), [], TODAY)


# --- reading strictly


def test_no_corruption_is_accepted() -> None:
    """Flips, deletions, insertions and swaps of bytes and of stretches."""
    raw = example()
    chance = random.Random(20261121)

    def flip(data: bytearray, at: int) -> None:
        data[at] ^= 1 << chance.randrange(8)

    def replace_byte(data: bytearray, at: int) -> None:
        data[at] = (data[at] + chance.randrange(1, 256)) % 256

    def delete(data: bytearray, at: int) -> None:
        del data[at : at + chance.choice((1, 1, 2, 40))]

    def insert(data: bytearray, at: int) -> None:
        data[at:at] = bytes(
            chance.choice(b' \n\t0aA"=/\x00\xff') for _ in range(chance.choice((1, 3)))
        )

    def swap(data: bytearray, at: int) -> None:
        other = chance.randrange(len(data))
        data[at], data[other] = data[other], data[at]

    def repeat(data: bytearray, at: int) -> None:
        data[at:at] = data[at : at + chance.choice((1, 8, 100))]

    def cut(data: bytearray, at: int) -> None:
        del data[at:]

    kinds: list[Callable[[bytearray, int], None]] = [
        flip, flip, replace_byte, delete, insert, swap, repeat, cut,
    ]  # fmt: skip
    tried = accepted = 0
    while tried < 1_000:
        data = bytearray(raw)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            chance.choice(kinds)(data, chance.randrange(len(data) or 1))
            if not data:
                break
        if bytes(data) == raw:
            continue
        tried += 1
        try:
            packs.verify(bytes(data), [key().public], TODAY)
            accepted += 1
        except packs.BundleError:
            pass
    assert (tried, accepted) == (1_000, 0)


def test_every_single_byte_counts(tmp_path: Path) -> None:
    """Each byte of a two-signature bundle changed by one bit, the second key not trusted."""
    raw = signed_bytes(built(tmp_path), 1, 2)
    for at in range(len(raw)):
        data = bytearray(raw)
        data[at] ^= 1 << (at % 8)
        with pytest.raises(packs.BundleError):
            packs.verify(bytes(data), [key().public], TODAY)


def changed(raw: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The bundle after a change of its data, spelled the one way."""
    data = json.loads(raw)
    change(data)
    return json.dumps(data, sort_keys=True, indent=1).encode() + b"\n"


def renamed(path: str) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        data["files"][path] = data["files"].pop("phrases.txt")
        data["manifest"]["files"][path] = data["manifest"]["files"].pop("phrases.txt")

    return change


@pytest.mark.parametrize(
    "path",
    [
        "../phrases.txt",
        "a/../../phrases.txt",
        "a/../phrases.txt",
        "/etc/phrases.txt",
        "//host/phrases.txt",
        "C:/phrases.txt",
        "c:phrases.txt",
        "..\\phrases.txt",
        "a\\phrases.txt",
        "",
        ".",
        "./phrases.txt",
        "a//phrases.txt",
        "a/",
        "phrases.txt:stream",
        "phrases\n.txt",
        "phrases\x00.txt",
        "phrases\x1b[2J.txt",
        "phrases\u202etxt.",
        "phrases\u200b.txt",
        "phrases .txt/ ",
        "phrases.txt.",
        " phrases.txt",
        "con",
        "a/NUL.txt",
        "com1.guard",
        unicodedata.normalize("NFD", "é.txt"),
        "GIFT_CARD.guard",
        "gift_card.guard/phrases.txt",
        "Gift_Card.guard/phrases.txt",
        "what?.txt",
        "\ud800.txt",
        "x" * 201,
    ],
)
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    raw = changed(example(), renamed(path))
    with pytest.raises(packs.BundleError) as caught:
        packs.read_bundle(raw)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("path", ["words/phrases.txt", "é.txt", "a b.txt", "日本語.txt", "console"])
def test_a_plain_path_is_read(path: str) -> None:
    assert path in packs.read_bundle(changed(example(), renamed(path))).files


def set_in(*where: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        *above, last = where
        for name in above:
            data = data[name]
        data[last] = to

    return change


@pytest.mark.parametrize(
    "change",
    [
        set_in("extra", to=1),
        set_in("manifest", "extra", to=1),
        set_in("manifest", "format", to=2),
        set_in("manifest", "format", to=True),
        set_in("manifest", "format", to=1.0),
        set_in("manifest", "kind", to="virus"),
        set_in("manifest", "kind", to=["pack"]),
        set_in("manifest", "name", to="Gift"),
        set_in("manifest", "name", to="other"),
        set_in("manifest", "version", to="1.x"),
        set_in("manifest", "version", to=1),
        set_in("manifest", "title", to="a\u202eb"),
        set_in("manifest", "title", to="x" * 201),
        set_in("manifest", "issued", to="2026-02-30"),
        set_in("manifest", "issued", to="20261101"),
        set_in("manifest", "issued", to="2027-03-01"),
        set_in("manifest", "expires", to=None),
        set_in("manifest", "language", to=2),
        set_in("manifest", "language", to=0),
        set_in("manifest", "language", to=True),
        set_in("manifest", "std", to=[]),
        set_in("manifest", "std", to={"/etc/passwd": "sha256:" + "0" * 64}),
        set_in("manifest", "files", to={}),
        set_in("manifest", "files", to=[]),
        set_in("manifest", "files", "more.txt", to={"sha256": "0" * 64, "size": 0}),
        set_in("manifest", "files", "phrases.txt", "size", to=-1),
        set_in("manifest", "files", "phrases.txt", "size", to=121),
        set_in("manifest", "files", "phrases.txt", "sha256", to="0" * 64),
        set_in("files", "more.txt", to=""),
        set_in("files", "phrases.txt", to="AAA"),
        set_in("files", "phrases.txt", to=7),
        set_in("files", to=[]),
        set_in("signatures", to={}),
        set_in("signatures", to=[{"key": "", "signature": ""}]),
        set_in("signatures", to=[{"key": "AA=="}]),
        lambda data: data["signatures"].extend(data["signatures"]),
        lambda data: data["signatures"].extend(data["signatures"] * 20),
        lambda data: data.pop("signatures"),
        lambda data: data["files"].pop("phrases.txt"),
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(packs.BundleError) as caught:
        packs.read_bundle(changed(example(), change))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"manifest": ' + b"9" * 10_000 + b"}",
        b'{"manifest": NaN}',
        b'{"manifest": 1e999}',
        b"[" + b"{}," * 7_000_000 + b"{}]",
    ],
    ids=range(11),
)
def test_what_is_no_bundle_is_refused(raw: bytes) -> None:
    with pytest.raises(packs.BundleError, match="the bundle is refused"):
        packs.read_bundle(raw)


def test_one_content_has_one_spelling() -> None:
    raw = example()
    data = json.loads(raw)
    others = [
        json.dumps(data, sort_keys=True).encode(),
        json.dumps(data, indent=1).encode() + b"\n\n",
        json.dumps(data, sort_keys=True, indent=2).encode() + b"\n",
        raw.rstrip(b"\n"),
        raw.replace(b'"kind"', b'"k\\u0069nd"'),
        raw.replace(b'"format": 1', b'"format": 1,\n  "format": 1'),
        b"\xef\xbb\xbf" + raw,
        raw + b"\0",
    ]
    for other in others:
        assert other != raw
        refused(other)


def test_too_many_files_and_bytes_are_refused(tmp_path: Path) -> None:
    many = {f"data/{n:03}.txt": b"x" for n in range(499)}
    folder(tmp_path / "many", more=many)
    with pytest.raises(packs.BundleError, match="more than the 500 files"):
        packs.build(tmp_path / "many", MEANS, issued=ISSUED, expires=EXPIRES)
    folder(tmp_path / "large", more={"data.bin": bytes(16_000_001)})
    with pytest.raises(packs.BundleError, match="more than the 16 MB"):
        packs.build(tmp_path / "large", MEANS, issued=ISSUED, expires=EXPIRES)
    with pytest.raises(packs.BundleError, match="over 24 MB"):
        packs.read_bundle(b" " * 24_000_001)


# --- versions


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1", "2"), ("9", "10"), ("2026.9", "2026.11"), ("1", "1.0.1"), ("1.9.9", "2"), ("0.1", "1")],
)
def test_versions_compare_as_numbers(older: str, newer: str) -> None:
    assert packs.version_key(older) < packs.version_key(newer)


@pytest.mark.parametrize("text", ["", "0", "0.0", "1.", ".1", "v1", "1-2", "1e3", "١", "1.02"])
def test_what_is_no_version(text: str) -> None:
    assert not packs.is_version(text)


def test_trailing_zeros_say_nothing() -> None:
    assert packs.version_key("1") == packs.version_key("1.0.0")


def test_the_example_is_as_long_as_it_looks() -> None:
    assert {path.name for path in EXAMPLE.iterdir()} == {"gift_card.guard", "phrases.txt"}
    assert packs.rules_of(packs.read_bundle(example())) == ("wave", "drafted")
