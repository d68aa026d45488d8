"""What was measured on, and whether anybody else was at work there."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean, median
from typing import Final, NamedTuple

from ._clocks import CLOCKS, ClockName

_ENGINES: Final = ("google-re2", "numpy", "onnxruntime", "onnxruntime-gpu", "tokenizers")
_BUSY_LOAD: Final = 0.5
"""Processes that wanted to run, for each core, before we began."""
_BUSY_TICK: Final = 1.3
"""How much slower the usual run of the reference loop is than its best one."""


class MachineSeen(NamedTuple):
    """A machine, and how it fared while it was measured on."""

    system: str
    cpu: str
    cores: int
    usable: int
    """Cores this process may run on."""
    python: str
    engines: tuple[tuple[str, str], ...]
    """What matches and reads, and its version."""
    load_before: float | None
    load_after: float | None
    """Load averages over a minute; ours is in the second."""
    tick_best_us: float
    """The best run of a fixed loop of plain Python: it says how fast the machine is."""
    tick_usual_us: float
    tick_mean_us: float
    """On average, while others may have had the core: what `compare` allows for."""
    is_busy: bool
    why_busy: str


class Watch:
    """Watches a machine while something is measured on it: `tick` now and then, `seen` at the end.

    A tick is a run of one fixed loop. On an idle machine all runs take the same time.
    """

    def __init__(self, clock: ClockName = "wall") -> None:
        self._clock = CLOCKS[clock]
        self._before = _load()
        self._ticks: list[float] = []
        self.tick()

    def tick(self) -> None:
        """Run the loop once more; two milliseconds, about."""
        begun = self._clock()
        total = 0
        for i in range(20_000):
            total += i & 255
        self._ticks.append((self._clock() - begun) / 1e3)

    def seen(self) -> MachineSeen:
        """The machine, now that everything is measured."""
        cores = os.cpu_count() or 1
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
        best, usual = min(self._ticks), median(self._ticks)
        why = []
        if self._before is not None and self._before > _BUSY_LOAD * cores:
            why.append(f"{self._before:.1f} processes wanted to run before we began")
        if usual > _BUSY_TICK * best:
            why.append(f"a fixed loop usually took {usual / best:.1f} times its best run")
        return MachineSeen(
            f"{platform.system()} {platform.machine()}",
            _cpu(),
            cores,
            usable,
            f"{platform.python_implementation()} {platform.python_version()}",
            tuple((name, found) for name in _ENGINES if (found := _version(name))),
            self._before,
            _load(),
            best,
            usual,
            fmean(self._ticks),
            bool(why),
            "; ".join(why),
        )


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n"):
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    return platform.processor()


def resident_bytes() -> int | None:
    """The memory that this process has in use; None where nobody says."""
    with suppress(OSError, ValueError, IndexError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    with suppress(ImportError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return None
