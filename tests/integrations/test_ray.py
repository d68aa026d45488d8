"""Ray: a corpus judged by a cluster is a corpus judged; and verdicts as columns of a data set."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardkit.batch import Asked, Crew, Recipe, Run, Totals, corpus_of
from guardkit.batch._read import MOST_ROWS
from guardkit.errors import UsageError
from guardkit.guard import Guard, load
from guardkit.integrations.ray import Judge

from ._tools import EXAMPLES, ROOT, needs

pytestmark = [
    needs("ray"),
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:The minimum number of concurrent actors:UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # its own pipes to its own processes
]

POLICY = r"""
guardkit 1
policy mail
  title   "Mail"
  owner   "me@example.com"
  version "1"

check greeting = pattern { match /\bhello\b/i  label "greeting" }
check order    = pattern { match /\bNB-\d{4}\b/  label "order" }

rule no_greeting {
  tier safety
  on   input
  when greeting
  then block "No greetings, please."
}

rule mask {
  tier safety
  on   input
  when order
  then rewrite matches as "[{label}]"
}
"""
REMEMBERS = (
    POLICY
    + """
window greetings { count no_greeting last 50 turns per session }

rule enough {
  tier safety
  on   conversation
  when greetings >= 3
  then block "Enough." for session
}
"""
)
SECRET = "zanzibar-marker"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of this machine for all tests, so that each does not begin its own."""
    import ray  # type: ignore[import-not-found, unused-ignore]

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "mail.guard"
    path.write_text(POLICY, encoding="utf-8")
    return path


def row(number: int) -> dict[str, object]:
    said = f"{SECRET} {number}"
    if number % 7 == 0:
        said += ", hello"
    if number % 11 == 0:
        said += ", NB-1234"
    made: dict[str, object] = {"text": said}
    if number % 30 == 0:
        made["session"] = f"s{number % 40}"
    return made


def corpus_file(path: Path, rows: int, *, first: int = 0) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for number in range(first, first + rows):
            file.write("{no json\n" if number % 500 == 499 else json.dumps(row(number)) + "\n")
    return path


def judged(
    out: Path, policy: Path, *inputs: Path, engine: str = "ray", blocks: int | None = None, **o: Any
) -> Totals:
    """Judge into a file, with two actors or here; `blocks`, and then somebody stops it."""
    guard: Guard = load(policy)
    on_ray = Crew("ray", 2, Recipe(str(policy)))
    crew = on_ray if engine == "ray" else Crew()
    corpus = corpus_of([str(name) for name in inputs])
    with Run(guard, corpus, Asked(), out, crew, **o) as run:
        for _ in itertools.islice(run, blocks):
            pass
        return run.totals


def differences(one: Path, other: Path) -> list[tuple[str, str]]:
    """Results that are not the same, but for the time they took; both are read line by line."""
    with one.open() as ours, other.open() as theirs:
        return [
            pair
            for pair in itertools.zip_longest(ours, theirs)
            if _plain(pair[0]) != _plain(pair[1])
        ]


def _plain(line: str | None) -> object:
    return line and {k: v for k, v in json.loads(line).items() if k != "elapsed_us"}


# --- a corpus


def same_on_ray(tmp_path: Path, policy: Path, *inputs: Path, rows: int) -> None:
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    begun = time.perf_counter()
    first = judged(here, policy, *inputs, engine="local")
    between = time.perf_counter()
    second = judged(there, policy, *inputs)
    took = time.perf_counter() - between
    print(f"{rows} texts: local {rows / (between - begun):,.0f}/s, Ray {rows / took:,.0f}/s")
    assert first == second
    assert first.rows == rows
    assert not differences(here, there)


def test_twenty_thousand_texts(tmp_path: Path, policy: Path, cluster: Any) -> None:
    files = [
        corpus_file(tmp_path / "a.jsonl", 15_000),
        corpus_file(tmp_path / "b.jsonl", 4_000, first=15_000),
    ]
    table = tmp_path / "c.csv"
    table.write_text("id,text\n" + "".join(f'r{n},"hello, {n}"\n' for n in range(1_000)))
    same_on_ray(tmp_path, policy, *files, table, rows=20_000)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_a_million_texts(tmp_path: Path, policy: Path, cluster: Any) -> None:
    files = [corpus_file(tmp_path / f"{n}.jsonl", 250_000, first=n * 250_000) for n in range(4)]
    same_on_ray(tmp_path, policy, *files, rows=1_000_000)


@pytest.mark.full
def test_sessions_are_one_conversation(tmp_path: Path, policy: Path, cluster: Any) -> None:
    policy.write_text(REMEMBERS, encoding="utf-8")
    data = corpus_file(tmp_path / "a.jsonl", 4_000)
    same_on_ray(tmp_path, policy, data, rows=4_000)
    assert '"enough"' in (tmp_path / "there.jsonl").read_text()


