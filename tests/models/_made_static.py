"""Tiny static models: a head's logit is its bias, and far above it where one of its words occurs.

The mean over a window's words takes off the more, the more words there are: a word counts through
`LOUD`, so that it is heard among two hundred.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from guardkit.models import FACTS, SURFACE_COLUMNS

from ._made import ID, SPECIAL, VOCABULARY, Weights, head, sha, tokenizer_json, window

LOUD = 200.0
BIAS = -2.0
DIM = 16


def array_bytes(value: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, value, allow_pickle=False)
    return out.getvalue()


def arrays_bytes(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def senses(seed: int = 11) -> np.ndarray:
    """The embedding of each word: int8, nothing for what is no word."""
    made = np.random.default_rng(seed).integers(-120, 120, (len(VOCABULARY), DIM)).astype(np.int8)
    made[[ID[word] for word in SPECIAL]] = 0
    return made


def heads_bytes(weights: Weights, columns: int, *, nan: bool = False) -> bytes:
    """The arrays of the heads; a word's weights are 1 where it speaks for a column."""
    pieces = np.zeros((len(VOCABULARY), columns), np.int8)
    for word, row in weights.items():
        pieces[ID[word]] = row
    into = np.zeros((2 * columns + FACTS + 1 + SURFACE_COLUMNS, columns), np.float32)
    into[np.arange(columns), np.arange(columns)] = LOUD
    nothing = np.zeros((2, columns), np.int8)
    ones = np.ones(columns, np.float32)
    # Finite when it is opened: one more step, with a loud word, is what no float can hold.
    out = np.eye(columns, dtype=np.float32) * (np.float32(3e38) if nan else np.float32(1.0))
    return arrays_bytes(
        pieces=pieces,
        pieces_scale=ones,
        grams=nothing,
        grams_scale=ones,
        pairs=nothing,
        pairs_scale=ones,
        into=into,
        into_bias=np.zeros(columns, np.float32),
        out=out,
        out_bias=np.full(columns, BIAS, np.float32),
        sentence_bias=np.full(columns, -30, np.float32),  # sentences by themselves say nothing
        weights=np.full(len(VOCABULARY), 1 / 127, np.float32),
    )


def static_dir(
    folder: Path,
    heads: Sequence[dict[str, Any]],
    weights: Weights,
    *,
    nan: bool = False,
    **more: Any,
) -> Path:
    """A model directory of kind `static`; `weights` has a column for each label of each head."""
    columns = sum(len(one["labels"]) for one in heads)
    files = {
        "table.npy": array_bytes(senses()),
        "tokenizer.json": tokenizer_json(),
        "heads.npz": heads_bytes(weights, columns, nan=nan),
    }
    manifest: Mapping[str, Any] = {
        "format": 1,
        "name": "made-static",
        "version": "1",
        "kind": "static",
        "licence": "Apache-2.0",
        "source": "made by hand for tests",
        "files": {name: sha(data) for name, data in files.items()},
        "window": window(),
        "embedding": {"output": "embedding", "dim": DIM, "pooling": "none"},
        "heads": list(heads),
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "guardkit.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


INJECTION: Weights = {"ignore": [1], "secret": [1]}


def injection_dir(folder: Path, **more: Any) -> Path:
    """A model with one head `injection`: `ignore` and `secret` speak for it."""
    heads = [head("injection", ["injection"])]
    nan = more.pop("nan", False)
    return static_dir(folder, more.pop("heads", heads), INJECTION, nan=nan, **more)
