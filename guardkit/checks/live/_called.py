"""Code that is not ours: found once at bind, called off the event loop, its answers doubted."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from numbers import Real
from typing import Any

from guardkit.catalog import Setting
from guardkit.errors import BindError, CheckError


def called(config: Mapping[str, object], setting: Setting) -> object:
    """What a check's `call` names: the program's own object where it gave one, else an import.

    Raises:
        BindError: There is no such thing, or its module cannot be imported.
    """
    if setting.given is not None:
        return setting.given
    target = str(config["call"])
    module, _, name = target.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError as error:
        raise BindError(f"`{target}` cannot be used: `{module}` has no `{name}`") from error
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise BindError(f"`{target}` cannot be used: there is no module `{missing}`") from error
    except Exception as error:
        # Importing runs any code at all, so it may fail in any way at all.
        what = type(error).__name__
        raise BindError(f"`{target}` cannot be used: its module failed with {what}") from error


def made(target: object, named: str) -> object:
    """The object itself; of a class, one object of it.

    Raises:
        BindError: The class cannot be called without arguments.
    """
    if not isinstance(target, type):
        return target
    try:
        return target()
    except Exception as error:
        what = type(error).__name__
        raise BindError(f"{named} is a class that cannot be called: {what}") from error


class Called:
    """A callable of somebody else, awaited whether it is asynchronous or not.

    One that is not runs in a thread, since it may block, and is left behind when the wait for it
    ends.

    Args:
        function: The callable.
        in_thread: Calls what may block.
    """

    __slots__ = ("_function", "_in_thread", "_is_async")

    def __init__(
        self,
        function: Callable[..., Any],  # whatever its author made of it
        in_thread: Callable[..., Awaitable[Any]],
    ) -> None:
        self._in_thread = in_thread
        self._function = function
        call = getattr(type(function), "__call__", None)  # noqa: B004 - its kind, not whether
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)

    async def __call__(self, *arguments: str) -> object:
        """What the callable answers; its exceptions are let out."""
        try:
            if self._is_async:
                return await self._function(*arguments)
            (answer,) = await self._in_thread(self._run, arguments)
            # A plain function may hand back something to wait for.
            return await answer if inspect.isawaitable(answer) else answer
        except SystemExit as error:
            raise CheckError("it tried to end the process") from error

    def _run(self, arguments: tuple[str, ...]) -> tuple[Any]:
        # A tuple, since trio refuses a coroutine that comes out of a thread.
        try:
            return (self._function(*arguments),)
        except StopIteration as error:
            # No future can carry this one, so the wait for the thread would never end.
            raise CheckError("it raised StopIteration") from error


def as_number(value: object) -> float | None:
    """A finite number; None for anything else, and `True` is something else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def as_score(value: object) -> float | None:
    """A number from 0 to 1; None for anything else."""
    number = as_number(value)
    return number if number is not None and 0.0 <= number <= 1.0 else None
