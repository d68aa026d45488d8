"""`guardkit models verify`: whether model directories are what their manifests say."""

from __future__ import annotations

import json
from pathlib import Path

import click

from guardkit.diagnostics import visible
from guardkit.errors import BindError
from guardkit.models import TIERS, read_manifest, shipped, verify

from ._exits import CLEAN, FINDINGS, WRONG
from ._screen import screen
from ._verbs import FORMAT, member


@member("verify")
@click.argument("models", nargs=-1, required=True, metavar="DIR…")
@click.option("--digest", metavar="DIGEST", help="The digest that the one DIR has to have.")
@FORMAT
def command(models: tuple[str, ...], digest: str | None, format: str) -> int:
    """Say whether each DIR is what its manifest says.

    A DIR is a model directory or the name of a model that ships. Each is read whole: every file is
    hashed, `model.onnx` and the tokenizer are looked into; nothing is run.

    Exits with 1 when something is wrong.
    """
    show = screen()
    if digest is not None and len(models) > 1:
        show.complain("`--digest` goes with one model")
        return WRONG
    results = [(name, *_verified(name, digest)) for name in models]
    if format == "json":
        rows = [
            {"path": name, "digest": found, "problems": list(problems)}
            for name, found, problems in results
        ]
        show.out.write(json.dumps(rows, indent=2) + "\n")
    else:
        for name, found, problems in results:
            shown = visible(name)
            if not problems:
                show.out.line(f"{show.out.paint('whole', 'good')}  {shown}\n       {found}")
                continue
            show.out.line(f"{show.out.paint('wrong', 'bad')}  {shown}")
            for problem in problems:
                show.out.line(f"       {problem}")
    return FINDINGS if any(problems for _, _, problems in results) else CLEAN


def _verified(name: str, digest: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The digest of a model, and what is wrong with it."""
    try:
        folder = shipped(name) if name in TIERS and not Path(name).exists() else Path(name)
        problems = verify(folder, digest)
        return read_manifest(folder)[1], problems
    except BindError as error:
        return None, error.problems
