"""Reads a page as a browser would: what is open, what is said, where text stands in a picture."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import NamedTuple

EMPTY = {"meta", "link", "br", "input", "wbr", "path", "circle", "!doctype"}
"""Elements that hold nothing: HTML's own, and those of a picture that close themselves."""
TAGS = EMPTY - {"link", "input"} | {
    "html", "head", "title", "style", "body", "main", "header", "div", "h1", "h2", "h3", "p",
    "dl", "dt", "dd", "small", "section", "figure", "figcaption", "svg", "text", "table",
    "caption", "thead", "tbody", "tr", "th", "td", "span", "b", "i", "code", "footer",
}  # fmt: skip
"""All that the room writes."""


class Page(HTMLParser):
    """Sees that every element that is opened is closed, in the right order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.seen if tag == name]


def read(html: str) -> Page:
    """The markup, which has to be whole."""
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


class Written(NamedTuple):
    """A line of text in a picture."""

    x: float
    y: float
    said: str


def pictures(html: str) -> list[tuple[str, float, float, str]]:
    """Class, width, height and inside of each picture."""
    return [
        (kind, float(wide), float(high), inside)
        for kind, wide, high, inside in re.findall(
            r'<svg(?: class="([^"]*)")? viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>(.*?)</svg>',
            html,
            re.DOTALL,
        )
    ]


def written(inside: str) -> list[Written]:
    """The lines of text of a picture."""
    page = re.findall(r'<text[^>]* x="([-\d.]+)" y="([-\d.]+)"[^>]*>(.*?)</text>', inside)
    return [Written(float(x), float(y), read(said).text) for x, y, said in page]


def rows(html: str) -> list[list[str]]:
    """The cells of every row of every table, as they are read."""
    return [
        [read(cell).text for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", html, re.DOTALL)
    ]
