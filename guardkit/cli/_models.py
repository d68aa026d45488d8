"""`guardkit models`: what models there are, whether they are whole, and making one ready."""

from __future__ import annotations

from . import _models_calibrate, _models_import, _models_list, _models_verify
from ._verbs import family


@family(
    "models",
    _models_list.command,
    _models_verify.command,
    _models_import.command,
    _models_calibrate.command,
)
def command() -> None:
    """Models: a directory each, pinned by its digest.

    A model directory holds `guardkit.json`, which names all its other files by SHA-256. A policy
    names the directory and its digest: `classifier { model "DIR" digest "sha256:…" label "…" }`.
    """
