"""What the verbs that deal with bundles share: dates, keys, and how a refusal is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import click

from guardkit.diagnostics import visible
from guardkit.errors import BindError, PolicyError
from guardkit.packs import (
    Bundle,
    BundleError,
    Manifest,
    PublicKey,
    Setup,
    is_genuine,
    key_id,
    read_public_key,
)

from ._exits import FINDINGS, WRONG
from ._findings import show_frames, summed_up
from ._screen import Screen

TRUSTED = "trusted"
"""The folder of a store that holds the keys it trusts."""


def read_day(context: click.Context, param: click.Parameter, text: str | None) -> date | None:
    """Reads a date as a policy writes it."""
    if text is None:
        return None
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise click.BadParameter(f"`{visible(text)}` is no date such as 2027-01-31.", context, param)


class Ended(Exception):  # noqa: N818 - not an error: the verb has said why it ends
    """The verb ends here with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def told(show: Screen) -> Iterator[None]:
    """Tell why something is refused or cannot be done, and end the verb.

    Raises:
        Ended: With 1 for what is refused, with 2 for what is wrong on this machine.
    """
    try:
        yield
    except PolicyError as error:
        show_frames(show, error.diagnostics)
        show.say()
        show.say(summed_up(show, error.diagnostics))
        raise Ended(FINDINGS) from None
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
        raise Ended(FINDINGS if isinstance(error, BundleError) else WRONG) from None


def ending(function: Callable[[], int]) -> int:
    """The code of a verb, wherever in it it ended."""
    try:
        return function()
    except Ended as ended:
        return ended.code


def keys_of(paths: Iterable[Path]) -> list[PublicKey]:
    """The public keys in files, and in all `.pub` files of folders and of stores.

    Raises:
        BindError: One cannot be read, or a folder has none.
    """
    found: list[PublicKey] = []
    for path in paths:
        if not path.is_dir():
            found.append(read_public_key(path))
            continue
        inside = path / TRUSTED if (path / TRUSTED).is_dir() else path
        below = sorted(inside.glob("*.pub"))
        if not below:
            raise BindError(f"`{visible(path.as_posix())}` holds no `.pub` file")
        found += [read_public_key(one) for one in below]
    return found


def standard_input(limit: int) -> bytes:
    """What standard input holds, up to a little over `limit`.

    Raises:
        BindError: It is closed.
    """
    if sys.stdin is None:
        raise BindError("standard input is closed")
    return sys.stdin.buffer.read(limit + 1)


def life_of(manifest: Manifest, today: date) -> str:
    """`2026-11-01 to 2027-02-01, 72 days left`."""
    if manifest.expires is None:
        return f"from {manifest.issued}"
    left = (manifest.expires - today).days
    if left < 0:
        said = "past its date"
    elif left == 0:
        said = "its last day"
    else:
        said = f"{left} day{'s'[: left != 1]} left"
    return f"{manifest.issued} to {manifest.expires}, {said}"


def signers_of(bundle: Bundle) -> list[tuple[str, bool]]:
    """Who signed a bundle, and whether the signature is genuine. Who is trusted, others say."""
    return [(key_id(one.key), is_genuine(bundle, one)) for one in bundle.signatures]


def setup_lines(name: str, setup: Setup) -> Iterator[str]:
    """How the versions of a pack act, a line each."""
    if setup.main is None:
        yield f"{name}: removed"
    else:
        yield f"{name} {setup.main.version}: {setup.main.shown}"
    if setup.trial is not None:
        yield f"{name} {setup.trial.version}: {setup.trial.shown}, on trial beside it"
