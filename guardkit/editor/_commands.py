"""What a click on a lens does: run tests of a document as it stands, show what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from guardkit.diagnostics import Diagnostic
from guardkit.semantics import CheckedPolicy, TestCase

from ._costs import surface_prices, table
from ._document import Document
from ._workspace import Workspace


class Ran(NamedTuple):
    """What came of one test: `passed`, `failed` or `undecided`, and what there is to say."""

    name: str
    status: str
    summary: str = ""
    finding: Diagnostic | None = None


TestRunner = Callable[[CheckedPolicy, Path, Callable[[TestCase], bool]], Iterable[Ran]]
"""Runs the tests of a policy that lies in a folder; the command line hands one in."""


class Tested(NamedTuple):
    """What came of a run; `why_not` where there was none."""

    ran: tuple[Ran, ...]
    why_not: str = ""

    @property
    def said(self) -> str:
        """One line for people."""
        if self.why_not:
            return self.why_not
        parts = []
        for status in ("passed", "failed", "undecided"):
            number = sum(one.status == status for one in self.ran)
            if number:
                parts.append(f"{number} {status}")
        bad = [f"{one.name}: {one.summary}" for one in self.ran if one.status != "passed"]
        return "\n".join([", ".join(parts) or "there are no tests", *bad])


def run_tests(
    workspace: Workspace, document: Document, title: str | None, runner: TestRunner | None
) -> Tested:
    """Run the tests of a document as it stands in the editor, all of them or those of one title.

    It may take seconds: call it in a thread.
    """
    if runner is None:
        return Tested((), "this server runs no tests: start it with `guardkit lsp`")
    policy = workspace.policy(document.uri)
    if policy is None:
        return Tested((), "the policy does not compile: mend what is wrong with it first")
    root = Path("/nonexistent") if document.path is None else document.path.parent

    def wanted(case: TestCase) -> bool:
        return title is None or case.title == title

    return Tested(tuple(runner(policy, root, wanted)))


class Told(NamedTuple):
    """What a policy costs: a line for each surface, and the table of `guardkit cost`."""

    lines: tuple[str, ...]
    table: str


def cost_of(workspace: Workspace, document: Document) -> Told:
    """What a document cost when it last compiled."""
    plan = workspace.plan(document.uri)
    if plan is None:
        return Told(("the policy has no plan: it does not compile, or is a module",), "")
    lines = tuple(price.said for price in surface_prices(plan))
    return Told(lines or ("no rule judges anything",), table(plan))
