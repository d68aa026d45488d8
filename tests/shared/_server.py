"""A real Redis server for the tests: its own folder, a free port, nothing kept on disk."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

KEY = bytes(range(32))


class Server:
    """One server; it may be killed, frozen and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("redis-server")
        if found is None:
            pytest.skip("`redis-server` is not installed: shared state was not tested")
        self._program: str = found
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self.env: Mapping[str, str] = {"GUARDKIT_STATE_KEY": KEY.hex()}
        """What processes that share it have to have in their environment."""
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Begin, empty."""
        self._process = subprocess.Popen(
            [
                *(self._program, "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--dir", str(self._folder)),
            ],
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < until, "redis-server does not come up"
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def empty(self) -> None:
        from redis import Redis

        if self._process is None:
            self.start()
        self.thaw()
        with Redis.from_url(self.url) as client:
            client.flushall()

    def everything(self) -> bytes:
        """All keys and values as they lie in the server."""
        from redis import Redis

        found: list[bytes] = []
        with Redis.from_url(self.url) as client:
            for key in client.scan_iter():
                found += [key, client.dump(key) or b""]
        return b"\n".join(found)


@contextmanager
def redis_server() -> Iterator[Server]:
    """A server for as long as the block lasts."""
    with TemporaryDirectory(prefix="guardkit-redis-") as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.kill()
