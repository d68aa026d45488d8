"""The pieces of a page that can be run: what they are, and where their outcome is said.

| in a page | does |
|---|---|
| a line "`NAME`:" before a block | the block is the file of that name |
| "`examples/…`:" before a block | the block is that file of the repository, as it stands there |
| ```guard``` | is compiled, its tests are run; what is no policy is added to the one above |
| ```python``` | is run; `# VALUE` behind an expression is its value, `# raises NAME` an error |
| ```text``` after it | is what it printed |
| ```console``` | `$ guardkit …` and other commands are run; what follows is what they say |

A page is one program in one folder. `<!-- not run: REASON -->` before a block says why it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .reference import PAGES, REFERENCE

RUN = ("guard", "python", "console", "sh")

_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w./-]+\.\w+)`(?: [^`\n]*)?:$")
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->$")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of code in a page."""

    page: Path
    line: int
    language: str
    text: str
    file: str = ""
    not_run: str = ""

    def __str__(self) -> str:
        inside = self.page.is_relative_to(PAGES)
        name = self.page.relative_to(PAGES) if inside else self.page.name
        return f"{name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    return list(_blocks(page, page.read_text(encoding="utf-8")))


def _blocks(page: Path, text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        before = text[: found.start()].rstrip()
        file = _FILE.search(before)
        reason = _NOT_RUN.search(before)
        indent = len(found[1])
        body = "".join(line[indent:] for line in found[3].splitlines(keepends=True))
        yield Block(
            page,
            text.count("\n", 0, found.start()) + 1,
            found[2],
            body,
            file[1] if file and found[2] not in ("console", "sh") else "",
            reason[1] if reason else "",
        )


def pages() -> list[Path]:
    """Every page that somebody writes."""
    return sorted(path for path in PAGES.rglob("*.md") if not path.is_relative_to(REFERENCE))


# --- what is compared


_TIME = re.compile(r"\b\d[\d.,]* ?(?:µs|ms|s|KB|MB|texts/s)\b")
_DIGEST = re.compile(r"\b(?:sha256:)?[0-9a-f]{12,64}\b")
_ID = re.compile(r"(?<![\w-])(?:chatcmpl-)?(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{22}(?![\w-])")
_KEY = re.compile(r"\bgk_\w+?_[\w-]{43}")
_STAMP = re.compile(r"\b1[789]\d{8}\b")
_ELAPSED = re.compile(r'(?<="elapsed_us": )[\d.]+')
_DATE = re.compile(r"\b20\d\d-\d\d-\d\d(?:[T ][\d:.]+Z?)?\b")
_DIFFERS = (
    (_TIME, "TIME"),
    (_DIGEST, "DIGEST"),
    (_DATE, "DATE"),
    (_KEY, "KEY"),
    (_ID, "ID"),
    (_STAMP, "STAMP"),
    (_ELAPSED, "TIME"),
)


def comparable(text: str) -> list[str]:
    """Lines without what differs from run to run: times, digests, dates, blanks between columns."""
    for pattern, word in _DIFFERS:
        text = pattern.sub(word, text)
    lines = [re.sub(r" {2,}", " ", line).rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def agree(shown: str, said: str) -> bool:
    """Whether what a page shows is what was said; a line of `…` stands for any lines."""
    return _agree(comparable(shown), comparable(said))


def _agree(shown: list[str], said: list[str]) -> bool:
    if not shown:
        return not said
    if shown[0].strip() == "…":
        return any(_agree(shown[1:], said[place:]) for place in range(len(said) + 1))
    return bool(said) and shown[0] == said[0] and _agree(shown[1:], said[1:])
