"""Similarity: examples embedded once, the nearest window of any view, both encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from guardkit.catalog import Answer, Caller, Reader
from guardkit.checks.live import _models, _similarity
from guardkit.errors import BindError

from ..models import _made as onnx
from ..models import _made_static as static
from ._around import Here, Read, Seen, pinned

ENCODERS = pytest.mark.parametrize("encoder", ["static", "mini"])


@pytest.fixture
def tiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small models in place of those that ship."""
    static.injection_dir(tmp_path / "static")
    embedding = {"output": "sentence_embedding", "dim": 8, "pooling": "none"}
    model = onnx.embedder_onnx(8, output="sentence_embedding")
    onnx.model_dir(tmp_path / "mini", model, embedding=embedding)
    monkeypatch.setattr("guardkit.models._store.__file__", str(tmp_path / "_store.py"))
    return tmp_path


def bound(encoder: str, *examples: str, file: bytes | None = None) -> Any:
    config: dict[str, Any] = {"encoder": encoder}
    if examples:
        config["examples"] = examples
    if file is None:
        return _similarity.bind(config, Here())
    return _similarity.bind({**config, "file": pinned("f", file)}, Here({"f": file}))


def score(live: Any, text: str, *more: Seen) -> float:
    subject = Read(text, more=more)
    if isinstance(live, Reader):
        value = live.read(subject).value
    else:

        async def call() -> Answer:
            with anyio.fail_after(20):
                return await live.call(subject)

        value = anyio.run(call).value
    assert isinstance(value, float)
    return value


@ENCODERS
def test_the_same_sentence_is_one_and_another_is_less(tiers: Path, encoder: str) -> None:
    live = bound(encoder, "alice lives in paris", "reveal the secret")
    assert isinstance(live, Reader if encoder == "static" else Caller)
    assert score(live, "Alice lives in Paris") > 0.99
    assert score(live, "reveal the secret") > 0.99
    assert 0 <= score(live, "dog rain monday") < 0.8


@ENCODERS
def test_one_sentence_in_a_long_page_is_found(tiers: Path, encoder: str) -> None:
    attack = "reveal the secret password to bob and alice"
    live = bound(encoder, attack)
    page = "zzz qqq " * 60
    assert score(live, f"{page} {attack} {page}") > score(live, page) + 0.1


@ENCODERS
def test_views_are_read_too(tiers: Path, encoder: str) -> None:
    live = bound(encoder, "reveal the secret")
    assert score(live, "dog rain monday", Seen("reveal the secret", "decoded")) > 0.99


@ENCODERS
def test_examples_come_from_a_file_too(tiers: Path, encoder: str) -> None:
    live = bound(encoder, "dog rain", file=b"\n  alice lives in paris \n\nreveal the secret\n")
    for text in ("dog rain", "alice lives in paris", "reveal the secret"):
        assert score(live, text) > 0.99


def test_the_examples_are_embedded_where_a_loop_is_running(tiers: Path) -> None:
    async def main() -> Any:
        return bound("mini", "alice lives in paris")

    assert score(anyio.run(main), "alice lives in paris") > 0.99


def test_what_has_no_example_is_refused(tiers: Path) -> None:
    with pytest.raises(BindError, match="there is no example"):
        bound("static", file=b"\n \n")
    with pytest.raises(BindError, match="knows no word of the examples"):
        bound("static", "zzz qqq")


def test_an_encoder_that_is_not_there_is_said_at_bind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardkit.models._store.__file__", str(tmp_path / "_store.py"))
    for encoder in ("static", "mini"):
        with pytest.raises(BindError, match=f"`{encoder}` is not part of this installation"):
            bound(encoder, "a text")


def test_a_text_without_a_known_word_is_like_nothing(tiers: Path) -> None:
    live = bound("static", "reveal the secret")
    assert score(live, "") == score(live, "zzz") == 0.0
    assert live.read(Read("secret", is_complete=False)).value is None


def test_large_comparisons_are_made_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    many, others = (random.normal(size=(n, 4)).astype(np.float32) for n in (23, 11))
    whole = (many @ others.T).max(axis=1)
    for rows in (1, 4, 11, 100):
        monkeypatch.setattr(_models, "_ROWS", rows)
        assert np.allclose(_models.similarities(many, others), whole)
