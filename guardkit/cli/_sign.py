"""`guardkit sign`: a signature under a bundle, or a new key."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import click

from guardkit._util.writing import write_new
from guardkit.diagnostics import visible
from guardkit.errors import BindError
from guardkit.packs import (
    MAX_KEY_BYTES,
    PrivateKey,
    new_keys,
    private_key,
    read_bundle,
    read_bytes,
    read_private_key,
    signed,
    to_bytes,
)

from ._bundles import ending, standard_input, told
from ._exits import CLEAN
from ._screen import Screen, screen
from ._verbs import verb
from ._write import write_atomically


@verb("sign")
@click.argument("file", type=click.Path(path_type=Path), required=False, metavar="[FILE]")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="The private key; `-` reads it from standard input.",
)
@click.option(
    "--new-key",
    "new",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Make a key: PATH is the private half, PATH.pub the public one.",
)
def command(file: Path | None, key: Path | None, new: Path | None) -> int:
    """Sign a bundle, or make a key to sign with.

    FILE is a bundle. Its signature says that the owner of KEY stands for every byte of it, its
    dates included; signatures of others stay. Keys are Ed25519 in PEM, so `openssl` makes and reads
    them too. Keep the private half off the machines that use the bundle.

    Exits with 1 when FILE is no whole bundle, 2 when a file cannot be read or written.
    """
    show = screen()
    if new is not None:
        if file is not None or key is not None:
            raise click.UsageError("--new-key goes alone: sign with the key afterwards.")
        return ending(lambda: _make(show, new))
    if file is None or key is None:
        raise click.UsageError("Name a bundle and a key: guardkit sign FILE --key KEY.")
    return ending(lambda: _sign(show, file, key))


def _sign(show: Screen, file: Path, path: Path) -> int:
    with told(show):
        bundle = read_bundle(read_bytes(file))
        key = _private(show, path)
        content = to_bytes(signed(bundle, key))
        try:
            write_atomically(file, content)
        except OSError as error:
            raise _cannot_write(file, error) from None
    show.say(f"signed {bundle.shown} with {key.public.id}")
    return CLEAN


def _private(show: Screen, path: Path) -> PrivateKey:
    if path == Path("-"):
        return private_key(standard_input(MAX_KEY_BYTES), "standard input")
    key = read_private_key(path)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        shown = visible(path.as_posix())
        note = show.err.paint("note", "info")
        show.say(f"{note}: others on this machine can read `{shown}`: chmod 600 {shown}")
    return key


def _make(show: Screen, path: Path) -> int:
    public = path.with_name(f"{path.name}.pub")
    with told(show):
        pair = new_keys()
        for one in (path, public):
            if os.path.lexists(one):
                raise BindError(f"`{visible(one.as_posix())}` is there already: a key is kept")
        _write_key(path, pair.private, mode=0o600)
        try:
            _write_key(public, pair.public)
        except BindError:
            with suppress(OSError):
                path.unlink()  # one half alone is of no use to anybody
            raise
    show.say(f"the private half: {visible(path.as_posix())} (keep it secret)")
    show.say(f"the public half:  {visible(public.as_posix())} (give it to those who verify)")
    show.out.line(pair.id)
    return CLEAN


def _write_key(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    try:
        write_new(path, content, mode=mode)
    except OSError as error:
        raise _cannot_write(path, error) from None


def _cannot_write(path: Path, error: OSError) -> BindError:
    why = (error.strerror or "it failed").lower()
    return BindError(f"`{visible(path.as_posix())}` cannot be written: {why}")
