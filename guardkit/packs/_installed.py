"""The packs that act in a deployment, and what a policy says about them without saying it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from guardkit.diagnostics import Diagnostic, Source
from guardkit.semantics import Library
from guardkit.syntax import EDITION, ast, decode, parse

from ._bundle import NEXT, Bundle
from ._shelf import USE, Shelf, Shelved, reader
from ._state import Placed


@dataclass(frozen=True, slots=True)
class Acting:
    """One pack, verified, and how it acts. `alias` is the module's name in the policy."""

    alias: str
    placed: Placed
    bundle: Bundle = field(repr=False)

    @property
    def overlay(self) -> Source:
        """What a policy would say to have this pack act so: `use`, and `apply` for each rule."""
        name, mode = self.alias, f"mode: {self.placed.mode}"
        if self.placed.mode == "enforce" and self.placed.percent < 100:
            mode += f", share: {self.placed.percent:.2f}%"
        lines = [
            f"guardkit {EDITION}",
            "policy packs",
            f'use "{USE}{name}" version "{self.bundle.manifest.version}" as {name}',
            *(f"apply {name}.{rule} ({mode})" for rule in rules_of(self.bundle)),
        ]
        return Source(f"packs:{name}", "\n".join(lines) + "\n")


@dataclass(frozen=True, slots=True)
class Installed:
    """Every pack of a store that acts, each verified again."""

    packs: tuple[Acting, ...] = ()

    @property
    def overlays(self) -> tuple[Source, ...]:
        """What the policy would have to say, one source for each pack."""
        return tuple(one.overlay for one in self.packs)

    def library(self, beneath: Library) -> Library:
        """A library that has the packs too."""
        return Shelf(self._shelved(), beneath)

    def reader(self, beneath: Callable[[str], bytes]) -> Callable[[str], bytes]:
        """A reader of data files that has those of the packs too."""
        return reader(self._shelved(), beneath)

    def in_force(self) -> Installed:
        """The same packs as they would act if the newest of each were in force for all."""
        newest = {one.bundle.manifest.name: one for one in self.packs}
        return Installed(
            tuple(
                replace(one, alias=name, placed=one.placed._replace(mode="enforce", percent=100.0))
                for name, one in newest.items()
            )
        )

    def _shelved(self) -> Mapping[str, Shelved]:
        return MappingProxyType(
            {one.alias: Shelved(one.bundle.manifest.entry, one.bundle.files) for one in self.packs}
        )


def aliased(name: str, main: Placed | None, trial: Placed | None) -> Iterator[tuple[str, Placed]]:
    """What the versions of one pack are called in a policy."""
    if main is not None:
        yield name, main
    if trial is not None:
        yield f"{name}{NEXT}", trial


def declarations_of(bundle: Bundle) -> tuple[ast.Declaration, ...]:
    """What the module or the policy of a bundle declares, as far as it can be read."""
    source = decode(bundle.manifest.entry, bundle.files[bundle.manifest.entry])
    return () if isinstance(source, Diagnostic) else parse(source).file.declarations


def rules_of(bundle: Bundle) -> tuple[str, ...]:
    """The names of its rules, in the order of the file."""
    return tuple(
        node.name.text
        for node in declarations_of(bundle)
        if isinstance(node, ast.Block) and node.kind == "rule" and isinstance(node.name, ast.Name)
    )
