"""The adapters' tests against real packages: an environment for each section of a file.

    python -m tests.integrations.environments [NAME…] [--results PATH]
    python -m tests.integrations.environments --table PATH

Packages of other houses pin what others need newer, so each section of `environments.toml` has a
virtual environment of its own under `.venvs/`, with the newest versions that pip finds. It is kept
until its requirements change; remove it to get newer versions. The tests run as in CI, where
nothing is skipped silently, and here nothing may be skipped at all.

Statuses: 0 all passed, 1 something failed or was skipped, 2 the sections cannot be read.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SECTIONS = HERE / "environments.toml"
TESTED = HERE / "tested.json"
VENVS = ROOT / ".venvs"
TOOLS = ("pytest>=8.3", "trio>=0.27")
"""What every environment has besides guardkit and its packages."""
AT_ONCE = 2
LIMIT_S = 900.0
SHOWN = 30_000
"""How many characters are printed of what pip or pytest said before it failed."""
BEGIN = "<!-- tested: begin -->"
END = "<!-- tested: end -->"

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_KEYS = {"packages", "tests", "package", "tool", "extras"}
# What points at the environment of the caller, or would change how the tests run.
_DROPPED = ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV", "PYTEST_ADDOPTS")


class SectionError(Exception):
    """The sections cannot be read, and why."""


class RunError(Exception):
    """An environment could not be made or run; `said` is what the program printed."""

    def __init__(self, what: str, said: str) -> None:
        super().__init__(what)
        self.said = said[-SHOWN:]


@dataclass(frozen=True, slots=True)
class Environment:
    """One section."""

    name: str
    tool: str
    package: str
    packages: tuple[str, ...]
    extras: tuple[str, ...]
    folder: Path
    """Where the paths of its tests start: the folder `tests`."""
    tests: tuple[str, ...]

    @property
    def requirements(self) -> tuple[str, ...]:
        """What pip is asked for beside guardkit."""
        return (*TOOLS, *self.packages)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one environment. No clock: the committed results change when a version does."""

    name: str
    tool: str
    package: str
    version: str
    tests: tuple[str, ...]
    passed: int
    failed: int
    skipped: int
    guardkit: str
    python: str

    @property
    def is_good(self) -> bool:
        return self.passed > 0 and not self.failed and not self.skipped


# --- sections


def read_sections(path: Path) -> dict[str, Environment]:
    """The environments of a file, by name.

    Raises:
        SectionError: It is no TOML, or a section is not as the file's head says.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SectionError(f"{path.name}: {error}") from error
    return {name: _environment(name, section, path.parent) for name, section in data.items()}


def _environment(name: str, section: Any, folder: Path) -> Environment:
    if not isinstance(section, dict) or not _NAME.fullmatch(name):
        raise SectionError(f"`{name}` is no section with a plain name")
    if unknown := sorted(set(section) - _KEYS):
        raise SectionError(f"[{name}] has the unknown key `{unknown[0]}`")
    packages, tests = _texts(name, section, "packages"), _texts(name, section, "tests")
    extras = _texts(name, section, "extras") if "extras" in section else ()
    named = _PACKAGE.match(packages[0])
    package = section.get("package", named[0] if named else "")
    tool = section.get("tool", name)
    for said in (package, tool):
        if not isinstance(said, str) or not said:
            raise SectionError(f"[{name}] names no package or no tool")
    paths = [Path(os.path.normpath(folder / test)) for test in tests]
    for test, at in zip(tests, paths, strict=True):
        if not at.is_file() or not at.is_relative_to(folder.parent):
            raise SectionError(f"[{name}] names the test `{test}`, which is not there")
    shown = tuple(at.relative_to(folder.parent).as_posix() for at in paths)
    return Environment(name, tool, package, packages, extras, folder.parent, shown)


def _texts(name: str, section: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = section.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(x, str) for x in found):
        raise SectionError(f"[{name}] needs `{key}`, a list of strings")
    return tuple(found)


# --- one environment


def run(environment: Environment, venvs: Path = VENVS) -> tuple[Result, float, float, str]:
    """Make an environment, or take the one that is there, and run its tests.

    Returns:
        The result, the seconds it took to install, those of the tests, and what pytest said.

    Raises:
        RunError: It cannot be installed, or pytest ended without a report.
    """
    began = time.monotonic()
    folder = venvs / environment.name
    python = _made(environment, folder)
    made = time.monotonic()
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    own = {"CI": "true", "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])}
    env = {key: value for key, value in os.environ.items() if key not in _DROPPED} | own
    tests = [str(environment.folder / test) for test in environment.tests]
    options = ("-ra", "-p", "no:cacheprovider", f"--junitxml={report}")
    command = [str(python), "-m", "pytest", *options]
    status, said = _ran([*command, *tests], env)
    if not report.is_file():
        raise RunError(f"pytest ended with status {status} and no report", said)
    passed, failed, skipped = counted(report.read_text(encoding="utf-8"))
    if status != 0 and not failed:
        failed = 1  # an error outside of every test
    result = Result(
        name=environment.name,
        tool=environment.tool,
        package=environment.package,
        version=_version(environment.package, folder),
        tests=environment.tests,
        passed=passed,
        failed=failed,
        skipped=skipped,
        guardkit=_version("guardkit", folder),
        python=".".join(map(str, sys.version_info[:2])),
    )
    return result, made - began, time.monotonic() - made, said


def _made(environment: Environment, folder: Path) -> Path:
    """The interpreter of an environment; made anew where its requirements have changed."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    stamp, wanted = folder / "requirements.json", _stamp(environment)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    # The pip that runs this serves all environments: one less to unpack in each.
    venv.create(folder, symlinks=os.name != "nt", with_pip=False)
    target = f".[{','.join(environment.extras)}]" if environment.extras else "."
    options = ("--quiet", "--no-compile", "--no-input", "--disable-pip-version-check")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", *options]
    status, said = _ran([*pip, "-e", target, *environment.requirements], dict(os.environ))
    if status != 0:
        raise RunError(f"pip ended with status {status}", said)
    # Last of all, so that half an environment is never kept.
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _stamp(environment: Environment) -> str:
    # All that guardkit says of itself: an editable install keeps its entry points as they were.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [sys.version, environment.requirements, environment.extras, project]
    return json.dumps(wanted, indent=1)


