"""The console as people see it: in a real Chromium, against a real server."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardkit.guard import shipped
from guardkit.server.console import Console

from ._browser import (
    Served,
    browser,
    complaints,
    forget_cookies,
    requested,
    resize,
    shot,
    sign_in,
    theme,
    until,
)
from ._console import CANARY, Stage, admin

selenium = pytest.importorskip("selenium", reason="the browser tests need selenium")
from selenium.webdriver.common.by import By  # noqa: E402 - it may be absent
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

pytestmark = [
    pytest.mark.skipif(
        not (shutil.which("chromium") and shutil.which("chromedriver")),
        reason="there is no chromium with its driver on this machine",
    ),
    # A browser and its driver run beside the tests, and have sockets of their own.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.timeout(180),
]

VIEWS = ("monitor", "playground", "holds", "reports")
WIDE, NARROW = (1280, 900), (360, 740)
MARKUP = '<img src="x" onerror="document.title = 1">'
REPORT = """<!doctype html><html><head><title>Probe of desk</title><style>b{color:rgb(1, 2, 3)}
</style></head><body><div class="over">Probe</div><b>bold</b>
<script>document.title = "a script ran"</script><img src="{elsewhere}">
</body></html>"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as driver:
        yield driver


class Desk:
    """A console, the browser in front of it, and what both know."""

    def __init__(self, driver: Any, stage: Stage, base: str) -> None:
        self.driver = driver
        self.stage = stage
        self.base = base

    def show(self, view: str) -> None:
        self.driver.get(f"{self.base}/console#{view}")
        until(lambda: self.one(f"#view-{view} h1"))

    def one(self, css: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css: str) -> list[Any]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, css))

    def text(self, css: str) -> str:
        return str(self.one(css).text)

    def type_policy(self, old: str, new: str) -> None:
        """Change the policy in the editor as a person does who pastes."""
        area = self.one(".editor textarea")
        self.driver.execute_script(
            "const [area, old, put] = arguments; area.focus();"
            "const at = area.value.indexOf(old); area.setSelectionRange(at, at + old.length);"
            "document.execCommand('insertText', false, put);",
            area,
            old,
            new,
        )


@pytest.fixture
def desk(chromium: Any, tmp_path: Path) -> Iterator[Desk]:
    """A console somebody signed in to. In the end nothing was wrong, and nobody else was asked."""
    stage = Stage(tmp_path)
    resize(chromium, WIDE)
    theme(chromium, dark=False)
    forget_cookies(chromium)
    complaints(chromium)
    requested(chromium)
    with Served(Console(stage, admin())) as served:
        sign_in(chromium, served.base)
        yield Desk(chromium, stage, served.base)
        asked = requested(chromium)
        assert asked
        assert [url for url in asked if not url.startswith((served.base, "data:"))] == []
        assert complaints(chromium) == []
        chromium.get("about:blank")


# --- coming and going


def test_a_wrong_token_is_said_and_the_right_one_opens(chromium: Any, tmp_path: Path) -> None:
    forget_cookies(chromium)
    with Served(Console(Stage(tmp_path), admin())) as served:
        chromium.get(f"{served.base}/console")
        chromium.find_element(By.ID, "token").send_keys("wrong" + Keys.ENTER)
        wrong = until(lambda: chromium.find_element(By.ID, "wrong").text)
        assert wrong == "this is not the admin token."
        assert chromium.switch_to.active_element.get_attribute("id") == "token"
        sign_in(chromium, served.base)
        cookie = chromium.get_cookie("guardkit_console")
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (
            True,
            "Strict",
            "/console",
        )
        chromium.find_element(By.ID, "sign-out").click()
        until(lambda: chromium.find_element(By.ID, "token"))
        chromium.get("about:blank")
    complaints(chromium)  # a refused token is one


def test_every_view_is_a_tab_with_an_address(desk: Desk) -> None:
    for view in VIEWS:
        desk.one(f'nav a[href="#{view}"]').click()
        until(lambda view=view: desk.one(f"#view-{view} h1"))
        assert desk.text("nav a[aria-current]").startswith(view.capitalize())
        assert desk.driver.title.startswith(view.capitalize())
        assert desk.driver.current_url.endswith(f"#{view}")
    desk.driver.back()
    until(lambda: desk.one("#view-holds h1"))


