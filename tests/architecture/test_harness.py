"""The shared hooks keep their promises: goldens differ, skips are said, no test runs for ever."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"


def run_tests(folder: Path, source: str, *options: str, ci: bool = False) -> tuple[int, str]:
    """Run one test file under our conftest; the exit status and what was printed."""
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "test_it.py").write_text(dedent(source), encoding="utf-8")
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = -q -p no:cacheprovider -p no:benchmark\nmarkers = timeout(seconds)\n",
        encoding="utf-8",
    )
    env = {k: v for k, v in os.environ.items() if k not in ("PYTEST_ADDOPTS", "CI")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=folder,
        env={**env, "CI": "true"} if ci else env,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


COMPARES = """
    from pathlib import Path

    def test_it(golden):
        golden(Path(__file__).parent / "folder" / "said.txt", "same\\nnow \\n")
"""


def test_a_missing_golden_fails_and_is_not_written(tmp_path: Path) -> None:
    status, said = run_tests(tmp_path, COMPARES)
    assert status == 1
    assert "said.txt is missing" in said
    assert not (tmp_path / "folder").exists()


def test_a_golden_is_written_by_the_option_and_then_holds(tmp_path: Path) -> None:
    status, said = run_tests(tmp_path, COMPARES, "--update-golden")
    assert status == 0, said
    assert "rewrote folder/said.txt" in said
    assert (tmp_path / "folder" / "said.txt").read_bytes() == b"same\nnow \n"
    status, said = run_tests(tmp_path, COMPARES)
    assert status == 0, said
    assert "rewrote" not in said


def test_a_different_golden_shows_what_the_eye_misses(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    golden = tmp_path / "folder" / "said.txt"
    golden.write_bytes(b"same\r\nnow")
    status, said = run_tests(tmp_path, COMPARES)
    assert status == 1
    for line in (r"-same\r\n", "-now", "+same", r"+now \n"):
        assert line in said.splitlines()
    assert golden.read_bytes() == b"same\r\nnow"


def test_a_relative_golden_lies_in_the_golden_folder(tmp_path: Path) -> None:
    source = "def test_it(golden):\n    golden('plan/x.txt', 'x')\n"
    status, said = run_tests(tmp_path, source, "--update-golden")
    assert status == 0, said
    assert (tmp_path / "golden" / "plan" / "x.txt").read_bytes() == b"x"


@pytest.mark.parametrize(
    "body",
    [
        "time.sleep(40)",
        "try:\n        time.sleep(40)\n    except Exception:\n        time.sleep(40)",
        "while True: pass",
    ],
)
def test_a_test_that_takes_too_long_fails_alone(tmp_path: Path, body: str) -> None:
    source = f"""import pytest, time

@pytest.mark.timeout(0.3)
def test_slow():
    {body}

def test_quick():
    pass
"""
    began = time.monotonic()
    status, said = run_tests(tmp_path, source)
    assert status == 1
    assert "took longer than 0.3 seconds" in said
    assert "1 failed, 1 passed" in said
    assert time.monotonic() - began < 20


def test_a_fixture_has_the_limit_too(tmp_path: Path) -> None:
    source = """
        import pytest, time

        @pytest.fixture
        def slow():
            time.sleep(40)

        @pytest.mark.timeout(0.3)
        def test_it(slow):
            pass
    """
    status, said = run_tests(tmp_path, source)
    assert status == 1
    assert "1 error" in said


def test_hypothesis_does_not_try_a_hanging_example_again(tmp_path: Path) -> None:
    source = """
        import pytest, time
        from hypothesis import given, settings, strategies as st

        @pytest.mark.timeout(0.5)
        @settings(deadline=None, database=None)
        @given(st.integers())
        def test_it(n):
            time.sleep(40)
    """
    status, said = run_tests(tmp_path, source)
    assert status == 1
    assert "took longer than 0.5 seconds" in said


def test_a_call_that_holds_the_interpreter_ends_the_run(tmp_path: Path) -> None:
    # A blocked signal stands for a C function that never returns: only the watchdog ends it.
    source = """
        import conftest, pytest, signal, time

        conftest.GRACE_S = 0.3

        @pytest.mark.timeout(0.3)
        def test_it():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            time.sleep(40)
    """
    status, said = run_tests(tmp_path, source)
    assert status == 1
    assert "Timeout" in said
    assert "test_it" in said


# --- what may be skipped

SKIPS = {
    "a mark": """
        import pytest

        @pytest.mark.skipif(True, reason="{reason}")
        def test_it():
            pass
    """,
    "a call": """
        import pytest

        def test_it(monkeypatch):
            monkeypatch.delenv("CI", raising=False)
            pytest.skip("{reason}")
    """,
    "a fixture": """
        import pytest

        @pytest.fixture
        def server():
            pytest.skip("{reason}")

        def test_it(server):
            pass
    """,
    "a file": """
        import pytest

        pytest.skip("{reason}", allow_module_level=True)
    """,
}


@pytest.mark.parametrize("source", SKIPS.values(), ids=SKIPS)
def test_ci_fails_what_is_skipped_and_says_why(tmp_path: Path, source: str) -> None:
    source = source.format(reason="the server is not installed")
    status, said = run_tests(tmp_path, source)
    assert (status, "1 skipped" in said) == (5 if "module_level" in source else 0, True), said
    status, said = run_tests(tmp_path, source, ci=True)
    assert status in (1, 2)
    assert "skipped, and CI has to run it: the server is not installed" in said
    assert "1 skipped" not in said


@pytest.mark.parametrize("reason", ["platform: nothing forks here", "NOT TESTED: no such tool"])
@pytest.mark.parametrize("source", SKIPS.values(), ids=SKIPS)
def test_ci_takes_a_skip_with_one_of_two_reasons(tmp_path: Path, source: str, reason: str) -> None:
    status, said = run_tests(tmp_path, source.format(reason=reason), ci=True)
    assert (status in (0, 5), "1 skipped" in said) == (True, True), said


def test_ci_fails_a_test_whose_module_is_missing_and_no_other(tmp_path: Path) -> None:
    source = """
        import pytest

        def test_missing():
            pytest.importorskip("no_such_module")

        def test_there():
            pytest.importorskip("json")

        @pytest.mark.xfail(strict=True)
        def test_expected():
            raise ValueError
    """
    status, said = run_tests(tmp_path, source, ci=True)
    assert status == 1
    assert "CI has to run it: could not import 'no_such_module'" in said
    assert "1 failed, 1 passed, 1 xfailed" in said
