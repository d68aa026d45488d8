"""Small real things to train with: a tokenizer, a static tier, an encoder, and texts by a rule."""

from __future__ import annotations

import io
import json
import struct
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from guardkit.models import Embedding, Window
from guardkit.train._draft import Draft
from guardkit.train._rows import Row

_TEXT = """
please the a of to and we you our my is was will can near over with for in on at by from send open
tell show give take read write call find keep make old new red green blue small large house garden
letter ticket train river bread paper table window market summer winter morning ignore forget
reveal secret password rules instructions previous override hidden
"""
WORDS = tuple(_TEXT.split())
HARMFUL = ("ignore", "secret")
"""A text is harmful when it holds these."""
PLAIN = [word for word in WORDS if word not in HARMFUL]
_SPECIAL = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
VOCABULARY = (
    *(_SPECIAL.get(at, f"[unused{at}]") for at in range(104)),
    *WORDS,
    *"abcdefghijklmnopqrstuvwxyz0123456789.,!?",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"),
)


def need_torch() -> None:
    """Skip a test that trains where PyTorch is not installed."""
    if find_spec("torch") is None:
        pytest.skip("PyTorch is not installed: pip install 'guardkit[train]'")


def tokenizer_json() -> bytes:
    """A word-piece tokenizer whose special tokens stand where those of BERT do."""
    ids = {word: at for at, word in enumerate(VOCABULARY)}
    made = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens([*_SPECIAL.values()])
    return made.to_str().encode()


def packed(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def static_tier(folder: Path, dim: int = 16) -> Path:
    """A static tier that knows pieces and has no heads."""
    rng = np.random.default_rng(1)
    table = io.BytesIO()
    np.save(table, rng.integers(-127, 128, (len(VOCABULARY), dim)).astype(np.int8))
    weights = np.full(len(VOCABULARY), 0.01, np.float32)
    draft = Draft(
        "static",
        "static",
        Window(tokens=193, overlap=96),
        {
            "table.npy": table.getvalue(),
            "tokenizer.json": tokenizer_json(),
            "heads.npz": packed(weights=weights),
        },
        Embedding(output="embedding", dim=dim, pooling="none"),
    )
    draft.written(folder, [], {})
    return folder


def encoder_file(folder: Path, dim: int = 48, inner: int = 96, layers: int = 6) -> Path:
    """A sentence encoder nobody trained, as safetensors, with its tokenizer beside it."""
    rng = np.random.default_rng(2)
    arrays = {
        "embeddings.word_embeddings.weight": rng.normal(0, 1, (len(VOCABULARY), dim)),
        "embeddings.position_embeddings.weight": rng.normal(0, 0.1, (160, dim)),
        "embeddings.token_type_embeddings.weight": rng.normal(0, 0.1, (2, dim)),
        "embeddings.LayerNorm.weight": np.ones(dim),
        "embeddings.LayerNorm.bias": np.zeros(dim),
    }
    shapes = {f"attention.self.{name}": (dim, dim) for name in ("query", "key", "value")}
    shapes |= {"attention.output.dense": (dim, dim)}
    shapes |= {"intermediate.dense": (inner, dim), "output.dense": (dim, inner)}
    for at in range(layers):
        for name, shape in shapes.items():
            arrays[f"encoder.layer.{at}.{name}.weight"] = rng.normal(0, shape[1] ** -0.5, shape)
            arrays[f"encoder.layer.{at}.{name}.bias"] = rng.normal(0, 0.02, shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            arrays[f"encoder.layer.{at}.{name}.weight"] = np.ones(dim)
            arrays[f"encoder.layer.{at}.{name}.bias"] = np.zeros(dim)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_bytes(tokenizer_json())
    path = folder / "model.safetensors"
    path.write_bytes(safetensors(arrays))
    return path


def safetensors(arrays: dict[str, Any]) -> bytes:
    header, parts, at = {}, [], 0
    for name, array in arrays.items():
        data = array.astype("<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [at, at + len(data)],
        }
        parts.append(data)
        at += len(data)
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + b"".join(parts)


def rows(count: int, *, sources: int = 5, seed: int = 0, head: str = "attack") -> list[Row]:
    """Texts by a rule; every source has a word of its own that says nothing."""
    rng = Random(seed)
    made = []
    for at in range(count):
        words = rng.choices(PLAIN, k=rng.randint(6, 30))
        label = at % 2
        for word in HARMFUL * label:
            words.insert(rng.randint(0, len(words)), word)
        source = f"source {at // 2 % sources}"
        words.append(PLAIN[at // 2 % sources])
        made.append(Row(" ".join(words), "input", {head: label}, source, f"kind {label}"))
    return made
