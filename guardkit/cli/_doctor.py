"""`guardkit doctor`: what is wrong with this installation, and what would mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Literal

import click

from ._doctor_engine import (
    grammar,
    has_runtime,
    models,
    patterns,
    processes,
    redis,
    shipped_policies,
)
from ._doctor_files import permissions, readable
from ._doctor_found import Found, packages, python
from ._doctor_place import clock, lock, port
from ._exits import CLEAN, FINDINGS
from ._findings import show_frames
from ._policies import find_policies
from ._screen import Screen, screen
from ._verbs import FORMAT, verb, version

FOLDER = Path("policies")
_BEFORE_NUMBER = re.compile(r" (?=\d)")
_STYLES = {"ok": "good", "note": "info", "wrong": "bad"}


@verb("doctor")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--redis",
    "url",
    envvar="GUARDKIT_REDIS",
    metavar="URL",
    help="See whether shared state is reached there; else GUARDKIT_REDIS.",
)
@click.option(
    "--port",
    "number",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="See whether a server could listen there; 8080, where a taken one is only a note.",
)
@click.option(
    "--packs",
    "store",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="See whether this store of packs can be changed.",
)
@FORMAT
def command(
    files: tuple[str, ...],
    url: str | None,
    number: int | None,
    store: Path | None,
    format: Literal["text", "json"],
) -> int:
    """Say what is wrong with this installation, and what would mend it.

    Looks at Python, the packages and each extra, the grammar, what ships, ONNX Runtime and the
    device that models really run on, how processes start, the clock and the port of a server. FILE
    is a policy, or a folder of some: whether it compiles, whether an extra that it needs is
    missing, and who may write its files and those beside it. The folder `policies`, where there is
    one, when left out.

    Exits with 1 when something is wrong; a note is not.
    """
    show = screen()
    given = files or ((FOLDER.as_posix(),) if FOLDER.is_dir() else ())
    policies, wrong = find_policies(given) if given else ([], [])
    if wrong and files:
        show_frames(show, wrong)
    found: list[Found] = []
    for one in _examined(policies, url, number, store):
        found.append(one)
        if format == "text":
            _tell(show, one)
    if wrong and files:
        found.append(Found("files", "wrong", "there is no policy to look at"))
    is_sound = not any(one.state == "wrong" for one in found)
    if format == "json":
        said = {"is_sound": is_sound, "found": [one._asdict() for one in found]}
        show.out.write(json.dumps(said, indent=2) + "\n")
    else:
        show.say()
        show.say(_summed_up(found))
    return CLEAN if is_sound else FINDINGS


def _examined(
    policies: Sequence[Path], url: str | None, number: int | None, store: Path | None
) -> Iterator[Found]:
    yield python()
    yield from packages(version())
    yield grammar()
    yield shipped_policies()
    yield patterns()
    yield from models()
    yield processes()
    yield clock()
    yield port(number)
    if url:
        yield redis(url)
    if store is not None:
        yield lock(store)
    if policies:
        yield from readable(policies, binds=not has_runtime())
        yield from permissions(policies)


def _tell(show: Screen, one: Found) -> None:
    out = show.out
    if show.quiet and one.state != "wrong":
        return
    head = f"{one.state:<6} {one.name:<20} "
    # A package and its version stay on one line.
    said = _BEFORE_NUMBER.sub("\xa0", one.said)
    lines = wrap(said, out.width - len(head), break_on_hyphens=False)
    if one.fix:
        width = out.width - len(head) - 2
        lines += [f"  {line}" for line in wrap(one.fix, width, break_on_hyphens=False)]
    state = out.paint(f"{one.state:<6}", _STYLES[one.state])
    for number, line in enumerate(lines):
        start = f"{state}{head[6:]}" if number == 0 else " " * len(head)
        out.line(f"{start}{line}".replace("\xa0", " ").rstrip())


def _summed_up(found: Sequence[Found]) -> str:
    wrong = sum(one.state == "wrong" for one in found)
    if wrong:
        return f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong"
    return "nothing is wrong"
