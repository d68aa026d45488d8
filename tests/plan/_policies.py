"""The policies that these tests compile."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

from guardkit.catalog import Catalog
from guardkit.checks import DISGUISES, SPECS
from guardkit.diagnostics import Source
from guardkit.plan import Plan, lower
from guardkit.semantics import CheckedPolicy, Data, LibraryError, check

HERE = Path(__file__).parent
CATALOG = Catalog.of(SPECS, DISGUISES)
TODAY = date(2026, 11, 21)


class Folder:
    """Data files beside the tests; no modules."""

    def module(self, name: str, user: Source) -> Source:
        raise LibraryError("missing")

    def folder(self, name: str, user: Source) -> str:
        return name

    def data(self, name: str, user: Source) -> Data:
        return Data(name, (HERE / name).read_bytes())


def policy_from(text: str, path: str = "test.guard") -> CheckedPolicy:
    """A checked policy; every error of the text is an error of the test."""
    checked = check(Source(path, text), CATALOG, Folder(), today=TODAY)
    assert checked.policy is not None, [d.message for d in checked.diagnostics if d.is_error]
    return checked.policy


@cache
def policy(name: str) -> CheckedPolicy:
    """`shop` or `agent`."""
    return policy_from((HERE / f"{name}.guard").read_text(), f"{name}.guard")


@cache
def plan(name: str) -> Plan:
    return lower(policy(name), CATALOG)


def brief(rules: str, checks: str = "", defaults: str = "", rest: str = "") -> CheckedPolicy:
    """A policy from its interesting parts."""
    head = "guardkit 1\npolicy brief\n\n"
    block = f"defaults {{\n{defaults}\n}}\n\n" if defaults else ""
    return policy_from(f"{head}{block}{rules}\n{checks}\n{rest}")
