"""The packages of other houses, loaded when they are first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from guardkit.errors import BindError


def third_party(module: str, extra: str) -> Any:
    """A module that an extra installs.

    It is given as `Any`: these packages are not there when types are looked at.

    Args:
        module: Its full name.
        extra: The extra.

    Raises:
        BindError: It is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name not in (package, module):
            raise  # it is there, and lacks something of its own
        raise BindError(
            f"this integration needs `{package}`: pip install 'guardkit[{extra}]'"
        ) from None
