"""Who may administer: the admin token, the console's session cookie, and what a browser may do.

A program shows the token as a bearer. A person gives it once and gets a cookie that is signed and
ends; the token itself never goes into a cookie or a page. The signature's key is drawn from the
token, so every worker of a server knows every session, and a new token ends them all.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from guardkit.errors import BindError
from guardkit.wire import Fault, Headers

from ._admission import Denials
from ._http import Request

VARIABLE: Final = "GUARDKIT_ADMIN_TOKEN"
COOKIE: Final = "guardkit_console"
CSRF_HEADER: Final = "x-guardkit-csrf"
LIFE_S: Final = 8 * 3600
ATTEMPTS_PER_MINUTE: Final = 10
LEAST_TOKEN: Final = 16
MOST_TOKEN: Final = 1024
LEAST_VARIETY: Final = 8
"""So many different characters a token has at least: `aaaa…` is long, and no secret."""

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""What a page of the console may load: nothing but its own files, and no script inside a page."""
REPORT_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'self'; sandbox"
)
"""What an opened report may: look as it was written. It runs no script and belongs to no origin."""

_ALWAYS: Final[Headers] = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
PAGE_HEADERS: Final[Headers] = (("content-security-policy", CSP), *_ALWAYS)
"""With every reply of the console."""
REPORT_HEADERS: Final[Headers] = (("content-security-policy", REPORT_CSP), *_ALWAYS)
"""With every opened report."""

