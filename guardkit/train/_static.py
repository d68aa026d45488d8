"""Makes static model directories: what a head begins with, its training, and the files of it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from guardkit.errors import BindError, UsageError
from guardkit.models import BLOCK, WINDOWS, Embedding, Window, read_verified, shipped

from ._bag import Corpus, Size, Trainer
from ._distil import Table
from ._draw import Draw
from ._rows import SURFACES, Row
from ._target import Target

COLUMNS: Final[Mapping[str, int]] = {surface: at for at, surface in enumerate(SURFACES)}
_SPREAD: Final = 0.05
"""How far the first rows of pieces lie from nothing."""
_AT_ONCE: Final = 20_000
_FEW: Final = 20_000
"""Texts from which on the tables are as large as they get."""
_FEW_PAIRS: Final = 2_000
"""Texts from which on pairs of words say something."""


class Plan(NamedTuple):
    """How large the tables of a head are, and how long it is trained."""

    size: Size
    steps: int
    batch: int
    rate: float = 2e-3
    """How fast: what is seen seldom has to be learned at once."""
    decay: float = 0.02
    """How fast it is forgotten: few texts are else learned by heart."""


def plan_for(rows: int) -> Plan:
    """The tables and steps for so many texts.

    Measured: with 2,500 texts, twice the steps cost new sources 0.06 of AUC; with 300, pairs cost
    them 0.1, for each pair is met once and tells its text.
    """
    if rows >= _FEW:
        return Plan(Size(), min(4_000, rows // 25), 256)
    pairs = 1 << 14 if rows >= _FEW_PAIRS else 2
    return Plan(Size(grams=1 << 13, pairs=pairs, hidden=32), 80 + rows // 200, 128, 1e-2, 5.0)


class Base(NamedTuple):
    """What a head stands on: the table of a static tier and its tokenizer."""

    table: Table
    tokenizer: bytes
    is_shipped: bool
    """Whether a model may name it instead of holding it."""

    def start(self, width: int) -> Any:
        """Where the rows of pieces begin: the main directions of the table."""
        import numpy as np

        rows = self.table.floats()[:, :width]
        missing = width - rows.shape[1]
        if missing > 0:
            rows = np.pad(rows, ((0, 0), (0, missing)))
        return rows / max(float(rows.std()), 1e-9) * _SPREAD

    def pieces_of(self, words: list[str]) -> list[list[int]]:
        """The pieces of each word."""
        from tokenizers import Tokenizer

        made = Tokenizer.from_buffer(self.tokenizer)
        made.no_truncation()
        made.no_padding()
        made.encode_special_tokens = True
        found: list[list[int]] = []
        for at in range(0, len(words), _AT_ONCE):
            # Half of a surrogate pair is no character, and tokenizers refuse it.
            part = [w.encode("utf-8", "replace").decode() for w in words[at : at + _AT_ONCE]]
            found += [e.ids for e in made.encode_batch_fast(part, add_special_tokens=False)]
        return found


def base_of(folder: Path | None = None) -> Base:
    """The static tier that ships, or that of a directory.

    Raises:
        BindError: There is none, or it holds no table.
    """
    import numpy as np

    given = read_verified(shipped("static") if folder is None else folder)
    if "table.npy" not in given.files or "heads.npz" not in given.files:
        raise BindError(f"model `{given.manifest.name}` is no static tier: it has no table")
    table = np.load(io.BytesIO(given.files["table.npy"]), allow_pickle=False)
    with np.load(io.BytesIO(given.files["heads.npz"]), allow_pickle=False) as arrays:
        if "weights" not in arrays:
            raise BindError(f"model `{given.manifest.name}` is no static tier: it has no weights")
        weights = arrays["weights"]
    return Base(Table(table, weights), given.files["tokenizer.json"], folder is None)


def bag_of(
    corpus: Corpus,
    rows: Sequence[Row],
    indexes: Sequence[int],
    targets: Sequence[Target],
    base: Base,
    *,
    shares: Mapping[tuple[str, int], float],
    plan: Plan,
    seed: int = 0,
    told: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Train the arrays of `heads.npz` on some of the rows; the same seed gives the same arrays.

    Args:
        corpus: The words of all rows.
        rows: All rows.
        indexes: Those that are trained on.
        targets: The heads.
        base: What they stand on.
        shares: How often a text of each head and label is drawn.
        plan: How large the tables are, and how long to train.
        seed: Of what is drawn, and of where the layers begin.
        told: Called with the part that is done.
    """
    import torch

    with repeatable(seed):
        trainer = Trainer(
            corpus, rows, targets, base.start(plan.size.width), COLUMNS, size=plan.size, seed=seed
        )
        with torch.no_grad():
            # What no text of the training holds says nothing, and not something at random.
            trainer.grams.zero_()
            trainer.pairs.zero_()

        def said(at: int, _: float) -> None:
            if told is not None:
                told((at + 1) / plan.steps)

        drawn = _Some(rows, indexes, shares, seed)
        trainer.train(
            drawn, plan.steps, batch=plan.batch, rate=plan.rate, decay=plan.decay, said=said
        )
        return trainer.arrays()


class _Some(Draw):
    """Draws from some of the rows, and names them by their place in all."""

    def __init__(
        self,
        rows: Sequence[Row],
        indexes: Sequence[int],
        shares: Mapping[tuple[str, int], float],
        seed: int,
    ) -> None:
        super().__init__([rows[at] for at in indexes], shares, seed)
        self._indexes = indexes

    def rows(self, count: int) -> list[int]:
        return [self._indexes[at] for at in super().rows(count)]


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """One thread and chance of its own: sums come in one order, and nobody else's chance moves."""
    import torch

    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def window() -> Window:
    """What the manifest of a static model says of windows: of words, for it reads no tokens."""
    size, step = WINDOWS[-1]
    words = size * BLOCK
    return Window(tokens=words + 1, overlap=(size - step) * BLOCK, surfaces=dict(COLUMNS))


def embedding_of(base: Base) -> Embedding | None:
    """The embedding of a model that holds its table."""
    if base.is_shipped:
        return None
    return Embedding(output="embedding", dim=int(base.table.rows.shape[1]), pooling="none")


def files_of(base: Base, arrays: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a static model; what it shares with the tier that ships is not among them."""
    import numpy as np

    if base.is_shipped:
        return {"heads.npz": _packed(arrays)}
    buffer = io.BytesIO()
    np.save(buffer, base.table.rows)
    return {
        "table.npy": buffer.getvalue(),
        "tokenizer.json": base.tokenizer,
        "heads.npz": _packed({**arrays, "weights": base.table.weights}),
    }


def _packed(arrays: Mapping[str, Any]) -> bytes:
    import numpy as np

    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise UsageError("the training came to numbers that are not finite")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
