"""Only the admin administers: by bearer or by a signed cookie, and never by a forged request."""

from __future__ import annotations

import logging
import re
from http.cookies import SimpleCookie
from random import Random

import pytest

from guardkit.errors import BindError
from guardkit.server._admin import (
    CSP,
    PAGE_HEADERS,
    REPORT_CSP,
    REPORT_HEADERS,
    Admin,
    admin_token,
)
from guardkit.server._http import Request
from guardkit.wire import Fault, Headers

TOKEN = "0123456789abcdef0123456789abcdef"
HOST = "guard.example:8080"


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def admin(clock: Clock) -> Admin:
    return Admin(TOKEN, clock=clock, monotonic=clock)


def request(method: str = "POST", /, **headers: str) -> Request:
    async def read() -> bytes:
        return b""

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, "/console/api/x", {}, {"host": HOST} | named, "192.0.2.7", "d", read)


def value_of(headers: Headers | None) -> str:
    """The cookie as a browser sends it back."""
    assert headers is not None
    ((name, value),) = headers
    assert name == "set-cookie"
    return value.partition(";")[0]


def refused(admin: Admin, asked: Request) -> tuple[int, str]:
    with pytest.raises(Fault) as caught:
        admin.checks(asked)
    return caught.value.status, caught.value.code


# --- the token


def test_a_token_of_the_environment_is_used_and_else_one_is_made_up() -> None:
    assert admin_token({"GUARDKIT_ADMIN_TOKEN": TOKEN}) == (TOKEN, False)
    made = [admin_token({}), admin_token({"GUARDKIT_ADMIN_TOKEN": ""})]
    assert all(one.is_new and re.fullmatch(r"[A-Za-z0-9_-]{43}", one.text) for one in made)
    assert made[0] != made[1]
    assert made[0].text not in repr(made[0])


@pytest.mark.parametrize(
    "weak", ["short", "a" * 40, "abababababababababab", "with a blank inside", "ümläute-" * 4]
)
def test_a_weak_token_is_refused_and_not_repeated(weak: str) -> None:
    for use in (Admin, lambda token: admin_token({"GUARDKIT_ADMIN_TOKEN": token})):
        with pytest.raises(BindError) as caught:
            use(weak)
        assert weak not in str(caught.value)
        assert "GUARDKIT_ADMIN_TOKEN" in str(caught.value)


def test_an_overlong_token_is_refused() -> None:
    with pytest.raises(BindError):
        Admin("0123456789" * 103)


# --- who may


def test_the_bearer_may_and_nobody_else(admin: Admin) -> None:
    assert admin.may(request(authorization=f"Bearer {TOKEN}"))
    for place in range(len(TOKEN)):
        wrong = TOKEN[:place] + "x" + TOKEN[place + 1 :]
        assert not admin.may(request(authorization=f"Bearer {wrong}"))
    for header in (
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        "Bearer \ud800",
    ):
        assert not admin.may(request(authorization=header))
    assert not admin.may(request())
    assert not admin.may(request(x_api_key=TOKEN, cookie=f"guardkit_console={TOKEN}"))


def test_a_session_begins_with_the_token_and_ends_after_eight_hours(
    admin: Admin, clock: Clock
) -> None:
    cookie = value_of(admin.cookie(TOKEN, peer="p"))
    try:
        for passed, may in ((0, True), (8 * 3600 - 2, True), (8 * 3600, False), (1e6, False)):
            clock.now = 1_790_000_000.5 + passed
            assert admin.may(request("GET", cookie=cookie)) is may
        clock.now = 1_790_000_000.5 - 3600
        assert not admin.may(request("GET", cookie=cookie)), "a clock put back lengthens no session"
    finally:
        clock.now = 1_790_000_000.5


