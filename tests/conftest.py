"""What every test shares: goldens rewritten by one option, a time limit per test, no silent skip.

`golden(path, text)` compares a text with a file; `pytest --update-golden` rewrites the file.
A test may take 60 seconds; `@pytest.mark.timeout(seconds)` says otherwise. With `CI` set a test
that is skipped fails, unless its reason begins as `MAY_SKIP` says: CI installs what tests need.
"""

from __future__ import annotations

import difflib
import faulthandler
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

GOLDEN = Path(__file__).parent / "golden"
LIMIT_S = 60.0
GRACE_S = 30.0
"""How long after its limit a test that holds the interpreter may go on before the run is ended."""
MAY_SKIP = ("platform: ", "NOT TESTED: ")
"""How a reason begins that CI takes: not for this system; a tool of another house is not here."""

Golden = Callable[[Path | str, str], None]

_rewritten = pytest.StashKey[list[Path]]()
_terminal_fd = pytest.StashKey[int]()
_in_ci = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite golden files with what the code says now; review the diff line by line",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_rewritten] = []
    config.stash[_terminal_fd] = os.dup(2)  # the real one: a test's own is captured
    config.stash[_in_ci] = bool(os.environ.get("CI"))  # now: a test may set or drop it


def pytest_unconfigure(config: pytest.Config) -> None:
    os.close(config.stash[_terminal_fd])


# --- goldens


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a text with a golden file; a relative path is looked up in `tests/golden/`."""
    config = request.config

    def compare(path: Path | str, text: str) -> None:
        __tracebackhide__ = True
        file = GOLDEN / path
        said = file.read_bytes().decode() if file.is_file() else None
        if said == text:
            return
        if config.getoption("update_golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
            config.stash[_rewritten].append(file)
            return
        name = os.path.relpath(file, config.rootpath)
        if said is None:
            pytest.fail(f"golden {name} is missing; --update-golden writes it:\n\n{text}", False)
        pytest.fail(
            f"golden {name} differs; --update-golden rewrites it:\n\n{_diff(said, text)}", False
        )

    return compare


def _diff(said: str, says: str) -> str:
    # What the eye misses is spelled out: trailing spaces, carriage returns, a missing last break.
    before, after = (
        [f"{line!r}"[1:-1] if _hides(line) else line.removesuffix("\n") for line in lines]
        for lines in (said.splitlines(keepends=True), says.splitlines(keepends=True))
    )
    return "\n".join(difflib.unified_diff(before, after, "golden", "now", lineterm=""))


def _hides(line: str) -> bool:
    body = line.removesuffix("\n")
    return body == line or body != body.rstrip() or not body.isprintable()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for file in config.stash[_rewritten]:
        terminalreporter.write_line(f"rewrote {os.path.relpath(file, config.rootpath)}")


# --- what may be skipped


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.config.stash[_in_ci]:
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if collector.config.stash[_in_ci]:
        _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    # An expected failure is a skip too, to pytest.
    if report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = said.removeprefix("Skipped: ")
    if not reason.startswith(MAY_SKIP):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI has to run it: {reason}"


# --- a limit per test


class TookTooLong(BaseException):
    """No `Exception`: neither the code under test nor hypothesis may swallow it and go on."""


@contextmanager
def _limit(item: pytest.Item) -> Generator[None]:
    marker = item.get_closest_marker("timeout")
    seconds = float(marker.args[0]) if marker else LIMIT_S
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(signum: int, frame: FrameType | None) -> None:
        raise TookTooLong(f"the test took longer than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    # A signal waits for the interpreter: a C function that never returns needs the harder end.
    faulthandler.dump_traceback_later(
        seconds + GRACE_S, exit=True, file=item.config.stash[_terminal_fd]
    )
    try:
        yield
    finally:
        _stop()
        signal.signal(signal.SIGALRM, before)


def _stop() -> None:
    faulthandler.cancel_dump_traceback_later()
    if hasattr(signal, "SIGALRM"):
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    with _limit(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with _limit(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    with _limit(item):
        return (yield)


def pytest_enter_pdb() -> None:
    _stop()
