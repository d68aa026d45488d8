"""A policy around one check: its name and its files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import re2

from guardkit.catalog import Finder, Form


class Around:
    """Implements `Setting` over a dictionary of files."""

    name = "probe"
    given: object | None = None

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self._files = files or {}

    def file(self, name: str) -> bytes:
        return self._files[name]

    def config(self) -> tuple[tuple[str, str, int], ...]:
        """The files as a compiled policy names them."""
        return tuple(
            (name, f"sha256:{hashlib.sha256(content).hexdigest()}", 0)
            for name, content in self._files.items()
        )


def seen_in(finder: Finder, text: str, form: Form = "plain") -> list[int]:
    """The needles that occur in a text."""
    data = text.encode("utf-8", "replace")
    return [i for i, needle in enumerate(finder.needles(form)) if re2.search(needle.encode(), data)]


def found(finder: Finder, text: str, form: Form = "plain") -> list[str]:
    """What a finder finds in a text, as the engine would ask it."""
    seen = seen_in(finder, text, form)
    return [text[start:end] for start, end, _ in finder.find(text, seen, form)] if seen else []
