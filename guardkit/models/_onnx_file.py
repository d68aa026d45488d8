"""What an ONNX file says of itself, read before any runtime sees it.

An ONNX file is one protobuf message. This reads the few fields that matter and steps over the rest,
weights included, without copying. It reads the way the runtimes do, but trusts nothing: what they
would merge, cut short or overlook is refused.

Refused: data outside the file, operators that are not of ONNX or its runtime, functions of its own,
what trains, tensors that claim more than the file holds or leave most of it out, and whatever is
cut off or malformed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from guardkit.diagnostics import visible
from guardkit.errors import BindError

DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Where operators may come from: ONNX itself and the runtime."""
OPSETS: Final = range(7, 41)
"""Versions of the standard operators. Runtimes know fewer, and say so when a model is opened."""

_OUTSIDE: Final = frozenset({"EPContext", "PythonOp", "PyOp", "ATen", "ExternalGraph"})
"""Operators of the runtime that load code or data from elsewhere."""
_MOST_FIELDS: Final = 150_000
"""How many parts are looked at. A model of 24 layers has some 50,000."""
_MOST_DEPTH: Final = 8
"""How deep graphs may lie in graphs."""
_LONGEST_NAME: Final = 4096

_BITS: Final = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64,
    15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
"""Bits of one element by element type; a string (8) has none of its own."""
TYPES: Final = {1: "float", 6: "int32", 7: "int64", 10: "float16", 11: "double", 16: "bfloat16"}
"""The element types that inputs and outputs of models for texts have."""


class Port(NamedTuple):
    """One input or output of a model."""

    name: str
    type: str
    """The element type; another than those of `TYPES` is `type N`."""
    shape: tuple[int | None, ...] | None
    """A dimension without a fixed size is None; without any shape all of it is."""


