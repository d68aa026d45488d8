"""Whether policies can be used here, and who else may change what they say."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from guardkit.diagnostics import visible

from ._doctor_found import Found

_MOST_FILES: Final = 10_000


def readable(policies: Sequence[Path], *, binds: bool) -> Iterator[Found]:
    """Policies that do not compile; with `binds`, those that lack an extra that they need.

    Binding loads models, so it is asked for where something is known to be missing.
    """
    # Imported here: the compiler and the engine are loaded for this alone.
    from guardkit.errors import BindError, GuardkitError
    from guardkit.guard import compile_file, load

    for path in policies:
        shown = f"`{_shown(path)}`"
        if any(_of_policy(path)):
            continue  # `permissions` says what the system calls it
        policy = compile_file(path).policy
        if policy is None:
            fix = f"guardkit check {_quoted(path)}"
            yield Found("files", "wrong", f"{shown} does not compile", fix)
        elif binds and policy.kind != "module":
            try:
                load(path)
            except BindError as error:
                lacking = [one for one in error.problems if "guardkit[" in one]
                yield from (Found("files", "wrong", f"{shown}: {one}") for one in lacking[:1])
            except GuardkitError:
                continue  # it needs parameters, which a program gives


def permissions(policies: Sequence[Path]) -> Iterator[Found]:
    """What is wrong with the files of policies; one line where nothing is.

    A policy reads files of its own folder, so all of them are looked at: who writes a word list
    writes the policy.
    """
    if not hasattr(os, "geteuid"):
        yield Found("files", "note", "permissions are not looked at on this system")
        return
    found = [one for path in policies for one in _of_policy(path)]
    seen = 0
    for folder in dict.fromkeys(path.resolve().parent for path in policies):
        for path in _below(folder):
            seen += 1
            if seen > _MOST_FILES:
                said = f"only the first {_MOST_FILES:,} files were looked at"
                found.append(Found("files", "note", said))
                break
            found += _of(path)
    yield from dict.fromkeys(found)
    if not found:
        many = f"{len(policies)} {'policy' if len(policies) == 1 else 'policies'}"
        yield Found("files", "ok", f"{many}, {seen:,} files: only their owner may write them")


def _of_policy(path: Path) -> Iterator[Found]:
    try:
        path.read_bytes()
    except OSError as error:
        why = (error.strerror or "it cannot be read").lower()
        yield Found("files", "wrong", f"`{_shown(path)}` cannot be read: {why}")


def _below(folder: Path) -> Iterator[Path]:
    """A folder and what lies in it; links are not followed, hidden names left out."""
    yield folder
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        yield from (Path(base, name) for name in (*folders, *sorted(names)))


def _of(path: Path) -> Iterator[Found]:
    try:
        told = path.lstat()
    except OSError:
        return  # it went away while we looked
    if stat.S_ISLNK(told.st_mode):
        return
    shown, quoted = f"`{_shown(path)}`", _quoted(path)
    is_folder = stat.S_ISDIR(told.st_mode)
    # In a folder with the sticky bit, nobody replaces the files of others.
    if told.st_mode & stat.S_IWOTH and not (is_folder and told.st_mode & stat.S_ISVTX):
        yield Found("files", "wrong", f"everybody may write {shown}", f"chmod o-w {quoted}")
    elif told.st_mode & stat.S_IWGRP and told.st_gid != told.st_uid:
        # A group of one's own, with the number of its user, is usual.
        yield Found("files", "note", f"a group may write {shown}", f"chmod g-w {quoted}")
    if told.st_uid not in (0, os.geteuid()):
        yield Found("files", "note", f"{shown} belongs to another user")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return visible((path.relative_to(here) if path.is_relative_to(here) else path).as_posix())


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(_shown(path))
