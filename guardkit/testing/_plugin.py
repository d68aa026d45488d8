"""The pytest plugin: policies' own tests as pytest's, and two fixtures to judge with in Python.

Every run of pytest imports this file where guardkit is installed, so it imports pytest and nothing
else: compilers and engines are loaded when a policy is collected or a fixture is used. And it
changes nothing for who asked for nothing: policies are collected only when one is named on the
command line, or `--guardkit` or the setting `guardkit_files` asks for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest._io import TerminalWriter

    from guardkit.diagnostics import Place
    from guardkit.guard import Guard, ParamValue
    from guardkit.semantics import Checked, CheckedPolicy, Probe, TestCase

    from ._stage import Stage
    from ._worded import Worded

    _Play = Callable[[Stage, Path], Worded | None]

_SUFFIX = ".guard"
_NARROWEST = 60
_NO_POLICY = (
    "no policy is named: say `@pytest.mark.guardkit(PATH)`, or set `guardkit_policy` in the"
    " configuration of pytest"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Names the options and settings."""
    group = parser.getgroup("guardkit", "tests of guardkit policies")
    group.addoption(
        "--guardkit",
        action="store_true",
        dest="guardkit",
        default=None,
        help="run the tests of every .guard file found, not only of those that are named",
    )
    group.addoption(
        "--no-guardkit",
        action="store_false",
        dest="guardkit",
        help="run no tests of .guard files",
    )
    parser.addini(
        "guardkit_files",
        type="args",
        default=[],
        help="which .guard files are collected: names such as *.guard, or paths from the folder"
        " of this configuration such as policies/**/*.guard",
    )
    parser.addini(
        "guardkit_policy",
        default="",
        help="the policy of the fixtures `policy` and `guard`: a path from the folder of this"
        " configuration, or the name of a policy that ships",
    )
    parser.addini(
        "guardkit_undecided",
        default="fail",
        help="what becomes of a test that cannot be decided on this machine: fail or skip",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker; a setting that is no setting ends the run."""
    said: str = config.getini("guardkit_undecided")
    if said not in ("fail", "skip"):
        raise pytest.UsageError(f"guardkit_undecided is fail or skip, not {said!r}")
    config.addinivalue_line(
        "markers",
        "guardkit(path, params={}, checks={}): the policy of the fixtures `policy` and `guard`, by"
        " a path from the folder of the test or a name that ships; tests of .guard files have it"
        " too",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collects a policy, where somebody asked for it."""
    if file_path.suffix != _SUFFIX or not _is_wanted(file_path, parent):
        return None
    policy: PolicyFile = PolicyFile.from_parent(parent, path=file_path)
    return policy


def _is_wanted(path: Path, parent: pytest.Collector) -> bool:
    config = parent.config
    asked: bool | None = config.getoption("guardkit")
    if asked is not None:
        return asked
    if parent.session.isinitpath(path):
        return True
    patterns: list[str] = config.getini("guardkit_files")
    below = _from(_home(config), path)
    return any(_glob(pattern).fullmatch(below) for pattern in patterns)


def _glob(pattern: str) -> re.Pattern[str]:
    """A pattern without a slash is a name in any folder; `**/` is any folders, or none."""
    if "/" not in pattern:
        pattern = f"**/{pattern}"
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.removeprefix("./"))
    return re.compile("".join(parts.get(piece) or re.escape(piece) for piece in pieces))


def _from(folder: Path, path: Path) -> str:
    """A path as it is seen from a folder."""
    try:
        return os.path.relpath(path, folder).replace(os.sep, "/")
    except ValueError:  # on another drive
        return path.as_posix()


def _home(config: pytest.Config) -> Path:
    """The folder of the configuration: what stands there is meant from there."""
    return config.inipath.parent if config.inipath is not None else config.rootpath


# --- policies as files of tests