def _ran(command: Sequence[str], env: Mapping[str, str]) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        raise RunError(f"it took longer than {LIMIT_S:g} seconds", text) from error
    return done.returncode, done.stdout


def _version(package: str, folder: Path) -> str:
    site = sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
    for found in Distribution.discover(name=package, path=[site]):
        return found.version
    raise RunError(f"`{package}` is not installed, so it has no version", "")


def counted(report: str) -> tuple[int, int, int]:
    """How many tests of a JUnit report passed, failed and were skipped."""
    ended, failed, skipped = 0, 0, 0
    for suite in ElementTree.fromstring(report).iter("testsuite"):
        ended += int(suite.attrib["tests"])
        failed += int(suite.attrib["failures"]) + int(suite.attrib["errors"])
        skipped += int(suite.attrib["skipped"])
    return max(ended - failed - skipped, 0), failed, skipped


# --- results


def write_results(path: Path, results: Sequence[Result], names: Sequence[str]) -> None:
    """Write results as JSON; those of other sections that still exist are kept."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    new = {result.name: asdict(result) for result in results}
    kept = {told["name"]: told for told in before if told["name"] in names}
    merged = kept | new
    text = json.dumps([merged[name] for name in sorted(merged)], indent=2)
    path.write_text(text + "\n", encoding="utf-8")


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """The results as a table of Markdown."""
    rows = ["| tool | package | tested version | what it runs |", "|---|---|---|---|"]
    for told in sorted(results, key=lambda told: str(told["tool"]).casefold()):
        files = ", ".join(f"`{test}`" for test in told["tests"])
        count = f"{told['passed']} tests of {files}"
        rows.append(f"| {told['tool']} | `{told['package']}` | {told['version']} | {count} |")
    return "\n".join(rows)


def with_table(document: str, results: Sequence[Mapping[str, Any]]) -> str:
    """A document with the table between its two marks.

    Raises:
        SectionError: It does not have each mark once, in order.
    """
    if document.count(BEGIN) != 1 or document.count(END) != 1:
        raise SectionError(f"the document needs the marks {BEGIN} and {END}, once each")
    before, _, rest = document.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SectionError(f"the mark {END} stands before {BEGIN}")
    return f"{before}{BEGIN}\n{table(results)}\n{END}{after}"


# --- the command


def main(
    arguments: Sequence[str] | None = None, sections: Path = SECTIONS, venvs: Path = VENVS
) -> int:
    """Run what the arguments ask for, and say what came of it."""
    asked = _arguments().parse_args(arguments)
    try:
        if asked.table:
            document = asked.table.read_text(encoding="utf-8")
            told = json.loads((asked.results or TESTED).read_text(encoding="utf-8"))
            asked.table.write_text(with_table(document, told), encoding="utf-8")
            return 0
        known = read_sections(sections)
        if missing := [name for name in asked.names if name not in known]:
            raise SectionError(f"there is no section [{missing[0]}]; there are: {', '.join(known)}")
    except SectionError as error:
        print(error, file=sys.stderr)
        return 2
    chosen = [known[name] for name in asked.names or known]
    results, all_good = _run_all(chosen, venvs)
    if asked.results:
        write_results(asked.results, results, list(known))
    return 0 if all_good else 1


def _run_all(chosen: Sequence[Environment], venvs: Path) -> tuple[list[Result], bool]:
    results: list[Result] = []
    all_good = True
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = {pool.submit(run, environment, venvs): environment.name for environment in chosen}
        for ended in as_completed(started):
            try:
                result, install_s, tests_s, said = ended.result()
            except RunError as error:
                all_good = False
                print(f"{error.said}\n{started[ended]}: {error}", flush=True)
                continue
            results.append(result)
            if not result.is_good:
                all_good = False
                print(said[-SHOWN:])
            print(
                f"{result.name}: {result.package} {result.version},"
                f" {result.passed} passed, {result.failed} failed, {result.skipped} skipped"
                f" ({install_s:.0f} s to install, {tests_s:.0f} s to test)",
                flush=True,
            )
    return results, all_good


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.integrations.environments")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a section; all by default")
    parser.add_argument("--results", type=Path, metavar="PATH", help="write the results as JSON")
    parser.add_argument(
        "--table",
        type=Path,
        metavar="PATH",
        help="run nothing: write the table of the results between the marks of this document",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
