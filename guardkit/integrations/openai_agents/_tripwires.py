"""A block as the exception that users of the SDK catch."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from guardkit.errors import Blocked
from guardkit.types import Verdict

from ._agents import the_sdk

INWARD: Final = frozenset({"input", "tool_result", "retrieved"})


def tripwire(verdict: Verdict) -> Exception:
    """The exception for a block around a model: a tripwire of the SDK and a `Blocked` at once.

    Its `guardrail_result` says what the verdict says, and holds none of the text.
    """
    before, after = _tripwires()
    made: Exception = (before if verdict.surface in INWARD else after)(verdict)
    return made


@cache
def _tripwires() -> tuple[type, type]:
    sdk = the_sdk()
    before: Any = sdk.InputGuardrailTripwireTriggered
    after: Any = sdk.OutputGuardrailTripwireTriggered

    async def judge(*_: Any) -> Any:
        """Stands for the policy in results; the model was judged where it was asked."""
        return sdk.GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)

    def output(verdict: Verdict) -> Any:
        said = verdict.as_dict()
        return sdk.GuardrailFunctionOutput(output_info=said, tripwire_triggered=True)

    class InputBlocked(before, Blocked):  # type: ignore[misc]  # a class of the SDK is `Any` here
        """A rule stopped what goes to the model."""

        def __init__(self, verdict: Verdict) -> None:
            guardrail = sdk.InputGuardrail(judge, name="guardkit", run_in_parallel=False)
            super().__init__(sdk.InputGuardrailResult(guardrail, output(verdict)))
            self.verdict = verdict

    class OutputBlocked(after, Blocked):  # type: ignore[misc]  # the same
        """A rule stopped what the model says."""

        def __init__(self, verdict: Verdict) -> None:
            guardrail = sdk.OutputGuardrail(judge, name="guardkit")
            super().__init__(sdk.OutputGuardrailResult(guardrail, None, None, output(verdict)))
            self.verdict = verdict

    return InputBlocked, OutputBlocked
