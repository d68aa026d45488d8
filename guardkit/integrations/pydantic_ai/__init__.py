"""Pydantic AI: a policy as a capability of an agent, and around a model."""

from ._capability import guardrail
from ._model import guarded

__all__ = ["guarded", "guardrail"]
