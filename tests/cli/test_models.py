"""`guardkit models`: list, verify, import, calibrate."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from guardkit.cli._verbs import ONE_LINERS
from guardkit.models import MANIFEST, digest_of, opened, read_manifest

from ..models._made import (
    INJECTION,
    WORDS,
    classifier_onnx,
    embedder_onnx,
    head,
    hf_export,
    injection_dir,
    model_dir,
)
from ._run import Done, guardkit, process

MISSING = (
    "the model `static` is not part of this installation\n"
    "the model `mini` is not part of this installation\n"
)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the models of the test, wherever it runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("guardkit.models._store.__file__", str(tmp_path / "none" / "_store.py"))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a classifier and an embedder."""
    heads = [
        head("injection", ["injection"], fpr=[[0.005, 0.9], [0.05, 0.5]]),
    ]
    model = classifier_onnx(INJECTION, classes=1, bias=[-2.0])
    model_dir(tmp_path / "models" / "attacks", model, name="attacks", heads=heads)
    embedding = {"output": "last_hidden_state", "dim": 8, "pooling": "mean"}
    model_dir(tmp_path / "models" / "near", embedder_onnx(8), name="near", embedding=embedding)
    return tmp_path / "models"


def width_of(done: Done) -> int:
    return max(len(line) for line in (done.out + done.err).splitlines())


# --- the family


def test_the_family_lists_its_verbs() -> None:
    done = guardkit("models", "--help")
    assert done.code == 0
    verbs = [line.split()[0] for line in done.out.partition("Commands:")[2].splitlines() if line]
    assert verbs == ["calibrate", "import", "list", "verify"]
    assert "..." not in done.out.partition("Commands:")[2]
    assert "models" in ONE_LINERS


@pytest.mark.parametrize("verb", [[], ["list"], ["verify"], ["import"], ["calibrate"]])
def test_help_is_narrow_and_whole(verb: list[str]) -> None:
    done = guardkit("models", *verb, "--help")
    assert done.code == 0
    assert width_of(done) <= 80


@pytest.mark.parametrize("arguments", [[], ["lst"], ["import", "x"]])
def test_what_cannot_be_understood_ends_with_2(arguments: list[str]) -> None:
    assert process("models", *arguments).code == 2


# --- list


def test_models_are_listed(models: Path) -> None:
    done = guardkit("models", "list", "models")
    assert done.code == 0
    assert done.err == MISSING
    attacks, near = models / "attacks", models / "near"
    assert done.out == (
        f"attacks 1  onnx, {kilobytes(attacks)} KB, Apache-2.0\n"
        "  models/attacks\n"
        "  head injection (injection, at 0.5% to 5.0% false alarms)\n"
        f"  {digest_of(attacks)}\n"
        "\n"
        f"near 1  onnx, {kilobytes(near)} KB, Apache-2.0\n"
        "  models/near\n"
        "  embedding (8 numbers)\n"
        f"  {digest_of(near)}\n"
    )
    assert width_of(done) <= 80
    assert guardkit("models", "list", "models/near").out == done.out.split("\n\n")[1]


def kilobytes(folder: Path) -> str:
    size = sum((folder / name).stat().st_size for name in ("model.onnx", "tokenizer.json"))
    return f"{size / 1e3:.1f}"


def test_models_are_listed_for_programs(models: Path) -> None:
    done = guardkit("models", "list", "--format", "json", "models")
    attacks, near = json.loads(done.out)
    assert attacks["digest"] == digest_of(models / "attacks")
    assert attacks["heads"] == [
        {
            "name": "injection",
            "labels": ["injection"],
            "rest": None,
            "fpr": {"0.005": 0.9, "0.05": 0.5},
        }
    ]
    assert (near["embedding"], near["tokens"], near["problems"]) == (8, None, [])
    assert json.loads(guardkit("models", "list", "--format", "json").out) == []


def test_many_labels_stay_on_the_page(tmp_path: Path) -> None:
    labels = [f"a rather long label number {i}" for i in range(9)]
    model = classifier_onnx({}, classes=9)
    model_dir(tmp_path / "m", model, heads=[head(f"h{i}", labels) for i in range(3)])
    assert width_of(guardkit("models", "list", "m")) <= 80


def test_no_model_is_nothing_to_do(tmp_path: Path) -> None:
    done = guardkit("models", "list", tmp_path)
    assert (done.code, done.out) == (5, "")
    assert done.err == MISSING + "no models\n"
    assert guardkit("models", "list", "nowhere").code == 2


def test_what_ships_is_listed_by_its_tier(tmp_path: Path) -> None:
    injection_dir(tmp_path / "none" / "mini", name="guardkit-mini")
    done = guardkit("models", "list")
    assert done.code == 0
    assert done.out.startswith("mini 1  onnx, ")
    assert str(tmp_path) not in done.out
    assert guardkit("models", "verify", "mini").code == 0


def test_a_broken_manifest_is_listed_as_such(models: Path) -> None:
    (models / "near" / MANIFEST).write_text("{", encoding="utf-8")
    (models / "attacks" / "model.onnx").unlink()
    done = guardkit("models", "list", "models")
    assert done.code == 1
    assert "wrong: `model.onnx` is missing" in done.out
    assert "wrong: `guardkit.json` is not JSON" in done.out


# --- verify


def test_whole_models_are_whole(models: Path) -> None:
    done = guardkit("models", "verify", "models/attacks", "models/near")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"whole  models/attacks\n       {digest_of(models / 'attacks')}\n"
        f"whole  models/near\n       {digest_of(models / 'near')}\n"
    )
    assert width_of(done) <= 80


def test_what_is_wrong_ends_with_1(models: Path) -> None:
    (models / "near" / "model.onnx").write_bytes(b"")
    (models / "near" / "extra").touch()
    done = guardkit("models", "verify", "models/attacks", "models/near", "mini")
    assert done.code == 1
    assert done.out.splitlines()[2:] == [
        "wrong  models/near",
        "       `extra` is not named in `guardkit.json`",
        "wrong  mini",
        "       the model `mini` is not part of this installation",
    ]
    first, second, third = json.loads(
        guardkit("models", "verify", "--format", "json", *done_paths()).out
    )
    assert (first["problems"], first["digest"]) == ([], digest_of(models / "attacks"))
    assert second["problems"] == ["`extra` is not named in `guardkit.json`"]
    assert third["digest"] is None


def done_paths() -> list[str]:
    return ["models/attacks", "models/near", "mini"]


def test_a_digest_pins(models: Path) -> None:
    digest = digest_of(models / "near")
    assert guardkit("models", "verify", "models/near", "--digest", digest).code == 0
    assert guardkit("models", "verify", "models/attacks", "--digest", digest).code == 1
    assert guardkit("models", "verify", "models/near", "models/near", "--digest", digest).code == 2


# --- import


CONFIG: dict[str, Any] = {
    "max_position_embeddings": 128,
    "id2label": {"0": "NEGATIVE", "1": "POSITIVE"},
}


def test_an_export_is_imported(tmp_path: Path) -> None:
    model = classifier_onnx({"good": [0.0, 3.0]}, classes=2)
    hf_export(tmp_path / "export", model, CONFIG)
    done = guardkit("models", "import", "export", "My Moods", "--licence", "MIT", "--window", "64")
    assert done.code == 0
    digest = digest_of(tmp_path / "My Moods")
    assert done.out == f"{digest}\n"
    assert done.err == (
        "wrote My Moods: 2 labels (softmax), windows of 64 tokens, 16 of them shared\n"
        "\n"
        "check my_moods = classifier {\n"
        '  model  "My Moods"\n'
        f'  digest "{digest}"\n'
        '  label  "POSITIVE"\n'
        "}\n"
    )
    assert guardkit("models", "verify", "My Moods").code == 0
    again = guardkit("models", "import", "export", "My Moods")
    assert (again.code, again.out) == (2, "")
    assert again.err == "error: `My Moods` is there already; `--force` replaces it\n"
    assert guardkit("-q", "models", "import", "export", "My Moods", "--force").err == ""


