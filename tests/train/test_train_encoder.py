"""The encoder: its arrays, its windows, its file, and a small tuning from texts to a directory."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardkit.errors import UsageError
from guardkit.models import Window, opened, read_onnx, verify
from guardkit.models._windows import Cutter
from guardkit.train import Row, Target, train_encoder
from guardkit.train._encode import start_of, tokens_of, what_int8_cost, window
from guardkit.train._encoder import Encoder, read_safetensors, rounded, started
from guardkit.train._graph import BITS, encoder_onnx
from guardkit.train._measure import Said
from guardkit.train._tune import (
    FROZEN,
    LEAD,
    MARKS,
    ROOM,
    TAIL,
    Settings,
    Tuning,
    Windows,
    cuts,
)

from . import _small as small

TARGETS = (Target("attack", 0, ("attack",)),)
SHARES = {("attack", 1): 0.5, ("attack", 0): 0.5}


pytestmark = pytest.mark.timeout(300)  # loading torch takes a minute where cores are few


@pytest.fixture(scope="module", autouse=True)
def torch() -> Iterator[Any]:
    small.need_torch()
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for arrays this small, a second thread only waits
    yield torch
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.encoder_file(tmp_path_factory.mktemp("start"))


# --- windows


@pytest.mark.parametrize("count", [0, 1, ROOM - 1, ROOM, ROOM + 1, 200, 218, 219, 1000, 5001])
def test_training_cuts_as_reading_does(count: int) -> None:
    from tokenizers import Tokenizer

    cutter = Cutter(Tokenizer.from_buffer(small.tokenizer_json()), window())
    cut = cutter.cut("the " * count)
    assert cut.tokens == count
    assert cuts(count) == cut.windows()


def test_tokens_are_those_of_reading() -> None:
    from tokenizers import Tokenizer

    texts = ["Please open the window!", "", "x" * 450, "\ud800 a", "[SEP] the [CLS]", "a\u200db"]
    shape = Window(tokens=8000, overlap=0, lead=(LEAD,), tail=(TAIL,))
    cutter = Cutter(Tokenizer.from_buffer(small.tokenizer_json()), shape)
    for text, tokens in zip(texts, tokens_of(small.tokenizer_json(), texts), strict=True):
        cut = cutter.cut(text)
        row = cut.row(0, cut.tokens, None)
        assert tokens.tolist() == row[1:-1].tolist(), repr(text)


def test_a_window_is_what_a_model_is_given() -> None:
    rows = [row._replace(surface="output", group="reply x") for row in small.rows(40)]
    tokens = tokens_of(small.tokenizer_json(), [row.text for row in rows])
    batch = next(Windows(rows, tokens, TARGETS, SHARES, 0).batches())
    for sample in batch:
        assert sample.ids[:2].tolist() == [LEAD, MARKS["output"]]
        assert sample.ids[-1] == TAIL
        assert len(sample.ids) <= ROOM + 3
        assert sample.truth[0] in (0.0, 1.0)


def test_beside_what_was_planted_a_text_is_harmless() -> None:
    part = "ignore the secret " * 4
    text = "the house " * 400 + part + "the house " * 400
    rows = [Row(text, "input", {"attack": 1}, part=part), *small.rows(10)]
    tokens = tokens_of(small.tokenizer_json(), [row.text for row in rows])
    windows = Windows(rows, tokens, TARGETS, SHARES, 0)
    known = set()
    for _ in range(200):
        sample = windows._sample(0)
        holds = bool((sample.ids == small.VOCABULARY.index("ignore")).any())
        truth = float(sample.truth[0])
        assert np.isnan(truth) or truth == holds
        known.add(str(truth))
    assert known >= {"0.0", "1.0"}


# --- arrays


def test_an_encoder_begins_with_the_weights_of_a_file(weights: Path) -> None:
    first, again, other = started(weights, 3), started(weights, 3), started(weights, 3, seed=1)
    for name, weight in first.weights.items():
        assert (weight == again.weights[name]).all()
    assert (first.weights["h1.weight"] != other.weights["h1.weight"]).any()
    given = read_safetensors(weights)
    places = given["embeddings.position_embeddings.weight"]
    kind = given["embeddings.token_type_embeddings.weight"][0]
    assert np.array_equal(first.arrays()["pos.weight"], places + kind)


def test_padding_changes_nothing(weights: Path, torch: Any) -> None:
    net = started(weights, 2)
    ids = torch.tensor([[LEAD, 1, 104, 110, TAIL]])
    wide = torch.nn.functional.pad(ids, (0, 9))
    for one, other in zip(run(net, ids), run(net, wide), strict=True):
        assert np.allclose(one, other, atol=1e-5)


def test_a_rounded_weight_is_the_stored_one_and_learns_like_itself(torch: Any) -> None:
    weight = torch.randn(5, 7, requires_grad=True)
    made = rounded(weight)
    steps = made.detach() / (weight.detach().abs().amax(1, keepdim=True) / BITS)
    assert torch.allclose(steps, steps.round(), atol=1e-3)
    (made * 3).sum().backward()
    assert (weight.grad == 3).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: b"", "is not a safetensors file"),
        (lambda data: data[:5000], "is not a safetensors file"),
        (lambda data: struct.pack("<Q", 2**60) + data[8:], "is not a safetensors file"),
        (lambda data: struct.pack("<Q", 3) + b"[1]", "is not a safetensors file"),
        (lambda data: struct.pack("<Q", 2) + b"{}", "does not hold a sentence encoder of 6 layers"),
        (lambda data: data.replace(b"layer.5.", b"layer.9."), "does not hold a sentence encoder"),
        (lambda data: data[:-4] + struct.pack("<f", np.nan), "numbers that are not finite"),
    ],
)
def test_another_file_is_refused(weights: Path, tmp_path: Path, change: Any, says: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(change(weights.read_bytes()))
    with pytest.raises(UsageError, match=says):
        started(path, 1)


def test_an_encoder_of_other_sizes_is_refused(tmp_path: Path) -> None:
    for number, sizes in enumerate(({"dim": 50}, {"layers": 5}, {"layers": 7})):
        path = small.encoder_file(tmp_path / str(number), **sizes)
        with pytest.raises(UsageError, match="does not hold a sentence encoder of 6 layers"):
            started(path, 1)


def test_the_tokenizer_must_be_that_of_the_weights(weights: Path, tmp_path: Path) -> None:
    alone = tmp_path / "model.safetensors"
    alone.write_bytes(weights.read_bytes())
    with pytest.raises(UsageError, match="does not lie beside"):
        start_of(alone, 1)
    said = json.loads(small.tokenizer_json())
    said["model"]["vocab"] = {"[UNK]": 0, "a": 1}
    said["added_tokens"] = []
    for content, says in ((b"{", "not a tokenizer"), (json.dumps(said).encode(), "trained with")):
        (tmp_path / "tokenizer.json").write_bytes(content)
        with pytest.raises(UsageError, match=says):
            start_of(alone, 1)


# --- the file


def run(net: Encoder, ids: Any) -> tuple[Any, Any]:
    import torch

    with torch.no_grad():
        logits, mean = net.above(net.below(ids, FROZEN), ids, FROZEN)
    return logits.numpy(), mean.numpy()


def test_the_file_says_what_the_encoder_says(weights: Path, torch: Any) -> None:
    import onnxruntime

    net = started(weights, 5)
    data = encoder_onnx(net.arrays(), 5)
    assert encoder_onnx(net.arrays(), 5) == data
    described = read_onnx(data)
    assert [port.name for port in described.inputs] == ["input_ids", "attention_mask"]
    assert described.rows == len(small.VOCABULARY)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for length in (3, 4, 40, 128):
        ids = rng.integers(104, len(small.VOCABULARY), (1, length))
        ids[0, 0], ids[0, -1] = LEAD, TAIL
        logits, mean = session.run(
            ["logits", "embedding"], {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        )
        wanted, near = run(net, torch.from_numpy(ids))
        assert np.abs(logits - wanted).max() < 0.1
        cosine = (mean * near).sum() / np.linalg.norm(mean) / np.linalg.norm(near)
        assert cosine > 0.99


def test_what_int8_cost_is_measured(weights: Path) -> None:
    net = started(weights, 1)
    rows = small.rows(8)
    said = [Said(1, {"attack": (0.0,)}) for _ in rows]
    cost = what_int8_cost(net, small.tokenizer_json(), TARGETS[0], rows, said)
    assert cost["texts"] == 8
    assert cost["mean_difference"] > 0


# --- tuning


def test_what_stays_stays_and_the_rest_learns(weights: Path) -> None:
    rows = small.rows(80)
    tokens = tokens_of(small.tokenizer_json(), [row.text for row in rows])
    start = started(weights, 1)
    how = Settings(steps=30, head_rate=5e-3)
    tuning = Tuning(start, TARGETS, how)
    losses: list[float] = []
    windows = Windows(rows, tokens, TARGETS, SHARES, 0)
    made = tuning.run(windows.batches(), lambda _, __, loss: losses.append(loss))
    assert len(losses) == 30
    assert np.isfinite(losses).all()
    for name, weight in made.weights.items():
        is_same = bool((weight == start.weights[name]).all())
        frozen = ("tab.", "pos.", "n0.", *(f"layers.{at}." for at in range(FROZEN)))
        assert is_same == name.startswith(frozen), name
        assert not weight.requires_grad


def test_texts_become_a_directory_that_reads(weights: Path, tmp_path: Path) -> None:
    rows = small.rows(240)
    parts: list[tuple[str, float]] = []
    done = train_encoder(
        rows, tmp_path / "m", weights=weights, steps=80, device="cpu",
        test=small.rows(20, seed=3), told=lambda what, part: parts.append((what, part)),
    )  # fmt: skip
    assert verify(done.folder, done.digest) == ()
    assert parts[-1] == ("reading what was left out", 1.0)
    (one,) = done.heads
    assert one.fitted is not None
    assert one.figures.whole.rows == 48
    assert one.figures.whole.auc is not None
    assert one.figures.whole.auc > 0.6
    assert done.tests["attack"].whole.rows == 20
    assert done.manifest.card["int8"]["texts"] == 48  # type: ignore[index, call-overload]
    assert opened(done.folder, device="cpu").manifest.window == window()
    assert "README.md" in {path.name for path in done.folder.iterdir()}


def test_too_few_texts_to_leave_some_out_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a fifth of them has fewer than 10"):
        train_encoder(small.rows(60), tmp_path / "m", weights=weights, steps=1)
