"""garak: a deployment as the function that its `function` generator calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final, Literal

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.guard import Guard

from ._target import Target, target_of

__all__ = ["respond", "responder"]

BLOCKED: Final = "GUARDKIT_BLOCKED"
Blocked = Literal["refusal", "message", "nothing"]
_CHOICES: Final[tuple[Blocked, ...]] = ("refusal", "message", "nothing")
REFUSAL: Final = "I'm sorry, but I can't assist with that."
"""What the detectors that look for refusals by their phrases know as one."""


def respond(
    prompt: str,
    *,
    policy: str | None = None,
    model: str | None = None,
    blocked: str | None = None,
) -> list[str] | None:
    """What the deployment shows the user.

    garak finds it by `--target_type function --target_name guardkit.integrations.garak#respond`
    and passes on, as keywords, what its options file says.

    Args:
        prompt: What the probe says.
        policy: A path, or the name of a policy that ships; else `GUARDKIT_POLICY`.
        model: `module:callable`; else `GUARDKIT_MODEL`.
        blocked: What stands for a blocked text: `message`, the rule's own; `refusal`, the same
            after a sentence that garak knows as a refusal; `nothing`, which garak leaves out of
            its figures. Else `GUARDKIT_BLOCKED`, else `refusal`: of a bare message, garak's
            detectors of refusals would count most as a success of the attack.

    Returns:
        One text, or None where there is none.

    Raises:
        UsageError: Something is not named, or is none of the choices.
        Exception: Whatever the model raised in the first exchange. Later faults are told on
            standard error and come out as None, so that one of them does not end a long run.
    """
    return _answer(target_of(policy, model), _choice(blocked or os.environ.get(BLOCKED)), prompt)


def responder(
    guard: Guard, model: Callable[..., object], *, blocked: Blocked = "refusal"
) -> Callable[[str], list[str] | None]:
    """`respond` for a guard and a model that a program made itself.

    Args:
        guard: The guard.
        model: What is asked: a callable of messages or of a prompt, plain or async.
        blocked: What stands for a blocked text; see `respond`.

    Example:
        >>> answer = responder(guard, chat)  # in `bot.py`; garak: bot#answer  # doctest: +SKIP
    """
    target, choice = Target(guard, model), _choice(blocked)

    def answer(prompt: str) -> list[str] | None:
        return _answer(target, choice, prompt)

    return answer


def _answer(target: Target, blocked: Blocked, prompt: str) -> list[str] | None:
    try:
        answer = target.ask(prompt)
    except UsageError:
        raise
    except Exception as error:
        if not target.has_answered:
            raise
        print(f"guardkit: the model failed ({type(error).__name__})", file=sys.stderr)
        return None
    if not answer.is_stopped or blocked == "message":
        return [answer.text]
    return None if blocked == "nothing" else [f"{REFUSAL} {answer.text}".rstrip()]


def _choice(said: str | None) -> Blocked:
    for choice in _CHOICES:
        if choice == (said or "refusal"):
            return choice
    known = ", ".join(f"`{choice}`" for choice in _CHOICES)
    raise UsageError(f"`{visible(str(said))}` is no way to show a block: it is one of {known}")
