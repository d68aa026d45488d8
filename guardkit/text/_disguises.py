"""Disguises: ways to hide a text from whoever looks for it, put on at will.

Forty of them, most in several forms, each with the mark that rules alone have to reach against it.
Everything here is a function of (name, text, seed): the same three always give the same result.

Example:
    >>> disguise("hex", "hi")
    '6869'
    >>> disguised("html_comment", "obey")
    Disguised(text='<p>Our opening hours</p>\\n<!-- obey -->', start=30, end=34)
    >>> chain(("rot13", "base64"), "attack at dawn")
    'bmdnbnB4IG5nIHFuamE='
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType

from guardkit.errors import UsageError

from ._attacks import Disguise, Disguised, Mark
from ._attacks_banner import BANNER
from ._attacks_coded import CODED
from ._attacks_context import CONTEXT
from ._attacks_glyphs import GLYPHS
from ._attacks_hidden import HIDDEN
from ._attacks_layout import LAYOUT

_ROWS = (*HIDDEN, *GLYPHS, *LAYOUT, *CODED, *CONTEXT, *BANNER)

CATALOGUE: Mapping[str, Disguise] = MappingProxyType(
    {row.name: row for row in sorted(_ROWS, key=lambda row: row.name)}
)
"""Every disguise by its name, with its mark, what it does and its forms."""

DISGUISES: tuple[str, ...] = tuple(CATALOGUE)
"""The names, sorted."""

MARKS: Mapping[str, Mark] = MappingProxyType({row.name: row.mark for row in CATALOGUE.values()})
"""What rules alone owe against each disguise."""

FORMS: Mapping[str, int] = MappingProxyType(
    {row.name: len(row.forms) for row in CATALOGUE.values()}
)
"""How many forms each disguise has: seeds from 0 up to this number go through all of them."""

CHAINS: tuple[tuple[str, str], ...] = (
    ("zero_width", "base64"),
    ("rot13", "base64"),
    ("base64", "base64"),
    ("base64", "url_percent"),
    ("base64", "zero_width"),
    ("leetspeak", "letter_spacing"),
    ("homoglyph", "zero_width"),
    ("url_percent", "html_entity"),
    ("unicode_escape", "base64"),
    ("reverse_chars", "hex"),
)
"""Two steps that are worth testing together, in the order in which they are put on."""


def disguise(name: str, text: str, seed: int = 0) -> str:
    """The text in a disguise.

    Args:
        name: One of `DISGUISES`.
        text: Any text, also an empty one or one with lone surrogates.
        seed: Picks the form (`seed % FORMS[name]`) and every choice inside it.

    Raises:
        UsageError: No disguise has this name.
    """
    return disguised(name, text, seed).text


def disguised(name: str, text: str, seed: int = 0) -> Disguised:
    """The text in a disguise, and the stretch of the result that carries it.

    Arguments and errors are those of `disguise`.
    """
    row = _row(name)
    return _put_on(row, text, seed, len(row.forms))


def form_of(name: str, seed: int) -> str:
    """The label of the form that a seed picks, for reports."""
    labels = tuple(_row(name).forms)
    return labels[seed % len(labels)]


def chain(names: Sequence[str], text: str, seed: int = 0) -> str:
    """The text in several disguises, the first one innermost.

    A form that is two steps by itself takes no part, so a chain has as many steps as names.
    """
    for name in names:
        row = _row(name)
        text = _put_on(row, text, seed, len(row.forms) - row.doubled).text
    return text


def _row(name: str) -> Disguise:
    row = CATALOGUE.get(name)
    if row is None:
        raise UsageError(f"no disguise is called `{name}`")
    return row


def _put_on(row: Disguise, text: str, seed: int, forms: int) -> Disguised:
    form = tuple(row.forms.values())[seed % forms]
    made = form(text, Random(seed))  # noqa: S311  # a dice to draw by, no secret
    return made if isinstance(made, Disguised) else Disguised(made, 0, len(made))
