"""From a folder to a bundle: equal folders and equal dates make equal bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

from guardkit._util.contained import ContainmentError, read_contained
from guardkit.diagnostics import Diagnostic, visible
from guardkit.errors import BindError, PolicyError
from guardkit.syntax import EDITION, ast, decode, parse

from ._bundle import (
    MAX_CONTENT_BYTES,
    MAX_FILES,
    MAX_TITLE,
    NAME,
    SUFFIX,
    Bundle,
    BundleError,
    Kind,
    Manifest,
    file_row,
    is_title,
    is_version,
    manifest_problems,
)
from ._examine import Means, examine
from ._paths import path_problem

_ENTRY = ".guard"


def build(folder: Path, means: Means, *, issued: date, expires: date | None = None) -> Bundle:
    """The bundle that a folder makes: a pack of a module, a policy bundle of a policy.

    Name, version and title are those of the module or the policy. Files whose names begin with a
    dot stay out. Tests of a pack are run, where there is somebody to run them.

    Args:
        folder: The folder. Its one `.guard` file at the top, or the one called as the folder is,
            is the module or the policy.
        means: What the content is examined with.
        issued: The day from which the bundle counts.
        expires: Its last day; a pack has to have one.

    Raises:
        PolicyError: The content does not compile.
        BundleError: It makes no bundle, for every reason given.
        BindError: The folder cannot be read.
    """
    files = _files(folder)
    entry = _entry(folder, files)
    kind, name, version, title = _header(entry, files[entry])
    problems = list(_header_problems(entry, kind, name, version, title))
    if problems:
        raise BundleError(*problems)
    rows = tuple(file_row(path, content) for path, content in sorted(files.items()))
    manifest = Manifest(kind, name, version, title, issued, expires, EDITION, rows, ())
    problems = manifest_problems(manifest)
    if problems:
        raise BundleError(*problems)
    _, std = examine(manifest, files, means, issued)
    manifest = replace(manifest, std=tuple(sorted(std.items())))
    return Bundle(manifest, MappingProxyType(files))


def file_name(bundle: Bundle) -> str:
    """What the file of a bundle is called."""
    return f"{bundle.manifest.name}-{bundle.manifest.version}{SUFFIX}"


def _files(folder: Path) -> dict[str, bytes]:
    shown = visible(folder.as_posix())
    if not folder.is_dir():
        raise BindError(f"`{shown}` is not a folder")
    files: dict[str, bytes] = {}
    left = MAX_CONTENT_BYTES
    for path in sorted(_below(folder)):
        if (problem := path_problem(path)) is not None:
            raise BundleError(f"`{visible(path)}` cannot be in a bundle: its name {problem}")
        try:
            files[path] = read_contained(folder, path, left)
        except ContainmentError as error:
            if error.kind == "too-large":
                most = f"{MAX_CONTENT_BYTES // 1_000_000} MB"
                raise BundleError(f"`{shown}` holds more than the {most} of a bundle") from None
            raise BundleError(f"a file cannot be in a bundle: {error}") from None
        left -= len(files[path])
        if len(files) > MAX_FILES:
            raise BundleError(f"`{shown}` has more than the {MAX_FILES} files of a bundle")
    return files


def _below(folder: Path) -> Iterator[str]:
    def failed(error: OSError) -> None:
        raise BindError(f"`{visible(folder.as_posix())}` cannot be read whole") from error

    for base, folders, names in os.walk(folder, onerror=failed):
        folders[:] = sorted(name for name in folders if not _is_left_out(name))
        for name in [*folders, *names]:
            if not _is_left_out(name) and Path(base, name).is_symlink():
                shown = visible(Path(base, name).relative_to(folder).as_posix())
                raise BundleError(f"`{shown}` is a link: a bundle holds files, not where they are")
        for name in names:
            if not _is_left_out(name) and not name.endswith(SUFFIX):
                yield Path(base, name).relative_to(folder).as_posix()


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def _entry(folder: Path, files: dict[str, bytes]) -> str:
    tops = [path for path in files if "/" not in path and path.endswith(_ENTRY)]
    own = f"{folder.resolve().name}{_ENTRY}"
    if own in tops:
        return own
    if len(tops) == 1:
        return tops[0]
    shown = visible(folder.as_posix())
    if not tops:
        raise BundleError(f"`{shown}` has no `.guard` file at its top")
    raise BundleError(f"`{shown}` has several `.guard` files at its top, and none is `{own}`")


def _header(entry: str, content: bytes) -> tuple[Kind, str, str, str]:
    """Kind, name, version and title, as the file itself says them."""
    source = decode(entry, content)
    if isinstance(source, Diagnostic):
        raise PolicyError((source,))
    parsed = parse(source)
    header = next((d for d in parsed.file.declarations if isinstance(d, ast.Header)), None)
    if header is None or not parsed.is_clean:
        raise PolicyError(parsed.diagnostics)
    said = {
        clause.word: str(clause.values[0].value)
        for clause in header.clauses
        if isinstance(clause.values[0], ast.Literal)
    }
    kind: Kind = "pack" if header.kind == "module" else "policy"
    return kind, header.name.text, said.get("version", ""), said.get("title", "")


def _header_problems(entry: str, kind: Kind, name: str, version: str, title: str) -> Iterator[str]:
    if f"{name}{_ENTRY}" != entry:
        yield f"`{entry}` holds `{name}`: call the file `{name}{_ENTRY}`"
    if not NAME.fullmatch(name):
        yield f"`{name}` cannot be a bundle's name: small letters, digits and `_`, 63 at most"
    if not is_version(version):
        yield (
            f"the version `{visible(version)}` is no number such as `3` or `2026.11.2`"
            if version
            else f'`{entry}` has no version: add `version "1"` under its name'
        )
    if not is_title(title):
        yield f"the title is one line of at most {MAX_TITLE} characters"
