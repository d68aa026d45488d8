"""`make_tiers()`: the models that ship, from nothing but the pack of texts and the start weights.

Each step stands by itself: the
table that is distilled from the encoder, the heads on it, the tuned encoder. Both tiers are
calibrated on the same texts, which neither was trained on: the benign pool and what is held out.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ._bag import Corpus, Size
from ._card import about_data
from ._distil import distil
from ._draft import Draft, Trained, refuse_taken
from ._encode import Start, start_of, tokens_of, tuned, what_int8_cost
from ._encode import embedding_of as encoder_embedding
from ._encode import files_of as encoder_files
from ._encode import window as encoder_window
from ._encoder import Encoder
from ._extra import need
from ._measure import Measured, Said, Told, measured, part_of, said_of
from ._recipe import SHARES, TARGETS, recipe_rows
from ._rows import Row
from ._static import Base, Plan, bag_of, embedding_of, files_of, window
from ._train_encoder import device_of
from ._train_head import card_of
from ._tune import LEAD, TAIL, Settings

MINUTES: Final = 75.0
"""How long the encoder is tuned: it leaves 45 of two hours for the rest."""
STEPS: Final = 3_000
"""Batches of the static heads."""
LICENCE: Final = "Apache-2.0"
POOL: Final = (
    "benign prompts, posts, long documents, code and other languages of whole sources that no model"
    " was trained on, and one in ten of our look-alikes"
)
BATCH: Final = 256
_AT_ONCE: Final = 2_048
_UNKNOWN: Final = 100
_COLUMNS: Final = max(target.at + len(target.labels) for target in TARGETS)


class Parts(NamedTuple):
    """The rows of the recipe by what they are for."""

    train: tuple[Row, ...]
    aside: tuple[Row, ...]
    """What is held out, and the pool."""
    in_pool: tuple[bool, ...]
    """Which of these are of the pool."""


def make_tiers(
    pack: Path,
    out: Path,
    *,
    weights: Path,
    minutes: float | None = None,
    steps: int = STEPS,
    seed: int = 0,
    device: str = "auto",
    command: str = "",
    force: bool = False,
    told: Told | None = None,
) -> tuple[Trained, Trained]:
    """Make the static tier and the mini tier: `static` and `mini` in a folder.

    Args:
        pack: The folder of labelled texts that `_recipe.py` reads.
        out: The folder of both.
        weights: The sentence encoder both begin with, its `tokenizer.json` beside it.
        minutes: How long the encoder is tuned; `MINUTES`, if nothing is given.
        steps: Batches of the static heads.
        seed: Of all that is left to chance.
        device: Where the encoder is tuned: `cpu`, `cuda`, or `auto` for a GPU if there is one.
        command: What was typed, for the cards.
        force: Whether models may be replaced.
        told: Called with what is being done, and which part of it is.

    Raises:
        BindError: Something is missing on this machine, or a directory cannot be written.
        UsageError: The pack or the weights are not what they should be.
    """
    need("torch", "onnx", "onnxruntime")
    for tier in ("static", "mini"):
        refuse_taken(out / tier, force=force)
    start = start_of(weights, _COLUMNS, seed)
    rows = parts_of(recipe_rows(pack), licences_of(pack))
    facts = {"command": command, "seed": seed, "start": f"{weights.name} (all-MiniLM-L6-v2)"}
    base = table_of(start, rows.train, told)
    draft = static_draft(rows.train, base, steps=steps, seed=seed, told=told)
    small = finished(draft, out / "static", rows, facts | {"steps": steps}, force=force, told=told)
    minutes = minutes or MINUTES
    how = Settings(minutes=minutes, seed=seed, device=device_of(device))
    encoder, count = tuned(start, rows.train, TARGETS, SHARES, how, part_of(told, "mini: training"))
    facts |= {"steps": count, "minutes": minutes}
    draft = mini_draft(start, encoder, len(rows.train))
    large = finished(
        draft, out / "mini", rows, facts, encoder=(encoder, start), force=force, told=told
    )
    return small, large


def parts_of(sided: Iterable[tuple[Row, str]], licences: dict[str, str]) -> Parts:
    """The rows of the recipe, each with its licence, by what they are for."""
    train: list[Row] = []
    aside: list[Row] = []
    in_pool: list[bool] = []
    for row, side in sided:
        known = row._replace(licence=row.licence or licences.get(row.source, ""))
        if side == "train":
            train.append(known)
        else:
            aside.append(known)
            in_pool.append(side == "pool")
    return Parts(tuple(train), tuple(aside), tuple(in_pool))


def licences_of(pack: Path) -> dict[str, str]:
    """The licence of each source, as the pack says it."""
    found = {"guardkit-seeds": "CC0-1.0"}
    for path in sorted(pack.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                given = json.loads(line)
                found.setdefault(str(given.get("source", "")), str(given.get("license", "")))
    return found


# --- the static tier


def table_of(start: Start, rows: Sequence[Row], told: Told | None = None) -> Base:
    """The table of the static tier, distilled from the encoder, and its tokenizer."""
    counts = counts_of(start, rows)
    vectors = vectors_of(start.encoder, part_of(told, "static: what each token says"))
    return Base(distil(vectors, counts), start.tokenizer, False)


def counts_of(start: Start, rows: Sequence[Row]) -> Any:
    """How often each token occurs in the texts."""
    import numpy as np

    size = len(start.encoder.weights["tab.weight"])
    counts = np.zeros(size)
    for at in range(0, len(rows), _AT_ONCE):
        part = tokens_of(start.tokenizer, [row.text for row in rows[at : at + _AT_ONCE]])
        counts += np.bincount(np.concatenate(part).astype(np.int64), minlength=size)
    return counts


def vectors_of(encoder: Encoder, told: Callable[[float], None] | None = None) -> Any:
    """What an encoder says of each token by itself: the mean of its last layer."""
    import numpy as np
    import torch

    size = len(encoder.weights["tab.weight"])
    found = []
    with torch.no_grad():
        for at in range(0, size, _AT_ONCE):
            ids = torch.arange(at, min(at + _AT_ONCE, size))
            around = [torch.full_like(ids, LEAD), ids, torch.full_like(ids, TAIL)]
            row = torch.stack(around, 1)
            row[row == 0] = _UNKNOWN  # 0 is padding, which no layer sees
            found.append(encoder.above(encoder.below(row, 0), row, 0)[1].numpy())
            if told is not None:
                told(min(at + _AT_ONCE, size) / size)
    return np.concatenate(found)


def static_draft(
    rows: Sequence[Row], base: Base, *, steps: int, seed: int = 0, told: Told | None = None
) -> Draft:
    """The static tier, trained and not yet calibrated."""
    corpus = Corpus(rows, base.pieces_of)
    arrays = bag_of(
        corpus,
        rows,
        range(len(rows)),
        TARGETS,
        base,
        shares=SHARES,
        plan=Plan(Size(), steps, BATCH),
        seed=seed,
        told=part_of(told, "static: training"),
    )
    return static_of(base, arrays, len(rows))


def static_of(base: Base, arrays: dict[str, Any], count: int) -> Draft:
    """The static tier of a table and of arrays that were trained on so many texts."""
    return Draft(
        "guardkit-static",
        "static",
        window(),
        files_of(base, arrays),
        embedding_of(base),
        None,
        LICENCE,
        f"tokens distilled from all-MiniLM-L6-v2, heads trained on {count} labelled texts",
    )


# --- the mini tier


def mini_draft(start: Start, encoder: Encoder, count: int) -> Draft:
    """The mini tier of an encoder that was tuned on so many texts, not yet calibrated."""
    return Draft(
        "guardkit-mini",
        "onnx",
        encoder_window(),
        encoder_files(start, encoder, TARGETS),
        encoder_embedding(start),
        None,
        LICENCE,
        f"all-MiniLM-L6-v2, tuned on {count} labelled texts",
    )


# --- both


def finished(
    draft: Draft,
    out: Path,
    rows: Parts,
    facts: dict[str, Any],
    *,
    encoder: tuple[Encoder, Start] | None = None,
    force: bool = False,
    told: Told | None = None,
) -> Trained:
    """Calibrate a tier on what nobody was trained on, and write it with its report.

    Args:
        draft: The tier as it was trained.
        out: Its directory.
        rows: The texts of the recipe.
        facts: What the card says beside the rest.
        encoder: What was trained, to tell what storing it in int8 cost.
        force: Whether a model may be replaced.
        told: Called with what is being done, and which part of it is.
    """
    with draft.tried(TARGETS) as folder:
        said = said_of(folder, rows.aside, part_of(told, f"{out.name}: reading what is held out"))
    heads = calibrated(rows, said)
    notes = [note for one in heads for note in one.notes]
    card = card_of(rows.aside, TARGETS, heads, {}, notes) | facts
    card["trained_on"] = about_data(rows.train, TARGETS)
    card["validation"] = "Whole sources were held out; `_recipe.py` names them"
    if encoder is not None:
        tuned_, start = encoder
        cost = what_int8_cost(tuned_, start.tokenizer, TARGETS[0], rows.aside, said)
        card["int8"] = cost
    return draft.written(out, heads, card, notes=notes, force=force)


def calibrated(rows: Parts, said: Sequence[Said | None]) -> list[Measured]:
    """Every head, its threshold fixed on the pool, and what it comes to on all that is held out."""
    return [
        measured(target, rows.aside, said, pool=POOL, in_pool=rows.in_pool) for target in TARGETS
    ]
