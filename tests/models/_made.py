"""Tiny real models: a word-piece tokenizer of some 60 words, and ONNX graphs one can do by hand.

A classifier's logit of a class is `bias + max over tokens of weight + sum over tokens of mark`:
which words occur decides, and how often does not (but for marks). A tagger gives each token its
tag; an embedder gives each token a fixed vector and averages them. Everything is made of tables
by token id, so a test can say what must come out: see `logits_of`.

`broken` is a word whose mark may be NaN: a model that gives nonsense for one text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

SURFACES = ("input", "retrieved", "tool_call", "tool_result", "output", "context")
MARKS = tuple(f"[{surface.upper()}]" for surface in SURFACES)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *MARKS)
_KNOWN = """
the a and of to in is it for on with as at by from this that be are was not you i we
ignore all previous instructions system prompt reveal secret password attack bomb kill
hate love kind good bad idiot sorry cannot help sure here answer
alice bob paris london acme monday went lives works write read cat dog sun rain broken
. , ! ? ##s ##ing ##ed
"""
WORDS = tuple(_KNOWN.split())
VOCABULARY = (*SPECIAL, *WORDS)
ID = {word: number for number, word in enumerate(VOCABULARY)}
PAD, UNK, CLS, SEP = (ID[word] for word in SPECIAL[:4])
SURFACE_IDS = {surface: ID[mark] for surface, mark in zip(SURFACES, MARKS, strict=True)}

Weights = Mapping[str, Sequence[float]]


def tokenizer(vocabulary: Sequence[str] = VOCABULARY) -> Tokenizer:
    """A lower-casing word-piece tokenizer that puts `[CLS]` and `[SEP]` around."""
    ids = {word: number for number, word in enumerate(vocabulary)}
    made = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    made.decoder = decoders.WordPiece()
    made.add_special_tokens([word for word in SPECIAL if word in ids])
    return made


def tokenizer_json(vocabulary: Sequence[str] = VOCABULARY) -> bytes:
    return tokenizer(vocabulary).to_str().encode()


def words_of(text: str) -> list[str]:
    """The tokens of a text without specials."""
    return tokenizer().encode(text, add_special_tokens=False).tokens


# --- ONNX graphs

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def table(weights: Weights, columns: int) -> np.ndarray:
    """A row for each token of the vocabulary; zeros for what is not named."""
    rows = np.zeros((len(VOCABULARY), columns), dtype=np.float32)
    for word, row in weights.items():
        rows[ID[word]] = row
    return rows


def vectors(dim: int, seed: int = 7) -> np.ndarray:
    """The embedding of each token."""
    return np.random.default_rng(seed).normal(size=(len(VOCABULARY), dim)).astype(np.float32)


def _inputs(token_types: bool, integer: int = INT64) -> list[Any]:
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if token_types else [])]
    return [helper.make_tensor_value_info(name, integer, ["batch", "sequence"]) for name in names]


def model_bytes(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    tables: Mapping[str, np.ndarray],
    *,
    opset: int = 17,
) -> bytes:
    """A model of these nodes, with tables as initialisers."""
    graph = helper.make_graph(
        list(nodes),
        "made",
        list(inputs),
        list(outputs),
        [numpy_helper.from_array(value, name) for name, value in tables.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    return made.SerializeToString()


def classifier_onnx(
    weights: Weights,
    *,
    classes: int,
    bias: Sequence[float] | None = None,
    marks: Weights | None = None,
    dim: int = 0,
    token_types: bool = True,
    opset: int = 17,
) -> bytes:
    """Output `logits` [batch, classes], and with `dim` also `embedding` [batch, dim]."""
    tables = {
        "words": table(weights, classes),
        "marks": table(marks or {}, classes),
        "bias": np.asarray(bias if bias is not None else [0.0] * classes, dtype=np.float32),
        "last": np.asarray([-1], dtype=np.int64),
        "middle": np.asarray([1], dtype=np.int64),
        "low": np.asarray(-1e9, dtype=np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["attention_mask"], ["mask2"], to=FLOAT),
        helper.make_node("Unsqueeze", ["mask2", "last"], ["mask"]),
        helper.make_node("Equal", ["attention_mask", "zero"], ["off2"]),
        helper.make_node("Unsqueeze", ["off2", "last"], ["off"]),
        helper.make_node("Gather", ["words", "input_ids"], ["found"]),
        helper.make_node("Where", ["off", "low", "found"], ["seen"]),
        helper.make_node("ReduceMax", ["seen"], ["best"], axes=[1], keepdims=0),
        helper.make_node("Gather", ["marks", "input_ids"], ["marked"]),
        helper.make_node("Mul", ["marked", "mask"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "middle"], ["sum"], keepdims=0),
        helper.make_node("Add", ["best", "sum"], ["both"]),
        helper.make_node("Add", ["both", "bias"], ["logits"]),
    ]
    tables["zero"] = np.asarray(0, dtype=np.int64)
    outputs = [helper.make_tensor_value_info("logits", FLOAT, ["batch", classes])]
    if dim:
        tables["vectors"] = vectors(dim)
        nodes += [
            helper.make_node("Gather", ["vectors", "input_ids"], ["each"]),
            *_mean("each", "embedding"),
        ]
        outputs.append(helper.make_tensor_value_info("embedding", FLOAT, ["batch", dim]))
    return model_bytes(nodes, _inputs(token_types), outputs, tables, opset=opset)


def _mean(each: str, out: str) -> list[Any]:
    """Averages [batch, sequence, dim] over what the mask says is there."""
    return [
        helper.make_node("Mul", [each, "mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["added"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "middle"], ["count"], keepdims=0),
        helper.make_node("Div", ["added", "count"], [out]),
    ]


def tagger_onnx(tags: Mapping[str, int], *, labels: int, sure: float = 6.0) -> bytes:
    """Output `logits` [batch, sequence, labels]: a word's tag gets `sure`, 0 is for the others."""
    rows = np.zeros((len(VOCABULARY), labels), dtype=np.float32)
    rows[:, 0] = sure
    for word, tag in tags.items():
        rows[ID[word]] = 0.0
        rows[ID[word], tag] = sure
    nodes = [helper.make_node("Gather", ["rows", "input_ids"], ["logits"])]
    outputs = [helper.make_tensor_value_info("logits", FLOAT, ["batch", "sequence", labels])]
    return model_bytes(nodes, _inputs(False), outputs, {"rows": rows})


