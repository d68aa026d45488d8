"""`guardkit models list`: what models there are, as their manifests say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from guardkit.diagnostics import visible
from guardkit.errors import BindError
from guardkit.models import MANIFEST, TIERS, Manifest, read_manifest, shipped

from ._exits import CLEAN, FINDINGS, NOTHING, WRONG
from ._screen import Screen, screen
from ._verbs import FORMAT, member


@dataclass(slots=True)
class _Listed:
    """One model directory as far as its manifest says."""

    name: str
    path: Path
    tier: str | None
    manifest: Manifest | None
    digest: str
    size: int
    problems: tuple[str, ...]


@member("list")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR]…")
@FORMAT
def command(folders: tuple[Path, ...], format: str) -> int:
    """Show the models that ship, and those in each DIR.

    A DIR is a model directory or holds some. Only manifests are read: `verify` reads all.

    Exits with 1 when a manifest cannot be used, with 5 when there is no model.
    """
    show = screen()
    found = []
    for tier in TIERS:
        try:
            found.append(_listed(shipped(tier), tier))
        except BindError as error:
            show.say(str(error))
    for folder in folders:
        if not folder.is_dir():
            show.complain(f"`{visible(folder.as_posix())}` is not a folder")
            return WRONG
        found += [_listed(path, None) for path in _models_in(folder)]
    if format == "json":
        show.out.write(json.dumps([_json(one) for one in found], indent=2) + "\n")
    else:
        show.out.write("\n".join(line for one in found for line in (*_lines(show, one), "")))
    if not found:
        show.say("no models")
        return NOTHING
    return FINDINGS if any(one.problems for one in found) else CLEAN


def _models_in(folder: Path) -> list[Path]:
    if (folder / MANIFEST).is_file():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))


def _listed(path: Path, tier: str | None) -> _Listed:
    try:
        manifest, digest = read_manifest(path)
    except BindError as error:
        return _Listed(path.name, path, tier, None, "", 0, error.problems)
    size, problems = 0, []
    for name in manifest.files:
        try:
            size += (path / name).stat().st_size
        except OSError:
            problems.append(f"`{name}` is missing")
    return _Listed(manifest.name, path, tier, manifest, digest, size, tuple(problems))


def _lines(show: Screen, one: _Listed) -> Iterator[str]:
    where = "shipped" if one.tier else visible(one.path.as_posix())
    manifest = one.manifest
    title = show.out.paint(visible(one.tier or one.name), "strong")
    if manifest is None:
        yield f"{title}  {where}"
    else:
        facts = f"{manifest.kind}, {_megabytes(one.size)}, {manifest.licence or 'no licence'}"
        yield f"{title} {manifest.version}  {facts}"
        if not one.tier:
            yield f"  {where}"
        said = wrap("; ".join(_abilities(manifest)), show.out.width - 2, break_on_hyphens=False)
        yield from (f"  {line}" for line in said)
        yield f"  {one.digest}"
    yield from (f"  {show.out.paint('wrong', 'bad')}: {problem}" for problem in one.problems)


def _abilities(manifest: Manifest) -> Iterator[str]:
    """What a model can be asked."""
    for head in manifest.heads:
        labels = ", ".join(head.labels[:6]) + (", …" if len(head.labels) > 6 else "")
        rates = f", at {_rates(head.fpr)} false alarms" if head.fpr else ""
        yield f"head {head.name} ({visible(labels)}{rates})"
    if manifest.tokens is not None:
        yield f"token labels ({len(manifest.tokens.labels)})"
    if manifest.embedding is not None:
        yield f"embedding ({manifest.embedding.dim} numbers)"


def _rates(fpr: Sequence[tuple[float, float]]) -> str:
    low, high = fpr[0][0], fpr[-1][0]
    return f"{low:.1%}" if low == high else f"{low:.1%} to {high:.1%}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} KB"


def _json(one: _Listed) -> dict[str, Any]:
    manifest = one.manifest
    known: dict[str, Any] = {}
    if manifest is not None:
        known = {
            "version": manifest.version,
            "kind": manifest.kind,
            "licence": manifest.licence,
            "digest": one.digest,
            "bytes": one.size,
            "heads": [
                {
                    "name": head.name,
                    "labels": list(head.labels),
                    "rest": head.rest,
                    "fpr": {f"{rate:g}": score for rate, score in head.fpr},
                }
                for head in manifest.heads
            ],
            "tokens": list(manifest.tokens.labels) if manifest.tokens else None,
            "embedding": manifest.embedding.dim if manifest.embedding else None,
        }
    place = {"name": one.name, "path": one.path.as_posix(), "tier": one.tier}
    return {**place, **known, "problems": list(one.problems)}
