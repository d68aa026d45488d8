"""The options by which a verb is told what stands behind a policy: a callable, or a server."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from guardkit.layers import Model

_ANY: Final = ("model", "base_url", "other", "other_base_url")
_BELONGS: Final = {
    "model_name": ("base_url",),
    "key_env": ("base_url",),
    "other_name": ("other_base_url",),
    "other_key_env": ("other_base_url",),
    "rate": _ANY,
    "timeout": _ANY,
}
"""Options, and those of which there has to be one for them to say anything."""
Named = tuple[str | None, str | None, str, str | None]
"""What was typed: `module:callable`, a base URL, the model's name there, the key's variable."""


def weights_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options that name the model of a deployment."""
    options = (
        click.option("--model", metavar="MODULE:CALLABLE", help="The model: a callable."),
        click.option(
            "--base-url", metavar="URL", help="The model: a server that speaks chat completions."
        ),
        click.option(
            "--model-name", default="default", metavar="NAME", help="The name of the model there."
        ),
        click.option(
            "--key-env", metavar="NAME", help="The environment variable that holds the key for it."
        ),
    )

    @wraps(function)
    def checked(*arguments: Any, **given: Any) -> Any:
        refuse_idle()
        return function(*arguments, **given)

    for option in reversed(options):
        checked = option(checked)
    return checked


def refuse_idle() -> None:
    """Refuse options that say something of a model where there is none: they would do nothing.

    Raises:
        click.UsageError: There are some.
    """
    context = click.get_current_context()
    has = {name for name, value in context.params.items() if value is not None}
    for name, needed in _BELONGS.items():
        is_typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_typed and not has.intersection(needed):
            wanted = " or ".join(_typed(one) for one in needed[:2])
            raise click.UsageError(f"{_typed(name)} belongs to {wanted}: there is none.")


def _typed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def weights(named: Named, timeout_s: float) -> Model | None:
    """The model that is named; None where none is.

    Raises:
        click.UsageError: Two are, or the key is not there.
        UsageError: There is no such callable, or no such address.
    """
    from guardkit.layers import Server, named_model

    callable_name, base_url, name, key_env = named
    if callable_name is not None and base_url is not None:
        raise click.UsageError("A model is a callable or a server: give one of them.")
    if callable_name is not None:
        return named_model(callable_name)
    if base_url is None:
        return None
    key = ""
    if key_env is not None:
        key = os.environ.get(key_env, "")
        if not key:
            raise click.UsageError(f"The environment variable `{key_env}` holds no key.")
    return Server(base_url, name, key, timeout_s)
