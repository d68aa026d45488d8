"""The reference that is committed is what the specs say, and leaves nothing out."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardkit.checks import SPECS
from guardkit.cli._verbs import ONE_LINERS
from guardkit.diagnostics import CODES

from .reference import CONFIG, REFERENCE, ROOT, Pages, left_over, reference, written


@pytest.fixture(scope="module")
def made() -> dict[str, Pages]:
    return reference()


def test_the_pages_are_what_the_specs_say(made: dict[str, Pages]) -> None:
    files = written(made, CONFIG.read_text(encoding="utf-8"))
    stale = [
        path.relative_to(ROOT).as_posix()
        for path, text in files.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    stale += [path.relative_to(ROOT).as_posix() for path in left_over(files)]
    assert not stale, f"`python -m tests.docs.reference --write` writes {', '.join(stale)}"


def test_every_kind_of_check_has_a_page() -> None:
    pages = {path.stem for path in (REFERENCE / "checks").glob("*.md")}
    assert pages == {spec.kind for spec in SPECS} | {"index"}


def test_every_verb_has_a_page() -> None:
    pages = {path.stem for path in (REFERENCE / "commands").glob("*.md")}
    assert pages == {*ONE_LINERS, "index"}


def test_every_policy_and_module_that_ships_has_a_page() -> None:
    pages = {path.stem for path in (REFERENCE / "library").glob("*.md")}
    policies = {path.parent.name for path in (ROOT / "policies").glob("*/*.guard")}
    modules = {f"std-{path.parent.name}" for path in (ROOT / "policies" / "std").glob("*/*.guard")}
    assert pages == policies | modules | {"index"}


def test_every_diagnostic_has_a_part_that_says_what_it_means() -> None:
    text = "".join(path.read_text("utf-8") for path in (REFERENCE / "diagnostics").glob("*.md"))
    for code in CODES.values():
        part = text.partition(f"{{#{code.id.lower()}}}")[2].partition("\n## ")[0]
        assert "### What it means" in part, code.id
        assert len(part.split()) > 30, code.id


def test_a_page_that_nothing_writes_is_found(tmp_path: Path, made: dict[str, Pages]) -> None:
    files = written(made, CONFIG.read_text(encoding="utf-8"))
    dropped = next(path for path in files if path != CONFIG)
    del files[dropped]
    assert left_over(files) == [dropped]
