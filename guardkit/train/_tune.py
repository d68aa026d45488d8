"""Trains the encoder of the mini tier on all tasks at once, on windows as they are read.

A window is a token for the start, a mark for the surface, and up to 125 tokens of text. Of a long
harmless text any window is harmless; of a text with a planted instruction the window that holds it
is drawn most of the time, and one beside it is harmless.

The embedding and the two lowest layers stay as they are. The mean of the last layer is held near
what the start weights give, so that it stays an embedding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ._draw import Draw
from ._encoder import Encoder
from ._rows import SURFACES, Row
from ._target import Target, loss_of, truth_of

WINDOW: Final = 128
OVERLAP: Final = 32
LEAD: Final = 101
TAIL: Final = 102
MASK: Final = 103
MARKS: Final[Mapping[str, int]] = {surface: at for at, surface in enumerate(SURFACES, 1)}
ROOM: Final = WINDOW - 3
FROZEN: Final = 2
_TOKENS: Final = 3_200
"""Tokens of a batch, filling included."""
_WARM: Final = 200
"""Batches until the rate is what it shall be."""
_AHEAD: Final = 2_400
"""Windows that are sorted by length together."""
_BY_SURFACE: Final = (
    "document",
    "indirect",
    "plain_task",
    "system_prompt",
    "agent",
    "prompt ",
    "reply ",
)
"""Groups whose truth hangs on where they were found."""


class Settings(NamedTuple):
    """How long and how fast."""

    minutes: float = 90.0
    steps: int = 0
    """Batches instead of minutes: the same on every run."""
    rate: float = 7e-5
    head_rate: float = 5e-4
    drop: float = 0.1
    nearness: float = 0.7
    """What keeping the embedding weighs."""
    seed: int = 0
    device: str = "cpu"


class Sample(NamedTuple):
    """One window with what is known of it."""

    ids: Any
    truth: Any


class Windows:
    """Draws windows of rows.

    Args:
        rows: The texts.
        tokens: The tokens of each, without what stands around a window.
        targets: The heads.
        shares: How often a text of each head and label is drawn.
        seed: The same seed draws the same windows.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        tokens: Sequence[Any],
        targets: Sequence[Target],
        shares: Mapping[tuple[str, int], float],
        seed: int,
    ) -> None:
        import numpy as np

        self._rows, self._tokens, self._targets = rows, tokens, targets
        self._rng = np.random.default_rng(seed)
        self._draw = Draw(rows, shares, seed)
        self._truth = truth_of(rows, targets)

    def batches(self) -> Iterator[list[Sample]]:
        """Batches of windows of about one length, for ever."""
        while True:
            drawn = [self._sample(at) for at in self._draw.rows(_AHEAD)]
            drawn.sort(key=lambda sample: len(sample.ids))
            batches: list[list[Sample]] = [[]]
            for sample in drawn:
                if batches[-1] and (len(batches[-1]) + 1) * len(sample.ids) > _TOKENS:
                    batches.append([])
                batches[-1].append(sample)
            for at in self._rng.permutation(len(batches)):
                yield batches[at]

    def _sample(self, at: int) -> Sample:
        import numpy as np

        row, tokens, rng = self._rows[at], self._tokens[at], self._rng
        truth = self._truth[at].copy()
        start, count = 0, len(tokens)
        if count > ROOM:
            start = self._start(row, count, truth)
        surface = row.surface
        kind = row.group.removeprefix("look-alike ")
        if not kind.startswith(_BY_SURFACE) and rng.random() < 0.12:
            surface = SURFACES[int(rng.integers(5))]
        part = tokens[start : start + ROOM]
        return Sample(np.concatenate(([LEAD, MARKS[surface]], part, [TAIL])), truth)

    def _start(self, row: Row, count: int, truth: Any) -> int:
        """Where the window of a long row begins; what it holds decides what is known of it."""
        rng, last = self._rng, count - ROOM
        chance = rng.random()
        found = row.text.find(row.part) if row.part else -1
        if found >= 0:
            each = count / max(1, len(row.text))
            middle = (found + len(row.part) / 2) * each
            if chance < 0.8:
                return int(min(max(middle - rng.integers(20, ROOM - 20), 0), last))
            start = int(rng.integers(0, last + 1))
            away = abs(start + ROOM / 2 - middle) - ROOM / 2
            half = len(row.part) * each / 2
            if away > -half - 6:
                # Beside what was planted, or over a piece of it.
                self._forget(row, truth, 0.0 if away > half + 12 else math.nan)
            return start
        if any(value > 0 for value in row.truth.values()):
            if "refusal" in row.truth:
                return 0
            if "suffix" in row.group:
                return last
            return 0 if chance < 0.4 else last if chance < 0.6 else int(rng.integers(0, last + 1))
        return int(rng.integers(0, last + 1)) if chance < 0.7 else 0

    def _forget(self, row: Row, truth: Any, value: float) -> None:
        """What a planted part makes of a text does not hold for this window."""
        for target in self._targets:
            if len(target.labels) == 1 and row.truth.get(target.name) == 1:
                truth[target.at] = value


