"""The reference pages, written from the specs themselves: `python -m tests.docs.reference --write`.

Nothing of these pages is written by hand, so none of them can lag behind the code; a test says so.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ._checks import checks_pages
from ._commands import command_pages
from ._diagnostics import diagnostics_pages
from ._http import http_pages
from ._language import language_pages
from ._library import library_pages
from ._python import python_pages

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "guardkit" / "docs"
PAGES = DOCS / "pages"
REFERENCE = PAGES / "reference"
CONFIG = DOCS / "mkdocs.yml"

BEGIN, END = "      # reference: begin\n", "      # reference: end\n"
"""What stands between these lines of `mkdocs.yml` is written here too."""

_SHOWN = re.compile(r"^`(examples/[\w./]+)`:\n\n```(\w+)\n.*?^```$", re.MULTILINE | re.DOTALL)
"""A file of the repository that a page shows whole, as it stands there."""

Pages = dict[str, str]

SECTIONS: tuple[tuple[str, Callable[[], Pages]], ...] = (
    ("The language", language_pages),
    ("Checks", checks_pages),
    ("Commands", command_pages),
    ("Policies and modules", library_pages),
    ("Diagnostics", diagnostics_pages),
    ("HTTP", http_pages),
    ("Python", python_pages),
)


def reference() -> dict[str, Pages]:
    """Every page by its section and its path below `reference/`."""
    return {title: write() for title, write in SECTIONS}


def written(made: dict[str, Pages], config: str) -> dict[Path, str]:
    """Every file that is written: the reference, its list of pages, examples that pages show."""
    files = {REFERENCE / name: page for pages in made.values() for name, page in pages.items()}
    before, _, rest = config.partition(BEGIN)
    _, _, after = rest.partition(END)
    files[CONFIG] = before + BEGIN + "".join(_listed(made)) + END + after
    for page in PAGES.rglob("*.md"):
        if page not in files and not page.is_relative_to(REFERENCE):
            text = page.read_text(encoding="utf-8")
            if _SHOWN.search(text):
                files[page] = _SHOWN.sub(_as_it_stands, text)
    return files


def _as_it_stands(found: re.Match[str]) -> str:
    name, language = found[1], found[2]
    content = (ROOT / name).read_text(encoding="utf-8").rstrip("\n")
    return f"`{name}`:\n\n```{language}\n{content}\n```"


def _listed(made: dict[str, Pages]) -> Iterator[str]:
    for title, pages in made.items():
        if len(pages) == 1:
            yield f"      - {title}: reference/{next(iter(pages))}\n"
            continue
        yield f"      - {title}:\n"
        for name, page in pages.items():
            yield f'          - "{_title_of(page)}": reference/{name}\n'


def _title_of(page: str) -> str:
    return page.partition("\n")[0].removeprefix("# ")


def left_over(files: dict[Path, str]) -> list[Path]:
    """Pages that nothing writes any more."""
    return sorted(path for path in REFERENCE.rglob("*.md") if path not in files)


def main(arguments: list[str]) -> int:
    """Write what differs; without `--write` only say what does."""
    files = written(reference(), CONFIG.read_text(encoding="utf-8"))
    differs = [
        path
        for path, text in files.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in differs:
        print(path.relative_to(ROOT).as_posix())
        if "--write" in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
    for path in left_over(files):
        print(f"{path.relative_to(ROOT).as_posix()} (nothing writes it)")
        if "--write" in arguments:
            path.unlink()
    return 0 if "--write" in arguments or not differs else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