class PolicyFile(pytest.File):
    """A policy: its tests one by one, then its probes."""

    _stage: Stage | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """Every case of every `test` in the order of the file, then every `probe` by name."""
        from guardkit.diagnostics import visible
        from guardkit.guard import compile_file

        checked = compile_file(_from(Path.cwd(), self.path))
        if checked.policy is None:
            raise self.CollectError(_frames(checked))
        self.policy = checked.policy
        seen: dict[str, int] = {}
        for name, play, place in _plays(checked.policy):
            # A node's name is typed on a command line, where `::` would end it.
            shown = visible(name).replace("::", ":")
            seen[shown] = seen.get(shown, 0) + 1
            if seen[shown] > 1:
                shown = f"{shown} #{seen[shown]}"
            yield PolicyItem.from_parent(self, name=shown, play=play, place=place)

    def stage(self) -> Stage:
        """The policy, bound when its first test runs."""
        from guardkit.guard import data_of, folder_of

        from ._stage import stage

        if self._stage is None:
            folder = self.path.parent
            self._stage = stage(self.policy, data_of(folder), folder=folder_of(folder))
        return self._stage

    def teardown(self) -> None:
        """The last test ran: models may go."""
        self._stage = None


class PolicyItem(pytest.Item):
    """One case of a `test`, or one `probe`."""

    parent: PolicyFile

    def __init__(self, *, play: _Play, place: Place | None, **more: Any) -> None:
        # Any: pytest's own arguments
        super().__init__(**more)
        self._play = play
        self._place = place
        self.add_marker("guardkit")

    def runtest(self) -> None:
        """Run it on the engine, as `guardkit test` does."""
        told = self._play(self.parent.stage(), self.path.parent)
        if told is None:
            return
        if told.is_undecided and self.config.getini("guardkit_undecided") == "skip":
            skipped = pytest.skip.Exception(f"undecided: {told.summary}")
            skipped._use_item_location = True  # the line of the policy, not the one above
            raise skipped
        raise NotMetError(told)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> Any:  # Any: the types of what pytest can show are private
        """The words that `guardkit test` has for it."""
        from guardkit.errors import GuardkitError

        if isinstance(excinfo.value, NotMetError):
            return _Shown(excinfo.value.told)
        if isinstance(excinfo.value, GuardkitError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it stands."""
        return self.path, None if self._place is None else self._place.start.line - 1, self.name


def _plays(policy: CheckedPolicy) -> Iterator[tuple[str, _Play, Place | None]]:
    """Everything that a policy has to be tried with: its name, how, and where it stands."""
    for case in policy.tests:
        yield case.name, partial(_play_test, case), case.place
    for probe in policy.probes:
        yield f"probe {probe.name}", partial(_play_probe, probe), probe.place


def _play_test(case: TestCase, stage: Stage, folder: Path) -> Worded | None:
    from guardkit.guard import data_of

    from ._runner import run_tests
    from ._worded import worded

    read = data_of(folder)
    (result,) = run_tests(stage.policy, read, wanted=lambda one: one is case, stage=stage)
    return worded(result)


def _play_probe(probe: Probe, stage: Stage, folder: Path) -> Worded | None:
    from guardkit.guard import data_of

    from ._probes import run_probes
    from ._worded import worded_probe

    read = data_of(folder)
    (result,) = run_probes(stage.policy, read, wanted=lambda one: one is probe, stage=stage)
    return worded_probe(result)


class NotMetError(Exception):
    """A test of a policy did not pass."""

    def __init__(self, told: Worded) -> None:
        super().__init__(told.summary)
        self.told = told


class _Crash:
    """What pytest asks of a failure for its one line at the end."""

    def __init__(self, path: str, lineno: int, message: str) -> None:
        self.path = path
        self.lineno = lineno
        self.message = message

    def __str__(self) -> str:
        return f"{self.path}:{self.lineno}: {self.message}"


class _Shown:
    """A failure as pytest shows it: with colours and as wide as the terminal, or as plain text."""

    def __init__(self, told: Worded) -> None:
        self._told = told
        place = told.finding.place
        summary = f"undecided: {told.summary}" if told.is_undecided else told.summary
        self.reprcrash = _Crash(place.source.path, place.start.line, summary)

    def __str__(self) -> str:
        return self._told.shown()

    def toterminal(self, writer: TerminalWriter) -> None:
        """Write it."""
        width = max(writer.fullwidth, _NARROWEST)
        for line in self._told.shown(color=writer.hasmarkup, width=width).splitlines():
            writer.line(line)


def _frames(checked: Checked) -> str:
    """Everything that keeps a policy from compiling."""
    from guardkit.diagnostics import render

    errors = [found for found in checked.diagnostics if found.is_error]
    return render(errors, "full").rpartition("\n\n")[0]


# --- fixtures


class _Asked:
    """The policy a test asked for."""

    def __init__(
        self, path: Path, params: Mapping[str, ParamValue], checks: Mapping[str, object]
    ) -> None:
        self.path = path
        self.params = params
        self.checks = checks

    @property
    def key(self) -> tuple[object, ...]:
        """Two tests that asked for the same may share what is bound."""
        params = sorted((name, repr(value)) for name, value in self.params.items())
        checks = sorted((name, id(value)) for name, value in self.checks.items())
        return self.path, tuple(params), tuple(checks)


# What was made for a test stays for the next one that asks for the same. The objects whose
# identities are part of a key stay with it.
_guards = pytest.StashKey["dict[tuple[object, ...], tuple[Guard, _Asked]]"]()
_policies = pytest.StashKey["dict[tuple[object, ...], CheckedPolicy]"]()


@pytest.fixture
def policy(request: pytest.FixtureRequest) -> CheckedPolicy:
    """The checked policy that the marker `guardkit` or the setting `guardkit_policy` names."""
    from guardkit.guard import compile_file

    asked = _asked(request)
    known = request.config.stash.setdefault(_policies, {})
    if asked.key not in known:
        checked = compile_file(_from(Path.cwd(), asked.path), params=asked.params)
        if checked.policy is None:
            pytest.fail(_frames(checked), pytrace=False)
        known[asked.key] = checked.policy
    return known[asked.key]


@pytest.fixture
def guard(request: pytest.FixtureRequest) -> Iterator[Guard]:
    """The same policy as a guard. It is bound once a run; every test finds it without a past."""
    from guardkit.errors import GuardkitError
    from guardkit.guard import load
    from guardkit.runtime import MemoryHolds

    asked = _asked(request)
    known = request.config.stash.setdefault(_guards, {})
    wrong = ""
    if asked.key not in known:
        try:
            path = _from(Path.cwd(), asked.path)
            known[asked.key] = load(path, params=asked.params, checks=asked.checks), asked
        except GuardkitError as error:
            wrong = str(error)
    if wrong:
        pytest.fail(wrong, pytrace=False)
    bound, _ = known[asked.key]
    bound.holds = MemoryHolds()
    yield bound
    bound.forget_all()


def _asked(request: pytest.FixtureRequest) -> _Asked:
    """What the markers say, the closest first; for a path that none has, the setting."""
    from guardkit.guard import policy_path

    node, config = request.node, request.config
    path: Path | None = None
    params: dict[str, ParamValue] = {}
    checks: dict[str, object] = {}
    for mark in node.iter_markers("guardkit"):
        _verify(mark)
        params = {**mark.kwargs.get("params", {}), **params}
        checks = {**mark.kwargs.get("checks", {}), **checks}
        if path is None and mark.args:
            path = _found(node.path.parent, mark.args[0], policy_path)
    if path is None:
        said: str = config.getini("guardkit_policy")
        if not said:
            pytest.fail(_NO_POLICY, pytrace=False)
        path = _found(_home(config), said, policy_path)
    return _Asked(path, params, checks)


def _verify(mark: pytest.Mark) -> None:
    strange = sorted(set(mark.kwargs) - {"params", "checks"})
    if strange or len(mark.args) > 1:
        what = f"`{strange[0]}`" if strange else "second path"
        pytest.fail(f"the marker `guardkit` takes no {what}", pytrace=False)


def _found(folder: Path, name: str | Path, ships: Callable[[str | Path], Path]) -> Path:
    """A file from a folder; where there is none, the policy of that name that ships."""
    here = folder / name
    return here if here.exists() else folder / ships(name)
