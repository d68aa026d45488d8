"""Where a policy's modules and data files come from. Semantics asks; somebody else reads disks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from guardkit.diagnostics import Source

Kind = Literal["outside", "missing", "not-a-file", "too-large", "unreadable", "not-text"]


class LibraryError(Exception):
    """A file a policy names cannot be had. `kind` says why; no machine path is in it."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.kind: Kind = kind


@dataclass(frozen=True, slots=True)
class Data:
    """A data file: the name a plan stores, and its bytes."""

    name: str
    content: bytes = field(repr=False)


class Library(Protocol):
    """Gives modules and data files by the names policies use for them."""

    def module(self, name: str, user: Source) -> Source:
        """The module `name` as `user` names it: `std/…`, or `./…` beside the file."""
        ...

    def data(self, name: str, user: Source) -> Data:
        """A data file named in `user`, relative to it and inside the policy's folder."""
        ...

    def folder(self, name: str, user: Source) -> str:
        """What a plan stores for a folder named in `user`. Nobody looks whether it is there."""
        ...


class NoLibrary:
    """A library with nothing in it: for a policy that is only text."""

    def module(self, name: str, user: Source) -> Source:
        raise LibraryError("missing")

    def data(self, name: str, user: Source) -> Data:
        raise LibraryError("missing")

    def folder(self, name: str, user: Source) -> str:
        return name
