"""W7: what a call costs through `guardkit serve`, beside the same call straight to the model.

`python -m benchmarks.serve` starts an upstream that answers at once, a server in front of it, and a
client on the same machine. Both ways are asked in turn, so that both meet the same noise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

TEXT = "Here is a short answer about the opening hours of the shop in the old town. " * 4
QUESTION = (
    "I bought a kettle in your shop last week, and its lid does not close any more. The receipt is "
    "at home. What do I have to bring along so that you can exchange it, and until when is the "
    "shop in the old town open on Saturdays? Thank you very much for your help with this."
)
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": TEXT},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Speed(NamedTuple):
    """Seconds of the calls of one way."""

    p50: float
    p99: float
    per_s: float


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default="starter")
    parser.add_argument("--calls", type=int, default=2000, help="of each way and concurrency")
    parser.add_argument("--at-once", type=int, nargs="*", default=[1, 32, 256])
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    figures = measure(chosen.policy, chosen.calls, chosen.at_once)
    if chosen.json:
        print(json.dumps(figures))
        return
    heads = (f"{'at once':>8}", f"{'direct p50':>11}", f"{'p99':>9}", f"{'served p50':>11}")
    print(*heads, f"{'p99':>9}", f"{'added':>9}")
    for row in figures:
        print(
            f"{row['at_once']:8} {row['direct_p50_ms']:8.2f} ms {row['direct_p99_ms']:6.2f} ms"
            f" {row['served_p50_ms']:8.2f} ms {row['served_p99_ms']:6.2f} ms"
            f" {row['added_p50_ms']:6.2f} ms"
        )


def measure(policy: str, calls: int, at_once: list[int]) -> list[dict[str, float]]:
    """The figures of each concurrency."""
    with fast_upstream() as upstream, served(policy, upstream) as server:
        return asyncio.run(_measure(upstream, server, calls, at_once))


async def _measure(
    upstream: int, server: int, calls: int, at_once: list[int]
) -> list[dict[str, float]]:
    figures = []
    for number in at_once:
        laps = [lap async for lap in in_turn(upstream, server, number, max(calls // 4, number), 4)]
        one, other = (_middle(way) for way in zip(*laps, strict=True))
        figures.append(
            {
                "at_once": number,
                "direct_p50_ms": one.p50 * 1e3,
                "direct_p99_ms": one.p99 * 1e3,
                "served_p50_ms": other.p50 * 1e3,
                "served_p99_ms": other.p99 * 1e3,
                "added_p50_ms": (other.p50 - one.p50) * 1e3,
                "added_p99_ms": (other.p99 - one.p99) * 1e3,
                "served_per_s": other.per_s,
            }
        )
    return figures


async def in_turn(
    upstream: int, server: int, at_once: int, calls: int, laps: int
) -> AsyncIterator[tuple[Speed, Speed]]:
    """Straight and through the server, lap by lap: both meet the same noise."""
    await asked(server, at_once, min(calls, 200))  # warm
    for _ in range(laps):
        yield await asked(upstream, at_once, calls), await asked(server, at_once, calls)


def _middle(runs: list[Speed]) -> Speed:
    return Speed(*(statistics.median(values) for values in zip(*runs, strict=True)))


async def asked(port: int, at_once: int, calls: int) -> Speed:
    """Ask so many times over so many connections that are kept open."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": QUESTION}]}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    took: list[float] = []

    async def one(times: int) -> None:
        async with connected(port) as (reader, writer):
            for _ in range(times):
                begun = time.perf_counter()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
                reply = await reader.readexactly(size)
                took.append(time.perf_counter() - begun)
                assert head.startswith(b"HTTP/1.1 200"), head
                assert TEXT.encode() in reply

    begun = time.perf_counter()
    await asyncio.gather(*(one(max(1, calls // at_once)) for _ in range(at_once)))
    per_s = len(took) / (time.perf_counter() - begun)
    ranks = statistics.quantiles(took, n=100, method="inclusive")
    return Speed(ranks[49], ranks[98], per_s)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


# --- the upstream and the server, each a process of its own


@contextmanager
def fast_upstream() -> Iterator[int]:
    """An upstream that answers every request with the same reply, as fast as Python can."""
    port = free_port()
    with _process([sys.executable, "-m", "benchmarks.serve_upstream", str(port)], port):
        yield port


@contextmanager
def served(policy: str, upstream: int, *options: str) -> Iterator[int]:
    """`guardkit serve` in front of it."""
    port = free_port()
    url = f"http://127.0.0.1:{upstream}"
    line = [str(Path(sys.executable).parent / "guardkit"), "serve", policy, "--upstream", url]
    with _process([*line, "--port", str(port), "--no-watch", *options], port):
        yield port


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def _process(line: list[str], port: int) -> Iterator[None]:
    root = Path(__file__).parents[1]
    process = subprocess.Popen(line, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            assert process.poll() is None, f"{line} ended"
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(60)


if __name__ == "__main__":
    main()
