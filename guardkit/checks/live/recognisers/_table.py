"""Every recogniser, how wide its finds may be, and which one wins on the same stretch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from . import _americas, _asia_africa_pacific, _europe, _papers, _people, _phone, _plates, _web
from ._recogniser import AFTER, BEFORE, Layouts, Recogniser

_FILES = (_americas, _asia_africa_pacific, _europe, _papers, _people, _phone, _plates, _web)

_ALL: tuple[Recogniser, ...] = tuple(
    sorted((r for file in _FILES for r in file.RECOGNISERS), key=lambda r: (r.kind, -r.specific))
)

ORDER: tuple[str, ...] = tuple(
    dict.fromkeys(r.kind for r in sorted(_ALL, key=lambda r: (-r.specific, r.kind)))
)
"""Every kind, the least likely chance match first: which of two finds on one stretch is kept, where
both or neither have a word beside them. Kinds that are equally likely stand in order of name."""


def _width(recogniser: Recogniser) -> int:
    if not recogniser.words:
        return recogniser.width
    if isinstance(recogniser, Layouts):
        return recogniser.width + BEFORE + AFTER
    return recogniser.width + recogniser.before + recogniser.after


WIDTHS: Mapping[str, int] = MappingProxyType(
    {kind: max(_width(r) for r in _ALL if r.kind == kind) for kind in sorted(ORDER)}
)
"""For each kind, the characters that a find and the words it needs may take up together."""


def recognisers_of(kinds: Iterable[str]) -> tuple[Recogniser, ...]:
    """The recognisers of these kinds, sorted by kind."""
    wanted = frozenset(kinds)
    return tuple(r for r in _ALL if r.kind in wanted)


def width_of(kinds: Iterable[str]) -> int:
    """How many characters a stream has to hold together to miss no find of these kinds."""
    return max((WIDTHS[kind] for kind in kinds), default=0)