_TOKEN: Final = re.compile(r"[!-~]+")
_SESSION: Final = re.compile(r"1\.([0-9]{9,12})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
_READ_ONLY: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
"""What `sec-fetch-site` says of a page of ours, and of a person who typed the address."""
_PORTS: Final = {"http": ":80", "https": ":443"}
_MOST_COOKIES: Final = 8
_SLACK_S: Final = 60
"""So far a clock may be put back without ending the sessions begun before."""


class AdminToken(NamedTuple):
    """The token of a server, and whether it was made up just now, so that it has to be told."""

    text: str
    is_new: bool

    def __repr__(self) -> str:
        return f"AdminToken(is_new={self.is_new})"


def admin_token(environment: Mapping[str, str]) -> AdminToken:
    """The token in the environment, or a new one of 256 random bits.

    Raises:
        BindError: The one in the environment is too weak, or cannot be sent in a header.
    """
    given = environment.get(VARIABLE, "")
    if not given:
        return AdminToken(secrets.token_urlsafe(32), is_new=True)
    _check(given)
    return AdminToken(given, is_new=False)


def _check(token: str) -> None:
    if (
        not LEAST_TOKEN <= len(token) <= MOST_TOKEN
        or len(set(token)) < LEAST_VARIETY
        or _TOKEN.fullmatch(token) is None
    ):
        raise BindError(
            f"the admin token (`{VARIABLE}`) has to be {LEAST_TOKEN} to {MOST_TOKEN} printable"
            f" ASCII characters without blanks, {LEAST_VARIETY} of them different:"
            " `openssl rand -hex 32` makes a good one"
        )


class Admin:
    """Knows the admin by bearer or cookie, and the console's own requests from forged ones.

    A bearer may be tried as often as anybody likes, for it cannot be guessed; the form, which
    invites trying, takes ten wrong ones a minute from one address. A cookie is good for eight hours
    and in no other place than the console; to sign out is to forget it.

    Args:
        token: The admin token.
        clock: Seconds since 1970.
        monotonic: Seconds that only ever grow.

    Raises:
        BindError: The token is too weak, or cannot be sent in a header.
    """

    __slots__ = ("_clock", "_digest", "_key", "_wrong")

    def __init__(
        self,
        token: str,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        _check(token)
        self._clock = clock
        self._digest = _digest(token)
        # Slow on purpose: who finds an old cookie must not be able to try tokens against it.
        self._key = hashlib.scrypt(
            token.encode(), salt=b"guardkit console 1", n=1 << 14, r=8, p=1, dklen=32
        )
        # The tenth wrong one is one more than nine: the eleventh attempt finds the door shut.
        self._wrong = Denials(ATTEMPTS_PER_MINUTE - 1, clock=monotonic)

    def __repr__(self) -> str:
        return "<Admin>"

    def may(self, request: Request) -> bool:
        """Whether this is the admin. What changes anything needs `checks`, too."""
        return self._has_token(request) or self._session(request) is not None

    def cookie(self, token: str, *, peer: str = "", is_tls: bool = False) -> Headers | None:
        """The header that begins a session; None where the token is wrong.

        Args:
            token: What was typed into the form.
            peer: The address it came from.
            is_tls: Whether the browser came by TLS, and need never send the cookie otherwise.

        Raises:
            Fault: 429 `too_many_attempts`: ten wrong ones came from there in a minute.
        """
        left = self._wrong.over("", peer)
        if left is not None:
            wait = (("retry-after", str(math.ceil(left))),)
            raise Fault(429, "too_many_attempts", "too many wrong tokens: try again soon", wait)
        if not self._is_token(token):
            self._wrong.note("", peer)
            return None
        said = f"1.{int(self._clock()) + LIFE_S}.{secrets.token_urlsafe(16)}"
        return _set_cookie(f"{said}.{self._signed('session', said)}", LIFE_S, is_tls)

    def signed_out(self, *, is_tls: bool = False) -> Headers:
        """The header with which the browser forgets its session."""
        return _set_cookie("", 0, is_tls)

    def csrf(self, request: Request) -> str:
        """What the pages of this session have to send in `x-guardkit-csrf`; empty without one."""
        session = self._session(request)
        return "" if session is None else self._signed("csrf", session)

    def checks(self, request: Request) -> None:
        """Refuse a request that changes something and was not meant by a page of the console.

        One with the right bearer was: no other site can make a browser send that.

        Raises:
            Fault: 403 `foreign_origin` or `csrf`.
        """
        if request.method in _READ_ONLY:
            return
        self.checks_origin(request)
        if self._has_token(request):
            return
        wanted = self.csrf(request)
        given = request.headers.get(CSRF_HEADER, "")
        if not wanted or not _equal(given, wanted):
            raise Fault(403, "csrf", "the page is too old: reload it and try again")

    def checks_origin(self, request: Request) -> None:
        """Refuse what a page of another site sends: all that can be checked before a sign-in.

        A program says neither where it comes from nor what it is, and is let through.

        Raises:
            Fault: 403 `foreign_origin`.
        """
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site", "none").strip().lower()
        is_own = origin is None or _host(origin) == request.headers.get("host", "").lower()
        if not is_own or site not in _OWN_SITES:
            raise Fault(403, "foreign_origin", "only pages of this server may do that")

    # --- sessions

    def _has_token(self, request: Request) -> bool:
        return self._is_token(request.bearer())

    def _is_token(self, token: str) -> bool:
        # Digests have one length, so the comparison tells nothing of that of the token.
        return compare_digest(_digest(token), self._digest)

    def _session(self, request: Request) -> str | None:
        """What the cookie says, if this server signed it and it has not ended."""
        for value in _cookies(request):
            shape = _SESSION.fullmatch(value)
            if shape is None:
                continue
            said, _, signature = value.rpartition(".")
            left = int(shape[1]) - self._clock()
            if _equal(signature, self._signed("session", said)) and 0 < left <= LIFE_S + _SLACK_S:
                return said
        return None

    def _signed(self, what: str, text: str) -> str:
        made = hmac.digest(self._key, f"{what}:{text}".encode("ascii"), "sha256")
        return urlsafe_b64encode(made).decode("ascii").rstrip("=")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _equal(given: str, wanted: str) -> bool:
    # As text, both would have to be ASCII.
    return compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode("ascii"))


def _cookies(request: Request) -> list[str]:
    """The values of our cookie: a neighbouring host may have set another one of the same name."""
    pairs = (part.partition("=") for part in request.headers.get("cookie", "").split(";"))
    found = [value.strip() for name, _, value in pairs if name.strip() == COOKIE]
    return found[:_MOST_COOKIES]


def _set_cookie(value: str, life_s: int, is_tls: bool) -> Headers:
    parts = [f"{COOKIE}={value}", "Path=/console", f"Max-Age={life_s}", "HttpOnly"]
    parts += ["SameSite=Strict", *(["Secure"] if is_tls else [])]
    return (("set-cookie", "; ".join(parts)),)


def _host(origin: str) -> str:
    """The host and port of an origin, as a `host` header has them; no host for none."""
    try:
        parts = urlsplit(origin.strip().lower())
    except ValueError:
        return "?"
    if parts.scheme not in _PORTS or not parts.netloc:
        return "?"
    return parts.netloc.removesuffix(_PORTS[parts.scheme])
