"""A client of the language server: raw JSON-RPC over the pipes of a real process."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
START = (sys.executable, "-c", "from guardkit.cli import main; main()", "lsp")
PATIENCE_S = 30.0

Json = dict[str, Any]

ABLE: Json = {
    "textDocument": {"completion": {"completionItem": {"snippetSupport": True}}},
    "workspace": {
        "workspaceEdit": {"documentChanges": True},
        "codeLens": {"refreshSupport": True},
    },
}
"""What this client says it can do."""


class ServerError(Exception):
    """The server refused a request."""


class Client:
    """One session with one server."""

    def __init__(
        self,
        *options: str,
        folder: Path | None = None,
        encodings: list[str] | None = None,
        able: Mapping[str, Any] = ABLE,
        path: Path | None = None,
    ) -> None:
        places = [str(ROOT)] if path is None else [str(ROOT), str(path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
        self.process = subprocess.Popen(
            [*START, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            bufsize=0,
        )
        self.heard: queue.Queue[Json | None] = queue.Queue()
        self.said: list[Json] = []
        self.answers: dict[int, Json] = {}
        self.number = 0
        self.versions: dict[str, int] = {}
        self.errors: list[bytes] = []
        self._threads = [
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._drain, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        general = {} if encodings is None else {"general": {"positionEncodings": encodings}}
        self.capabilities: Json = self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": None if folder is None else folder.as_uri(),
                "capabilities": {**able, **general},
            },
        )["capabilities"]
        self.notify("initialized", {})

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            code = self.end()
            assert code == 0, b"".join(self.errors).decode()
        self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        for thread in self._threads:
            thread.join(10)

    def end(self) -> int:
        """Shut the session down; the exit code."""
        self.request("shutdown", None)
        self.notify("exit", None)
        return self.process.wait(PATIENCE_S)

    # --- messages

    def _listen(self) -> None:
        out = self.process.stdout
        assert out is not None
        while True:
            size = 0
            while (line := out.readline().strip()) != b"" or not size:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    size = int(value)
                if not line and not size:
                    self.heard.put(None)
                    return
            body = b""
            while len(body) < size:
                piece = out.read(size - len(body))
                if not piece:
                    self.heard.put(None)
                    return
                body += piece
            self.heard.put(json.loads(body))

    def _drain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line)

    def send(self, message: Json) -> None:
        """One message, whatever it says."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.send_raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def send_raw(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def notify(self, method: str, params: object) -> None:
        self.send({"method": method, "params": params})

    def request(self, method: str, params: object) -> Any:
        """Ask, and wait for the answer."""
        self.number += 1
        number = self.number
        self.send({"id": number, "method": method, "params": params})
        self.wait(lambda: number in self.answers)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise ServerError(answer["error"]["message"])
        return answer["result"]

    def wait(self, ready: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Take messages in until something is so."""
        end = time.monotonic() + patience_s
        while not ready():
            try:
                message = self.heard.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"the server is silent: {b''.join(self.errors)!r}") from None
            assert message is not None, f"the server is gone: {b''.join(self.errors).decode()}"
            if "method" in message and "id" in message:
                self.send({"id": message["id"], "result": None})
                self.said.append(message)
            elif "method" in message:
                self.said.append(message)
            else:
                self.answers[message["id"]] = message

    # --- documents

    def open(self, uri: str, text: str) -> None:
        self.versions[uri] = 1
        document = {"uri": uri, "languageId": "guard", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def change(self, uri: str, *changes: Json) -> int:
        """Edit a document; its new version."""
        self.versions[uri] += 1
        version = self.versions[uri]
        document = {"uri": uri, "version": version}
        params = {"textDocument": document, "contentChanges": list(changes)}
        self.notify("textDocument/didChange", params)
        return version

    def type(self, uri: str, line: int, character: int, text: str, size: int = 0) -> int:
        """Type over `size` units at a place."""
        start = {"line": line, "character": character}
        end = {"line": line, "character": character + size}
        return self.change(uri, {"range": {"start": start, "end": end}, "text": text})

    def at(self, method: str, uri: str, line: int, character: int, **more: object) -> Any:
        """Ask about a place."""
        position = {"line": line, "character": character}
        return self.request(
            f"textDocument/{method}",
            {"textDocument": {"uri": uri}, "position": position, **more},
        )

    def about(self, method: str, uri: str, **more: object) -> Any:
        """Ask about a document."""
        return self.request(f"textDocument/{method}", {"textDocument": {"uri": uri}, **more})

    def findings(
        self, uri: str, version: int, wanted: Callable[[list[Json]], bool] = lambda _: True
    ) -> list[Json]:
        """What is published for a version, once it is as wanted."""
        found: list[list[Json]] = []

        def ready() -> bool:
            found[:] = [
                one["params"]["diagnostics"]
                for one in self.said
                if one["method"] == "textDocument/publishDiagnostics"
                and one["params"]["uri"] == uri
                and (one["params"].get("version") or 0) >= version
                and wanted(one["params"]["diagnostics"])
            ]
            return bool(found)

        self.wait(ready)
        return found[-1]


def place_of(text: str, needle: str, after: int = 0) -> tuple[int, int]:
    """Line and character (UTF-16) of a piece of a text, `after` characters into it."""
    offset = text.index(needle) + after
    line = text.count("\n", 0, offset)
    start = text.rfind("\n", 0, offset) + 1
    return line, len(text[start:offset].encode("utf-16-le")) // 2
