"""Every address in a text: in running text, in Markdown, in HTML and in style sheets."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from ._hosts import Hosts, are_fine_inside, is_fine, leads_outside, trimmed

MOST_CANDIDATES = 10_000
"""A text with more addresses is covered whole from the next one on."""

_HEAD = 400
"""So much of a target in markup is looked at to tell where it leads: more than any host needs."""

_MOST_BREAKS = 100
"""Browsers drop tabs and line breaks from addresses. Nobody needs so many."""

_ATTRIBUTES = (
    "action|archive|background|cite|classid|codebase|content|data|dynsrc|formaction|href"
    "|imagesrcset|longdesc|lowsrc|manifest|ping|poster|profile|src|srcset|srcdoc"
)
_LISTS = frozenset({"archive", "imagesrcset", "ping", "srcset"})
_SPECIAL = "https?|ftp|wss?"
_HOSTLESS = "javascript|vbscript|livescript|blob|filesystem|mailto"

RUNNING = (
    r":[/\\]{2}",
    rf"(?i)(?:{_SPECIAL}|{_HOSTLESS}):[^\s]",
    r"(?i)www[0-9]{0,3}\.[^\s.]",
    r"(?i)data:[^\s,]{0,200},",
)
"""RE2 patterns; where none of them occurs, running text holds no address."""

MARKUP = (
    r"\](?:\(|:)",
    rf"(?i)(?:{_ATTRIBUTES})\s*=",
    r"(?i)url\(|@import",
)
"""RE2 patterns; where none of them occurs, no markup holds another one."""

_ANCHOR = re.compile(r":(?=\S)|[wW]{3}[0-9]{0,3}\.(?=[^\s.])")
_SINGLE = frozenset(["http", "https", "ftp", "ws", "wss", *_HOSTLESS.split("|")])
"""Schemes that need no slashes to begin an address."""

_DATA = re.compile(r":(?:[\w.+-]+/[\w.+-]+)?(?:;[\w.+=-]+)*,")
_EXTENT = re.compile(r"""(?:[^\s<>"\]]+|"(?=[\w.-])|\](?!\())*""")
_SCHEME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-")
_WORD_CHARS = _SCHEME_CHARS - {"+"} | {"_"}
_LONGEST_SCHEME = 64

_INLINE = re.compile(r"\]\([ \t]*\n?[ \t]*")
_DEFINITION = re.compile(r"\]:[ \t]*\n?[ \t]*")
_ANGLED = re.compile(rf"<([^<>\n]{{0,{_HEAD}}})>")
_TARGET = re.compile(rf"\S{{1,{_HEAD}}}")
_MAY_LEAD = re.compile(r"[^\s()\[\]{}'\"*`!]")
_LINE_ENDS = re.compile(r"""[ \t]*(?:\n|\r|\Z|["'(])""")
_TO_BLANK = re.compile(r"\S*")
_BRACKET = re.compile(r"\\.|[()]", re.DOTALL)
_TAG = re.compile(r"<[A-Za-z]")
_ATTRIBUTE = re.compile(
    rf"(?<![\w-])(?:data-|xlink:)?({_ATTRIBUTES})\s*=\s*([\"']?)[\x00-\x20]*", re.IGNORECASE
)
_UNQUOTED = re.compile(rf"[^\s>]{{0,{_HEAD}}}")
_TO_UNQUOTED_END = re.compile(r"[^\s>]*")
_REFRESH = re.compile(r"url\s*=\s*['\"]?", re.IGNORECASE)
_STYLE = re.compile(rf"(?:\burl\(\s*|@import\s*)([\"']?)([^\"')\s]{{0,{_HEAD}}})", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"&#[xX]?[0-9A-Fa-f]{9}")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")

Span = tuple[int, int]


def in_running_text(text: str, allows: Hosts) -> Iterator[tuple[Span, bool]]:
    """Each address in running text, and whether it leads outside."""
    at = 0
    while found := _ANCHOR.search(text, at):
        is_www = found.group() != ":"
        start = found.start() if is_www else _start(text, at, found.start())
        if is_www and start and text[start - 1] in _WORD_CHARS:
            start = -1
        if start < 0:
            at = found.end()
            continue
        extent = _EXTENT.match(text, found.end())
        assert extent is not None
        at = extent.end()
        end = max(trimmed(text, start, at), found.end())
        address = text[start:end]
        yield (start, end), not is_fine(f"http://{address}" if is_www else address, allows)


def _start(text: str, low: int, colon: int) -> int:
    """Where the address begins that has its colon here; -1 where there is none."""
    start = colon
    low = max(low, colon - _LONGEST_SCHEME)
    while start > low and text[start - 1] in _SCHEME_CHARS:
        start -= 1
    while start < colon and not text[start].isalpha():
        start += 1
    if start == colon:
        return -1
    if text[colon + 1] in "/\\" and text[colon + 2 : colon + 3] in ("/", "\\"):
        return start
    scheme = text[start:colon].lower()
    is_address = scheme in _SINGLE or (scheme == "data" and _DATA.match(text, colon))
    return start if is_address else -1


def in_markup(text: str, allows: Hosts) -> Iterator[tuple[Span, bool]]:
    """Each target in markup that running text would not show, and whether it leads outside."""
    yield from _in_markdown(text, allows)
    tag = _TAG.search(text)
    if tag is not None:
        yield from _in_html(text, tag.start(), allows)
    for found in _STYLE.finditer(text):
        value = found[2]
        # Style sheets write characters in code behind a backslash: nobody needs that for a path.
        is_out = value.startswith(("//", "\\", "/\\")) and leads_outside(value, allows)
        yield found.span(2), is_out or value.startswith("\\")


def _in_markdown(text: str, allows: Hosts) -> Iterator[tuple[Span, bool]]:
    for opening, is_inline in ((_INLINE, True), (_DEFINITION, False)):
        at = 0
        while found := opening.search(text, at):
            at = start = end = found.end()
            if angled := _ANGLED.match(text, start):
                yield angled.span(1), _any_outside(angled[1], allows)
                continue
            if text.startswith("<", start):
                start = end = start + 1  # too long to be seen whole
            target = _TARGET.match(text, start)
            is_out = False
            if target is not None and _MAY_LEAD.match(target.group()):
                head = target.group()
                is_out = _any_outside(head, allows)
                if is_out or len(head) == _HEAD:
                    whole = _TO_BLANK.match(text, start)
                    assert whole is not None
                    end = at = start + _closing(whole.group()) if is_inline else whole.end()
                    head = text[start : min(end, start + _HEAD)]
                    is_out = _any_outside(head, allows) or not are_fine_inside(
                        text[start:end], allows
                    )
                if not is_inline and not _LINE_ENDS.match(text, start + len(head)):
                    is_out &= len(head) == _HEAD
            yield (start, end), is_out


def _closing(target: str) -> int:
    """Where the bracket that closes a link ends its target."""
    depth = 0
    for found in _BRACKET.finditer(target):
        if found.group() == "(":
            depth += 1
        elif found.group() == ")":
            depth -= 1
            if depth < 0:
                return found.start()
    return len(target)


def _in_html(text: str, start: int, allows: Hosts) -> Iterator[tuple[Span, bool]]:
    at = start
    while found := _ATTRIBUTE.search(text, at):
        at = begin = found.end()
        name, quote = found[1].lower(), found[2]
        end = text.find(quote, begin) if quote else -1
        is_bare = end < 0
        if is_bare:
            head = _UNQUOTED.match(text, begin)
            assert head is not None
            end = head.end()
            if end - begin == _HEAD:
                whole = _TO_UNQUOTED_END.match(text, begin)
                assert whole is not None
                at = end = whole.end()
        is_out = _attribute_outside(name, text[begin:end], allows)
        if is_out and is_bare:
            at = end
        yield (begin, end), is_out


def _attribute_outside(name: str, value: str, allows: Hosts) -> bool:
    if name == "content":
        refresh = _REFRESH.search(value)
        if refresh is None:
            return False
        value = value[refresh.end() :]
    if name in _LISTS:
        targets = [target.strip(",") for target in value.split()]
        return len(targets) > _HEAD or any(_any_outside(one[:_HEAD], allows) for one in targets)
    if _any_outside(value[:_HEAD], allows):
        return True
    return len(value) > _HEAD and not are_fine_inside(value, allows)


def _any_outside(target: str, allows: Hosts) -> bool:
    """Whether a target leads outside as it is written, or as Markdown or HTML read it."""
    readings = {target}
    if "\\" in target:
        readings.add(_ESCAPED.sub(r"\1", target))
    if "&" in target:
        if _LONG_NUMBER.search(target):
            return True
        readings |= {html.unescape(reading) for reading in readings}
    if len(target) == _HEAD and sum(map(target.count, "\t\n\r")) > _MOST_BREAKS:
        return True
    return any(leads_outside(reading, allows) for reading in readings)


def outside(text: str, allows: Hosts, *, has_markup: bool = True) -> list[Span]:
    """Where the addresses stand that lead to a host that is not allowed."""
    found: list[Span] = []
    for addresses in (in_running_text, in_markup) if has_markup else (in_running_text,):
        for number, (span, is_out) in enumerate(addresses(text, allows)):
            if number >= MOST_CANDIDATES:
                found.append((span[0], len(text)))
                break
            if is_out:
                found.append(span)
    return found
