"""Twelve ways a check can fail, each as a callable, and a server that answers badly."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

PATIENCE = "40ms"


class _Bad(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/500":
            self.send_response(500)
            self.end_headers()
        elif self.path == "/junk":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>no number here</html>")
        else:
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a dropped connection is what we want


@contextmanager
def bad_server() -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), _Bad)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _fetched(url: str) -> float:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return float(answer.read())
    except urllib.error.HTTPError as error:
        error.close()
        raise


def _killed() -> float:
    """A worker process that dies before it answers."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code], capture_output=True, check=False
    )
    return float(done.stdout)


def _raise() -> float:
    raise RuntimeError("the model is gone")


def _exhausted() -> float:
    raise MemoryError


def faults(url: str) -> dict[str, Callable[[], object]]:
    """What each fault does when it is called; `hang` and `late` are awaited instead."""
    return {
        "raise": _raise,
        "nan": lambda: float("nan"),
        "inf": lambda: float("inf"),
        "wrong shape": lambda: [0.1, 0.9],
        "empty": lambda: None,
        "http 500": lambda: _fetched(f"{url}/500"),
        "junk": lambda: _fetched(f"{url}/junk"),
        "dropped": lambda: _fetched(f"{url}/drop"),
        "out of memory": _exhausted,
        "killed worker": _killed,
    }


WAITS = {"hang": 30.0, "late": 0.3}
FAULTS = (*faults(""), *WAITS)


def callable_of(kind: str, fault: str, url: str) -> Callable[..., object]:
    """A callable of one kind of check that fails in one way."""
    wait = WAITS.get(fault)
    act = faults(url).get(fault, lambda: 0.0)
    is_judge = kind.startswith("judge")

    async def later(*args: object) -> object:
        if wait is not None:
            await anyio.sleep(wait)
        return act()

    def now(*args: object) -> object:
        if wait is not None:
            time.sleep(min(wait, 0.5))
        return act()

    made = later if kind.endswith("async") else now
    if is_judge:
        return made
    # A `python` check may be an object.
    return made
