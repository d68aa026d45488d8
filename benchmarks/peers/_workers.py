"""Long-lived processes, one for each peer, that are asked in turn."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from ._environments import HERE, VENVS, Peer, variables

LINE = 64 << 20
"""The longest answer in bytes."""


class WorkerError(Exception):
    """A worker ended or did not answer in time."""


class Worker:
    """One peer at work; its own words go to a log beside its environment."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, task: dict[str, Any], limit_s: float = 180.0) -> dict[str, Any]:
        """Give a task and wait for the answer; a worker that is gone is started anew.

        Raises:
            WorkerError: It ended, or took too long and was ended.
        """
        process = self._process or await self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(task).encode() + b"\n")
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), limit_s)
        except TimeoutError as error:
            await self.end()
            raise WorkerError(f"no answer in {limit_s:g} s") from error
        except OSError as error:
            await self.end()
            raise WorkerError(f"it is gone: {error}") from error
        if not line:
            await self.end()
            raise WorkerError(f"it ended; see {self._log.name}")
        told: dict[str, Any] = json.loads(line)
        return told

    async def end(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def _started(self) -> asyncio.subprocess.Process:
        VENVS.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(self.peer.python),
                str(HERE / self.peer.script),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LINE,
                cwd=VENVS,
                env=variables(self.peer),
            )
        return self._process

    @property
    def _log(self) -> Path:
        return VENVS / f"{self.peer.name}.log"
