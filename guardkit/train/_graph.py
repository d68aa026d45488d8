"""Writes a tuned encoder as an ONNX graph of int8 weights.

Node by node, so that the file holds what reading needs and nothing else: one input row, one output
of evidence, one embedding. Weights have a scale for each output and 7 bits: products of 8-bit
numbers overflow the 16-bit sums of processors without dot-product instructions. What flows between
the layers is quantised as it runs, by the range of one window; so windows must run one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

OPSET: Final = 18
IR: Final = 9
HEADS_OF_ATTENTION: Final = 12
LAYERS: Final = 6
BITS: Final = 63
"""The greatest weight, quantised: 7 bits with their sign."""
_MS: Final = "com.microsoft"


class Graph:
    """A graph in the making."""

    def __init__(self, floats: frozenset[str] = frozenset()) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._floats = floats
        """Layers that stay as they are, by name."""

    def constant(self, name: str, array: Any) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op: str, inputs: list[str], out: str, domain: str = "", **settings: Any) -> str:
        from onnx import helper

        made = helper.make_node(op, inputs, [out], domain=domain, name=out, **settings)
        self.nodes.append(made)
        return out

    def linear(self, x: str, name: str, weight: Any, bias: Any) -> str:
        """A layer; `weight` is [outputs, inputs] as torch has it."""
        import numpy as np
        from onnx import helper

        plus = self.constant(f"{name}.bias", bias.astype(np.float32))
        if name in self._floats:
            wide = self.constant(f"{name}.weight", np.ascontiguousarray(weight.T, np.float32))
            return self.node("Add", [self.node("MatMul", [x, wide], f"{name}.product"), plus], name)
        scale = np.maximum(np.abs(weight).max(1), 1e-8) / BITS
        small = np.ascontiguousarray(np.round(weight / scale[:, None]).astype(np.int8).T)
        outs = [f"{name}.x", f"{name}.x_scale", f"{name}.x_zero"]
        self.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], outs, name=f"{name}.q"))
        inputs = [
            outs[0],
            self.constant(f"{name}.weight", small),
            outs[1],
            self.constant(f"{name}.scale", scale.astype(np.float32)),
            outs[2],
            self.constant(f"{name}.zero", np.zeros(len(scale), np.int8)),
            plus,
        ]
        return self.node("MatMulIntegerToFloat", inputs, name, _MS)


def encoder_onnx(
    weights: Mapping[str, Any], columns: int, floats: frozenset[str] = frozenset()
) -> bytes:
    """The ONNX file of an encoder.

    Args:
        weights: The arrays of `Encoder.state_dict()`, float32.
        columns: How many columns of evidence it gives.
        floats: Layers that are not quantised, such as `layers.5.g`.
    """
    import numpy as np
    from onnx import TensorProto, helper

    graph = Graph(floats)
    node, constant = graph.node, graph.constant
    dim = weights["tab.weight"].shape[1]

    def norm(name: str) -> list[str]:
        names = (f"{name}.weight", f"{name}.bias")
        return [constant(part, weights[part]) for part in names]

    def linear(x: str, name: str) -> str:
        return graph.linear(x, name, weights[f"{name}.weight"], weights[f"{name}.bias"])

    table = weights["tab.weight"]
    scale = np.maximum(np.abs(table).max(1, keepdims=True), 1e-8) / 127
    small = constant("table", np.round(table / scale).astype(np.int8))
    rows = node("Cast", [node("Gather", [small, "input_ids"], "rows")], "rows.float", to=1)
    scales = node("Gather", [constant("table.scale", scale.astype(np.float32)), "input_ids"], "s")
    x = node("Mul", [rows, scales], "tokens")
    one, two = (constant(f"at{n}", np.array([n], np.int64)) for n in (1, 2))
    length = node("Slice", [node("Shape", ["input_ids"], "shape"), one, two], "length")
    zero = constant("at0", np.array([0], np.int64))
    places = constant("places", weights["pos.weight"][None])
    x = node("Add", [x, node("Slice", [places, zero, length, one], "place")], "sum")
    x = node("LayerNormalization", [x, *norm("n0")], "start", axis=-1, epsilon=1e-12)
    mask = node("Cast", ["attention_mask"], "mask", to=6)
    for at in range(LAYERS):
        name = f"layers.{at}"
        parts = [linear(x, f"{name}.{part}") for part in "qkv"]
        seen = node(
            "MultiHeadAttention",
            [*parts, "", mask],
            f"{name}.attention",
            _MS,
            num_heads=HEADS_OF_ATTENTION,
        )
        both = [x, linear(seen, f"{name}.o"), *norm(f"{name}.n1")]
        x = node("SkipLayerNormalization", both, f"{name}.one", _MS, epsilon=1e-12)
        inner = node("Gelu", [linear(x, f"{name}.f")], f"{name}.gelu", _MS)
        both = [x, linear(inner, f"{name}.g"), *norm(f"{name}.n2")]
        x = node("SkipLayerNormalization", both, f"{name}.two", _MS, epsilon=1e-12)
    last = constant("last", np.array([-1], np.int64))
    here = node("Cast", [node("Unsqueeze", ["attention_mask", last], "here")], "here.float", to=1)
    total = node("ReduceSum", [node("Mul", [x, here], "seen"), one], "total", keepdims=0)
    count = node("ReduceSum", [here, one], "count", keepdims=0)
    mean = node("Div", [total, count], "embedding")
    away = node(
        "Mul",
        [
            node("Sub", [here, constant("1", np.float32(1))], "gone"),
            constant("far", np.float32(1e4)),
        ],
        "away",
    )
    most = node("ReduceMax", [node("Add", [x, away], "kept"), one], "most", keepdims=0)
    both_ways = node("Concat", [mean, most], "pooled", axis=1)
    inner = node("Gelu", [linear(both_ways, "h1")], "h1.gelu", _MS)
    wide = constant("h2.weight", np.ascontiguousarray(weights["h2.weight"].T))
    product = node("MatMul", [inner, wide], "h2.product")
    node("Add", [product, constant("h2.bias", weights["h2.bias"])], "logits")
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", columns]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["rows", dim]),
    ]
    made = helper.make_graph(graph.nodes, "encoder", ids, outs, graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_MS, 1)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR)
    data: bytes = model.SerializeToString(deterministic=True)
    return data
