"""Whatever a name holds, the page stays closed: no element, no script, no disguise of its own."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardkit._util.shares import Share
from guardkit.pages import (
    MOST_BYTES,
    Column,
    Part,
    Row,
    Stopped,
    bars,
    document,
    flow,
    framed,
    headed,
    heat,
    keys,
    notes,
    safe,
    sentence,
    share_key,
    spark,
    spelled,
    th,
)

from ._read import TAGS, read

NASTY = [
    '</style><script>alert("1")</script>&\'x',
    "</title></svg><img src=x onerror=alert(1)>",
    '" onload="alert(1)" style="color:red',
    "<!--",
    "]]><![CDATA[",
    "&lt;script&gt;&#60;script&#62;",
    "\u202egnp.exe\u2066\u200f\u061c",
    "e" + "\u0301" * 400,
    "\x00\x07\x1b[31m\r\n\t",
    "\ud800\udfff",
    "漢字" * 5_000,
    "a" * 10_000,
    "`" * 9_999,
    "\u202e" * 10_000,
    "\u2028\u2029\ufeff\U000e0041",
    "",
    "   ",
]

ATTRIBUTES = {
    "lang", "charset", "name", "content", "class", "role", "tabindex", "aria-label",
    "aria-hidden", "scope", "viewbox", "d", "cx", "cy", "r", "x", "y", "text-anchor",
    "preserveaspectratio",
}  # fmt: skip


def page_of(names: list[str]) -> str:
    """A page with everything the room can draw, named so."""
    first = names[0]
    shares = tuple(Share(n % 9, 9) for n, _ in enumerate(names))
    lines = [Row(name, shares) for name in names]
    columns = [Column(name, "bad") for name in names]
    parts = [
        Part(headed(first, first, safe(first))),
        Part(keys([share_key(spelled(first), Share(1, 9), spelled(first))], spelled(first))),
        Part(notes([sentence(name) for name in names[:4]])),
        Part(flow([Stopped(name, 3, 1) for name in names], 99, 99, name=first)),
        Part(bars(first, columns, lines, first)),
        Part(heat(first, names, lines, "good", first)),
        Part(spark([Share(1, 9), Share(0, 9)], "bad", first)),
        Part(framed(spelled(first), [th(spelled(first))], [], first)),
    ]
    return document(first, parts, f"<p>{spelled(first)}</p>")


def closed(html: str) -> None:
    """Sees that nothing but what the room writes is in the page."""
    page = read(html)
    assert {tag for tag, _ in page.seen} <= TAGS
    for _, attributes in page.seen:
        assert set(attributes) <= ATTRIBUTES
    assert len(page.tags("style")) == 1
    assert html.count("<!") == 1
    assert not re.search(r"url\(|@import|javascript:", html.split("</style>")[0])
    allowed = {"\n"}
    for char in set(html) - allowed:
        assert unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}, hex(
            ord(char)
        )


@pytest.mark.parametrize("name", NASTY, ids=lambda name: f"{len(name)}-{name[:6]!a}")
def test_a_hostile_name_is_only_a_name(name: str) -> None:
    html = page_of([name, *NASTY[:3]])
    closed(html)
    assert len(html.encode()) < MOST_BYTES


def test_all_of_them_together() -> None:
    names = NASTY[:8]
    html = page_of(names)
    closed(html)
    text = read(html).text
    assert NASTY[0] in text.replace("\u200b", "")
    assert "\\u{202e}gnp.exe\\u{2066}" in text


@given(st.lists(st.text(max_size=120), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_text_is_only_a_name(names: list[str]) -> None:
    html = page_of(names)
    closed(html)
    html.encode()


def test_a_page_has_no_style_outside_its_sheet() -> None:
    # A content policy allows one sheet by its digest; attributes of style would need more.
    html = page_of(["x"])
    assert "style=" not in html
    assert html.count("<style>") == 1


def test_a_page_as_large_as_they_get_is_small() -> None:
    families, disguises = (
        [f"family number {n}" for n in range(16)],
        [f"disguise {n}" for n in range(26)],
    )
    columns = [Column("attacks through", "bad"), Column("benign refused", "good")]
    lines = [Row(name, (Share(7, 1234), Share(3, 900))) for name in (*families, *disguises)]
    table = [Row(name, tuple(Share(n, 90) for n, _ in enumerate(disguises))) for name in families]
    layers = [Stopped(f"layer {n}", 70_000, 13) for n in range(6)]
    parts = [
        Part(headed("Probe", "shop/support.guard", "Many attacks.")),
        *[Part(flow(layers, 10**6, 10**6, name=f"stack {n}")) for n in range(4)],
        *[Part(bars("family", columns, lines, "By family"))] * 2,
        *[Part(heat("family", disguises, table, style, "Pairs")) for style in ("bad", "good")],
        *[Part(spark([Share(n, 400) for n in range(40)], "bad", f"rate {n}")) for n in range(12)],
    ]
    html = document("shop: probe", parts, "<p>How to read this.</p>")
    closed(html)
    assert len(html.encode()) < 250_000
    assert "left out" not in html
