"""A model on its way to a directory: first to be read with, then, calibrated, to stay."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

from guardkit.diagnostics import visible
from guardkit.errors import BindError
from guardkit.models import Embedding, Head, Manifest, Window, write_model

from ._card import page_of
from ._figures import Figures
from ._measure import Measured, head_of
from ._target import Target


class Trained(NamedTuple):
    """A model directory that was made, and what it comes to."""

    folder: Path
    digest: str
    manifest: Manifest
    heads: tuple[Measured, ...]
    """On texts the training did not see."""
    tests: Mapping[str, Figures]
    """By head, on the texts that were given to test it."""
    notes: tuple[str, ...]


class Draft(NamedTuple):
    """All of a model directory but its heads' calibration and its card."""

    name: str
    kind: Literal["onnx", "static"]
    window: Window
    files: Mapping[str, bytes]
    embedding: Embedding | None = None
    base: Literal["static"] | None = None
    licence: str = ""
    source: str = ""

    def manifest(self, heads: Sequence[Head], card: Mapping[str, Any] | None = None) -> Manifest:
        """The manifest with these heads."""
        return Manifest(
            format=1,
            name=self.name,
            version="1",
            kind=self.kind,
            licence=self.licence,
            source=self.source,
            files={n: f"sha256:{sha256(data).hexdigest()}" for n, data in self.files.items()},
            base=self.base,
            window=self.window,
            embedding=self.embedding,
            heads=tuple(heads),
            card=dict(card or {}),
        )

    @contextmanager
    def tried(self, targets: Sequence[Target]) -> Iterator[Path]:
        """A directory with heads that are not calibrated, for as long as it is read with."""
        with tempfile.TemporaryDirectory(prefix="guardkit-train-") as folder:
            path = Path(folder) / "model"
            heads = [head_of(target) for target in targets]
            write_model(path, self.manifest(heads), dict(self.files), force=False)
            yield path

    def written(
        self,
        out: Path,
        heads: Sequence[Measured],
        card: Mapping[str, Any],
        *,
        notes: Sequence[str] = (),
        tests: Mapping[str, Figures] | None = None,
        force: bool = False,
    ) -> Trained:
        """Write the directory, with a page that says what the card says.

        Raises:
            BindError: It cannot be written.
        """
        manifest = self.manifest([one.head for one in heads], card)
        digest = f"sha256:{sha256(manifest.dumped()).hexdigest()}"
        files = {**self.files, "README.md": page_of(manifest, digest)}
        made = write_model(out, manifest, files, force=force)
        return Trained(out, made, manifest, tuple(heads), tests or {}, tuple(notes))


def plain_name(out: Path) -> str:
    """What a model in this directory is called."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", out.name).strip("-._")[:64] or "model"


def refuse_taken(out: Path, *, force: bool) -> None:
    """Say before a training what writing would say after it.

    Raises:
        BindError: Something lies where the model shall, and is not to be replaced.
    """
    if not force and out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BindError(f"`{visible(out.as_posix())}` is there already; `--force` replaces it")
