"""What other houses' tools ask of guardkit, in their words; one file or folder a tool.

A tool's name is the module to import: `guardkit.integrations.garak`, `.promptfoo`, `.inspect_ai`.
"""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._target import Answer, Target

__all__ = ["Answer", "Target"]

__getattr__ = loader(__name__, {"_target": ("Answer", "Target")})
