"""Whether a bundle can be trusted today: whole, signed by a key that is trusted, not expired."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from guardkit.diagnostics import visible
from guardkit.errors import BindError

from ._bundle import MAX_BUNDLE_BYTES, Bundle, BundleError, Manifest, read_bundle
from ._keys import (
    MAX_KEY_BYTES,
    PrivateKey,
    PublicKey,
    is_genuine,
    key_id,
    private_key,
    public_key,
)

_LEEWAY = timedelta(days=1)
"""A bundle built today, east of here, may carry tomorrow's date."""


def verify(raw: bytes, trusted: Iterable[PublicKey], today: date) -> Bundle:
    """The bundle that these bytes are, if it can be trusted.

    Every signature has to be genuine, and one of them that of a trusted key.

    Raises:
        BundleError: It is damaged, not signed by anybody who is trusted, or past its date.
    """
    bundle = read_bundle(raw)
    if not bundle.signatures:
        raise BundleError(f"{bundle.shown} is refused: nobody signed it")
    for signature in bundle.signatures:
        if not is_genuine(bundle, signature):
            raise BundleError(
                f"{bundle.shown} is refused: the signature of {key_id(signature.key)} is not"
                " genuine"
            )
    known = {key.raw for key in trusted}
    if not any(signature.key in known for signature in bundle.signatures):
        signers = ", ".join(key_id(signature.key) for signature in bundle.signatures)
        raise BundleError(
            f"{bundle.shown} is refused: no key that signed it is trusted ({signers})"
        )
    problem = date_problem(bundle.manifest, today)
    if problem is not None:
        raise BundleError(f"{bundle.shown} is refused: {problem}")
    return bundle


def date_problem(manifest: Manifest, today: date) -> str | None:
    """Why a bundle cannot be used on this day; None where it can. Its last day counts."""
    if manifest.expires is not None and today > manifest.expires:
        return f"it is past its date, {manifest.expires}"
    if manifest.issued - today > _LEEWAY:
        return f"it is issued on {manifest.issued}, after today: look at this machine's clock"
    return None


def read_bytes(path: Path, limit: int = MAX_BUNDLE_BYTES) -> bytes:
    """The bytes of a file that the user names.

    Raises:
        BindError: It cannot be read, or is too large to be what is meant.
    """
    shown = visible(path.as_posix())
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        why = (error.strerror or "it cannot be read").lower()
        raise BindError(f"`{shown}` cannot be read: {why}") from None
    if len(raw) > limit:
        raise BindError(f"`{shown}` is too large to be what is meant")
    return raw


def read_public_key(path: Path) -> PublicKey:
    """The public key in a file, called by the file's name.

    Raises:
        BindError: There is none.
    """
    return public_key(read_bytes(path, MAX_KEY_BYTES), path.name)


def read_private_key(path: Path) -> PrivateKey:
    """The private key in a file.

    Raises:
        BindError: There is none.
    """
    return private_key(read_bytes(path, MAX_KEY_BYTES), path.name)
