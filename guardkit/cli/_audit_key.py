"""The key of an audit log, which both of its verbs take."""

from __future__ import annotations

import os

import click

from guardkit.diagnostics import visible


def _read_key(context: click.Context, param: click.Parameter, name: str | None) -> bytes | None:
    if name is None:
        return None
    value = os.environ.get(name, "")
    if not value:
        raise click.BadParameter(f"`{visible(name)}` is not set.", context, param)
    return os.fsencode(value)


# A variable, not the key itself: everybody on the machine can read a command line.
KEY = click.option(
    "--key-env",
    "key",
    callback=_read_key,
    metavar="NAME",
    help="The environment variable with the key that the log was made with.",
)
