"""guardkit: guardrails for LLM deployments as one reviewable policy file.

The names below are loaded on first use (PEP 562), so `import guardkit` costs next to nothing.
A new public name goes into three places, kept in step by `tests/architecture/test_front_door.py`:
the imports for type checkers, `_ROOMS` and `__all__`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guardkit.errors import (
        BindError,
        Blocked,
        CheckError,
        GuardkitError,
        PolicyError,
        UsageError,
    )

__version__ = "0.1.0"

__all__ = [
    "BindError",
    "Blocked",
    "CheckError",
    "GuardkitError",
    "PolicyError",
    "UsageError",
    "__version__",
]

# The room that each name comes from. `guard` and `types` join here: "guard": ("Guard", "load", …).
_ROOMS: dict[str, tuple[str, ...]] = {
    "errors": (
        "BindError",
        "Blocked",
        "CheckError",
        "GuardkitError",
        "PolicyError",
        "UsageError",
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module `guardkit` has no attribute `{name}`", name=name)
    value: object = getattr(import_module(f"guardkit.{room}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return list(__all__)
