"""Model directories: whole or refused, and what was hashed is what is used."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from guardkit.errors import BindError
from guardkit.models import (
    MANIFEST,
    TIERS,
    digest_of,
    manifest_of,
    read_manifest,
    read_verified,
    replace_manifest,
    shipped,
    verify,
    write_model,
)

from ._made import (
    INJECTION,
    VOCABULARY,
    classifier_onnx,
    embedder_onnx,
    head,
    injection_dir,
    model_dir,
    sha,
    tagger_onnx,
    tokenizer_json,
    window,
)

MODEL = classifier_onnx(INJECTION, classes=1, bias=[-2.0])
TABLE = tokenizer_json()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return injection_dir(tmp_path / "model")


def problems_of(folder: Path, digest: str | None = None) -> tuple[str, ...]:
    """What is wrong, in time and in sentences that name no place of this machine."""
    start = time.process_time()
    found = verify(folder, digest)
    assert time.process_time() - start < 1.0
    for problem in found:
        assert problem.isprintable()
        assert len(problem) < 250
        assert str(folder.parent) not in problem
    return found


def edit(folder: Path, **more: Any) -> None:
    """Change fields of a manifest."""
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}), encoding="utf-8")


def put(folder: Path, name: str, data: bytes) -> None:
    """Write a file and name it in the manifest."""
    (folder / name).write_bytes(data)
    files = json.loads((folder / MANIFEST).read_text())["files"]
    edit(folder, files={**files, name: sha(data)})


# --- what is whole


def test_a_whole_model_is_read_once_and_pinned(model: Path) -> None:
    assert problems_of(model) == ()
    digest = sha((model / MANIFEST).read_bytes())
    assert digest_of(model) == digest
    opened = read_verified(model, digest)
    assert opened.digest == digest
    assert opened.files == {"model.onnx": MODEL, "tokenizer.json": TABLE}
    assert opened.size == len(MODEL) + len(TABLE)
    assert opened.graph is not None
    assert opened.tokenizer.encode("ignore secret").tokens == ["[CLS]", "ignore", "secret", "[SEP]"]
    assert read_manifest(model) == (opened.manifest, digest)
    assert "files" not in repr(opened).partition("manifest=")[0]


def test_pages_may_lie_beside(model: Path) -> None:
    (model / "README.md").write_text("# a model", encoding="utf-8")
    (model / "CARD.MD").write_text("# a card", encoding="utf-8")
    assert problems_of(model) == ()


def test_a_folder_may_be_reached_through_a_link(model: Path) -> None:
    link = model.parent / "current"
    link.symlink_to(model, target_is_directory=True)
    assert problems_of(link) == ()


@pytest.mark.parametrize("folder", ["model", "."])
def test_a_relative_folder_is_read(
    model: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model if folder == "." else model.parent)
    assert verify(Path(folder)) == ()


def test_a_static_model_needs_no_graph(tmp_path: Path) -> None:
    folder = model_dir(tmp_path / "m", b"", heads=[head("a", ["x"])])
    (folder / "model.onnx").unlink()
    edit(folder, kind="static", files={"tokenizer.json": sha(TABLE)})
    put(folder, "table.npy", b"numbers")
    opened = read_verified(folder)
    assert opened.graph is None
    assert opened.files["table.npy"] == b"numbers"
    (folder / "tokenizer.json").unlink()
    edit(folder, base="static", files={"table.npy": sha(b"numbers")})
    assert read_verified(folder).tokenizer is None


def test_a_tokenizer_neither_cuts_nor_obeys(tmp_path: Path) -> None:
    table = json.loads(TABLE)
    table["truncation"] = {
        "direction": "Right",
        "max_length": 4,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    table["padding"] = {
        "strategy": {"Fixed": 64},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    folder = injection_dir(tmp_path / "m", tokenizer=json.dumps(table).encode())
    tokenizer = read_verified(folder).tokenizer
    found = tokenizer.encode("the cat [SEP] and the dog").tokens
    assert found[0] == "[CLS]"
    assert found[-3:] == ["the", "dog", "[SEP]"]
    assert found.count("[SEP]") == 1  # the one it put there itself


# --- what is not


Break = Callable[[Path], object]


def swapped(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(TABLE)
    (folder / "tokenizer.json").write_bytes(MODEL)


def swapped_and_named(folder: Path) -> None:
    put(folder, "model.onnx", TABLE)
    put(folder, "tokenizer.json", MODEL)


def cut(name: str, *, named: bool) -> Break:
    def change(folder: Path) -> None:
        data = (folder / name).read_bytes()[:-40]
        if named:
            put(folder, name, data)
        else:
            (folder / name).write_bytes(data)

    return change


def link(name: str, target: str) -> Break:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return change


def link_to_same(folder: Path) -> None:
    real = folder.parent / "elsewhere.onnx"
    (folder / "model.onnx").rename(real)
    (folder / "model.onnx").symlink_to(real)


def sparse_file(name: str, size: int) -> Break:
    def change(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(size)

    return change


def with_external_data(location: str) -> Break:
    def change(folder: Path) -> None:
        model = onnx.load_from_string(MODEL)
        tensor = model.graph.initializer.add(name="far", data_type=1, dims=[2])
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location
        put(folder, "model.onnx", model.SerializeToString())

    return change


def with_opset(version: int) -> Break:
    def change(folder: Path) -> None:
        model = onnx.load_from_string(MODEL)
        model.opset_import[0].version = version
        put(folder, "model.onnx", model.SerializeToString())

    return change


def manifest_text(text: str) -> Break:
    return lambda folder: (folder / MANIFEST).write_text(text, encoding="utf-8")


def manifest_with(old: str, new: str) -> Break:
    def change(folder: Path) -> None:
        path = folder / MANIFEST
        path.write_text(path.read_text().replace(old, new), encoding="utf-8")

    return change


WRONG: list[tuple[str, Break, str]] = [
    ("no folder", lambda folder: shutil.rmtree(folder), "the folder does not exist"),
    (
        "a file instead",
        lambda folder: (shutil.rmtree(folder), folder.write_bytes(b"")),
        "not a folder",
    ),
    ("no manifest", lambda folder: (folder / MANIFEST).unlink(), "`guardkit.json` is missing"),
    ("no model", lambda folder: (folder / "model.onnx").unlink(), "`model.onnx` is missing"),
    ("a folder", lambda folder: (folder / "more").mkdir(), "`more` is a folder"),
    ("a stranger", lambda folder: (folder / "x.bin").touch(), "`x.bin` is not named"),
    ("a hidden stranger", lambda folder: (folder / ".x").touch(), "`.x` is not named"),
    ("a strange name", lambda folder: (folder / "a\x1b[0m\n").touch(), "is not named"),
    (
        "many strangers",
        lambda folder: [(folder / f"{i}.md").touch() for i in range(100)],
        "more than 64 files",
    ),
    ("a pipe", lambda folder: os.mkfifo(folder / "x.md"), "`x.md` is not a regular file"),
    (
        "a pipe for a model",
        lambda folder: ((folder / "model.onnx").unlink(), os.mkfifo(folder / "model.onnx")),
        "`model.onnx` is not a regular file",
    ),
    ("a link out", link("model.onnx", "/etc/passwd"), "`model.onnx` is a link"),
    ("a link to the same", link_to_same, "`model.onnx` is a link"),
    ("a link inside", link("extra.md", "guardkit.json"), "`extra.md` is a link"),
    ("a link nowhere", link("extra.md", "nowhere"), "`extra.md` is a link"),
    ("a linked manifest", link(MANIFEST, "/etc/passwd"), "`guardkit.json` is a link"),
    ("swapped", swapped, "its digest differs"),
    ("swapped and named", swapped_and_named, "`model.onnx`"),
    ("a cut model", cut("model.onnx", named=False), "`model.onnx` is not the file"),
    ("a cut model, named", cut("model.onnx", named=True), "`model.onnx`"),
    ("a cut tokenizer", cut("tokenizer.json", named=False), "`tokenizer.json` is not the file"),
    ("a cut tokenizer, named", cut("tokenizer.json", named=True), "is not a tokenizer"),
    (
        "a deep tokenizer",
        lambda folder: put(folder, "tokenizer.json", b'{"a":' * 100_000),
        "not a token",
    ),
    ("no tokenizer", lambda folder: put(folder, "tokenizer.json", b"{}"), "is not a tokenizer"),
    ("an empty model", lambda folder: put(folder, "model.onnx", b""), "is empty"),
    ("a large manifest", sparse_file(MANIFEST, 10 << 20), "`guardkit.json` is larger"),
    ("a large tokenizer", sparse_file("tokenizer.json", 65 << 20), "`tokenizer.json` is larger"),
    ("a large model", sparse_file("model.onnx", (2 << 30) + 1), "`model.onnx` is larger"),
    ("external data", with_external_data("weights.bin"), "keeps data outside the file"),
    ("external data above", with_external_data("../../../etc/passwd"), "outside the file"),
    ("external data anywhere", with_external_data("/etc/passwd"), "outside the file"),
    ("an old opset", with_opset(3), "needs version 3"),
    ("an opset to come", with_opset(12_345), "needs version 12345"),
    ("a name above", manifest_with('"model.onnx"', '"../model.onnx"'), "plain file name"),
    ("a rooted name", manifest_with('"model.onnx"', '"/etc/passwd"'), "plain file name"),
    (
        "NaN",
        manifest_with('"kind": "sigmoid"', '"kind": "sigmoid", "scale": NaN'),
        "that is not finite",
    ),
    ("deep JSON", manifest_text("[" * 100_000), "nested too deeply"),
    ("no JSON", manifest_text("guardkit"), "is not JSON"),
]


@pytest.mark.parametrize(("change", "says"), [c[1:] for c in WRONG], ids=[c[0] for c in WRONG])
def test_what_is_not_whole_is_refused(model: Path, change: Break, says: str) -> None:
    change(model)
    found = problems_of(model)
    assert len(found) >= 1
    assert any(says in problem for problem in found), found
    with pytest.raises(BindError) as caught:
        read_verified(model)
    assert caught.value.problems == tuple(f"model `model`: {problem}" for problem in found)


def test_everything_that_is_wrong_is_said_at_once(model: Path) -> None:
    (model / "a.bin").touch()
    (model / "b.bin").touch()
    assert len(problems_of(model)) == 2
    (model / "a.bin").unlink()
    (model / "b.bin").unlink()
    swapped(model)
    assert len(problems_of(model)) == 2


def test_a_hard_link_is_a_file_like_any_other(model: Path) -> None:
    os.link(model / "model.onnx", model.parent / "second.onnx")
    assert problems_of(model) == ()


def test_another_digest_is_refused(model: Path) -> None:
    (found,) = problems_of(model, sha(b""))
    assert "its digest is sha256:" in found
    assert f"not {sha(b'')}" in found
    assert problems_of(model, digest_of(model)) == ()
    edit(model, version="2")
    assert len(problems_of(model, sha(b""))) == 1


def test_a_file_that_grows_while_it_is_read_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat

    def smaller(handle: int) -> os.stat_result:
        facts = list(real(handle))
        facts[6] -= 1
        return os.stat_result(facts)

    monkeypatch.setattr("guardkit.models._store.os.fstat", smaller)
    assert "changed while it was read" in verify(model)[0]


# --- parts that do not fit


def small_tokenizer() -> bytes:
    return tokenizer_json(VOCABULARY[:30])


def large_tokenizer() -> bytes:
    return tokenizer_json((*VOCABULARY, "beyond", "all", "tables"))


TAGS = {"output": "logits", "labels": ["O", "B-PER", "I-PER"]}
TAGGER = tagger_onnx({"alice": 1}, labels=3)
INJECTED = [head("injection", ["injection"])]


def embedding(**more: Any) -> dict[str, Any]:
    return {"output": "last_hidden_state", "dim": 8, "pooling": "mean", **more}


MISFITS: list[tuple[bytes, dict[str, Any], str | None]] = [
    (MODEL, {"heads": INJECTED, "tokenizer": large_tokenizer()}, "`tokenizer.json` gives token 83"),
    (MODEL, {"heads": INJECTED, "window": {**window(), "lead": [500]}}, "puts token 500"),
    (MODEL, {"heads": INJECTED, "window": {**window(), "pad": 500}}, "token 500 is for padding"),
    (MODEL, {"heads": INJECTED, "tokenizer": small_tokenizer()}, None),
    (
        MODEL,
        {
            "heads": INJECTED,
            "window": window(surfaces=True),
            "tokenizer": tokenizer_json(["[UNK]", "[CLS]", "[SEP]"]),
        },
        "and `tokenizer.json` has none such",
    ),
    (MODEL, {"heads": [head("a", ["x", "y"])]}, "more labels than `model.onnx` has columns"),
    (MODEL, {"heads": [head("a", ["x"], at=1)]}, "more labels than `model.onnx` has columns"),
    (MODEL, {"heads": [head("a", ["x"], output="o")]}, "needs an output `o`"),
    (MODEL, {"tokens": TAGS}, "[windows, tokens, columns]"),
    (MODEL, {"heads": INJECTED, "embedding": embedding()}, "needs an output `last_hidden_state`"),
    (TAGGER, {"tokens": TAGS}, None),
    (TAGGER, {"tokens": {**TAGS, "labels": ["O", "B-PER"]}}, "2 token labels for 3 columns"),
    (TAGGER, {"heads": INJECTED}, "of the shape [windows, columns]"),
    (embedder_onnx(8), {"embedding": embedding()}, None),
    (embedder_onnx(8), {"embedding": embedding(dim=9)}, "has 8 columns, not 9"),
    (embedder_onnx(8), {"embedding": embedding(pooling="none")}, "of the shape [windows, columns]"),
]


@pytest.mark.parametrize(("model", "more", "says"), MISFITS)
def test_parts_fit_each_other(
    tmp_path: Path, model: bytes, more: dict[str, Any], says: str | None
) -> None:
    found = problems_of(model_dir(tmp_path / "m", model, **more))
    if says is None:
        assert found == ()
    else:
        assert any(says in problem for problem in found), found


def renamed_input(name: str) -> bytes:
    model = onnx.load_from_string(MODEL)
    for node in model.graph.node:
        for i, given in enumerate(node.input):
            node.input[i] = name if given == "attention_mask" else given
    model.graph.input[1].name = name
    data: bytes = model.SerializeToString()
    return data


def other_input(change: Callable[[Any], object]) -> bytes:
    model = onnx.load_from_string(MODEL)
    change(model.graph.input[0].type.tensor_type)
    data: bytes = model.SerializeToString()
    return data


def fixed(tensor: Any) -> None:
    tensor.shape.dim[1].ClearField("dim_param")
    tensor.shape.dim[1].dim_value = 128


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (renamed_input("pixel_values"), "wants an input `pixel_values`"),
        (other_input(lambda tensor: setattr(tensor, "elem_type", 6)), "is int32, not int64"),
        (other_input(lambda tensor: setattr(tensor, "elem_type", 8)), "is type 8, not int64"),
        (other_input(fixed), "has a fixed size"),
        (other_input(lambda tensor: tensor.shape.dim.pop()), "not of the shape [windows, tokens]"),
    ],
)
def test_inputs_are_what_inference_gives(tmp_path: Path, model: bytes, says: str) -> None:
    found = problems_of(model_dir(tmp_path / "m", model, heads=INJECTED))
    assert any(says in problem for problem in found), found


# --- what ships


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_lies_beside_the_code_or_is_missing(
    tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardkit.models._store.__file__", str(tmp_path / "_store.py"))
    with pytest.raises(BindError) as caught:
        shipped(tier)
    assert str(caught.value) == f"the model `{tier}` is not part of this installation"
    injection_dir(tmp_path / tier)
    assert verify(shipped(tier)) == ()


@pytest.mark.parametrize(
    ("name", "says"), [("minni", "did you mean `mini`"), ("../x", "shipped are static and mini")]
)
def test_no_other_tier_ships(name: str, says: str) -> None:
    with pytest.raises(BindError, match=says):
        shipped(name)


# --- writing


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_model_is_written_whole(model: Path, tmp_path: Path) -> None:
    opened = read_verified(model)
    out = tmp_path / "deep" / "copy"
    digest = write_model(out, opened.manifest, opened.files, force=False)
    assert digest == digest_of(out)
    assert read_verified(out).files == opened.files
    assert files_of(tmp_path / "deep") == {
        "copy", *(f"copy/{n}" for n in (MANIFEST, *opened.files))
    }  # fmt: skip


def test_nothing_is_overwritten_unasked(model: Path, tmp_path: Path) -> None:
    opened = read_verified(model)
    before = digest_of(model)
    with pytest.raises(BindError, match="--force"):
        write_model(model, opened.manifest, opened.files, force=False)
    (model / "old.md").touch()
    newer = opened.manifest.model_copy(update={"version": "2"})
    assert write_model(model, newer, opened.files, force=True) == digest_of(model) != before
    assert not (model / "old.md").exists()
    assert files_of(tmp_path) == {"model", *(f"model/{n}" for n in (MANIFEST, *opened.files))}


@pytest.mark.parametrize("force", [True, False])
def test_only_models_are_replaced(model: Path, tmp_path: Path, force: bool) -> None:
    opened = read_verified(model)
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("dear", encoding="utf-8")
    file = tmp_path / "file"
    file.touch()
    link = tmp_path / "link"
    link.symlink_to(model, target_is_directory=True)
    for out in (home, file, link, Path("/")):
        with pytest.raises(BindError):
            write_model(out, opened.manifest, opened.files, force=force)
    assert (home / "letter.txt").read_text() == "dear"
    empty = tmp_path / "empty"
    empty.mkdir()
    write_model(empty, opened.manifest, opened.files, force=force)
    assert verify(empty) == ()


def test_a_write_that_fails_leaves_what_was_there(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = read_verified(model)
    before = digest_of(model)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("guardkit.models._store.os.fsync", full)
    with pytest.raises(BindError, match="no space left on device"):
        write_model(model, opened.manifest, opened.files, force=True)
    with pytest.raises(BindError, match="no space left on device"):
        replace_manifest(model, opened.manifest)
    monkeypatch.undo()
    assert digest_of(model) == before
    assert verify(model) == ()
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


def test_a_manifest_is_replaced_in_one_step(model: Path) -> None:
    (model / MANIFEST).chmod(0o640)
    manifest, before = read_manifest(model)
    after = replace_manifest(model, manifest.model_copy(update={"version": "2"}))
    assert after == digest_of(model) != before
    assert manifest_of((model / MANIFEST).read_bytes()).version == "2"
    assert (model / MANIFEST).stat().st_mode & 0o777 == 0o640
    assert verify(model) == ()
