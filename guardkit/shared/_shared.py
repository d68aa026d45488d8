"""All that replicas share, behind one address and one key."""

from __future__ import annotations

from guardkit.errors import CheckError

from ._holds import RedisHolds
from ._keys import Keys, state_key
from ._link import Link, reaching
from ._quotas import RedisQuotas
from ._sessions import RedisSessions


class Shared:
    """State in one Redis server, for all replicas that have its address and its key.

    Nothing is connected before it is needed, and a connection that broke is made anew. Where the
    server cannot be reached, every call raises `CheckError` within a second or so: what it stands
    for must not go on.

    Args:
        url: `redis://`, `rediss://` or `unix://`. It is never shown: a password may stand in it.
        key: 32 secret bytes that seal every text and hide every name; those of the environment
            (`GUARDKIT_STATE_KEY`) when left out.

    Raises:
        BindError: There is no key, or `redis` or `cryptography` is not installed.
        UsageError: The address is none.

    Example:
        >>> Shared("redis://127.0.0.1", bytes(32))
        <Shared>
    """

    def __init__(self, url: str, key: bytes | str | None = None) -> None:
        keys = Keys(key if isinstance(key, bytes) else state_key(key))
        self._link = Link(url, f"guardkit:1:{keys.id}:")
        self.holds = RedisHolds(self._link, keys)
        """The queue of texts that wait for approval."""
        self.quotas = RedisQuotas(self._link, keys)
        """How often tenants may ask."""
        self.sessions = RedisSessions(self._link, keys)
        """What is remembered of sessions, one replica at a time."""
        self.hash_key = keys.hashes
        """For `Guard.hash_by`, so that replicas make the same hashes."""

    def __repr__(self) -> str:
        return "<Shared>"

    async def ping(self) -> None:
        """Back when the server answered.

        Raises:
            CheckError: It cannot be reached.
        """
        with reaching():
            await self._link.aclient.ping()

    async def is_up(self) -> bool:
        """Whether the server answers."""
        try:
            await self.ping()
        except CheckError:
            return False
        return True

    async def aclose(self) -> None:
        """Close the connections; another call opens them again."""
        self.close()
        await self._link.aclose()

    def close(self) -> None:
        """Close what is not of an event loop: threads, and the blocking connections."""
        self.holds.close()
        self.sessions.close()
        self._link.close()
