"""Models that are ready to read: verified, warm, and one of each in a process."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from guardkit._util.forks import renewed_after_fork
from guardkit.diagnostics import visible
from guardkit.errors import BindError

from ._store import Opened, digest_of, read_verified

if TYPE_CHECKING:
    from ._onnx import OnnxModel
    from ._static import StaticModel

DEVICES: Final = ("auto", "cpu", "gpu")


def opened(
    folder: Path, *, device: str = "auto", digest: str | None = None
) -> StaticModel | OnnxModel:
    """The model of a directory, ready to read.

    A model that this process has open already, by its digest, is the same object: its files are
    not read again. It is closed when nobody holds it any more.

    Args:
        folder: A model directory.
        device: Where an ONNX model runs: `auto`, `cpu` or `gpu`.
        digest: The digest the directory has to have.

    Raises:
        BindError: It is not whole, has another digest, or cannot run here.
    """
    if device not in DEVICES:
        raise BindError(f"there is no device `{visible(device)[:40]}`: {', '.join(DEVICES)}")
    model: StaticModel | OnnxModel = _LIVE.model(folder, device, digest)
    return model


class _Live:
    """The models that are open in this process."""

    def __init__(self) -> None:
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        # Whether a runtime outlives a fork is its own affair: who opens a model in a child gets a
        # new one.
        self._lock = threading.Lock()
        self._models: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()

    def model(self, folder: Path, device: str, digest: str | None) -> Any:
        # One at a time: opening takes memory, and the second to ask gets what the first made.
        with self._lock:
            found = self._found(folder, device, digest)
            if found is not None:
                return found
            given = read_verified(folder, digest)
            made = _made(given, device)
            self._models[given.digest, device] = made
            return made

    def _found(self, folder: Path, device: str, digest: str | None) -> Any:
        if not self._models:
            return None
        try:
            known = digest_of(folder)
        except BindError:
            return None  # what is wrong is said where the rest is read too
        return self._models.get((known, device)) if digest in (None, known) else None


def _made(given: Opened, device: str) -> StaticModel | OnnxModel:
    # Imported here: a process that reads with the one kind needs nothing of the other.
    if given.manifest.kind == "static":
        from ._static import StaticModel

        return StaticModel(given)
    from ._onnx import OnnxModel

    return OnnxModel(given, device=device)


_LIVE: Final = _Live()
