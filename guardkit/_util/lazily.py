"""A package's door that loads some of its names on first use (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def loader(package: str, names: Mapping[str, tuple[str, ...]]) -> Callable[[str], object]:
    """The `__getattr__` of a package: `names` says which of its modules holds which names."""
    module_of = {name: module for module, group in names.items() for name in group}

    def load(name: str) -> object:
        module = module_of.get(name)
        if module is None:
            raise AttributeError(f"module `{package}` has no attribute `{name}`", name=name)
        value: object = getattr(import_module(f"{package}.{module}"), name)
        setattr(sys.modules[package], name, value)  # the next look-up does not come here
        return value

    return load
