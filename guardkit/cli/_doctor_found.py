"""What an examination of this machine finds, and the part of it that is about the package."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from importlib.metadata import version as installed_version
from typing import Final, Literal, NamedTuple

State = Literal["ok", "note", "wrong"]

_OLDEST: Final = (3, 11)
_LEFT_OUT: Final = ("cpu", "dev", "gpu", "lint", "test")
"""Extras of those who work on guardkit itself, and the two of which only one may be there: what is
said of ONNX Runtime is said where it is tried."""
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?([^;]*)(?:;.*extra == '([^']+)')?")
_FLOOR = re.compile(r">=\s*([0-9.]+)")


class Found(NamedTuple):
    """One thing that was looked at.

    Attributes:
        name: What it is.
        state: `wrong` is what stops guardkit, or makes it unsafe here; `note` is worth knowing.
        said: What it is like.
        fix: What would mend it.
    """

    name: str
    state: State
    said: str
    fix: str = ""


def python() -> Found:
    """The interpreter."""
    here = f"{sys.implementation.name} {sys.version.split()[0]} on {sys.platform}"
    if sys.version_info[:2] < _OLDEST:
        return Found("python", "wrong", here, "guardkit needs Python 3.11 or newer")
    return Found("python", "ok", here)


def packages(own: str) -> Iterator[Found]:
    """guardkit itself, what it needs, and each extra.

    Args:
        own: The version of the code that runs.
    """
    try:
        known = distribution("guardkit")
    except PackageNotFoundError:
        yield Found(
            "guardkit",
            "note",
            f"{own}, which was not installed: what it needs cannot be told",
            "python -m pip install guardkit",
        )
        return
    if known.version != own:
        yield Found(
            "guardkit",
            "wrong",
            f"{own} runs and {known.version} is installed: one hides the other",
            "remove one of them, or start elsewhere",
        )
    else:
        yield Found("guardkit", "ok", own)
    needed: list[tuple[str, str]] = []
    extras: dict[str, list[tuple[str, str]]] = {}
    for written in known.requires or ():
        read = _REQUIREMENT.match(written)
        if read is not None:
            name, bounds, extra = read.groups()
            (needed if extra is None else extras.setdefault(extra, [])).append((name, bounds))
    there, missing, old = _looked_up(needed)
    if missing or old:
        said = "; ".join(_problems(missing, old))
        yield Found("needed", "wrong", said, "python -m pip install --upgrade guardkit")
    else:
        yield Found("needed", "ok", ", ".join(there))
    absent = []
    for extra in sorted(extras.keys() - set(_LEFT_OUT)):
        found = _extra(extra, extras[extra])
        if found is None:
            absent.append(extra)
        else:
            yield found
    if absent:
        said = f"not installed: {', '.join(absent)}"
        yield Found("extras", "note", said, "python -m pip install 'guardkit[NAME]' adds one")


def _extra(extra: str, wanted: Iterable[tuple[str, str]]) -> Found | None:
    """An extra that nobody installed is nothing wrong; one of an old release is."""
    there, missing, old = _looked_up(wanted)
    name = f"extra {extra}"
    add = f"python -m pip install --upgrade 'guardkit[{extra}]'"
    if old:
        return Found(name, "wrong", "; ".join(_problems(missing, old)), add)
    if not there:
        return None
    if missing:
        return Found(name, "note", f"{', '.join(there)}; without {', '.join(missing)}", add)
    return Found(name, "ok", ", ".join(there))


def _looked_up(
    wanted: Iterable[tuple[str, str]],
) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """What is there with its version, what is missing, what is older than it has to be."""
    there: list[str] = []
    missing: list[str] = []
    old: list[tuple[str, str]] = []
    for name, bounds in wanted:
        try:
            found = installed_version(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        there.append(f"{name} {found}")
        floor = _FLOOR.search(bounds)
        if floor is not None and _numbers(found) < _numbers(floor[1]):
            old.append((f"{name} {found}", floor[1]))
    return there, missing, old


def _problems(missing: Iterable[str], old: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"{name} is missing" for name in missing)
    yield from (f"{shown} is older than {floor}" for shown, floor in old)


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers at the start of a version, without zeros at their end."""
    read = re.match(r"[0-9.]*", version)
    numbers = [int(part) for part in (read[0] if read else "").split(".") if part]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
