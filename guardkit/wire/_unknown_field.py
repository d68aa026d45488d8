"""A request holds a field that nobody knows: the client hears that, the operator which one."""

from __future__ import annotations

import re
from typing import Final

from ._fault import Fault

_PLAIN: Final = re.compile(r"(?=.{1,40}\Z)[a-z]+(?:_[a-z]+)*\Z")
"""A name as APIs have them. No key, number or sentence is spelled like that."""


class UnknownField(Fault):
    """A field is refused. Its name is for the operator's log, and only where it is a plain word.

    Args:
        message: What the client is told; it does not name the field.
        name: The field, as the client wrote it.
    """

    def __init__(self, message: str, name: str) -> None:
        super().__init__(400, "unknown_field", message)
        self.field = name if _PLAIN.match(name) else ""
        """The name of the field; empty where it is not to be shown."""


def field_of(fault: Fault) -> str:
    """The name of the field that a fault is about; empty where there is none to be told."""
    return fault.field if isinstance(fault, UnknownField) else ""
