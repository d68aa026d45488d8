"""Real models that fail, hang or depend on what runs beside them, and how tests read with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from guardkit.models._onnx import OnnxModel
from guardkit.models._pool import Pool
from guardkit.models._reading import Reading
from guardkit.models._store import read_verified

from . import _made as made

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
WATCHDOG_S = 30.0
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def opened(folder: Path, *, pool: Pool | None = None, device: str = "cpu") -> OnnxModel:
    return OnnxModel(read_verified(folder), device=device, pool=pool or Pool(2))


def run(main: Callable[[], Awaitable[Any]], backend: str = "asyncio") -> Any:
    async def limited() -> Any:
        with anyio.fail_after(WATCHDOG_S):
            return await main()

    return anyio.run(limited, backend=backend)


def read(model: OnnxModel, text: str, surface: str = "input", backend: str = "asyncio") -> Reading:
    async def main() -> Reading:
        return await model.read(text, surface)

    reading: Reading = run(main, backend)
    return reading


def hanging_onnx(word: str = "bomb", trips: int = 10**12) -> bytes:
    """One class, whose logit is how often a loop turned: once, or for ages if a word occurs."""
    rows = np.ones(len(made.VOCABULARY), dtype=np.int64)
    rows[made.ID[word]] = trips
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Add", ["x", "one"], ["y"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", INT64, []),
            helper.make_tensor_value_info("go", BOOL, []),
            helper.make_tensor_value_info("x", FLOAT, ["batch", 1]),
        ],
        [
            helper.make_tensor_value_info("on", BOOL, []),
            helper.make_tensor_value_info("y", FLOAT, ["batch", 1]),
        ],
        [numpy_helper.from_array(np.asarray(1.0, dtype=np.float32), "one")],
    )
    nodes = [
        helper.make_node("Gather", ["rows", "input_ids"], ["each"]),
        helper.make_node("ReduceMax", ["each"], ["trips"], keepdims=0),
        helper.make_node("Gather", ["zeros", "input_ids"], ["nothing"]),
        helper.make_node("ReduceSum", ["nothing", "middle"], ["begin"], keepdims=1),
        helper.make_node("Loop", ["trips", "yes", "begin"], ["logits"], body=body),
    ]
    tables = {
        "rows": rows,
        "zeros": np.zeros(len(made.VOCABULARY), dtype=np.float32),
        "middle": np.asarray([1], dtype=np.int64),
        "yes": np.asarray(True),
    }
    outputs = [helper.make_tensor_value_info("logits", FLOAT, ["batch", 1])]
    return made.model_bytes(nodes, made._inputs(False), outputs, tables)


def hanging_dir(folder: Path, **more: Any) -> Path:
    return made.model_dir(
        folder, hanging_onnx(), **{"heads": [made.head("loops", ["loops"])], **more}
    )


def quantised_onnx(dim: int = 16) -> bytes:
    """One class, by weights of 8 bits: the scale of a run is that of the greatest number in it."""
    weights = np.random.default_rng(3).integers(-90, 90, (dim, 1)).astype(np.int8)
    tables = {
        "vectors": made.vectors(dim, seed=5)
        * np.linspace(0.1, 3.0, len(made.VOCABULARY), dtype=np.float32)[:, None],
        "weights": weights,
        "middle": np.asarray([1], dtype=np.int64),
        "step": np.asarray(0.01, dtype=np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["vectors", "input_ids"], ["each"]),
        helper.make_node("ReduceSum", ["each", "middle"], ["sum"], keepdims=0),
        helper.make_node("DynamicQuantizeLinear", ["sum"], ["q", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["q", "weights", "zero"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["number"], to=FLOAT),
        helper.make_node("Mul", ["number", "scale"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "step"], ["logits"]),
    ]
    outputs = [helper.make_tensor_value_info("logits", FLOAT, ["batch", 1])]
    return made.model_bytes(nodes, made._inputs(False), outputs, tables)


def places_onnx(most: int) -> bytes:
    """One class, with a table of positions: it reads so many tokens and no more."""
    tables = {
        "words": made.table({"ignore": [4.0]}, 1),
        "positions": np.zeros((most, 1), dtype=np.float32),
        "zero": np.asarray(0, dtype=np.int64),
        "one": np.asarray(1, dtype=np.int64),
        "middle": np.asarray([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["length"]),
        helper.make_node("Range", ["zero", "length", "one"], ["numbers"]),
        helper.make_node("Gather", ["positions", "numbers"], ["where"]),
        helper.make_node("Gather", ["words", "input_ids"], ["what"]),
        helper.make_node("Add", ["what", "where"], ["both"]),
        helper.make_node("ReduceMax", ["both"], ["logits"], axes=[1], keepdims=0),
    ]
    outputs = [helper.make_tensor_value_info("logits", FLOAT, ["batch", 1])]
    return made.model_bytes(nodes, made._inputs(False), outputs, tables)
