"""`guardkit.json`: what is taken, what is refused and how that is said, and what a head means."""

from __future__ import annotations

import json
from math import exp, log
from typing import Any

import numpy as np
import pytest

from guardkit.errors import BindError, CheckError
from guardkit.models import Head, Manifest, evidence_of, manifest_of, score_of, z_of

from ._made import SURFACE_IDS, head, sha, window

FILES = {"model.onnx": sha(b""), "tokenizer.json": sha(b"")}


def manifest(**more: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "name": "made",
        "version": "1",
        "kind": "onnx",
        "licence": "Apache-2.0",
        "source": "made by hand",
        "files": FILES,
        "window": window(),
        "heads": [head("injection", ["injection"])],
        **more,
    }


def read(**more: Any) -> Manifest:
    return manifest_of(json.dumps(manifest(**more)).encode())


def test_a_manifest_is_read_and_written_without_a_change() -> None:
    made = read(
        embedding={"output": "embedding", "dim": 384, "pooling": "none"},
        heads=[
            head("a", ["x"], scale=2, shifts=[[1, 0], [4, 1.5]], fpr=[[0.01, 0.9], [0.05, 0.5]]),
            head("b", ["none", "full"], kind="softmax", at=1, rest="none"),
        ],
        window=window(surfaces=True),
        card={"rows": 12, "by": {"source": [1, 2.5, None]}},
    )
    assert manifest_of(made.dumped()) == made
    assert made.window.surfaces == SURFACE_IDS
    assert made.window.room == 16 - 2 - 1
    assert made.head("b") is made.heads[1]
    assert made.head("c") is None


def test_a_static_model_may_lean_on_a_tier() -> None:
    files = {"heads.npz": sha(b"")}
    assert read(kind="static", base="static", files=files).base == "static"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"format": 2}, "format"),
    ({"extra": 1}, "extra inputs are not permitted"),
    ({"kind": "torch"}, "kind"),
    ({"name": "a/b"}, "name"),
    ({"name": "a\n"}, "name"),
    ({"licence": "two\nlines"}, "one line"),
    ({"files": {}}, "files"),
    ({"files": {"model.onnx": sha(b"")}}, "must name tokenizer.json"),
    ({"files": {**FILES, "../up": sha(b"")}}, "plain file name"),
    ({"files": {**FILES, "/etc/passwd": sha(b"")}}, "plain file name"),
    ({"files": {**FILES, "a\\b": sha(b"")}}, "plain file name"),
    ({"files": {**FILES, "..": sha(b"")}}, "plain file name"),
    ({"files": {**FILES, ".hidden": sha(b"")}}, "plain file name"),
    ({"files": {**FILES, "a\0b": sha(b"")}}, "plain file name"),
    ({"files": {**FILES, "x" * 101: sha(b"")}}, "plain file name"),
    ({"files": {**FILES, "guardkit.json": sha(b"")}}, "must not be the manifest"),
    ({"files": {**FILES, "README.md": sha(b"")}}, "must not be the manifest or a page"),
    ({"files": {**FILES, "Model.onnx": sha(b"")}}, "more than case"),
    ({"files": {**FILES, "a": "sha256:00"}}, "pattern"),
    ({"files": {**FILES, "a": sha(b"").upper()}}, "pattern"),
    ({"files": {**FILES, **{f"f{i}": sha(b"") for i in range(20)}}}, "at most 16"),
    ({"base": "static"}, "only a static model has a base"),
    ({"heads": []}, "a head, an embedding or token labels"),
    ({"window": window(tokens=100_000)}, "window.tokens"),
    ({"window": window(tokens=10, overlap=8)}, "at most half"),
    ({"window": {**window(), "lead": [2] * 15}}, "at most half"),
    ({"window": {**window(), "lead": [-1]}}, "window.lead"),
    ({"window": {**window(), "lead": [1 << 40]}}, "window.lead"),
    ({"window": {**window(), "surfaces": {"In Put": 4}}}, "pattern"),
    ({"heads": [head("a", ["x"]), head("a", ["y"])]}, "different names"),
    ({"heads": [head("a", [])]}, "heads.0.labels"),
    ({"heads": [head("a", ["x", "x"])]}, "labels must be different"),
    ({"heads": [head("a", ["x"], rest="y")]}, "rest must be one of the labels"),
    ({"heads": [head("a", ["x"], kind="softmax")]}, "two labels"),
    ({"heads": [head("a", ["x"], at=-1)]}, "heads.0.at"),
    ({"heads": [head("a", ["x"], scale=0)]}, "heads.0.scale"),
    ({"heads": [head("a", ["x"], scale=1e9)]}, "heads.0.scale"),
    ({"heads": [head("a", ["x"], scale="1")]}, "heads.0.scale"),
    ({"heads": [head("a", ["x"], shifts=[])]}, "heads.0.shifts"),
    ({"heads": [head("a", ["x"], shifts=[[2, 0.0]])]}, "begin with 1"),
    ({"heads": [head("a", ["x"], shifts=[[1, 0.0], [1, 1.0]])]}, "begin with 1"),
    ({"heads": [head("a", ["x"], shifts=[[1, 1e9]])]}, "heads.0.shifts"),
    ({"heads": [head("a", ["x"], fpr=[[0.0, 0.9]])]}, "heads.0.fpr"),
    ({"heads": [head("a", ["x"], fpr=[[0.01, 1.1]])]}, "heads.0.fpr"),
    ({"heads": [head("a", ["x"], fpr=[[0.01, 0.5], [0.02, 0.9]])]}, "scores fall"),
    ({"heads": [head("a", ["x"], fpr=[[0.02, 0.5], [0.01, 0.9]])]}, "rates rise"),
    ({"embedding": {"output": "e", "dim": 0, "pooling": "none"}}, "embedding.dim"),
    ({"embedding": {"output": "e", "dim": 8, "pooling": "max"}}, "embedding.pooling"),
    ({"tokens": {"output": "logits", "labels": ["O"]}}, "tokens.labels"),
]


