"""Measures what a user's policy costs on this machine, and compares it with what it cost before."""

from ._allocated import Allocated
from ._clocks import CLOCKS, ClockName
from ._compare import Change, Comparison, Ratio, compare
from ._concurrency import Loaded
from ._html import as_html
from ._machine import MachineSeen, Watch
from ._measure import Told, measure
from ._models import digests_of
from ._quantiles import QUANTILES, Quantile, QuantileName, Spread, quantile, ranks, spread_of
from ._report import (
    FORMAT,
    Budgeted,
    Exchange,
    Group,
    Loading,
    Memory,
    Part,
    Report,
    RuleTime,
    SurfaceSeen,
)
from ._streams import Streamed
from ._texts import QUICK_SIZES, SIZES, Texts, near_hits, prose
from ._timed import timed

__all__ = [
    "CLOCKS",
    "FORMAT",
    "QUANTILES",
    "QUICK_SIZES",
    "SIZES",
    "Allocated",
    "Budgeted",
    "Change",
    "ClockName",
    "Comparison",
    "Exchange",
    "Group",
    "Loaded",
    "Loading",
    "MachineSeen",
    "Memory",
    "Part",
    "Quantile",
    "QuantileName",
    "Ratio",
    "Report",
    "RuleTime",
    "Spread",
    "Streamed",
    "SurfaceSeen",
    "Texts",
    "Told",
    "Watch",
    "as_html",
    "compare",
    "digests_of",
    "measure",
    "near_hits",
    "prose",
    "quantile",
    "ranks",
    "spread_of",
    "timed",
]
