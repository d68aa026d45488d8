"""promptfoo: a deployment as a Python provider, with verdicts where `guardrails` looks for them.

promptfoo loads a provider by the path of its file and puts the file's folder first where modules
are looked for, so it is pointed at a file of one's own:

    from guardkit.integrations.promptfoo import call_api
"""

from __future__ import annotations

if not __package__:
    # By its own path this file would make `import garak` find the one beside it, and relative
    # imports have nothing to be relative to.
    raise ImportError(
        "promptfoo cannot load this file by its path: give it a file with the line "
        "`from guardkit.integrations.promptfoo import call_api`"
    )

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from guardkit.errors import GuardkitError, UsageError
from guardkit.guard import Guard

from ._target import Answer, Target, target_of

__all__ = ["call_api", "provider"]

Reply = dict[str, Any]
"""What promptfoo calls a provider response."""


def call_api(prompt: str, options: Mapping[str, Any], context: Mapping[str, Any]) -> Reply:
    """What the deployment answers, and which layer made it so.

    The provider's `config` names the deployment: `policy` a path, or the name of a policy that
    ships, and `model` as `module:callable`, both looked for in the folder of promptfoo's own
    configuration first. Without them `GUARDKIT_POLICY` and `GUARDKIT_MODEL` do.

    Args:
        prompt: The prompt, or a conversation as JSON.
        options: The provider's options; its `config` is read.
        context: The variables of the test; nothing of it is read.

    Returns:
        `output`; `guardrails` with `flagged`, `flaggedInput`, `flaggedOutput` and `reason`;
        `metadata.guardkit` with the ledger; `tokenUsage` where the model counts. Where the model
        fails or nothing can be asked, `error`, which quotes none of the text.
    """
    config = options.get("config") or {}
    try:
        target = target_of(
            config.get("policy"), config.get("model"), str(config.get("basePath") or "")
        )
    except GuardkitError as error:
        return {"error": f"guardkit: {error}"}
    return _reply(target, prompt)


def provider(guard: Guard, model: Callable[..., object]) -> Callable[..., Reply]:
    """`call_api` for a guard and a model that a program made itself.

    Args:
        guard: The guard.
        model: What is asked: a callable of messages or of a prompt, plain or async.

    Example:
        >>> call_api = provider(guard, chat)  # in the file that promptfoo loads  # doctest: +SKIP
    """
    target = Target(guard, model)

    def call_api(prompt: str, options: object = None, context: object = None) -> Reply:
        return _reply(target, prompt)

    return call_api


def _reply(target: Target, prompt: str) -> Reply:
    try:
        answer = target.ask(_said(prompt))
    except UsageError as error:
        return {"error": f"guardkit: {error}"}
    except Exception as error:  # noqa: BLE001 - whatever a model does is told, never its text
        return {"error": f"guardkit: the model failed ({type(error).__name__})"}
    return reply_of(answer)


def reply_of(answer: Answer) -> Reply:
    """An answer as a provider response."""
    ledger = answer.ledger
    made: Reply = {
        "output": answer.text,
        "guardrails": {
            "flagged": answer.is_stopped,
            "flaggedInput": answer.is_stopped and ledger.layer == "input",
            "flaggedOutput": answer.is_stopped and ledger.layer != "input",
        },
        "metadata": {"guardkit": {"policy": answer.policy, **ledger.as_dict()}},
    }
    if answer.is_stopped:
        made["guardrails"]["reason"] = f"{ledger.layer}: {ledger.by}"
    if answer.usage is not None:
        made["tokenUsage"] = {**answer.usage, "numRequests": 1}
    return made


def _said(prompt: str) -> str | Sequence[Mapping[str, object]]:
    """The conversation that a prompt holds as JSON, as promptfoo writes those; else the prompt."""
    if not prompt.lstrip().startswith("["):
        return prompt
    try:
        found = json.loads(prompt)
    except ValueError:
        return prompt
    is_conversation = (
        isinstance(found, list)
        and bool(found)
        and all(isinstance(each, dict) and isinstance(each.get("role"), str) for each in found)
    )
    return found if is_conversation else prompt
