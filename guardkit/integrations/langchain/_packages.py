"""LangChain's packages and what is used of them, loaded when a guard is made."""

from __future__ import annotations

from typing import Any

from guardkit.errors import BindError

from .._third_party import third_party

EXTRA = "langchain"


def taken(module: str, name: str) -> Any:
    """A name of one of LangChain's modules.

    Args:
        module: The module's full name.
        name: The name in it; `Class.attribute` for a hook that a class has to have.

    Returns:
        What it names; for `Class.attribute`, the class.

    Raises:
        BindError: The package is missing, or too old to have it.
    """
    found: Any = third_party(module, EXTRA)
    first, _, hook = name.partition(".")
    found = getattr(found, first, None)
    if found is None or (hook and not hasattr(found, hook)):
        package = module.partition(".")[0]
        raise BindError(
            f"the installed `{package}` is too old for this integration, it has no `{name}`: "
            f"pip install -U 'guardkit[{EXTRA}]'"
        )
    return found


def chat_models() -> Any:
    """The class of all chat models."""
    return taken("langchain_core.language_models", "BaseChatModel")


def messages(name: str) -> Any:
    """A class of messages, or a function of theirs."""
    return taken("langchain_core.messages", name)


def config_now(config: Any = None) -> Any:
    """The configuration that a call runs with: its own, or that of the graph around it."""
    return taken("langchain_core.runnables", "ensure_config")(config)
