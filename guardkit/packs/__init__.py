"""Signed bundles: new-harm packs and whole policies; the store of a deployment's packs."""

from __future__ import annotations

from ._build import build, file_name
from ._bundle import (
    MAX_BUNDLE_BYTES,
    SUFFIX,
    Bundle,
    BundleError,
    FileRow,
    Kind,
    Manifest,
    Signature,
    is_version,
    read_bundle,
    to_bytes,
    version_key,
)
from ._examine import Means, Result, RunTests, examine
from ._installed import Acting, Installed, declarations_of, rules_of
from ._keys import (
    MAX_KEY_BYTES,
    KeyPair,
    PrivateKey,
    PublicKey,
    is_genuine,
    key_id,
    new_keys,
    private_key,
    public_key,
    signed,
)
from ._shelf import changed_since
from ._state import Mode, Placed, Setup, is_percent
from ._store import Listed, Store
from ._unpack import unpack
from ._verify import date_problem, read_bytes, read_private_key, read_public_key, verify

__all__ = [
    "MAX_BUNDLE_BYTES",
    "MAX_KEY_BYTES",
    "SUFFIX",
    "Acting",
    "Bundle",
    "BundleError",
    "FileRow",
    "Installed",
    "KeyPair",
    "Kind",
    "Listed",
    "Manifest",
    "Means",
    "Mode",
    "Placed",
    "PrivateKey",
    "PublicKey",
    "Result",
    "RunTests",
    "Setup",
    "Signature",
    "Store",
    "build",
    "changed_since",
    "date_problem",
    "declarations_of",
    "examine",
    "file_name",
    "is_genuine",
    "is_percent",
    "is_version",
    "key_id",
    "new_keys",
    "private_key",
    "public_key",
    "read_bundle",
    "read_bytes",
    "read_private_key",
    "read_public_key",
    "rules_of",
    "signed",
    "to_bytes",
    "unpack",
    "verify",
    "version_key",
]