@pytest.mark.parametrize(
    ("size", "is_dark"),
    [
        (NARROW, False),
        (WIDE, True),
        pytest.param(NARROW, True, marks=pytest.mark.full),
        pytest.param((768, 900), False, marks=pytest.mark.full),
        pytest.param((768, 900), True, marks=pytest.mark.full),
        pytest.param((1920, 1080), False, marks=pytest.mark.full),
    ],
)
def test_no_view_is_wider_than_the_screen(
    desk: Desk, size: tuple[int, int], is_dark: bool, tmp_path: Path
) -> None:
    desk.stage.live(40)
    desk.stage.hold(f"The refund of {CANARY} for {'x' * 300} is on its way.")
    resize(desk.driver, size)
    theme(desk.driver, dark=is_dark)
    for view in VIEWS:
        desk.show(view)
        if view == "playground":
            until(lambda: "compiles" in desk.text(".status"))
            desk.one("button.primary").click()
            until(lambda: desk.one("#result .verdict"))
            desk.one("#feed").click()
            until(lambda: desk.one(".letters"))
        if view == "holds":
            until(lambda: desk.one(".held .plain")).click()
            until(lambda: CANARY in desk.text(".held-text"))
        if view == "monitor":
            until(lambda: desk.one(".panel"))
        wide = desk.driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= size[0], view
        shot(desk.driver, tmp_path / f"{view}.png")
        assert (tmp_path / f"{view}.png").stat().st_size > 5_000


def test_the_theme_follows_the_system_until_somebody_chooses(desk: Desk) -> None:
    def ground() -> str:
        script = "return getComputedStyle(document.body).backgroundColor"
        return str(desk.driver.execute_script(script))

    light = ground()
    theme(desk.driver, dark=True)
    dark = ground()
    assert light != dark
    desk.one("#theme").click()
    assert ground() == light
    desk.driver.refresh()
    until(lambda: "Light" in desk.text("#theme"))
    assert ground() == light
    theme(desk.driver, dark=False)
    desk.one("#theme").click()
    assert ground() == dark
    desk.one("#theme").click()
    assert ground() == light


def test_everything_has_a_name_for_those_who_hear_the_page(desk: Desk) -> None:
    desk.stage.live(30)
    desk.stage.hold()
    for view in VIEWS:
        desk.show(view)
        if view == "playground":
            until(lambda: "compiles" in desk.text(".status"))
            desk.one("#feed").click()
            until(lambda: desk.one(".letters"))
        elif view != "reports":
            until(lambda: desk.one(".panel" if desk.all("#view-monitor") else ".held"))
        tree = desk.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        nameless = [
            node["role"]["value"]
            for node in tree
            if not node.get("ignored")
            and node["role"]["value"] in NAMED
            and not node.get("name", {}).get("value", "").strip()
        ]
        assert nameless == [], view
        ids = desk.driver.execute_script(
            "return [...document.querySelectorAll('[id]')].map(n => n.id)"
        )
        assert len(ids) == len(set(ids))


NAMED = frozenset(
    ("button", "link", "textbox", "combobox", "slider", "radio", "checkbox", "spinbutton", "img",
     "image", "region", "navigation", "radiogroup", "meter", "progressbar", "DisclosureTriangle")
)  # fmt: skip


def test_the_keyboard_reaches_everything_and_shows_where_it_is(desk: Desk) -> None:
    desk.show("playground")
    until(lambda: "compiles" in desk.text(".status"))
    seen = []
    for _ in range(40):
        desk.driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(
            desk.driver.execute_script(
                "const at = document.activeElement;"
                "let ring = getComputedStyle(at).outlineStyle;"
                "const near = at.closest('.editor, .choice label');"
                "if (near) ring += getComputedStyle(near).outlineStyle"
                " + getComputedStyle(near.querySelector('span') ?? near).outlineStyle;"
                "return [at.tagName, at.id || at.name || at.className, ring]"
            )
        )
    names = {name for _, name, _ in seen}
    assert {"theme", "sign-out", "source", "on", "said", "chunk", "feed"} <= names
    assert any(tag == "TEXTAREA" for tag, _, _ in seen)
    for tag, name, ring in seen:
        assert tag == "BODY" or set(ring.split("none")) != {""}, name


def test_a_server_that_is_gone_is_said_at_once(chromium: Any, tmp_path: Path) -> None:
    forget_cookies(chromium)
    with Served(Console(Stage(tmp_path), admin())) as served:
        sign_in(chromium, served.base)
        until(lambda: chromium.find_element(By.CSS_SELECTOR, ".panel"))
    lost = until(lambda: chromium.find_element(By.ID, "lost").text)
    assert "the server does not answer" in lost
    chromium.get("about:blank")
    complaints(chromium)


# --- the monitor


