"""From what stands on the command line to policy files, parameters and checked policies."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guardkit.diagnostics import Diagnostic, Place, Source, Span, diagnose, visible
from guardkit.types import SURFACES

if TYPE_CHECKING:
    # `explain CODE` shares the options below, and needs no compiler.
    from guardkit.guard import ParamValue
    from guardkit.packs import Installed
    from guardkit.syntax import ast

SUFFIX = ".guard"


def find_policies(
    names: Sequence[str], *, is_written: bool = False
) -> tuple[list[Path], list[Diagnostic]]:
    """The files that are meant: a folder stands for every policy below it, each once.

    A name that leads nowhere may be that of a policy that ships, unless files are to be written.
    Else it stays in the list: reading it says what is wrong with it.
    """
    found: dict[Path, None] = {}
    wrong: list[Diagnostic] = []
    for name in names:
        if not name:  # `"$UNSET"`: it must not stand for the current folder
            raise click.UsageError("FILE is empty.")
        path = Path(name)
        if not is_written and not path.exists():
            path = _shipped(name)
        if not path.is_dir():
            found[path] = None
            continue
        below = sorted(_below(path))
        if not below:
            wrong.append(
                problem(
                    name,
                    "unreadable-file",
                    f"there is no policy below `{name}`",
                    help=f"policies end in `{SUFFIX}`; `guardkit init` writes one",
                )
            )
        found.update(dict.fromkeys(below))
    return list(found), wrong


def _shipped(name: str) -> Path:
    # Imported here: `explain CODE` needs no compiler.
    from guardkit.guard import policy_path

    path = policy_path(name)
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _below(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(base, name) for name in files if name.endswith(SUFFIX))


def problem(name: str, slug: str, message: str, *, help: str = "") -> Diagnostic:
    """A diagnostic about a file as a whole."""
    return diagnose(slug, Place(Source(name, ""), Span(0, 0)), message, help=help)


# --- parameters and facts


def _pairs(
    pattern: str,
) -> Callable[[click.Context, click.Parameter, Sequence[str]], tuple[tuple[str, ParamValue], ...]]:
    """Reads `NAME=VALUE`, the value written as a policy writes it; a bare word is a text."""

    def read(
        context: click.Context, param: click.Parameter, given: Sequence[str]
    ) -> tuple[tuple[str, ParamValue], ...]:
        pairs: list[tuple[str, ParamValue]] = []
        for text in given:
            name, equals, written = text.partition("=")
            if not equals or not re.fullmatch(pattern, name):
                raise click.BadParameter(f"`{visible(text)}` is not NAME=VALUE.", context, param)
            pairs.append((name, _read_value(written)))
        return tuple(pairs)

    return read


def _read_value(written: str) -> ParamValue:
    """What a policy would read: `0.9`, `yes`, `15m`, `2027-01-31`, `["a", "b"]`; else a text."""
    from guardkit.syntax import ast, parse

    text = f"guardkit 1\npolicy p\nparam p: text = {written}\n"
    if "\n" in written or "\r" in written:
        return written
    parsed = parse(Source("", text))
    declarations = parsed.file.declarations
    last = declarations[-1] if declarations else None
    if not parsed.is_clean or len(declarations) != 3 or not isinstance(last, ast.Param):
        return written
    value = _plain(last.default)
    return written if value is None else value


def _plain(value: ast.Value | None) -> ParamValue | None:
    from guardkit.syntax import ast

    if isinstance(value, ast.ListOf):
        items = [_plain(item) for item in value.items]
        return None if any(item is None for item in items) else [i for i in items if i is not None]
    if isinstance(value, ast.Ref):
        return value.dotted
    if not isinstance(value, ast.Literal):
        return None
    if value.kind == "duration":
        return timedelta(milliseconds=int(value.value))
    if value.kind == "date":
        try:
            return date.fromisoformat(str(value.value))
        except ValueError:
            return str(value.value)
    return value.value


Params = tuple[tuple[str, "ParamValue"], ...]
"""What `PARAM` and `CONTEXT` give a verb."""


def facts_of(pairs: Params) -> dict[str, object]:
    """The context that `user.role=staff` and its like spell: objects in objects."""
    facts: dict[str, object] = {}
    for name, value in pairs:
        *above, last = name.split(".")
        inside = facts
        for part in above:
            below = inside.setdefault(part, {})
            if not isinstance(below, dict):
                raise click.UsageError(f"`{name}`: `{part}` is a value and holds no others.")
            inside = below
        inside[last] = value
    return facts


_SAID_ON = [name for name in SURFACES if name != "conversation"]
SURFACE = click.Choice(_SAID_ON)
"""A surface that a text can be on."""


def on_option(texts: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """`--on SURFACE` for a verb: the surface of `texts`."""
    help = f"Surface of {texts}: {', '.join(_SAID_ON)}."
    return click.option("--on", type=SURFACE, default="input", metavar="SURFACE", help=help)


PARAM = click.option(
    "--param",
    "params",
    multiple=True,
    callback=_pairs(r"[a-z_][a-z0-9_]*"),
    metavar="NAME=VALUE",
    help="Set a parameter of the policy; repeat for more.",
)
CONTEXT = click.option(
    "--context",
    "facts",
    multiple=True,
    callback=_pairs(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*"),
    metavar="NAME=VALUE",
    help="Set a fact that rules read as context.NAME; repeat for more.",
)


def _opened(context: click.Context, param: click.Parameter, store: Path | None) -> Installed | None:
    """The packs of a store, each verified again."""
    if store is None:
        return None
    # Imported here: most deployments have no packs.
    from guardkit.errors import BindError
    from guardkit.guard import installed

    try:
        return installed(store)
    except BindError as error:
        raise click.BadParameter("; ".join(error.problems), context, param) from None


PACKS = click.option(
    "--packs",
    type=click.Path(path_type=Path),
    callback=_opened,
    metavar="STORE",
    help="Add the packs that are installed in STORE; see `guardkit packs`.",
)
"""Gives a verb the packs of a store, ready for `compile_file`."""
OVERLAY = click.option(
    "--overlay",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Deploy with FILE: which rules are in shadow, or in force for a share of the sessions.",
)
"""Gives a verb the path of a deployment's overlay, ready for `compile_file`."""
STD = click.option("--std", type=click.Path(path_type=Path), hidden=True)
FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...")
