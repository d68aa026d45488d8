"""What a tool that tests deployments aims at: a policy around a model, asked turn by turn."""

from __future__ import annotations

import functools
import inspect
import os
import secrets
import sys
from collections.abc import AsyncIterable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from guardkit.errors import Blocked, UsageError
from guardkit.guard import Guard, load
from guardkit.runtime import Bridge
from guardkit.types import Ledger
from guardkit.wrap import chunk_text, named_callable, reply_text, takes_text, wrap

Message = Mapping[str, object]

POLICY: Final = "GUARDKIT_POLICY"
MODEL: Final = "GUARDKIT_MODEL"
"""The environment variables that name them where a tool's own options do not."""


class Answer(NamedTuple):
    """What came of one exchange. Its repr shows none of the text."""

    text: str
    """What the user is shown: the reply as it may be delivered, or the message of a block."""
    ledger: Ledger
    policy: str
    """The digest of the policy."""
    usage: Mapping[str, int] | None = None
    """The tokens that the model counted, where its reply says so."""

    @property
    def is_stopped(self) -> bool:
        """Whether a rule or a filter of the provider stopped it; a model that refuses did not."""
        return self.ledger.outcome == "refused" and self.ledger.layer in _STOPPING

    def __repr__(self) -> str:
        return f"<Answer {self.ledger.outcome} {self.ledger.layer} {self.ledger.by}>"


_STOPPING: Final = frozenset({"input", "output", "provider"})


class Target:
    """A guard around a callable of a program that asks a model.

    Args:
        guard: The guard.
        model: The callable, plain or async, of one reply or a stream. It is given the messages, or
            the text where its first parameter is called `prompt` or is annotated `str`.

    Raises:
        UsageError: Nobody can tell where the callable takes its text.
    """

    def __init__(self, guard: Guard, model: Callable[..., Any]) -> None:
        self.guard = guard
        self._model = model
        self._takes_text = takes_text(model)
        self.has_answered = False
        """Whether any exchange has come to an end: faults before that are a wrong set-up."""
        # What cannot be wrapped is said here, not in the first of a thousand exchanges.
        wrap(guard, model, session="none")

    def ask(self, said: str | Sequence[Message]) -> Answer:
        """Have one exchange, which is a session of its own and is forgotten after.

        Args:
            said: What the user says, or a whole conversation.

        Raises:
            UsageError: The callable takes a text, and this is a conversation.
            Exception: Whatever the callable raises.
        """
        ledgers: list[Ledger] = []
        used: list[Mapping[str, int]] = []
        session = f"exchange {secrets.token_hex(8)}"
        guarded = wrap(self.guard, self._counting(used), session=session, ledger=ledgers.append)
        try:
            text = _read(guarded(self._given(said)))
        except Blocked as blocked:
            text = blocked.verdict.text
            if blocked.verdict.hold is not None:
                # Nobody will approve it, and a queue that filled up would block.
                self.guard.holds.deny(blocked.verdict.hold, "a test of the deployment")
        finally:
            self.guard.forget(session)
        self.has_answered = True
        return Answer(text, ledgers[-1], self.guard.digest, used[-1] if used else None)

    def _given(self, said: str | Sequence[Message]) -> Any:
        if isinstance(said, str):
            return said if self._takes_text else [{"role": "user", "content": said}]
        if not self._takes_text:
            return [dict(message) for message in said]
        match said:
            case [{"role": "user", "content": str(text)}]:
                return text
        raise UsageError("the model takes one text, and this is a conversation: take `messages`")

    def _counting(self, used: list[Mapping[str, int]]) -> Callable[..., Any]:
        """The callable, with the tokens noted that its replies count."""
        model = self._model

        if _is_async(model):

            async def awaited(*args: Any, **kwargs: Any) -> Any:
                made = model(*args, **kwargs)
                return _noted(await made if hasattr(made, "__await__") else made, used)

            return functools.update_wrapper(awaited, model)

        def called(*args: Any, **kwargs: Any) -> Any:
            return _noted(model(*args, **kwargs), used)

        return functools.update_wrapper(called, model)


# --- by name


def target_of(policy: str | None = None, model: str | None = None, folder: str = "") -> Target:
    """The target that a tool's options, or else the environment, name.

    One process has one guard for each: its models are loaded once.

    Args:
        policy: A path, or the name of a policy that ships.
        model: `module:callable`.
        folder: Where the paths and modules of the tool's options lie; without it, here.

    Raises:
        UsageError: One of them is not named, or there is no such callable.
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it.
    """
    return _target_of(
        policy or _named(POLICY, "policy", "a path or `chat`"),
        model or _named(MODEL, "model", "`module:callable`"),
        str(Path(folder).resolve()),
    )


@functools.lru_cache(maxsize=8)
def _target_of(policy: str, model: str, folder: str) -> Target:
    if folder not in sys.path:
        sys.path.append(folder)
    return Target(guard_of(policy, folder), named_callable(model))


def guard_of(policy: str | Guard | None, folder: str = "") -> Guard:
    """A guard, given as such, by path or name, or by the environment.

    Raises:
        UsageError: None is named.
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it.
    """
    if isinstance(policy, Guard):
        return policy
    name = policy or _named(POLICY, "policy", "a path or `chat`")
    beside = Path(folder) / name
    return load(beside if folder and beside.is_file() else name)


def _named(variable: str, what: str, example: str) -> str:
    if name := os.environ.get(variable, ""):
        return name
    raise UsageError(f"which {what}? give `{what}`, or set {variable}: {example}")


# --- replies


def _is_async(function: Callable[..., Any]) -> bool:
    target: Any = function
    while isinstance(target, functools.partial):
        target = target.func
    if not inspect.isroutine(target):
        target = type(target).__call__
    return inspect.iscoroutinefunction(target)


def _read(reply: Any) -> str:
    """The text of a reply, or of a stream to its end."""
    if hasattr(reply, "__await__") or hasattr(type(reply), "__aiter__"):
        # One loop for all exchanges: clients keep their connections in it.
        text: str = Bridge.run(_aread, reply)
        return text
    if hasattr(type(reply), "__next__"):
        chunks: Iterator[Any] = reply
        return "".join(chunk_text(chunk) for chunk in chunks)
    return reply_text(reply)


async def _aread(reply: Any) -> str:
    if hasattr(reply, "__await__"):
        reply = await reply
    if hasattr(type(reply), "__aiter__"):
        chunks: AsyncIterable[Any] = reply
        return "".join([chunk_text(chunk) async for chunk in chunks])
    return _read(reply)


def _noted(reply: Any, used: list[Mapping[str, int]]) -> Any:
    usage = _member(reply, "usage")
    counts = {
        name: count
        for name, keys in _COUNTS.items()
        for key in keys
        if isinstance(count := _member(usage, key), int)
    }
    if counts:
        counts.setdefault("total", sum(counts.values()))
        used.append(counts)
    return reply


_COUNTS: Final = {
    "prompt": ("prompt_tokens", "input_tokens"),
    "completion": ("completion_tokens", "output_tokens"),
    "total": ("total_tokens",),
}


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
