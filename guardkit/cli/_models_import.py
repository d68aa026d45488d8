"""`guardkit models import`: a Hugging Face ONNX export becomes a model directory."""

from __future__ import annotations

import json
from pathlib import Path

import click

from guardkit.diagnostics import visible
from guardkit.errors import BindError
from guardkit.models import TASKS, Manifest, Task, Wanted, import_model

from ._exits import CLEAN, WRONG
from ._screen import screen
from ._verbs import member


@member("import")
@click.argument("source", type=click.Path(path_type=Path), metavar="EXPORT")
@click.argument("out", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--task",
    type=click.Choice(TASKS),
    metavar="TASK",
    help=f"{', '.join(TASKS)}; found out when left out.",
)
@click.option("--window", type=click.IntRange(4, 8192), metavar="N", help="Tokens of a window.")
@click.option("--overlap", type=click.IntRange(0, 4096), metavar="N", help="Tokens in two windows.")
@click.option("--licence", metavar="TEXT", help="The licence of the model.")
@click.option("--name", metavar="NAME", help="What the model is called.")
@click.option("--force", is_flag=True, help="Replace a model directory that is there.")
def command(
    source: Path,
    out: Path,
    task: Task | None,
    window: int | None,
    overlap: int | None,
    licence: str | None,
    name: str | None,
    force: bool,
) -> int:
    """Make DIR, a model directory, from an ONNX export.

    EXPORT is a Hugging Face folder with `model.onnx` or `onnx/model.onnx`, `tokenizer.json` and
    `config.json`: a classification of texts or of tokens, or an embedding of sentences. Nothing is
    downloaded and nothing is run. The digest of DIR goes to standard output.
    """
    show = screen()
    wanted = Wanted(task, window, overlap, licence, name)
    try:
        made = import_model(source, out, wanted, force=force)
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
        return WRONG
    show.say(f"wrote {visible(out.as_posix())}: {_summary(made.manifest)}")
    for note in made.notes:
        show.say(f"{show.err.paint('note', 'info')}: {note}")
    for line in _usage(out, made.manifest, made.digest):
        show.say(line)
    show.out.line(made.digest)
    return CLEAN


def _summary(manifest: Manifest) -> str:
    window = f"windows of {manifest.window.tokens} tokens, {manifest.window.overlap} of them shared"
    if manifest.tokens is not None:
        return f"{len(manifest.tokens.labels)} token labels, {window}"
    if manifest.embedding is not None:
        return f"an embedding of {manifest.embedding.dim} numbers, {window}"
    (head,) = manifest.heads
    return f"{len(head.labels)} label{'s'[: len(head.labels) != 1]} ({head.kind}), {window}"


def _usage(out: Path, manifest: Manifest, digest: str) -> list[str]:
    """How a policy names the model."""
    kind = "entities" if manifest.tokens else "similarity" if manifest.embedding else "classifier"
    lines = [f"  model  {_text(out.as_posix())}", f"  digest {_text(digest)}"]
    if manifest.heads:
        lines.append(f"  label  {_text(manifest.heads[0].labels[-1])}")
    return ["", f"check {_identifier(out.name)} = {kind} {{", *lines, "}"]


def _text(value: str) -> str:
    return visible(json.dumps(value, ensure_ascii=False))


def _identifier(name: str) -> str:
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"model_{plain}".rstrip("_")
