"""Words that the tree must not hold: registry hosts, paths of one machine, unfinished work.

The forbidden words are put together from parts, so that this file may be searched like any other.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("repo", "maven", "apache", "org"),
        ("repo1", "maven", "org"),
        ("rubygems", "org"),
        ("conda", "anaconda", "org"),
    )
]

PLACES = [
    "/".join(("", *parts))
    for parts in (
        ("work", "main"),
        ("work", "shared"),
        ("work", ".library"),
        ("opt", "pypi"),
        ("opt", "wheels"),
        ("root", ".pyenv"),
        ("root", ".cache"),
        ("tmp", "bash_jobs"),
    )
]

MARKS = ["NotImplemented" + "Error", "TO" + "DO", "FIX" + "ME", "X" * 3]

SKIPPED = {".git", ".hypothesis", ".benchmarks", "__pycache__", "node_modules"}


def places_here() -> list[str]:
    """The checkout, the interpreter: too short a path (`/usr`) would be no machine's own."""
    own = {ROOT, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent}
    return sorted(str(path) for path in own if len(path.parts) >= 4)


def files_of(root: Path) -> list[Path]:
    """What git would commit; without git, every file outside tool folders."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.decode().split("\0")
        return sorted(root / name for name in names if name and (root / name).is_file())
    found = []
    for folder, inner, names in os.walk(root):
        inner[:] = [n for n in inner if n not in SKIPPED and not n.startswith((".venv", ".mypy"))]
        found += [Path(folder) / name for name in names]
    return sorted(found)


def lines_with(paths: Iterable[Path], wanted: re.Pattern[bytes], root: Path) -> Iterator[str]:
    """`file:line word` for every hit in a file that is text."""
    for path in paths:
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue
        for hit in wanted.finditer(content):
            line = content.count(b"\n", 0, hit.start()) + 1
            yield f"{path.relative_to(root).as_posix()}:{line} {hit[0].decode(errors='replace')}"


def any_of(words: Iterable[str], *, whole: bool) -> re.Pattern[bytes]:
    longest_first = sorted(words, key=len, reverse=True)
    pattern = "|".join(re.escape(word) for word in longest_first)
    # A mask such as 3 letters before a hyphen is data, not a mark.
    edges = (r"(?<![\w-])", r"(?![\w-])") if whole else ("", "")
    return re.compile(f"{edges[0]}(?:{pattern}){edges[1]}".encode())


FOREIGN = any_of([*HOSTS, *PLACES, *places_here()], whole=False)
UNFINISHED = any_of(MARKS, whole=True)


def test_the_tree_names_no_registry_and_no_machine() -> None:
    found = list(lines_with(files_of(ROOT), FOREIGN, ROOT))
    assert not found, "\n" + "\n".join(found)


def test_the_package_has_no_marks_of_unfinished_work() -> None:
    package = ROOT / "guardkit"
    paths = [path for path in files_of(ROOT) if path.is_relative_to(package)]
    assert package / "errors.py" in paths
    found = list(lines_with(paths, UNFINISHED, ROOT))
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("word", [*HOSTS, *PLACES])
def test_a_host_or_place_is_found(tmp_path: Path, word: str) -> None:
    (tmp_path / "a.md").write_text(f"first\nsee {word}/x\n", encoding="utf-8")
    assert list(lines_with(files_of(tmp_path), FOREIGN, tmp_path)) == [f"a.md:2 {word}"]


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_is_found(tmp_path: Path, mark: str) -> None:
    (tmp_path / "a.py").write_text(f"x = 1  # {mark}: later\n", encoding="utf-8")
    assert list(lines_with(files_of(tmp_path), UNFINISHED, tmp_path)) == [f"a.py:1 {mark}"]


def test_masks_and_binary_files_are_no_marks(tmp_path: Path) -> None:
    mark = MARKS[-1]
    (tmp_path / "a.md").write_text(f"{mark}-45-6789 {mark}L", encoding="utf-8")
    (tmp_path / "b.bin").write_bytes(b"\0" + mark.encode())
    assert list(lines_with(files_of(tmp_path), UNFINISHED, tmp_path)) == []
