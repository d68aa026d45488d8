"""The SDK, if it is there and new enough."""

from __future__ import annotations

from typing import Any, Final

from guardkit.errors import BindError

from .._third_party import third_party

EXTRA: Final = "openai-agents"
_NEEDED: Final = (
    "InputGuardrail",
    "OutputGuardrail",
    "ToolInputGuardrail",
    "ToolOutputGuardrail",
    "ModelRetryAdvice",
    "ModelRetryNormalizedError",
)
"""What the versions before lack."""


def the_sdk() -> Any:
    """The module `agents`.

    Raises:
        BindError: It is not installed, or is too old.
    """
    sdk = third_party("agents", EXTRA)
    if not all(hasattr(sdk, name) for name in _NEEDED):
        raise BindError(
            "this integration needs `openai-agents` 0.24 or newer, and what is installed is "
            f"older: pip install -U 'guardkit[{EXTRA}]'"
        )
    return sdk


def session_of_trace() -> str | None:
    """The group of the run's trace, which is a conversation; None where nothing is traced."""
    trace = the_sdk().get_current_trace()
    group = getattr(trace, "group_id", None)
    return group if isinstance(group, str) and group else None