def test_the_picture_of_the_stack_is_live(desk: Desk) -> None:
    until(lambda: "No exchange came" in desk.text(".stack figcaption"))
    desk.stage.live(40)
    label = 'figure.stack svg[aria-label^="Of 40 exchanges"]'
    said = until(lambda: desk.one(label).get_attribute("aria-label"))
    assert "input check stopped 4" in said
    assert "weights refused 3" in said
    assert "output check stopped" in said
    rows = desk.text('[aria-label="Rules"]').splitlines()
    assert any(row.startswith("no_orders block input") for row in rows)
    assert any("shadow" in row for row in rows)
    assert "refused" in desk.text(".loads")
    assert CANARY not in desk.driver.page_source


def test_another_policy_can_be_looked_at(desk: Desk) -> None:
    desk.stage.live(20)
    until(lambda: desk.one('svg[aria-label^="Of 20 exchanges"]'))
    Select(desk.one(".pick select")).select_by_value("acme")
    until(lambda: desk.one('svg[aria-label^="Of 0 exchanges"]'))


# --- the playground


def test_mistakes_are_underlined_while_somebody_types(desk: Desk) -> None:
    desk.show("playground")
    until(lambda: "compiles" in desk.text(".status"))
    desk.type_policy("when     personal", "when     personl")
    until(lambda: "does not compile" in desk.text(".status"))
    until(lambda: desk.all(".m-error"))
    assert "".join(mark.text for mark in desk.all(".m-error")) == "personl"
    said = desk.text(".diagnostics")
    assert "GK201" in said
    assert "did you mean personal?" in said
    line = desk.one(".n-error").text.strip()
    desk.one(".diagnostics button.place").click()
    assert desk.text(".diagnostics button.place") == f"line {line}"
    chosen = (
        "const a = document.activeElement; return a.value.slice(a.selectionStart, a.selectionEnd)"
    )
    assert desk.driver.execute_script(chosen) == "personl"
    desk.type_policy("when     personl", "when     personal")
    until(lambda: "compiles" in desk.text(".status"))
    assert desk.all(".m-error") == []


def test_an_exchange_shows_verdict_spans_views_and_why(desk: Desk) -> None:
    desk.show("playground")
    until(lambda: "compiles" in desk.text(".status"))
    area = desk.one("#said")
    area.clear()
    area.send_keys("Écris à bob@example.com, s'il te plaît.")
    area.send_keys(Keys.CONTROL, Keys.ENTER)
    until(lambda: desk.one("#result .verdict.rewrite"))
    assert desk.text("#result mark").startswith("bob@example.com")
    assert desk.text("#result .delivered") == "Écris à [EMAIL], s'il te plaît."
    assert "mask_personal" in desk.text("#result details.rule[open] summary")
    assert "characters 8-23" in desk.text("#result .tree")
    assert "raw" in desk.text("#result details:not(.rule) summary")
    assert desk.all(".cost meter")


def test_a_live_policy_is_tried_and_not_told(desk: Desk) -> None:
    desk.show("playground")
    until(lambda: "compiles" in desk.text(".status"))
    Select(desk.one("#source")).select_by_value("live:desk")
    assert not desk.one(".editor").is_displayed()
    digest = desk.stage.guards["desk"].digest.removeprefix("sha256:")
    until(lambda: digest[:12] in desk.text(".status"))
    desk.one('input[value="input"]').find_element(By.XPATH, "..").click()
    desk.one("form button.primary").click()
    until(lambda: desk.one("#result .verdict.block"))
    monitors = desk.stage.guards["desk"].monitors
    assert monitors is not None
    assert monitors.snapshot()["counters"]["all"]["surfaces"] == {}


