"""guardkit: guardrails for LLM deployments as one reviewable policy file.

The names below are loaded on first use (PEP 562), so `import guardkit` costs next to nothing.
A new public name goes into three places, kept in step by `tests/architecture/test_front_door.py`:
the imports for type checkers, `_ROOMS` and `__all__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader as _loader

if TYPE_CHECKING:
    from guardkit.errors import (
        AuditError,
        BindError,
        Blocked,
        CheckError,
        GuardkitError,
        PolicyError,
        UsageError,
    )
    from guardkit.guard import Guard, load, loads, scan
    from guardkit.runtime import MemoryHolds, SqliteHolds
    from guardkit.telemetry import Audit, LogAlarm, Webhook
    from guardkit.types import Finding, Ledger, Record, Verdict

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "AuditError",
    "BindError",
    "Blocked",
    "CheckError",
    "Finding",
    "Guard",
    "GuardkitError",
    "Ledger",
    "LogAlarm",
    "MemoryHolds",
    "PolicyError",
    "Record",
    "SqliteHolds",
    "UsageError",
    "Verdict",
    "Webhook",
    "__version__",
    "load",
    "loads",
    "scan",
]

# The room that each name comes from.
_ROOMS: dict[str, tuple[str, ...]] = {
    "errors": (
        "AuditError",
        "BindError",
        "Blocked",
        "CheckError",
        "GuardkitError",
        "PolicyError",
        "UsageError",
    ),
    "guard": ("Guard", "load", "loads", "scan"),
    "runtime": ("MemoryHolds", "SqliteHolds"),
    "telemetry": ("Audit", "LogAlarm", "Webhook"),
    "types": ("Finding", "Ledger", "Record", "Verdict"),
}

__getattr__ = _loader(__name__, _ROOMS)


def __dir__() -> list[str]:
    return list(__all__)