def test_the_cookie_holds_no_token_and_goes_nowhere_else(admin: Admin) -> None:
    for is_tls in (False, True):
        headers = admin.cookie(TOKEN, peer="p", is_tls=is_tls)
        assert headers is not None
        text = headers[0][1]
        parsed = SimpleCookie(text)["guardkit_console"]
        assert (parsed["path"], parsed["max-age"], parsed["samesite"]) == (
            "/console",
            "28800",
            "Strict",
        )
        assert parsed["httponly"] is True
        assert bool(parsed["secure"]) is is_tls
        assert parsed["domain"] == ""
        assert not any(TOKEN[n : n + 8] in text for n in range(len(TOKEN) - 8))
    assert value_of(admin.cookie(TOKEN)) != value_of(admin.cookie(TOKEN))


def test_signing_out_takes_the_cookie_away(admin: Admin) -> None:
    text = admin.signed_out(is_tls=True)[0][1]
    assert text == (
        "guardkit_console=; Path=/console; Max-Age=0; HttpOnly; SameSite=Strict; Secure"
    )
    assert not admin.may(request("GET", cookie=text.partition(";")[0]))


def test_no_changed_cookie_opens(admin: Admin) -> None:
    cookie = value_of(admin.cookie(TOKEN))
    random = Random("cookie")
    start = len("guardkit_console=")
    for place in range(start, len(cookie)):
        for sign in {*"aZ0_-.", random.choice("bcdefgh123")} - {cookie[place]}:
            wrong = cookie[:place] + sign + cookie[place + 1 :]
            assert not admin.may(request("GET", cookie=wrong)), place
    later = re.sub(r"1\.(\d+)", lambda found: f"1.{int(found[1]) + 1}", cookie)
    for wrong in (later, cookie + "a", cookie[:-1], cookie.replace("=", "x="), cookie.upper()):
        assert not admin.may(request("GET", cookie=wrong))


def test_the_cookie_is_found_among_others(admin: Admin) -> None:
    cookie = value_of(admin.cookie(TOKEN))
    for header in (
        f"theme=dark; {cookie}",
        f"{cookie};x=y",
        f"guardkit_console=tossed; {cookie}",
        f" {cookie} ; ; =",
    ):
        assert admin.may(request("GET", cookie=header))
    many = "guardkit_console=x; " * 5_000
    assert not admin.may(request("GET", cookie=many + cookie)), "a flood is not tried through"


def test_workers_know_each_others_sessions_and_a_new_token_ends_them(
    admin: Admin, clock: Clock
) -> None:
    cookie = value_of(admin.cookie(TOKEN))
    worker = Admin(TOKEN, clock=clock)
    assert worker.may(request("GET", cookie=cookie))
    assert worker.csrf(request("GET", cookie=cookie)) == admin.csrf(request("GET", cookie=cookie))
    other = Admin(TOKEN[::-1], clock=clock)
    assert not other.may(request("GET", cookie=cookie))
    assert other.csrf(request("GET", cookie=cookie)) == ""


# --- signing in


def test_ten_wrong_tokens_shut_the_door_for_a_minute(clock: Clock) -> None:
    admin = Admin(TOKEN, clock=clock, monotonic=clock)
    begin = clock.now
    try:
        for _ in range(10):
            assert admin.cookie("wrong", peer="192.0.2.7") is None
            clock.now += 1
        for token in ("wrong", TOKEN):
            with pytest.raises(Fault) as caught:
                admin.cookie(token, peer="192.0.2.7")
            assert (caught.value.status, caught.value.code) == (429, "too_many_attempts")
            assert caught.value.headers == (("retry-after", "50"),)
        assert admin.cookie(TOKEN, peer="192.0.2.8") is not None, "others may"
        assert admin.may(request(authorization=f"Bearer {TOKEN}"))
        clock.now += 50
        assert admin.cookie(TOKEN, peer="192.0.2.7") is not None
    finally:
        clock.now = begin


def test_right_tokens_are_not_counted(admin: Admin) -> None:
    for _ in range(50):
        assert admin.cookie(TOKEN, peer="192.0.2.9") is not None


# --- requests that were not meant


