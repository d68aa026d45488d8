"""Quotas: exact in any minute, for one process and for all replicas together."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import anyio
import pytest

from guardkit.errors import CheckError, UsageError
from guardkit.shared import MemoryQuotas, Shared

from ._server import KEY, Server

ROOT = Path(__file__).parents[2]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


# --- in memory


def test_so_many_in_any_minute() -> None:
    clock = Clock()
    quotas = MemoryQuotas(clock)

    async def take(most: int = 3, tenant: str = "t") -> float | None:
        return await quotas.take(tenant, most)

    async def main() -> None:
        for second in (0.0, 10.0, 20.0):
            clock.now = 1000 + second
            assert await take() is None
        assert await take() == 40.0
        assert await take(tenant="other") is None
        clock.now = 1059.5
        assert await take() == 0.5
        clock.now = 1060.0
        assert await take() is None
        assert await take() == 10.0
        assert await take(most=1) == 60.0  # the newest one counts where fewer may
        assert await take(most=4) is None
        assert await take(most=0) == 60.0

    anyio.run(main)


def test_memory_does_not_grow_with_tenants() -> None:
    quotas = MemoryQuotas(lambda: 0.0)

    async def main() -> None:
        for number in range(10_050):
            await quotas.take(f"t{number}", 5)

    anyio.run(main)
    assert repr(quotas) == "<MemoryQuotas of 10000 tenants>"


# --- in Redis


def test_a_quota_is_exact_under_concurrency(server: Server) -> None:
    async def main() -> None:
        replicas = [Shared(server.url, KEY) for _ in range(2)]
        taken = await asyncio.gather(*(replicas[n % 2].quotas.take("t", 50) for n in range(300)))
        assert sum(left is None for left in taken) == 50
        waits = [left for left in taken if left is not None]
        assert all(0 < left <= 60 for left in waits)
        assert await replicas[0].quotas.take("other", 1) is None
        assert await replicas[1].quotas.take("other", 1) is not None
        assert await replicas[1].quotas.take("t", 0) == 60.0
        assert await replicas[1].quotas.take("t", 51) is None
        for replica in replicas:
            await replica.aclose()

    asyncio.run(main())


TAKER = """
    import asyncio, json, sys
    from guardkit.shared import Shared

    async def main():
        shared = Shared(sys.argv[1], bytes(range(32)))
        await shared.ping()
        print("ready", flush=True)
        sys.stdin.readline()
        taken = await asyncio.gather(*(shared.quotas.take("t", 100) for _ in range(150)))
        await shared.aclose()
        print(json.dumps(sum(left is None for left in taken)))

    asyncio.run(main())
"""


def test_a_quota_is_exact_across_processes(server: Server) -> None:
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", dedent(TAKER), server.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(2)
    ]
    for taker in takers:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "ready\n"
    told = [int(taker.communicate("\n", timeout=30)[0]) for taker in takers]
    assert sum(told) == 100


def test_a_minute_slides(server: Server) -> None:
    """Times are set back in the server: nobody waits for a minute here."""
    from redis import Redis

    async def main() -> None:
        shared = Shared(server.url, KEY)
        quotas = shared.quotas
        for _ in range(3):
            assert await quotas.take("t", 3) is None
        with Redis.from_url(server.url) as client:
            (key,) = client.scan_iter("*quota*")
            times = [float(one) for one in client.lrange(key, 0, -1)]
            client.lset(key, 0, f"{times[0] - 59_000:.0f}")
            left = await quotas.take("t", 3)
            assert left is not None
            assert 0.5 < left <= 1.0
            client.lset(key, 0, f"{times[0] - 60_000:.0f}")
            assert await quotas.take("t", 3) is None
            left = await quotas.take("t", 3)
            assert left is not None
            assert 58 < left <= 60
            client.lset(key, -1, f"{times[0] + 10_000:.0f}")  # the server's clock was set back
            left = await quotas.take("t", 1)
            assert left == 60
            assert client.llen(key) == 3
            assert 0 < client.pttl(key) <= 60_000
        await shared.aclose()

    asyncio.run(main())


def test_names_are_hidden(server: Server) -> None:
    async def main() -> None:
        shared = Shared(server.url, KEY)
        await shared.quotas.take("northbank", 5)
        await shared.aclose()

    asyncio.run(main())
    everything = server.everything()
    assert everything.startswith(b"guardkit:1:")
    assert b"northbank" not in everything


def test_without_the_server_nobody_may_go_on(server: Server) -> None:
    async def main() -> None:
        shared = Shared(server.url, KEY)
        assert await shared.quotas.take("t", 5) is None
        assert await shared.is_up()
        server.kill()
        began = time.monotonic()
        taken = await asyncio.gather(
            *(shared.quotas.take("t", 5) for _ in range(100)), return_exceptions=True
        )
        assert time.monotonic() - began < 4
        assert {type(left) for left in taken} == {CheckError}
        assert {str(left) for left in taken} == {"the shared state cannot be reached"}
        assert not await shared.is_up()
        with pytest.raises(CheckError):
            await shared.ping()
        server.start()
        assert await shared.is_up()
        assert await shared.quotas.take("t", 5) is None
        server.freeze()
        began = time.monotonic()
        with pytest.raises(CheckError, match="cannot be reached"):
            await shared.quotas.take("t", 5)
        assert time.monotonic() - began < 4
        server.thaw()
        assert await shared.quotas.take("t", 5) is None
        await shared.aclose()

    asyncio.run(main())


def test_each_loop_has_connections_of_its_own(server: Server) -> None:
    shared = Shared(server.url, KEY)

    async def main() -> None:
        assert await shared.quotas.take("t", 5) is None
        await shared.aclose()

    asyncio.run(main())
    asyncio.run(main())


def test_another_kind_of_loop_is_refused_in_words(server: Server) -> None:
    shared = Shared(server.url, KEY)

    async def main() -> None:
        with pytest.raises(UsageError, match="under asyncio only"):
            await shared.quotas.take("t", 5)

    anyio.run(main, backend="trio")
