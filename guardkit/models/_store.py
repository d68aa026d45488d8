"""Model directories: whether one is whole, and its files as bytes that were hashed.

A file is read once. What was hashed is what the runtime gets, so that nothing can be swapped in
between. A directory holds its manifest, the files the manifest names and pages (`*.md`): no links,
no folders, nothing else.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from guardkit.diagnostics import nearest, visible
from guardkit.errors import BindError

from ._fits import misfits, read_tokenizer
from ._manifest import MANIFEST, MOST_MANIFEST, Manifest, digest_of_bytes, manifest_of
from ._onnx_file import OnnxFile, read_onnx

TIERS: Final = ("static", "mini")
"""The models that ship."""
MOST_BYTES: Final = 2 << 30
"""How large a model may be, all files together."""
MOST_TOKENIZER: Final = 64 << 20
_MOST_ENTRIES: Final = 64
_MOST_SAID: Final = 8

_BY_FOLDER = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
# O_NONBLOCK: opening a FIFO that nobody writes must not hang.
_WANTED = ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT")
_FLAGS: int = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in _WANTED)


@dataclass(frozen=True, slots=True)
class Opened:
    """A model directory that was read, hashed and found whole."""

    folder: Path
    manifest: Manifest
    digest: str
    files: dict[str, bytes] = field(repr=False)
    """The bytes that were hashed, by name."""
    tokenizer: Any = field(repr=False)
    """The tokenizer, which neither cuts nor fills; None where the model uses that of its base."""
    graph: OnnxFile | None = field(repr=False)
    """What `model.onnx` says of itself."""

    @property
    def size(self) -> int:
        """Bytes of all files but the manifest."""
        return sum(len(data) for data in self.files.values())


def read_verified(folder: Path, digest: str | None = None) -> Opened:
    """Read a model directory whole, and believe nothing that is not checked.

    Args:
        folder: It may itself be reached through links; nothing in it may be one.
        digest: The digest it has to have: `sha256:…` of its manifest.

    Raises:
        BindError: It may not be loaded; everything that is wrong, one sentence each.
    """
    try:
        return _read(folder, digest)
    except BindError as error:
        name = visible(folder.name or folder.as_posix())
        raise BindError(*(f"model `{name}`: {problem}" for problem in error.problems)) from None


def verify(folder: Path, digest: str | None = None) -> tuple[str, ...]:
    """Everything that is wrong with a model directory, one sentence each; none if it is whole."""
    try:
        _read(folder, digest)
    except BindError as error:
        return error.problems
    return ()


def digest_of(folder: Path) -> str:
    """The digest of a model directory: of its manifest, which names the digest of each file.

    Whether it says anything of use is not looked at.

    Raises:
        BindError: It has no manifest that can be read.
    """
    with _opened_folder(folder) as opened:
        return digest_of_bytes(_read_file(opened, MANIFEST, MOST_MANIFEST))


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """The manifest of a model directory and its digest. No other file is looked at.

    Raises:
        BindError: It has none that can be read; one sentence each.
    """
    with _opened_folder(folder) as opened:
        data = _read_file(opened, MANIFEST, MOST_MANIFEST)
    return manifest_of(data), digest_of_bytes(data)


def shipped(tier: str) -> Path:
    """The directory of a model that ships.

    Raises:
        BindError: There is no such tier, or this installation is without it.
    """
    if tier not in TIERS:
        near = nearest(tier, TIERS)
        advice = f"did you mean `{near}`?" if near else f"shipped are {' and '.join(TIERS)}"
        raise BindError(f"no model `{visible(tier)}` ships with guardkit; {advice}")
    folder = Path(__file__).parent / tier
    if not (folder / MANIFEST).is_file():
        raise BindError(f"the model `{tier}` is not part of this installation")
    return folder


def is_page(name: str) -> bool:
    """Whether a file is for people: it may lie in a model directory and is never read."""
    return name.lower().endswith(".md")


# --- reading


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path
    handle: int | None
    """An open descriptor: the files read through it are of one folder, whoever renames it."""

    def names(self) -> Iterator[os.DirEntry[str]]:
        with os.scandir(self.path if self.handle is None else self.handle) as entries:
            yield from entries

    def open(self, name: str) -> int:
        if self.handle is not None:
            return os.open(name, _FLAGS, dir_fd=self.handle)
        path = self.path / name
        if stat.S_ISLNK(os.lstat(path).st_mode):
            raise OSError(errno.ELOOP, "a link")
        return os.open(path, _FLAGS)


def _read(folder: Path, digest: str | None) -> Opened:
    with _opened_folder(folder) as opened:
        data = _read_file(opened, MANIFEST, MOST_MANIFEST)
        found = digest_of_bytes(data)
        if digest is not None and digest != found:
            raise BindError(f"its digest is {found}, not {visible(digest)[:80]}")
        manifest = manifest_of(data)
        _raise_any(_strangers(opened, manifest))
        files = _read_files(opened, manifest)
    graph = read_onnx(files["model.onnx"]) if manifest.kind == "onnx" else None
    table = files.get("tokenizer.json")
    tokenizer = read_tokenizer(table) if table is not None else None
    _raise_any(misfits(manifest, graph, tokenizer))
    return Opened(folder, manifest, found, files, tokenizer, graph)


def _read_files(folder: _Folder, manifest: Manifest) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    problems: list[str] = []
    left = MOST_BYTES
    for name, wanted in manifest.files.items():
        try:
            limit = min(left, MOST_TOKENIZER) if name == "tokenizer.json" else left
            data = _read_file(folder, name, limit)
        except BindError as error:
            problems += error.problems
            continue
        if digest_of_bytes(data) != wanted:
            problems.append(f"`{name}` is not the file that `{MANIFEST}` names: its digest differs")
        files[name] = data
        left -= len(data)
    _raise_any(problems)
    return files


def _raise_any(problems: Iterator[str] | list[str]) -> None:
    found = list(problems)
    if len(found) > _MOST_SAID:
        found = [*found[:_MOST_SAID], f"{len(found) - _MOST_SAID} more problems"]
    if found:
        raise BindError(*found)


def _strangers(folder: _Folder, manifest: Manifest) -> Iterator[str]:
    """What lies in the folder and should not."""
    for count, entry in enumerate(folder.names()):
        shown = visible(entry.name)[:100]
        if count >= _MOST_ENTRIES:
            yield f"it holds more than {_MOST_ENTRIES} files"
            return
        if entry.is_symlink():
            yield f"`{shown}` is a link"
        elif entry.is_dir(follow_symlinks=False):
            yield f"`{shown}` is a folder"
        elif not entry.is_file(follow_symlinks=False):
            yield f"`{shown}` is not a regular file"
        elif entry.name not in (*manifest.files, MANIFEST) and not is_page(entry.name):
            yield f"`{shown}` is not named in `{MANIFEST}`"


@contextmanager
def _opened_folder(path: Path) -> Iterator[_Folder]:
    handle = None
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            raise BindError("it is not a folder")
        if _BY_FOLDER:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        yield _Folder(path, handle)
    except FileNotFoundError:
        raise BindError("the folder does not exist") from None
    except (OSError, ValueError):
        raise BindError("the folder cannot be read") from None
    finally:
        if handle is not None:
            os.close(handle)


def _read_file(folder: _Folder, name: str, limit: int) -> bytes:
    try:
        with open(folder.open(name), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise BindError(f"`{name}` is not a regular file")
            if facts.st_size > limit:
                raise BindError(f"`{name}` is larger than allowed")
            data = file.read(facts.st_size + 1)
    except FileNotFoundError:
        raise BindError(f"`{name}` is missing") from None
    except OSError as error:
        is_link = error.errno in (errno.ELOOP, errno.EMLINK)
        why = "is a link" if is_link else "cannot be read"
        raise BindError(f"`{name}` {why}") from None
    if len(data) != facts.st_size:
        raise BindError(f"`{name}` changed while it was read")
    return data


# --- writing


def write_model(out: Path, manifest: Manifest, files: dict[str, bytes], *, force: bool) -> str:
    """Write a model directory in one step, or not at all; its digest.

    Args:
        out: Where it shall lie. What is there already is replaced only with `force`, and only if
            it is a model directory or an empty one.
        manifest: It must name the files.
        files: Their bytes by name.
        force: Whether a model may be replaced.

    Raises:
        BindError: It cannot be written; what was there is as it was.
    """
    # Imported here: nothing that judges writes.
    import shutil
    import tempfile

    shown = visible(out.as_posix())
    refuse_occupied(out, force=force)
    data = manifest.dumped()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise BindError(f"`{shown}` cannot be written: {_why(error)}") from None
    try:
        made, old = beside / "new", beside / "old"
        made.mkdir()
        for name, content in {**files, MANIFEST: data}.items():
            _write_file(made / name, content)
        if os.path.lexists(out):
            os.rename(out, old)
        try:
            os.rename(made, out)
        except OSError:
            if os.path.lexists(old):
                os.rename(old, out)
            raise
    except OSError as error:
        raise BindError(f"`{shown}` cannot be written: {_why(error)}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return digest_of_bytes(data)


def refuse_occupied(out: Path, *, force: bool) -> None:
    """Refuse to write a model where something lies that is not to be replaced.

    Raises:
        BindError: Something is there.
    """
    shown = visible(out.as_posix())
    if not out.name:
        raise BindError(f"`{shown}` is no name for a model directory")
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise BindError(f"`{shown}` is there already, and is not a model directory")
    if not any(out.iterdir()):
        return
    if not (out / MANIFEST).is_file():
        raise BindError(f"`{shown}` is there already, and is not a model directory")
    if not force:
        raise BindError(f"`{shown}` is there already; `--force` replaces it")


def replace_manifest(folder: Path, manifest: Manifest) -> str:
    """Write the manifest of a model directory anew, in one step; the new digest.

    Raises:
        BindError: It cannot be written; the old one is as it was.
    """
    import tempfile

    data = manifest.dumped()
    name = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{MANIFEST}.", dir=folder)
        os.close(handle)
        _write_file(Path(name), data)
        mode = stat.S_IMODE(os.stat(folder / MANIFEST).st_mode)
        os.chmod(name, mode)
        os.replace(name, folder / MANIFEST)
    except OSError as error:
        if name is not None:
            with suppress(OSError):
                os.unlink(name)
        raise BindError(f"`{MANIFEST}` cannot be written: {_why(error)}") from None
    return digest_of_bytes(data)


def _write_file(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _why(error: OSError) -> str:
    return (error.strerror or "it failed").lower()
