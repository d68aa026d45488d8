"""Whether the parts of a model fit each other: manifest, graph and tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from guardkit.diagnostics import visible
from guardkit.errors import BindError

from ._manifest import Manifest
from ._onnx_file import OnnxFile, Port

INPUTS: Final = ("input_ids", "attention_mask", "token_type_ids")
"""What inference hands to a model, all of it int64 [windows, tokens]."""


def read_tokenizer(data: bytes) -> Any:  # tokenizers is loaded late
    """The tokenizer of a `tokenizer.json`; it cuts no text, and takes no text for a mark.

    Raises:
        BindError: The file is no tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        made = Tokenizer.from_buffer(data)
    except Exception:  # noqa: BLE001 - it raises nothing narrower; what it says quotes the file
        raise BindError("`tokenizer.json` is not a tokenizer that can be read") from None
    # A file may ask for texts to be cut: the rest would go unread, and nobody would know.
    made.no_truncation()
    made.no_padding()
    # A text may hold `[SEP]` or the mark of a surface: there it is text, and marks nothing.
    made.encode_special_tokens = True
    return made


def misfits(manifest: Manifest, graph: OnnxFile | None, tokenizer: Any) -> Iterator[str]:
    """What does not fit, one sentence each. A part that the model does not have is None."""
    if graph is not None:
        yield from input_misfits(graph)
        yield from _outputs(manifest, graph)
    if tokenizer is not None:
        yield from _tokens(manifest, graph, tokenizer)


def input_misfits(graph: OnnxFile) -> Iterator[str]:
    """What inference cannot give to a graph."""
    names = [port.name for port in graph.inputs]
    for port in graph.inputs:
        shown = visible(port.name)
        if port.name not in INPUTS:
            yield f"`model.onnx` wants an input `{shown}`; given are {', '.join(INPUTS)}"
        elif port.type != "int64":
            yield f"input `{shown}` of `model.onnx` is {port.type}, not int64"
        elif port.shape is not None and len(port.shape) != 2:
            yield f"input `{shown}` of `model.onnx` is not of the shape [windows, tokens]"
        elif port.shape is not None and port.shape != (None, None):
            yield f"input `{shown}` of `model.onnx` has a fixed size; export it with dynamic axes"
    if "input_ids" not in names:
        yield "`model.onnx` has no input `input_ids`"
    if len(set(names)) != len(names):
        yield "`model.onnx` has two inputs of one name"


def _outputs(manifest: Manifest, graph: OnnxFile) -> Iterator[str]:
    for head in manifest.heads:
        port = graph.output(head.output)
        yield from _misfit(f"head `{head.name}`", port, head.output, 2)
        width = _width(port, 2)
        if width is not None and width < head.at + len(head.labels):
            yield f"head `{head.name}` has more labels than `model.onnx` has columns"
    if manifest.tokens is not None:
        port = graph.output(manifest.tokens.output)
        yield from _misfit("the token labels", port, manifest.tokens.output, 3)
        width = _width(port, 3)
        if width is not None and width != len(manifest.tokens.labels):
            yield f"there are {len(manifest.tokens.labels)} token labels for {width} columns"
    if manifest.embedding is not None:
        port = graph.output(manifest.embedding.output)
        rank = 2 if manifest.embedding.pooling == "none" else 3
        yield from _misfit("the embedding", port, manifest.embedding.output, rank)
        width = _width(port, rank)
        if width is not None and width != manifest.embedding.dim:
            yield f"the embedding has {width} columns, not {manifest.embedding.dim}"


def _misfit(what: str, port: Port | None, name: str, rank: int) -> Iterator[str]:
    if port is None:
        yield f"{what} needs an output `{visible(name)}`, which `model.onnx` does not have"
    elif port.type not in ("float", "float16"):
        yield f"{what} needs an output of numbers, and `{visible(name)}` is {port.type}"
    elif port.shape is not None and len(port.shape) != rank:
        wanted = "[windows, columns]" if rank == 2 else "[windows, tokens, columns]"
        yield f"{what} needs an output of the shape {wanted}, and `{visible(name)}` has another"


def _width(port: Port | None, rank: int) -> int | None:
    """How many columns there are, if that is certain."""
    shape = port.shape if port is not None else None
    return shape[-1] if shape is not None and len(shape) == rank else None


def _tokens(manifest: Manifest, graph: OnnxFile | None, tokenizer: Any) -> Iterator[str]:
    window = manifest.window
    placed = {*window.lead, *window.tail, *window.surfaces.values()}
    for token in sorted(placed):
        if tokenizer.id_to_token(token) is None:
            yield f"the window puts token {token} around a text, and `tokenizer.json` has none such"
    if graph is None or graph.rows is None:
        return
    if window.pad >= graph.rows:
        yield f"token {window.pad} is for padding, and `model.onnx` knows {graph.rows} tokens"
    most = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if most >= graph.rows:
        yield f"`tokenizer.json` gives token {most}, and `model.onnx` knows {graph.rows} tokens"