def test_a_page_of_the_console_shows_what_belongs_to_its_session(admin: Admin) -> None:
    cookies = [value_of(admin.cookie(TOKEN)) for _ in range(2)]
    tokens = [admin.csrf(request("GET", cookie=cookie)) for cookie in cookies]
    assert tokens[0] != tokens[1]
    assert all(len(token) == 43 and token not in cookies[0] + cookies[1] for token in tokens)
    own = {"origin": f"http://{HOST}", "sec_fetch_site": "same-origin"}
    for headers in ({}, own, {"origin": f"https://{HOST.upper()}"}):
        admin.checks(request(cookie=cookies[0], x_guardkit_csrf=tokens[0], **headers))
    for given in ("", tokens[1], tokens[0][:-1], tokens[0] + "a", "\u00e9", "\ud800"):
        asked = request(cookie=cookies[0], x_guardkit_csrf=given, **own)
        assert refused(admin, asked) == (403, "csrf")
    assert refused(admin, request(cookie=cookies[0], **own)) == (403, "csrf")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "QUERY"])
def test_without_a_session_nothing_is_changed(admin: Admin, method: str) -> None:
    assert refused(admin, request(method)) == (403, "csrf")
    assert refused(admin, request(method, x_guardkit_csrf="")) == (403, "csrf")
    assert refused(admin, request(method, authorization="Bearer wrong")) == (403, "csrf")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_needs_no_more_than_the_session(admin: Admin, method: str) -> None:
    admin.checks(request(method, origin="https://evil.example"))


def test_a_program_with_the_token_needs_no_page(admin: Admin) -> None:
    admin.checks(request(authorization=f"Bearer {TOKEN}"))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": f"http://{HOST}.evil.example"},
        {"origin": f"http://{HOST}@evil.example"},
        {"origin": "http://guard.example:9090"},
        {"origin": f"file://{HOST}"},
        {"origin": "http://[::1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "whatever"},
        {"origin": f"http://{HOST}", "sec_fetch_site": "cross-site"},
        {"origin": f"http://{HOST}", "host": ""},
        {"origin": "", "host": ""},
    ],
)
def test_another_site_is_refused_whatever_it_knows(admin: Admin, headers: dict[str, str]) -> None:
    cookie = value_of(admin.cookie(TOKEN))
    token = admin.csrf(request("GET", cookie=cookie))
    for known in (
        {"cookie": cookie, "x_guardkit_csrf": token},
        {"authorization": f"Bearer {TOKEN}"},
        {},
    ):
        assert refused(admin, request(**known, **headers)) == (403, "foreign_origin")
    with pytest.raises(Fault):
        admin.checks_origin(request(**headers))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("guard.example", "https://guard.example"),
        ("guard.example", "https://guard.example:443"),
        ("guard.example", "http://guard.example:80"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_our_own_origin_is_known_in_each_form(admin: Admin, host: str, origin: str) -> None:
    admin.checks_origin(request(host=host, origin=origin))


# --- what goes with every page


def test_a_page_may_load_nothing_but_its_own_files() -> None:
    assert CSP == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    page, report = dict(PAGE_HEADERS), dict(REPORT_HEADERS)
    for headers, policy in ((page, CSP), (report, REPORT_CSP)):
        assert headers["content-security-policy"] == policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
    said = {part.split()[0]: part.split()[1:] for part in REPORT_CSP.split(";")}
    assert said["sandbox"] == [], "no script, no form, no origin"
    assert said["default-src"] == ["'none'"]
    assert "script-src" not in said


def test_nothing_that_opens_is_shown(admin: Admin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cookie = value_of(admin.cookie(TOKEN))
    asked = request(cookie=cookie, authorization=f"Bearer {TOKEN}")
    admin.may(asked)
    with pytest.raises(Fault) as caught:
        admin.checks(request(cookie=cookie, x_guardkit_csrf="wrong"))
    shown = f"{admin!r} {asked!r} {caught.value!r} {caught.value.message} {caplog.text}"
    assert TOKEN not in shown
    assert cookie not in shown
    assert all(TOKEN not in repr(getattr(admin, name)) for name in Admin.__slots__)
