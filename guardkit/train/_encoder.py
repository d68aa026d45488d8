"""The encoder of the mini tier: six layers, and a head on their mean and their greatest.

It is arrays by name and functions over them, no tree of modules: the names are those that
`_graph.py` writes to ONNX, and torch is loaded when a training begins. All sizes are those of the
arrays.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from guardkit.errors import UsageError

from ._graph import BITS, HEADS_OF_ATTENTION, LAYERS

HIDDEN: Final = 256
"""How wide the head is."""
_EPSILON: Final = 1e-12
_DTYPES: Final = {"F32": "<f4", "F16": "<f2"}
_NAMES: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "o": "attention.output.dense",
    "f": "intermediate.dense",
    "g": "output.dense",
    "n1": "attention.output.LayerNorm",
    "n2": "output.LayerNorm",
}
"""What a layer is made of, by our name, and what a sentence encoder calls it."""


class Encoder:
    """The encoder and its head.

    Args:
        weights: Tensors by name: `tab`, `pos` and `n0` (tokens, places, their norm), `layers.0.q`
            and so on, `h1` and `h2` (the head).
    """

    def __init__(self, weights: Mapping[str, Any]) -> None:
        self.weights = dict(weights)

    def below(self, ids: Any, layers: int) -> Any:
        """What the embedding and the first layers make of tokens [rows, tokens]; 0 is padding."""
        from torch.nn.functional import embedding

        places = self.weights["pos.weight"][: ids.shape[1]]
        x = self._norm(embedding(ids, self.weights["tab.weight"]) + places[None], "n0")
        for at in range(layers):
            x = self._layer(at, x, ids != 0, 0.0, False)
        return x

    def above(
        self, x: Any, ids: Any, layers: int, *, drop: float = 0.0, is_rounded: bool = False
    ) -> tuple[Any, Any]:
        """Evidence by column, and the embedding: from what `below` gave.

        Args:
            x: What `below` made of the tokens.
            ids: The tokens.
            layers: How many layers `below` went through.
            drop: Which share of what flows is dropped, in training.
            is_rounded: Whether weights count as they will be stored.
        """
        import torch
        from torch.nn.functional import dropout, gelu

        here = ids != 0
        for at in range(layers, LAYERS):
            x = self._layer(at, x, here, drop, is_rounded)
        some = here[..., None].to(x.dtype)
        mean = (x * some).sum(1) / some.sum(1)
        most = x.masked_fill(some == 0, -1e4).amax(1)
        inner = gelu(self._linear("h1", torch.cat([mean, most], 1), is_rounded))
        return self._linear("h2", dropout(inner, 2 * drop, drop > 0), False), mean

    def copied(self) -> Encoder:
        """The same encoder with arrays of its own."""
        return Encoder({name: weight.detach().clone() for name, weight in self.weights.items()})

    def to(self, device: str) -> Encoder:
        """The same encoder on a device."""
        return Encoder({name: weight.to(device) for name, weight in self.weights.items()})

    def arrays(self) -> dict[str, Any]:
        """The weights as numpy arrays of float32: what `encoder_onnx` writes."""
        return {name: w.detach().float().cpu().numpy() for name, w in self.weights.items()}

    def _layer(self, at: int, x: Any, here: Any, drop: float, is_rounded: bool) -> Any:
        from torch.nn.functional import dropout, gelu, scaled_dot_product_attention

        name = f"layers.{at}"
        rows, tokens, dim = x.shape
        q, k, v = (
            self._linear(f"{name}.{part}", x, is_rounded)
            .view(rows, tokens, HEADS_OF_ATTENTION, -1)
            .transpose(1, 2)
            for part in "qkv"
        )
        seen = scaled_dot_product_attention(q, k, v, attn_mask=here[:, None, None, :])
        seen = seen.transpose(1, 2).reshape(rows, tokens, dim)
        seen = self._linear(f"{name}.o", seen, is_rounded)
        x = self._norm(x + dropout(seen, drop, drop > 0), f"{name}.n1")
        inner = gelu(self._linear(f"{name}.f", x, is_rounded))
        inner = self._linear(f"{name}.g", inner, is_rounded)
        return self._norm(x + dropout(inner, drop, drop > 0), f"{name}.n2")

    def _linear(self, name: str, x: Any, is_rounded: bool) -> Any:
        from torch.nn.functional import linear

        weight = self.weights[f"{name}.weight"]
        return linear(x, rounded(weight) if is_rounded else weight, self.weights[f"{name}.bias"])

    def _norm(self, x: Any, name: str) -> Any:
        from torch.nn.functional import layer_norm

        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return layer_norm(x, weight.shape, weight, bias, _EPSILON)


def rounded(weight: Any) -> Any:
    """A weight as it will be stored: 7 bits, one scale an output. Gradients pass unchanged."""
    import torch

    fixed = weight.detach()
    scale = (fixed.abs().amax(1, keepdim=True) / BITS).clamp_min(1e-8)
    # Nothing is added but zeros, so the value is exactly the stored one.
    return torch.round(fixed / scale) * scale + (weight - fixed)


def started(path: Path, columns: int, seed: int = 0) -> Encoder:
    """An encoder with the weights of a sentence encoder, and a head that knows nothing.

    Args:
        path: A safetensors file of a BERT encoder of six layers.
        columns: How many columns of evidence the head gives.
        seed: The head begins at random.

    Raises:
        UsageError: The file cannot be read, or holds another kind of model.
    """
    import torch

    given = read_safetensors(path)
    try:
        places = given["embeddings.position_embeddings.weight"]
        state = {
            "tab.weight": given["embeddings.word_embeddings.weight"],
            "pos.weight": places + given["embeddings.token_type_embeddings.weight"][0],
            "n0.weight": given["embeddings.LayerNorm.weight"],
            "n0.bias": given["embeddings.LayerNorm.bias"],
        }
        for at in range(LAYERS):
            for ours, theirs in _NAMES.items():
                for part in ("weight", "bias"):
                    name = f"encoder.layer.{at}.{theirs}.{part}"
                    state[f"layers.{at}.{ours}.{part}"] = given[name]
    except (KeyError, IndexError, ValueError):
        state = {}
    if not state or f"encoder.layer.{LAYERS}.{_NAMES['q']}.weight" in given or not _fits(state):
        raise UsageError(f"`{path.name}` does not hold a sentence encoder of {LAYERS} layers")
    dim = state["tab.weight"].shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = {"h1": torch.nn.Linear(2 * dim, HIDDEN), "h2": torch.nn.Linear(HIDDEN, columns)}
    weights = {name: torch.tensor(array) for name, array in state.items()}
    for name, layer in layers.items():
        weights[f"{name}.weight"] = layer.weight.detach()
        weights[f"{name}.bias"] = layer.bias.detach()
    return Encoder(weights)


def _fits(state: Mapping[str, Any]) -> bool:
    """Whether the arrays are those of one encoder."""
    table, inner = state["tab.weight"], state["layers.0.f.weight"]
    if table.ndim != 2 or inner.ndim != 2:
        return False
    dim, wide = table.shape[1], inner.shape[0]
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys("qkvo", (dim, dim))
    shapes |= {"f": (wide, dim), "g": (dim, wide), "n1": (dim,), "n2": (dim,)}
    return (
        dim % HEADS_OF_ATTENTION == 0
        and state["pos.weight"].ndim == 2
        and state["pos.weight"].shape[1] == dim
        and state["n0.weight"].shape == state["n0.bias"].shape == (dim,)
        and all(
            state[f"layers.{at}.{part}.weight"].shape == shape
            and state[f"layers.{at}.{part}.bias"].shape == shape[:1]
            for at in range(LAYERS)
            for part, shape in shapes.items()
        )
    )


def read_safetensors(path: Path) -> dict[str, Any]:
    """The arrays of a safetensors file that are float32 or float16, as float32.

    Raises:
        UsageError: It cannot be read, or is no such file.
    """
    import numpy as np

    try:
        data = path.read_bytes()
    except OSError as error:
        why = (error.strerror or "it failed").lower()
        raise UsageError(f"`{path.name}` cannot be read: {why}") from None
    found = {}
    try:
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        for name, what in header.items():
            if name == "__metadata__" or what["dtype"] not in _DTYPES:
                continue
            start, end = (8 + size + at for at in what["data_offsets"])
            array = np.frombuffer(data[start:end], _DTYPES[what["dtype"]])
            found[name] = array.reshape(what["shape"]).astype(np.float32)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"`{path.name}` is not a safetensors file") from None
    if not all(np.isfinite(array).all() for array in found.values()):
        raise UsageError(f"`{path.name}` holds numbers that are not finite")
    return found
