"""`guardkit audit`: the record of what was judged, verified and read."""

from __future__ import annotations

from . import _audit_export, _audit_verify
from ._verbs import family


@family("audit", _audit_verify.command, _audit_export.command)
def command() -> None:
    """The audit log: every verdict in one file, in a chain of hashes.

    FILE is what `guardkit.telemetry.Audit` wrote, and it may be in use. It holds actions, rules,
    places and times, and none of the text unless its owner asked for that.
    """
