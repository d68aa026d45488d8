"""Reads the conformance cases and checks their policies. It knows nothing of any engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from guardkit.catalog import Catalog
from guardkit.checks import DISGUISES, SPECS
from guardkit.diagnostics import Source, render
from guardkit.semantics import CheckedPolicy, Data, LibraryError, check

HERE = Path(__file__).parent
TODAY = "2026-06-01"


@dataclass(frozen=True, slots=True)
class Case:
    """One case: a policy, what happens, and what has to come of it. `raw` is the JSON object."""

    file: str
    number: int
    raw: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.file}-{self.number:02}-{self.raw['name']}"

    @property
    def whole(self) -> dict[str, Any]:
        return read(self.file)

    @property
    def today(self) -> date:
        return date.fromisoformat(self.raw.get("today", TODAY))

    def policy(self) -> CheckedPolicy:
        """The checked policy: the case's own lines after those of its file."""
        lines = [*self.whole.get("policy", []), *self.raw.get("policy", [])]
        return policy_of("\n".join(lines) + "\n", self.file, self.today)


@cache
def read(name: str) -> dict[str, Any]:
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]  # checked by the tests


def all_cases() -> Iterator[Case]:
    """Every case of every file, in file order."""
    for path in sorted(HERE.glob("*.json")):
        for number, raw in enumerate(read(path.stem)["cases"], 1):
            yield Case(path.stem, number, raw)


@dataclass(frozen=True, slots=True)
class _Files:
    """A library with the data files that a case file carries; no modules."""

    files: dict[str, Any]

    def module(self, name: str, user: Source) -> Source:
        raise LibraryError("missing")

    def folder(self, name: str, user: Source) -> str:
        return name

    def data(self, name: str, user: Source) -> Data:
        if name not in self.files:
            raise LibraryError("missing")
        return Data(name, json.dumps(self.files[name]).encode())


@cache
def policy_of(text: str, file: str, today: date) -> CheckedPolicy:
    source = Source(f"{file}.guard", text)
    library = _Files(read(file).get("files", {}))
    checked = check(source, Catalog.of(SPECS, DISGUISES), library, today=today)
    errors = [found for found in checked.diagnostics if found.is_error]
    assert checked.policy is not None, "\n" + render(errors, "full")
    return checked.policy
