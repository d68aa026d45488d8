"""Alarms sent to a web address, by a thread of its own."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
import socket
import time
from collections import deque
from threading import Condition, Thread
from typing import Final
from urllib.parse import urlsplit

from guardkit._util.forks import renewed_after_fork
from guardkit.errors import UsageError

from ._alarms import LOGGER, Alarm

MOST_WAITING: Final = 100
TRIES: Final = 5
LONGEST_PAUSE_S: Final = 60.0
_MOST_HEAD: Final = 65_536
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r\n]")
_PLAIN = re.compile(r"[!-~]+")


class Webhook:
    """Posts each alarm as JSON.

    What fails is tried again, with pauses that double. An address that stays away, or is too slow
    for what comes, loses alarms: they are counted and logged, and nothing ever waits for them. A
    redirect is a failure: the address given is the one that is told. Proxies are not used.

    With a secret every request carries `X-Guardkit-Signature: t=SECONDS,v1=HEX`, where HEX is the
    HMAC-SHA256 of `SECONDS.BODY`. The field `id` of the body is the same in every try.

    Args:
        url: Where to, http or https. It is shown nowhere but for its host.
        timeout: How long one try may take, in seconds, from the connection to the status.
        secret: The key of the signature.
        tries: How often an alarm is tried at most.
        pause_s: The first pause between two tries.
        most_waiting: So many alarms may wait.

    Raises:
        UsageError: The address is none that can be used.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 5.0,
        secret: str | bytes | None = None,
        tries: int = TRIES,
        pause_s: float = 1.0,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._is_tls, self._host, self._port, self._path = _read(url)
        if timeout <= 0 or tries < 1 or pause_s < 0 or most_waiting < 1:
            raise UsageError("a webhook needs time for a try, one try, and room for one alarm")
        self._timeout = timeout
        self._secret = secret.encode() if isinstance(secret, str) else secret
        if self._secret == b"":
            raise UsageError("the secret of a webhook is empty")
        self._tries = tries
        self._pause_s = pause_s
        self._most_waiting = most_waiting
        self.sent = 0
        """Alarms that the other side took."""
        self.dropped = 0
        """Alarms that were lost: no room, no success in any try, or closed before."""
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._turn = Condition()
        self._waiting: deque[bytes] = deque()
        self._thread: Thread | None = None
        self._is_busy = self._is_closed = False

    def __repr__(self) -> str:
        return f"<Webhook {self._host}>"

    def __call__(self, alarm: Alarm) -> None:
        """Have an alarm sent. It returns at once."""
        body = {"id": secrets.token_hex(16), **alarm.as_dict(), "says": alarm.sentence}
        with self._turn:
            if self._is_closed or len(self._waiting) >= self._most_waiting:
                self.dropped += 1
                is_lost = True
            else:
                is_lost = False
                self._waiting.append(json.dumps(body, sort_keys=True, allow_nan=False).encode())
                if self._thread is None:
                    self._thread = Thread(target=self._run, name="guardkit webhook", daemon=True)
                    self._thread.start()
                self._turn.notify_all()
        if is_lost:
            self._complain("closed" if self._is_closed else "too many alarms wait")

    def close(self, within_s: float = 5.0) -> None:
        """Send what waits, as far as the time suffices; what is left is dropped."""
        ends = time.monotonic() + within_s
        with self._turn:
            self._turn.wait_for(
                lambda: not (self._waiting or self._is_busy), max(ends - time.monotonic(), 0)
            )
            self._is_closed = True
            left = len(self._waiting)
            self._waiting.clear()
            self.dropped += left
            self._turn.notify_all()
        if left:
            self._complain("closed")

    # --- the thread

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                body = self._waiting.popleft()
                self._is_busy = True
            why = self._send(body)
            with self._turn:
                self._is_busy = False
                if why is None:
                    self.sent += 1
                else:
                    self.dropped += 1
                self._turn.notify_all()
            if why is not None:
                self._complain(why)

    def _send(self, body: bytes) -> str | None:
        """Try until it is taken; why not, where it never was."""
        why = ""
        for number in range(self._tries):
            if number and not self._paused(min(self._pause_s * 2 ** (number - 1), LONGEST_PAUSE_S)):
                return why
            try:
                status = self._post(body)
            except Exception as error:  # noqa: BLE001 - whatever a network does, the thread lives
                why = type(error).__name__
                continue
            if 200 <= status < 300:
                return None
            why = f"status {status}"
            if status < 500 and status not in (408, 425, 429):
                return why  # it says that it will never take it, or sends us elsewhere
        return why

    def _paused(self, seconds: float) -> bool:
        """Wait; False where it was closed meanwhile."""
        with self._turn:
            return not self._turn.wait_for(lambda: self._is_closed, seconds)

    def _post(self, body: bytes) -> int:
        """One try; the status that came back."""
        import http.client

        ends = time.monotonic() + self._timeout
        kind = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "guardkit",
            "Connection": "close",
        }
        if self._secret is not None:
            headers["X-Guardkit-Signature"] = _signature(self._secret, int(time.time()), body)
        try:
            connection.request("POST", self._path, body, headers)
            return _status(connection.sock, ends)
        finally:
            connection.close()

    def _complain(self, why: str) -> None:
        logging.getLogger(LOGGER).error(
            "alarm for webhook %s dropped: %s; %d dropped so far", self._host, why, self.dropped
        )


def _read(url: str) -> tuple[bool, str, int | None, str]:
    """Whether it is https, the host, the port, and the path with the query."""
    problem = "a webhook needs an address such as `https://alarms.example/in`"
    if not isinstance(url, str) or not _PLAIN.fullmatch(url):
        raise UsageError(problem)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError(problem) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(problem)
    if parts.username is not None or parts.password is not None:
        raise UsageError("the address of a webhook has no name and password: use a secret")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme == "https", parts.hostname, port, path


def _signature(secret: bytes, seconds: int, body: bytes) -> str:
    signed = hmac.new(secret, f"{seconds}.".encode() + body, hashlib.sha256)
    return f"t={seconds},v1={signed.hexdigest()}"


def _status(sock: socket.socket, ends: float) -> int:
    """The status of the answer. No more of it is read, and not longer than there is time.

    `http.client` begins its time-out anew with every byte: a drip would keep it for hours.
    """
    head = b""
    while len(head) < _MOST_HEAD:
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        piece = sock.recv(4096)
        if not piece:
            break
        head += piece
        while b"\n" in head:
            found = _STATUS.match(head)
            if found is None:
                raise ConnectionError
            if found[1] >= b"200":
                return int(found[1])
            _, blank, rest = head.partition(b"\r\n\r\n")  # such as 103 Early Hints
            if not blank:
                break
            head = rest
    raise ConnectionError
