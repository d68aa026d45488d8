"""A program's own callable that asks a model: found by its name, and what it wants to be given."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any, Final

from guardkit.diagnostics import visible
from guardkit.errors import UsageError

PROMPTS: Final = frozenset({"prompt", "text", "question", "query", "input"})
"""Names of a parameter that takes one text."""


def named_callable(name: str) -> Callable[..., Any]:
    """The callable `module:path`. Where modules are looked for is the caller's to arrange.

    Raises:
        UsageError: There is none, or its module does not load.
    """
    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise UsageError(f"`{visible(name)}` is no `module:callable`")
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - whatever the user's module does when it loads
        why = f"{type(error).__name__}: {visible(str(error))[:200]}"
        raise UsageError(f"`{visible(module)}` cannot be imported ({why})") from None
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise UsageError(f"`{visible(module)}` has no callable `{visible(path)}`")
    return found  # type: ignore[no-any-return]  # what a module holds has no type


def takes_text(function: Callable[..., Any]) -> bool:
    """Whether a callable's first parameter is one text, not messages."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    first = next(
        (one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)),
        None,
    )
    if first is None:
        return False
    is_bare = first.annotation is inspect.Parameter.empty
    return first.annotation in (str, "str") or (is_bare and first.name in PROMPTS)
