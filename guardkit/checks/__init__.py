"""What checks do, one file a kind, each declaring its own spec and holding its reference page."""

from __future__ import annotations

from guardkit.catalog import Bind, CheckSpec

from . import (
    _canary,
    _classifier,
    _echo,
    _entities,
    _grounded,
    _invisible,
    _judge,
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

__all__ = ["BINDS", "DISGUISES", "ENTITIES", "SPECS", "VALIDATORS"]

SPECS: tuple[CheckSpec, ...] = (
    _canary.SPEC,
    _classifier.SPEC,
    _echo.SPEC,
    _entities.SPEC,
    _grounded.SPEC,
    _invisible.SPEC,
    _judge.SPEC,
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

BINDS: dict[str, Bind] = {
    "canary": _canary.bind,
    "echo": _echo.bind,
    "entities": _entities.bind,
    "invisible": _invisible.bind,
    "judge": _judge.bind,
    "length": _length.bind,
    "links": _links.bind,
    "pattern": _pattern.bind,
    "python": _python.bind,
    "refusal": _refusal.bind,
    "repetition": _repetition.bind,
    "schema": _schema.bind,
    "script": _script.bind,
    "secrets": _secrets.bind,
    "words": _words.bind,
}
"""What each kind does. The kinds that are missing here need models."""