def test_notes_are_said(tmp_path: Path) -> None:
    hf_export(tmp_path / "export", embedder_onnx(8), {})
    done = guardkit("models", "import", "export", "out")
    assert done.code == 0
    notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 3
    assert "an embedding of 8 numbers" in done.err
    assert "check out = similarity {" in done.err


def test_an_export_that_cannot_be_imported_ends_with_2(tmp_path: Path) -> None:
    done = guardkit("models", "import", "nowhere", "out")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: `nowhere` is not a folder\n"
    assert guardkit("models", "import", tmp_path, "out").code == 2


# --- calibrate


def write_rows(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def labelled(count: int) -> list[dict[str, Any]]:
    chance = random.Random(4)
    plain = [word for word in WORDS[:24] if word.isalpha()]
    rows = []
    for _ in range(count):
        words = [chance.choice(plain) for _ in range(chance.choice((4, 20)))]
        is_harmful = chance.random() < 0.3
        if is_harmful:
            words[0] = chance.choice(("ignore", "secret"))
        elif chance.random() < 0.1:
            words[0] = chance.choice(("previous", "secret"))
        rows.append({"text": " ".join(words), "label": int(is_harmful), "on": "retrieved"})
    return rows


def test_a_head_is_calibrated(models: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", labelled(200))
    before = digest_of(models / "attacks")
    done = guardkit("models", "calibrate", "models/attacks", "rows.jsonl")
    assert done.code == 0, done.err
    digest = digest_of(models / "attacks")
    assert done.out == f"{digest}\n" != f"{before}\n"
    assert "head injection, injection: " in done.err
    assert "false alarms   score    found\n       5.0%   0." in done.err
    assert "windows   benign   harmful   shift" in done.err
    assert "note: no threshold for 0.1% false alarms: it takes 5000 benign rows" in done.err
    assert width_of(done) <= 80
    manifest = read_manifest(models / "attacks")[0]
    assert [rate for rate, _ in manifest.heads[0].fpr] == [0.05]
    assert opened(models / "attacks").manifest == manifest

    done = guardkit("models", "calibrate", "--format", "json", "models/attacks", "rows.jsonl")
    told = json.loads(done.out)
    assert told["digest"] == digest  # the same rows, the same head
    assert told["scale"] == manifest.heads[0].scale
    assert told["benign"] + told["harmful"] == 200


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"text": "a", "label": 2}], "rows.jsonl:1: its `label` is neither 0 nor 1"),
        ([{"text": "a"}], "rows.jsonl:1: its `label` is neither 0 nor 1"),
        ([{"text": "a", "label": "1"}], "rows.jsonl:1: its `label` is neither 0 nor 1"),
        ([{"label": 1}], "rows.jsonl:1: it has no `text`"),
        ([{"text": "a", "label": 1, "on": "nowhere"}], "`on` names no surface"),
        ([{"text": "a", "label": 1}] * 3, "there are 0 benign rows; 10 are the fewest"),
        ([{"text": "secret words", "label": 7}] * 9, "4 more rows cannot be used"),
    ],
)
def test_rows_that_cannot_be_used_change_nothing(
    models: Path, tmp_path: Path, rows: list[Any], says: str
) -> None:
    write_rows(tmp_path / "rows.jsonl", rows)
    before = digest_of(models / "attacks")
    done = guardkit("models", "calibrate", "models/attacks", "rows.jsonl")
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "secret words" not in done.err
    assert digest_of(models / "attacks") == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["models/attacks", "nowhere.jsonl"], "`nowhere.jsonl` cannot be read"),
        (["nowhere", "rows.jsonl"], "model `nowhere`: the folder does not exist"),
        (["models/near", "rows.jsonl"], "the model has no heads"),
        (["models/attacks", "rows.jsonl", "--head", "x"], "no head `x`; it has injection"),
        (["models/attacks", "rows.jsonl", "--label", "x"], "no label `x`; it has injection"),
    ],
)
def test_what_cannot_be_calibrated_ends_with_2(
    models: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    write_rows(tmp_path / "rows.jsonl", labelled(30))
    done = guardkit("models", "calibrate", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