@pytest.mark.parametrize(("change", "says"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_manifest_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BindError) as caught:
        read(**change)
    assert any(says in problem for problem in caught.value.problems), caught.value.problems
    assert all("\n" not in p and len(p) < 300 for p in caught.value.problems)


def number(text: str) -> bytes:
    """A manifest with a number that JSON writers do not write."""
    return json.dumps(manifest(heads=[head("a", ["x"], scale=7.5)])).replace("7.5", text).encode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[]", "is wrong"),
        (b"\xff\xfe{", "is not UTF-8"),
        (b'{"a": 1, "a": 2}', "names a key twice"),
        (b'{"card": {"b": {"a": 1, "a": 2}}}', "names a key twice"),
        (number("NaN"), "a number that is not finite"),
        (number("Infinity"), "a number that is not finite"),
        (number("-Infinity"), "a number that is not finite"),
        (number("1e999"), "heads.0.scale"),
        (json.dumps(manifest(card={"a": 7.5})).replace("7.5", "1e999").encode(), "finite numbers"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"card":' * 100_000, "nested too deeply"),
        (b'{"card":' + b"[" * 400 + b"]" * 400 + b"}", ""),
        (b"1" * 10_000, "is not JSON that can be read"),
        (b" " * (1 << 20) + b"{}", "larger than 1024 KB"),
        (b"{}" * (5 << 20), "larger than 1024 KB"),
    ],
    ids=lambda value: str(value[:24]),
)
def test_what_is_no_manifest_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(BindError) as caught:
        manifest_of(data)
    assert says in str(caught.value)
    assert all("\n" not in p and len(p) < 300 for p in caught.value.problems)


def test_many_mistakes_are_said_in_few_sentences() -> None:
    with pytest.raises(BindError) as caught:
        read(**{f"extra{i}": i for i in range(50)})
    assert len(caught.value.problems) == 6
    assert "45 more mistakes" in caught.value.problems[-1]


# --- heads


def made_head(**more: Any) -> Head:
    return Head.model_validate_json(json.dumps(head("a", ["x"], **more)))


