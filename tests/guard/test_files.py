"""Policy files cannot harm the loader: A7 of the reliability promises."""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path

import pytest

from guardkit.guard import compile_file, compile_text
from guardkit.semantics import Checked

HEADER = 'guardkit 1\npolicy p\n  owner "qa@example.com"\n'
MODULE = 'guardkit 1\nmodule {0}\n  version "1"\nuse "./{1}.guard" version "1" as {1}\n'
RULE = 'rule r {\n  tier safety\n  on input\n  when c\n  then block "No."\n}\n'


def slugs(checked: Checked) -> list[str]:
    return [d.code.slug for d in checked.diagnostics if d.is_error]


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def bounded(file: Path) -> list[str]:
    """The errors of a file, found in under a second and 64 MB."""
    compile_text(HEADER + "check c = invisible { }\n" + RULE)  # tables and engines are loaded once
    tracemalloc.start()
    began = time.perf_counter()
    found = slugs(compile_file(file))
    took = time.perf_counter() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 2.0  # tracing doubles the time
    assert peak < 64_000_000
    return found


def test_a_10_mb_file_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "big.guard", HEADER + "# x\n" * 2_500_000)
    assert bounded(file) == ["too-large"]


@pytest.mark.parametrize("bracket", ["(", "[", "{", "not (", "any of ("])
def test_nesting_10_000_deep_is_refused(tmp_path: Path, bracket: str) -> None:
    body = f"rule r {{\n  tier safety\n  on input\n  when {bracket * 10_000}c\n}}\n"
    assert len(bounded(write(tmp_path, "deep.guard", HEADER + body))) == 1


def test_modules_that_use_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.guard", MODULE.format("a", "b"))
    write(tmp_path, "b.guard", MODULE.format("b", "a"))
    file = write(tmp_path, "p.guard", HEADER + 'use "./a.guard" version "1" as a\n')
    assert "import-cycle" in bounded(file)


def test_a_module_that_uses_itself_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.guard", MODULE.format("a", "a"))
    file = write(tmp_path, "p.guard", HEADER + 'use "./a.guard" version "1" as a\n')
    assert "import-cycle" in bounded(file)


def test_many_modules_that_use_many_modules_end(tmp_path: Path) -> None:
    """Every module uses the next one ten times: ten to the tenth instances, were they all made."""
    for level in range(10):
        uses = "".join(
            f'use "./m{level + 1}.guard" version "1" as u{i}\n' for i in range(10) if level < 9
        )
        write(tmp_path, f"m{level}.guard", f'guardkit 1\nmodule m{level}\n  version "1"\n{uses}')
    file = write(tmp_path, "p.guard", HEADER + 'use "./m0.guard" version "1" as m\n')
    assert "import-cycle" in bounded(file) or "too-many-modules" in bounded(file)


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "sub/../../secret.txt"])
def test_a_path_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("word\n")
    home = tmp_path / "home"
    file = write(home, "p.guard", HEADER + f'check c = words {{\n  file "{name}"\n}}\n' + RULE)
    assert slugs(compile_file(file)) == ["path-outside-root"]


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("word\n")
    home = tmp_path / "home"
    file = write(home, "p.guard", HEADER + 'check c = words {\n  file "w.txt"\n}\n' + RULE)
    os.symlink(tmp_path / "secret.txt", home / "w.txt")
    assert slugs(compile_file(file)) == ["path-outside-root"]


@pytest.mark.parametrize("name", ["./../b.guard", "./sub/../../b.guard"])
def test_a_module_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, "b.guard", 'guardkit 1\nmodule b\n  version "1"\n')
    file = write(tmp_path / "home", "p.guard", HEADER + f'use "{name}" version "1" as b\n')
    assert "path-outside-root" in slugs(compile_file(file))


def test_text_without_a_folder_reads_no_file() -> None:
    text = HEADER + 'check c = words {\n  file "README.md"\n}\n' + RULE
    assert slugs(compile_text(text)) == ["missing-file"]
    assert "unknown-module" in slugs(compile_text(HEADER + 'use "./README.md" version "1" as b\n'))


def test_a_fifo_does_not_hang(tmp_path: Path) -> None:
    file = write(tmp_path, "p.guard", HEADER + 'check c = words {\n  file "pipe"\n}\n' + RULE)
    os.mkfifo(tmp_path / "pipe")
    assert slugs(compile_file(file)) == ["missing-file"]


def test_a_module_of_a_module_lies_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "lib/words.txt", "refund\n")
    write(
        tmp_path,
        "lib/inner.guard",
        'guardkit 1\nmodule inner\n  version "1"\ncheck any = words {\n  file "words.txt"\n}\n',
    )
    write(
        tmp_path,
        "lib/outer.guard",
        'guardkit 1\nmodule outer\n  version "1"\nuse "./inner.guard" version "1" as inner\n'
        "check own = invisible { }\n"
        'rule both {\n  tier safety\n  on input\n  when inner.any and own\n  then block "No."\n}\n',
    )
    file = write(
        tmp_path, "p.guard", HEADER + 'use "./lib/outer.guard" version "1" as lib\napply lib.both\n'
    )
    policy = compile_file(file).policy
    assert policy is not None
    assert [check.name for check in policy.checks] == ["lib.inner.any", "lib.own"]
    assert dict(policy.check("lib.inner.any").config)["file"][0][0] == "lib/words.txt"  # type: ignore[index]