class Node(NamedTuple):
    """One operator of the outermost graph."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What was found in a file that may be loaded."""

    opsets: Mapping[str, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    rows: int | None
    """How many token ids the table knows that `input_ids` is looked up in; None if unclear."""
    operators: frozenset[str]
    """Every kind of operator in it, inner graphs included."""

    def output(self, name: str) -> Port | None:
        """The output of this name."""
        return next((port for port in self.outputs if port.name == name), None)


def read_onnx(data: bytes) -> OnnxFile:
    """What an ONNX file says of itself; time and memory do not depend on what it claims.

    Raises:
        BindError: It may not be loaded; one sentence.
    """
    try:
        return _Reader(data).read()
    except _RefusedError as error:
        raise BindError(f"`model.onnx` {error}") from None


class _RefusedError(Exception):
    """Why a file may not be loaded: the rest of a sentence that begins with its name."""


class _Field(NamedTuple):
    number: int
    wire: int
    value: int
    """The number itself, or where bytes begin."""
    end: int


@dataclass(slots=True)
class _Graph:
    """What is kept of the outermost graph."""

    nodes: list[Node] = field(default_factory=list)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    tables: dict[str, tuple[int, ...]] = field(default_factory=dict)


_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_CUT = "is cut off or malformed"
# A runtime fills them up: a few bytes would become any size.
_SPARSE = "has sparse tensors"


class _Reader:
    """One pass over one file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = _MOST_FIELDS
        self.operators: set[str] = set()

    def read(self) -> OnnxFile:
        opsets: dict[str, int] = {}
        graph: _Graph | None = None
        for one in self.fields(0, len(self.data)):
            if one.wire != _BYTES:
                continue
            if one.number == 7:
                if graph is not None:
                    raise _RefusedError("holds two graphs")
                graph = _Graph()
                self.graph(one, graph, 1)
            elif one.number == 8:
                domain, version = self.opset(one)
                if domain in opsets:
                    raise _RefusedError(f"names the operators of `{visible(domain)}` twice")
                opsets[domain] = version
            elif one.number == 20:
                raise _RefusedError("is made for training")
            elif one.number == 25:
                raise _RefusedError("defines functions of its own")
        if graph is None:
            raise _RefusedError("holds no graph" if len(self.data) else "is empty")
        standard = opsets.get("", opsets.get("ai.onnx"))
        if standard is None or standard not in OPSETS:
            said = "no version" if standard is None else f"version {standard}"
            raise _RefusedError(
                f"needs {said} of the ONNX operators; known are {OPSETS[0]} to {OPSETS[-1]}"
            )
        # Before version 4 of the format, tables had to be named among the inputs.
        inputs = tuple(port for port in graph.inputs if port.name not in graph.tables)
        operators = frozenset(self.operators)
        return OnnxFile(opsets, inputs, tuple(graph.outputs), _rows(graph), operators)

    # --- messages

    def graph(self, whole: _Field, kept: _Graph | None, depth: int) -> None:
        if depth > _MOST_DEPTH:
            raise _RefusedError(f"has graphs more than {_MOST_DEPTH} deep")
        for one in self.fields(whole.value, whole.end):
            if one.wire != _BYTES:
                continue
            if one.number == 1:
                node = self.node(one, depth)
                if kept is not None:
                    kept.nodes.append(node)
            elif one.number == 5:
                name, dims = self.tensor(one)
                if kept is not None:
                    kept.tables[name] = dims
            elif one.number == 15:
                raise _RefusedError(_SPARSE)
            elif one.number == 11 and kept is not None:
                kept.inputs.append(self.port(one))
            elif one.number == 12 and kept is not None:
                kept.outputs.append(self.port(one))

    def node(self, whole: _Field, depth: int) -> Node:
        operator, inputs, outputs = "", [], []
        for one in self.fields(whole.value, whole.end):
            if one.wire != _BYTES:
                continue
            if one.number == 1:
                inputs.append(self.text(one))
            elif one.number == 2:
                outputs.append(self.text(one))
            elif one.number == 4:
                operator = self.text(one)
                if operator in _OUTSIDE:
                    raise _RefusedError(f"uses `{operator}`, which loads what is not in the file")
            elif one.number == 5:
                self.attribute(one, depth)
            elif one.number == 7:
                self.domain(one)
        self.operators.add(operator)
        return Node(operator, tuple(inputs), tuple(outputs))

    def attribute(self, whole: _Field, depth: int) -> None:
        for one in self.fields(whole.value, whole.end):
            if one.wire != _BYTES:
                continue
            if one.number in (5, 10):
                self.tensor(one)
            elif one.number in (6, 11):
                self.graph(one, None, depth + 1)
            elif one.number in (22, 23):
                raise _RefusedError(_SPARSE)

    def tensor(self, whole: _Field) -> tuple[str, tuple[int, ...]]:
        """Name and size of a table, once it is clear that it lies in the file as it says."""
        name, kind, held, raw = "", 0, 0, -1
        dims: list[int] = []
        for one in self.fields(whole.value, whole.end):
            if one.number == 1:
                dims += [one.value] if one.wire == _VARINT else self.packed(one)
                if len(dims) > 32:
                    raise _RefusedError("has a tensor of more than 32 dimensions")
            elif one.number == 2 and one.wire == _VARINT:
                kind = one.value
            elif one.number == 8 and one.wire == _BYTES:
                name = self.text(one)
            elif one.number == 9 and one.wire == _BYTES:
                raw = one.end - one.value
            elif one.number in (4, 5, 6, 7, 10, 11):
                held += one.end - one.value if one.wire == _BYTES else 8
                held += one.number == 6  # a string may be empty
            elif one.number == 13 or (one.number == 14 and one.value & 0xFFFFFFFF):
                # A runtime cuts the number to 32 bits, so a greater one would hide a 1.
                raise _RefusedError("keeps data outside the file")
        size = 1
        for dim in dims:
            if dim >> 63:
                raise _RefusedError("has a tensor of negative size")
            size *= dim
        bits = _BITS.get(kind)
        if raw >= 0 and bits is not None:
            fits = raw == (size * bits + 7) // 8
        else:
            # Each element takes a byte at least; the smallest types are kept eight to a number.
            fits = size <= 8 * max(held, raw, 0)
        if not fits:
            raise _RefusedError("has a tensor of another size than its data")
        return name, tuple(dims)

    def port(self, whole: _Field) -> Port:
        name, kind = "", None
        for one in self.fields(whole.value, whole.end):
            if one.number == 1 and one.wire == _BYTES:
                name = self.text(one)
            elif one.number == 2 and one.wire == _BYTES:
                if kind is not None:
                    raise _RefusedError("gives an input or output two types")
                kind = self.type(one)
        return Port(name, *(kind or ("no tensor", None)))

    def type(self, whole: _Field) -> tuple[str, tuple[int | None, ...] | None]:
        element, shape = "no tensor", None
        for one in self.fields(whole.value, whole.end):
            if one.number == 1 and one.wire == _BYTES:
                for part in self.fields(one.value, one.end):
                    if part.number == 1 and part.wire == _VARINT:
                        element = TYPES.get(part.value, f"type {part.value}")
                    elif part.number == 2 and part.wire == _BYTES:
                        shape = tuple(self.dims(part))
        return element, shape

    def dims(self, whole: _Field) -> Iterator[int | None]:
        for one in self.fields(whole.value, whole.end):
            if one.number == 1 and one.wire == _BYTES:
                size = None
                for part in self.fields(one.value, one.end):
                    if part.number == 1 and part.wire == _VARINT:
                        # Exporters write 0 and -1 for a size that is not known.
                        size = part.value if 0 < part.value < 1 << 63 else None
                    elif part.number == 2:
                        size = None
                yield size

    def opset(self, whole: _Field) -> tuple[str, int]:
        domain, version = "", 0
        for one in self.fields(whole.value, whole.end):
            if one.number == 1 and one.wire == _BYTES:
                domain = self.domain(one)
            elif one.number == 2 and one.wire == _VARINT:
                version = one.value
        return domain, version

    def domain(self, one: _Field) -> str:
        domain = self.text(one)
        if domain not in DOMAINS:
            shown = visible(domain)[:100]
            raise _RefusedError(f"uses operators of `{shown}`, which no runtime of ours knows")
        return domain

    # --- the wire

    def text(self, one: _Field) -> str:
        if one.end - one.value > _LONGEST_NAME:
            raise _RefusedError(f"has a name of more than {_LONGEST_NAME} bytes")
        try:
            return self.data[one.value : one.end].decode()
        except UnicodeDecodeError:
            raise _RefusedError(_CUT) from None

    def packed(self, one: _Field) -> list[int]:
        if one.wire != _BYTES or one.end - one.value > 320:
            raise _RefusedError("has a tensor of more than 32 dimensions")
        found, at = [], one.value
        while at < one.end:
            value, at = self.varint(at, one.end)
            found.append(value)
        return found

    def fields(self, at: int, end: int) -> Iterator[_Field]:
        """The fields of one message; bytes of a field always lie inside it."""
        data = self.data
        while at < end:
            self.left -= 1
            if self.left < 0:
                raise _RefusedError(f"has more than {_MOST_FIELDS:,} parts")
            tag = data[at]
            if tag < 0x80:
                at += 1
            else:
                tag, at = self.varint(at, end)
            number, wire = tag >> 3, tag & 7
            if not 0 < number < 1 << 29:
                raise _RefusedError(_CUT)
            if wire == _VARINT:
                value, at = self.varint(at, end)
                yield _Field(number, wire, value, at)
                continue
            if wire == _BYTES:
                size, at = self.varint(at, end)
            elif wire in (_FIXED32, _FIXED64):
                size = 4 if wire == _FIXED32 else 8
            else:
                raise _RefusedError(_CUT)
            if size > end - at:
                raise _RefusedError(_CUT)
            yield _Field(number, wire, at, at + size)
            at += size

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """A number of 64 bits, and where it ends."""
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                break
            byte = self.data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, at
        raise _RefusedError(_CUT)


_SAME = frozenset({"Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze"})
"""Operators that keep the numbers of their first input."""


def _rows(graph: _Graph) -> int | None:
    """How many rows the table has that `input_ids` is looked up in."""
    ids, found = {"input_ids"}, []
    for node in graph.nodes:  # in the order they run, as the format demands
        first = node.inputs[:1]
        if node.operator in _SAME and first and first[0] in ids:
            ids.update(node.outputs[:1])
        elif node.operator == "Gather" and len(node.inputs) > 1 and node.inputs[1] in ids:
            found.append(graph.tables.get(node.inputs[0], ()))
        elif node.operator == "EmbedLayerNormalization" and first and first[0] in ids:
            found.append(graph.tables.get((*node.inputs, "", "")[2], ()))
    return min((dims[0] for dims in found if len(dims) > 1), default=None)
