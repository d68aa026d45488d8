"""`guardkit verify`: whether a bundle can be trusted."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from guardkit.diagnostics import visible
from guardkit.errors import BindError
from guardkit.packs import Bundle, BundleError, key_id, read_bytes, unpack, verify

from ._bundles import keys_of, life_of, read_day
from ._exits import CLEAN, FINDINGS, WRONG
from ._screen import Screen, screen
from ._verbs import FORMAT, verb


@verb("verify")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--trust",
    "keys",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    metavar="KEY",
    help="A public key, or a folder of them, such as a pack store; repeat for more.",
)
@click.option(
    "--at", "day", callback=read_day, metavar="DATE", help="The day that counts; today if not."
)
@click.option(
    "--unpack",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write its files into DIR, a new folder, once it is trusted.",
)
@FORMAT
def command(
    file: Path, keys: tuple[Path, ...], day: date | None, folder: Path | None, format: str
) -> int:
    """Say whether a bundle is whole, signed by a trusted key, and in date.

    Every signature has to be genuine, and one of them made with a key that --trust names. Nothing
    of the bundle is run. What it does, `guardkit inspect` shows.

    Exits with 0 when it can be trusted, 1 when it is refused, 2 when a file cannot be read or
    written.
    """
    show = screen()
    today = day or date.today()
    bundle: Bundle | None = None
    try:
        trusted = keys_of(keys)
        bundle = verify(read_bytes(file), trusted, today)
        if folder is not None:
            unpack(bundle, folder)
    except BundleError as error:
        return _refused(show, error, format)
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
        return WRONG
    known = {key.raw: key.name for key in trusted}
    signers = [(key_id(one.key), known.get(one.key)) for one in bundle.signatures]
    if format == "json":
        manifest = bundle.manifest
        found = {
            "trusted": True,
            "kind": manifest.kind,
            "name": manifest.name,
            "version": manifest.version,
            "digest": manifest.digest,
            "signers": [{"key": id, "trusted": name is not None} for id, name in signers],
            "problems": [],
        }
        show.out.write(json.dumps(found, indent=2) + "\n")
        return CLEAN
    show.out.line(f"{show.out.paint('trusted', 'good')}  {bundle.manifest.kind} {bundle.shown}")
    show.out.line(f"         {life_of(bundle.manifest, today)}")
    for id, name in signers:
        who = "a key that is not trusted" if name is None else visible(name)
        if id.partition(":")[2] in who:  # a store calls its keys by their ids
            who = "trusted"
        show.out.line(f"         signed by {id} ({who})")
    if folder is not None:
        show.say(f"wrote {len(bundle.files)} files into {visible(folder.as_posix())}")
    return CLEAN


def _refused(show: Screen, error: BundleError, format: str) -> int:
    if format == "json":
        found = {"trusted": False, "problems": list(error.problems)}
        show.out.write(json.dumps(found, indent=2) + "\n")
    else:
        for problem in error.problems:
            show.complain(problem)
    return FINDINGS
