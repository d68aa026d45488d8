"""Ed25519 keys and signatures. What signs is loaded when the first key is asked for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from guardkit.errors import BindError

from ._bundle import MAX_SIGNATURES, Bundle, BundleError, Signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_KEY_BYTES = 10_000


class PublicKey(NamedTuple):
    """A key that signatures are checked with; `name` is what people call it."""

    raw: bytes
    name: str = ""

    @property
    def id(self) -> str:
        return key_id(self.raw)

    def __repr__(self) -> str:
        return f"PublicKey({self.id})"


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs. Its repr shows the public half and nothing else."""

    public: PublicKey
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    def sign(self, content: bytes) -> bytes:
        """The signature of some bytes; equal bytes have equal signatures."""
        return self._key.sign(content)


class KeyPair(NamedTuple):
    """Both halves of a new key as the texts of two files, and the id of the key."""

    private: bytes
    public: bytes
    id: str

    def __repr__(self) -> str:
        return f"KeyPair(id={self.id!r})"


def key_id(raw: bytes) -> str:
    """A public key as people compare it: `ed25519:` and 32 hexadecimal digits."""
    return f"ed25519:{hashlib.sha256(raw).hexdigest()[:32]}"


def _need() -> None:
    """Refuse to go on where nothing can sign.

    Raises:
        BindError: The extra is not installed.
    """
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise BindError("signed bundles need `cryptography`: pip install 'guardkit[packs]'")


def new_keys() -> KeyPair:
    """A new key.

    Raises:
        BindError: The extra `packs` is not installed.
    """
    _need()
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    return KeyPair(
        key.private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, encryption_algorithm=form.NoEncryption()
        ),
        public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo),
        key_id(public.public_bytes_raw()),
    )


def private_key(pem: bytes, name: str = "the key") -> PrivateKey:
    """The key that signs, from the text of its file.

    Args:
        pem: PKCS8 in PEM, not encrypted.
        name: What an error calls the file.

    Raises:
        BindError: It is no such key. Nothing of the file is quoted.
    """
    _need()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if b"ENCRYPTED" in pem:
        raise BindError(
            f"`{name}` is encrypted: decrypt it on its way, such as"
            " `openssl pkey -in KEY | guardkit sign FILE --key -`"
        )
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BindError(f"`{name}` is not a private Ed25519 key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BindError(f"`{name}` is not a private Ed25519 key, but one of another kind")
    return PrivateKey(PublicKey(key.public_key().public_bytes_raw(), name), key)


def public_key(pem: bytes, name: str = "the key") -> PublicKey:
    """The key that signatures are checked with, from the text of its file.

    Raises:
        BindError: It is no such key.
    """
    _need()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in pem:
        raise BindError(f"`{name}` is a private key: give the public one, and keep this one secret")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BindError(f"`{name}` is not a public Ed25519 key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BindError(f"`{name}` is not a public Ed25519 key, but one of another kind")
    return PublicKey(key.public_bytes_raw(), name)


def signed(bundle: Bundle, key: PrivateKey) -> Bundle:
    """The bundle with a signature of this key; another one of the same key is replaced.

    Raises:
        BundleError: It was changed after somebody signed it, or has too many signatures.
    """
    for one in bundle.signatures:
        if not is_genuine(bundle, one):
            raise BundleError(
                f"{bundle.shown} is refused: the signature of {key_id(one.key)} is not genuine, so"
                " it was changed after that: build it anew"
            )
    others = [one for one in bundle.signatures if one.key != key.public.raw]
    if len(others) >= MAX_SIGNATURES:
        raise BundleError(f"the bundle has {MAX_SIGNATURES} signatures, and that is the most")
    made = Signature(key.public.raw, key.sign(bundle.manifest.signed))
    return replace(bundle, signatures=tuple(sorted([*others, made])))


def is_genuine(bundle: Bundle, signature: Signature) -> bool:
    """Whether a signature is one of this bundle, made with the key it names."""
    _need()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(signature.key)
        key.verify(signature.made, bundle.manifest.signed)
    except (InvalidSignature, ValueError):
        return False
    return True
