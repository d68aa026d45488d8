"""What can be proved about a policy: conditions as decision diagrams, every answer counted."""

from ._analyses import analyse

__all__ = ["analyse"]
