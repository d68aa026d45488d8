"""The console's own pages and files: one page, one form, and a closed table of assets."""

from __future__ import annotations

import hashlib
from functools import cache
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from guardkit.wire import Headers

from .._admin import PAGE_HEADERS
from .._http import Reply, Request

HTML: Final = "text/html; charset=utf-8"
_SCRIPT: Final = "text/javascript; charset=utf-8"
_FOLDER: Final = Path(__file__).parent / "assets"

ASSETS: Final = {
    "console.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "app.js": _SCRIPT,
    "decisions.js": _SCRIPT,
    "dom.js": _SCRIPT,
    "editor.js": _SCRIPT,
    "highlight.js": _SCRIPT,
    "holds.js": _SCRIPT,
    "monitor.js": _SCRIPT,
    "playground.js": _SCRIPT,
    "reports.js": _SCRIPT,
    "sign_in.js": _SCRIPT,
    "spark.js": _SCRIPT,
    "stack.js": _SCRIPT,
    "stream.js": _SCRIPT,
    "theme.js": _SCRIPT,
    "wire.js": _SCRIPT,
}
"""Every file a browser may have, with its type."""

_KEPT: Final[Headers] = tuple(
    (name, "no-cache" if name == "cache-control" else value) for name, value in PAGE_HEADERS
)
"""A browser may keep an asset, and asks each time whether it is still the same."""


class Asset(NamedTuple):
    """One file, as it is sent."""

    body: bytes
    kind: str
    tag: str


@cache
def asset(name: str) -> Asset:
    """An asset by its name in the table."""
    body = (_FOLDER / name).read_bytes()
    return Asset(body, ASSETS[name], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def sent(name: str, request: Request) -> Reply:
    """An asset, or word that the browser's own copy is still good."""
    found = asset(name)
    headers = (*_KEPT, ("etag", found.tag))
    if request.headers.get("if-none-match") == found.tag:
        return Reply(304, b"", found.kind, headers)
    return Reply(200, found.body, found.kind, headers)


def console_page(csrf: str) -> Reply:
    """The console.

    Args:
        csrf: What its scripts have to send with every change.
    """
    return _page("console.html", escape(csrf))


def sign_in_page() -> Reply:
    """The form that asks for the admin token."""
    return _page("sign_in.html", "")


@cache
def _template(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


def _page(name: str, csrf: str) -> Reply:
    body = _template(name).replace("{{csrf}}", csrf).encode()
    return Reply(200, body, HTML, PAGE_HEADERS)
