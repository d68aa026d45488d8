"""A library that holds the files of bundles in memory: what was verified is what is read."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Mapping
from typing import NamedTuple

from guardkit._util.contained import ContainmentError
from guardkit.diagnostics import Diagnostic, Source
from guardkit.semantics import Data, Library, LibraryError
from guardkit.syntax import decode

from ._bundle import Manifest

USE = "pack/"
"""What a name in `use` begins with where a pack is meant."""
SHIPPED = "std:"
_MARK = "pack:"


class Shelved(NamedTuple):
    """One bundle on a shelf: its files, and which of them is the module."""

    entry: str
    files: Mapping[str, bytes]


class Shelf:
    """Bundles by the name a policy has for them, above another library.

    Args:
        bundles: The bundles.
        beneath: Where everything else comes from: shipped modules, the policy's own files.
    """

    def __init__(self, bundles: Mapping[str, Shelved], beneath: Library) -> None:
        self._bundles = bundles
        self._beneath = beneath
        self._homes: dict[str, tuple[str, str]] = {}
        self.std: dict[str, str] = {}
        """The shipped files that were read, by digest."""

    def source(self, name: str) -> Source:
        """The module that a bundle is.

        Raises:
            LibraryError: It is not text.
        """
        return self._module(name, self._bundles[name].entry)

    def module(self, name: str, user: Source) -> Source:
        if name.startswith(USE) and name.removeprefix(USE) in self._bundles:
            return self.source(name.removeprefix(USE))
        home = self._homes.get(user.path)
        if home is not None and not name.startswith("std/"):
            return self._module(home[0], _inside(home[1], name))
        made = self._beneath.module(name, user)
        if made.path.startswith(SHIPPED):
            self.std[made.path] = digest_of(made.text.encode())
        return made

    def data(self, name: str, user: Source) -> Data:
        home = self._homes.get(user.path)
        if home is None:
            data = self._beneath.data(name, user)
            if data.name.startswith(SHIPPED):
                self.std[data.name] = digest_of(data.content)
            return data
        path = _inside(home[1], name)
        return Data(f"{_MARK}{home[0]}/{path}", self._content(home[0], path))

    def folder(self, name: str, user: Source) -> str:
        home = self._homes.get(user.path)
        if home is None:
            return self._beneath.folder(name, user)
        return f"{_MARK}{home[0]}/{posixpath.join(home[1], name)}"

    def _module(self, bundle: str, path: str) -> Source:
        shown = f"{_MARK}{bundle}/{path}"
        made = decode(shown, self._content(bundle, path))
        if isinstance(made, Diagnostic):
            raise LibraryError("not-text")
        self._homes[shown] = bundle, posixpath.dirname(path)
        return made

    def _content(self, bundle: str, path: str) -> bytes:
        try:
            return self._bundles[bundle].files[path]
        except KeyError:
            raise LibraryError("missing") from None


def _inside(folder: str, name: str) -> str:
    """A name as a file of this folder has it, as a path in the bundle."""
    if not name or "\\" in name or name.startswith("/") or ":" in name:
        raise LibraryError("outside")
    path = posixpath.normpath(posixpath.join(folder, name))
    if path.split("/")[0] == "..":
        raise LibraryError("outside")
    return path


def digest_of(content: bytes) -> str:
    """A file's content as a manifest names it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def changed_since(manifest: Manifest, read: Callable[[str], bytes]) -> tuple[str, ...]:
    """The shipped files that are others here than those a bundle was built against.

    Args:
        manifest: The manifest.
        read: Reads shipped files by the names that plans have for them.
    """
    found = []
    for path, digest in manifest.std:
        try:
            content = read(path)
        except ContainmentError:
            found.append(path)
            continue
        source = decode(path, content) if path.endswith(".guard") else None
        if isinstance(source, Source):
            content = source.text.encode()
        if digest_of(content) != digest:
            found.append(path)
    return tuple(found)


def reader(
    bundles: Mapping[str, Shelved], beneath: Callable[[str], bytes]
) -> Callable[[str], bytes]:
    """Reads data files by the names that checks have for them, of bundles and of all else."""

    def read(name: str) -> bytes:
        bundle, _, path = name.removeprefix(_MARK).partition("/")
        if not name.startswith(_MARK) or bundle not in bundles:
            return beneath(name)
        try:
            return bundles[bundle].files[path]
        except KeyError:
            raise ContainmentError("missing", name) from None

    return read


def is_of_a_bundle(name: str) -> bool:
    """Whether a plan's name for a file or a folder is one of a bundle."""
    return name.startswith(_MARK)
