"""The static tier: a text as the words it holds, read with numpy alone.

A window is known by the mean of its words' rows (what its pieces and runs of letters say), the mean
of its pairs of neighbours, and a few plain facts. One small layer makes evidence of that for every
head. Windows come in three sizes, so that an attack in one sentence of a long page is not averaged
away and a long one is seen as a whole.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from threading import local
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile, ZipFile

from guardkit.errors import BindError, CheckError

from ._calibration import read_late
from ._lexicon import FACTS, NOTHING, WORD, Lexicon, Tables, flat, pair_of
from ._manifest import Manifest
from ._product import product
from ._reading import Reading
from ._store import Opened
from ._windows import Cutter

BLOCK: Final = 6
"""Words that are summed once; windows are made of whole blocks."""
WINDOWS: Final = ((2, 1), (8, 4), (32, 16))
"""The windows of a head and the step to the next, in blocks: a sentence, a passage, a page."""
SENSE: Final = 4
"""Words that are summed once for an embedding: a sentence in a long page is few."""
SENSES: Final = ((2, 1), (4, 2), (8, 4))
"""The windows of an embedding and the step to the next, in such sums."""

KNOWN: Final = 8_000
"""Words that are taken apart when a model is opened; a vocabulary names the most frequent first."""
SURFACE_COLUMNS: Final = 6
"""Columns that say where a text was found."""
MOST_KEPT: Final = 4
"""Texts that a thread remembers: each head asks for all views of one text, one after another."""
_CHUNK: Final = BLOCK * 512
_ARRAYS: Final = ("pieces", "grams", "pairs")
_LAYERS: Final = ("into", "into_bias", "out", "out_bias", "sentence_bias")


class Bag(NamedTuple):
    """What turns words into evidence. All numpy arrays, float32 unless said."""

    pieces: Any
    """[vocabulary + 1, k]: the last row is that of no piece, zeros."""
    grams: Any
    """[2^n, k]"""
    pairs: Any
    """[2^n + 1, k]: the last row is that of no pair, zeros."""
    into: Any
    """[features, hidden]"""
    into_bias: Any
    out: Any
    """[hidden, columns]"""
    out_bias: Any
    sentence_bias: Any
    """[columns]: what is added for a window of one sentence where there are larger ones. Most
    heads know nothing of a sentence by itself; that of injection finds one in a long page."""


class _Layer(NamedTuple):
    """The first layer, taken apart: what it makes of words, of their number, of a surface."""

    words: Any
    size: Any
    places: dict[str, Any]

    @classmethod
    def of(cls, bag: Bag, surfaces: dict[str, int]) -> _Layer:
        """The layer of a bag; a surface without a column is like none."""
        at = 2 * bag.pieces.shape[1] + FACTS
        rows = {name: bag.into[at + 1 + n] + bag.into_bias for name, n in surfaces.items()}
        return cls(bag.into[:at].copy(), bag.into[at] / 5, rows)


class _Recent(local):
    """What a thread has read lately."""

    def __init__(self) -> None:
        self.readings: dict[tuple[str, str], Reading] = {}
        self.vectors: dict[str, Any] = {}


def _keep(known: dict[Any, Any], key: object, value: object) -> None:
    if len(known) >= MOST_KEPT:
        del known[next(iter(known))]
    known[key] = value


class StaticModel:
    """A static model, ready to read. Safe in many threads."""

    def __init__(self, given: Opened) -> None:
        self.manifest: Manifest = given.manifest
        self.digest: str = given.digest
        self.folder: Path = given.folder
        self.device = "cpu"
        source = given if given.manifest.base is None else _base()
        self._bag = _bag(given)
        self._table, self._weights = _table(source)
        self._heads = {head.name: head for head in self.manifest.heads}
        self._pairs = len(self._bag.pairs) - 1
        self._check_fits()
        self._layer = _Layer.of(self._bag, self.manifest.window.surfaces)
        tokenizer = source.tokenizer
        self._cutter = Cutter(tokenizer, self.manifest.window)
        nothing = len(self._table) - 1

        def pieces_of(words: list[str]) -> list[Sequence[int]]:
            # Half of a surrogate pair is no text to the tokenizer.
            sound = [word.encode("utf-8", "replace").decode() for word in words]
            taken = tokenizer.encode_batch_fast(sound, add_special_tokens=False)
            return [one.ids or [nothing] for one in taken]

        vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda word: word[1])
        known = [word for word, _ in vocabulary if WORD.fullmatch(word)][:KNOWN]
        tables = Tables(self._bag.pieces, self._bag.grams)
        self._lexicon = Lexicon(tables, pieces_of, known)
        self._recent = _Recent()
        self.read("ready", "input")

    def read(self, text: str, surface: str) -> Reading:
        """What the heads say of a text; its time is in step with the length."""
        readings = self._recent.readings
        reading = readings.get((text, surface))
        if reading is None:
            reading = self._read(text, surface)
            _keep(readings, (text, surface), reading)
        return reading

    def count(self, text: str) -> int:
        """How many tokens of its tokenizer a text has."""
        return self._cutter.count(text)

    def vectors(self, text: str) -> Any:
        """The embedding of each window of a text: float32 [windows, dim], of unit length."""
        import numpy as np

        known = self._recent.vectors.get(text)
        if known is not None:
            return known
        if self.manifest.embedding is None:
            raise CheckError("the model has no embedding")
        blocks = []
        for words in _chunks(text):
            book, rows = self._lexicon.look_up(words)
            pieces, sizes = flat([book.pieces[row] for row in rows])
            until = np.cumsum(sizes)[SENSE - 1 :: SENSE].tolist()
            starts = [0, *(until[:-1] if len(rows) % SENSE == 0 else until)]
            senses = self._table[pieces] * self._weights[pieces][:, None]
            blocks.append(np.add.reduceat(senses, starts, axis=0))
        dim = self.manifest.embedding.dim
        every = np.concatenate(blocks) if blocks else np.zeros((1, dim), np.float32)
        made = _view(len(every), SENSES).over(every).astype(np.float32, copy=False)
        made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-6)
        _keep(self._recent.vectors, text, made)
        return made

    def _read(self, text: str, surface: str) -> Reading:
        import numpy as np

        bag = self._bag
        blocks: list[Any] = []
        count = 0
        before = 0
        for words in _chunks(text):
            book, rows = self._lexicon.look_up(words)
            used = len(rows)
            at = np.array(rows + [NOTHING] * (-used % BLOCK), np.int64)
            marks = book.marks.take(at)
            ahead = np.empty_like(marks)
            ahead[0], ahead[1:] = before, marks[:-1]
            pairs = pair_of(ahead, marks, self._pairs)
            pairs[used:] = self._pairs
            blocks.append(_in_blocks(book.rows, at, bag.pairs, pairs))
            count += used
            before = marks[used - 1]
        if not blocks:
            blocks, count = [np.zeros((1, 2 * bag.pieces.shape[1] + FACTS), np.float32)], 1
        sums = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        view = _view(len(sums), WINDOWS)
        sizes = view.sizes.copy()
        sizes[view.is_last] -= len(sums) * BLOCK - count
        seen = view.over(sums)
        seen /= sizes[:, None]
        inner = product(seen, self._layer.words)
        inner += np.multiply.outer(np.log1p(sizes), self._layer.size)
        inner += self._layer.places.get(surface, bag.into_bias)
        np.maximum(inner, 0, out=inner)
        logits = product(inner, bag.out)
        logits += bag.out_bias
        if view.sentences < len(logits):
            logits[: view.sentences] += bag.sentence_bias
        made = read_late(self._heads, logits)
        return Reading(len(logits), made.scores, None, made.first, evidence=made.evidence)

    def _check_fits(self) -> None:
        bag, table, manifest = self._bag, self._table, self.manifest
        width = bag.pieces.shape[1]
        columns = max((head.at + len(head.labels) for head in manifest.heads), default=0)
        fits = (
            len(bag.pieces) == len(table) == len(self._weights)
            and bag.grams.shape[1] == bag.pairs.shape[1] == width
            and self._pairs & (self._pairs - 1) == 0
            and bag.into.shape == (2 * width + FACTS + 1 + SURFACE_COLUMNS, len(bag.into_bias))
            and bag.out.shape == (len(bag.into_bias), len(bag.out_bias))
            and columns <= len(bag.out_bias) == len(bag.sentence_bias)
            and all(head.output == "logits" for head in manifest.heads)
            and all(column < SURFACE_COLUMNS for column in manifest.window.surfaces.values())
            and (manifest.embedding is None or manifest.embedding.dim == table.shape[1])
        )
        if not fits:
            raise BindError("the arrays of the static model do not fit together")


def _chunks(text: str) -> Iterator[list[str]]:
    """The words of a text, so many at a time that a book holds them."""
    words = WORD.findall(text.lower())
    for start in range(0, len(words), _CHUNK):
        yield words[start : start + _CHUNK]


def _in_blocks(words: Any, at: Any, pairs: Any, pair_at: Any) -> Any:
    """The sums of each block of words and of their pairs, side by side."""
    import numpy as np

    each = np.ones((1, BLOCK), np.float32)
    count = len(at) // BLOCK
    parts = (words.take(at, axis=0), pairs.take(pair_at, axis=0))
    # A product with ones is three times as quick as a sum along this axis.
    return np.concatenate([each @ p.reshape(count, BLOCK, -1) for p in parts], axis=2)[:, 0]


class _View(NamedTuple):
    """The windows over so many blocks."""

    starts: Any
    ends: Any
    sizes: Any
    """float32: words of each window, all blocks being full"""
    is_last: Any
    """Whether the last block, which may be short, is in it."""
    sums: Any
    """float32 [windows, blocks]: what adds them up; None where that would be large."""
    sentences: int
    """How many of the windows are of the smallest size; they come first."""

    def over(self, blocks: Any) -> Any:
        """The sum of the blocks of each window."""
        import numpy as np

        if self.sums is not None:
            return product(self.sums, blocks)
        until = np.zeros((len(blocks) + 1, blocks.shape[1]))
        np.cumsum(blocks, axis=0, out=until[1:])
        return until[self.ends] - until[self.starts]


_FEW: Final = 256
"""Blocks of a text whose windows are kept ready."""


def _view(blocks: int, sizes: tuple[tuple[int, int], ...]) -> _View:
    return _ready(blocks, sizes) if blocks <= _FEW else _made(blocks, sizes)


@lru_cache(maxsize=2 * _FEW)
def _ready(blocks: int, sizes: tuple[tuple[int, int], ...]) -> _View:
    return _made(blocks, sizes)


def _made(blocks: int, sizes: Sequence[tuple[int, int]]) -> _View:
    import numpy as np

    spans = [*_spans(blocks, *sizes)]
    starts, ends = (np.array(side) for side in zip(*spans, strict=True))
    sums = None
    if blocks <= _FEW:
        at = np.arange(blocks)
        sums = ((at >= starts[:, None]) & (at < ends[:, None])).astype(np.float32)
    sentences = len([*_spans(blocks, sizes[0])])
    return _View(
        starts, ends, ((ends - starts) * BLOCK).astype(np.float32), ends == blocks, sums, sentences
    )


def _spans(blocks: int, *sizes: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The windows over so many blocks, the small ones first; no larger one than is needed."""
    for size, step in sizes:
        start = 0
        while True:
            yield start, min(start + size, blocks)
            if start + size >= blocks:
                break
            start += step
        if blocks <= size:
            return


