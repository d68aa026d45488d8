"""`guardkit diff --format markdown`: a comment for a review, read by a parser of Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from guardkit.cli._markdown import FITS, code, fenced, fitting

from ._run import SMALL, guardkit

MARKDOWN = MarkdownIt("commonmark").enable("table")
HOSTILE = [
    "a | b",
    "a \\| b",
    "a \\\\| b",
    "`x` and ``y``",
    "`",
    "``",
    " ` | ` ",
    "<img src=x onerror=y>",
    "</details><script>",
    "@team please",
    "[a](https://phish.example) ![b](c)",
    "*a* _b_ ~~c~~ #1 &amp; &#64;",
    "\u202etxt.exe\u2069",
    "one\ntwo\r\n| three |",
    "\x1b[31m",
    "",
    "   ",
    "| a | b |\n|---|---|",
    "```\nout\n```",
    "\\",
    "$x$ $`y`$",
]
OURS = {"<br>", "<code>", "</code>"}


def inline(text: str) -> Iterator[Token]:
    """Everything that stands in lines, of a page."""
    for token in MARKDOWN.parse(text):
        yield from token.children or ()


def said(text: str) -> str:
    """What a reader sees in lines, not as code."""
    inside = 0
    words = []
    for token in inline(text):
        inside += {"<code>": 1, "</code>": -1}.get(token.content, 0)
        if token.type == "text" and not inside:
            words.append(token.content)
    return " ".join(words)


def tables(text: str) -> list[list[int]]:
    """How many cells each row of each table has."""
    found: list[list[int]] = []
    for token in MARKDOWN.parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append(0)
        elif token.type in ("th_open", "td_open"):
            found[-1][-1] += 1
    return found


# --- foreign text


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_is_code_and_nothing_else(text: str) -> None:
    page = f"| a | b |\n|---|---|\n| {code(text)} | end |\n"
    assert tables(page) == [[2, 2]]
    assert said(page).split() == ["a", "b", "end"]
    kinds = {token.type for token in inline(page)}
    assert kinds <= {"text", "code_inline", "html_inline"}
    assert {t.content for t in inline(page) if t.type == "html_inline"} <= OURS


@pytest.mark.parametrize("text", [one for one in HOSTILE if one.isprintable() and one.strip()])
def test_code_is_read_as_it_was_written(text: str) -> None:
    shown = "".join(
        t.content for t in inline(f"x {code(text)}") if t.type in ("code_inline", "text")
    )
    assert shown.removeprefix("x ") == text


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_leaves_a_fence(text: str) -> None:
    tokens = MARKDOWN.parse(fenced(f"first\n{text}\nlast") + "\nafter\n")
    assert [t.type for t in tokens] == [
        "fence",
        "paragraph_open",
        "inline",
        "paragraph_close",
    ]
    assert tokens[0].content.startswith("first\n")
    assert tokens[0].content.endswith("\nlast\n")
    assert "\x1b" not in tokens[0].content
    assert "\u202e" not in tokens[0].content


def test_what_does_not_fit_is_left_out_whole() -> None:
    assert fitting(["aa", "ää", "a"], 8) == ["aa", "ää"]
    assert fitting(["a" * 9], 8) == []


# --- the page


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.guard").write_text(SMALL, encoding="utf-8")
    return tmp_path


def test_a_policy_cannot_speak_for_the_review(here: Path) -> None:
    bad = json.dumps("1 | `x` <img src=x> @team </details> ```", ensure_ascii=False)
    new = SMALL.replace('version "1"', f"version {bad}").replace("input, output", "input")
    new += f'\ntest {bad} {{\n  input  "hello"\n  expect block by no_greeting\n}}\n'
    new += f"\ncontext {{ say {bad} }}\n"
    (here / "new.guard").write_text(new, encoding="utf-8")
    done = guardkit("diff", "old.guard", "new.guard", "--format", "markdown")
    assert done.code == 1, done.err
    assert "@team" in unescape(done.out)
    assert "@team" not in said(done.out)
    assert all(len(set(rows)) == 1 for rows in tables(done.out))
    tags = {t.content.strip() for t in MARKDOWN.parse(done.out) if t.type == "html_block"}
    assert {re.sub(r"<summary>.*</summary>", "", tag) for tag in tags} == {
        "<details open>",
        "</details>",
    }
    assert {t.content for t in inline(done.out) if t.type == "html_inline"} <= OURS


def test_what_is_weaker_stands_first(here: Path) -> None:
    new = SMALL.replace("input, output", "input, retrieved")
    (here / "new.guard").write_text(new, encoding="utf-8")
    done = guardkit("diff", "old.guard", "new.guard", "--format", "markdown")
    assert done.code == 1
    lines = [line for line in done.out.splitlines() if re.match(r"\| \d", line)]
    assert lines == [
        "| 1 | **weaker** | output | block | pass | `no_greeting` |",
        "| 2 | stronger | retrieved | pass | block | `no_greeting` |",
    ]
    weak, strong = re.findall(r"<details.*?</details>", done.out, re.DOTALL)
    assert weak.startswith("<details open>")
    assert "expect block by no_greeting" in weak
    assert strong.startswith("<details><summary>An example of each stronger outcome")


def test_nothing_changes(here: Path) -> None:
    done = guardkit("diff", "old.guard", "old.guard", "--format", "markdown")
    assert (done.code, done.out) == (0, "### `small 1` → `small 1`\n\nnothing changes\n")


def test_a_changed_check_is_said_in_the_comment(here: Path) -> None:
    (here / "new.guard").write_text(SMALL.replace("hello\\b", "hello world\\b"), encoding="utf-8")
    out = guardkit("diff", "old.guard", "new.guard", "--format", "markdown").out
    assert "only its tests tell" in out


def many(number: int, on: str) -> str:
    rules = "".join(
        f"\ncheck word_{n} = pattern {{ match /word{n}x/ }}\n"
        f"rule the_rule_with_the_rather_long_name_number_{n} {{\n"
        f'  tier safety\n  on {on}\n  when word_{n}\n  then block "No {n}."\n}}\n'
        for n in range(number)
    )
    return SMALL + rules


def test_a_comment_is_never_too_long(here: Path) -> None:
    (here / "old.guard").write_text(many(300, "input, output"), encoding="utf-8")
    (here / "new.guard").write_text(many(300, "output, retrieved"), encoding="utf-8")
    rows = [{"text": f"word{n % 300}x " + "é|" * 300, "id": "i" * 90 + str(n)} for n in range(900)]
    log = here / "log.jsonl"
    log.write_text("\n".join([*map(json.dumps, rows), "{"]) + "\n", encoding="utf-8")
    given = ("old.guard", "new.guard", "--format", "markdown", "--data", "log.jsonl")
    for extra in ((), ("--show-values", "--most", "1000"), ("--only-data",)):
        done = guardkit("diff", *given, *extra)
        assert done.code == 1
        assert len(done.out.encode()) < FITS
        assert "Replay of 901 texts: 900 weaker, 1 not judged" in done.out
        assert all(len(set(row)) == 1 for row in tables(done.out))
        assert "more rules; `guardkit diff --json` says all." in done.out
        if "--only-data" not in extra:
            assert re.search(r"^\| 1 \| \*\*weaker\*\* \| input \| block \| pass", done.out, re.M)
            assert re.search(r"^[\d,]+ more settings; ", done.out, re.M)
            assert done.out.count("<details") == done.out.count("</details>") == 2
