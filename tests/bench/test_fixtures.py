"""The fixture for pytest-benchmark, in real runs of pytest: what passes and what fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from ._policies import SLOW, WORDS

ROOT = Path(__file__).parents[2]
SECRET = "xyzzy-plugh-4711"
HEAD = """
import time
import guardkit
import pytest

@pytest.fixture
def own():
    return guardkit.load("small.guard")
"""


def run(
    folder: Path, test: str, *arguments: str, policy: str = WORDS
) -> subprocess.CompletedProcess[str]:
    """One file of tests, run with pytest-benchmark and the fixture and no other plugin."""
    (folder / "small.guard").write_text(policy, encoding="utf-8")
    (folder / "conftest.py").write_text('pytest_plugins = ["guardkit.bench.fixtures"]\n')
    (folder / "test_it.py").write_text(HEAD + dedent(test), encoding="utf-8")
    dropped = ("PYTEST_ADDOPTS", "PYTHONPATH", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "CI")
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    options = ("-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider", "--benchmark-quiet")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_a_surface_within_its_budget(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        def test_made_texts(policy_benchmark, own):
            spread = policy_benchmark(own, "input", seconds=0.1)
            assert spread.calls >= 30
            assert 0 < spread.p50.us <= spread.p99.us < 1e6
            assert len(spread.p50.rounds) == 3

        def test_own_texts(policy_benchmark, own):
            policy_benchmark(own, "input", ["hello you", "hello"], expect="block", seconds=0.1)

        def test_streams(policy_benchmark, own):
            policy_benchmark(own, "output", seconds=0.1)
        """,
        "--benchmark-json=found.json",
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    found = {
        one["name"]: one for one in json.loads((tmp_path / "found.json").read_text())["benchmarks"]
    }
    assert found["test_made_texts"]["group"] == "words: input"
    told = found["test_streams"]["extra_info"]
    assert (told["policy"], told["surface"], told["budget_us"]) == ("words", "output", 1e6)
    assert told["digest"].startswith("sha256:")
    assert found["test_own_texts"]["stats"]["rounds"] >= 30


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (f'["hello {SECRET}"]', "input: a verdict is block by no_greeting, not pass"),
        (f'["bye {SECRET}"], expect=("block", "hold")', "a verdict is pass, not block or hold"),
        (f'["bye {SECRET}"], budget_ms=0.0001', "over budget: p99 of a call is "),
        (
            f'["bye {SECRET}"], budget_ms=0.0001, quantile="p50"',
            "the budget 0.1 µs; over in 3 of 3",
        ),
    ],
)
def test_what_does_not_keep_to_it_fails_in_one_line(tmp_path: Path, call: str, says: str) -> None:
    done = run(
        tmp_path,
        f"""
        def test_it(policy_benchmark, own):
            policy_benchmark(own, "input", {call}, seconds=0.05)
        """,
    )
    assert done.returncode == 1
    assert says in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_budget_of_a_stream_is_held_against_its_steps(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        def test_it(policy_benchmark, own):
            policy_benchmark(own, "output", ["bye"], budget_ms=0.0001, seconds=0.05)
        """,
    )
    assert done.returncode == 1
    assert "over budget: p99 of a token of a stream is " in done.stdout


def test_the_budget_that_the_engine_keeps_is_named(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        from guardkit.bench import near_hits

        def test_it(policy_benchmark, own):
            policy_benchmark(own, "input", [near_hits(1, 200_000)], seconds=0.05)
        """,
        policy=WORDS.replace("input  1s", "input  1ms"),
    )
    assert done.returncode == 1
    assert "a check could not answer within the budget of 1.0 ms" in done.stdout


def test_a_check_that_cannot_answer_is_never_fast(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        def test_it(policy_benchmark):
            own = guardkit.load("small.guard", checks={"slow": lambda text: None})
            policy_benchmark(own, "input", ["bye"], seconds=0.05)
        """,
        policy=SLOW.replace("BUDGET", "1s"),
    )
    assert done.returncode == 1
    assert "input: a check could not answer, for no_slow" in done.stdout


def test_switched_off_the_answers_are_held_and_no_time_is(tmp_path: Path) -> None:
    test = """
        def test_it(policy_benchmark, own):
            assert policy_benchmark(own, "input", ["bye"], budget_ms=0.0001) is None

        def test_answer(policy_benchmark, own):
            policy_benchmark(own, "input", ["hello"], budget_ms=0.0001)
        """
    done = run(tmp_path, test, "--benchmark-disable")
    assert "1 failed, 1 passed" in done.stdout
    assert "a verdict is block" in done.stdout


def test_processor_time_is_the_timer_of_pytest_benchmark(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        def slow(text):
            time.sleep(0.01)
            return False

        def test_it(policy_benchmark):
            own = guardkit.load("small.guard", checks={"slow": slow})
            policy_benchmark(own, "input", ["bye"], seconds=0.3, budget_ms=9)
        """,
        "--benchmark-timer=time.process_time",
        policy=SLOW.replace("BUDGET", "1s"),
    )
    assert done.returncode == 0, done.stdout


def test_nobody_pays_who_did_not_ask(tmp_path: Path) -> None:
    said = 'import sys\ndef test_it(): assert "guardkit.bench" not in sys.modules\n'
    (tmp_path / "test_it.py").write_text(said, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout
