"""The shipped policies and modules: clean, tested in full, and strict about what they are given."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import guardkit
from guardkit.guard import active_rules, compile_file, compile_text, data_of, folder_of, shipped
from guardkit.semantics import CheckedPolicy
from guardkit.testing import Coverage, run_probes, run_tests, stage

from ..cli._run import guardkit as run

LIBRARY = shipped("policies")
STD = LIBRARY / "std"
MODULES = sorted(path.name for path in STD.iterdir() if path.is_dir())
DEPLOYMENTS = sorted(
    path.name for path in LIBRARY.iterdir() if path.is_dir() and path.name != "std"
)
FILES = [f"std/{name}" for name in MODULES] + DEPLOYMENTS


def _path(name: str) -> Path:
    return LIBRARY / name / f"{name.rsplit('/')[-1]}.guard"


def _checked(name: str) -> CheckedPolicy:
    checked = compile_file(_path(name))
    assert checked.policy is not None, checked.diagnostics
    return checked.policy


def test_everything_is_there_that_was_promised() -> None:
    assert {*MODULES} >= {
        *("injection", "pii", "secrets", "toxicity", "harm", "refusal", "leak", "egress", "text"),
        *("format", "topic", "grounding", "tools", "words", "language", "code"),
    }
    assert {*DEPLOYMENTS} == {"chat", "rag", "agent", "pii", "moderation", "code", "starter"}


def test_the_whole_library_is_clean_and_in_one_style() -> None:
    strict = run("check", "--strict", LIBRARY)
    assert strict.code == 0, strict.out + strict.err
    styled = run("fmt", "--check", LIBRARY)
    assert styled.code == 0, styled.out + styled.err


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", FILES)
def test_its_tests_pass_and_see_every_rule(name: str) -> None:
    policy = _checked(name)
    home = _path(name).parent
    bound = stage(policy, data_of(home), folder=folder_of(home))
    coverage = Coverage(bound)
    failed = [
        (result.name, result.status)
        for result in run_tests(policy, data_of(home), stage=bound, watch=coverage.see)
        if result.status != "passed"
    ]
    assert failed == []
    covered = coverage.covered()
    assert covered.rules.of > 0
    assert covered.rules.hits == covered.rules.of, [one.title for one in covered.missing]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", FILES)
def test_its_probes_reach_their_rates(name: str) -> None:
    policy = _checked(name)
    home = _path(name).parent
    bound = stage(policy, data_of(home), folder=folder_of(home))
    for probe in run_probes(policy, data_of(home), stage=bound):
        assert probe.status == "passed", (probe.name, probe.rate)


@pytest.mark.parametrize("name", FILES)
def test_it_says_what_it_is_for(name: str) -> None:
    page = (LIBRARY / name / "README.md").read_text(encoding="utf-8")
    assert "nown misses" in page
    if name == "starter":
        return  # it says the rest itself, in comments: it is what a newcomer reads
    assert len(page.splitlines()) > 20
    assert "<!-- figures -->" in page
    for rule in _checked(name).rules:
        own = rule.name if name.startswith("std/") else ""
        assert own in page, f"`{own}` is not in the README"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_loads_by_its_name_and_judges(name: str) -> None:
    guard = guardkit.load(name)
    assert active_rules(_checked(name))
    for surface in ("input", "output"):
        # A reply that answers from documents is compared with them.
        given = {"retrieved": ["Good morning!"]}
        verdict = guard.check("Good morning!", on=surface, session="s", sources=given)
        assert verdict.action == "pass", (surface, verdict.fired, verdict.unknown)


# --- parameters


def _uses(module: str, given: str) -> str:
    return (
        f'guardkit 1\npolicy p\n\nuse "std/{module}" version "1" as m with ({given})\n\n'
        "check c = length {\n  max 5 chars\n}\n\nrule r {\n  tier safety\n  on   input\n"
        "  when c\n  then block\n}\n"
    )


WRONG = {
    "score": ["1.5", '"high"', "yes", "[0.5]"],
    "number": ['"many"', "yes", "[1]"],
    "list of text": ["5", '"one"', "[1]", "yes"],
    "list of domain": ["5", '["not a host"]'],
    "text": ["5", "yes", "[]"],
}
CASES = [
    (module, param.name, wrong)
    for module in MODULES
    for param in _checked(f"std/{module}").params
    for wrong in WRONG.get(param.type, ())
    if wrong != "[]" or param.value != ()  # none is what is meant where none is the default
]


def test_most_modules_have_something_to_tune() -> None:
    assert len({module for module, _, _ in CASES}) >= 10


@pytest.mark.parametrize(("module", "param", "wrong"), CASES)
def test_a_wrong_parameter_is_refused_where_it_stands(module: str, param: str, wrong: str) -> None:
    text = _uses(module, f"{param}: {wrong}")
    checked = compile_text(text)
    assert checked.policy is None
    errors = [found for found in checked.diagnostics if found.is_error]
    assert errors
    start = text.index(f"{param}: {wrong}")
    spans = [
        (label.place.span.start, label.place.source.path)
        for error in errors
        for label in (error, *error.labels)
    ]
    assert any(
        path == "policy.guard" and start <= at <= start + len(param) + 2 + len(wrong)
        for at, path in spans
    ), errors


@pytest.mark.parametrize("module", MODULES)
def test_an_unknown_parameter_is_refused(module: str) -> None:
    checked = compile_text(_uses(module, "no_such_thing: 1"))
    assert checked.policy is None
    assert any("no_such_thing" in found.message for found in checked.diagnostics)


# --- data files


def _data_files() -> list[tuple[str, str]]:
    found = []
    for name in FILES:
        files = re.findall(r'^\s+file\s+"([^"]+)"', _path(name).read_text(encoding="utf-8"), re.M)
        found += [(name, file) for file in sorted(set(files))]
    return found


@pytest.mark.parametrize(("name", "file"), _data_files())
def test_a_file_that_is_gone_or_changed_is_named(name: str, file: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(_path(name).parent, home)
    policy = home / _path(name).name
    (home / file).unlink()
    checked = compile_file(policy)
    assert checked.policy is None
    assert any(file in found.message for found in checked.diagnostics if found.is_error)
    if name.startswith("std/"):
        return
    # Changed between compiling and binding: a bind error that names it.
    shutil.copy(_path(name).parent / file, home / file)
    compiled = compile_file(policy)
    assert compiled.policy is not None
    (home / file).write_text("something else\n", encoding="utf-8")
    bound = stage(compiled.policy, data_of(home), folder=folder_of(home))
    assert any(file in bound.why_not(check.name) for check in compiled.policy.checks)
