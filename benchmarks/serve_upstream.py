"""An upstream that says the same at once: one write for each request, whatever it asks."""

from __future__ import annotations

import asyncio
import json
import sys

from .serve import REPLY


class Same(asyncio.Protocol):
    """Answers when a request is whole."""

    def __init__(self) -> None:
        self._read = b""
        body = json.dumps(REPLY).encode()
        head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
        self._reply = f"{head}{len(body)}\r\n\r\n".encode() + body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (at := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:at].lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r")[0] or 0)
            if len(self._read) < at + 4 + size:
                return
            self._read = self._read[at + 4 + size :]
            self._transport.write(self._reply)  # type: ignore[attr-defined]


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Same, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1])))
