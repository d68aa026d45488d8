"""The secret of a deployment: names nobody can read, and sealed texts."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from importlib.util import find_spec
from typing import Any, NoReturn

from guardkit.errors import BindError, CheckError, UsageError

STATE_KEY = "GUARDKIT_STATE_KEY"
"""The variable that holds the key: 32 bytes as 64 hex digits, or in base64."""
KEY_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12

_NEEDS = "shared state needs `redis` and `cryptography`: pip install 'guardkit[redis]'"
_FORMAT = b"\x01"


def state_key(text: str | None = None) -> bytes:
    """The key that a text spells; without one, that of the environment.

    Raises:
        BindError: There is none, or it is no key. It is not quoted.

    Example:
        >>> len(state_key("00" * 32))
        32
    """
    spelled = os.environ.get(STATE_KEY, "") if text is None else text
    spelled = spelled.strip()
    if not spelled:
        raise BindError(
            f"shared state is sealed: set `{STATE_KEY}` to 32 secret bytes, as hex or in base64"
        )
    try:
        if len(spelled) == 2 * KEY_BYTES:
            return bytes.fromhex(spelled)
        padded = spelled.rstrip("=") + "=" * (-len(spelled.rstrip("=")) % 4)
        key = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise BindError(f"`{STATE_KEY}` has to be 32 bytes, as 64 hex digits or in base64")
    return key


class Keys:
    """What a deployment's key is used for, each use with a key of its own.

    Args:
        key: 32 secret bytes, the same for every replica.

    Raises:
        BindError: What this needs is not installed.
        UsageError: The key has another length.
    """

    __slots__ = ("_aesgcm", "_names", "_texts", "hashes", "id")

    def __init__(self, key: bytes) -> None:
        if find_spec("cryptography") is None or find_spec("redis") is None:
            raise BindError(_NEEDS)
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if len(key) != KEY_BYTES:
            raise UsageError(f"the key of shared state has {KEY_BYTES} bytes")
        self._aesgcm: Any = AESGCM
        self._names = _derived(key, b"names")
        self._texts = _derived(key, b"texts")
        self.hashes = _derived(key, b"hashes")
        """For `as hash`: with it every replica makes the same ones."""
        self.id = _derived(key, b"id")[:4].hex()
        """Tells deployments apart that use one server. It says nothing of the key."""

    def __repr__(self) -> str:
        return "<Keys>"

    def __reduce__(self) -> NoReturn:
        raise UsageError("keys cannot be copied or serialised")

    def name(self, *parts: str) -> str:
        """What stands for names of tenants, sessions and texts: 32 hex digits that need the key."""
        return hmac.digest(self._names, _framed(parts), "sha256")[:16].hex()

    def seal(self, text: str, *around: str) -> bytes:
        """The text, encrypted; it opens only with the same words around it."""
        # A key of its own for each text: random nonces alone would run out after 2**32 of them.
        salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
        cipher = self._aesgcm(hmac.digest(self._texts, salt, "sha256"))
        plain = text.encode("utf-8", "surrogatepass")
        sealed: bytes = cipher.encrypt(nonce, plain, _FORMAT + _framed(around))
        return _FORMAT + salt + nonce + sealed

    def unseal(self, sealed: bytes, *around: str) -> str:
        """The text that was sealed with these words around it.

        Raises:
            CheckError: It was not: another key, another place, or somebody changed it.
        """
        from cryptography.exceptions import InvalidTag

        nonce_at = len(_FORMAT) + SALT_BYTES
        text_at = nonce_at + NONCE_BYTES
        salt, nonce = sealed[len(_FORMAT) : nonce_at], sealed[nonce_at:text_at]
        try:
            if not sealed.startswith(_FORMAT) or len(nonce) != NONCE_BYTES:
                raise InvalidTag
            cipher = self._aesgcm(hmac.digest(self._texts, salt, "sha256"))
            plain: bytes = cipher.decrypt(nonce, sealed[text_at:], _FORMAT + _framed(around))
        except InvalidTag:
            raise CheckError("a sealed text of the shared state does not open") from None
        return plain.decode("utf-8", "surrogatepass")


def _derived(key: bytes, use: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    made: bytes = HKDF(SHA256(), KEY_BYTES, None, b"guardkit state 1: " + use).derive(key)
    return made


def _framed(parts: tuple[str, ...]) -> bytes:
    """Texts as one, so that no two lists of them are alike."""
    told = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(one).to_bytes(8, "big") + one for one in told)
