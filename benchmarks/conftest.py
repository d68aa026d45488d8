"""How the suites measure a work beside its floor, and keep both in the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from .pairs import Measured, Work, measured
from .targets import ROWS, Row

Kept = Callable[..., Measured]


@pytest.fixture
def kept(benchmark: BenchmarkFixture) -> Kept:
    """Measures a work beside its floor and keeps both in the report, with the aims of `targets`."""

    def keep(work: Work, laps: int = 5, rounds: int = 20) -> Measured:
        seen = measured(work, laps)
        row = next((row for row in ROWS if row.id == work.id), Row(work.id, lambda: work))
        info: dict[str, Any] = {
            "floor": work.floor,
            "floor_us": round(seen.floor.value * 1e6, 2),
            "work_us": round(seen.work.value * 1e6, 2),
            "ratio": round(seen.ratio.value, 2),
            "aims": [aim.text for aim in row.aims],
            **{name: round(note.value, 3) for name, note in seen.notes.items()},
        }
        benchmark.extra_info.update(info)
        benchmark.pedantic(work.once, rounds=rounds, warmup_rounds=min(rounds, 2))
        return seen

    return keep
