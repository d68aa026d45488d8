"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

from guardkit._util.writing import write_atomically

__all__ = ["write_atomically"]
