"""The console's addresses: who may, what is shown, what is judged and told to nobody."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from guardkit.server import console as room
from guardkit.server._admin import COOKIE
from guardkit.server.console._monitor import Monitor
from guardkit.server.console._pages import ASSETS
from guardkit.server.console._past import Past
from guardkit.syntax import _words as words

from ._console import CANARY, TOKEN, Client, Stage

FOLDER = Path(room.__file__).parent
SCRIPTS = sorted((FOLDER / "assets").glob("*.js"))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def client(stage: Stage) -> Client:
    made = Client(stage)
    made.sign_in()
    return made


# --- who may


def test_a_stranger_sees_the_form_and_its_files_and_nothing_else(stage: Stage) -> None:
    client = Client(stage)
    free = {"/console", "/console/", "/console/sign-in"}
    for method, path in client.routes:
        if path in free or path.startswith("/console/assets/"):
            continue
        reply = client.ask(method, path, {})
        assert (reply.status, json.loads(reply.body)["code"]) == (401, "not_signed_in"), path
    page = client.ask("GET", "/console").body
    assert b'id="token"' in page
    assert b"guardkit-csrf" not in page


def test_a_wrong_token_opens_nothing(stage: Stage) -> None:
    client = Client(stage)
    assert client.refused("/console/sign-in", {"token": "wrong"}) == (401, "wrong_token")
    assert client.refused("/console/sign-in", {"token": 7}) == (400, "wrong_type")
    codes = [client.refused("/console/sign-in", {"token": "wrong"})[1] for _ in range(12)]
    assert codes[-1] == "too_many_attempts"


def test_the_token_is_in_no_cookie_and_on_no_page(client: Client) -> None:
    page = client.ask("GET", "/console").body.decode()
    assert client.cookie.startswith(f"{COOKIE}=")
    assert TOKEN not in client.cookie
    assert TOKEN not in page


def test_every_change_needs_the_word_of_the_page(client: Client) -> None:
    posts = [path for method, path in client.routes if method == "POST"]
    assert len(posts) == 7
    word, client.csrf = client.csrf, ""
    for path in posts:
        if path != "/console/sign-in":
            assert client.refused(path, {}) == (403, "csrf"), path
    client.csrf = word
    foreign = client.ask("POST", "/console/api/compile", {"text": ""}, origin="https://x.example")
    assert foreign.status == 403
    assert client.post("/console/api/compile", {"text": "guardkit 1"})["ok"] is False


def test_who_signs_out_is_a_stranger(client: Client) -> None:
    reply = client.ask("POST", "/console/sign-out", {})
    assert "Max-Age=0" in dict(reply.headers)["set-cookie"]


def test_every_reply_says_what_a_page_may_load(client: Client) -> None:
    for path in ("/console", "/console/api/holds", "/console/assets/app.js"):
        headers = dict(client.ask("GET", path).headers)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert dict(client.ask("GET", "/console").headers)["cache-control"] == "no-store"


# --- the files


def test_the_table_of_assets_is_the_folder() -> None:
    pages = {"console.html", "sign_in.html"}
    assert {path.name for path in (FOLDER / "assets").iterdir()} == {*ASSETS, *pages}


def test_all_assets_are_small() -> None:
    assert sum(path.stat().st_size for path in (FOLDER / "assets").iterdir()) <= 120_000


def test_a_browser_keeps_an_asset_that_has_not_changed(client: Client) -> None:
    first = client.ask("GET", "/console/assets/app.js")
    tag = dict(first.headers)["etag"]
    again = client.ask("GET", "/console/assets/app.js", if_none_match=tag)
    assert (first.status, again.status, again.body) == (200, 304, b"")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_make_no_markup_and_ask_nobody_else(path: Path) -> None:
    text = path.read_text("utf-8")
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "import(",
    ):
        assert word not in text, word
    assert set(re.findall(r"https?://[^\"'\s]+", text)) <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("name", ["console.html", "sign_in.html"])
def test_pages_have_no_script_and_no_style_inside(name: str) -> None:
    text = (FOLDER / "assets" / name).read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)
    assert "http" not in text


def test_text_is_read_with_ease_on_every_ground() -> None:
    """Contrast of at least 4.5 to 1, in the light and in the dark."""
    css = (FOLDER / "assets" / "console.css").read_text("utf-8")
    pairs = re.findall(r"--([a-z-]+):light-dark\((#[0-9a-f]{3,6}),(#[0-9a-f]{3,6})\)", css)
    for theme in (1, 2):
        colours = {pair[0]: pair[theme] for pair in pairs}
        for ground in ("paper", "card", "wash"):
            for ink in ("ink", "soft", "bad", "good", "mark", "string", "name"):
                found = _contrast(colours[ink], colours[ground])
                assert found >= 4.5, f"{ink} on {ground}: {found:.2f}"
        for ground in ("bad-wash", "good-wash", "mark-wash"):
            assert _contrast(colours["ink"], colours[ground]) >= 4.5
        for ground in ("good", "bad", "mark"):
            assert _contrast(colours["on"], colours[ground]) >= 4.5


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("DECLARATIONS", words.DECLARATIONS),
        ("CLAUSES", words.CLAUSES - {"policy"}),
        ("VERBS", words.VERBS),
        ("SURFACES", words.SURFACES),
        ("CONNECTIVES", words.CONNECTIVES),
    ],
)
def test_the_editor_colours_the_words_of_the_language(name: str, known: Any) -> None:
    text = (FOLDER / "assets" / "highlight.js").read_text("utf-8")
    found = re.search(rf"const {name} = \[(.*?)\];", text, re.DOTALL)
    assert found is not None
    assert set(re.findall(r'"(\w+)"', found[1])) == set(known)


# --- the monitor


def test_the_monitor_shows_what_was_judged(client: Client, stage: Stage) -> None:
    stage.live(60)
    stage.hold()
    shown = client.get("/console/api/monitor")
    live = shown["live"]
    assert shown["chosen"] == "desk"
    assert [one["policy"] for one in shown["policies"]] == ["desk", "acme_desk"]
    assert shown["waiting"] == 1
    assert sum(live["hour"]["exchanges"][word] for word in ("answered", "refused")) == 60
    assert live["hour"]["layers"]["model"]["refused"] > 0
    rules = {rule["name"]: rule for rule in live["rules"]}
    assert rules["no_orders"]["counts"]["fired"] == live["hour"]["layers"]["input"]["refused"]
    assert rules["no_orders"]["timed"] == rules["no_orders"]["counts"]["fired"]
    assert 0 < rules["no_orders"]["p50_us"] <= rules["no_orders"]["p95_us"]
    assert rules["too_sorry"]["counts"]["shadow"] > 0
    assert live["monitors"][0]["monitor"] == "attacks"
    assert {check["name"] for check in live["checks"]} >= {"personal", "orders"}
    assert all(check["priced_us"] > 0 for check in live["checks"])
    assert [one["outcome"] for one in shown["reloads"]] == ["refused", "loaded"]


def test_the_monitor_shows_no_text_that_was_judged(client: Client, stage: Stage) -> None:
    stage.live(40)
    stage.hold()
    for path in ("/console/api/monitor", "/console/api/holds"):
        assert CANARY not in json.dumps(client.get(path))


def test_a_policy_that_is_gone_gives_way_to_the_first(client: Client, stage: Stage) -> None:
    assert client.get("/console/api/monitor", policy="acme")["chosen"] == "acme"
    assert client.get("/console/api/monitor", policy="gone")["chosen"] == "desk"
    stage.guards.clear()
    assert client.get("/console/api/monitor")["chosen"] is None


def test_the_last_hour_by_minute(stage: Stage) -> None:
    now = [time.time() // 60 * 60 + 60]
    monitor = Monitor(stage, lambda: now[0])
    for _ in range(3):
        stage.live(13)
        now[0] += 30
        monitor.sample()
    minutes = monitor.shown("desk")["live"]["minutes"]
    assert len(minutes) == 60
    assert [one.get("exchanges", 0) for one in minutes[-2:]] == [13, 26]
    assert sum(one.get("input", 0) for one in minutes) == 39


def test_counters_that_begin_anew_draw_no_cliff() -> None:
    past = Past()
    past.note("p", "one", {"input": 2}, 5.0, 1.0)
    past.note("p", "one", {"input": 5}, 10.0, 1.0)
    past.note("p", "two", {"input": 2}, 20.0, 15.0)  # a reload
    past.note("p", "two", {"input": 1}, 30.0, 25.0)  # and another one, of the same policy
    assert past.hour("p", 59.0)[-1] == {"input": 8}
    past.note("p", "two", {"input": 900}, 1000.0, 25.0)  # nobody looked for long
    past.note("p", "two", {"input": 901}, 1010.0, 25.0)
    assert past.hour("p", 1010.0)[-1] == {"input": 1}
    past.note("p", "two", {"input": 902}, 1100.0, 25.0)
    past.note("p", "two", {"input": 903}, 60 * 90.0, 25.0)
    assert [one for one in past.hour("p", 60 * 90.0) if one] == []
    past.forget_all_but(())
    assert past.hour("p", 0.0) == [{}] * 60
    past.note("q", "one", {"input": 7}, 9000.0, 1.0)  # it ran long before the first look
    assert past.hour("q", 9000.0) == [{}] * 60


# --- holds


def test_a_hold_is_decided_once_by_somebody_with_a_name(client: Client, stage: Stage) -> None:
    id = stage.hold()
    shown = client.get("/console/api/holds")["waiting"]
    assert [one["id"] for one in shown] == [id]
    assert (shown[0]["tenant"], shown[0]["rules"]) == ("north", ["refunds_wait"])
    assert (shown[0]["policy"], shown[0]["approvers"]) == ("desk", ["billing"])
    text = client.post("/console/api/holds/text", {"id": id})
    assert CANARY in text["approved"]["text"]
    assert CANARY not in text["otherwise"]["text"]
    body = {"id": id, "what": "deny", "by": " ", "reason": "not paid"}
    assert client.refused("/console/api/holds/decide", body) == (422, "no_name")
    body["by"] = "Ada"
    assert client.refused("/console/api/holds/decide", {**body, "what": "maybe"})[0] == 400
    assert client.refused("/console/api/holds/decide", {**body, "id": "x"})[0] == 404
    assert client.refused("/console/api/holds/text", {"id": "x"}) == (404, "no_such_hold")
    first = client.post("/console/api/holds/decide", body)
    again = client.post("/console/api/holds/decide", {**body, "what": "approve", "by": "Bob"})
    assert (first["took"], again["took"]) == (True, False)
    assert (again["hold"]["state"], again["hold"]["by"]) == ("denied", "Ada")
    shown = client.get("/console/api/holds")
    assert shown["waiting"] == []
    decided = shown["decided"][0]
    assert (decided["state"], decided["by"], decided["reason"]) == ("denied", "Ada", "not paid")
    kept = stage.queue.get(id)
    assert kept is not None
    assert kept.decided_by == "Ada"


def test_an_approval_lets_the_text_go(client: Client, stage: Stage) -> None:
    id = stage.hold()
    body = {"id": id, "what": "approve", "by": "Ada"}
    assert client.post("/console/api/holds/decide", body)["took"] is True
    assert CANARY in stage.guards["desk"].await_hold(id).text


# --- reports


def test_reports_are_those_of_the_folder_and_nothing_beside(
    client: Client, stage: Stage, tmp_path: Path
) -> None:
    outside = tmp_path.parent / "outside.html"
    outside.write_text("<title>no</title>")
    page = tmp_path / "probe <b>.html"
    page.write_text(
        "<!doctype html><html><head><title>Probe &amp; more</title><style>b{color:red}</style>"
        '</head><body><div class="over">Probe · 21 November 2026</div></body></html>'
    )
    (tmp_path / "big.html").write_bytes(b"x" * 5_000_001)
    (tmp_path / "notes.txt").write_text("no")
    (tmp_path / "link.html").symlink_to(outside)
    (tmp_path / "folder.html").mkdir()
    os.mkfifo(tmp_path / "pipe.html")
    shown = client.get("/console/api/reports")["reports"]
    assert {one["name"]: one["opens"] for one in shown} == {
        "probe <b>.html": True,
        "big.html": False,
    }
    probe = next(one for one in shown if one["opens"])
    assert (probe["title"], probe["kind"]) == ("Probe & more", "Probe · 21 November 2026")
    reply = client.ask("GET", "/console/report", query={"name": "probe <b>.html"})
    assert (reply.status, reply.body) == (200, page.read_bytes())
    policy = dict(reply.headers)["content-security-policy"]
    assert policy.endswith("sandbox")
    assert "script-src" not in policy
    for name in ("", "link.html", "../outside.html", "notes.txt", "folder.html", "pipe.html",
                 "big.html", str(page), "probe"):  # fmt: skip
        reply = client.ask("GET", "/console/report", query={"name": name})
        assert reply.status == 404, name
    stage.folder = None
    assert client.get("/console/api/reports") == {"folder": False, "reports": []}
    stage.folder = tmp_path / "gone"
    assert client.get("/console/api/reports") == {"folder": True, "reports": []}
