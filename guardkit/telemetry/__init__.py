"""Sinks for traces: the audit log, live counters, monitors and their alarms."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._alarms import Alarm, LogAlarm, Sink
    from ._audit import Audit, AuditMode
    from ._audit_export import COLUMNS, Exported, ExportFormat, Output, export
    from ._audit_verify import Report, verify
    from ._changes import Changes, Direction, delay
    from ._exposition import Family, Labels, Spread, Value, exposition, quoted, written
    from ._monitor import Monitor, Reading, Ring, Stretch
    from ._monitors import BUDGET, Monitors
    from ._times import BUCKETS, Times, bucket_of
    from ._webhook import Webhook
    from ._window import Answers

__all__ = [
    "BUCKETS",
    "BUDGET",
    "COLUMNS",
    "Alarm",
    "Answers",
    "Audit",
    "AuditMode",
    "Changes",
    "Direction",
    "ExportFormat",
    "Exported",
    "Family",
    "Labels",
    "LogAlarm",
    "Monitor",
    "Monitors",
    "Output",
    "Reading",
    "Report",
    "Ring",
    "Sink",
    "Spread",
    "Stretch",
    "Times",
    "Value",
    "Webhook",
    "bucket_of",
    "delay",
    "export",
    "exposition",
    "quoted",
    "verify",
    "written",
]

# The audit log loads SQLite, and a guard may have monitors alone.
__getattr__ = loader(
    __name__,
    {
        "_alarms": ("Alarm", "LogAlarm", "Sink"),
        "_audit": ("Audit", "AuditMode"),
        "_audit_export": ("COLUMNS", "ExportFormat", "Exported", "Output", "export"),
        "_audit_verify": ("Report", "verify"),
        "_changes": ("Changes", "Direction", "delay"),
        "_exposition": ("Family", "Labels", "Spread", "Value", "exposition", "quoted", "written"),
        "_monitor": ("Monitor", "Reading", "Ring", "Stretch"),
        "_monitors": ("BUDGET", "Monitors"),
        "_times": ("BUCKETS", "Times", "bucket_of"),
        "_webhook": ("Webhook",),
        "_window": ("Answers",),
    },
)
