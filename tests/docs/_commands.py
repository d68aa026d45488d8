"""One page for each verb of the command line, from what click knows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from guardkit.cli._main import app
from guardkit.cli._verbs import ONE_LINERS, SECTIONS

from ._markdown import anchored, code, fenced, page, table

_CODES = (
    ("0", "clean"),
    ("1", "findings: something was stopped, a test failed, a budget is not kept"),
    ("2", "a policy, a file or the command line is wrong"),
    ("3", "could not judge"),
    ("5", "nothing to do"),
    ("101", "a bug in guardkit"),
    ("130", "interrupted"),
)


def command_pages() -> dict[str, str]:
    """A page for each verb, behind a table of all."""
    parts = []
    for title, verbs in SECTIONS:
        rows = [(f"[{name}]({name}.md)", line) for name, line in verbs]
        parts += [f"## {title}", table(("verb", "does"), rows)]
    first = page(
        "All commands",
        fenced("guardkit VERB [OPTIONS] [ARGUMENTS]", "text"),
        *parts,
        "## How it ends",
        table(("code", "meaning"), _CODES),
        "2 is stronger than 1, 1 than 3, 3 than 5. Nothing undecided or unread ends with 0. Data"
        " goes to"
        " stdout, words for people to stderr. `NO_COLOR`, `FORCE_COLOR`, `CI`, `--quiet` and"
        " `--no-progress` are kept to, and nothing that was found is shown without"
        " `--show-values`.",
    )
    with app.make_context("guardkit", [], resilient_parsing=True) as above:
        pages = {f"commands/{name}.md": _page(name, above) for name in ONE_LINERS}
    return {"commands/index.md": first, **pages}


def _page(name: str, above: click.Context) -> str:
    command = app.get_command(above, name)
    assert command is not None, name
    return page(f"guardkit {name}", *_told(command, name, above, 2))


def _told(command: click.Command, name: str, above: click.Context, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=above)
    usage = command.get_usage(context).removeprefix("Usage: ")
    yield fenced(re.sub(r"\n\s+", " ", usage), "text")
    yield anchored(re.sub(r"[ \n]*\n[ \n]*\n", "\n\n", _unfolded(command.help or "")))
    yield table(("option", "what it does"), _options(command, context))
    if isinstance(command, click.Group):
        for member in command.list_commands(context):
            below = command.get_command(context, member)
            assert below is not None, member
            yield f"{'#' * level} guardkit {name} {member}"
            yield from _told(below, member, context, level + 1)


def _unfolded(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.replace("\b", "").split("\n\n"))


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            yield code(record[0]), anchored(" ".join(record[1].split()))
