"""Which clock times a call: that of the wall, or that of the processor."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns, process_time_ns
from typing import Final, Literal

ClockName = Literal["wall", "cpu"]
"""`cpu` counts what this process makes the processor do: neither others nor waiting count."""

CLOCKS: Final[dict[ClockName, Callable[[], int]]] = {
    "wall": perf_counter_ns,
    "cpu": process_time_ns,
}
"""Each in nanoseconds."""
