"""Inspect AI: a policy as an approver, as a scorer, and around a model."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._registered import approver, guarded, passes

__all__ = ["approver", "guarded", "passes"]

__getattr__ = loader(__name__, {"_registered": ("approver", "guarded", "passes")})
