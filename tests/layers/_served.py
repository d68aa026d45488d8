"""A scripted server that speaks the chat completions format, on a real socket."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Scripted:
    """What the server says, and what it was asked."""

    def __init__(self, answer: Callable[[str], Any]) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.url = ""
        self.ends = False
        self.ended = threading.Event()
        """Set when a connection was ended after a reply that did not say so."""


class Status:
    """An answer that is no reply."""

    def __init__(self, code: int, body: Any = None, *, waits: str = "") -> None:
        self.code, self.body, self.waits = code, body or {"error": {"code": None}}, waits


class Cut:
    """The connection ends in the middle of the reply."""


class Raw:
    """Bytes instead of a reply."""

    def __init__(self, content: bytes) -> None:
        self.content = content


class Slow:
    """Nothing for some seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def finish(self) -> None:
            super().finish()
            if script.ends:
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                script.ended.set()

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            asked = json.loads(self.rfile.read(size))
            script.asked.append(asked)
            script.keys.append(self.headers.get("Authorization", ""))
            content = asked["messages"][-1]["content"]
            said = script.answer(content if isinstance(content, str) else json.dumps(content))
            if isinstance(said, Slow):
                time.sleep(said.seconds)
                said = "late"
            if isinstance(said, Cut):
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"choices": [')
                self.close_connection = True
                return
            if isinstance(said, Status):
                self._send(said.code, json.dumps(said.body).encode(), said.waits)
                return
            if isinstance(said, Raw):
                self._send(200, said.content)
                return
            message = said if isinstance(said, dict) else {"role": "assistant", "content": said}
            reason = message.pop("finish_reason", "stop")
            choice = {"index": 0, "message": message, "finish_reason": reason}
            reply = {"object": "chat.completion", "model": "scripted", "choices": [choice]}
            self._send(200, json.dumps(reply).encode())
            if script.ends:
                self.close_connection = True

        def _send(self, code: int, content: bytes, waits: str = "") -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if waits:
                self.send_header("Retry-After", waits)
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the terminal."""

    return Handler


@contextmanager
def served(answer: Callable[[str], Any], *, ends: bool = False) -> Iterator[Scripted]:
    """A server on a free port, until the end of the block; `ends`: it ends idle connections."""
    script = Scripted(answer)
    script.ends = ends
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
