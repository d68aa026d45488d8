"""The benchmark of the policy library: what it samples, and what it writes into a README."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.library import (
    MARK,
    Data,
    Target,
    main,
    markdown,
    named,
    sampled,
    tasks_of,
    write,
)
from guardkit.evals import Case
from tests.evals._made import MODULE


def test_figures_stand_below_the_mark_and_above_the_next_heading(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# a\n\nBefore.\n\n{MARK}\n\nold figures\n\n## Costs\n\nAfter.\n")
    assert write(readme, ["| new |"])
    written = readme.read_text()
    assert written == f"# a\n\nBefore.\n\n{MARK}\n\n| new |\n\n## Costs\n\nAfter.\n"
    assert write(readme, ["| new |"])
    assert readme.read_text() == written


def test_a_readme_without_the_mark_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# a\n")
    assert not write(readme, ["| new |"])
    assert not write(tmp_path / "absent.md", ["| new |"])
    assert readme.read_text() == "# a\n"


def test_a_sample_is_of_every_source_and_label_whatever_the_order() -> None:
    given = [Case(str(n), f"text {n}", bool(n % 2), source=f"s{n % 3}") for n in range(120)]
    kept = sampled(given, 4)
    assert len(kept) == 24
    assert sampled(given[::-1], 4) == kept


def test_a_module_is_measured_and_told(tmp_path: Path) -> None:
    path = tmp_path / "part.guard"
    path.write_text(MODULE)
    rows = tuple(
        Case("", f"{'hello' if n % 4 == 0 else 'good day'} {n}", n % 2 == 0, group=f"g{n % 2}")
        for n in range(40)
    )
    made, data = Target(path, True, None), Data("injection", "probes", rows)
    made.time([data])
    made.add(data)
    greeting = next(row for row in made.rows if row.what == "`greeting`")
    assert greeting.counts[:4] == (10, 10, 0, 20)
    text = "\n".join(markdown(made, "command"))
    assert "| `greeting` | probes | 40 | – | 50.0 % (29.9–70.1) | 0.0 % (0.0–16.1) |" in text
    assert made.ms > 0
    assert all(len(line) < 400 for line in text.splitlines())


def test_a_deployment_is_measured_by_the_modules_it_uses(tmp_path: Path) -> None:
    path = tmp_path / "shop.guard"
    path.write_text('use "std/harm" version "1" as harm\nuse "std/refusal" version "1" as r\n')
    assert tasks_of(path, False) == ["harm"]
    assert tasks_of(tmp_path / "toxicity.guard", True) == ["toxicity"]
    assert tasks_of(tmp_path / "links.guard", True) == []


def test_a_whole_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack, std = tmp_path / "pack", tmp_path / "std" / "refusal"
    (pack / "probes").mkdir(parents=True)
    std.mkdir(parents=True)
    (std / "refusal.guard").write_text(MODULE.replace("part", "refusal"))
    (std / "README.md").write_text(f"# refusal\n\n{MARK}\n")
    names = ("injection", "harm", "toxicity", "refusal", "longform")
    for name in (*names, "pii"):
        rows = [
            {
                "text": f"{name} hello {n}" if n % 2 else f"{name} answer {n}",
                "label": n % 2,
                "source": "sherdencooper/GPTFuzz",
                "license": "MIT",
                "meta": {"kind": "human_label", "spans": []},
            }
            for n in range(20)
        ]
        content = "".join(json.dumps(row) + "\n" for row in rows)
        (pack / f"{name}.jsonl.gz").write_bytes(gzip.compress(content.encode()))
        if name == "refusal":
            probe = pack / "probes" / "refusal__refusal_full.jsonl"
            probe.write_text(content)
    assert (
        main([str(pack), "--std", str(tmp_path / "std"), "--module", "std/refusal", "--write"]) == 0
    )
    shown = capsys.readouterr().out
    assert "## std/refusal" in shown
    assert "| `greeting` | held back |" in shown
    assert "| `greeting` | probes | 20 | – | 100.0 % (72.2–100.0) |" in shown
    written = (std / "README.md").read_text()
    assert "| `greeting` | probes | 20 |" in written
    assert "hello" not in written


def test_a_name_means_a_deployment_where_there_is_one(tmp_path: Path) -> None:
    for name in ("pii", "std/pii", "std/harm"):
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{folder.name}.guard").write_text(MODULE)

    def chosen(*wanted: str) -> list[str]:
        made = named(tmp_path, tmp_path / "std", wanted)
        return [path.parent.relative_to(tmp_path).as_posix() for path, _ in made]

    assert chosen() == ["std/harm", "std/pii", "pii"]
    assert chosen("pii") == ["pii"]
    assert chosen("harm", "std/pii") == ["std/harm", "std/pii"]
    assert chosen("nothing") == []
