"""`train_encoder()`: labelled texts tune a sentence encoder, which becomes an ONNX model directory.

One training on most of the texts, for as long as one likes. The rest, whole sources where that is
possible, is what the stored model is calibrated and measured on: after it was made int8, by the
very inference that will read with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from guardkit.errors import UsageError

from ._draft import Draft, Trained, plain_name, refuse_taken
from ._encode import embedding_of, files_of, start_of, tuned, what_int8_cost, window
from ._extra import need
from ._folds import FEWEST, Folds, folds, sides_of
from ._measure import Told, measured, part_of, said_of
from ._rows import Row
from ._target import Target
from ._train_head import card_of, pool_of, shares_of, targets_of, tested
from ._tune import Settings


def train_encoder(
    rows: Sequence[Row],
    out: Path,
    *,
    weights: Path,
    minutes: float = 30.0,
    steps: int = 0,
    targets: Sequence[Target] = (),
    test: Sequence[Row] = (),
    seed: int = 0,
    device: str = "auto",
    licence: str = "",
    command: str = "",
    force: bool = False,
    told: Told | None = None,
) -> Trained:
    """Tune an encoder on labelled texts, and write it as a model directory.

    Args:
        rows: Labelled texts.
        out: The directory. Its name is that of the model.
        weights: A sentence encoder of six layers as safetensors, its `tokenizer.json` beside it.
        minutes: How long to train. What comes of a time differs from run to run.
        steps: So many batches instead: what comes of them does not.
        targets: The heads; if none is given, every name of a truth is one, of 0 or 1.
        test: Texts that are trained on by nobody, to measure with.
        seed: Of what is drawn.
        device: Where to train: `cpu`, `cuda`, or `auto` for a GPU if there is one.
        licence: Of the model.
        command: What was typed, for the card.
        force: Whether a model directory may be replaced.
        told: Called with what is being done, and which part of it is.

    Raises:
        BindError: Something is missing on this machine, or the directory cannot be written.
        UsageError: The texts are too few or say too little, or the weights are of another kind.
    """
    need("torch", "onnx", "onnxruntime")
    refuse_taken(out, force=force)
    targets = tuple(targets) or targets_of(rows)
    parts, left_out = _left_out(rows, targets)
    start = start_of(weights, max(t.at + len(t.labels) for t in targets), seed)
    how = Settings(minutes=minutes, steps=steps, seed=seed, device=device_of(device))
    seen = [rows[at] for at in parts.without(left_out)]
    kept = [rows[at] for at in parts.within(left_out)]
    encoder, count = tuned(start, seen, targets, shares_of(targets), how, part_of(told, "training"))
    draft = Draft(
        plain_name(out),
        "onnx",
        window(),
        files_of(start, encoder, targets),
        embedding_of(start),
        None,
        licence,
        f"a tuned sentence encoder, trained on {len(seen)} labelled texts",
    )
    with draft.tried(targets) as folder:
        said = said_of(folder, kept, part_of(told, "reading what was left out"))
    pool = pool_of(parts)
    heads = [measured(target, kept, said, pool=pool) for target in targets]
    notes = [note for one in heads for note in one.notes]
    if all(one.fitted is None for one in heads):
        raise UsageError(notes[-1])
    tests = tested(draft, targets, heads, test)
    card = card_of(rows, targets, heads, tests, notes) | {
        "command": command,
        "seed": seed,
        "steps": count,
        "minutes": None if steps else minutes,
        "validation": f"one part of {parts.parts} was left out, divided by {parts.by}",
        "int8": what_int8_cost(encoder, start.tokenizer, targets[0], kept, said),
    }
    return draft.written(out, heads, card, notes=notes, tests=tests, force=force)


def device_of(name: str) -> str:
    """`cpu` or `cuda`; `auto` is a GPU if there is one."""
    import torch

    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _left_out(rows: Sequence[Row], targets: Sequence[Target]) -> tuple[Folds, int]:
    """The division, and the part of it that is not trained on: it has both kinds of each head."""
    by_source = folds(rows, targets)
    by_text = folds([row._replace(source="") for row in rows], targets)
    for made in (by_source, by_text):
        for part in range(made.parts):
            inside = [rows[at] for at in made.within(part)]
            sides = [sides_of(inside, target) for target in targets]
            if all(side.count(kind) >= FEWEST for side in sides for kind in (True, False)):
                return made, part
    raise UsageError(f"there are too few texts: a fifth of them has fewer than {FEWEST} of a kind")