def test_a_threshold_is_read_between_rates() -> None:
    one = made_head(fpr=[[0.001, 0.97], [0.01, 0.9], [0.05, 0.6]])
    assert one.threshold(0.001) == 0.97
    assert one.threshold(0.01) == 0.9
    assert one.threshold(0.05) == 0.6
    middle = one.threshold(10**-2.5)
    assert middle == pytest.approx((0.97 + 0.9) / 2)
    part = (log(0.02) - log(0.01)) / (log(0.05) - log(0.01))
    assert one.threshold(0.02) == pytest.approx(0.9 - part * 0.3)
    assert one.threshold(0.0009) is None
    assert one.threshold(0.051) is None
    assert made_head().threshold(0.01) is None
    assert made_head(fpr=[[0.01, 0.9]]).threshold(0.01) == 0.9


def test_more_windows_need_more_evidence() -> None:
    one = made_head(scale=2.0, shifts=[[1, 0.5], [2, 1.0], [5, 2.0]])
    assert [one.shift(n) for n in (0, 1, 2, 4, 5, 500)] == [0.5, 0.5, 1.0, 1.0, 2.0, 2.0]
    assert score_of(one, 1.5, 2) == pytest.approx(1 / (1 + exp(-1.0)))
    assert score_of(one, -1e4, 1) == 0.0
    assert score_of(one, 1e4, 1) == 1.0
    assert score_of(one, 0.5, 1) == 0.5


def test_scores_speak_for_a_label() -> None:
    kinds = {"name": "a", "output": "o", "labels": ["none", "full", "part"], "kind": "softmax"}
    with_rest = Head.model_validate_json(json.dumps({**kinds, "rest": "none"}))
    without = Head.model_validate_json(json.dumps(kinds))
    assert with_rest.answer((0.9, 0.4, 0.3)) == "none"
    assert with_rest.answer((0.9, 0.5, 0.3)) == "full"
    assert with_rest.answer((0.1, 0.6, 0.7)) == "part"
    assert without.answer((0.3, 0.2, 0.1)) == "none"
    assert without.answer((0.1, 0.2, 0.3)) == "part"


# --- evidence


def slow_z(row: list[float], i: int) -> float:
    """The log-odds of a column by their definition."""
    others = [x for j, x in enumerate(row) if j != i]
    top = max(others)
    return row[i] - top - log(sum(exp(x - top) for x in others))


def test_softmax_evidence_is_log_odds() -> None:
    random = np.random.default_rng(3)
    logits = random.normal(scale=30, size=(200, 6)).astype(np.float32)
    logits[0] = 0.0
    logits[1, :2] = 50.0  # a tie at the top
    logits[2] = [90, -90, -90, -90, -90, -90]
    one = Head(name="a", output="o", labels=("b", "c", "d", "e"), kind="softmax", at=1)
    z = z_of(one, logits)
    for row, found in zip(logits.tolist(), z.tolist(), strict=True):
        assert found == pytest.approx([slow_z(row[1:5], i) for i in range(4)], abs=1e-6)
    worst, first = evidence_of(one, logits)
    assert worst == tuple(z.max(axis=0))
    assert first == tuple(z[0])


def test_two_labels_are_one_logit() -> None:
    one = Head(name="a", output="o", labels=("no", "yes"), kind="softmax")
    z = z_of(one, np.array([[1.0, 3.5]], dtype=np.float16))
    assert z.tolist() == [[-2.5, 2.5]]


@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_no_score(kind: Any, bad: float) -> None:
    one = Head(name="a", output="o", labels=("no", "yes"), kind=kind)
    logits = np.zeros((3, 2), dtype=np.float32)
    logits[2, 1] = bad
    with pytest.raises(CheckError, match="not finite"):
        z_of(one, logits)


@pytest.mark.parametrize("shape", [(0, 2), (2,), (2, 1), (1, 2, 2)])
def test_an_output_of_another_shape_is_no_score(shape: tuple[int, ...]) -> None:
    one = Head(name="a", output="o", labels=("no", "yes"), kind="sigmoid")
    with pytest.raises(CheckError, match="shape"):
        z_of(one, np.zeros(shape))
