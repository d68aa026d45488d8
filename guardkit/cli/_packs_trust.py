"""`guardkit packs trust`: a key whose packs may be added."""

from __future__ import annotations

from pathlib import Path

import click

from guardkit.diagnostics import visible
from guardkit.packs import MAX_KEY_BYTES, Store, public_key, read_bytes

from ._bundles import ending, told
from ._exits import CLEAN
from ._screen import screen
from ._verbs import member


@member("trust")
@click.argument("folder", type=click.Path(path_type=Path), metavar="STORE")
@click.argument("keys", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="KEY...")
def command(folder: Path, keys: tuple[Path, ...]) -> int:
    """Trust the owners of keys: what they sign may be added. STORE is made where there is none.

    KEY is a public key, made by `guardkit sign --new-key`. To trust it no longer, delete its file
    in STORE/trusted: what only it signed is then refused at the next load.
    """
    show = screen()

    def run() -> int:
        with told(show):
            pems = [(read_bytes(path, MAX_KEY_BYTES), path.name) for path in keys]
            found = [public_key(*pem) for pem in pems]
            store = Store.create(folder)
            for pem in pems:
                store.trust(*pem)
        for key in found:
            show.say(f"{visible(folder.as_posix())} trusts {visible(key.name)}")
            show.out.line(key.id)
        return CLEAN

    return ending(run)
