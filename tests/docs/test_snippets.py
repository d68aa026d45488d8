"""What the pages show is what happens: every policy, program and command in them is run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ._player import Player, WrongPageError, is_run, needs
from ._snippets import Block, agree, blocks_of, pages
from .reference import PAGES
from .refill import refill

MOST_NOT_RUN = 16
"""Blocks that no test runs, in all pages: each says why. Raise it only with a reason."""

WITH_BLOCKS = [page for page in pages() if any(is_run(block) for block in blocks_of(page))]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: page.relative_to(PAGES).as_posix())
def test_a_page_does_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lacking := needs(page.read_text(encoding="utf-8")):
        pytest.skip(f"{', '.join(lacking)} is not on this machine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    player = Player(tmp_path)
    try:
        for block in blocks_of(page):
            player.play(block)
    finally:
        player.end()
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(tmp_path):
                del sys.modules[name]


def test_every_block_that_is_not_run_says_why_and_they_are_few() -> None:
    found = [block for page in pages() for block in blocks_of(page) if block.not_run]
    assert len(found) <= MOST_NOT_RUN, [str(block) for block in found]
    assert all(len(block.not_run.split()) >= 3 for block in found)


def test_every_block_names_a_language() -> None:
    bare = [str(block) for page in pages() for block in blocks_of(page) if not block.language]
    assert not bare, bare


# --- the player itself


def block(tmp_path: Path, language: str, text: str, file: str = "") -> Block:
    return Block(PAGES / "x.md", 1, language, text, file)


POLICY = """guardkit 1
policy p
  title   "P"
  owner   "a@b.example"
  version "1"

check word = words { list ["secret"] }
rule stop { tier safety on input when word then block "No." }
test "stops" { input "a secret" expect block by stop }
"""


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("guard", POLICY.replace("when word", "when wrod")),
        ("guard", POLICY.replace('"a secret"', '"nothing"')),
        ("guard", "rule alone { tier safety on input when word then flag }"),
        ("python", "1 + 1  # 3"),
        ("python", "len('a')  # raises ValueError"),
        ("console", "$ guardkit --version\nguardkit 9.9.9\n"),
        ("console", "$ echo one\ntwo\n"),
    ],
)
def test_what_does_not_happen_is_found(tmp_path: Path, language: str, text: str) -> None:
    with pytest.raises(WrongPageError):
        Player(tmp_path).play(block(tmp_path, language, text))


def test_what_a_program_prints_is_compared(tmp_path: Path) -> None:
    player = Player(tmp_path)
    player.play(block(tmp_path, "python", "print('yes')"))
    with pytest.raises(WrongPageError):
        player.play(block(tmp_path, "text", "no\n"))


def test_times_and_digests_are_not_compared_and_words_are() -> None:
    assert agree("took 3 ms of 0123456789abcdef\n", "took 12.5 µs   of fedcba9876543210\n")
    assert agree("a\n…\nd\n", "a\nb\nc\nd\n")
    assert agree("a\n…\n", "a\n")
    assert not agree("a\n…\nd\n", "a\nb\n")
    assert not agree("a b\n", "a c\n")


def test_a_page_is_filled_with_what_is_said_now(tmp_path: Path) -> None:
    page = PAGES / "how-to" / "scan-a-corpus.md"
    text = page.read_text(encoding="utf-8")
    copy = tmp_path / "page.md"
    copy.write_text(text.replace("4 texts: 1 block", "9 texts: 8 block"), encoding="utf-8")
    assert refill(copy)
    again = copy.read_text(encoding="utf-8")
    assert "9 texts" not in again
    assert again.count("4 texts: 1 block") == text.count("4 texts: 1 block")
    assert not refill(copy)