def embedder_onnx(dim: int = 8, *, output: str = "last_hidden_state") -> bytes:
    """`last_hidden_state` [batch, sequence, dim], or `sentence_embedding` [batch, dim], a mean."""
    tables = {
        "vectors": vectors(dim),
        "last": np.asarray([-1], dtype=np.int64),
        "middle": np.asarray([1], dtype=np.int64),
    }
    if output == "last_hidden_state":
        nodes = [helper.make_node("Gather", ["vectors", "input_ids"], [output])]
        shape: list[str | int] = ["batch", "sequence", dim]
        del tables["last"], tables["middle"]
    else:
        nodes = [
            helper.make_node("Cast", ["attention_mask"], ["mask2"], to=FLOAT),
            helper.make_node("Unsqueeze", ["mask2", "last"], ["mask"]),
            helper.make_node("Gather", ["vectors", "input_ids"], ["each"]),
            *_mean("each", output),
        ]
        shape = ["batch", dim]
    outputs = [helper.make_tensor_value_info(output, FLOAT, shape)]
    return model_bytes(nodes, _inputs(True), outputs, tables)


# --- by hand


def logits_of(
    tokens: Sequence[str],
    weights: Weights,
    *,
    classes: int,
    bias: Sequence[float] | None = None,
    marks: Weights | None = None,
) -> list[float]:
    """What `classifier_onnx` gives for one window of these tokens, specials included."""
    ids = [ID[token] for token in tokens]
    words, counted = table(weights, classes)[ids], table(marks or {}, classes)[ids]
    given = np.asarray(bias if bias is not None else [0.0] * classes)
    return [float(x) for x in words.max(axis=0) + counted.sum(axis=0) + given]


# --- directories


def sha(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def window(tokens: int = 16, overlap: int = 4, *, surfaces: bool = False) -> dict[str, Any]:
    return {
        "tokens": tokens,
        "overlap": overlap,
        "lead": [CLS],
        "tail": [SEP],
        "pad": PAD,
        "surfaces": SURFACE_IDS if surfaces else {},
    }


def head(name: str, labels: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"name": name, "output": "logits", "labels": list(labels), "kind": "sigmoid", **more}


def model_dir(folder: Path, model: bytes, **more: Any) -> Path:
    """A guardkit model directory of kind `onnx`; `more` are fields of its manifest."""
    files = {"model.onnx": model, "tokenizer.json": more.pop("tokenizer", None) or tokenizer_json()}
    manifest = {
        "format": 1,
        "name": "made",
        "version": "1",
        "kind": "onnx",
        "licence": "Apache-2.0",
        "source": "made by hand for tests",
        "files": {name: sha(data) for name, data in files.items()},
        "window": window(),
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "guardkit.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


INJECTION: Weights = {"ignore": [4.0], "secret": [2.0], "previous": [1.0]}
"""Words of an injection, for a head of one label."""


def injection_dir(folder: Path, **more: Any) -> Path:
    """A model with one sigmoid head `injection` (bias -2) and no surfaces."""
    model = classifier_onnx(INJECTION, classes=1, bias=[-2.0])
    return model_dir(folder, model, **{"heads": [head("injection", ["injection"])], **more})


def hf_export(
    folder: Path, model: bytes, config: Mapping[str, Any], *, inner: str = "", **files: Any
) -> Path:
    """A Hugging Face export: `model.onnx` in `inner`, the tokenizer, `config.json`, more JSON."""
    (folder / inner).mkdir(parents=True, exist_ok=True)
    (folder / inner / "model.onnx").write_bytes(model)
    (folder / "tokenizer.json").write_bytes(tokenizer_json())
    for name, content in {"config": config, **files}.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder
