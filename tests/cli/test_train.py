"""`guardkit train`: what it says, writes and refuses."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from guardkit.models import digest_of, verify
from guardkit.train import Row

from ..train import _small as small
from ._run import Done, guardkit

pytestmark = pytest.mark.timeout(300)  # loading torch takes a minute where cores are few


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small static tier instead of the one that ships."""
    monkeypatch.chdir(tmp_path)
    small.static_tier(tmp_path / "shipped" / "static")
    store = tmp_path / "shipped" / "_store.py"
    monkeypatch.setattr("guardkit.models._store.__file__", str(store))


def write(name: str, rows: Iterable[Row]) -> str:
    lines = [
        json.dumps({"text": r.text, "label": r.truth["attack"], "source": r.source}) for r in rows
    ]
    Path(name).write_text("\n".join(lines), encoding="utf-8")
    return name


def width_of(done: Done) -> int:
    return max(len(line) for line in (done.out + done.err).splitlines())


def test_help_is_narrow() -> None:
    done = guardkit("train", "--help")
    assert done.code == 0
    assert width_of(done) <= 80


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training of a few steps."""
    small.need_torch()
    from guardkit.train import _train_head as module

    whole = module.plan_for
    monkeypatch.setattr(module, "plan_for", lambda rows: whole(rows)._replace(steps=10))


@pytest.mark.usefixtures("quick")
def test_a_head_is_trained_and_shown() -> None:
    data = write("data.jsonl", small.rows(120, sources=3))
    test = write("more.jsonl", small.rows(20, sources=1, seed=4))
    done = guardkit("train", data, "--out", "out/attacks", "--test", test, "--seed", "3")
    assert done.code == 0, done.err
    assert done.out == f"{digest_of(Path('out/attacks'))}\n"
    assert verify(Path("out/attacks")) == ()
    assert width_of(done) <= 80
    lines = done.err.splitlines()
    assert "head attacks: one threshold for all" in done.err
    (first, second) = (n for n, line in enumerate(lines) if line.startswith("source  "))
    assert lines[first].split() == ["source", "texts", "AUC", "found", "false", "alarms"]
    assert [line.split()[0] for line in lines[first + 1 : first + 5]] == ["all"] + ["source"] * 3
    assert lines[second + 1].startswith("all")
    assert "note: no threshold for 1.0% false alarms: it takes 500 benign rows" in lines
    again = guardkit("train", data, "--out", "out/attacks")
    assert again.code == 2
    assert again.err == "error: `out/attacks` is there already; `--force` replaces it\n"


@pytest.mark.usefixtures("quick")
def test_programs_get_json() -> None:
    data = write("data.jsonl", small.rows(60, sources=2))
    done = guardkit("train", data, "--out", "m", "--head", "injection", "--format", "json")
    assert done.code == 0, done.err
    said: dict[str, Any] = json.loads(done.out)
    assert said["digest"] == digest_of(Path("m"))
    assert said["heads"][0]["name"] == "injection"
    assert [line["name"] for line in said["figures"]["injection"]["sources"]] == [
        "source 0", "source 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "what to train on? give DATA, or `--recipe PACK`"),
        (["no.jsonl"], "`no.jsonl` cannot be read: no such file or directory"),
        (["data.jsonl", "--minutes", "3"], "`--minutes` is for `--encoder`"),
        (["data.jsonl", "--recipe", "p"], "`--recipe PACK` needs `--weights FILE`"),
        (["--recipe", "p"], "`--recipe PACK` needs `--weights FILE`"),
        (["data.jsonl", "--head", "a b"], "`a b` is no name for a head"),
        (["data.jsonl"], "every label in `data.jsonl` is 1: nothing to learn"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_one_sentence(arguments: list[str], says: str) -> None:
    write("data.jsonl", small.rows(40)[1::2])
    done = guardkit("train", *arguments, "--out", "m")
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1
    assert not Path("m").exists()


def test_out_is_needed() -> None:
    assert guardkit("train", "data.jsonl").code == 2


def test_without_torch_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardkit.train import _extra

    monkeypatch.setattr(_extra, "find_spec", lambda name: None if name == "torch" else builtins)
    data = write("data.jsonl", small.rows(40))
    done = guardkit("train", data, "--out", "m")
    assert done.code == 2
    assert done.err == "error: training needs PyTorch: pip install 'guardkit[train]'\n"
    more = guardkit("train", data, "--out", "m", "--encoder", "w.safetensors")
    assert more.err == done.err
