"""What checks are and do: two files a kind, one for the language and one for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from guardkit.catalog import Bind, CheckSpec, Live, Setting
from guardkit.types import Refusal

from . import (
    _canary,
    _classifier,
    _echo,
    _entities,
    _grounded,
    _invisible,
    _judge,
    _language,
    _length,
    _links,
    _pattern,
    _python,
    _refusal,
    _repetition,
    _schema,
    _script,
    _secrets,
    _similarity,
    _words,
)
from ._disguises import DISGUISES
from ._entities import ENTITIES
from ._pattern import VALIDATORS

__all__ = ["BINDS", "DISGUISES", "ENTITIES", "SPECS", "VALIDATORS", "refusal_of"]

SPECS: tuple[CheckSpec, ...] = (
    _canary.SPEC,
    _classifier.SPEC,
    _echo.SPEC,
    _entities.SPEC,
    _grounded.SPEC,
    _invisible.SPEC,
    _judge.SPEC,
    _language.SPEC,
    _length.SPEC,
    _links.SPEC,
    _pattern.SPEC,
    _python.SPEC,
    _refusal.SPEC,
    _repetition.SPEC,
    _schema.SPEC,
    _script.SPEC,
    _secrets.SPEC,
    _similarity.SPEC,
    _words.SPEC,
)
"""Every kind that ships, sorted by name; `guard` makes the catalog from them."""


def _late(kind: str) -> Bind:
    """The `bind` of a kind, whose file is loaded with the first check that is bound."""

    def bind(config: Mapping[str, object], setting: Setting) -> Live:
        file_of_kind = import_module(f"{__name__}.live._{kind}")
        live: Live = file_of_kind.bind(config, setting)
        return live

    return bind


# fmt: off
BINDS: dict[str, Bind] = {
    kind: _late(kind)
    for kind in (
        "canary", "classifier", "echo", "entities", "grounded", "invisible", "judge", "language",
        "length", "links", "pattern", "python", "refusal", "repetition", "schema", "script",
        "secrets", "similarity", "words",
    )
}
# fmt: on
"""What each kind does, out of `live/`."""


def refusal_of(reply: str) -> Refusal:
    """How a reply refuses, as its phrases say, without any policy."""
    from .live._refusal import read_by_phrases  # its phrases are compiled when they are needed

    return read_by_phrases(reply)
