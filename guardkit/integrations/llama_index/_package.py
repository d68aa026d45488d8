"""What is taken from the package, and how new it has to be."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from guardkit.errors import BindError

from .._third_party import third_party

OLDEST: Final = (0, 14)


@cache
def package(module: str) -> Any:
    """A module of the package's core; looked up once.

    Raises:
        BindError: It is not installed, or too old.
    """
    # An old one may not even import beside what is new here.
    with suppress(PackageNotFoundError):
        found = tuple(int(part) for part in re.findall(r"\d+", version("llama-index-core"))[:2])
        if found < OLDEST:
            raise BindError(
                "this integration needs `llama-index-core` 0.14 or newer: "
                "pip install 'guardkit[llama-index]'"
            )
    third_party("llama_index.core", "llama-index")
    return third_party(f"llama_index.core.{module}", "llama-index")
