"""What a bundle has to be beyond whole: a module that compiles, and tests that show its work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple, Protocol

from guardkit.catalog import Catalog
from guardkit.diagnostics import visible
from guardkit.errors import PolicyError
from guardkit.semantics import (
    Check,
    CheckedPolicy,
    Expected,
    Happened,
    Library,
    LibraryError,
    Rule,
    check,
)

from ._bundle import BundleError, Manifest
from ._shelf import Shelf, Shelved, is_of_a_bundle, reader


class Result(Protocol):
    """What came of one test, as `guardkit.testing.run_tests` says it."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...


RunTests = Callable[[CheckedPolicy, Callable[[str], bytes]], Iterable[Result]]
"""Runs the tests of a module; it is passed in, because the engine stands above this room."""

_MOST_SAID = 5


class Means(NamedTuple):
    """What a bundle is examined with; this room stands below who could bring it."""

    catalog: Catalog
    shipped: Library
    """Gives the modules that ship."""
    read: Callable[[str], bytes]
    """Reads their data files, by the names that checks have for them."""
    run_tests: RunTests | None = None
    """None where tests are not run: nothing is installed without."""


def examine(
    manifest: Manifest, files: Mapping[str, bytes], means: Means, today: date
) -> tuple[CheckedPolicy, dict[str, str]]:
    """What the policy or the module of a bundle means, and which shipped files it rests on.

    The tests of a pack are run, where there is somebody to run them.

    Args:
        manifest: The manifest.
        files: The files.
        means: Check kinds, shipped modules, somebody to run tests.
        today: The day against which exemptions end.

    Raises:
        PolicyError: It does not compile.
        BundleError: It is not what its manifest says, brings code, or its tests do not pass.
    """
    bundles = {manifest.name: Shelved(manifest.entry, files)}
    shelf = Shelf(bundles, means.shipped)
    try:
        source = shelf.source(manifest.name)
    except LibraryError:
        raise BundleError(f"`{manifest.entry}` is not UTF-8 text") from None
    checked = check(source, means.catalog, shelf, today=today)
    policy = checked.policy
    if policy is None:
        raise PolicyError(checked.diagnostics)
    problems = list(_problems(manifest, policy, means.catalog))
    if not problems and means.run_tests is not None and manifest.kind == "pack":
        problems += _failures(means.run_tests(policy, reader(bundles, means.read)))
    if problems:
        raise BundleError(*problems)
    return policy, shelf.std


def _problems(manifest: Manifest, policy: CheckedPolicy, catalog: Catalog) -> Iterator[str]:
    wanted = "module" if manifest.kind == "pack" else "policy"
    if policy.kind != wanted or policy.name != manifest.name:
        yield f"`{manifest.entry}` has to be the {wanted} `{manifest.name}`"
    if policy.version != manifest.version:
        yield (
            f"`{manifest.entry}` says version `{policy.version}`, the manifest says"
            f" `{manifest.version}`"
        )
    if manifest.kind == "policy":
        return
    if not policy.rules:
        yield f"the module `{manifest.name}` has no rule, so it would change nothing"
    for declared in policy.checks:
        if (word := _brings_code(declared, catalog)) is not None:
            yield (
                f"the check `{declared.name}` names a {word}: a pack brings data, never code"
                " and no models"
            )
    for rule in policy.rules:
        yield from _untested(rule, policy)


def _brings_code(declared: Check, catalog: Catalog) -> str | None:
    for known in catalog.specs[declared.kind].properties:
        value = declared.get(known.name)
        if value is None:
            continue
        if known.type == "call":
            return "callable"
        if known.type == "model" and isinstance(value, str) and is_of_a_bundle(value):
            return "model of its own"
    return None


def _untested(rule: Rule, policy: CheckedPolicy) -> Iterator[str]:
    if rule.mode != "enforce":
        yield f"the rule `{rule.name}` has a `mode`: whether it acts, the store says"
        return
    fires = silent = False
    for case in policy.tests:
        surface = None
        for step in case.steps:
            if isinstance(step, Happened):
                surface = step.surface
            elif isinstance(step, Expected):
                fires = fires or rule.name in step.by
                silent = silent or (step.action == "pass" and surface in rule.surfaces)
    if not fires:
        yield f"no test shows that `{rule.name}` fires: add one with `expect … by {rule.name}`"
    if not silent:
        yield (
            f"no test shows that `{rule.name}` stays silent: add a counter-example with"
            " `expect pass`"
        )


def _failures(results: Iterable[Result]) -> list[str]:
    said = {
        "failed": "the test {} fails",
        "undecided": "the test {} could not be decided on this machine",
    }
    found = [
        said[result.status].format(f'"{visible(result.name)}"')
        for result in results
        if result.status != "passed"
    ]
    found = list(dict.fromkeys(found))
    more = len(found) - _MOST_SAID
    return [*found[:_MOST_SAID], *([f"{more} more tests do not pass"] if more > 0 else [])]
