"""The connection to Redis: short waits, one kind of error, a new connection by itself."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from anyio.lowlevel import current_token

from guardkit.errors import CheckError, UsageError

WAIT_S = 0.5
"""How long one command, or one try to connect, may take."""
QUEUE_S = 2.0
"""How long to wait for a connection, where all are in use."""
MOST_CONNECTIONS = 16

Arg = str | bytes | int | float


class Script(NamedTuple):
    """A Lua program: what it does is done whole or not at all."""

    text: str
    sha: str

    @classmethod
    def of(cls, text: str) -> Script:
        """The program, and the name under which the server remembers it."""
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Link:
    """Connections to one server, blocking and async, each made when it is first needed.

    From any thread. The async side belongs to the loop that uses it: another loop gets connections
    of its own.

    Args:
        url: `redis://`, `rediss://` or `unix://`. It is never shown: a password may stand in it.
        prefix: What every key begins with.

    Raises:
        UsageError: That is no such address.
    """

    def __init__(self, url: str, prefix: str) -> None:
        from redis import BlockingConnectionPool

        self.prefix = prefix
        self._url = url
        self._lock = threading.Lock()
        try:
            self._pool: Any = BlockingConnectionPool.from_url(url, **_options())
        except (ValueError, TypeError):
            raise UsageError(
                "shared state lies at a `redis://`, `rediss://` or `unix://` address"
            ) from None
        self._client: Any = None
        self._aclient: Any = None
        self._loop: object = None

    def __repr__(self) -> str:
        return "<Link>"

    def call(self, script: Script, *args: Arg) -> Any:
        """Run a program; its first argument is the prefix of all keys.

        Raises:
            CheckError: The server cannot be reached, or refused.
        """
        from redis.exceptions import NoScriptError

        client = self.client
        with reaching():
            try:
                return client.evalsha(script.sha, 0, self.prefix, *args)
            except NoScriptError:
                return client.eval(script.text, 0, self.prefix, *args)

    async def acall(self, script: Script, *args: Arg) -> Any:
        """`call`, without keeping the event loop waiting."""
        from redis.exceptions import NoScriptError

        client = self.aclient
        with reaching():
            try:
                return await client.evalsha(script.sha, 0, self.prefix, *args)
            except NoScriptError:
                return await client.eval(script.text, 0, self.prefix, *args)

    @property
    def client(self) -> Any:
        """The blocking client. Use it within `reaching`."""
        if self._client is None:
            from redis import Redis

            with self._lock:
                self._client = Redis(connection_pool=self._pool)
        return self._client

    @property
    def aclient(self) -> Any:
        """The client of the running loop. Use it within `reaching`."""
        loop = running_loop()
        if self._aclient is None or self._loop is not loop:
            if not hasattr(loop, "call_soon_threadsafe"):
                raise UsageError("shared sessions and quotas run under asyncio only")
            from redis.asyncio import BlockingConnectionPool, Redis

            pool = BlockingConnectionPool.from_url(self._url, **_options(is_async=True))
            self._aclient, self._loop = Redis(connection_pool=pool), loop
        return self._aclient

    async def aclose(self) -> None:
        """Close what is open; another call opens it again."""
        client, self._aclient = self._aclient, None
        if client is not None:
            with suppress(Exception):
                await client.connection_pool.disconnect()
        self.close()

    def close(self) -> None:
        """Close the blocking side."""
        self._client = None
        with suppress(Exception):
            self._pool.disconnect()


def running_loop() -> object:
    """What stands for the event loop of the caller."""
    token: Any = current_token()
    # Older releases of anyio hand out the native object itself.
    return getattr(token, "native_token", token)


@contextmanager
def reaching() -> Iterator[None]:
    """Whatever goes wrong with the server is a `CheckError`, which names no key and no address."""
    from redis.exceptions import ConnectionError as Unconnected
    from redis.exceptions import RedisError
    from redis.exceptions import TimeoutError as TooLate

    try:
        yield
    except (Unconnected, TooLate, OSError):
        raise CheckError("the shared state cannot be reached") from None
    except RedisError as error:
        raise CheckError(f"the shared state refused: {type(error).__name__}") from None


def _options(*, is_async: bool = False) -> dict[str, Any]:
    retry: Any
    if is_async:
        from redis.asyncio.retry import Retry as AsyncRetry
        from redis.backoff import NoBackoff

        retry = AsyncRetry(NoBackoff(), 1)
    else:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        retry = Retry(NoBackoff(), 1)
    return {
        "max_connections": MOST_CONNECTIONS,
        "timeout": QUEUE_S,
        "socket_timeout": WAIT_S,
        "socket_connect_timeout": WAIT_S,
        # A connection that broke while it was idle is made anew, once; every program may run twice.
        "retry": retry,
        "protocol": 2,
    }
