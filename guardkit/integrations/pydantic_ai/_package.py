"""Pydantic AI, if it is there and new enough; and a block as one of its exceptions."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from guardkit.errors import BindError, Blocked
from guardkit.types import Verdict

from .._third_party import third_party

EXTRA: Final = "pydantic-ai"


def part_of(module: str) -> Any:
    """A module of the package: `messages`.

    Raises:
        BindError: The package is not installed, or is too old.
    """
    third_party("pydantic_ai", EXTRA)
    try:
        # The hook that guards whichever model serves a request came with these.
        abstract = third_party("pydantic_ai.capabilities", EXTRA).AbstractCapability
        is_new = hasattr(abstract, "get_wrapper_model")
    except (BindError, AttributeError):
        is_new = False
    if not is_new:
        raise BindError(
            "this integration needs `pydantic-ai` 2.68 or newer, and what is installed is older: "
            f"pip install -U 'guardkit[{EXTRA}]'"
        )
    return third_party(f"pydantic_ai.{module}", EXTRA)


def blocked_by(verdict: Verdict) -> Exception:
    """The exception for a block around a model: a `ContentFilterError` and a `Blocked` at once."""
    made: Exception = _blocked("ContentFilterError")(verdict)
    return made


def stopped_by(verdict: Verdict) -> Exception:
    """The exception for a block of a tool or an output: an `AgentRunError` and a `Blocked`.

    There the framework takes a `ContentFilterError` for a mistake of the model, and asks it again.
    """
    made: Exception = _blocked("AgentRunError")(verdict)
    return made


@cache
def _blocked(name: str) -> type:
    base: Any = getattr(part_of("exceptions"), name)

    class PolicyBlocked(base, Blocked):  # type: ignore[misc]  # a class of theirs is `Any` here
        """A rule stopped what goes to a model, or what comes from it."""

        def __init__(self, verdict: Verdict) -> None:
            self.verdict = verdict
            base.__init__(self, Blocked.__str__(self))

    return PolicyBlocked