class Tuning:
    """An encoder being trained.

    Args:
        start: What it begins with; it stays as it is, for the embedding is held near its own.
        targets: The heads.
        how: How long and how fast.
    """

    def __init__(self, start: Encoder, targets: Sequence[Target], how: Settings) -> None:
        import torch

        self._start, self._targets, self._how = start.to(how.device), targets, how
        self.net = self._start.copied()
        own = {at: f"layers.{at}." for at in range(FROZEN)}
        kept = ("tab.", "pos.", "n0.", *own.values())
        self._trained = {n: w for n, w in self.net.weights.items() if not n.startswith(kept)}
        for weight in self._trained.values():
            weight.requires_grad = True
        body = [w for name, w in self._trained.items() if name.startswith("layers.")]
        head = [w for name, w in self._trained.items() if not name.startswith("layers.")]
        groups = [
            {"params": [w for w in body if w.ndim > 1], "lr": how.rate, "weight_decay": 0.01},
            {"params": [w for w in body if w.ndim == 1], "lr": how.rate, "weight_decay": 0.0},
            {"params": head, "lr": how.head_rate, "weight_decay": 0.01},
        ]
        self._rates = [how.rate, how.rate, how.head_rate]
        self._optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        self._mean: dict[str, Any] = {}
        """What was trained, averaged over the last two thirds."""
        self.steps = 0

    def run(
        self, batches: Iterator[list[Sample]], told: Callable[[int, float, float], None]
    ) -> Encoder:
        """Train for as long as was said; the encoder that came of it.

        Args:
            batches: What `Windows.batches` draws.
            told: Called after each step: how many there were, which part of the time is over, and
                the loss.
        """
        import torch

        begun = time.monotonic()
        devices = [0] if self._how.device.startswith("cuda") else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self._how.seed)
            part = 0.0
            while part < 1:
                loss = self.step(next(batches), part)
                part = (time.monotonic() - begun) / 60 / self._how.minutes
                if self._how.steps:
                    part = self.steps / self._how.steps
                told(self.steps, min(part, 1.0), loss)
        return self.made()

    def made(self) -> Encoder:
        """The encoder as it is now: averaged, once there is an average."""
        return Encoder({**self.net.weights, **self._mean}).copied()

    def step(self, batch: Sequence[Sample], part: float) -> float:
        """One batch; `part` says how much of the training lies behind."""
        import numpy as np
        import torch
        from torch.nn.functional import cosine_similarity

        device = self._how.device
        ids = _padded([sample.ids for sample in batch]).to(device)
        truth = torch.tensor(np.array([sample.truth for sample in batch])).to(device)
        slow = min(_WARM, self._how.steps // 10 or _WARM)
        warm = min(1.0, (self.steps + 1) / slow)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * warm * (0.03 + 0.485 * (1 + math.cos(math.pi * part)))
        with torch.no_grad():
            below = self.net.below(_hidden(ids), FROZEN)
        # Weights are rounded towards the end, so that what is stored is what was trained.
        logits, mean = self.net.above(
            below, ids, FROZEN, drop=self._how.drop, is_rounded=part > 0.85
        )
        loss = loss_of(self._targets, logits, truth, sure=(0.015, 0.97), least=6)
        if self.steps % 6 == 0:
            with torch.no_grad():
                wanted = self._start.above(below, ids, FROZEN)[1]
            near = cosine_similarity(mean, wanted).mean()
            loss = loss + 6 * self._how.nearness * (1 - near)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*self._trained.values()], 1.0)
        self._optimizer.step()
        self.steps += 1
        if part > 0.3 and self.steps % 10 == 0:
            self._average()
        return float(loss.detach())

    def _average(self) -> None:
        for name, weight in self._trained.items():
            now = weight.detach()
            self._mean.setdefault(name, now.clone()).lerp_(now, 0.04)


def cuts(count: int) -> list[tuple[int, int]]:
    """The windows over so many tokens, as reading cuts them.

    All windows of a text but a lone one are equally long: the last begins earlier instead.
    """
    if count <= ROOM:
        return [(0, count)]
    last = count - ROOM
    return [(start, start + ROOM) for start in [*range(0, last, ROOM - OVERLAP), last]]


def _padded(rows: Sequence[Any]) -> Any:
    import numpy as np
    import torch

    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = row
    return torch.from_numpy(ids)


def _hidden(ids: Any) -> Any:
    """Some tokens hidden in some rows, so that no single word decides."""
    import torch

    some = torch.rand(ids.shape[0], 1, device=ids.device) < 0.4
    hidden = (torch.rand(ids.shape, device=ids.device) < 0.04) & (ids > MASK) & some
    return ids.masked_fill(hidden, MASK)
