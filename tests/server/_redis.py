"""A real Redis server for the tests of replicas: a free port, nothing kept on disk."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import pytest


class Redis:
    """One server; it may be killed and started again at the same address."""

    def __init__(self, folder: str) -> None:
        found = shutil.which("redis-server")
        if found is None:
            if os.environ.get("CI"):
                pytest.fail("`redis-server` is not installed, and these tests need it")
            pytest.skip("`redis-server` is not installed: replicas were not tested")
        self._program: str = found
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self._port}"
        self.env: Mapping[str, str] = {"GUARDKIT_STATE_KEY": secrets.token_hex(32)}
        """What servers that share it have to have in their environment."""
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Begin, empty."""
        command = (self._program, "--port", str(self._port), "--bind", "127.0.0.1")
        kept = ("--save", "", "--appendonly", "no", "--dir", self._folder)
        self._process = subprocess.Popen([*command, *kept], stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                assert time.monotonic() < until, "redis-server does not come up"
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def redis_server() -> Iterator[Redis]:
    """A Redis server for as long as the block lasts."""
    with TemporaryDirectory(prefix="guardkit-redis-") as folder:
        server = Redis(folder)
        try:
            yield server
        finally:
            server.kill()