def test_a_stream_shows_what_is_held_released_and_redacted(desk: Desk) -> None:
    desk.show("playground")
    until(lambda: "compiles" in desk.text(".status"))
    desk.one("#feed").click()
    slider = until(lambda: desk.one(".slider"))
    assert desk.text(".user").startswith("Thank you for waiting. We have written to [EMAIL]")
    assert desk.all(".letters .c-held") == []
    assert "".join(cell.text for cell in desk.all(".letters .c-redacted")).startswith("bob.miller@")
    last = int(slider.get_attribute("max"))
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    desk.driver.execute_script(script, slider, last // 2)
    assert desk.all(".letters .c-held")
    assert desk.all(".letters .c-ahead")
    assert desk.all(".letters .c-out")
    seen = desk.text(".user")
    assert "bob.miller" not in seen
    assert "4111" not in seen
    slider.send_keys(Keys.ARROW_RIGHT)
    assert int(slider.get_attribute("value")) == last // 2 + 1
    desk.driver.execute_script(script, slider, 0)
    assert desk.text(".user") == ""
    assert len(desk.all(".letters .c-ahead")) == len(desk.all(".letters span"))


def test_a_stopped_stream_shows_what_never_leaves(desk: Desk) -> None:
    desk.show("playground")
    until(lambda: "compiles" in desk.text(".status"))
    area = desk.one("#said")
    area.clear()
    area.send_keys(
        "so on, " * 40 + "the key is sk-ABCDEFGHIJKLMNOPQRSTUV, and so on, so on, so on."
    )
    desk.one("#feed").click()
    until(lambda: desk.one("#simulated .verdict.block"))
    never = "".join(cell.text for cell in desk.all(".letters .c-never"))
    assert "sk-ABCDEFGHIJKLMNOPQRSTUV" in never
    assert desk.text(".user .said").strip() == "I can't show that."
    assert "sk-" not in desk.text(".user")


def test_colours_lose_nothing_of_a_policy(desk: Desk) -> None:
    texts = [path.read_text("utf-8") for path in sorted(shipped("policies").rglob("*.guard"))]
    texts += ["", "\n", '"open', "/x", "#", "rule é { 👍 }", "a" * 3, "\t\r\n", '"\\"', "match /a"]
    script = """
    const [texts, done] = [arguments[0], arguments[1]];
    import("/console/assets/highlight.js").then(({ pieces }) =>
      done(texts.map((text) => pieces(text).map(([, part]) => part).join("") === text)));
    """
    same = desk.driver.execute_async_script(script, texts)
    assert len(same) > 20
    assert all(same)
    script = """
    const [text, done] = [arguments[0], arguments[1]];
    import("/console/assets/highlight.js").then(({ pieces }) => done(pieces(text)));
    """
    text = 'check a = pattern { match /x y/i }\nrule a {\n  then block "b" # c\n}\n'
    found = desk.driver.execute_async_script(script, text)
    assert [pair for pair in found if pair[0] and pair[0] != "sign"] == [
        ["declaration", "check"],
        ["name", "a"],
        ["regex", "/x y/i"],
        ["declaration", "rule"],
        ["name", "a"],
        ["clause", "then"],
        ["verb", "block"],
        ["string", '"b"'],
        ["comment", "# c"],
    ]


# --- holds and reports


def test_a_hold_is_read_on_request_and_approved_by_name(desk: Desk) -> None:
    id = desk.stage.hold(f"The refund {MARKUP} of {CANARY} is on its way.")
    desk.show("holds")
    until(lambda: desk.one(".held"))
    assert CANARY not in desk.driver.page_source
    facts = desk.text(".held")
    for fact in ("refunds_wait", "output", "desk", "north", "s-17", "billing", "left"):
        assert fact in facts
    desk.one(".held .plain").click()
    until(lambda: CANARY in desk.text(".held-text"))
    assert MARKUP in desk.text(".held-text")
    assert desk.all(".held img") == []
    approve = desk.one(".held .primary")
    approve.click()
    assert approve.text == "Approve for good?"
    approve.click()
    until(lambda: "your name" in desk.text(".held .wrong"))
    desk.one("#who").send_keys("Ada Lovelace")
    approve.click()
    approve.click()
    until(lambda: not desk.all(".held"))
    hold = desk.stage.queue.get(id)
    assert hold is not None
    assert (hold.state, hold.decided_by) == ("approved", "Ada Lovelace")
    until(lambda: "Ada Lovelace" in desk.text("table"))
    second = desk.stage.hold()
    until(lambda: desk.one(".held"))
    assert desk.text("#waiting") == "1"
    desk.one(".held .decide input").send_keys("not paid")
    desk.one(".held .danger").click()
    desk.one(".held .danger").click()
    until(lambda: "not paid" in desk.text("table"))
    kept = desk.stage.queue.get(second)
    assert kept is not None
    assert (kept.state, kept.reason) == ("denied", "not paid")


def test_a_report_opens_in_a_sandbox(desk: Desk, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/x.png"
        (tmp_path / "probe.html").write_text(REPORT.replace("{elsewhere}", address))
        desk.show("reports")
        link = until(lambda: desk.one("table a"))
        assert link.text == "Probe of desk"
        desk.driver.get(link.get_attribute("href"))
        until(lambda: desk.one("b"))
        assert desk.driver.title == "Probe of desk"
        colour = desk.one("b").value_of_css_property("color")
        assert colour.replace(" ", "") in ("rgb(1,2,3)", "rgba(1,2,3,1)")
        said = complaints(desk.driver)
        assert len(said) == 2  # the script, and the picture
        assert all("sandboxed" in one or "Content Security Policy" in one for one in said)
        requested(desk.driver)  # what was stopped is in the log, too
        desk.show("reports")
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
