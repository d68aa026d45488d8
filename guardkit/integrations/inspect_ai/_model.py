"""A policy around a model of an evaluation: every call of it is one exchange."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from guardkit.errors import ModelError
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict
from guardkit.wrap import wrap

from .._target import guard_of
from .._third_party import third_party
from ._messages import Plain, message_of, messages_of, plain_messages, plain_output
from ._session import session_of


def guarded_model(model: str, policy: str | Guard | None = None, **model_args: Any) -> Any:
    """A model with a policy around it: what goes in and what comes out is judged at every call.

    On the command line the same model is `--model guardkit/PROVIDER/NAME -M policy=NAME`.

    Args:
        model: The model, as Inspect names it: `mockllm/model`.
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        **model_args: Handed to the model's own provider, whose names they are.

    Returns:
        A `Model`. A block is a reply with the rule's message and the stop reason
        `content_filter`; `output.metadata["guardkit"]` is the ledger of the exchange.
    """
    get_model = third_party("inspect_ai.model", "inspect").get_model
    return get_model(f"guardkit/{model}", policy=policy, memoize=False, **model_args)


def guarded_api(
    model_name: str,
    base_url: str | None = None,
    api_key: str | None = None,
    config: Any = None,
    policy: str | Guard | None = None,
    **model_args: Any,
) -> Any:
    """The provider `guardkit`: that of the model, with `generate` guarded."""
    models = third_party("inspect_ai.model", "inspect")
    guard = guard_of(policy)
    inner = models.get_model(
        model_name,
        config=config or models.GenerateConfig(),
        base_url=base_url,
        api_key=api_key,
        memoize=False,
        **model_args,
    ).api
    api = copy.copy(inner)
    # All that a provider can do besides, retries and limits among it, is done by the model's own.
    for name in dir(inner):
        if not name.startswith("__") and callable(method := getattr(inner, name)):
            setattr(api, name, method)
    api.model_name = model_name  # with its provider, so that logs and retries name it whole

    async def generate(input: list[Any], tools: list[Any], tool_choice: Any, config: Any) -> Any:
        return await _Exchange(guard, inner, input, tools, tool_choice, config).generate()

    api.generate = generate
    return api


class _Exchange:
    """One call of a model."""

    def __init__(
        self,
        guard: Guard,
        api: Any,
        messages: Sequence[Any],
        tools: Sequence[Any],
        tool_choice: Any,
        config: Any,
    ) -> None:
        self._guard, self._api = guard, api
        self._messages, self._tools = messages, tools
        self._tool_choice, self._config = tool_choice, config
        self._result: Any = None
        """What the model gave back last, a call record beside it or not."""

    async def generate(self) -> Any:
        """The reply as it may be shown; an error of the model comes out as the model gave it."""
        ledgers: list[Ledger] = []
        holds: list[str] = []

        def watch(verdict: Verdict) -> None:
            if verdict.hold is not None:
                holds.append(verdict.hold)

        guarded = wrap(
            self._guard,
            self._reply,
            on_block="reply",
            refusal=_refusal,
            session=session_of(self._guard),
            watch=watch,
            ledger=ledgers.append,
        )
        try:
            shown = await guarded(
                plain_messages(self._messages),
                [tool.model_dump(exclude_none=True) for tool in self._tools],
            )
        except _Failed:
            return self._result
        finally:
            for hold in holds:
                # Nobody will approve it, and a queue that filled up would block.
                self._guard.holds.deny(hold, "an evaluation")
        return self._shown(shown, ledgers[-1])

    async def _reply(self, messages: list[Plain], tools: list[Plain]) -> Plain:
        info = third_party("inspect_ai.tool", "inspect").ToolInfo
        self._result = await self._api.generate(
            input=messages_of(messages, self._messages),
            tools=[info.model_validate(tool) for tool in tools],
            tool_choice=self._tool_choice,
            config=self._config,
        )
        output = self._output
        if isinstance(output, Exception):
            raise _Failed(type(output).__name__)
        return plain_output(output)

    @property
    def _output(self) -> Any:
        return self._result[0] if isinstance(self._result, tuple) else self._result

    def _shown(self, shown: Plain, ledger: Ledger) -> Any:
        metadata = {"guardkit": ledger.as_dict()}
        output = self._output
        if output is None:
            text = shown["choices"][0]["message"]["content"]
            made = third_party("inspect_ai.model", "inspect").ModelOutput.from_content(
                self._api.model_name, text, stop_reason="content_filter"
            )
            return made.model_copy(update={"metadata": metadata})
        choices = [
            _choice(given, choice)
            for given, choice in zip(shown["choices"], output.choices, strict=True)
        ]
        is_same = all(a is b for a, b in zip(choices, output.choices, strict=True))
        made = output.model_copy(
            update={
                "choices": choices,
                "completion": choices[0].message.text if choices else output.completion,
                "metadata": {**(output.metadata or {}), **metadata},
            }
        )
        if is_same and isinstance(self._result, tuple):
            return made, self._result[1]
        # The record of the call holds the reply as the model wrote it.
        return made


def _choice(given: Plain, choice: Any) -> Any:
    message = message_of(given["message"], choice.message)
    stop = given["finish_reason"]
    if message is choice.message and stop == choice.stop_reason:
        return choice
    changes = {"message": message, "stop_reason": stop, "logprobs": None, "prompt_logprobs": None}
    return choice.model_copy(update=changes)


def _refusal(text: str) -> Plain:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "content_filter", "message": message}
    return {"object": "chat.completion", "choices": [choice]}


class _Failed(ModelError):  # noqa: N818 - it only carries a name out
    """The model gave an error back in place of a reply."""
