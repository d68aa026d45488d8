"""A console on a real socket and a headless browser in front of it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import uvicorn

from guardkit.server._http import Request, Streamed
from guardkit.server.console import Console

from ._console import TOKEN


class Served:
    """A console that answers on a port of this machine."""

    def __init__(self, console: Console) -> None:
        self._routes = console.routes()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            log_config=None,
            loop="asyncio",
            http="httptools",
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Served:
        self._thread.start()
        until(lambda: self._server.started)
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        async def read() -> bytes:
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    return body

        request = Request(
            scope["method"],
            scope["path"],
            dict(parse_qsl(scope["query_string"].decode())),
            {name.decode(): value.decode("latin-1") for name, value in scope["headers"]},
            scope["client"][0],
            "d-1",
            read,
        )
        handler = self._routes.get((request.method, request.path))
        if handler is None:
            await _answer(send, 404, b"{}", "application/json", ())
            return
        reply = await handler(request)
        assert not isinstance(reply, Streamed)
        await _answer(send, reply.status, reply.body, reply.kind, reply.headers)


async def _answer(
    send: Any, status: int, body: bytes, kind: str, headers: Sequence[tuple[str, str]]
) -> None:
    pairs = [*headers, ("content-type", kind), ("content-length", str(len(body)))]
    raw = [(name.encode(), value.encode()) for name, value in pairs]
    if status in (204, 304):
        raw = raw[: len(headers)]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


T = TypeVar("T")


def until(ask: Callable[[], T], seconds: float = 15.0) -> T:
    """What `ask` gives once it gives something; what it raises meanwhile does not count."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = ask()
        except Exception:
            if time.monotonic() > end:
                raise
        else:
            if found:
                return found
            assert time.monotonic() < end, "it did not happen"
        time.sleep(0.03)


@contextmanager
def browser(dark: bool = False, size: tuple[int, int] = (1280, 900)) -> Iterator[Any]:
    """A headless Chromium that reaches this machine and nothing else."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--window-size={size[0]},{size[1]}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        resize(driver, size)
        theme(driver, dark=dark)
        yield driver
    finally:
        driver.quit()


def resize(driver: Any, size: tuple[int, int]) -> None:
    """The page gets exactly this size, which may be less than a window's least."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 500},
    )


def theme(driver: Any, *, dark: bool) -> None:
    """What the system of this browser prefers."""
    feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def forget_cookies(driver: Any) -> None:
    """Nobody is signed in anywhere."""
    driver.execute_cdp_cmd("Network.clearBrowserCookies", {})


def requested(driver: Any) -> list[str]:
    """The addresses of everything that was asked for since the last call."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return found


def complaints(driver: Any) -> list[str]:
    """What the browser's console says is wrong, since the last call."""
    return [one["message"] for one in driver.get_log("browser") if one["level"] != "INFO"]


def shot(driver: Any, path: Path, *, whole: bool = True) -> None:
    """A picture of the page."""
    import base64

    made = driver.execute_cdp_cmd(
        "Page.captureScreenshot",
        {"format": "png", "captureBeyondViewport": whole}
        | ({"clip": _page(driver)} if whole else {}),
    )
    path.write_bytes(base64.b64decode(made["data"]))


def _page(driver: Any) -> dict[str, float]:
    size = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}


def sign_in(driver: Any, base: str) -> None:
    """Come to the console by its form."""
    from selenium.webdriver.common.by import By

    driver.get(f"{base}/console")
    until(lambda: driver.find_element(By.ID, "token"))
    driver.find_element(By.ID, "token").send_keys(TOKEN)
    driver.find_element(By.CSS_SELECTOR, "#sign-in button").click()
    until(lambda: driver.find_element(By.CSS_SELECTOR, "nav a[aria-current]"))
