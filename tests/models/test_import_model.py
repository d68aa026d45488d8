"""Any Hugging Face ONNX export becomes a model directory, or is refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from tokenizers import processors

from guardkit.errors import BindError
from guardkit.models import Imported, Wanted, digest_of, import_model, read_verified, verify

from ._made import (
    CLS,
    ID,
    PAD,
    SEP,
    Weights,
    classifier_onnx,
    embedder_onnx,
    hf_export,
    tagger_onnx,
    tokenizer,
)

MOODS: Weights = {"good": [0.0, 3.0], "bad": [3.0, 0.0]}
TWO = classifier_onnx(MOODS, classes=2)
ONE = classifier_onnx({"bad": [3.0]}, classes=1)
THREE = classifier_onnx({"bad": [3.0, 1.0, 0.0]}, classes=3)
TAGGER = tagger_onnx({"alice": 1}, labels=3)
BERT: dict[str, Any] = {"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": PAD}
SENTIMENT = {**BERT, "id2label": {"0": "NEGATIVE", "1": "POSITIVE"}}
PEOPLE = {**BERT, "id2label": {"0": "O", "1": "B-PER", "2": "I-PER"}}


def imported(
    tmp_path: Path,
    model: bytes,
    config: dict[str, Any],
    *,
    wanted: Wanted = Wanted(licence="MIT"),  # noqa: B008 - a NamedTuple does not change
    **files: Any,
) -> Imported:
    """What comes of an export; what was written is whole."""
    export = hf_export(tmp_path / "export", model, config, **files)
    made = import_model(export, tmp_path / "out", wanted)
    assert verify(tmp_path / "out", made.digest) == ()
    assert made.digest == digest_of(tmp_path / "out")
    return made


def test_a_classifier_of_texts(tmp_path: Path) -> None:
    made = imported(tmp_path, TWO, SENTIMENT)
    (head,) = made.manifest.heads
    assert (head.labels, head.kind, head.output) == (("NEGATIVE", "POSITIVE"), "softmax", "logits")
    window = made.manifest.window
    assert (window.lead, window.tail, window.pad) == ((CLS,), (SEP,), PAD)
    assert (window.tokens, window.overlap, window.surfaces) == (512, 128, {})
    assert made.manifest.licence == "MIT"
    assert made.manifest.name == "export"
    assert made.notes == ()
    opened = read_verified(tmp_path / "out")
    assert opened.files["model.onnx"] == TWO


def test_a_classifier_of_tokens(tmp_path: Path) -> None:
    manifest = imported(tmp_path, TAGGER, PEOPLE, inner="onnx").manifest
    assert manifest.tokens is not None
    assert manifest.tokens.labels == ("O", "B-PER", "I-PER")
    assert manifest.heads == ()


@pytest.mark.parametrize(
    ("pooling", "says"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "first"),
        ({"pooling_mode": "mean"}, "mean"),
        ({"pooling_mode": "cls"}, "first"),
        (None, "mean"),
    ],
)
def test_an_embedding_of_tokens(tmp_path: Path, pooling: dict[str, Any] | None, says: str) -> None:
    (tmp_path / "export" / "1_Pooling").mkdir(parents=True)
    files = {} if pooling is None else {"1_Pooling/config": pooling}
    made = imported(tmp_path, embedder_onnx(8), BERT, **files)
    embedding = made.manifest.embedding
    assert embedding is not None
    assert (embedding.output, embedding.dim) == ("last_hidden_state", 8)
    assert embedding.pooling == says
    assert bool(made.notes) == (pooling is None)


def test_an_embedding_of_sentences(tmp_path: Path) -> None:
    made = imported(tmp_path, embedder_onnx(6, output="sentence_embedding"), BERT)
    assert made.manifest.embedding is not None
    assert made.manifest.embedding.pooling == "none"
    assert made.manifest.embedding.dim == 6


# --- labels


@pytest.mark.parametrize(
    ("model", "config", "kind", "noted"),
    [
        (ONE, {"id2label": {"0": "toxic"}}, "sigmoid", False),
        (ONE, {"id2label": {"0": "toxic"}, "problem_type": "regression"}, "sigmoid", False),
        (TWO, {"problem_type": "multi_label_classification"}, "sigmoid", False),
        (TWO, {"problem_type": "single_label_classification"}, "softmax", False),
        (TWO, {}, "softmax", False),
        (THREE, {"id2label": {"0": "a", "1": "b", "2": "c"}}, "softmax", True),
        (
            THREE,
            {
                "id2label": {"2": "c", "0": "a", "1": "b"},
                "problem_type": "multi_label_classification",
            },
            "sigmoid",
            False,
        ),
    ],
)
def test_labels_exclude_each_other_or_do_not(
    tmp_path: Path, model: bytes, config: dict[str, Any], kind: str, noted: bool
) -> None:
    made = imported(tmp_path, model, {**SENTIMENT, **config})
    assert made.manifest.heads[0].kind == kind
    assert any("exclude each other" in note for note in made.notes) == noted
    if len(made.manifest.heads[0].labels) == 3:
        assert made.manifest.heads[0].labels == ("a", "b", "c")


def test_labels_without_names_are_numbered(tmp_path: Path) -> None:
    made = imported(tmp_path, TWO, BERT)
    assert made.manifest.heads[0].labels == ("LABEL_0", "LABEL_1")
    assert any("id2label" in note for note in made.notes)


# --- windows


@pytest.mark.parametrize(
    ("config", "files", "tokens"),
    [
        ({"max_position_embeddings": 128}, {}, 128),
        ({"max_position_embeddings": 8192}, {}, 512),
        ({"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1}, {}, 512),
        ({"max_position_embeddings": 130, "model_type": "roberta", "pad_token_id": 0}, {}, 129),
        ({"n_positions": 64}, {}, 64),
        ({"max_position_embeddings": 512}, {"tokenizer_config": {"model_max_length": 96}}, 96),
        ({"max_position_embeddings": 256}, {"tokenizer_config": {"model_max_length": 10**30}}, 256),
        ({"max_position_embeddings": 512}, {"sentence_bert_config": {"max_seq_length": 80}}, 80),
        ({"max_position_embeddings": True}, {}, 256),
        ({}, {}, 256),
    ],
)
def test_a_window_is_as_long_as_the_model_allows(
    tmp_path: Path, config: dict[str, Any], files: dict[str, Any], tokens: int
) -> None:
    made = imported(tmp_path, TWO, {"id2label": SENTIMENT["id2label"], **config}, **files)
    assert made.manifest.window.tokens == tokens
    assert made.manifest.window.overlap == tokens // 4
    assert any("how long" in note for note in made.notes) == (tokens == 256 and not files)


def test_what_was_said_counts(tmp_path: Path) -> None:
    wanted = Wanted("classification", 64, 8, "MIT", "moods", "2.1")
    manifest = imported(tmp_path, TWO, SENTIMENT, wanted=wanted).manifest
    assert (manifest.window.tokens, manifest.window.overlap) == (64, 8)
    assert (manifest.name, manifest.version) == ("moods", "2.1")


def test_windows_may_run_together_unless_scaled_as_they_run(tmp_path: Path) -> None:
    assert imported(tmp_path / "a", TWO, SENTIMENT).manifest.window.batch
    model = onnx.load_from_string(TWO)
    outputs = ["q", "q_scale", "q_zero"]
    model.graph.node.append(onnx.helper.make_node("DynamicQuantizeLinear", ["best"], outputs))
    data = model.SerializeToString()
    assert not imported(tmp_path / "b", data, SENTIMENT).manifest.window.batch


@pytest.mark.parametrize(
    ("template", "lead", "tail"),
    [
        ("[CLS] $A [SEP]", [CLS], [SEP]),
        ("[CLS] $A", [CLS], []),
        ("$A [SEP]", [], [SEP]),
        ("$A", [], []),
        ("[CLS] [CLS] $A [SEP] [CLS]", [CLS, CLS], [SEP, CLS]),
    ],
)
def test_what_stands_around_a_text_is_worked_out(
    tmp_path: Path, template: str, lead: list[int], tail: list[int]
) -> None:
    made = tokenizer()
    made.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    export = hf_export(tmp_path / "export", TWO, SENTIMENT)
    (export / "tokenizer.json").write_text(made.to_str(), encoding="utf-8")
    window = import_model(export, tmp_path / "out", Wanted()).manifest.window
    assert (list(window.lead), list(window.tail)) == (lead, tail)


@pytest.mark.parametrize(
    "files",
    [
        {"tokenizer_config": {"pad_token": "[SEP]"}},
        {"tokenizer_config": {"pad_token": {"content": "[SEP]"}}},
        {"special_tokens_map": {"pad_token": "[SEP]"}},
    ],
)
def test_the_padding_token_is_found(tmp_path: Path, files: dict[str, Any]) -> None:
    assert imported(tmp_path, TWO, SENTIMENT, **files).manifest.window.pad == ID["[SEP]"]


# --- licence and place


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("---\nlanguage: en\nlicense: apache-2.0\n---\n# x", "apache-2.0"),
        ('---\r\nlicense: "mit"\r\n---\r\n', "mit"),
        ("# license: none", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_licence_is_read_from_the_page(tmp_path: Path, page: str | None, says: str) -> None:
    export = hf_export(tmp_path / "export", TWO, SENTIMENT)
    if page is not None:
        (export / "README.md").write_bytes(page.encode())
    made = import_model(export, tmp_path / "out", Wanted())
    assert made.manifest.licence == says
    assert any("licence" in note for note in made.notes) == (says == "unknown")


def test_a_snapshot_of_a_hub_cache_holds_links(tmp_path: Path) -> None:
    root = tmp_path / "models--x"
    real = hf_export(tmp_path / "real", TWO, SENTIMENT)
    snapshot = root / "snapshots" / "abc"
    (root / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for i, path in enumerate(sorted(real.iterdir())):
        (root / "blobs" / f"{i}").write_bytes(path.read_bytes())
        (snapshot / path.name).symlink_to(f"../../blobs/{i}")
    import_model(snapshot, tmp_path / "out", Wanted())
    assert verify(tmp_path / "out") == ()
    assert not any(path.is_symlink() for path in (tmp_path / "out").iterdir())


def test_a_link_out_of_an_export_is_not_followed(tmp_path: Path) -> None:
    export = hf_export(tmp_path / "export", TWO, SENTIMENT)
    (export / "config.json").rename(tmp_path / "config.json")
    (export / "config.json").symlink_to(tmp_path / "config.json")
    with pytest.raises(BindError, match="of the export leads outside"):
        import_model(export, tmp_path / "out", Wanted())


# --- what is refused


def remove(name: str) -> Any:
    return lambda export: (export / name).unlink()


def write(name: str, content: Any) -> Any:
    text = content if isinstance(content, str) else json.dumps(content)
    return lambda export: (export / name).write_text(text, encoding="utf-8")


def both_models(export: Path) -> None:
    (export / "onnx").mkdir()
    (export / "onnx" / "model.onnx").write_bytes(TWO)


def configured(**more: Any) -> Any:
    return write("config.json", {**SENTIMENT, **more})


def named(name: str, model: bytes = TWO) -> Any:
    """The output under another name."""

    def change(export: Path) -> None:
        read = onnx.load_from_string(model)
        read.graph.node[-1].output[0] = name
        read.graph.output[0].name = name
        (export / "model.onnx").write_bytes(read.SerializeToString())

    return change


def with_model(data: bytes) -> Any:
    return lambda export: (export / "model.onnx").write_bytes(data)


def with_types(export: Path) -> None:
    made = tokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS]:1 $A:1 [SEP]:1", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    (export / "tokenizer.json").write_text(made.to_str(), encoding="utf-8")


REFUSED: list[tuple[Any, str]] = [
    (remove("model.onnx"), "neither `model.onnx` nor"),
    (remove("tokenizer.json"), "has no `tokenizer.json`"),
    (remove("config.json"), "has no `config.json`"),
    (both_models, "has both"),
    (write("config.json", "{"), "`config.json` of the export is not JSON"),
    (write("config.json", "[" * 100_000), "`config.json` of the export is not JSON"),
    (write("config.json", "[]"), "is not a JSON object"),
    (write("config.json", " " * (5 << 20)), "larger than allowed"),
    (write("tokenizer.json", "{}"), "is not a tokenizer"),
    (write("model.onnx", "text"), "cut off or malformed"),
    (with_model(TWO[:-100]), "cut off or malformed"),
    (configured(id2label={"0": "a"}), "names 1 labels for 2 columns"),
    (configured(id2label={"0": "a", "2": "b"}), "does not number its labels from 0"),
    (configured(id2label={"x": "a", "y": "b"}), "does not number its labels from 0"),
    (configured(id2label={"0": "a", "1": "a"}), "labels must be different"),
    (configured(id2label={"0": "a", "1": "b\x1b[0m"}), "one line of printable text"),
    (configured(problem_type="regression"), "estimates numbers"),
    (named("scores"), "outputs `scores` are not those"),
    (with_types, "token types other than 0"),
    (write("1_Pooling.json", {}), ""),
]


@pytest.mark.parametrize(("change", "says"), REFUSED)
def test_what_cannot_be_imported_is_said(tmp_path: Path, change: Any, says: str) -> None:
    export = hf_export(tmp_path / "export", TWO, SENTIMENT)
    change(export)
    out = tmp_path / "out"
    if not says:  # what is not looked at does no harm
        import_model(export, out, Wanted())
        return
    with pytest.raises(BindError) as caught:
        import_model(export, out, Wanted())
    (problem,) = caught.value.problems
    assert says in problem
    assert problem.isprintable()
    assert not out.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"export"}


@pytest.mark.parametrize(
    ("model", "wanted", "says"),
    [
        (TWO, Wanted(window=513), "at most 512 tokens"),
        (TWO, Wanted(window=16, overlap=10), "at most half"),
        (TWO, Wanted(window=4, overlap=2), "at most half"),
        (TWO, Wanted("tokens"), "has not the shape [windows, tokens, columns]"),
        (TWO, Wanted("embedding"), "has no output `last_hidden_state`"),
        (TAGGER, Wanted("classification"), "has not the shape [windows, columns]"),
        (TWO, Wanted(name="a b"), "`name`"),
    ],
)
def test_what_was_said_may_be_wrong(
    tmp_path: Path, model: bytes, wanted: Wanted, says: str
) -> None:
    export = hf_export(tmp_path / "export", model, SENTIMENT)
    with pytest.raises(BindError) as caught:
        import_model(export, tmp_path / "out", wanted)
    assert says in str(caught.value)


def test_another_pooling_is_refused(tmp_path: Path) -> None:
    export = hf_export(tmp_path / "export", embedder_onnx(8), BERT)
    (export / "1_Pooling").mkdir()
    said = {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}
    (export / "1_Pooling" / "config.json").write_text(json.dumps(said))
    with pytest.raises(BindError, match="another pooling"):
        import_model(export, tmp_path / "out", Wanted())


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    export = hf_export(tmp_path / "export", TWO, SENTIMENT)
    out = tmp_path / "out"
    first = import_model(export, out, Wanted())
    with pytest.raises(BindError, match="--force"):
        import_model(export, out, Wanted())
    assert import_model(export, out, Wanted(), force=True).digest == first.digest