def _actors(root: int) -> list[int]:
    """Processes of actors that judge, below one of ours and no other."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
                parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
                names[int(folder.name)] = (folder / "cmdline").read_text()
            except OSError:
                continue

    def is_below(pid: int) -> bool:
        while pid in parents and pid != root:
            pid = parents[pid]
        return pid == root

    return [pid for pid, name in names.items() if "_JudgeBlock" in name and is_below(pid)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="platform: it looks into /proc")
def test_an_actor_that_is_killed_loses_and_repeats_nothing(
    tmp_path: Path, policy: Path, cluster: Any
) -> None:
    data = corpus_file(tmp_path / "a.jsonl", 30_000)
    out = tmp_path / "out.jsonl"
    corpus = corpus_of([str(data)])
    killed: list[int] = []
    with Run(load(policy), corpus, Asked(), out, Crew("ray", 2, Recipe(str(policy)))) as run:
        for number, _ in enumerate(run):
            if number in (2, 30):
                killed += (found := _actors(os.getpid())[:1])
                for pid in found:
                    os.kill(pid, signal.SIGKILL)
        assert run.totals.rows == 30_000
    assert len(set(killed)) == 2
    judged(tmp_path / "here.jsonl", policy, data, engine="local")
    assert not differences(tmp_path / "here.jsonl", out)


@pytest.mark.full
def test_stopped_and_gone_on_with(tmp_path: Path, policy: Path, cluster: Any) -> None:
    files = [corpus_file(tmp_path / f"{n}.jsonl", 2_000, first=n * 2_000) for n in range(3)]
    out = tmp_path / "out.jsonl"
    first = judged(out, policy, *files, blocks=18).rows
    assert first == 18 * MOST_ROWS
    assert judged(out, policy, *files, resume=True, blocks=1).rows == first + MOST_ROWS
    assert judged(out, policy, *files, engine="local", resume=True).rows == 6_000
    judged(tmp_path / "here.jsonl", policy, *files, engine="local")
    assert not differences(tmp_path / "here.jsonl", out)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, policy: Path, cluster: Any) -> None:
    data = corpus_file(tmp_path / "a.jsonl", 100)
    odd = tmp_path / "b.csv"
    odd.write_text("body\nx\n")
    with pytest.raises(UsageError, match=r"b\.csv` has no column `text`"):
        judged(tmp_path / "out.jsonl", policy, data, odd)


def test_another_policy_on_the_cluster_is_refused(
    tmp_path: Path, policy: Path, cluster: Any
) -> None:
    data = corpus_file(tmp_path / "a.jsonl", 100)
    guard = load(policy)
    policy.write_text(POLICY.replace("hello", "goodbye"), encoding="utf-8")
    crew = Crew("ray", 1, Recipe(str(policy)))
    with (
        Run(guard, corpus_of([str(data)]), Asked(), tmp_path / "out.jsonl", crew) as run,
        pytest.raises(UsageError, match="is another one than here"),
    ):
        list(run)


def test_standard_input_stays_here(tmp_path: Path, policy: Path, cluster: Any) -> None:
    guard, crew = load(policy), Crew("ray", 1, Recipe(str(policy)))
    with (
        Run(guard, corpus_of(["hello"]), Asked(), tmp_path / "out.jsonl", crew) as run,
        pytest.raises(UsageError, match="Ray reads files"),
    ):
        list(run)


@pytest.mark.full
def test_the_command(tmp_path: Path, policy: Path) -> None:
    """With a cluster of its own, which is gone when it ends."""
    data = corpus_file(tmp_path / "a.jsonl", 1_000)
    main = "from guardkit.cli import main; main()"
    command = [sys.executable, "-c", main, "scan", str(policy), str(data), "--format", "jsonl"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    lines = []
    for more in ([], ["--engine", "ray", "--workers", "2"]):
        done = subprocess.run(
            [*command, *more], env=environment, capture_output=True, timeout=250, check=False
        )
        assert done.returncode == 1, done.stderr.decode()
        lines.append([json.loads(line) for line in done.stdout.splitlines()])
        assert SECRET not in done.stdout.decode() + done.stderr.decode()
    here, there = lines
    assert [(v["id"], v.get("action"), v.get("fired")) for v in here] == [
        (v["id"], v.get("action"), v.get("fired")) for v in there
    ]


# --- a data set of one's own


def test_a_judge_in_a_pipeline(policy: Path, cluster: Any) -> None:
    texts = ["good day", "hello", "see NB-1234", None]
    data = cluster.data.from_items([{"text": text, "n": n} for n, text in enumerate(texts)])
    for format in ("numpy", "pyarrow", "pandas"):
        judged = data.map_batches(
            Judge,
            fn_constructor_args=[str(policy)],
            fn_constructor_kwargs={"show_text": True},
            batch_format=format,
            concurrency=1,
        )
        found = sorted(judged.take_all(), key=lambda one: one["n"])
        assert [one["guard_action"] for one in found] == ["pass", "block", "rewrite", "error"]
        assert json.loads(found[1]["guard_fired"]) == ["no_greeting"]
        assert json.loads(found[1]["guard_findings"])[0]["label"] == "GREETING"
        assert found[2]["guard_text"] == "see [ORDER]"
        assert found[3]["guard_error"] == "it is no text"


def test_the_example(cluster: Any) -> None:
    from runpy import run_path

    made = run_path(str(EXAMPLES / "ray_app.py"))
    counts = made["counted"](made["main"]())
    assert counts == {"block": 1, "pass": 2}