# --- files


def _base() -> Opened:
    from ._store import read_verified, shipped

    return read_verified(shipped("static"))


_MOST_UNPACKED: Final = 256 << 20


def _array(data: bytes, what: str) -> Any:
    """An array, or the arrays of an archive by name."""
    import numpy as np

    try:
        if data.startswith(b"PK"):
            with ZipFile(io.BytesIO(data)) as archive:
                if sum(member.file_size for member in archive.infolist()) > _MOST_UNPACKED:
                    raise BindError(f"`{what}` is larger than allowed when it is unpacked")
        made = np.load(io.BytesIO(data), allow_pickle=False)
        return dict(made) if data.startswith(b"PK") else made
    except (ValueError, OSError, EOFError, KeyError, BadZipFile, MemoryError) as error:
        raise BindError(f"`{what}` is not a file of numpy arrays") from error


def _npz(given: Opened) -> dict[str, Any]:
    arrays = _array(given.files["heads.npz"], "heads.npz") if "heads.npz" in given.files else None
    if not isinstance(arrays, dict):
        raise BindError("a static model needs `heads.npz`, an archive of arrays")
    return arrays


def _table(given: Opened) -> tuple[Any, Any]:
    """The rows of the embedding and their weights; a last row is that of no piece, zeros."""
    import numpy as np

    table = _array(given.files["table.npy"], "table.npy")
    weights = _npz(given).get("weights", np.zeros(0))
    if getattr(table, "ndim", 0) != 2 or table.dtype != np.int8:
        raise BindError("`table.npy` must hold int8 rows")
    if weights.shape != table.shape[:1] or not np.isfinite(weights).all():
        raise BindError("`heads.npz` must hold one weight for each row of `table.npy`")
    none = np.zeros((1, table.shape[1]), np.int8)
    return np.concatenate((table, none)), np.append(weights, 0).astype(np.float32)


def _bag(given: Opened) -> Bag:
    """The arrays of the heads: tables of int8 with a scale for each column, layers of float32."""
    import numpy as np

    arrays = _npz(given)
    try:
        tables = [
            arrays[name].astype(np.float32) * arrays[f"{name}_scale"][None] for name in _ARRAYS
        ]
        layers = [arrays[name].astype(np.float32) for name in _LAYERS]
    except (KeyError, ValueError) as error:
        raise BindError("`heads.npz` does not hold the arrays of a static model") from error
    if any(t.ndim != 2 or not len(t) for t in tables) or not all(
        np.isfinite(array).all() for array in (*tables, *layers)
    ):
        raise BindError("`heads.npz` holds arrays of a wrong shape, or numbers that are not finite")
    none = np.zeros((1, tables[0].shape[1]), np.float32)
    pieces, grams, pairs = tables
    return Bag(np.concatenate((pieces, none)), grams, np.concatenate((pairs, none)), *layers)
