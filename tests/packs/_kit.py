"""Keys, folders and bundles for the tests: fixed keys, so that nothing depends on chance."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guardkit import packs
from guardkit.guard import means_of
from guardkit.testing import run_tests

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "packs" / "gift_card"

ISSUED = date(2026, 11, 1)
TODAY = date(2026, 11, 21)
EXPIRES = date(2027, 2, 1)
MEANS = means_of(run_tests)

HARM = "Text me the numbers on the back of the gift cards, I am in a meeting."
BENIGN = "Can I pay for my order with a gift card?"
POLICY = """\
guardkit 1
policy shop
  title   "A shop"
  owner   "me@example.com"
  version "1"

check order_number = pattern {
  match /\\bSH-20\\d{2}-\\d{6}\\b/
  label "order"
}

rule no_orders {
  tier safety
  on   input, output
  when order_number
  then rewrite matches as "[{label}]"
}
"""


def pem(seed: int) -> tuple[bytes, bytes]:
    """The two files of a key, the same for the same seed."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return (
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()),
        key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo),
    )


def key(seed: int = 1) -> packs.PrivateKey:
    return packs.private_key(pem(seed)[0])


MODULE = """\
guardkit 1
module scam
  title   "A made-up scam"
  version "{version}"

check wave = words {{
  file  "words/phrases.txt"
  label "scam"
}}

rule stop {{
  tier safety
  on   input, output
  when wave
  then {action}
}}

test "it fires" {{
  input  "take the {phrase} now"
  expect {verb} by stop
}}

test "it stays silent" {{
  input  "a quiet afternoon"
  expect pass
}}
"""


def folder(
    to: Path,
    *,
    version: str = "1",
    phrase: str = "golden turnip",
    action: str = 'block "No turnips."',
    more: Mapping[str, bytes] | None = None,
) -> Path:
    """The folder of a small pack."""
    verb = action.split()[0]
    files = {
        "scam.guard": MODULE.format(
            version=version, phrase=phrase, action=action, verb=verb
        ).encode(),
        "words/phrases.txt": phrase.encode() + b"\n",
        **(more or {}),
    }
    for name, content in files.items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_bytes(content)
    return to


def built(place: Path, **changes: str) -> packs.Bundle:
    """A small pack, built."""
    shutil.rmtree(place, ignore_errors=True)
    return packs.build(folder(place, **changes), MEANS, issued=ISSUED, expires=EXPIRES)


def signed_bytes(bundle: packs.Bundle, *seeds: int) -> bytes:
    """A bundle with signatures, as the bytes of its file."""
    for seed in seeds or (1,):
        bundle = packs.signed(bundle, key(seed))
    return packs.to_bytes(bundle)


@cache
def example(version: str = "1", expires: date = EXPIRES) -> bytes:
    """The example pack, signed."""
    bundle = packs.build(EXAMPLE, MEANS, issued=ISSUED, expires=expires)
    if version != bundle.manifest.version:
        bundle = reversioned(bundle, version)
    return signed_bytes(bundle)


def reversioned(bundle: packs.Bundle, version: str) -> packs.Bundle:
    """The same pack as another version."""
    old = bundle.manifest
    text = bundle.files[old.entry].decode()
    files = {
        **bundle.files,
        old.entry: text.replace(f'version "{old.version}"', f'version "{version}"', 1).encode(),
    }
    return packs.Bundle(replace(old, version=version, files=rows(files)), files)


def rows(files: Mapping[str, bytes]) -> tuple[packs.FileRow, ...]:
    from hashlib import sha256

    return tuple(
        packs.FileRow(path, sha256(content).hexdigest(), len(content))
        for path, content in sorted(files.items())
    )


def store(place: Path, *seeds: int) -> packs.Store:
    """An empty store that trusts these keys."""
    made = packs.Store.create(place)
    for seed in seeds or (1,):
        made.trust(pem(seed)[1], f"key {seed}")
    return made


def snapshot(place: Path) -> dict[str, bytes]:
    """Every file of a folder, byte for byte."""
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }
