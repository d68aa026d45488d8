"""Pages lead to pages that exist, stand in the list of `mkdocs.yml`, and are read by builders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .reference import CONFIG, PAGES, ROOT

EVERY = sorted(PAGES.rglob("*.md"))
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+?)(?: \{#([\w-]+)\})?$", re.MULTILINE)
_FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def config() -> Any:
    yaml = pytest.importorskip("yaml")

    class Loader(yaml.SafeLoader):  # type: ignore[misc, name-defined]
        """Reads what builders read: `!ENV [NAME, VALUE]` is the value where nothing is set."""

    Loader.add_constructor("!ENV", lambda loader, node: loader.construct_sequence(node)[-1])
    return yaml.load(CONFIG.read_text(encoding="utf-8"), Loader)


def listed(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, list):
        for one in nav:
            yield from listed(one)
    else:
        for one in nav.values():
            yield from listed(one)


def prose(page: Path) -> str:
    """A page without its blocks of code, and without code in its lines."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The names of the headings of a page, as Markdown makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found: set[str] = set()
    for title, given in _HEADING.findall(text):
        slug = re.sub(r"[^\w\s-]", "", title.replace("`", "")).strip().lower()
        slug = given or re.sub(r"[-\s]+", "-", slug)
        base, number = slug, 1
        while slug in found:
            slug, number = f"{base}_{number}", number + 1
        found.add(slug)
    return found


def test_every_page_is_in_the_list_once_and_no_other() -> None:
    names = list(listed(config()["nav"]))
    assert sorted(names) == sorted(page.relative_to(PAGES).as_posix() for page in EVERY)


@pytest.mark.parametrize("page", EVERY, ids=lambda page: page.relative_to(PAGES).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            assert not target.startswith("http:"), target
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.is_file(), target
        assert found.is_relative_to(PAGES), f"{target} leads out of the pages"
        if anchor:
            assert anchor in anchors(found), target


def test_every_page_begins_with_its_title_and_has_one() -> None:
    for page in EVERY:
        text = page.read_text(encoding="utf-8")
        assert text.startswith("# "), page
        assert len(re.findall(r"^# ", _FENCE.sub("", text), re.MULTILINE)) == 1, page


def test_files_of_the_repository_that_pages_name_exist() -> None:
    known = ("examples", "policies", "benchmarks", "tests", "guardkit", "grammars")
    for page in EVERY:
        if "reference" in page.parts:
            continue
        text = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for name in re.findall(rf"`((?:{'|'.join(known)})/[\w./-]+)`", text):
            assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_the_builders_need_nothing_that_one_of_them_lacks() -> None:
    said = config()
    assert "plugins" not in said or said["plugins"] == ["search"]
    known = {"admonition", "attr_list", "codehilite", "fenced_code", "tables", "toc", "def_list"}
    given = {next(iter(x)) if isinstance(x, dict) else x for x in said["markdown_extensions"]}
    assert given <= known


def test_no_python_lies_among_the_pages() -> None:
    assert not list(CONFIG.parent.rglob("*.py"))


def test_the_first_page_leads_to_every_part() -> None:
    text = (PAGES / "index.md").read_text(encoding="utf-8")
    for part in ("tutorial", "how-to", "reference", "explanation", "migrate"):
        assert f"]({part}/" in text, part


def test_every_adapter_has_a_page() -> None:
    rooms = ROOT / "guardkit" / "integrations"
    found = {path.stem for path in rooms.iterdir() if path.stem[0] not in "_R"}
    called = {"httpx2": "httpx", "inspect_ai": "inspect"}
    pages = {path.stem for path in (PAGES / "how-to" / "integrations").glob("*.md")}
    assert {called.get(name, name.replace("_", "-")) for name in found} <= pages
