"""Which names a file in a bundle may have: the same file on every system, inside its folder."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MAX_PATH = 200
_RESERVED = frozenset(
    {
        *("con", "conin$", "conout$", "prn", "aux", "nul"),
        *(f"{kind}{n}" for kind in ("com", "lpt") for n in "0123456789\u00b9\u00b2\u00b3"),
    }
)
"""Names that stand for devices on some systems, whatever follows the dot."""
_FORBIDDEN = frozenset('\\:*?"<>|')


def path_problem(path: str) -> str | None:
    """Why a file of a bundle cannot have this name; None where it can."""
    if not path or len(path) > MAX_PATH:
        return f"is not 1 to {MAX_PATH} characters long"
    if not path.isprintable():
        return "has a character that cannot be seen"
    if path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        return "does not begin in the bundle's own folder"
    if _FORBIDDEN & set(path):
        return "has a character that not every system allows"
    if not unicodedata.is_normalized("NFC", path):
        return "is not in the normal form NFC"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "leads outside its folder" if part == ".." else "has an empty part"
        if part != part.strip() or part.endswith("."):
            return "has a part that ends in a blank or a dot"
        if part.split(".")[0].rstrip().casefold() in _RESERVED:
            return "has a name that some systems keep for themselves"
    return None


def colliding(paths: Iterable[str]) -> tuple[str, str] | None:
    """Two names that are one on some system: case, or a file that is a folder too."""
    spelled: dict[str, str] = {}
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            prefix = "/".join(parts[:end])
            key = unicodedata.normalize("NFC", prefix.casefold())
            is_file = end == len(parts)
            first = spelled.setdefault(key, prefix)
            same = files if is_file else folders
            other = folders if is_file else files
            if first != prefix or key in other or (is_file and key in same):
                return other.get(key) or same.get(key) or first, path
            same[key] = path
    return None
