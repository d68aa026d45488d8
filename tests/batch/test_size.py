"""Files far larger than what is held of them: memory does not grow with a corpus."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ._corpora import policy

ROOT = Path(__file__).parents[2]
CHARS = 4_000
SCAN = """
import resource, sys
sys.path.insert(0, {root!r})
from guardkit.cli._main import run
code = run(sys.argv[1:])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def most_kb(policy: Path, data: Path, out: Path, *more: str) -> int:
    """The most memory that a scan had, in kilobytes."""
    command = [sys.executable, "-c", SCAN.format(root=str(ROOT)), "scan", str(policy), str(data)]
    done = subprocess.run(
        [*command, "--out", str(out), "-q", *more], capture_output=True, text=True, check=False
    )
    code, most = done.stdout.split()
    assert code == "0", done.stderr
    return int(most)


def written(path: Path, rows: int) -> Path:
    filler = ("lorem ipsum dolor sit amet " * 200)[:CHARS]
    with path.open("w", encoding="utf-8") as file:
        if path.suffix == ".csv":
            file.write("id,text\n")
        for number in range(rows):
            text = f"{number} {filler}"
            file.write(f"{number},{text}\n" if path.suffix == ".csv" else _line(text))
    return path


def _line(text: str) -> str:
    return json.dumps({"text": text}) + "\n"


@pytest.mark.skipif(sys.platform == "win32", reason="platform: it has no figures of memory")
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("data", "out", "workers"),
    [("a.jsonl", "out.parquet", 1), ("a.jsonl", "out.jsonl", 2), ("a.csv", "out.sqlite", 1)],
)
def test_memory_does_not_grow_with_the_corpus(
    tmp_path: Path, data: str, out: str, workers: int
) -> None:
    rules = policy(tmp_path)
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    # A block holds a megabyte: one of them, and more than a hundred.
    small = written(tmp_path / "small" / data, 300)
    large = written(tmp_path / "large" / data, 30_000)
    assert large.stat().st_size > 100 << 20
    more = ("--workers", str(workers))
    before = most_kb(rules, small, small.parent / out, *more)
    after = most_kb(rules, large, large.parent / out, *more)
    assert after - before < 40_000, (before, after)
