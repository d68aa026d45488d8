"""Sees that a report is whole, small, closed to the outside, and that every name is only a name."""

from __future__ import annotations

import re
import unicodedata

from guardkit.pages import MOST_BYTES
from tests.pages._read import TAGS, Page, read

ATTRIBUTES = {
    "lang", "charset", "name", "content", "class", "role", "tabindex", "aria-label",
    "aria-hidden", "scope", "viewbox", "d", "cx", "cy", "r", "x", "y", "text-anchor",
    "preserveaspectratio",
}  # fmt: skip
NASTY = [
    '</style><script>alert("1")</script>&\'x',
    "</title></svg></details><img src=x onerror=alert(1)>",
    '" onload="alert(1)" style="color:red',
    "<!-- rule </code> -->",
    "\u202egnp.exe\u2066\u200f\u061c",
    "\x00\x07\x1b[31m\r\n\t",
    "\ud800\udfff",
    "漢字" * 2_000,
    "`" * 999,
    "\u202e" * 3_000,
    "\u2028\u2029\ufeff\U000e0041",
    "rule ",
    "",
]


def closed(html: str) -> Page:
    """The page, which has nothing in it but what guardkit writes."""
    page = read(html)
    assert html.startswith("<!doctype html>")
    assert {tag for tag, _ in page.seen} <= TAGS | {"details", "summary"}
    for _, attributes in page.seen:
        assert set(attributes) <= ATTRIBUTES
    assert len(page.tags("style")) == 1
    assert html.count("<!") == 1
    assert not re.search(r"url\(|@import|javascript:", html.split("</style>")[0])
    for char in set(html) - {"\n"}:
        assert unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}, hex(
            ord(char)
        )
    assert len(html.encode()) < MOST_BYTES
    return page


def told(page: Page) -> str:
    """What the page says, in one line."""
    return " ".join(page.text.replace("\u200b", "").split())


def even(html: str) -> None:
    """Sees that each row of a table is as wide as its head."""
    tables = re.findall(r"<table>.*?</table>", html, re.DOTALL)
    assert tables
    for table in tables:
        head, body = table.split("</thead>")
        wide = len(re.findall(r"<th[ >]", head))
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL):
            assert len(re.findall(r"<t[hd][ >]", row)) == wide, row


def pictured(page: Page) -> None:
    """Sees that those who see no picture are told what it shows, or have it beside it."""
    drawn = page.tags("svg")
    assert drawn
    for attributes in drawn:
        is_hidden = attributes.get("aria-hidden") == "true"
        assert is_hidden or len(attributes["aria-label"] or "") > 20
