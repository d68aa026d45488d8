"""Reading with an ONNX model: off the event loop, under asyncio and trio, and cancellable."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

from guardkit._util.forks import renewed_after_fork
from guardkit._util.waking import Signal
from guardkit.errors import BindError, CheckError

from ._cache import Readings
from ._calibration import read_heads
from ._device import Net
from ._pool import POOL, More, Pool, Work
from ._reading import Reading
from ._store import Opened
from ._tagging import Tagger, united
from ._windows import Cut, Cutter

WARM_UP_S: Final = 60.0
"""How long the runs that prove a model may take."""
_SAME: Final = 1e-3
"""By how much a row may differ alone and beside others, where a manifest says that it does not."""


class _Text:
    """What is known of a text while it is read."""

    __slots__ = ("cut", "key", "mark", "source", "spans", "vectors", "windows", "z")

    def __init__(self, key: bytes, source: str, mark: int | None, cut: Cut) -> None:
        self.key = key
        self.source = source
        self.mark = mark
        self.cut = cut
        self.windows: list[tuple[int, int]] = []
        self.z: list[dict[str, Any]] = []
        self.vectors: list[Any] = []
        self.spans: list[Any] = []


class OnnxModel:
    """An ONNX model that is ready to read texts, from any thread and any event loop.

    Args:
        opened: A model directory that was verified.
        device: Where it runs: `auto`, `cpu` or `gpu`.
        pool: Where it reads; that of the process, if none is given.

    Raises:
        BindError: It cannot run here, or does not give what its manifest says; one sentence.
    """

    def __init__(self, opened: Opened, *, device: str = "auto", pool: Pool = POOL) -> None:
        manifest = opened.manifest
        self.manifest = manifest
        self.digest = opened.digest
        self.folder = opened.folder
        self._pool = pool
        self._readings = Readings()
        self._tagger = None if manifest.tokens is None else Tagger(manifest.tokens.labels)
        self._cutter = Cutter(opened.tokenizer, manifest.window, places=manifest.tokens is not None)
        self._scored = [*dict.fromkeys(head.output for head in manifest.heads)]
        outputs = [*self._scored]
        outputs += [part.output for part in (manifest.embedding, manifest.tokens) if part]
        self._net = Net(opened.files["model.onnx"], [*dict.fromkeys(outputs)], device)
        self.device = self._net.device
        self._warm_up(opened.tokenizer)
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[bytes, Work] = {}
        """Texts that are being read now: who asks for the same one waits for it."""

    def __repr__(self) -> str:
        return f"<OnnxModel {self.manifest.name} on {self.device}>"

    # --- for everybody

    async def read(self, text: str, surface: str) -> Reading:
        """Read a text, all of it.

        The same text asked for several times at once is read once. When the caller is cancelled,
        and nobody else waits for it, the reading is dropped and its runs are stopped.

        Args:
            text: Of any length.
            surface: Where it was found; it counts if the model knows surfaces.

        Raises:
            CheckError: The model could not read it; nothing of the text is in the error.
        """
        mark = self._mark(surface)
        key = self._readings.key(text, "" if mark is None else surface)
        kept = self._readings.get(key)
        if kept is not None:
            return kept
        waiter = Signal()
        work = self._join(key, text, mark, waiter)
        try:
            await waiter.wait()
        except BaseException:
            self._part(work, waiter)
            raise
        if work.error is not None:
            raise CheckError(work.error)
        reading: Reading = work.result
        return reading

    def count(self, text: str) -> int:
        """How many tokens a text has, at once: about 0.5 ms per KB."""
        return self._cutter.count(text)

    def clear(self) -> None:
        """Forget what was read."""
        self._readings.clear()

    # --- those who wait

    def _mark(self, surface: str) -> int | None:
        surfaces = self.manifest.window.surfaces
        if not surfaces:
            return None
        mark = surfaces.get(surface)
        if mark is None:
            raise CheckError(f"the model `{self.manifest.name}` does not know this surface")
        return mark

    def _join(self, key: bytes, text: str, mark: int | None, waiter: Signal) -> Work:
        with self._lock:
            work = self._flights.get(key)
            if work is None or not self._pool.join(work, waiter):
                work = Work(self, _Text(key, text, mark, self._cutter.begin(text)))
                self._pool.enter(work, waiter)
                self._flights[key] = work
            return work

    def _part(self, work: Work, waiter: Signal) -> None:
        if self._pool.part(work, waiter):
            self._land(work)

    def _land(self, work: Work) -> None:
        with self._lock:
            if self._flights.get(work.text.key) is work:
                del self._flights[work.text.key]

    # --- for the pool

    def most(self, bucket: int) -> int:
        """How many windows of a length may run together."""
        # Measured: on a CPU it pays up to 64 tokens, and costs from 128 on.
        return 8 if self.device == "cpu" else max(1, min(64, 16_384 // bucket))

    def stop(self) -> Any:
        """What one run can be stopped by."""
        return self._net.options()

    def run(self, taken: Sequence[tuple[Work, int]], stop: Any) -> Sequence[More | None]:
        """Cut a slice of a text, or run some windows.

        Raises:
            CheckError: A run failed, was stopped or gave numbers that are not finite.
        """
        first: _Text = taken[0][0].text
        if not first.cut.is_whole:
            return [self._cut(first, stop)]
        self._run([(work.text, number) for work, number in taken], stop)
        return [None] * len(taken)

    def _cut(self, text: _Text, stop: Any) -> More | None:
        text.cut.step()
        if not text.cut.is_whole:
            return More(1)
        text.windows = text.cut.windows()
        count = len(text.windows)
        text.z, text.vectors, text.spans = [{}] * count, [None] * count, [()] * count
        start, end = text.windows[0]
        bucket = self._bucket(self.manifest.window.tokens - self.manifest.window.room + end - start)
        if count > 1 or bucket:
            return More(count, bucket)
        self._run([(text, 0)], stop)  # it has its turn already
        return None

    def _bucket(self, length: int) -> int:
        if not self.manifest.window.batch:
            # INVARIANT: what a text is found to be does not depend on what else is read meanwhile.
            return 0
        if self.device == "gpu":
            return -(-length // 32) * 32
        return -(-length // 16) * 16 if length <= 64 else 0

    def _run(self, parts: Sequence[tuple[_Text, int]], stop: Any) -> None:
        rows = [text.cut.row(*text.windows[number], text.mark) for text, number in parts]
        width = self._bucket(len(rows[0])) if self.device == "gpu" else 0
        outputs = self._net.run(rows, self.manifest.window.pad, stop, width=width)
        self._check(outputs, rows)
        for place, ((text, number), row) in enumerate(zip(parts, rows, strict=True)):
            text.z[number] = {name: outputs[name][place] for name in self._scored}
            if self.manifest.embedding is not None:
                given = outputs[self.manifest.embedding.output][place]
                text.vectors[number] = _unit(given, self.manifest.embedding.pooling, len(row))
            if self.manifest.tokens is not None and self._tagger is not None:
                start, end = text.windows[number]
                lead = len(self.manifest.window.lead) + (text.mark is not None)
                logits = outputs[self.manifest.tokens.output][place][lead : lead + end - start]
                places = text.cut.places(start, end)
                text.spans[number] = self._tagger.spans(logits, *places, text.source)

    def _check(self, outputs: dict[str, Any], rows: Sequence[Any]) -> None:
        """Refuse outputs that are not what the manifest says.

        Raises:
            CheckError: One has another shape, or numbers in it are not finite.
        """
        import numpy as np

        length = max(map(len, rows))
        for head in self.manifest.heads:
            given = outputs[head.output]
            if given.ndim != 2 or given.shape[1] < head.at + len(head.labels):
                raise CheckError(f"the model gives too little for its head `{head.name}`")
        if self.manifest.embedding is not None:
            given = outputs[self.manifest.embedding.output]
            is_pooled = self.manifest.embedding.pooling == "none"
            if given.ndim != (2 if is_pooled else 3) or given.shape[-1] != (
                self.manifest.embedding.dim
            ):
                raise CheckError("the model gives an embedding of another shape")
            if not is_pooled and given.shape[1] < length:
                raise CheckError("the model gives no embedding for some tokens")
        if self.manifest.tokens is not None:
            given = outputs[self.manifest.tokens.output]
            if given.ndim != 3 or given.shape[2] != len(self.manifest.tokens.labels):
                raise CheckError("the model gives token labels of another shape")
            if given.shape[1] < length:
                raise CheckError("the model gives no labels for some tokens")
        for given in outputs.values():
            if given.shape[0] != len(rows):
                raise CheckError("the model gives another number of rows than it was given")
            if not np.isfinite(given).all():
                raise CheckError("the model gave a number that is not finite")

    def finish(self, work: Work) -> None:
        """Put together what the windows gave."""
        try:
            if work.error is None:
                text: _Text = work.text
                work.result = self._reading(text)
                self._readings.put(text.key, work.result)
        finally:
            self._land(work)

    def _reading(self, text: _Text) -> Reading:
        import numpy as np

        logits = {name: np.stack([z[name] for z in text.z]) for name in self._scored}
        scores, first, evidence = read_heads(self.manifest.heads, logits)
        vectors = None
        if self.manifest.embedding is not None:
            vectors = np.stack(text.vectors)
            vectors.flags.writeable = False  # it is shared
        spans = united(span for spans in text.spans for span in spans)
        return Reading(len(text.windows), scores, vectors, first, spans, evidence)

    # --- at bind

    def _warm_up(self, tokenizer: Any) -> None:
        """Prove the model on the shortest and the longest window, with the greatest token there is.

        Raises:
            BindError: It does not run, or does not give what its manifest says.
        """
        import numpy as np

        window = self.manifest.window
        marks: list[int | None] = [*dict.fromkeys(window.surfaces.values())] or [None]
        greatest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
        short = [self._row(mark, []) for mark in marks]
        long = self._row(marks[0], [greatest] * window.room)
        stop = self._net.options()
        timer = threading.Timer(WARM_UP_S, setattr, (stop, "terminate", True))
        timer.daemon = True
        timer.start()
        try:
            for row in (*short, long):
                self._check(self._net.run([row], window.pad, stop), [row])
            if window.batch:
                beside = self._net.run([short[0], long], window.pad, stop)
                for name, alone in self._net.run([short[0]], window.pad, stop).items():
                    width = () if alone.ndim == 2 else (slice(len(short[0])),)
                    if not np.allclose(alone[0], beside[name][0][width], _SAME, _SAME):
                        raise CheckError("gives other numbers in a batch, and says it does not")
        except CheckError as error:
            name = self.manifest.name
            if stop.terminate:
                raise BindError(
                    f"model `{name}` takes more than {WARM_UP_S:.0f} s for one window"
                ) from None
            raise BindError(f"model `{name}` cannot be used: {error}") from None
        finally:
            timer.cancel()

    def _row(self, mark: int | None, content: Sequence[int]) -> Any:
        import numpy as np

        window = self.manifest.window
        marks = () if mark is None else (mark,)
        row = [*window.lead, *marks, *content, *window.tail] or [window.pad]
        return np.array(row, dtype=np.int64)


def _unit(given: Any, pooling: str, length: int) -> Any:
    """One vector of unit length for a window."""
    import numpy as np

    if pooling == "mean":
        given = given[:length].mean(axis=0, dtype=np.float32)
    elif pooling == "first":
        given = given[0]
    vector = given.astype(np.float32)
    length_2 = float(np.sqrt((vector * vector).sum(dtype=np.float64)))
    return vector / np.float32(length_2) if length_2 > 0 else vector
