"""OpenAI Agents SDK: a policy as guardrails of agents and tools, and around a model."""

from ._guardrails import guardrails
from ._model import guarded
from ._tools import tool_guardrails

__all__ = ["guarded", "guardrails", "tool_guardrails"]
