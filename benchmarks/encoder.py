"""A text encoder with random weights: as large and as slow as a real one, and it says nothing."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

ROOT = Path(__file__).parent.parent
WIDTH, HEADS, INNER, LONGEST, LABELS = 384, 12, 1536, 256, 4
LEAD, TAIL, OVERLAP = (2,), (3,), 64


class _Graph:
    """Nodes and tables, added one by one."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[Any] = []
        self.tables: list[Any] = []
        self.random = np.random.default_rng(seed)

    def table(self, name: str, value: Any) -> str:
        self.tables.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weights(self, name: str, *shape: int, scale: float = 0.0) -> str:
        drawn = self.random.standard_normal(shape) * (scale or shape[0] ** -0.5)
        return self.table(name, drawn.astype(np.float32))

    def add(self, operator: str, inputs: list[str], out: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [out], name=out, **attributes))
        return out

    def linear(self, x: str, name: str, wide: int, out: int) -> str:
        self.add("MatMul", [x, self.weights(f"{name}.w", wide, out)], f"{name}.m")
        return self.add("Add", [f"{name}.m", self.weights(f"{name}.b", out, scale=0.02)], name)

    def normal(self, x: str, name: str) -> str:
        ones = self.table(f"{name}.s", np.ones(WIDTH, dtype=np.float32))
        zeros = self.table(f"{name}.z", np.zeros(WIDTH, dtype=np.float32))
        return self.add("LayerNormalization", [x, ones, zeros], name, axis=-1)

    def layer(self, x: str, name: str) -> str:
        for part, order in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            self.linear(x, f"{name}.{part}", WIDTH, WIDTH)
            self.add("Reshape", [f"{name}.{part}", "split"], f"{name}.{part}s")
            self.add("Transpose", [f"{name}.{part}s"], f"{name}.{part}t", perm=order)
        self.add("MatMul", [f"{name}.qt", f"{name}.kt"], f"{name}.near")
        self.add("Mul", [f"{name}.near", "root"], f"{name}.scaled")
        self.add("Add", [f"{name}.scaled", "unseen"], f"{name}.seen")
        self.add("Softmax", [f"{name}.seen"], f"{name}.look", axis=-1)
        self.add("MatMul", [f"{name}.look", f"{name}.vt"], f"{name}.mixed")
        self.add("Transpose", [f"{name}.mixed"], f"{name}.back", perm=[0, 2, 1, 3])
        self.add("Reshape", [f"{name}.back", "merge"], f"{name}.whole")
        out = self.linear(f"{name}.whole", f"{name}.out", WIDTH, WIDTH)
        x = self.normal(self.add("Add", [x, out], f"{name}.sum"), f"{name}.mid")
        inner = self.linear(x, f"{name}.up", WIDTH, INNER)
        down = self.linear(self.add("Gelu", [inner], f"{name}.gelu"), f"{name}.down", INNER, WIDTH)
        return self.normal(self.add("Add", [x, down], f"{name}.sum2"), f"{name}.end")


def encoder_onnx(layers: int, vocabulary: int, seed: int = 1) -> bytes:
    """`logits` [batch, LABELS] and `embedding` [batch, WIDTH] of the first token."""
    graph = _Graph(seed)
    graph.weights("words", vocabulary, WIDTH, scale=0.5)
    graph.weights("places", LONGEST, WIDTH, scale=0.1)
    for name, value in (("one", 1), ("zero", 0)):
        graph.table(name, np.int64(value))
    graph.table("split", np.array([0, 0, HEADS, WIDTH // HEADS]))
    graph.table("merge", np.array([0, 0, WIDTH]))
    graph.table("root", np.float32((WIDTH // HEADS) ** -0.5))
    graph.table("all", np.float32(1))
    graph.table("low", np.float32(-1e4))
    graph.table("inner", np.array([1, 2]))
    graph.add("Shape", ["input_ids"], "shape")
    graph.add("Gather", ["shape", "one"], "length")
    graph.add("Range", ["zero", "length", "one"], "numbers")
    graph.add("Gather", ["places", "numbers"], "where")
    graph.add("Gather", ["words", "input_ids"], "what")
    graph.add("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    graph.add("Sub", ["all", "mask"], "padding")
    graph.add("Mul", ["padding", "low"], "below")
    graph.add("Unsqueeze", ["below", "inner"], "unseen")
    x = graph.normal(graph.add("Add", ["what", "where"], "both"), "start")
    for number in range(layers):
        x = graph.layer(x, f"layer{number}")
    graph.add("Gather", [x, "zero"], "embedding", axis=1)
    graph.weights("head", WIDTH, LABELS)
    graph.add("MatMul", ["embedding", "head"], "logits")
    ports = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", LABELS]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH]),
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "encoder", ports, outputs, graph.tables),
        opset_imports=[helper.make_opsetid("", 20)],
    )
    model.ir_version = 10
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def quantised(model: bytes, folder: Path) -> bytes:
    """The same with weights of 8 bits, a scale for each column."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    before, after = folder / "before.onnx", folder / "after.onnx"
    before.write_bytes(model)
    quantize_dynamic(
        before, after, per_channel=True, weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul"],
    )  # fmt: skip
    return after.read_bytes()


def corpus() -> list[str]:
    """Plain English: the pages of this package."""
    return [path.read_text("utf-8") for path in sorted((ROOT / "guardkit").rglob("*.md"))]


def tokenizer() -> Tokenizer:
    """A word-piece tokenizer of those pages."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=4_000, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    )
    made.train_from_iterator(corpus(), trainer)
    return made


def encoder_dir(folder: Path, model: bytes, words: Tokenizer, *, batch: bool = False) -> Path:
    """A model directory with one head of `LABELS` labels and an embedding."""
    files = {"model.onnx": model, "tokenizer.json": words.to_str().encode()}
    manifest = {
        "format": 1, "name": "encoder", "version": "1", "kind": "onnx", "licence": "Apache-2.0",
        "source": "random weights",
        "files": {name: f"sha256:{sha256(data).hexdigest()}" for name, data in files.items()},
        "window": {"tokens": LONGEST, "overlap": OVERLAP, "lead": LEAD, "tail": TAIL,
                   "batch": batch},
        "heads": [{"name": "head", "output": "logits", "kind": "sigmoid",
                   "labels": [f"label{number}" for number in range(LABELS)]}],
        "embedding": {"output": "embedding", "dim": WIDTH, "pooling": "none"},
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "guardkit.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
