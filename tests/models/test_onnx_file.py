"""ONNX files are looked into without a runtime; whatever is wrong is said in one sentence, fast."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from guardkit.errors import BindError
from guardkit.models._onnx_file import OnnxFile, Port, read_onnx

from ._made import (
    FLOAT,
    INJECTION,
    INT64,
    VOCABULARY,
    classifier_onnx,
    embedder_onnx,
    tagger_onnx,
)

SOUND = classifier_onnx(INJECTION, classes=1, dim=4)


def edited(change: Any, data: bytes = SOUND) -> bytes:
    """A model after `change(model)`."""
    model = onnx.load_from_string(data)
    change(model)
    result: bytes = model.SerializeToString()
    return result


def refusal(data: bytes) -> str:
    """The one sentence with which a file is refused, in time."""
    start = time.process_time()
    with pytest.raises(BindError) as caught:
        read_onnx(data)
    assert time.process_time() - start < 1.0
    (sentence,) = caught.value.problems
    assert sentence.startswith("`model.onnx` ")
    assert sentence.isprintable()
    assert len(sentence) < 250
    return sentence


# --- what is read


def test_inputs_outputs_and_rows_are_read() -> None:
    found = read_onnx(SOUND)
    assert found.opsets == {"": 17}
    assert [port.name for port in found.inputs] == ["input_ids", "attention_mask", "token_type_ids"]
    assert {(port.type, port.shape) for port in found.inputs} == {("int64", (None, None))}
    assert found.outputs == (
        Port("logits", "float", (None, 1)),
        Port("embedding", "float", (None, 4)),
    )
    assert found.rows == len(VOCABULARY)
    assert {"Gather", "ReduceMax"} <= found.operators
    assert found.output("embedding") is found.outputs[1]
    assert found.output("other") is None


@pytest.mark.parametrize("data", [embedder_onnx(8), tagger_onnx({"alice": 1}, labels=3)])
def test_the_onnx_package_reads_the_same(data: bytes) -> None:
    found = read_onnx(data)
    graph = onnx.load_from_string(data).graph
    for port, value in zip((*found.inputs, *found.outputs), (*graph.input, *graph.output)):  # noqa: B905
        tensor = value.type.tensor_type
        assert port.name == value.name
        assert port.shape == tuple(dim.dim_value or None for dim in tensor.shape.dim)
        assert port.type == TensorProto.DataType.Name(tensor.elem_type).lower()


def test_tables_are_no_inputs() -> None:
    def as_input(model: Any) -> None:
        model.graph.input.append(helper.make_tensor_value_info("bias", FLOAT, [1]))

    assert len(read_onnx(edited(as_input)).inputs) == 3


def test_the_table_is_found_behind_casts_and_in_fused_operators() -> None:
    rows = numpy_helper.from_array(np.zeros((50, 4), dtype=np.int8), "rows")
    cast = helper.make_node("Cast", ["input_ids"], ["ids"], to=TensorProto.INT32)
    ids = helper.make_tensor_value_info("input_ids", INT64, ["b", "s"])
    out = helper.make_tensor_value_info("out", FLOAT, ["b", "s", 4])

    def rows_of(*nodes: Any) -> int | None:
        graph = helper.make_graph(list(nodes), "g", [ids], [out], [rows])
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        return read_onnx(helper.make_model(graph, opset_imports=opsets).SerializeToString()).rows

    fused = helper.make_node(
        "EmbedLayerNormalization", ["ids", "", "rows"], ["out"], domain="com.microsoft"
    )
    assert rows_of(cast, helper.make_node("Gather", ["rows", "ids"], ["out"])) == 50
    assert rows_of(cast, fused) == 50
    assert rows_of(cast, helper.make_node("Gather", ["elsewhere", "ids"], ["out"])) is None


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3), dtype=kind)
        for kind in ("float32", "float64", "float16", "int8", "uint8", "int64", "bool", "complex64")
    ],
    ids=lambda array: str(array.dtype),
)
@pytest.mark.parametrize("raw", [True, False])
def test_tensors_of_every_type_are_sound(array: Any, raw: bool) -> None:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    values = array.tobytes() if raw else array.flatten().tolist()
    tensor = helper.make_tensor("t", kind, array.shape, values, raw=raw)

    def add(model: Any) -> None:
        model.graph.initializer.append(tensor)
        model.graph.node[0].attribute.append(helper.make_attribute("t", tensor))

    assert read_onnx(edited(add)).rows == len(VOCABULARY)


@pytest.mark.parametrize(
    "tensor",
    [
        helper.make_tensor("t", TensorProto.STRING, [3], [b"", b"", b"x"]),
        helper.make_tensor("t", TensorProto.INT4, [3], [1, 2, 3]),
        helper.make_tensor("t", TensorProto.FLOAT, [0, 5], []),
        helper.make_tensor("t", TensorProto.FLOAT, [], [1.0]),
    ],
    ids=["strings", "halves of a byte", "nothing", "one number"],
)
def test_unusual_tensors_are_sound(tensor: Any) -> None:
    read_onnx(edited(lambda model: model.graph.initializer.append(tensor)))


# --- what is refused


def external(location: str, **more: str) -> Any:
    tensor = TensorProto(name="far", data_type=FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


@pytest.mark.parametrize(
    "location", ["weights.bin", "../../etc/passwd", "/etc/passwd", "C:\\x", "", "model.onnx"]
)
def test_data_outside_the_file_is_refused(location: str) -> None:
    data = edited(lambda model: model.graph.initializer.append(external(location)))
    assert "outside the file" in refusal(data)


def inner(depth: int, make: Any) -> Any:
    """A node in a graph in a graph …: `make()` gives the innermost."""
    node = make()
    for level in range(depth):
        graph = helper.make_graph([node], f"g{level}", [], [])
        node = helper.make_node("If", ["c"], ["o"], then_branch=graph, else_branch=graph)
    return node


def constant(tensor: Any) -> Any:
    return helper.make_node("Constant", [], ["o"], value=tensor)


def sparse() -> Any:
    """Two numbers that a runtime would make 16 GB of."""
    found = onnx.SparseTensorProto(dims=[1 << 32])
    found.values.CopyFrom(numpy_helper.from_array(np.ones(2, dtype=np.float32), "v"))
    found.indices.CopyFrom(numpy_helper.from_array(np.array([0, 9]), "i"))
    return found


FOREIGN = helper.make_node("Evil", ["a"], ["o"], domain="evil.ops")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: constant(external("x")), "outside the file"),
        (lambda: inner(3, lambda: constant(external("x"))), "outside the file"),
        (
            lambda: helper.make_node("Constant", [], ["o"], sparse_value=sparse()),
            "has sparse tensors",
        ),
        (lambda: FOREIGN, "uses operators of `evil.ops`"),
        (lambda: inner(2, lambda: FOREIGN), "uses operators of `evil.ops`"),
        (lambda: inner(4, lambda: helper.make_node("Add", ["a", "a"], ["o"])), None),
        (lambda: inner(9, lambda: helper.make_node("Add", ["a", "a"], ["o"])), "8 deep"),
        (
            lambda: helper.make_node("EPContext", [], ["o"], domain="com.microsoft"),
            "uses `EPContext`",
        ),
        (lambda: helper.make_node("Add", ["a" * 5000], ["o"]), "more than 4096 bytes"),
    ],
)
def test_what_a_node_may_not_be(make: Any, says: str | None) -> None:
    data = edited(lambda model: model.graph.node.append(make()))
    if says is None:
        read_onnx(data)
    else:
        assert says in refusal(data)


def test_sparse_tables_are_refused() -> None:
    data = edited(lambda model: model.graph.sparse_initializer.append(sparse()))
    assert "has sparse tensors" in refusal(data)


def opset(domain: str, version: int) -> Any:
    def change(model: Any) -> None:
        model.opset_import.append(helper.make_opsetid(domain, version))

    return change


def only_opset(*pairs: tuple[str, int]) -> Any:
    def change(model: Any) -> None:
        del model.opset_import[:]
        for domain, version in pairs:
            opset(domain, version)(model)

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (only_opset(("", 6)), "needs version 6 of the ONNX operators"),
        (only_opset(("", 999)), "needs version 999"),
        (only_opset(("", -1)), "needs version 18446744073709551615"),
        (only_opset(), "needs no version"),
        (only_opset(("ai.onnx", 17)), None),
        (only_opset(("", 17), ("com.microsoft", 1), ("ai.onnx.ml", 3)), None),
        (opset("", 13), "names the operators of `` twice"),
        (opset("ai.onnx.training", 1), "uses operators of `ai.onnx.training`"),
        (opset("\x1b[31mred", 1), "uses operators of"),
        (lambda model: model.training_info.add(), "made for training"),
        (lambda model: model.functions.add(name="f", domain=""), "functions of its own"),
        (lambda model: model.ClearField("graph"), "holds no graph"),
    ],
)
def test_what_a_model_may_not_be(change: Any, says: str | None) -> None:
    if says is None:
        read_onnx(edited(change))
    else:
        assert says in refusal(edited(change))


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(name="t", data_type=FLOAT, dims=[1 << 40]),
        TensorProto(name="t", data_type=FLOAT, dims=[1 << 20, 1 << 20, 1 << 20], raw_data=b"1234"),
        TensorProto(name="t", data_type=FLOAT, dims=[2], raw_data=b"1234"),
        TensorProto(name="t", data_type=FLOAT, dims=[1], raw_data=b"12345678"),
        TensorProto(name="t", data_type=FLOAT, dims=[-1], raw_data=b"1234"),
        TensorProto(name="t", data_type=FLOAT, dims=[1000], float_data=[1.0]),
        TensorProto(name="t", data_type=77, dims=[1 << 40], raw_data=b"1234"),
        TensorProto(name="t", data_type=FLOAT, dims=[1] * 40, raw_data=b"1234"),
    ],
    ids=["no data", "huge", "short", "long", "negative", "few numbers", "unknown", "dimensions"],
)
def test_a_tensor_is_what_it_claims(tensor: Any) -> None:
    assert "tensor" in refusal(edited(lambda model: model.graph.initializer.append(tensor)))


# --- bytes that no writer writes


def read_or_refuse(data: bytes) -> OnnxFile | None:
    """What a file says, or None where it is refused; nothing else may come of it."""
    with suppress(BindError):
        return read_onnx(data)
    return None


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def part(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


OPSET = part(8, varint(2 << 3) + varint(17))


def test_parts_of_a_message_are_not_overlooked() -> None:
    tensor = part(8, b"t") + varint(2 << 3) + varint(1) + varint(14 << 3)
    # A reader that cuts the number to 32 bits sees a 1: outside.
    hidden = part(7, part(5, tensor + varint((1 << 32) + 1)))
    assert "outside the file" in refusal(OPSET + hidden)
    assert "holds two graphs" in refusal(OPSET + part(7, b"") + part(7, b""))


@pytest.mark.parametrize(
    "data",
    [
        b"\x3a",
        b"\x3a\xff",
        b"\x3a\x05abc",
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x80" * 40,
        b"\x00\x00",
        b"\x0b\x0c",
        b"\x0f",
        varint(1 << 40) + b"\x00",
        OPSET + part(7, part(1, b"\x0a\x09a")),
        OPSET + part(7, part(11, b"\x0a\x02\xff\xfe")),
    ],
    ids=repr,
)
def test_malformed_bytes_are_refused(data: bytes) -> None:
    assert "cut off or malformed" in refusal(data)


def test_nothing_is_no_model() -> None:
    assert "is empty" in refusal(b"")
    refusal(b"PK\x03\x04" + bytes(100))
    refusal(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")


def test_a_file_cut_anywhere_is_refused() -> None:
    whole, end = read_onnx(SOUND), len(SOUND)
    for size in (*range(300), *range(300, end - 300, 11), *range(end - 300, end)):
        # Only what comes after graph and operators may be missing: nothing that matters.
        assert read_or_refuse(SOUND[:size]) in (None, whole)


def test_no_bytes_lead_anywhere_else() -> None:
    chance = random.Random(5)
    for _ in range(800):
        data = bytearray(SOUND)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, 0x3A))
        read_or_refuse(bytes(data))


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x08\x00" * 3_000_000,
        OPSET + part(7, part(1, b"") * 2_000_000),
        OPSET + part(7, part(1, part(5, b"\x40\x01" * 2_000_000))),
        OPSET + part(7, part(5, b"\x08\x01" * 2_000_000)),
        OPSET + part(7, part(5, part(1, b"\x01" * 2_000_000))),
    ],
    ids=["parts", "nodes", "numbers", "dimensions", "packed dimensions"],
)
def test_a_file_of_many_parts_takes_no_time(bomb: bytes) -> None:
    refusal(bomb)


def test_large_weights_are_stepped_over() -> None:
    large = np.zeros((5_000_000,), dtype=np.float32)
    data = edited(
        lambda model: model.graph.initializer.append(numpy_helper.from_array(large, "large"))
    )
    start = time.process_time()
    read_onnx(data)
    assert time.process_time() - start < 0.1
