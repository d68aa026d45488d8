"""Encoders from labelled texts to files: tokens, training, the ONNX graph, and what int8 cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from guardkit.errors import UsageError
from guardkit.models import Embedding, Window

from ._encoder import Encoder, started
from ._graph import encoder_onnx
from ._measure import Said
from ._rows import Row
from ._target import Target
from ._tune import LEAD, MARKS, MASK, OVERLAP, ROOM, TAIL, WINDOW, Settings, Tuning, Windows

_SPECIAL: Final = {0: "[PAD]", LEAD: "[CLS]", TAIL: "[SEP]", MASK: "[MASK]"}
_AT_ONCE: Final = 4_096
_RUN: Final = re.compile(r"([!-~]{90})(?=[!-~])")
"""Reading cuts runs that a word-piece tokenizer would give up on: so does training."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MOST_COMPARED: Final = 200


class Start(NamedTuple):
    """What a tuning begins with."""

    encoder: Encoder
    tokenizer: bytes

    @property
    def dim(self) -> int:
        """How wide the embedding is."""
        return int(self.encoder.weights["tab.weight"].shape[1])


def start_of(weights: Path, columns: int, seed: int = 0) -> Start:
    """A sentence encoder with a new head, and the tokenizer that lies beside its weights.

    Raises:
        UsageError: One of them is missing or of another kind.
    """
    from tokenizers import Tokenizer

    encoder = started(weights, columns, seed)
    beside = weights.with_name("tokenizer.json")
    try:
        tokenizer = beside.read_bytes()
        made = Tokenizer.from_buffer(tokenizer)
    except OSError:
        raise UsageError(f"`tokenizer.json` does not lie beside `{weights.name}`") from None
    except Exception:  # noqa: BLE001 - it raises nothing narrower
        raise UsageError("`tokenizer.json` is not a tokenizer that can be read") from None
    known = len(encoder.weights["tab.weight"])
    greatest = max(made.get_vocab(with_added_tokens=True).values(), default=0)
    if any(made.id_to_token(at) != token for at, token in _SPECIAL.items()) or greatest >= known:
        raise UsageError(f"`tokenizer.json` is not the one that `{weights.name}` was trained with")
    if len(encoder.weights["pos.weight"]) < WINDOW:
        raise UsageError(f"`{weights.name}` reads fewer than {WINDOW} tokens")
    return Start(encoder, tokenizer)


def tokens_of(tokenizer: bytes, texts: Sequence[str]) -> list[Any]:
    """The tokens of each text, without what stands around a window."""
    import numpy as np
    from tokenizers import Tokenizer

    made = Tokenizer.from_buffer(tokenizer)
    made.no_truncation()
    made.no_padding()
    made.encode_special_tokens = True
    found: list[Any] = []
    for at in range(0, len(texts), _AT_ONCE):
        part = [
            _SURROGATE.sub("\ufffd", _RUN.sub(r"\1 ", text)) for text in texts[at : at + _AT_ONCE]
        ]
        encodings = made.encode_batch_fast(part, add_special_tokens=False)
        found += [np.array(e.ids, np.uint32) for e in encodings]
    return found


def tuned(
    start: Start,
    rows: Sequence[Row],
    targets: Sequence[Target],
    shares: Mapping[tuple[str, int], float],
    how: Settings,
    told: Callable[[float], None] | None = None,
) -> tuple[Encoder, int]:
    """An encoder that was trained on these rows, and how many batches it saw."""

    def said(_: int, part: float, __: float) -> None:
        if told is not None:
            told(part)

    tokens = tokens_of(start.tokenizer, [row.text for row in rows])
    tuning = Tuning(start.encoder, targets, how)
    windows = Windows(rows, tokens, targets, shares, how.seed)
    return tuning.run(windows.batches(), said).to("cpu"), tuning.steps


def window() -> Window:
    """How an encoder wants a text cut. A window is read by itself: see `_graph.py`."""
    return Window(
        tokens=WINDOW, overlap=OVERLAP, lead=(LEAD,), tail=(TAIL,), pad=0, surfaces=dict(MARKS)
    )


def embedding_of(start: Start) -> Embedding:
    """The mean of the last layer, of each window."""
    return Embedding(output="embedding", dim=start.dim, pooling="none")


def files_of(start: Start, encoder: Encoder, targets: Sequence[Target]) -> dict[str, bytes]:
    """The files of an encoder."""
    columns = max(target.at + len(target.labels) for target in targets)
    return {
        "model.onnx": encoder_onnx(encoder.arrays(), columns),
        "tokenizer.json": start.tokenizer,
    }


def what_int8_cost(
    encoder: Encoder,
    tokenizer: bytes,
    target: Target,
    rows: Sequence[Row],
    said: Sequence[Said | None],
) -> dict[str, Any]:
    """How far a stored head is from the one that was trained, on texts of one window."""
    import numpy as np
    import torch

    texts = [row.text for row in rows]
    wanted: list[float] = []
    given: list[float] = []
    for at, tokens in enumerate(tokens_of(tokenizer, texts[: 4 * _MOST_COMPARED])):
        one = said[at]
        if one is None or one.windows != 1 or len(tokens) > ROOM or len(wanted) == _MOST_COMPARED:
            continue
        around = ([LEAD, MARKS[rows[at].surface]], tokens.astype(np.int64), [TAIL])
        ids = torch.from_numpy(np.concatenate(around)[None])
        with torch.no_grad():
            logits = encoder.above(encoder.below(ids, 0), ids, 0)[0]
        wanted.append(float(logits[0, target.at]))
        given.append(one.evidence[target.name][0])
    if not wanted or target.kind == "softmax":
        return {}
    before, after = np.array(wanted), np.array(given)
    return {
        "head": target.name,
        "texts": len(wanted),
        "mean_difference": round(float(np.abs(before - after).mean()), 4),
        "greatest_difference": round(float(np.abs(before - after).max()), 4),
        "verdicts_moved": round(float(((before > 0) != (after > 0)).mean()), 4),
    }
