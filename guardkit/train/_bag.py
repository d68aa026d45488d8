"""Trains the head of a static model: rows of word pieces, letter runs and pairs, and two layers.

Seconds for a few thousand texts, minutes for a hundred thousand, on one core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from guardkit.models import (
    BLOCK,
    FACTS,
    SURFACE_COLUMNS,
    WINDOWS,
    WORD,
    pair_of,
    parts_of,
)

from ._draw import Draw
from ._rows import Row
from ._target import Target, loss_of, truth_of

SENTENCES = frozenset({"injection"})
"""Heads for which one sentence of a long text counts by itself."""
NEVER = -30.0
"""What keeps a sentence from counting."""


class Size(NamedTuple):
    """How large the arrays are."""

    width: int = 32
    grams: int = 1 << 15
    pairs: int = 1 << 16
    hidden: int = 64


class Corpus:
    """Rows as words, and words as parts: every distinct word is taken apart once."""

    def __init__(self, rows: Sequence[Row], pieces_of: Callable[[list[str]], list[list[int]]]):
        import numpy as np

        at: dict[str, int] = {}
        self.words: list[Any] = []
        for row in rows:
            found = WORD.findall(row.text.lower())
            self.words.append(np.array([at.setdefault(w, len(at)) for w in found], np.int32))
        every = [*at]
        pieces = pieces_of(every)
        taken = [parts_of(w, p) for w, p in zip(every, pieces, strict=True)]
        self.pieces = _Ragged([t.pieces for t in taken])
        self.grams = _Ragged([t.grams for t in taken])
        self.marks = np.array([t.mark for t in taken], np.uint32)
        self.facts = np.array([t.facts for t in taken], np.float32)


class _Ragged:
    """Lists of numbers end to end."""

    def __init__(self, lists: Sequence[Sequence[int]]) -> None:
        import numpy as np

        self.sizes = np.array([len(one) for one in lists], np.int64)
        self.starts = np.concatenate(([0], np.cumsum(self.sizes)))[:-1]
        self.flat = np.fromiter((n for one in lists for n in one), np.int64, int(self.sizes.sum()))

    def of(self, rows: Any) -> tuple[Any, Any]:
        """The numbers of these lists end to end, and the size of each list."""
        import numpy as np

        sizes = self.sizes[rows]
        ends = np.cumsum(sizes)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
        return self.flat[np.repeat(self.starts[rows], sizes) + within], sizes


class Step(NamedTuple):
    """A batch as torch wants it."""

    pieces: tuple[Any, Any, Any]
    grams: tuple[Any, Any, Any]
    pairs: tuple[Any, Any, Any]
    rest: Any
    truth: Any


class Trainer:
    """One head, being trained.

    Args:
        corpus: The words of all rows.
        rows: The rows.
        targets: The heads; their columns make the output.
        start: Where the rows of pieces begin: float32 [vocabulary, width], or None for nothing.
        surfaces: The column of each surface.
    """

    def __init__(
        self,
        corpus: Corpus,
        rows: Sequence[Row],
        targets: Sequence[Target],
        start: Any,
        surfaces: Mapping[str, int],
        *,
        size: Size | None = None,
        seed: int = 0,
    ) -> None:
        import numpy as np
        import torch

        size = size or Size()
        torch.manual_seed(seed)
        self._rng = np.random.default_rng(seed)
        self._corpus, self._rows, self._targets, self._surfaces = corpus, rows, targets, surfaces
        self._size = size
        columns = max(t.at + len(t.labels) for t in targets)
        self.columns = columns
        self.truth = truth_of(rows, targets)
        self._whole = [
            column
            for target in targets
            if target.name not in SENTENCES
            for column in range(target.at, target.at + len(target.labels))
        ]
        features = 2 * size.width + FACTS + 1 + SURFACE_COLUMNS
        self.pieces = torch.nn.Parameter(torch.tensor(start, dtype=torch.float32))
        self.grams = torch.nn.Parameter(torch.randn(size.grams, size.width) * 0.02)
        self.pairs = torch.nn.Parameter(torch.randn(size.pairs, size.width) * 0.02)
        self.into = torch.nn.Linear(features, size.hidden)
        self.out = torch.nn.Linear(size.hidden, columns)

    # --- batches

    def window(self, row: int) -> tuple[int, int, float]:
        """A window of a row as reading would cut it, and how sure its label is for it."""
        rng, words = self._rng, len(self._corpus.words[row])
        truth = self._rows[row].truth
        # Only sizes that reading uses for so many words, and a sentence only where it is read.
        sizes = [size * BLOCK for size, _ in WINDOWS]
        fit = [size for at, size in enumerate(sizes) if at == 0 or words > sizes[at - 1]]
        if len(fit) > 1 and not SENTENCES & truth.keys():
            fit = fit[1:]
        size = int(rng.choice(fit))
        if words <= size:
            return 0, words, 1.0
        part, text = self._rows[row].part, self._rows[row].text
        at = text.find(part) if part else -1
        step = size // 2
        last = -(-(words - size) // step)
        is_found = any(value > 0 for value in truth.values())
        if at >= 0:
            middle = (at + len(part) / 2) / len(text) * words
            near = size // 4
            hits = [k for k in range(last + 1) if near <= middle - k * step <= size - near]
            k = int(rng.choice(hits)) if hits else 0
            return k * step, min(k * step + size, words), 1.0 if hits else 0.0
        k = int(rng.integers(0, last + 1))
        if is_found and "suffix" in self._rows[row].group:
            k = last
        # A piece of a long attack need not be one.
        sure = 1.0 if not is_found else 0.25 if size == sizes[0] else 0.4 if size < fit[-1] else 1.0
        return k * step, min(k * step + size, words), sure

    def batch(self, rows: Sequence[int]) -> Step:
        """These rows, one window each."""
        import numpy as np
        import torch

        corpus, rng = self._corpus, self._rng
        chosen, counts, rest, weights = [], [], [], []
        truth = self.truth[rows].copy()
        for at, row in enumerate(rows):
            start, end, sure = self.window(row)
            words = corpus.words[row][start:end]
            if len(words) <= WINDOWS[0][0] * BLOCK < len(corpus.words[row]):
                truth[at, self._whole] = np.nan
            if len(words) > 3:
                words = words[rng.random(len(words)) > 0.08]
            chosen.append(words)
            counts.append(max(len(words), 1))
            weights.append(sure * self._rows[row].weight)
            fact = corpus.facts[words].mean(0) if len(words) else np.zeros(FACTS)
            surface = np.zeros(SURFACE_COLUMNS)
            column = self._surfaces.get(self._rows[row].surface)
            if column is not None and rng.random() > 0.1:
                surface[column] = 1
            rest.append(np.concatenate((fact, [np.log1p(counts[-1]) / 5], surface)))
        flat = np.concatenate(chosen).astype(np.int64)
        lengths = np.array([len(words) for words in chosen])
        per_word = np.repeat(1 / np.array(counts, np.float32), lengths)
        starts = np.concatenate(([0], np.cumsum(lengths)))[:-1]
        piece, piece_sizes = corpus.pieces.of(flat)
        gram, gram_sizes = corpus.grams.of(flat)
        marks = corpus.marks[flat]
        before = np.concatenate(([0], marks[:-1])).astype(np.uint32)
        before[starts[lengths > 0]] = 0
        pair = pair_of(before, marks, self._size.pairs)

        def bag(numbers: Any, sizes: Any, share: Any) -> tuple[Any, Any, Any]:
            until = np.concatenate(([0], np.cumsum(sizes)))
            return (
                torch.from_numpy(numbers.astype(np.int64)),
                torch.from_numpy(until[starts]),
                torch.from_numpy(np.repeat(share, sizes).astype(np.float32)),
            )

        ones = np.ones(len(flat), np.int64)
        return Step(
            bag(piece, piece_sizes, per_word),
            bag(gram % self._size.grams, gram_sizes, per_word / np.maximum(gram_sizes, 1)),
            bag(pair, ones, per_word),
            torch.tensor(np.array(rest), dtype=torch.float32),
            (torch.from_numpy(truth), torch.tensor(weights, dtype=torch.float32)),
        )

    def forward(self, step: Step, *, drop: float = 0.0) -> Any:
        """Evidence for each column."""
        import torch
        from torch.nn.functional import dropout, embedding_bag

        def bag(table: Any, given: tuple[Any, Any, Any]) -> Any:
            numbers, offsets, share = given
            return embedding_bag(numbers, table, offsets, mode="sum", per_sample_weights=share)

        words = bag(self.pieces, step.pieces) + bag(self.grams, step.grams)
        pairs = bag(self.pairs, step.pairs)
        if drop:
            pairs = dropout(pairs, drop)
        facts, more = step.rest[:, :FACTS], step.rest[:, FACTS:]
        features = torch.cat((words, facts, pairs, more), 1)
        inner = torch.relu(self.into(features))
        if drop:
            inner = dropout(inner, drop)
        return self.out(inner)

    # --- training

    def train(
        self,
        draw: Draw,
        steps: int,
        *,
        batch: int = 256,
        rate: float = 2e-3,
        decay: float = 0.02,
        said: Callable[[int, float], None] | None = None,
    ) -> None:
        """So many steps, the rate falling to nothing."""
        import torch

        tables = [self.pieces, self.grams, self.pairs]
        layers = [*self.into.parameters(), *self.out.parameters()]
        groups = [
            {"params": tables, "lr": rate, "weight_decay": decay},
            {"params": layers, "lr": rate, "weight_decay": 1e-3},
        ]
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99))
        for at in range(steps):
            part = min(1.0, (at + 1) / (0.05 * steps)) * (1 - at / steps)
            for group in optimizer.param_groups:
                group["lr"] = rate * part
            step = self.batch(draw.rows(batch))
            truth, weights = step.truth
            logits = self.forward(step, drop=0.15)
            loss = loss_of(
                self._targets, logits, truth, sure=(0.02, 0.97), least=8, weights=weights
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if said is not None:
                said(at, float(loss.detach()))

    def arrays(self) -> dict[str, Any]:
        """The head as `heads.npz` holds it: tables of int8 with a scale for each column."""
        import numpy as np

        made: dict[str, Any] = {}
        for name in ("pieces", "grams", "pairs"):
            table = getattr(self, name).detach().numpy()
            scale = np.maximum(np.abs(table).max(0), 1e-8) / 127
            made[name] = np.round(table / scale).astype(np.int8)
            made[f"{name}_scale"] = scale.astype(np.float32)
        made["into"] = self.into.weight.detach().numpy().T.copy()
        made["into_bias"] = self.into.bias.detach().numpy().copy()
        made["out"] = self.out.weight.detach().numpy().T.copy()
        made["out_bias"] = self.out.bias.detach().numpy().copy()
        made["sentence_bias"] = np.zeros(self.columns, np.float32)
        made["sentence_bias"][self._whole] = NEVER
        return made
