"""The options by which a verb is told what stands behind a policy: a callable, or a server."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from guardkit.layers import Model

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
    for option in reversed(options):
        function = option(function)
    return function


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
